{{/* What the operator may do to the objects it serves: docs/how-to/install.md gives the reason for each verb. */}}
{{- define "clustertrigger.rules" -}}
- apiGroups: [clustertrigger.dev]
  resources: [clustertriggers]
  verbs: [get, list, watch]
- apiGroups: [clustertrigger.dev]
  resources: [clusterdefinitions, collections, taxonomies]
  verbs: [list, watch]
- apiGroups: [clustertrigger.dev]
  resources: [clustertriggers/status]
  verbs: [patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods, podtemplates]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch, list]
# Where in Kueue's queue a run waits. Without Kueue there is no such resource, and the rule grants nothing.
- apiGroups: [visibility.kueue.x-k8s.io]
  resources: [localqueues/pendingworkloads]
  verbs: [get]
{{- if .Values.spark.enabled }}
# Kueue counts the executors of a run only if the operator creates its Workload.
- apiGroups: [kueue.x-k8s.io]
  resources: [workloads]
  verbs: [list, create]
- apiGroups: [kueue.x-k8s.io]
  resources: [workloads/status]
  verbs: [patch]
- apiGroups: [batch]
  resources: [jobs/status]
  verbs: [patch]
{{- end }}
{{- end -}}

{{/* What the operator may read of the whole cluster for runs with executors in a queue: where they are placed, and their priority. */}}
{{- define "clustertrigger.queueRules" -}}
- apiGroups: [kueue.x-k8s.io]
  resources: [resourceflavors, workloadpriorityclasses]
  verbs: [get]
- apiGroups: [scheduling.k8s.io]
  resources: [priorityclasses]
  verbs: [get, list]
{{- end -}}

{{/* What clustertrigger-api may do by itself; everything else is done with its callers' tokens. */}}
{{- define "clustertrigger.apiRules" -}}
- apiGroups: [clustertrigger.dev]
  resources: [clustertriggers, clusterdefinitions]
  verbs: [list, watch]
{{- end -}}

{{/* The subject of every binding of the operator's. */}}
{{- define "clustertrigger.subjects" -}}
- kind: ServiceAccount
  name: {{ include "clustertrigger.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
