{{/* Fails with a remedy where values contradict each other. The schema checks each value alone. */}}
{{- define "barrage.guards" -}}
{{- $values := .Values -}}
{{- $needed := add (include "barrage.drainSecsMax" . | int) 30 | int -}}
{{- $holder := ternary "single" "gateway" (eq $values.mode "single") -}}
{{- $grace := (index $values $holder).terminationGracePeriodSeconds | int -}}
{{- if lt $grace $needed -}}
{{- fail (printf "%s.terminationGracePeriodSeconds is %d, and a drain takes up to %d s and 30 s more: set it to %d or more, or lower config.gateway.drain_secs_max" $holder $grace (sub $needed 30) $needed) -}}
{{- end -}}
{{- range $key := list "listen" "admin_listen" "data_dir" -}}
{{- if hasKey $values.config $key -}}
{{- fail (printf "config.%s is the chart's own: remove it, and use the `ports` of each role and bindAddress" $key) -}}
{{- end -}}
{{- end -}}
{{- range $role := list "single" "gateway" "uplink" "entry" -}}
{{- $ports := list -}}{{- $names := list -}}
{{- range (index $values $role).ports -}}
{{- $ports = append $ports (int .containerPort) -}}{{- $names = append $names .name -}}
{{- end -}}
{{- if or (ne (len $ports) (len (uniq $ports))) (ne (len $names) (len (uniq $names))) (has 8081 $ports) -}}
{{- fail (printf "%s.ports has a name or containerPort twice, or the admin port 8081: give each port its own" $role) -}}
{{- end -}}
{{- end -}}
{{- if eq $values.mode "single" -}}
{{- include "barrage.guards.single" . -}}
{{- else -}}
{{- include "barrage.guards.servers" . -}}
{{- include "barrage.guards.addresses" . -}}
{{- include "barrage.guards.scaling" . -}}
{{- end -}}
{{- end -}}

{{- define "barrage.guards.single" -}}
{{- if gt (int .Values.single.replicas) 1 -}}
{{- fail "single.replicas is above 1, and the message log is inside the process: set mode to cluster, which needs NATS" -}}
{{- end -}}
{{- if ne .Values.autoscaling.engine "none" -}}
{{- fail "autoscaling.engine needs gateways: set mode to cluster, or engine to none" -}}
{{- end -}}
{{- if .Values.ingress.enabled -}}
{{- fail "ingress is for the mode cluster: set ingress.enabled to false, and single.service.type to LoadBalancer" -}}
{{- end -}}
{{- end -}}

{{- define "barrage.guards.servers" -}}
{{- $values := .Values -}}
{{- if not $values.token.existingSecret -}}
{{- fail "token.existingSecret is empty, and the processes of a cluster share their keys: run `kubectl create secret generic barrage-token --from-literal=token.key=$(openssl rand -base64 32)` and set it to barrage-token" -}}
{{- end -}}
{{- if not (or $values.nats.urls $values.nats.existingSecret $values.nats.trial.enabled) -}}
{{- fail "the mode cluster needs NATS: set nats.urls or nats.existingSecret, or to try it out nats.trial.enabled" -}}
{{- end -}}
{{- if not (or $values.postgresql.url $values.postgresql.existingSecret $values.postgresql.trial.enabled) -}}
{{- fail "the mode cluster needs PostgreSQL: set postgresql.existingSecret or postgresql.url, or to try it out postgresql.trial.enabled" -}}
{{- end -}}
{{- if and $values.postgresql.trial.enabled (not $values.postgresql.trial.existingSecret) -}}
{{- fail "postgresql.trial.existingSecret is empty: run `kubectl create secret generic barrage-postgresql --from-literal=password=$(openssl rand -hex 16)` and set it to barrage-postgresql" -}}
{{- end -}}
{{- if and $values.push.enabled (not $values.push.existingSecret) -}}
{{- fail "push.existingSecret is empty, and each push service needs a key: run `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out vapid.key`, keep the file, run `kubectl create secret generic barrage-push --from-file=vapid.key` and set it to barrage-push" -}}
{{- end -}}
{{- if and $values.irc.enabled $values.irc.tlsPort (not $values.tls.existingSecret) -}}
{{- fail "irc.tlsPort needs a certificate: set tls.existingSecret, or irc.tlsPort to null" -}}
{{- end -}}
{{- if and $values.irc.enabled (not $values.irc.plainPort) (not $values.irc.tlsPort) -}}
{{- fail "the IRC gateway has no port: set irc.plainPort or irc.tlsPort, or irc.enabled to false" -}}
{{- end -}}
{{- if and $values.nats.clientCertificate (not $values.nats.tlsSecret) -}}
{{- fail "nats.clientCertificate needs the Secret that has it: set nats.tlsSecret" -}}
{{- end -}}
{{- end -}}

{{- define "barrage.guards.addresses" -}}
{{- $values := .Values -}}{{- $address := $values.gateway.address -}}
{{- if not $address.mode -}}
{{- fail "gateway.address.mode is empty, and clients reach each gateway by its own address: set it to hostPort, loadBalancer or wildcardDns" -}}
{{- end -}}
{{- if and (ne $address.mode "hostPort") (not $address.host) -}}
{{- fail (printf "gateway.address.mode %s needs a DNS name: set gateway.address.host, such as {pod_name}.gw.live.example" $address.mode) -}}
{{- end -}}
{{- if and (ne $address.mode "hostPort") (not (or (contains "{pod_" $address.host) (contains "{node_" $address.host))) -}}
{{- fail (printf "gateway.address.host %s is the same for all gateways: put {pod_name}, {pod_ip_dashed} or another placeholder into it" $address.host) -}}
{{- end -}}
{{- if not $values.uplink.publicUrls -}}
{{- fail "uplink.publicUrls is empty, and entry names the uplinks to clients: set it to the URL of their load balancer, such as [https://post.live.example]" -}}
{{- end -}}
{{- if and $values.ingress.enabled (not (and $values.ingress.entryHost $values.ingress.uplinkHost)) -}}
{{- fail "the ingress needs two hosts, because entry and uplinks have paths of the same form: set ingress.entryHost and ingress.uplinkHost" -}}
{{- end -}}
{{- end -}}

{{- define "barrage.guards.scaling" -}}
{{- $values := .Values -}}{{- $scaling := $values.autoscaling -}}
{{- if and (ne $scaling.engine "none") (not (kindIs "invalid" $values.gateway.replicas)) -}}
{{- fail (printf "gateway.replicas and autoscaling.engine %s would undo each other: remove gateway.replicas, and use autoscaling.minReplicas" $scaling.engine) -}}
{{- end -}}
{{- range $role := list "uplink" "entry" -}}
{{- $own := index $values $role -}}
{{- if and $own.autoscaling.enabled (not (kindIs "invalid" $own.replicas)) -}}
{{- fail (printf "%s.replicas and %s.autoscaling would undo each other: remove one of them" $role $role) -}}
{{- end -}}
{{- if and $own.autoscaling.enabled (gt (int $own.autoscaling.minReplicas) (int $own.autoscaling.maxReplicas)) -}}
{{- fail (printf "%s.autoscaling.minReplicas is above maxReplicas: lower it" $role) -}}
{{- end -}}
{{- end -}}
{{- if and (ne $scaling.engine "none") (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is above maxReplicas: lower it" -}}
{{- end -}}
{{- if eq $scaling.engine "ours" -}}
{{- if eq $values.gateway.address.mode "loadBalancer" -}}
{{- fail "autoscaling.engine ours chooses which gateway goes, and a StatefulSet always removes the last: set gateway.address.mode to hostPort or wildcardDns, or engine to hpa or keda" -}}
{{- end -}}
{{- if not $scaling.ours.adminTokenSecret -}}
{{- fail "autoscaling.ours.adminTokenSecret is empty: put the output of `barrage token --user autoscaler --room '*' --role admin --ttl-secs 31536000` into a Secret and set its name" -}}
{{- end -}}
{{- end -}}
{{- if and (eq $scaling.engine "keda") (not $scaling.keda.prometheus) -}}
{{- fail "autoscaling.keda.prometheus is empty: set it to the address of Prometheus, such as http://prometheus.monitoring:9090" -}}
{{- end -}}
{{- end -}}
