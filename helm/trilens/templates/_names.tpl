{{/* Names, labels and images: what every object is called and known by. */}}

{{- define "trilens.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 35 characters, since "-", a model's key (20) and "-canary" follow, and 63 is the limit. */}}
{{- define "trilens.fullname" -}}
{{- $name := include "trilens.name" . }}
{{- $full := .Values.fullnameOverride | default (ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name)) }}
{{- if gt (len $full) 35 }}
{{- $full = printf "%s-%s" ($full | trunc 26 | trimSuffix "-") ($full | sha256sum | trunc 8) }}
{{- end }}
{{- $full }}
{{- end }}

{{/* (root, component, track): the labels of a selector; they never change for an installed release. */}}
{{- define "trilens.selector" -}}
app.kubernetes.io/name: {{ include "trilens.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ quote . }}
{{- end }}
{{- with .track }}
trilens.dev/track: {{ . }}
{{- end }}
{{- end }}

{{/* (root, component, track, labels): the labels of an object; `labels` are further ones. */}}
{{- define "trilens.labels" -}}
{{ include "trilens.selector" . }}
{{- $usual := include "trilens.usualLabels" .root | fromYaml }}
{{ merge dict (.labels | default dict) .root.Values.commonLabels $usual | toYaml }}
{{- end }}

{{/* What `commonLabels` may say otherwise. */}}
{{- define "trilens.usualLabels" -}}
app.kubernetes.io/part-of: trilens
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* (root, component, track, name, labels, annotations): an object's metadata. */}}
{{- define "trilens.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "trilens.labels" . | nindent 2 }}
{{- with merge dict (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* (root, image, repository): an image's reference; the digest, where there is one, decides. */}}
{{- define "trilens.image" -}}
{{- $global := .root.Values.global | default dict }}
{{- $registry := coalesce $global.imageRegistry .image.registry .root.Values.image.registry }}
{{- $repository := .image.repository | default .repository }}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end }}{{ $repository }}
{{- if .image.digest }}@{{ .image.digest }}
{{- else }}:{{ coalesce .image.tag .tag .root.Values.image.tag .root.Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "trilens.serviceAccountName" -}}
{{ .c.serviceAccount.name | default (ternary .account "default" .c.serviceAccount.create) }}
{{- end }}

{{- define "trilens.host" -}}
{{ .name }}.{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}
{{- end }}
