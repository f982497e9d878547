{{/* The variables of a server, the gateway's or a model's. */}}

{{/* A component, `own`: the environment of its server. A variable of the operator's stands in place of
     the chart's of that name: a second one of it would be refused. */}}
{{- define "trilens.environment" -}}
{{- $theirs := dict }}
{{- range .c.extraEnv }}
{{- $_ := set $theirs .name . }}
{{- end }}
{{- $env := list }}
{{- range include "trilens.variables" . | fromYamlArray }}
{{- $env = append $env (get $theirs .name | default .) }}
{{- $theirs = omit $theirs .name }}
{{- end }}
{{- range .c.extraEnv }}
{{- if hasKey $theirs .name }}
{{- $env = append $env . }}
{{- end }}
{{- end }}
env:
  {{- toYaml $env | nindent 2 }}
{{- with .c.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A component, `own`: the variables that the chart sets. */}}
{{- define "trilens.variables" -}}
{{- $deadlines := .root.Values.deadlines }}
{{- $settings := dict "host" .c.host "port" 50051 "health_port" 50052 "metrics_port" 9090 }}
{{- $_ := set $settings "default_deadline" $deadlines.default }}
{{- $_ := set $settings "max_deadline" $deadlines.max }}
{{- $_ := set $settings "drain_delay" 0 }}
{{- $_ := set $settings "grace" .c.drain.grace }}
{{- $_ := set $settings "max_connection_age" .c.drain.maxConnectionAge }}
{{- $_ := set $settings "log_level" .c.logLevel }}
{{- $_ := set $settings "exit_unstarted" true }}
{{- include "trilens.overlay" (dict "onto" $settings "from" .own) }}
{{- include "trilens.overlay" (dict "onto" $settings "from" .c.settings) }}
{{- range $name, $value := $settings }}
- name: TRILENS_{{ upper $name }}
  value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- if not (hasKey .c.settings "threads") }}
{{- /* As many as cores were asked for, rounded up. */}}
- name: TRILENS_THREADS
  valueFrom:
    resourceFieldRef: {containerName: {{ .container }}, resource: requests.cpu, divisor: "1"}
{{- end }}
{{ include "trilens.tracing" . | trim }}
{{- end }}

{{/* A component: the standard variables of OpenTelemetry; nothing without an endpoint. */}}
{{- define "trilens.tracing" -}}
{{- with .root.Values.telemetry }}
{{- if .otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .otlpEndpoint | quote }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .sampleRatio | quote }}
- name: POD_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: {{ printf "service.namespace=%[1]s,service.instance.id=$(POD_NAME),k8s.namespace.name=%[1]s,k8s.deployment.name=%[2]s,k8s.pod.name=$(POD_NAME)" $.root.Release.Namespace $.name | quote }}
{{- end }}
{{- end }}
{{- end }}
