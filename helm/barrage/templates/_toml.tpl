{{/* Writes a map as TOML: list MAP PATH. The engine's own toToml writes whole numbers as 1.0. */}}
{{- define "barrage.toml" -}}
{{- $map := index . 0 -}}{{- $path := index . 1 -}}
{{- range $key := keys $map | sortAlpha -}}
{{- $value := index $map $key -}}
{{- if not (or (kindIs "map" $value) (kindIs "invalid" $value) (eq (include "barrage.toml.isTables" $value) "true")) }}
{{ $key }} = {{ mustToJson $value }}
{{- end -}}
{{- end -}}
{{- range $key := keys $map | sortAlpha -}}
{{- $value := index $map $key -}}
{{- $inner := ternary $key (printf "%s.%s" $path $key) (empty $path) -}}
{{- if kindIs "map" $value }}

[{{ $inner }}]
{{- include "barrage.toml" (list $value $inner) -}}
{{- else if eq (include "barrage.toml.isTables" $value) "true" -}}
{{- range $value }}

[[{{ $inner }}]]
{{- include "barrage.toml" (list . $inner) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether a value is a list of maps. */}}
{{- define "barrage.toml.isTables" -}}
{{- if and (kindIs "slice" .) . -}}{{- kindIs "map" (first .) -}}{{- end -}}
{{- end -}}
