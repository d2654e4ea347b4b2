{{- define "barrage.pod.security" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "barrage.container.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Environment of a process: list ROOT ROLE. Names with the prefix BARRAGE_ are configuration keys. */}}
{{- define "barrage.env" -}}
{{- $root := index . 0 -}}{{- $role := index . 1 -}}{{- $values := $root.Values -}}
- name: BARRAGE_CONFIG
  value: /etc/barrage/barrage.toml
{{- range $name, $path := dict "POD_NAME" "metadata.name" "POD_IP" "status.podIP" "NODE_IP" "status.hostIP" "NODE_NAME" "spec.nodeName" }}
- name: {{ $name }}
  valueFrom:
    fieldRef:
      fieldPath: {{ $path }}
{{- end }}
{{- if has $role (list "gateway" "uplink" "entry") }}
- name: BARRAGE_{{ upper $role }}__ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{- if eq $values.mode "cluster" }}
{{- if and $values.nats.existingSecret (not $values.nats.trial.enabled) }}
- name: NATS_URLS
  valueFrom:
    secretKeyRef:
      name: {{ $values.nats.existingSecret }}
      key: {{ $values.nats.key }}
- name: BARRAGE_NATS__URLS
  value: "[$(NATS_URLS)]"
{{- end }}
{{- if and $values.redis.existingSecret (not $values.redis.trial.enabled) }}
- name: BARRAGE_REDIS__URL
  valueFrom:
    secretKeyRef:
      name: {{ $values.redis.existingSecret }}
      key: {{ $values.redis.key }}
{{- end }}
{{- if $values.postgresql.trial.enabled }}
- name: POSTGRES_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $values.postgresql.trial.existingSecret }}
      key: {{ $values.postgresql.trial.key }}
- name: BARRAGE_POSTGRES__URL
  value: postgres://barrage:$(POSTGRES_PASSWORD)@{{ include "barrage.fullname" $root }}-postgresql/barrage
{{- else if $values.postgresql.existingSecret }}
- name: BARRAGE_POSTGRES__URL
  valueFrom:
    secretKeyRef:
      name: {{ $values.postgresql.existingSecret }}
      key: {{ $values.postgresql.key }}
{{- end }}
{{- end }}
{{- if $values.ca.existingSecret }}
- name: BARRAGE_CA_FILE
  value: /run/secrets/barrage/ca/{{ $values.ca.key }}
{{- end }}
{{- with $values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Secrets that a process mounts, by folder, as a JSON map. */}}
{{- define "barrage.secrets" -}}
{{- $secrets := dict -}}
{{- with .Values.token.existingSecret }}{{- $_ := set $secrets "token" . -}}{{- end -}}
{{- with .Values.tls.existingSecret }}{{- $_ := set $secrets "tls" . -}}{{- end -}}
{{- if eq .Values.mode "cluster" -}}
{{- with .Values.nats.tlsSecret }}{{- $_ := set $secrets "nats" . -}}{{- end -}}
{{- end -}}
{{- with .Values.ca.existingSecret }}{{- $_ := set $secrets "ca" . -}}{{- end -}}
{{- $secrets | mustToJson -}}
{{- end -}}

{{- define "barrage.mounts" -}}
- name: config
  mountPath: /etc/barrage
  readOnly: true
- name: data
  mountPath: /var/lib/barrage
{{- range $folder, $_ := include "barrage.secrets" . | fromJson }}
- name: secret-{{ $folder }}
  mountPath: /run/secrets/barrage/{{ $folder }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* Volumes but the data's. */}}
{{- define "barrage.volumes" -}}
- name: config
  configMap:
    name: {{ include "barrage.fullname" . }}-config
{{- range $folder, $secret := include "barrage.secrets" . | fromJson }}
- name: secret-{{ $folder }}
  secret:
    secretName: {{ $secret }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{/* Start: until the process listens. Liveness: tasks with a heartbeat, and never a dependency or the load. Readiness: the process can do its
work. */}}
{{- define "barrage.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 90
livenessProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end -}}

{{/* Ports of a container: list PORTS HOSTPORTS. */}}
{{- define "barrage.ports" -}}
{{- $host := index . 1 -}}
{{- range index . 0 }}
- name: {{ .name }}
  containerPort: {{ .containerPort }}
  protocol: TCP
  {{- if $host }}
  hostPort: {{ .port }}
  {{- end }}
{{- end }}
- name: admin
  containerPort: 8081
  protocol: TCP
{{- end -}}

{{/* Spread over zones and nodes: list ROOT ROLE. */}}
{{- define "barrage.spread" -}}
{{- $root := index . 0 -}}{{- $role := index . 1 -}}{{- $own := index $root.Values $role -}}
{{- if kindIs "slice" $own.topologySpreadConstraints -}}
{{- toYaml $own.topologySpreadConstraints -}}
{{- else -}}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- topologyKey: {{ . }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "barrage.selector" (list $root $role) | nindent 6 }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* Template of the pods of a role: list ROOT ROLE HOSTPORTS PERSISTENT. */}}
{{- define "barrage.podTemplate" -}}
{{- $root := index . 0 -}}{{- $role := index . 1 -}}{{- $own := index $root.Values $role -}}
metadata:
  labels:
    {{- include "barrage.labels" (list $root $role) | nindent 4 }}
  annotations:
    checksum/config: {{ include "barrage.config" $root | sha256sum }}
    {{- with $own.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $own.terminationGracePeriodSeconds | int }}
  securityContext:
    {{- include "barrage.pod.security" $root | nindent 4 }}
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $own.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $own.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "barrage.spread" (list $root $role) }}
  topologySpreadConstraints:
    {{- . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ $role }}
      image: {{ include "barrage.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      command: [/usr/local/bin/barrage]
      args:
        - {{ ternary "up" $role (eq $role "single") }}
        {{- if eq $role "probe" }}
        - --serve
        {{- end }}
        {{- range $own.ports }}
        - --listen={{ $root.Values.bindAddress }}:{{ .containerPort }}
        {{- end }}
      env:
        {{- include "barrage.env" (list $root $role) | nindent 8 }}
      ports:
        {{- include "barrage.ports" (list $own.ports (index . 2)) | nindent 8 }}
        {{- if eq $role "irc" }}
        {{- if $own.plainPort }}
        - { name: irc, containerPort: 6667, protocol: TCP }
        {{- end }}
        {{- if $own.tlsPort }}
        - { name: ircs, containerPort: 6697, protocol: TCP }
        {{- end }}
        {{- end }}
      {{- include "barrage.probes" $root | nindent 6 }}
      {{- if not (has $role (list "archiver" "webhooks" "courier" "push" "probe" "irc")) }}
      lifecycle:
        preStop:
          exec:
            command: [/usr/local/bin/barrage, drain]
      {{- end }}
      {{- with $own.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "barrage.container.security" $root | nindent 8 }}
      volumeMounts:
        {{- include "barrage.mounts" $root | nindent 8 }}
        {{- if and $root.Values.webhooks.existingSecret (has $role (list "webhooks" "single")) }}
        - name: secret-webhooks
          mountPath: /run/secrets/barrage/webhooks
          readOnly: true
        {{- end }}
        {{- if and $root.Values.push.existingSecret (has $role (list "push" "single")) }}
        - name: secret-push
          mountPath: /run/secrets/barrage/push
          readOnly: true
        {{- end }}
  volumes:
    {{- include "barrage.volumes" $root | nindent 4 }}
    {{- if and $root.Values.webhooks.existingSecret (has $role (list "webhooks" "single")) }}
    - name: secret-webhooks
      secret:
        secretName: {{ $root.Values.webhooks.existingSecret }}
        defaultMode: 0440
    {{- end }}
    {{- if and $root.Values.push.existingSecret (has $role (list "push" "single")) }}
    - name: secret-push
      secret:
        secretName: {{ $root.Values.push.existingSecret }}
        defaultMode: 0440
    {{- end }}
    {{- if not (index . 3) }}
    - name: data
      emptyDir: {}
    {{- end }}
{{- end -}}
