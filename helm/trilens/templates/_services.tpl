{{/* A component: the ports of a headless Service. */}}
{{- define "trilens.ports" -}}
- name: grpc
  port: 50051
  targetPort: grpc
  {{- with .root.Values.gateway.service.appProtocol }}
  appProtocol: {{ . }}
  {{- end }}
- {name: health, port: 50052, targetPort: health}
- {name: metrics, port: 9090, targetPort: metrics}
{{- end }}

{{/* Text between a name and a port that clients may open a channel to. */}}
{{- define "trilens.target" -}}
dns:///{{ . }}:50051
{{- end }}
