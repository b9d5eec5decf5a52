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

{{/* An image's reference. Takes {root: the context, image: one of .Values.image}. */}}
{{- define "clustertrigger.image" -}}
{{- $registry := .root.Values.image.registry -}}
{{- $repository := $registry | empty | ternary .image.repository (printf "%s/%s" $registry .image.repository) -}}
{{- if .image.digest -}}
{{ $repository }}@{{ .image.digest }}
{{- else -}}
{{ $repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* What to do where the values name no image: none is published, so that the defaults name what does not exist. */}}
{{- define "clustertrigger.imageMissing" -}}
{{- $missing := list -}}
{{- range $role := list "operator" "worker" -}}
{{- $image := index $.Values.image $role -}}
{{- if and (empty $.Values.image.registry) (empty $image.tag) (empty $image.digest) (eq $image.repository (printf "clustertrigger/%s" $role)) -}}
{{- $missing = append $missing $role -}}
{{- end -}}
{{- end -}}
{{- with $missing -}}
No Pod is started, because there is no image of the {{ join " and the " . }}: none is published yet. In a checkout, run `make image push REGISTRY=registry.example.com/team`, then upgrade this release with `--set image.registry=registry.example.com/team`.
{{- end -}}
{{- end -}}
