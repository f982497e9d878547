{{/* A component: KEDA's triggers. */}}
{{- define "trilens.triggers" -}}
{{- $keda := .c.scaling.keda | default dict }}
{{- $trigger := $keda.trigger | default (ternary "queue" "cpu" (hasKey .c "feature")) }}
{{- if eq $trigger "cpu" }}
- type: cpu
  metricType: Utilization
  metadata: {value: {{ $keda.cpu | default 70 | quote }}}
{{- else if eq $trigger "gateway" }}
- type: external
  metricType: AverageValue
  metadata:
    scalerAddress: {{ include "trilens.host" (dict "root" .root "name" (print (include "trilens.fullname" .root) "-gateway-headless")) }}:50052
    feature: {{ .c.feature | quote }}
    track: {{ .track }}
    target: {{ $keda.inFlight | default 4 | quote }}
    {{- with $keda.activeSeconds }}
    activeSeconds: {{ . | quote }}
    {{- end }}
{{- else }}
{{ include "trilens.podsTrigger" (dict "t" . "metric" "trilens_queue_backlog_seconds" "value" ($keda.queueSeconds | default 0.5)) }}
{{- /* The line alone is empty as soon as pods suffice: they would go, and it would fill again. */}}
{{- $most := int (dig "max_batch" 8 .c.settings) }}
{{ include "trilens.podsTrigger" (dict "t" . "metric" "trilens_in_flight" "value" ($keda.inFlight | default (max 1 (div $most 2)))) }}
{{- end }}
{{- end }}

{{/* (t, metric, value): KEDA asks every ready pod behind the Service, and adds up what they say. */}}
{{- define "trilens.podsTrigger" -}}
- type: metrics-api
  metricType: AverageValue
  metadata:
    url: http://{{ .t.name }}.{{ .t.root.Release.Namespace }}.svc.{{ .t.root.Values.clusterDomain }}:9090/metrics
    format: prometheus
    valueLocation: {{ .metric }}
    aggregateFromKubeServiceEndpoints: "true"
    aggregationType: sum
    targetValue: {{ .value | quote }}
{{- end }}

{{/* "yes" if KEDA asks the gateways about a model. */}}
{{- define "trilens.scaler" -}}
{{- $tracks := dict }}
{{- include "trilens.tracks" (dict "root" . "into" $tracks) }}
{{- $asked := false }}
{{- range $tracks }}
{{- $asked = or $asked (and (eq .c.scaling.mode "keda") (eq (dig "keda" "trigger" "" .c.scaling) "gateway")) }}
{{- end }}
{{- ternary "yes" "" $asked }}
{{- end }}
