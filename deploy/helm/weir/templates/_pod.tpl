{{- /* Parts of every pod. Each takes (dict "root" $ "component" NAME "values" VALUES). */}}

{{- define "weir.environment" -}}
{{- $kafka := .root.Values.kafka -}}
{{- $own := .values.kafka -}}
- {name: WEIR_BROKER, value: {{ $kafka.brokers | quote }}}
- {name: WEIR_PARTITIONS, value: {{ $kafka.partitions | quote }}}
- {name: WEIR_REPLICATION, value: {{ $kafka.replication | quote }}}
- {name: WEIR_SECURITY_PROTOCOL, value: {{ $kafka.securityProtocol }}}
{{- if $kafka.saslMechanism }}
- {name: WEIR_SASL_MECHANISM, value: {{ $kafka.saslMechanism }}}
{{- end }}
{{- if $kafka.ca.secret }}
- {name: WEIR_TLS_CA, value: /run/secrets/weir/ca.pem}
{{- end }}
{{- if $own.certificate.secret }}
- {name: WEIR_TLS_CERTIFICATE, value: /run/secrets/weir/client.pem}
- {name: WEIR_TLS_KEY, value: /run/secrets/weir/client-key.pem}
{{- end }}
{{- if $own.username }}
- {name: WEIR_SASL_USERNAME, value: {{ $own.username | quote }}}
{{- end }}
{{- if $own.password.secret }}
- {name: WEIR_SASL_PASSWORD, value: /run/secrets/weir/kafka-password}
{{- end }}
{{- if $own.tokenAudience }}
- {name: WEIR_SASL_TOKEN, value: /run/secrets/weir/kafka-token}
{{- end }}
{{- with .root.Values.transactions.topic }}
- {name: WEIR_TRANSACTIONS_TOPIC, value: {{ . | quote }}}
{{- end }}
{{- if include "weir.map" . }}
- {name: WEIR_TRANSACTIONS_MAP, value: /etc/weir-map/map.toml}
{{- with .root.Values.transactions.registry }}
{{- if .url }}
- {name: WEIR_SCHEMA_REGISTRY, value: {{ .url | quote }}}
{{- end }}
{{- if .user }}
- {name: WEIR_SCHEMA_REGISTRY_USER, value: {{ .user | quote }}}
{{- end }}
{{- if .password.secret }}
- {name: WEIR_SCHEMA_REGISTRY_PASSWORD, value: /run/secrets/weir/registry-password}
{{- end }}
{{- end }}
{{- end }}
- {name: WEIR_DATA_DIR, value: /tmp/weir}
- {name: WEIR_METRICS_HOST, value: 0.0.0.0}
- {name: WEIR_METRICS_PORT, value: "9464"}
{{- if eq .component "worker" }}
- {name: WEIR_POLICY, value: /etc/weir/policy.toml}
{{- if .values.snapshotKey.secret }}
- {name: WEIR_SNAPSHOT_KEY, value: /run/secrets/weir/snapshot-key}
{{- end }}
{{- end }}
{{- if has .component (list "archive" "console") }}
- {name: WEIR_STORE, value: {{ printf "postgresql+psycopg:///?service=%s" .root.Values.store.service | quote }}}
- {name: PGSERVICEFILE, value: /run/secrets/weir/pg_service.conf}
{{- if .root.Values.store.daysClaim }}
- {name: WEIR_STORE_DAYS, value: /var/lib/weir/days}
{{- end }}
{{- end }}
{{- range $name, $value := .root.Values.settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- /* The ConfigMap with the map of a topic of others, for those who read transactions; else nothing. */}}
{{- define "weir.map" -}}
{{- $map := .root.Values.transactions.map -}}
{{- if and (or $map.text $map.configMap) (has .component (list "worker" "console")) -}}
{{- $map.configMap | default (printf "%s-map" (include "weir.name" .root)) -}}
{{- end -}}
{{- end }}

{{- define "weir.secret" -}}
- secret: {name: {{ index . 0 }}, items: [{key: {{ index . 1 | quote }}, path: {{ index . 2 | quote }}}]}
{{- end }}

{{- /* Sources of the volume with all secrets of a process. */}}
{{- define "weir.secrets" -}}
{{- $kafka := .root.Values.kafka }}
{{- $own := .values.kafka }}
{{- with $kafka.ca }}{{ if .secret }}
{{ include "weir.secret" (list .secret .key "ca.pem") }}
{{- end }}{{ end }}
{{- with $own.certificate }}{{ if .secret }}
{{ include "weir.secret" (list .secret .key "client.pem") }}
{{ include "weir.secret" (list .secret .keyKey "client-key.pem") }}
{{- end }}{{ end }}
{{- with $own.password }}{{ if .secret }}
{{ include "weir.secret" (list .secret .key "kafka-password") }}
{{- end }}{{ end }}
{{- with $own.tokenAudience }}
- serviceAccountToken: {audience: {{ . | quote }}, expirationSeconds: 3600, path: kafka-token}
{{- end }}
{{- if include "weir.map" . }}{{ with .root.Values.transactions.registry.password }}{{ if .secret }}
{{ include "weir.secret" (list .secret .key "registry-password") }}
{{- end }}{{ end }}{{ end }}
{{- if eq .component "worker" }}{{ with .values.snapshotKey }}{{ if .secret }}
{{ include "weir.secret" (list .secret .key "snapshot-key") }}
{{- end }}{{ end }}{{ end }}
{{- if has .component (list "archive" "console") }}
{{ include "weir.secret" (list .root.Values.store.secret .root.Values.store.key "pg_service.conf") }}
{{- end }}
{{- if eq .component "console" }}
{{- with .values.certificate }}
{{ include "weir.secret" (list .secret .key "console.pem") }}
{{ include "weir.secret" (list .secret .keyKey "console-key.pem") }}
{{- end }}
{{- with .values.oidc }}{{ if .secret }}
{{ include "weir.secret" (list .secret .key "oidc-secret") }}
{{- end }}{{ end }}
{{- end }}
{{- range .values.secretFiles }}
{{ include "weir.secret" (list .secret .key .path) }}
{{- end }}
{{- end }}

{{- define "weir.container" -}}
image: {{ printf "%s:%s" .root.Values.image.repository (.root.Values.image.tag | default .root.Chart.AppVersion) | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources: {{- toYaml .values.resources | nindent 2 }}
{{- end }}

{{- /* Alive, for the kubelet to restart it; ready, for rollouts and the Service to wait for. */}}
{{- define "weir.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 2
  timeoutSeconds: 4
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 4
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 8
  failureThreshold: 3
{{- end }}

{{- define "weir.pod" -}}
{{- /* A Service named weir would put WEIR_... into the environment, which is refused as no setting. */ -}}
enableServiceLinks: false
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - {name: {{ . }}}
{{- end }}
{{- end }}
{{- with .values.placement }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "weir.mounts" -}}
- {name: scratch, mountPath: /tmp}
{{- if include "weir.secrets" . | trim }}
- {name: secrets, mountPath: /run/secrets/weir, readOnly: true}
{{- end }}
{{- if include "weir.map" . }}
- {name: map, mountPath: /etc/weir-map, readOnly: true}
{{- end }}
{{- if and (has .component (list "archive" "console")) .root.Values.store.daysClaim }}
- {name: days, mountPath: /var/lib/weir/days}
{{- end }}
{{- end }}

{{- define "weir.volumes" -}}
- name: scratch
  emptyDir: {sizeLimit: 64Mi}
{{- with include "weir.secrets" . | trim }}
- name: secrets
  projected:
    defaultMode: 0440
    sources: {{- . | nindent 6 }}
{{- end }}
{{- with include "weir.map" . }}
- name: map
  configMap: {name: {{ . }}, items: [{key: map.toml, path: map.toml}]}
{{- end }}
{{- if and (has .component (list "archive" "console")) .root.Values.store.daysClaim }}
- name: days
  persistentVolumeClaim: {claimName: {{ .root.Values.store.daysClaim }}}
{{- end }}
{{- end }}
