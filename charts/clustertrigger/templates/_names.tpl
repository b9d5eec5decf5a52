{{/* Names and labels that all objects share. */}}

{{- define "clustertrigger.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The prefix of object names; short enough for the longest suffix, "-leader-election". */}}
{{- define "clustertrigger.fullname" -}}
{{- $name := include "clustertrigger.name" . -}}
{{- $full := .Values.fullnameOverride | default (contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name)) -}}
{{- $full | trunc 47 | trimSuffix "-" -}}
{{- end -}}

{{- define "clustertrigger.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "clustertrigger.fullname" .) "default") -}}
{{- end -}}

{{/* What selects the operator's Pods: never changes within a release. */}}
{{- define "clustertrigger.selectorLabels" -}}
app.kubernetes.io/name: {{ include "clustertrigger.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "clustertrigger.labels" -}}
{{ include "clustertrigger.selectorLabels" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: clustertrigger
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "clustertrigger.apiFullname" -}}
{{- include "clustertrigger.fullname" . }}-api
{{- end -}}

{{/* What selects the Pods of clustertrigger-api; not what the operator's are selected by. */}}
{{- define "clustertrigger.apiSelectorLabels" -}}
app.kubernetes.io/name: {{ printf "%s-api" (include "clustertrigger.name" . | trunc 59 | trimSuffix "-") }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "clustertrigger.apiLabels" -}}
{{ merge (include "clustertrigger.apiSelectorLabels" . | fromYaml) (dict "app.kubernetes.io/component" "api") (include "clustertrigger.labels" . | fromYaml) | toYaml }}
{{- end -}}

{{/* An image's reference. Takes {image: one of .Values.image, version: the default tag}. */}}
{{- define "clustertrigger.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .version }}
{{- end -}}
{{- end -}}
