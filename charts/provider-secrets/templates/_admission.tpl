{{/* The name of an admission policy and of its binding. Call it with (list $ "source-access"). A namespace's name has no dot. */}}
{{- define "provider-secrets.policyName" -}}
{{- $root := first . -}}
{{- printf "%s.%s.%s" (include "provider-secrets.namespace" $root) (include "provider-secrets.fullname" $root) (last .) -}}
{{- end -}}

{{/*
What stands around the rules of a policy. Call it with (list $ "source-access"). A spec that stays as it is passes
unseen: the finalizers of the operator, annotations, a manifest that is applied again; but for a request that confirms
AccountChanged, which has everything written to another account. So do the brakes, to suspend and to
retain, which whoever sees something go wrong must be able to pull. Deletion is never hindered. A field that is stored as
null is one that is absent.
*/}}
{{- define "provider-secrets.policyHead" -}}
{{- $root := first . -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ include "provider-secrets.policyName" . | quote }}
  labels:
    {{- include "provider-secrets.labels" (list $root "admission") | nindent 4 }}
  {{- with include "provider-secrets.annotations" (list $root) }}
  {{- . | nindent 2 }}
  {{- end }}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [providersecrets.dev]
        apiVersions: [v1alpha1]
        operations: [CREATE, UPDATE]
        resources: [providersecrets]
  matchConditions:
    - name: more-than-a-brake-is-new
      expression: >-
        request.operation != 'UPDATE'
        || ['provider', 'data', 'dataFrom', 'conflictPolicy', 'verifyInterval', 'rewriteInterval'].exists(f,
        dyn(object.spec)[?f].orValue(null) != dyn(oldObject.spec)[?f].orValue(null))
        || (dyn(object.spec).?approval.orValue(null) != dyn(oldObject.spec).?approval.orValue(null)
        && (!(dyn(object.spec).?approval.orValue(null) in ['Manual', 'ManualEveryChange'])
        || dyn(oldObject.spec).?approval.orValue(null) == 'ManualEveryChange'))
        || (dyn(oldObject.spec).?suspend.orValue(false) == true && dyn(object.spec).?suspend.orValue(false) != true)
        || (dyn(object.spec).?deletionPolicy.orValue(null) == 'Delete'
        && dyn(oldObject.spec).?deletionPolicy.orValue(null) != 'Delete')
        || (['providersecrets.dev/sync-requested-at', 'reconcile.fluxcd.io/requestedAt'].exists(a,
        object.metadata.?annotations[?a] != oldObject.metadata.?annotations[?a])
        && optional.ofNonZeroValue(dyn(oldObject).?status.orValue(null)).?conditions.orValue([])
        .exists(c, c.type == 'Ready' && c.reason == 'AccountChanged'))
{{- end -}}

{{/* The binding of a policy, for the namespaces in which the operator of this release works. */}}
{{- define "provider-secrets.policyBinding" -}}
{{- $root := first . -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ include "provider-secrets.policyName" . | quote }}
  labels:
    {{- include "provider-secrets.labels" (list $root "admission") | nindent 4 }}
  {{- with include "provider-secrets.annotations" (list $root) }}
  {{- . | nindent 2 }}
  {{- end }}
spec:
  policyName: {{ include "provider-secrets.policyName" . | quote }}
  validationActions:
    {{- toYaml ($root.Values.admissionPolicies.validationActions | default (list "Deny")) | nindent 4 }}
  {{- if eq (include "provider-secrets.mode" $root) "Namespaces" }}
  matchResources:
    namespaceSelector:
      matchExpressions:
        - key: kubernetes.io/metadata.name
          operator: In
          values:
            {{- toYaml $root.Values.scope.namespaces | nindent 12 }}
  {{- end }}
{{- end -}}

{{/* The members of spec.provider, as a list of CEL. */}}
{{- define "provider-secrets.members" -}}
['baseten', 'primeIntellect', 'pipecat', 'braintrust']
{{- end -}}

{{/*
Variables of a policy: every Secret that a ProviderSecret names. A field that is null is one that is absent. What is
read through dyn() has no type that the API server could find wanting.
*/}}
{{- define "provider-secrets.policyNames" -}}
# The one account under spec.provider.
- name: accounts
  expression: >-
    {{ include "provider-secrets.members" . }}
    .filter(m, dyn(object.spec.provider)[?m].orValue(null) != null).map(m, dyn(object.spec.provider)[m])
# Everything that has a secretKeyRef or a secretRef.
- name: sources
  expression: >-
    optional.ofNonZeroValue(dyn(object.spec).?data.orValue(null)).orValue([])
    + optional.ofNonZeroValue(dyn(object.spec).?dataFrom.orValue(null)).orValue([])
    + variables.accounts.filter(a, a.?imagePullSecret.orValue(null) != null).map(a, a.imagePullSecret)
- name: names
  expression: >-
    variables.accounts.map(a, a.apiKeySecretRef.name)
    + variables.sources.filter(s, s.?secretKeyRef.orValue(null) != null).map(s, s.secretKeyRef.name)
    + variables.sources.filter(s, s.?secretRef.orValue(null) != null).map(s, s.secretRef.name)
{{- end -}}
