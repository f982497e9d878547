{{/* A track: how its package comes to the folder that its server reads. */}}

{{/* The init container of a package that is downloaded. The operator's variables and volumes are its own,
     too: a proxy, a certificate. */}}
{{- define "trilens.fetching" -}}
{{- with .c.package }}
{{- if eq .source "download" }}
initContainers:
  - name: fetch
    image: {{ include "trilens.image" (dict "root" $.root "image" $.c.image "repository" $.repository) }}
    imagePullPolicy: {{ $.c.image.pullPolicy | default $.root.Values.image.pullPolicy }}
    command: [python, -m, services.packages, fetch]
    args:
      - {{ .uri | quote }}
      - --sha256
      - {{ .sha256 | quote }}
      - {{ $.package | quote }}
    terminationMessagePolicy: FallbackToLogsOnError
    securityContext:
      {{- include "trilens.containerSecurity" $ | nindent 6 }}
    {{- with $.c.extraEnv }}
    env:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- $sources := $.c.extraEnvFrom }}
    {{- with .credentials }}
    {{- $sources = append $sources (dict "secretRef" (dict "name" .)) }}
    {{- end }}
    {{- with $sources }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    resources:
      {{- toYaml $.c.resources | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      - {name: package, mountPath: /models}
      {{- with $.c.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "trilens.packageMount" -}}
{{- with .c.package }}
{{- if eq .source "download" }}
- {name: package, mountPath: /models, readOnly: true}
{{- else if eq .source "image" }}
- name: package
  mountPath: {{ $.package }}
  readOnly: true
  {{- with .path }}
  subPath: {{ . }}
  {{- end }}
{{- else if eq .source "pvc" }}
- name: package
  mountPath: {{ $.package }}
  subPath: {{ .path | default ($.package | trimPrefix "/models/") }}
  readOnly: true
{{- end }}
{{- end }}
{{- end }}

{{- define "trilens.packageVolume" -}}
{{- with .c.package }}
{{- if eq .source "download" }}
- name: package
  emptyDir:
    sizeLimit: {{ .sizeLimit | default "2Gi" }}
{{- else if eq .source "image" }}
- name: package
  image:
    reference: {{ include "trilens.image" (dict "root" $.root "image" (.image | default dict) "repository" "" "tag" $.c.version) }}
    pullPolicy: {{ dig "image" "pullPolicy" "" . | default $.root.Values.image.pullPolicy }}
{{- else if eq .source "pvc" }}
- name: package
  persistentVolumeClaim:
    claimName: {{ .claim }}
    readOnly: true
{{- end }}
{{- end }}
{{- end }}
