{{/* Merged values. A template can only return text, so these put what they find into a dict of the caller's. */}}

{{/* (onto, from): lays one map over another, level by level; null takes a key away. Blocks whose keys
     depend on each other are replaced as a whole, so that the schema sees what counts. A tag takes the
     place of a digest below it, which would decide. */}}
{{- define "trilens.overlay" -}}
{{- $whole := list "accelerator" "scaling" "disruptionBudget" }}
{{- range $key, $value := .from }}
{{- $old := get $.onto $key }}
{{- if kindIs "invalid" $value }}
{{- $_ := unset $.onto $key }}
{{- else if and (kindIs "map" $value) (kindIs "map" $old) (not (has $key $whole)) }}
{{- if and (eq $key "image") (hasKey $value "tag") (not (hasKey $value "digest")) }}
{{- $_ := unset $old "digest" }}
{{- end }}
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
{{- include "trilens.bounds" $found }}
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
{{- include "trilens.bounds" $t }}
{{- if .of }}
{{- include "trilens.canaryBounds" (dict "onto" $t "of" .of) }}
{{- end }}
{{- $_ := set .into (print .key $suffix) $t }}
{{- end }}

{{/* A component: the fewest and the most of its replicas; `replicas` where nobody scales. */}}
{{- define "trilens.bounds" -}}
{{- $fixed := int .c.replicas }}
{{- $_ := set . "minimum" (int (dig "min" $fixed .c.scaling)) }}
{{- $_ := set . "maximum" (int (dig "max" $fixed .c.scaling)) }}
{{- end }}

{{/* (onto, of): a canary's bounds are the stable track's share by weight, at least one, at most `maxExtra`. */}}
{{- define "trilens.canaryBounds" -}}
{{- $canary := .of.root.Values.canary }}
{{- $_ := set .onto "capped" false }}
{{- range $bound := list "minimum" "maximum" }}
{{- $share := divf (mulf (get $.of $bound) $canary.weight) 100.0 | ceil | int | max 1 }}
{{- if and (not (kindIs "invalid" $canary.maxExtra)) (gt $share (int $canary.maxExtra)) }}
{{- $share = int $canary.maxExtra }}
{{- $_ := set $.onto "capped" true }}
{{- end }}
{{- $_ := set $.onto $bound $share }}
{{- end }}
{{- end }}
