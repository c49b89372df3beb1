{{/* Refuses combinations of values that values.schema.json can't see. Each message names the value. */}}
{{- define "jobrun.validate" -}}
{{- $values := .Values -}}
{{- if and (gt (int $values.replicas) 1) (not $values.leaderElection.enabled) -}}
{{- fail (printf "replicas: expected at most 1 with leaderElection.enabled=false, found %d: all of them would write" (int $values.replicas)) -}}
{{- end -}}
{{- if and $values.image.tag $values.image.digest -}}
{{- fail "image.digest: expected no image.tag beside it: the digest alone says which image runs" -}}
{{- end -}}
{{- if and $values.metrics.certSecret (not $values.metrics.secure) -}}
{{- fail "metrics.certSecret: expected metrics.secure=true: without it metrics are served over plain HTTP" -}}
{{- end -}}
{{- if and (not $values.metrics.enabled) (or $values.metrics.secure $values.metrics.serviceMonitor.enabled $values.metrics.podMonitor.enabled) -}}
{{- fail "metrics.enabled: expected true with metrics.secure, metrics.serviceMonitor.enabled or metrics.podMonitor.enabled" -}}
{{- end -}}
{{- if eq (int $values.metrics.port) (int $values.probes.port) -}}
{{- fail (printf "probes.port: expected another one than metrics.port (%d)" (int $values.metrics.port)) -}}
{{- end -}}
{{- if and $values.metrics.serviceMonitor.enabled $values.metrics.podMonitor.enabled -}}
{{- fail "metrics.podMonitor.enabled: expected false with metrics.serviceMonitor.enabled: every pod would be scraped twice" -}}
{{- end -}}
{{- if and $values.metrics.serviceMonitor.enabled (not $values.metrics.service.enabled) -}}
{{- fail "metrics.service.enabled: expected true with metrics.serviceMonitor.enabled; use metrics.podMonitor without a Service" -}}
{{- end -}}
{{- if and $values.metrics.podMonitor.enabled $values.metrics.secure -}}
{{- fail "metrics.podMonitor.enabled: expected false with metrics.secure: a PodMonitor can't send Prometheus' own token; use metrics.serviceMonitor" -}}
{{- end -}}
{{- if and (not $values.serviceAccount.create) (not $values.serviceAccount.name) $values.rbac.create -}}
{{- fail "serviceAccount.name: expected a name with serviceAccount.create=false: rbac.create would give the controller's rights to every pod that runs as `default`" -}}
{{- end -}}
{{- include "jobrun.validateLabels" (list . "commonLabels" $values.commonLabels) -}}
{{- include "jobrun.validateLabels" (list . "podLabels" $values.podLabels) -}}
{{- $config := $values.config | default dict -}}
{{- include "jobrun.validateElection" $config -}}
{{- include "jobrun.validateThresholds" (list "config.defaults" ($config.defaults | default dict)) -}}
{{- range $lane, $thresholds := ($config.lanes | default dict) -}}
{{- include "jobrun.validateThresholds" (list (printf "config.lanes.%s" $lane) ($thresholds | default dict)) -}}
{{- end -}}
{{- end -}}

{{/* Labels that the chart sets itself can't be given: selectors rest on them. */}}
{{- define "jobrun.validateLabels" -}}
{{- $own := include "jobrun.ownLabels" (index . 0) | fromYaml -}}
{{- $where := index . 1 -}}
{{- range $label, $_ := index . 2 -}}
{{- if hasKey $own $label -}}
{{- fail (printf "%s: expected no label %s: the chart sets it" $where $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The order that the controller demands; what is left out has its default. */}}
{{- define "jobrun.validateElection" -}}
{{- $election := .leaderElection | default dict -}}
{{- $lease := int (default 15 $election.leaseSeconds) -}}
{{- $renew := int (default 10 $election.renewDeadlineSeconds) -}}
{{- $retry := int (default 2 $election.retrySeconds) -}}
{{- if le $lease $renew -}}
{{- fail (printf "config.leaderElection.leaseSeconds: expected more than renewDeadlineSeconds (%d), found %d" $renew $lease) -}}
{{- end -}}
{{- if le $renew $retry -}}
{{- fail (printf "config.leaderElection.renewDeadlineSeconds: expected more than retrySeconds (%d), found %d" $retry $renew) -}}
{{- end -}}
{{- end -}}

{{/* Thresholds that don't go together: (list PATH THRESHOLDS). */}}
{{- define "jobrun.validateThresholds" -}}
{{- $path := index . 0 -}}
{{- with (index . 1).heartbeat -}}
{{- if and .timeoutSeconds .intervalSeconds (lt (int64 .timeoutSeconds) (mul 2 (int64 .intervalSeconds))) -}}
{{- fail (printf "%s.heartbeat.timeoutSeconds: expected at least 2 times intervalSeconds (%d), found %d" $path (int64 .intervalSeconds) (int64 .timeoutSeconds)) -}}
{{- end -}}
{{- end -}}
{{- with (index . 1).retry -}}
{{- if and .maxBackoffSeconds .backoffSeconds (lt (int64 .maxBackoffSeconds) (int64 .backoffSeconds)) -}}
{{- fail (printf "%s.retry.maxBackoffSeconds: expected at least backoffSeconds (%d), found %d" $path (int64 .backoffSeconds) (int64 .maxBackoffSeconds)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Names under prometheusRule.alerts must be alerts of the rules: (list $ RULES). */}}
{{- define "jobrun.validateAlerts" -}}
{{- $known := list -}}
{{- range (index . 1).groups -}}
{{- range .rules -}}
{{- if .alert }}{{ $known = append $known .alert }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := (index . 0).Values.prometheusRule.alerts -}}
{{- if not (has $name $known) -}}
{{- fail (printf "prometheusRule.alerts.%s: expected one of %s" $name (join ", " (sortAlpha $known))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
