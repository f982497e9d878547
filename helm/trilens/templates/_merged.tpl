{{/* Merged values. A template can only return text, so these put what they find into a dict of the caller's. */}}

{{/* (onto, from): lays one map over another, level by level; null takes a key away. Blocks whose keys
     depend on each other are replaced as a whole, so that the schema sees what counts. */}}
{{- define "trilens.overlay" -}}
{{- $whole := list "accelerator" "scaling" "disruptionBudget" }}
{{- range $key, $value := .from }}
{{- $old := get $.onto $key }}
{{- if kindIs "invalid" $value }}
{{- $_ := unset $.onto $key }}
{{- else if and (kindIs "map" $value) (kindIs "map" $old) (not (has $key $whole)) }}
{{- include "trilens.overlay" (dict "onto" $old "from" $value) }}
{{- else }}
{{- $_ := set $.onto $key (deepCopy $value) }}
{{- end }}
{{- end }}
{{- end }}

{{/* (root, into): fills `into` with what the gateway's templates need. */}}
{{- define "trilens.gateway" -}}
{{- $c := deepCopy .root.Values.podDefaults }}
{{- include "trilens.overlay" (dict "onto" $c "from" .root.Values.gateway) }}
{{- $name := printf "%s-gateway" (include "trilens.fullname" .root) }}
{{- $found := dict "root" .root "c" $c "name" $name "account" $name "component" "gateway" "track" "" "repository" "trilens/gateway" }}
{{- $_ := set $found "minimum" (int $c.replicas) }}
{{- if ne $c.scaling.mode "fixed" }}
{{- $_ := set $found "minimum" (int ($c.scaling.min | default $c.replicas)) }}
{{- end }}
{{- $_ := set $found "replicas" $found.minimum }}
{{- range $key, $value := $found }}
{{- $_ := set $.into $key $value }}
{{- end }}
{{- end }}

{{/* (root, into): fills `into` with the tracks of the models that are on: detector, detector-canary ... */}}
{{- define "trilens.tracks" -}}
{{- range $key, $values := .root.Values.models }}
{{- $model := deepCopy $.root.Values.podDefaults }}
{{- include "trilens.overlay" (dict "onto" $model "from" $.root.Values.modelDefaults) }}
{{- include "trilens.overlay" (dict "onto" $model "from" $values) }}
{{- if $model.enabled }}
{{- $canary := $model.canary }}
{{- $_ := unset $model "canary" }}
{{- $stable := dict "root" $.root "into" $.into "key" $key "track" "stable" "c" $model }}
{{- include "trilens.track" $stable }}
{{- if $canary.version }}
{{- $c := deepCopy $model }}
{{- include "trilens.overlay" (dict "onto" $c "from" $canary) }}
{{- include "trilens.track" (dict "root" $.root "into" $.into "key" $key "track" "canary" "c" $c "of" (get $.into $key)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* (root, into, key, track, c, of): adds a track; a canary's replicas follow those of the stable one, `of`. */}}
{{- define "trilens.track" -}}
{{- $suffix := ternary "-canary" "" (eq .track "canary") }}
{{- $account := printf "%s-%s" (include "trilens.fullname" .root) .key }}
{{- $server := get (dict "classification" "classifier" "caption" "captioner" "detection" "detector") .c.task }}
{{- $t := dict "root" .root "component" .key "track" .track "c" .c "server" $server }}
{{- $_ := set $t "name" (print $account $suffix) }}
{{- $_ := set $t "account" $account }}
{{- $_ := set $t "repository" (print "trilens/" $server) }}
{{- $_ := set $t "package" (print "/models/" (.c.package.name | default .c.feature) "/" .c.version) }}
{{- $minimum := int .c.replicas }}
{{- if ne .c.scaling.mode "fixed" }}
{{- $minimum = int (ternary .c.scaling.min .c.replicas (hasKey .c.scaling "min")) }}
{{- end }}
{{- if .of }}
{{- $minimum = include "trilens.canaryReplicas" (dict "root" .root "stable" .of.minimum) | int }}
{{- end }}
{{- $_ := set $t "minimum" $minimum }}
{{- $_ := set .into (print .key $suffix) $t }}
{{- end }}

{{/* (root, stable): the canary's share of the stable replicas by weight, at least one, at most `maxExtra`. */}}
{{- define "trilens.canaryReplicas" -}}
{{- $share := divf (mulf .stable .root.Values.canary.weight) 100.0 | ceil | int }}
{{- $most := .root.Values.canary.maxExtra }}
{{- if not (kindIs "invalid" $most) }}
{{- $share = min $share (int $most) }}
{{- end }}
{{- max 1 $share }}
{{- end }}
