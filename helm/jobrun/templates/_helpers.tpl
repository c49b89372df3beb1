{{/* Names, labels and the parts that several templates share. */}}

{{- define "jobrun.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters, so that every name made from it stays within 63. */}}
{{- define "jobrun.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains (include "jobrun.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "jobrun.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "jobrun.selectorLabels" -}}
app.kubernetes.io/name: {{ include "jobrun.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "jobrun.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "jobrun.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: jobrun
{{- end -}}

{{/* jobrun.metadata (list $ NAME OPTIONS): the insides of metadata. OPTIONS: namespace, labels, annotations. */}}
{{- define "jobrun.metadata" -}}
{{- $ := index . 0 -}}{{- $options := index . 2 -}}
name: {{ index . 1 }}
{{- with $options.namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- $own := include "jobrun.ownLabels" $ | fromYaml }}
  {{- mergeOverwrite (dict) ($.Values.commonLabels | default dict) ($options.labels | default dict) $own | toYaml | nindent 2 }}
{{- with mergeOverwrite (dict) ($.Values.commonAnnotations | default dict) ($options.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "jobrun.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "jobrun.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "jobrun.electionId" -}}
{{- default (include "jobrun.fullname" .) .Values.leaderElection.id -}}
{{- end -}}

{{- define "jobrun.image" -}}
{{- $registry := default (default "" (.Values.global).imageRegistry) .Values.image.registry -}}
{{- $path := .Values.image.repository -}}
{{- if $registry }}{{ $path = printf "%s/%s" $registry $path }}{{ end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $path .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $path (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The controller's service account as the subject of a binding. */}}
{{- define "jobrun.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "jobrun.serviceAccountName" . }}
    namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* Whether pods are judged too; empty means no. */}}
{{- define "jobrun.executors" -}}
{{- if dig "executors" "enabled" false (.Values.config | default dict) }}true{{ end -}}
{{- end -}}

{{/* What the controller needs in each namespace that it watches: docs/configuration.md, Rights. */}}
{{- define "jobrun.watchRules" -}}
- apiGroups: [jobrun.dev]
  resources: [jobruns]
  # No resource has the verb reap: it is how the admission policy knows the controller.
  verbs: [get, list, watch, create, delete, reap]
- apiGroups: [jobrun.dev]
  resources: [jobruns/status]
  verbs: [patch]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if include "jobrun.executors" . }}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
{{- end }}
{{- end -}}

{{/* Selector and endpoint fields that ServiceMonitor and PodMonitor share: (list $ MONITOR). */}}
{{- define "jobrun.scrape" -}}
{{- $monitor := index . 1 -}}
port: metrics
path: /metrics
{{- with $monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with $monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- if $monitor.honorLabels }}
honorLabels: true
{{- end }}
{{- with $monitor.relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
