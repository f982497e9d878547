{{/* What the gateway is told: its features, and which versions stand behind them. */}}

{{/* The features by name, as JSON: settings of the gateway that only a restart changes. */}}
{{- define "trilens.features" -}}
{{- $features := dict }}
{{- range $key, $values := .Values.models }}
{{- $model := deepCopy $.Values.modelDefaults }}
{{- include "trilens.overlay" (dict "onto" $model "from" $values) }}
{{- $target := include "trilens.target" (printf "%s-%s" (include "trilens.fullname" $) $key) }}
{{- $feature := dict "task" $model.task "target" $target "on_by_default" (and $model.enabled $model.onByDefault) "enabled" $model.enabled }}
{{- if hasKey $features $model.feature }}
{{- fail (printf "models.%s.feature: %q is the feature of another model, too" $key $model.feature) }}
{{- end }}
{{- $_ := set $features $model.feature $feature }}
{{- end }}
{{- toJson $features }}
{{- end }}

{{/* The release document: what changes without a restart. */}}
{{- define "trilens.release" -}}
{{- $tracks := dict }}
{{- include "trilens.tracks" (dict "root" $ "into" $tracks) }}
{{- $stable := dict }}
{{- $canary := dict }}
{{- range $tracks }}
{{- if eq .track "stable" }}
{{- $_ := set $stable .c.feature (dict "version" .c.version) }}
{{- else }}
{{- $_ := set $canary .c.feature (dict "version" .c.version "target" (include "trilens.target" .name)) }}
{{- end }}
{{- end }}
{{- $weight := ternary .Values.canary.weight 0 (not (empty $canary)) }}
{{- $shadow := ternary .Values.canary.shadow 0 (not (empty $canary)) }}
{{- dict "schema" 1 "revision" .Release.Revision "weight" $weight "shadow" $shadow "stable" $stable "canary" $canary | toJson }}
{{- end }}
