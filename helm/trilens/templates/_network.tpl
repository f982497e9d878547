{{/* Rules that several network policies share. */}}

{{- define "trilens.metricsIngress" -}}
{{- with .Values.networkPolicy.metrics -}}
- ports: [{port: 9090}]
  from:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}

{{/* By port alone unless told otherwise: names are served from pods or, with a cache on each node, from nodes. */}}
{{- define "trilens.dnsEgress" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53}, {port: 5353, protocol: UDP}, {port: 5353}]
  {{- with .Values.networkPolicy.dns }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* To the endpoint's port; without one gRPC takes 443. */}}
{{- define "trilens.tracingEgress" -}}
{{- with .Values.telemetry.otlpEndpoint -}}
- ports: [{port: {{ regexFind ":[0-9]+(/|$)" . | trimPrefix ":" | trimSuffix "/" | default "443" }}}]
{{- end }}
{{- end }}
