{{/* What values.schema.json cannot say: rules across values. Each message names the values and the remedy. */}}

{{- define "clustertrigger.validate" -}}
{{- include "clustertrigger.validateElection" . -}}
{{- include "clustertrigger.validateCertificate" . -}}
{{- include "clustertrigger.validatePorts" . -}}
{{- include "clustertrigger.validateIngress" . -}}
{{- include "clustertrigger.validateNotify" . -}}
{{- end -}}

{{- define "clustertrigger.validateNotify" -}}
{{- $names := list -}}
{{- range .Values.notify.credentials -}}
{{- if has .name $names -}}
{{- fail (printf "notify.credentials has two entries named %q, and triggers name one: rename one of them" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}

{{- define "clustertrigger.validateElection" -}}
{{- $replicas := int .Values.replicas -}}
{{- with .Values.leaderElection -}}
{{- if and (not .enabled) (gt $replicas 1) -}}
{{- fail (printf "replicas is %d and leaderElection.enabled is false, so that all of them would work: set replicas to 1, or leaderElection.enabled to true" $replicas) -}}
{{- end -}}
{{- if le (int .leaseDurationSeconds) (int .renewDeadlineSeconds) -}}
{{- fail (printf "leaderElection.leaseDurationSeconds is %d, which must exceed leaderElection.renewDeadlineSeconds (%d): two leaders would work at once; 15 and 10 are usual" (int .leaseDurationSeconds) (int .renewDeadlineSeconds)) -}}
{{- end -}}
{{- if le (mul 5 (int .renewDeadlineSeconds)) (mul 6 (int .retryPeriodSeconds)) -}}
{{- fail (printf "leaderElection.renewDeadlineSeconds is %d, which must exceed 1.2 times leaderElection.retryPeriodSeconds (%d): one missed renewal would end the leader; 10 and 2 are usual" (int .renewDeadlineSeconds) (int .retryPeriodSeconds)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "clustertrigger.validateCertificate" -}}
{{- with .Values.webhook.certificate -}}
{{- if and .existingSecret .certManager.enabled -}}
{{- fail (printf "webhook.certificate.existingSecret is %q and webhook.certificate.certManager.enabled is true: keep one of them" .existingSecret) -}}
{{- end -}}
{{- if ne (empty .existingSecret) (empty .caBundle) -}}
{{- fail (printf "webhook.certificate.existingSecret (%q) and webhook.certificate.caBundle go together: set both, the latter to the PEM of the CA that signed the former" .existingSecret) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Also of what is off: switching it on must not be what breaks an installation. */}}
{{- define "clustertrigger.validatePorts" -}}
{{- $http := int .Values.http.port -}}
{{- $events := int .Values.events.port -}}
{{- $webhook := int .Values.webhook.port -}}
{{- if eq $webhook $http -}}
{{- fail (printf "webhook.port and http.port are both %d: give them two ports" $http) -}}
{{- end -}}
{{- if eq $events $http -}}
{{- fail (printf "events.port and http.port are both %d: give them two ports" $http) -}}
{{- end -}}
{{- if eq $events $webhook -}}
{{- fail (printf "events.port and webhook.port are both %d: give them two ports" $webhook) -}}
{{- end -}}
{{- $service := int .Values.service.port -}}
{{- $forEvents := int .Values.events.servicePort -}}
{{- if eq $forEvents $service -}}
{{- fail (printf "events.servicePort and service.port are both %d: give them two ports" $service) -}}
{{- end -}}
{{- if and .Values.webhook.enabled (eq $forEvents 443) -}}
{{- fail "events.servicePort is 443, which is the webhook's: choose another, or set webhook.enabled to false" -}}
{{- end -}}
{{- end -}}

{{- define "clustertrigger.validateIngress" -}}
{{- if and .Values.events.ingress.enabled (not .Values.events.enabled) -}}
{{- fail "events.ingress.enabled is true and events.enabled is false, so that nothing would answer: set both, or neither" -}}
{{- end -}}
{{- if and .Values.api.ingress.enabled (not .Values.api.enabled) -}}
{{- fail "api.ingress.enabled is true and api.enabled is false, so that nothing would answer: set both, or neither" -}}
{{- end -}}
{{- with .Values.api.httpRoute -}}
{{- if and .enabled (not $.Values.api.enabled) -}}
{{- fail "api.httpRoute.enabled is true and api.enabled is false, so that nothing would answer: set both, or neither" -}}
{{- end -}}
{{- if and .enabled (not .parentRefs) -}}
{{- fail "api.httpRoute.enabled is true and api.httpRoute.parentRefs is empty, so that no Gateway would lead to the API: name one, such as [{name: public, namespace: gateways}]" -}}
{{- end -}}
{{- end -}}
{{- end -}}
