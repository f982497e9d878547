{{/* What the pods of the gateway and of the models have in common. */}}

{{/* A component (see _merged.tpl): everything of a Deployment's spec but its template. */}}
{{- define "trilens.deployment" -}}
{{- if eq .c.scaling.mode "fixed" }}
replicas: {{ .minimum }}
{{- end }}
revisionHistoryLimit: 3
progressDeadlineSeconds: {{ add .c.startupSeconds 600 }}
selector:
  matchLabels:
    {{- include "trilens.selector" . | nindent 4 }}
strategy:
  type: RollingUpdate
  rollingUpdate:
    {{- if eq (include "trilens.update" .) "surge" }}
    maxSurge: 1
    maxUnavailable: 0
    {{- else }}
    maxSurge: 0
    maxUnavailable: 1
    {{- end }}
{{- end }}

{{/* surge, or replace: `auto` surges where a further pod needs no accelerator. */}}
{{- define "trilens.update" -}}
{{- $kind := (.c.accelerator | default (dict "kind" "none")).kind }}
{{- ternary (ternary "surge" "replace" (eq $kind "none")) .c.update (eq .c.update "auto") }}
{{- end }}

{{/* A component: the metadata of its pods. */}}
{{- define "trilens.podMetadata" -}}
labels:
  {{- include "trilens.selector" . | nindent 2 }}
  {{- with merge dict (.podLabels | default dict) .c.podLabels .root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge dict (.podAnnotations | default dict) .c.podAnnotations .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A component: everything of its pods' spec but containers and volumes; `token`: whether they get one. */}}
{{- define "trilens.podSpec" -}}
serviceAccountName: {{ include "trilens.serviceAccountName" . }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ add .c.drain.preStop (ceil .c.drain.grace) 5 }}
securityContext:
  {{- include "trilens.podSecurity" .root | nindent 2 }}
{{- include "trilens.pullSecrets" .root }}
{{- with .c.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .c.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "trilens.spread" . }}
{{- end }}

{{- define "trilens.podSecurity" -}}
runAsNonRoot: true
{{- range $name := list "runAsUser" "runAsGroup" "fsGroup" }}
{{- with get $.Values.security $name }}
{{ $name }}: {{ int64 . }}
{{- end }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "trilens.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "trilens.pullSecrets" -}}
{{- $names := .Values.image.pullSecrets }}
{{- range (.Values.global | default dict).imagePullSecrets }}
{{- if kindIs "map" . }}
{{- $names = append $names .name }}
{{- else }}
{{- $names = append $names . }}
{{- end }}
{{- end }}
{{- with uniq $names }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Only this track's pods count, and of those only the ones of the same rollout of the Deployment. */}}
{{- define "trilens.spread" -}}
{{- $keys := dict "zones" "topology.kubernetes.io/zone" "nodes" "kubernetes.io/hostname" }}
{{- $how := dict "preferred" "ScheduleAnyway" "required" "DoNotSchedule" }}
{{- $asked := omit .c.spread "none" }}
{{- if or (ne $asked.zones "none") (ne $asked.nodes "none") }}
topologySpreadConstraints:
  {{- range $over := list "zones" "nodes" }}
  {{- with get $how (get $asked $over) }}
  - maxSkew: 1
    topologyKey: {{ get $keys $over }}
    whenUnsatisfiable: {{ . }}
    labelSelector:
      matchLabels:
        {{- include "trilens.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A component: its server's container, but for its name, volumes and limits of accelerators. */}}
{{- define "trilens.server" -}}
image: {{ include "trilens.image" (dict "root" .root "image" .c.image "repository" .repository) }}
imagePullPolicy: {{ .c.image.pullPolicy | default .root.Values.image.pullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- include "trilens.containerSecurity" . | nindent 2 }}
ports:
  - {name: grpc, containerPort: 50051}
  - {name: health, containerPort: 50052}
  - {name: metrics, containerPort: 9090}
startupProbe:
  grpc: {port: 50052, service: ready}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: {{ divf .c.startupSeconds 2 | ceil | int }}
readinessProbe:
  grpc: {port: 50052, service: ready}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  grpc: {port: 50052, service: live}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
lifecycle:
  preStop:
    sleep:
      seconds: {{ .c.drain.preStop }}
{{- end }}
