{{/* Base URLs of a gateway, as a JSON list with placeholders that the process replaces. */}}
{{- define "barrage.gateway.urls" -}}
{{- $address := .Values.gateway.address -}}
{{- $scheme := $address.scheme -}}
{{- if eq $scheme "auto" -}}{{- $scheme = ternary "https" "http" (not (empty .Values.tls.existingSecret)) -}}{{- end -}}
{{- $host := $address.host | default "{node_ip}" -}}
{{- $urls := list -}}
{{- range .Values.gateway.ports -}}
{{- $port := int .port -}}
{{- $usual := or (and (eq $scheme "https") (eq $port 443)) (and (eq $scheme "http") (eq $port 80)) -}}
{{- $urls = append $urls (ternary (printf "%s://%s" $scheme $host) (printf "%s://%s:%d" $scheme $host $port) $usual) -}}
{{- end -}}
{{- $urls | mustToJson -}}
{{- end -}}

{{/* URL of the NATS servers that this chart starts, as a JSON list. */}}
{{- define "barrage.nats.urls" -}}
{{- if .Values.nats.trial.enabled -}}
{{- list (printf "nats://%s-nats:4222" (include "barrage.fullname" .)) | mustToJson -}}
{{- else -}}
{{- .Values.nats.urls | mustToJson -}}
{{- end -}}
{{- end -}}

{{/* Region, carriers and addresses of gateways or uplinks, as a JSON object of those that are given. */}}
{{- define "barrage.place" -}}
{{- $place := dict -}}
{{- with .region }}{{- $_ := set $place "region" . -}}{{- end -}}
{{- with .carriers }}{{- $_ := set $place "carriers" . -}}{{- end -}}
{{- with .addresses }}{{- $_ := set $place "addresses" . -}}{{- end -}}
{{- $place | mustToJson -}}
{{- end -}}

{{/* Keys of tokens as they stand in the file. */}}
{{- define "barrage.token.keys" -}}
{{- $keys := list -}}
{{- range .Values.token.keys -}}
{{- $key := dict "id" .id "algorithm" .algorithm -}}
{{- $folder := "/run/secrets/barrage/token" -}}
{{- with .secretKey }}{{- $_ := set $key "secret_file" (printf "%s/%s" $folder .) -}}{{- end -}}
{{- with .publicKey }}{{- $_ := set $key "public_key_file" (printf "%s/%s" $folder .) -}}{{- end -}}
{{- with .privateKey }}{{- $_ := set $key "private_key_file" (printf "%s/%s" $folder .) -}}{{- end -}}
{{- $keys = append $keys $key -}}
{{- end -}}
{{- $keys | mustToJson -}}
{{- end -}}

{{/* The configuration file of all processes. */}}
{{- define "barrage.config" -}}
{{- $values := .Values -}}
{{- $origins := $values.allowedOrigins -}}
{{- with $values.entry.publicUrl -}}
{{- if eq $values.mode "cluster" -}}{{- $origins = append $origins (trimSuffix "/" .) | uniq -}}{{- end -}}
{{- end -}}
{{- $token := dict "anonymous" $values.token.anonymous "guests" $values.token.guests -}}
{{- if $values.token.existingSecret -}}
{{- $_ := set $token "keys" (include "barrage.token.keys" . | fromJsonArray) -}}
{{- end -}}
{{- $http := dict "allowed_origins" $origins -}}
{{- if $values.tls.existingSecret -}}
{{- $_ := set $http "tls_cert_file" "/run/secrets/barrage/tls/tls.crt" -}}
{{- $_ := set $http "tls_key_file" "/run/secrets/barrage/tls/tls.key" -}}
{{- end -}}
{{- $file := dict "data_dir" "/var/lib/barrage/data" "admin_listen" (printf "%s:8081" $values.bindAddress) -}}
{{- $_ := set $file "log" (dict "format" $values.log.format "filter" $values.log.filter) -}}
{{- $_ := set $file "token" $token -}}
{{- $_ := set $file "http" $http -}}
{{- if $values.push.existingSecret -}}
{{- $_ := set $file "push" (dict "vapid_key_file" "/run/secrets/barrage/push/vapid.key") -}}
{{- end -}}
{{- if eq $values.mode "cluster" -}}
{{- $gateway := include "barrage.place" $values.gateway | fromJson -}}
{{- $_ := set $gateway "base_urls" (include "barrage.gateway.urls" . | fromJsonArray) -}}
{{- $_ := set $file "gateway" $gateway -}}
{{- $uplink := include "barrage.place" $values.uplink | fromJson -}}
{{- $_ := set $uplink "base_urls" $values.uplink.publicUrls -}}
{{- $_ := set $file "uplink" $uplink -}}
{{- $entry := dict "uplink_urls" $values.uplink.publicUrls -}}
{{- if $values.entry.regionTable -}}{{- $_ := set $entry "region_file" "/etc/barrage/regions.csv" -}}{{- end -}}
{{- if $values.capacity.knee -}}{{- $_ := set $entry "capacity_file" "/etc/barrage/capacity.json" -}}{{- end -}}
{{- $_ := set $file "entry" $entry -}}
{{- $replicas := ternary $values.nats.trial.servers $values.nats.replicas $values.nats.trial.enabled | int -}}
{{- $nats := dict "replicas" $replicas -}}
{{- if or $values.nats.trial.enabled (not $values.nats.existingSecret) -}}
{{- $_ := set $nats "urls" (include "barrage.nats.urls" . | fromJsonArray) -}}
{{- end -}}
{{- if $values.nats.tlsSecret -}}
{{- $_ := set $nats "tls_ca_file" "/run/secrets/barrage/nats/ca.crt" -}}
{{- if $values.nats.clientCertificate -}}
{{- $_ := set $nats "tls_cert_file" "/run/secrets/barrage/nats/tls.crt" -}}
{{- $_ := set $nats "tls_key_file" "/run/secrets/barrage/nats/tls.key" -}}
{{- end -}}
{{- end -}}
{{- $_ := set $file "nats" $nats -}}
{{- if $values.redis.trial.enabled -}}
{{- $_ := set $file "redis" (dict "url" (printf "redis://%s-redis:6379" (include "barrage.fullname" .))) -}}
{{- else if and $values.redis.url (not $values.redis.existingSecret) -}}
{{- $_ := set $file "redis" (dict "url" $values.redis.url) -}}
{{- end -}}
{{- if and $values.postgresql.url (not $values.postgresql.trial.enabled) (not $values.postgresql.existingSecret) -}}
{{- $_ := set $file "postgres" (dict "url" $values.postgresql.url) -}}
{{- end -}}
{{- if $values.probe.enabled -}}
{{- $_ := set $file "probe" (dict "entry_url" (include "barrage.probe.url" .)) -}}
{{- end -}}
{{- if $values.irc.enabled -}}
{{- $irc := dict "entry_url" (include "barrage.irc.url" .) -}}
{{- if $values.irc.plainPort -}}{{- $_ := set $irc "listen" (list (printf "%s:6667" $values.bindAddress)) -}}{{- end -}}
{{- if $values.irc.tlsPort -}}{{- $_ := set $irc "tls_listen" (list (printf "%s:6697" $values.bindAddress)) -}}{{- end -}}
{{- $_ := set $file "irc" $irc -}}
{{- end -}}
{{- else if $values.capacity.knee -}}
{{- $_ := set $file "entry" (dict "capacity_file" "/etc/barrage/capacity.json") -}}
{{- end -}}
{{- $file = mustMergeOverwrite $file (deepCopy $values.config) -}}
{{- include "barrage.toml" (list $file "") | trim -}}
{{- end -}}

{{/* URL of entry inside the cluster. */}}
{{- define "barrage.entry.inside" -}}
{{- $scheme := ternary "https" "http" (not (empty .Values.tls.existingSecret)) -}}
{{- $port := (first .Values.entry.ports).port | int -}}
{{- printf "%s://%s-entry:%d" $scheme (include "barrage.fullname" .) $port -}}
{{- end -}}

{{/* URL of entry for the IRC gateway. */}}
{{- define "barrage.irc.url" -}}
{{- .Values.irc.entryUrl | default .Values.entry.publicUrl | default (include "barrage.entry.inside" .) | trimSuffix "/" -}}
{{- end -}}

{{/* URL of entry for the probe. */}}
{{- define "barrage.probe.url" -}}
{{- $inside := include "barrage.entry.inside" . -}}
{{- .Values.probe.entryUrl | default .Values.entry.publicUrl | default $inside | trimSuffix "/" -}}
{{- end -}}

{{/* The capacity file. */}}
{{- define "barrage.capacity" -}}
{{- $file := dict "build" .Values.capacity.build "machine" .Values.capacity.machine "knee" .Values.capacity.knee -}}
{{- with .Values.capacity.atLeast -}}{{- $_ := set $file "at_least" . -}}{{- end -}}
{{- $file | mustToJson -}}
{{- end -}}

{{/* Longest drain of a gateway in seconds. */}}
{{- define "barrage.drainSecsMax" -}}
{{- dig "gateway" "drain_secs_max" 120 .Values.config | int -}}
{{- end -}}
