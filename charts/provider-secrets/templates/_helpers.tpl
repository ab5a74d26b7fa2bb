{{/* The chart's name, cut to what a label may hold. An alias in an umbrella chart has upper case and underscores. */}}
{{- define "provider-secrets.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimAll "-_" -}}
{{- end -}}

{{/*
The name of most objects: the release's name, with the chart's unless it is in there already. Pods take it as
their host name, where a dot would begin a domain.
*/}}
{{- define "provider-secrets.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if .Values.fullnameOverride -}}
{{- $full = .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- $full = .Release.Name -}}
{{- end -}}
{{- $full | lower | replace "." "-" | replace "_" "-" | trunc 63 | trimAll "-" -}}
{{- end -}}

{{/*
The name of rights outside of the operator's namespace, so that releases of one name in two namespaces share none.
A colon is in no name of a namespace, so no two pairs give the same.
*/}}
{{- define "provider-secrets.rightsName" -}}
{{- printf "%s:%s" (include "provider-secrets.namespace" .) (include "provider-secrets.fullname" .) -}}
{{- end -}}

{{/* The Service of the metrics. Its name is one of DNS, so it begins with a letter. */}}
{{- define "provider-secrets.metricsName" -}}
{{- $name := include "provider-secrets.fullname" . -}}
{{- if not (regexMatch "^[a-z]" $name) -}}
{{- $name = printf "release-%s" $name -}}
{{- end -}}
{{- printf "%s-metrics" ($name | trunc 55 | trimSuffix "-") -}}
{{- end -}}

{{/* The Role for the Lease; in mode Namespaces another Role may be beside it. */}}
{{- define "provider-secrets.leaseRoleName" -}}
{{- printf "%s-lease" (include "provider-secrets.fullname" . | trunc 57 | trimSuffix "-") -}}
{{- end -}}

{{/* The pod of `helm test`. */}}
{{- define "provider-secrets.doctorName" -}}
{{- printf "%s-doctor" (include "provider-secrets.fullname" . | trunc 56 | trimSuffix "-") -}}
{{- end -}}

{{/* The ConfigMap of the dashboard. */}}
{{- define "provider-secrets.dashboardName" -}}
{{- printf "%s-dashboard" (include "provider-secrets.fullname" . | trunc 53 | trimSuffix "-") -}}
{{- end -}}

{{- define "provider-secrets.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "provider-secrets.serviceAccountName" -}}
{{- if ne (.Values.serviceAccount).create false -}}
{{- default (include "provider-secrets.fullname" .) (.Values.serviceAccount).name -}}
{{- else -}}
{{- default "default" (.Values.serviceAccount).name -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the pod. They can never change: a Deployment's selector is immutable. */}}
{{- define "provider-secrets.selectorLabels" -}}
app.kubernetes.io/name: {{ include "provider-secrets.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: controller
{{- end -}}

{{/*
A map as YAML, without the entries that are null at any depth: so a second file of values takes away what the first one
gave.
*/}}
{{- define "provider-secrets.given" -}}
{{- $given := dict -}}
{{- range $key, $value := . -}}
{{- if kindIs "map" $value -}}
{{- $value = include "provider-secrets.given" $value | fromYaml -}}
{{- end -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $given = set $given $key $value -}}
{{- end -}}
{{- end -}}
{{- /* With the end of its last line, without which a text of several lines loses its own. */ -}}
{{- printf "%s\n" (toYaml $given) -}}
{{- end -}}

{{/*
The labels of an object, as YAML. Call it with (list $ "component" more…).
Neither commonLabels nor more labels replace one of the chart.
*/}}
{{- define "provider-secrets.labels" -}}
{{- $root := index . 0 -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimAll "-_.")
  "app.kubernetes.io/name" (include "provider-secrets.name" $root)
  "app.kubernetes.io/instance" $root.Release.Name
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/component" (index . 1)
  "app.kubernetes.io/part-of" "provider-secrets"
  "app.kubernetes.io/managed-by" $root.Release.Service
-}}
{{- $more := dict -}}
{{- range slice . 2 -}}
{{- $more = merge $more (include "provider-secrets.given" . | fromYaml) -}}
{{- end -}}
{{- toYaml (merge dict $own $more (include "provider-secrets.given" $root.Values.commonLabels | fromYaml)) -}}
{{- end -}}

{{/*
The annotations of an object with their heading, or nothing. Call it with (list $ annotations…);
the first map wins over the following and over commonAnnotations.
*/}}
{{- define "provider-secrets.annotations" -}}
{{- $root := first . -}}
{{- $all := dict -}}
{{- range rest . -}}
{{- $all = merge $all (include "provider-secrets.given" . | fromYaml) -}}
{{- end -}}
{{- with merge $all (include "provider-secrets.given" $root.Values.commonAnnotations | fromYaml) -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "provider-secrets.image" -}}
{{- with (.Values.global).imageRegistry -}}
{{- trimSuffix "/" . }}/
{{- end -}}
{{- (.Values.image).repository | default "provider-secrets/provider-secrets" -}}
{{- if (.Values.image).digest -}}
@{{ .Values.image.digest }}
{{- else -}}
:{{ default .Chart.AppVersion (.Values.image).tag }}
{{- end -}}
{{- end -}}

{{/* The Secrets with registry credentials, with their heading, or nothing. An umbrella chart may give their names alone. */}}
{{- define "provider-secrets.imagePullSecrets" -}}
{{- $secrets := list -}}
{{- range concat ((.Values.global).imagePullSecrets | default list) (.Values.imagePullSecrets | default list) -}}
{{- $secrets = append $secrets (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- with $secrets | uniq -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* Cluster or Namespaces. */}}
{{- define "provider-secrets.mode" -}}
{{- (.Values.scope).mode | default "Cluster" -}}
{{- end -}}

{{/* Watch or GetOnly. */}}
{{- define "provider-secrets.secretAccess" -}}
{{- (.Values.scope).secretAccess | default "Watch" -}}
{{- end -}}

{{/* Not empty unless leaderElection.enabled is false. */}}
{{- define "provider-secrets.elects" -}}
{{- if ne (.Values.leaderElection).enabled false }}true{{ end -}}
{{- end -}}

{{/* The number of pods, or nothing where a user leaves it to others. Without a lease these could ask for two, which both write. */}}
{{- define "provider-secrets.replicas" -}}
{{- if not (kindIs "invalid" .Values.replicaCount) -}}
{{- .Values.replicaCount -}}
{{- else if not (include "provider-secrets.elects" .) -}}
1
{{- end -}}
{{- end -}}

{{/*
The update strategy. Helm writes both bounds of a rolling update: it could not take away one that the API server added, and
Recreate is refused beside it. 25% is what the API server would add.
*/}}
{{- define "provider-secrets.strategy" -}}
{{- $given := include "provider-secrets.given" .Values.strategy | fromYaml -}}
{{- if not (include "provider-secrets.elects" .) -}}
# Without a lease the old pod has to be gone before the new one starts.
type: Recreate
{{- else if ne ($given.type | default "RollingUpdate") "RollingUpdate" -}}
{{- toYaml $given -}}
{{- else if $given.rollingUpdate -}}
type: RollingUpdate
rollingUpdate:
  {{- range $bound := list "maxUnavailable" "maxSurge" }}
  {{ $bound }}: {{ hasKey $given.rollingUpdate $bound | ternary (index $given.rollingUpdate $bound) "25%" }}
  {{- end }}
{{- else -}}
# The new pod stands by before the old one ends, and takes over from it.
type: RollingUpdate
rollingUpdate:
  maxUnavailable: 0
  maxSurge: 1
{{- end -}}
{{- end -}}

{{/* The ports, which the container, its arguments and other objects name. */}}
{{- define "provider-secrets.probesPort" -}}
{{- (.Values.probes).port | default 8081 -}}
{{- end -}}
{{- define "provider-secrets.metricsPort" -}}
{{- (.Values.metrics).port | default 8080 -}}
{{- end -}}

{{/*
A probe, or nothing without a field. What livenessProbe gives wins over probes.liveness; that it is missing says nothing, as
after `helm upgrade --reuse-values`. Call it with (list $ "liveness" "/healthz").
*/}}
{{- define "provider-secrets.probe" -}}
{{- $values := (first .).Values -}}
{{- $fields := index ($values.probes | default dict) (index . 1) | default dict | deepCopy -}}
{{- range $field, $value := index $values (printf "%sProbe" (index . 1)) -}}
{{- $fields = set $fields $field $value -}}
{{- end -}}
{{- with include "provider-secrets.given" $fields | fromYaml -}}
httpGet:
  path: {{ last $ }}
  port: probes
{{ toYaml . }}
{{- end -}}
{{- end -}}

{{/* The volume of more CAs without its name; nothing if there are none. */}}
{{- define "provider-secrets.caBundle" -}}
{{- with (.Values.caBundle).configMapName -}}
configMap:
  name: {{ . | quote }}
{{- else -}}
{{- with (.Values.caBundle).secretName -}}
secret:
  secretName: {{ . | quote }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The volumes of files that the operator reads, as a list. */}}
{{- define "provider-secrets.volumes" -}}
{{- $volumes := list -}}
{{- with include "provider-secrets.caBundle" . -}}
{{- $volumes = append $volumes (merge (dict "name" "provider-secrets-ca") (fromYaml .)) -}}
{{- end -}}
{{- if (.Values.proxy).https -}}
{{- with (.Values.proxy.credentials).secretName -}}
{{- $volumes = append $volumes (dict "name" "provider-secrets-proxy" "secret" (dict "secretName" .)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $volumes -}}
{{- end -}}

{{/* Where the files of the volumes are for the program, as a list. */}}
{{- define "provider-secrets.mounts" -}}
{{- $mounts := list -}}
{{- range include "provider-secrets.volumes" . | fromYamlArray -}}
{{- $path := printf "/etc/provider-secrets/%s" (.name | trimPrefix "provider-secrets-") -}}
{{- $mounts = append $mounts (dict "name" .name "mountPath" $path "readOnly" true) -}}
{{- end -}}
{{- toYaml $mounts -}}
{{- end -}}

{{/* Where a pod runs, and what it finds there. */}}
{{- define "provider-secrets.placement" -}}
{{- $placement := dict -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" "runtimeClassName" "dnsPolicy" "dnsConfig" "hostAliases" -}}
{{- $value := index $.Values $key -}}
{{- if kindIs "map" $value -}}
{{- $value = include "provider-secrets.given" $value | fromYaml -}}
{{- end -}}
{{- with $value -}}
{{- $placement = set $placement $key . -}}
{{- end -}}
{{- end -}}
{{- with $placement -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/*
Not empty where an object of the Prometheus operator is to be rendered. Call it with (list $ "PodMonitor"); its values have
the name of the kind. `helm template` knows no API server, so it needs `--api-versions` or `renderMode`.
*/}}
{{- define "provider-secrets.rendersMonitoring" -}}
{{- $root := first . -}}
{{- $kind := last . -}}
{{- $values := index $root.Values (untitle $kind) | default dict -}}
{{- $mode := $values.renderMode | default "skipIfMissing" -}}
{{- if $values.enabled -}}
{{- if or (eq $mode "alwaysRender") ($root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" $kind)) -}}
true
{{- else if eq $mode "failIfMissing" -}}
{{- fail (printf "%s.enabled needs the API monitoring.coreos.com/v1/%s, which is missing; install the Prometheus operator first, or set renderMode" (untitle $kind) $kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
How Prometheus scrapes, by the values of a monitor. The label `namespace` of a series is the object's, and not that
of the operator's pod.
*/}}
{{- define "provider-secrets.scrape" -}}
path: /metrics
honorLabels: true
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The ports that the operator connects to, with commas: of the API server, of each endpoint and of the proxy. */}}
{{- define "provider-secrets.egressPorts" -}}
{{- $ports := list "443" "6443" -}}
{{- range $name, $url := include "provider-secrets.given" .Values.endpoints | fromYaml -}}
{{- $address := (urlParse $url).host -}}
{{- if and (regexMatch ":[0-9]+$" $address) (hasPrefix "https" (lower $url)) -}}
{{- $ports = append $ports (regexFind "[0-9]+$" $address) -}}
{{- end -}}
{{- end -}}
{{- with (.Values.proxy).https -}}
{{- $address := (urlParse .).host -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" $address | trimPrefix ":" | default (ternary "443" "80" (hasPrefix "https" (lower .)))) -}}
{{- end -}}
{{- join "," ($ports | uniq) -}}
{{- end -}}

{{/* What the operator may do, in the whole cluster or in each of its namespaces. */}}
{{- define "provider-secrets.rules" -}}
- apiGroups: [providersecrets.dev]
  resources: [providersecrets]
  # patch: to add and remove the operator's own finalizer, under deletionPolicy Delete.
  verbs: [get, list, watch, patch]
- apiGroups: [providersecrets.dev]
  resources: [providersecrets/status]
  verbs: [patch]
{{- if eq (include "provider-secrets.secretAccess" .) "GetOnly" }}
# The operator gets the Secrets that ProviderSecrets name. Nothing here allows listing or writing a Secret.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- else }}
# The operator lists and watches the metadata of Secrets only and gets a Secret when it has to send
# a value of it. RBAC cannot tell metadata from data: these verbs allow reading every value.
# Nothing here allows writing a Secret.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
{{- end }}
# Which providers the objects of a namespace may use; whether it is being deleted. In a Role, this is
# the Role's own namespace.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{/* The operator's ServiceAccount as the subject of a binding. */}}
{{- define "provider-secrets.subject" -}}
- kind: ServiceAccount
  name: {{ include "provider-secrets.serviceAccountName" . | quote }}
  namespace: {{ include "provider-secrets.namespace" . | quote }}
{{- end -}}
