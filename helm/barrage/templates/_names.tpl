{{/* Prefix of the names of all objects. */}}
{{- define "barrage.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the pods of a role: list ROOT ROLE. They never change. */}}
{{- define "barrage.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* All labels of an object: list ROOT ROLE. */}}
{{- define "barrage.labels" -}}
{{- $root := index . 0 -}}
{{ include "barrage.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: barrage
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "barrage.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "barrage.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (printf "%s-autoscaler" (include "barrage.fullname" .)) -}}
{{- end -}}

{{/* API versions, newest first, by what the cluster serves. */}}
{{- define "barrage.api.policy" -}}
{{- if .Capabilities.APIVersions.Has "policy/v1" -}}policy/v1{{- else -}}policy/v1beta1{{- end -}}
{{- end -}}
{{- define "barrage.api.autoscaling" -}}
{{- if .Capabilities.APIVersions.Has "autoscaling/v2" -}}autoscaling/v2{{- else -}}autoscaling/v2beta2{{- end -}}
{{- end -}}

{{/* Roles that run, as a JSON list. */}}
{{- define "barrage.roles" -}}
{{- if eq .Values.mode "single" -}}
["single"]
{{- else -}}
{{- $roles := list "gateway" "uplink" "entry" "archiver" -}}
{{- if .Values.webhooks.enabled -}}{{- $roles = append $roles "webhooks" -}}{{- end -}}
{{- if .Values.courier.enabled -}}{{- $roles = append $roles "courier" -}}{{- end -}}
{{- if .Values.push.enabled -}}{{- $roles = append $roles "push" -}}{{- end -}}
{{- if .Values.probe.enabled -}}{{- $roles = append $roles "probe" -}}{{- end -}}
{{- if .Values.irc.enabled -}}{{- $roles = append $roles "irc" -}}{{- end -}}
{{- $roles | mustToJson }}
{{- end -}}
{{- end -}}

{{/* Smallest number of pods of a role: list ROOT ROLE. */}}
{{- define "barrage.leastReplicas" -}}
{{- $root := index . 0 -}}{{- $role := index . 1 -}}
{{- if eq $role "gateway" -}}
{{- if eq $root.Values.autoscaling.engine "none" -}}
{{- include "barrage.replicas" . -}}
{{- else -}}
{{- $root.Values.autoscaling.minReplicas | int -}}
{{- end -}}
{{- else -}}
{{- $own := index $root.Values $role -}}
{{- if and $own.autoscaling $own.autoscaling.enabled -}}
{{- $own.autoscaling.minReplicas | int -}}
{{- else -}}
{{- include "barrage.replicas" . -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Number of pods in the values of a role, 2 when none is given: list ROOT ROLE. */}}
{{- define "barrage.replicas" -}}
{{- $own := index (index . 0).Values (index . 1) -}}
{{- if kindIs "invalid" $own.replicas -}}2{{- else -}}{{ $own.replicas | int }}{{- end -}}
{{- end -}}
