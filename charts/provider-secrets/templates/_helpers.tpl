{{/* The chart's name, cut to what a label may hold. */}}
{{- define "provider-secrets.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of most objects: the release's name, with the chart's unless it is in there already. */}}
{{- define "provider-secrets.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The Role for the Lease; in mode Namespaces another Role may be beside it. */}}
{{- define "provider-secrets.leaseRoleName" -}}
{{- printf "%s-lease" (include "provider-secrets.fullname" . | trunc 57 | trimSuffix "-") -}}
{{- end -}}

{{- define "provider-secrets.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "provider-secrets.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "provider-secrets.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the pod. They can never change: a Deployment's selector is immutable. */}}
{{- define "provider-secrets.selectorLabels" -}}
app.kubernetes.io/name: {{ include "provider-secrets.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{/*
The labels of an object, as YAML. Call it with (list $ "component").
commonLabels never replace a label of the chart.
*/}}
{{- define "provider-secrets.labels" -}}
{{- $root := index . 0 -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_"))
  "app.kubernetes.io/name" (include "provider-secrets.name" $root)
  "app.kubernetes.io/instance" $root.Release.Name
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/component" (index . 1)
  "app.kubernetes.io/part-of" "provider-secrets"
  "app.kubernetes.io/managed-by" $root.Release.Service
-}}
{{- toYaml (merge dict $own $root.Values.commonLabels) -}}
{{- end -}}

{{/*
The annotations of an object with their heading, or nothing. Call it with (list $ annotations…);
the first map wins over the following and over commonAnnotations.
*/}}
{{- define "provider-secrets.annotations" -}}
{{- $root := first . -}}
{{- $all := dict -}}
{{- range rest . -}}
{{- $all = merge $all . -}}
{{- end -}}
{{- with merge $all $root.Values.commonAnnotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "provider-secrets.image" -}}
{{- with .Values.global.imageRegistry -}}
{{- trimSuffix "/" . }}/
{{- end -}}
{{- .Values.image.repository -}}
{{- if .Values.image.digest -}}
@{{ .Values.image.digest }}
{{- else -}}
:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
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
# The operator lists and watches the metadata of Secrets only and gets a Secret when it has to send
# a value of it. RBAC cannot tell metadata from data: these verbs allow reading every value.
# Nothing here allows writing a Secret.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
# Whether a namespace is being deleted, when a deleted object's API key is gone. In a Role, this is
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
  name: {{ include "provider-secrets.serviceAccountName" . }}
  namespace: {{ include "provider-secrets.namespace" . }}
{{- end -}}
