{{/* A track: its accelerator, as the scheduler sees it. */}}

{{/* The extended resource that a pod asks for; nothing for none and dra. */}}
{{- define "trilens.acceleratorResource" -}}
{{- with .c.accelerator }}
{{- if eq .kind "whole" }}{{ .resource | default "nvidia.com/gpu" }}
{{- else if eq .kind "mig" }}{{ .resource | default (print "nvidia.com/mig-" .profile) }}
{{- else if eq .kind "shared" }}{{ .resource | default "nvidia.com/gpu.shared" }}
{{- end }}
{{- end }}
{{- end }}

{{/* The server's resources. */}}
{{- define "trilens.resources" -}}
{{- $resources := deepCopy (.c.resources | default dict) }}
{{- with include "trilens.acceleratorResource" . }}
{{- $_ := set $resources "limits" (merge (dict . (int ($.c.accelerator.count | default 1))) ($resources.limits | default dict)) }}
{{- end }}
{{- if eq .c.accelerator.kind "dra" }}
{{- $_ := set $resources "claims" (list (dict "name" "accelerator")) }}
{{- end }}
{{- toYaml $resources }}
{{- end }}

{{/* Nodes, tolerations, the runtime class and the claim of devices. */}}
{{- define "trilens.placement" -}}
{{- $accelerator := .c.accelerator }}
{{- with merge dict ($accelerator.nodeSelector | default dict) .c.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $tolerations := .c.tolerations }}
{{- if ne $accelerator.kind "none" }}
{{- $usual := list (dict "key" "nvidia.com/gpu" "operator" "Exists" "effect" "NoSchedule") }}
{{- $tolerations = concat $tolerations (ternary $accelerator.tolerations $usual (hasKey $accelerator "tolerations")) }}
{{- end }}
{{- with $tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $accelerator.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- if eq $accelerator.kind "dra" }}
resourceClaims:
  - name: accelerator
    resourceClaimTemplateName: {{ $accelerator.claimTemplate | default (print .name "-accelerator") }}
{{- end }}
{{- end }}
