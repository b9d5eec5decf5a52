{{/*
The operator's settings, all of them: operator/clustertrigger/shell/settings.py reads these variables and stops at one
that it does not know. Numbers pass through int, because Helm would write large ones as 1e+06.
*/}}
{{- define "clustertrigger.environment" -}}
- name: CLUSTERTRIGGER_WORKER_IMAGE
  value: {{ include "clustertrigger.image" (dict "root" . "image" .Values.image.worker) | quote }}
- name: CLUSTERTRIGGER_WORKER_IMAGE_PULL_POLICY
  value: {{ .Values.image.worker.pullPolicy | quote }}
- name: CLUSTERTRIGGER_WORKER_IMAGE_PULL_SECRETS
  value: {{ join "," .Values.image.worker.pullSecrets | quote }}
- name: CLUSTERTRIGGER_WORKER_PRIORITY_CLASSES
  value: {{ join "," .Values.worker.allowedPriorityClasses | quote }}
- name: CLUSTERTRIGGER_SPARK_IMAGE
  value: {{ .Values.spark.enabled | ternary (include "clustertrigger.image" (dict "root" . "image" .Values.spark.image)) "" | quote }}
- name: CLUSTERTRIGGER_SPARK_IMAGE_PULL_POLICY
  value: {{ .Values.spark.image.pullPolicy | quote }}
- name: CLUSTERTRIGGER_SPARK_IMAGE_PULL_SECRETS
  value: {{ join "," .Values.spark.image.pullSecrets | quote }}
- name: CLUSTERTRIGGER_RESULTS_URI
  value: {{ .Values.results.uri | quote }}
- name: CLUSTERTRIGGER_RESULTS_VOLUME
  value: {{ .Values.results.volume | quote }}
- name: CLUSTERTRIGGER_WATCH_NAMESPACES
  value: {{ join "," .Values.watchNamespaces | quote }}
- name: CLUSTERTRIGGER_LEADER_ELECTION
  value: {{ .Values.leaderElection.enabled | quote }}
- name: CLUSTERTRIGGER_LEASE_NAME
  value: {{ include "clustertrigger.leaseName" . | quote }}
- name: CLUSTERTRIGGER_LEASE_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: CLUSTERTRIGGER_LEASE_DURATION_SECONDS
  value: {{ int .Values.leaderElection.leaseDurationSeconds | quote }}
- name: CLUSTERTRIGGER_LEASE_RENEW_SECONDS
  value: {{ int .Values.leaderElection.renewDeadlineSeconds | quote }}
- name: CLUSTERTRIGGER_LEASE_RETRY_SECONDS
  value: {{ int .Values.leaderElection.retryPeriodSeconds | quote }}
- name: CLUSTERTRIGGER_IDENTITY
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: CLUSTERTRIGGER_HTTP_PORT
  value: {{ int .Values.http.port | quote }}
- name: CLUSTERTRIGGER_EVENTS_PORT
  value: {{ .Values.events.enabled | ternary (int .Values.events.port) 0 | quote }}
- name: CLUSTERTRIGGER_EVENTS_TRUSTED_PROXIES
  value: {{ join "," .Values.events.trustedProxies | quote }}
- name: CLUSTERTRIGGER_EVENTS_CERT_DIR
  value: {{ include "clustertrigger.eventsSecretName" . | empty | ternary "" (include "clustertrigger.eventsCertificateDirectory" .) | quote }}
- name: CLUSTERTRIGGER_NOTIFY_ENABLED
  value: {{ .Values.notify.enabled | quote }}
- name: CLUSTERTRIGGER_NOTIFY_ALLOW_HTTP
  value: {{ .Values.notify.allowHttp | quote }}
- name: CLUSTERTRIGGER_NOTIFY_ALLOWED_NETWORKS
  value: {{ join "," .Values.notify.allowedNetworks | quote }}
- name: CLUSTERTRIGGER_NOTIFY_ALLOWED_HOSTS
  value: {{ join "," .Values.notify.allowedHosts | quote }}
- name: CLUSTERTRIGGER_NOTIFY_CREDENTIALS
  value: {{ include "clustertrigger.notifyCredentials" . | quote }}
- name: CLUSTERTRIGGER_NOTIFY_CREDENTIALS_DIR
  value: {{ include "clustertrigger.notifyCredentialsDirectory" . | quote }}
- name: CLUSTERTRIGGER_NOTIFY_CA_FILE
  value: {{ .Values.notify.caConfigMap | empty | ternary "" (printf "%s/ca.crt" (include "clustertrigger.notifyAuthoritiesDirectory" .)) | quote }}
- name: CLUSTERTRIGGER_LOG_FORMAT
  value: {{ .Values.log.format | quote }}
- name: CLUSTERTRIGGER_LOG_LEVEL
  value: {{ .Values.log.level | quote }}
- name: CLUSTERTRIGGER_CONCURRENCY
  value: {{ int .Values.concurrency | quote }}
- name: CLUSTERTRIGGER_WEBHOOK_PORT
  value: {{ .Values.webhook.enabled | ternary (int .Values.webhook.port) 0 | quote }}
- name: CLUSTERTRIGGER_WEBHOOK_CERT_DIR
  value: {{ include "clustertrigger.webhookCertificateDirectory" . | quote }}
{{- end -}}

{{- define "clustertrigger.leaseName" -}}
{{- .Values.leaderElection.leaseName | default (include "clustertrigger.fullname" .) -}}
{{- end -}}

{{/* The Secret with the certificate for events; empty if they are accepted over HTTP, or not at all. */}}
{{- define "clustertrigger.eventsSecretName" -}}
{{- if .Values.events.enabled }}{{ .Values.events.tls.secretName }}{{ end -}}
{{- end -}}

{{- define "clustertrigger.eventsCertificateDirectory" -}}
/etc/clustertrigger/events
{{- end -}}

{{/* Who may use which credentials, without the names of their Secrets. */}}
{{- define "clustertrigger.notifyCredentials" -}}
{{- $found := list -}}
{{- range .Values.notify.credentials }}{{ $found = append $found (omit . "secretName") }}{{ end -}}
{{- $found | toJson -}}
{{- end -}}

{{- define "clustertrigger.notifyCredentialsDirectory" -}}
/etc/clustertrigger/notify
{{- end -}}

{{- define "clustertrigger.notifyAuthoritiesDirectory" -}}
/etc/clustertrigger/notify-ca
{{- end -}}

{{- define "clustertrigger.webhookCertificateDirectory" -}}
/etc/clustertrigger/webhook
{{- end -}}

{{- define "clustertrigger.webhookSecretName" -}}
{{- .Values.webhook.certificate.existingSecret | default (printf "%s-webhook" (include "clustertrigger.fullname" .)) -}}
{{- end -}}

{{/* Settings of clustertrigger-api: operator/clustertrigger/rest/settings.py reads these variables. */}}
{{- define "clustertrigger.apiEnvironment" -}}
- name: CLUSTERTRIGGER_API_PORT
  value: {{ int .Values.api.port | quote }}
- name: CLUSTERTRIGGER_API_CERT_DIR
  value: {{ .Values.api.tls.secretName | empty | ternary "" (include "clustertrigger.apiCertificateDirectory" .) | quote }}
- name: CLUSTERTRIGGER_API_WATCH_NAMESPACES
  value: {{ join "," .Values.watchNamespaces | quote }}
- name: CLUSTERTRIGGER_API_WORKER_IMAGE
  value: {{ include "clustertrigger.image" (dict "root" . "image" .Values.image.worker) | quote }}
- name: CLUSTERTRIGGER_API_WORKER_PULL_SECRETS
  value: {{ join "," .Values.image.worker.pullSecrets | quote }}
- name: CLUSTERTRIGGER_API_OVERRIDE_GITOPS
  value: {{ .Values.api.overrideGitOps | quote }}
- name: CLUSTERTRIGGER_API_REQUESTS_PER_SECOND
  value: {{ .Values.api.rateLimit.requestsPerSecond | quote }}
- name: CLUSTERTRIGGER_API_BURST
  value: {{ int .Values.api.rateLimit.burst | quote }}
- name: CLUSTERTRIGGER_API_STREAMS
  value: {{ int .Values.api.rateLimit.streams | quote }}
- name: CLUSTERTRIGGER_API_LOG_FORMAT
  value: {{ eq .Values.log.format "text" | ternary "text" "json" | quote }}
- name: CLUSTERTRIGGER_API_LOG_LEVEL
  value: {{ .Values.log.level | quote }}
{{- end -}}

{{- define "clustertrigger.apiCertificateDirectory" -}}
/etc/clustertrigger/api
{{- end -}}
