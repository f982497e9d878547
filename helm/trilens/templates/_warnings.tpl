{{/* What is allowed and may still surprise; NOTES.txt ends with it. */}}
{{- define "trilens.warnings" -}}
{{- $components := dict }}
{{- include "trilens.tracks" (dict "root" $ "into" $components) }}
{{- $gateway := dict }}
{{- include "trilens.gateway" (dict "root" $ "into" $gateway) }}
{{- $_ := set $components "gateway" $gateway }}
{{- $alone := list }}
{{- $stuck := list }}
{{- $gap := list }}
{{- $capped := list }}
{{- $handed := list }}
{{- $fetched := list }}
{{- $volumes := false }}
{{- range $components }}
{{- if and (le (int .minimum) 1) (ne .track "canary") }}
{{- $alone = append $alone .name }}
{{- if eq (include "trilens.update" .) "replace" }}
{{- $gap = append $gap .name }}
{{- end }}
{{- end }}
{{- if include "trilens.undrainable" . }}
{{- $stuck = append $stuck .name }}
{{- end }}
{{- if ne .c.scaling.mode "fixed" }}
{{- $handed = append $handed .name }}
{{- end }}
{{- if .capped }}
{{- $capped = append $capped .name }}
{{- end }}
{{- if eq (dig "package" "source" "" .c) "download" }}
{{- $fetched = append $fetched .name }}
{{- end }}
{{- $volumes = or $volumes (eq (dig "package" "source" "" .c) "image") }}
{{- end }}
{{- with $alone }}
- one replica only, so a drain of its node is an outage: {{ join ", " . }}
{{- end }}
{{- with $stuck }}
- their PodDisruptionBudget lets no node with them be drained (none of so few replicas may be away): {{ join ", " . }}
{{- end }}
{{- with $gap }}
- an upgrade replaces their one pod before the next is ready, which is an outage (update: surge, where an accelerator is spare): {{ join ", " . }}
{{- end }}
{{- with $capped }}
- canary.maxExtra keeps fewer replicas than the weight asks for: {{ join ", " . }}
{{- end }}
{{- with $handed }}
- an autoscaler owns their replicas: a rollback to fixed ones needs --force-conflicts, and a change from fixed ones the lines of "Handing replicas to an autoscaler" in docs/chart.md before it: {{ join ", " . }}
{{- end }}
{{- if and $volumes (semverCompare "<1.35.0-0" .Capabilities.KubeVersion.Version) }}
- image volumes need the feature gate ImageVolume before Kubernetes 1.35
{{- end }}
{{- if and $fetched .Values.networkPolicy.enabled (not .Values.networkPolicy.packages) }}
- no network policy here lets packages be downloaded (networkPolicy.packages): {{ join ", " $fetched }}
{{- end }}
{{- if not .Values.networkPolicy.enabled }}
- no network policy guards the models: whoever reaches their pods may call them
{{- end }}
{{- if not (include "trilens.digests" .) }}
- images are named by tags, which can change: gateway.image.digest and models.KEY.image.digest pin them
{{- end }}
{{- end }}

{{/* A component: "yes" if its PodDisruptionBudget lets not one of its fewest replicas go. */}}
{{- define "trilens.undrainable" -}}
{{- $budget := .c.disruptionBudget }}
{{- $fewest := max 1 .minimum }}
{{- $said := toString (dig "minAvailable" (dig "maxUnavailable" 1 $budget) $budget) }}
{{- $number := float64 (trimSuffix "%" $said) }}
{{- if hasSuffix "%" $said }}
{{- $number = divf (mulf $number $fewest) 100 | ceil }}
{{- end }}
{{- $may := ternary (subf $fewest $number) $number (hasKey $budget "minAvailable") }}
{{- ternary "yes" "" (and $budget.enabled (le $may 0.0)) }}
{{- end }}

{{/* "yes" if every image is named by its digest. */}}
{{- define "trilens.digests" -}}
{{- $components := dict }}
{{- include "trilens.tracks" (dict "root" $ "into" $components) }}
{{- $gateway := dict }}
{{- include "trilens.gateway" (dict "root" $ "into" $gateway) }}
{{- $_ := set $components "gateway" $gateway }}
{{- $all := true }}
{{- range $components }}
{{- $all = and $all (hasKey .c.image "digest") }}
{{- end }}
{{- ternary "yes" "" $all }}
{{- end }}
