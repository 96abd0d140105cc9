{{- define "weir.name" -}}
{{- if contains "weir" .Release.Name }}{{ .Release.Name | trunc 45 | trimSuffix "-" }}{{ else }}{{ printf "%s-weir" (.Release.Name | trunc 40 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- /* Labels that never change: those by which pods are selected. Takes (list root component). */}}
{{- define "weir.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: weir
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "weir.labels" -}}
{{- $root := index . 0 -}}
{{ include "weir.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "weir.group" -}}
{{ .Values.monitoring.group | default (get .Values.settings "WEIR_GROUP") | default "weir" }}
{{- end }}

{{- /* What the schema cannot say, because it is of two values. */}}
{{- define "weir.check" -}}
{{- if eq (empty .Values.policy.text) (empty .Values.policy.configMap) }}
{{- fail "give the policy once: --set-file policy.text=policy.toml, or policy.configMap" }}
{{- end }}
{{- $transactions := .Values.transactions }}
{{- if and $transactions.map.text $transactions.map.configMap }}
{{- fail "give the map once: --set-file transactions.map.text=map.toml, or transactions.map.configMap" }}
{{- end }}
{{- if and $transactions.registry.url (not $transactions.map.text) (not $transactions.map.configMap) }}
{{- fail "transactions.registry.url is of use with a map only: give transactions.map" }}
{{- end }}
{{- if and $transactions.registry.user (not $transactions.registry.password.secret) }}
{{- fail "transactions.registry.user needs transactions.registry.password.secret" }}
{{- end }}
{{- $scaling := .Values.worker.autoscaling }}
{{- $most := ternary (int .Values.worker.replicas) (int $scaling.max) (eq $scaling.kind "none") }}
{{- if gt $most (int .Values.kafka.partitions) }}
{{- fail (printf "%d workers are more than the %d partitions: the others would stand idle" $most (int .Values.kafka.partitions)) }}
{{- end }}
{{- if gt (int $scaling.min) (int $scaling.max) }}
{{- fail "worker.autoscaling.min must be at most worker.autoscaling.max" }}
{{- end }}
{{- if and (or .Values.archive.enabled .Values.console.enabled) (not .Values.store.secret) }}
{{- fail "archive and console need store.secret, or archive.enabled=false" }}
{{- end }}
{{- if .Values.console.enabled }}
{{- if not .Values.console.names }}
{{- fail "the console needs console.names: it answers by no other name" }}
{{- end }}
{{- if not .Values.console.certificate.secret }}
{{- fail "the console needs console.certificate.secret: it does not listen without TLS" }}
{{- end }}
{{- end }}
{{- $running := dict "worker" true "archive" .Values.archive.enabled "console" .Values.console.enabled "topics" .Values.topics.create }}
{{- range $name, $runs := $running }}
{{- if $runs }}
{{- $kafka := (get $.Values $name).kafka }}
{{- $mechanism := $.Values.kafka.saslMechanism }}
{{- if and (eq $mechanism "OAUTHBEARER") (not $kafka.tokenAudience) }}
{{- fail (printf "%s.kafka.tokenAudience is missing: OAUTHBEARER needs a token" $name) }}
{{- end }}
{{- if and $mechanism (ne $mechanism "OAUTHBEARER") (not (and $kafka.username $kafka.password.secret)) }}
{{- fail (printf "%s.kafka must have a username and a password.secret: %s needs both" $name $mechanism) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
