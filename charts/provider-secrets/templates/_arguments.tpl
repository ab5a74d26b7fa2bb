{{/*
Refuses times of the Lease that do not go together, with which no pod would start, in the operator's own words. Of a value that is null the
operator's default holds, which stands beside its name.
*/}}
{{- define "provider-secrets.checkElection" -}}
{{- $epoch := toDate "2006-01-02" "2006-01-02" -}}
{{- $given := .Values.leaderElection | default dict -}}
{{- $times := dict -}}
{{- range $name, $default := dict "leaseDuration" "15s" "renewDeadline" "10s" "retryPeriod" "2s" -}}
{{- $end := dateModify (get $given $name | default $default) $epoch -}}
{{- $times = set $times $name (sub $end.UnixMilli $epoch.UnixMilli) -}}
{{- end -}}
{{- if le $times.leaseDuration $times.renewDeadline -}}
{{- fail "leaderElection.renewDeadline: --leader-election-lease-duration must be longer than --leader-election-renew-deadline" -}}
{{- else if lt $times.renewDeadline (mul 2 $times.retryPeriod) -}}
{{- fail "leaderElection.retryPeriod: --leader-election-renew-deadline must be at least twice --leader-election-retry-period" -}}
{{- end -}}
{{- end -}}

{{/* The container's arguments. Of a value that is null there is none, so the operator's default holds. */}}
{{- define "provider-secrets.arguments" -}}
{{- $metrics := include "provider-secrets.metricsPort" . -}}
{{- if eq $metrics (include "provider-secrets.probesPort" .) -}}
{{- fail (printf "probes.port and metrics.port are both %s, but the operator cannot listen on one port twice, and it serves metrics inside the pod also without metrics.enabled. Null is 8081 for probes.port and 8080 for metrics.port." $metrics) -}}
{{- end -}}
{{- range .Values.extraArgs -}}
{{- if regexMatch "^--leader-elect(=|$)" . -}}
{{- fail (printf "extraArgs has %s; set leaderElection.enabled instead, by which the chart also chooses replicas and strategy" .) -}}
{{- else if regexMatch "^--watch-namespaces(=|$)" . -}}
{{- fail (printf "extraArgs has %s, which the operator adds to the namespaces of scope; set scope.mode and scope.namespaces instead, by which the chart also makes the Roles" .) -}}
{{- end -}}
{{- end -}}
{{- if not (.Values.metrics).enabled -}}
{{- $metrics = printf "127.0.0.1:%s" $metrics -}}
{{- else -}}
{{- $metrics = printf "%s:%s" ((.Values.metrics).address | default "") $metrics -}}
{{- end -}}
{{- $flags := list
  (list "metrics-bind-address" $metrics)
  (list "metrics-per-resource" (.Values.metrics).perResource)
  (list "health-probe-bind-address" (printf "%s:%s" ((.Values.probes).address | default "") (include "provider-secrets.probesPort" .)))
-}}
{{- $flags = concat $flags (include "provider-secrets.scopeFlags" . | fromYamlArray) -}}
{{- if eq (include "provider-secrets.secretAccess" .) "GetOnly" -}}
{{- $flags = append $flags (list "secret-poll-interval" (.Values.scope).secretPollInterval) -}}
{{- end -}}
{{- $flags = concat $flags (list
  (list "max-concurrent-reconciles" (.Values.concurrency).maxConcurrentReconciles)
  (list "max-calls-per-account" (.Values.concurrency).maxCallsPerAccount)
  (list "verify-interval" .Values.verifyInterval)
  (list "deletion-timeout" .Values.deletionTimeout)
  (list "removal-grace" .Values.removalGrace)
  (list "require-source-opt-in" .Values.requireSourceOptIn)
  (list "require-namespace-opt-in" .Values.requireNamespaceOptIn)
  (list "baseten-authorization" .Values.basetenAuthorization)
) -}}
{{- if include "provider-secrets.elects" . -}}
{{- include "provider-secrets.checkElection" . -}}
{{- $flags = concat $flags (list
  (list "leader-elect" true)
  (list "leader-election-id" (include "provider-secrets.fullname" .))
  (list "leader-election-lease-duration" (.Values.leaderElection).leaseDuration)
  (list "leader-election-renew-deadline" (.Values.leaderElection).renewDeadline)
  (list "leader-election-retry-period" (.Values.leaderElection).retryPeriod)
) -}}
{{- else -}}
{{- $flags = append $flags (list "leader-elect" false) -}}
{{- end -}}
{{- $flags = concat $flags (list
  (list "log-level" (.Values.log).level)
  (list "log-format" (.Values.log).format)
) -}}
{{- $flags = concat $flags (include "provider-secrets.egressFlags" . | fromYamlArray) -}}
{{- $arguments := include "provider-secrets.command" (list "run" $flags) | fromYamlArray -}}
{{- toYaml (concat $arguments (.Values.extraArgs | default list)) -}}
{{- end -}}

{{/* The arguments of the pod of `helm test`: what the operator is told of where it works and how it gets out. */}}
{{- define "provider-secrets.doctorArguments" -}}
{{- $flags := include "provider-secrets.scopeFlags" . | fromYamlArray -}}
{{- $flags = concat $flags (include "provider-secrets.egressFlags" . | fromYamlArray) -}}
{{- $arguments := include "provider-secrets.command" (list "doctor" $flags) | fromYamlArray -}}
{{- toYaml (append $arguments "--endpoints") -}}
{{- end -}}

{{/* A subcommand with its flags, which are pairs; one without a value is left out. Call it with (list "run" $flags). */}}
{{- define "provider-secrets.command" -}}
{{- $arguments := list (first .) -}}
{{- range last . -}}
{{- if ne (last .) nil -}}
{{- $arguments = append $arguments (printf "--%s=%v" (first .) (last .)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $arguments -}}
{{- end -}}

{{/* The flags of where the operator works, as pairs. */}}
{{- define "provider-secrets.scopeFlags" -}}
{{- $flags := list -}}
{{- if eq (include "provider-secrets.mode" .) "Namespaces" -}}
{{- $flags = append $flags (list "watch-namespaces" (join "," .Values.scope.namespaces)) -}}
{{- end -}}
{{- if eq (include "provider-secrets.secretAccess" .) "GetOnly" -}}
{{- $flags = append $flags (list "secret-access" "get-only") -}}
{{- end -}}
{{- toYaml $flags -}}
{{- end -}}

{{/* The flags of the way to the providers, as pairs. */}}
{{- define "provider-secrets.egressFlags" -}}
{{- $flags := list -}}
{{- if (.Values.proxy).https -}}
{{- $flags = concat $flags (list
  (list "https-proxy" .Values.proxy.https)
  (list "no-proxy" (.Values.proxy).noProxy)
) -}}
{{- with ((.Values.proxy).credentials).secretName -}}
{{- $flags = append $flags (list "https-proxy-credentials" (printf "/etc/provider-secrets/proxy/%s" ($.Values.proxy.credentials.key | default "credentials"))) -}}
{{- end -}}
{{- end -}}
{{- if include "provider-secrets.caBundle" . -}}
{{- $flags = append $flags (list "ca-bundle" (printf "/etc/provider-secrets/ca/%s" (.Values.caBundle.key | default "ca.crt"))) -}}
{{- end -}}
{{- range $name, $url := include "provider-secrets.given" .Values.endpoints | fromYaml -}}
{{- $flags = append $flags (list "endpoint" (printf "%s=%s" $name $url)) -}}
{{- end -}}
{{- toYaml $flags -}}
{{- end -}}
