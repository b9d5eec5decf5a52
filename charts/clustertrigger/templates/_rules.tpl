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
