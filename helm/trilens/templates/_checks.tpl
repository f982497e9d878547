{{/* What the schema cannot say: values that contradict each other. All problems are told at once. */}}

{{- define "trilens.problems" -}}
{{- $gateway := dict }}
{{- include "trilens.gateway" (dict "root" . "into" $gateway) }}
{{- $tracks := dict }}
{{- include "trilens.tracks" (dict "root" . "into" $tracks) }}
{{- $canary := false }}
{{- $full := include "trilens.fullname" . }}
{{- if not (regexMatch "^[a-z][-a-z0-9]*$" $full) }}
{{ $full }}: no Service's name can begin so (a letter, then letters, digits and "-"): set fullnameOverride
{{- end }}
{{- with .Values.deadlines }}
{{- if gt (float64 .default) (float64 .max) }}
deadlines: default ({{ .default }}) must not be above max ({{ .max }})
{{- end }}
{{- end }}
{{- include "trilens.componentProblems" (dict "at" "gateway" "t" $gateway) }}
{{- if eq (dig "keda" "trigger" "cpu" $gateway.c.scaling) "queue" "gateway" }}
gateway.scaling.keda.trigger: the gateway has no queue of its own; only cpu, or triggers of your own
{{- end }}
{{- $left := addf $gateway.c.drain.preStop .Values.deadlines.default }}
{{- range $tracks }}
{{- $at := printf "models.%s%s" .component (ternary ".canary" "" (eq .track "canary")) }}
{{- $canary = or $canary (eq .track "canary") }}
{{- include "trilens.componentProblems" (dict "at" $at "t" .) }}
{{- if lt (float64 .c.drain.preStop) $left }}
{{ $at }}.drain.preStop ({{ .c.drain.preStop }}) must be at least gateway.drain.preStop + deadlines.default ({{ $left }}): a gateway that leaves at the same moment still asks the model
{{- end }}
{{- include "trilens.packageProblems" (dict "at" $at "t" .) }}
{{- end }}
{{- include "trilens.imageProblems" (dict "components" (prepend (values $tracks) $gateway)) }}
{{- include "trilens.canaryProblems" (dict "root" . "tracks" $tracks "on" $canary) }}
{{- include "trilens.routeProblems" . }}
{{- end }}

{{/* (at, t): of the gateway or a track. */}}
{{- define "trilens.componentProblems" -}}
{{- $values := .t.root.Values }}
{{- with .t.c }}
{{- if le (float64 .drain.grace) (float64 $values.deadlines.max) }}
{{ $.at }}.drain.grace ({{ .drain.grace }}) must be above deadlines.max ({{ $values.deadlines.max }}): calls in flight could not end
{{- end }}
{{- $least := addf (mulf 1.1 .drain.maxConnectionAge) 2 }}
{{- if lt (float64 .drain.preStop) $least }}
{{ $.at }}.drain.preStop ({{ .drain.preStop }}) must be at least 1.1 x maxConnectionAge + 2 ({{ $least }}): callers could not find another pod in time
{{- end }}
{{- with .scaling }}
{{- if and (ne .mode "fixed") (gt (int $.t.minimum) (int .max)) (ne $.t.track "canary") }}
{{ $.at }}.scaling: min ({{ $.t.minimum }}) must not be above max ({{ .max }})
{{- end }}
{{- if and (ne .mode "fixed") (eq (int $.t.minimum) 0) }}
{{- if eq .mode "hpa" }}
{{ $.at }}.scaling: min is 0, as replicas are unless it is said; Kubernetes' own autoscaler needs 1
{{- else if not (dig "keda" "triggers" list .) }}
{{- if eq $.t.component "gateway" }}
{{ $.at }}.scaling: min is 0, and without a gateway nobody hears of a call; at least 1
{{- else if ne (dig "keda" "trigger" "" .) "gateway" }}
{{ $.at }}.scaling: min is 0, and while there is no pod only the gateways know of work: set keda.trigger to gateway
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* (at, t): of a track's package, its claim of devices and its image volume. */}}
{{- define "trilens.packageProblems" -}}
{{- $package := .t.c.package }}
{{- $needs := get (dict "image" (list "image") "pvc" (list "claim") "download" (list "uri" "sha256")) $package.source | default list }}
{{- range $needs }}
{{- if not (get $package .) }}
{{ $.at }}.package: source {{ $package.source }} needs {{ . }}
{{- end }}
{{- end }}
{{- if and (eq $package.source "image") (not (dig "image" "repository" "" $package)) }}
{{ .at }}.package: source image needs image.repository
{{- end }}
{{- $version := .t.root.Capabilities.KubeVersion.Version }}
{{- if and (eq $package.source "image") (semverCompare "<1.33.0-0" $version) }}
{{ .at }}.package: image volumes need Kubernetes 1.33 or newer; this is {{ $version }}
{{- end }}
{{- if and (eq .t.c.accelerator.kind "dra") (semverCompare "<1.34.0-0" $version) }}
{{ .at }}.accelerator: kind dra needs Kubernetes 1.34 or newer; this is {{ $version }}
{{- end }}
{{- end }}

{{/* (components): a digest is that of one image, and each server has its own. */}}
{{- define "trilens.imageProblems" -}}
{{- $images := dict }}
{{- range .components }}
{{- $digest := .c.image.digest }}
{{- if $digest }}
{{- $names := append (get $images $digest | default list) (.c.image.repository | default .repository) }}
{{- $_ := set $images $digest (uniq $names | sortAlpha) }}
{{- end }}
{{- end }}
{{- range $digest, $names := $images }}
{{- if gt (len $names) 1 }}
image.digest: {{ $digest }} cannot be {{ join " and " $names }}: say the digest of each, in gateway.image and models.KEY.image
{{- end }}
{{- end }}
{{- end }}

{{/* (root, tracks, on): of the release's canary. */}}
{{- define "trilens.canaryProblems" -}}
{{- $canary := .root.Values.canary }}
{{- if not .on }}
{{- range $name := list "weight" "shadow" }}
{{- with get $canary $name }}
canary.{{ $name }} is {{ . }}, but no model that is on names a canary.version
{{- end }}
{{- end }}
{{- end }}
{{- range .tracks }}
{{- if eq .track "canary" }}
{{- $stable := get $.tracks .component }}
{{- $place := include "trilens.packagePlace" . }}
{{- if and $place (ne .c.version $stable.c.version) (eq $place (include "trilens.packagePlace" $stable)) }}
{{- $own := get (dict "download" "uri and a sha256" "image" "tag or digest" "pvc" "path") .c.package.source }}
models.{{ .component }}.canary.package: version {{ .c.version }} needs a {{ $own }} of its own
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A track: what decides on its package, whatever its version; nothing where the version does. */}}
{{- define "trilens.packagePlace" -}}
{{- with .c.package }}
{{- if eq .source "download" }}{{ .sha256 }}
{{- else if and (eq .source "image") (or (dig "image" "digest" "" .) (dig "image" "tag" "" .)) }}{{ toJson (pick . "image" "path") }}
{{- else if and (eq .source "pvc") .path }}{{ .claim }}/{{ .path }}
{{- end }}
{{- end }}
{{- end }}

{{/* Two kinds of route on one host name would take each other's calls; one without a Gateway takes none. */}}
{{- define "trilens.routeProblems" -}}
{{- range $key := list "grpcRoute" "httpRoute" }}
{{- if and (get $.Values $key).enabled (not (get $.Values $key).parentRefs) }}
{{ $key }}: needs parentRefs, the Gateways that it belongs to
{{- end }}
{{- end }}
{{- with .Values.certificate }}
{{- if and .enabled (not (and .dnsNames .issuerRef.name)) }}
certificate: needs dnsNames and issuerRef.name
{{- end }}
{{- end }}
{{- if and .Values.grpcRoute.enabled .Values.httpRoute.enabled }}
{{- range .Values.httpRoute.hostnames }}
{{- if has . $.Values.grpcRoute.hostnames }}
httpRoute.hostnames: {{ . }} is grpcRoute's already
{{- end }}
{{- end }}
{{- if not (and .Values.grpcRoute.hostnames .Values.httpRoute.hostnames) }}
httpRoute: beside grpcRoute both need hostnames
{{- end }}
{{- end }}
{{- end }}

{{/* (root, at, enabled, api): "yes" where an optional object is to be rendered; its kind must be known for `true`. */}}
{{- define "trilens.wanted" -}}
{{- $known := .root.Capabilities.APIVersions.Has .api }}
{{- if and .enabled $known }}yes
{{- else if and .enabled (ne (toString .enabled) "auto") }}
{{- fail (printf "%s: this cluster does not know %s (with helm template, say --api-versions %s)" .at .api .api) }}
{{- end }}
{{- end }}
