{{- define "fairlead.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "fairlead.fullname" -}}
{{- $name := include "fairlead.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* What selects pods: never changes. Takes (list . "snat"). */}}
{{- define "fairlead.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "fairlead.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "fairlead.labels" -}}
{{- $root := index . 0 -}}
{{ include "fairlead.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: fairlead
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "fairlead.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "fairlead.seccomp" -}}
{{- with .Values.seccomp.localhostProfile -}}
seccompProfile: {type: Localhost, localhostProfile: {{ . | quote }}}
{{- else -}}
seccompProfile: {type: RuntimeDefault}
{{- end }}
{{- end }}

{{- /* Where a part listens for kubelet and Prometheus. Takes (list . .Values.snat). */}}
{{- define "fairlead.metricsAddress" -}}
{{ if (index . 1).ipv6 }}[::]{{ else }}0.0.0.0{{ end }}:{{ (index . 0).Values.metrics.port }}
{{- end }}

{{- /* The parts that are switched on, as a comma-separated list. */}}
{{- define "fairlead.parts" -}}
{{- $parts := list }}
{{- range list "snat" "dr" "operator" }}
{{- if (index $.Values .).enabled }}{{ $parts = append $parts . }}{{ end }}
{{- end }}
{{- join "," $parts }}
{{- end }}

{{- /* What all pods have. Takes (list . .Values.snat "snat"). */}}
{{- define "fairlead.podMetadata" -}}
{{- $part := index . 1 -}}
labels:
  {{- include "fairlead.selector" (list (index . 0) (index . 2)) | nindent 2 }}
  {{- with $part.podLabels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- with $part.podAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "fairlead.podPlacement" -}}
{{- $root := index . 0 -}}
{{- $part := index . 1 -}}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "fairlead.probes" -}}
ports:
  - {name: metrics, containerPort: {{ .Values.metrics.port }}, protocol: TCP}
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  initialDelaySeconds: 15
  periodSeconds: 10
  timeoutSeconds: 3
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 2
  timeoutSeconds: 2
{{- end }}
