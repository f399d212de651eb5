{{/* The name of everything here: once "phasegate", if the release is called so. */}}
{{- define "phasegate.name" -}}
{{- if contains "phasegate" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-phasegate" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* No label by which the project's source `kubernetes` looks for instances of the application. */}}
{{- define "phasegate.labels" -}}
app.kubernetes.io/name: {{ include "phasegate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The pods of the server, or of the one that tells (component: notify). */}}
{{- define "phasegate.serverPods" -}}
app.kubernetes.io/name: {{ include "phasegate.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "phasegate.serve" -}}
{{ include "phasegate.serverPods" (dict "root" . "component" "serve") }}
{{- end }}

{{- define "phasegate.account" -}}
{{ .Values.account.name | default (include "phasegate.name" .) }}
{{- end }}

{{/* The account of the hooks is another one: a hook is taken away and made anew, and with it the tokens of whatever still runs. */}}
{{- define "phasegate.hookAccount" -}}
{{ if .Values.account.create }}{{ include "phasegate.account" . }}-hooks{{ else }}{{ required "account.name: the account to use, because account.create is false" .Values.account.name }}{{ end }}
{{- end }}

{{/* "web=1.2.0", for each service of the release; quoted for a shell. */}}
{{- define "phasegate.releases" -}}
{{- if not .Values.releases }}{{ fail "releases: say which versions this release rolls out, for example --set-string releases.web=1.2.0" }}{{ end -}}
{{- range $service, $version := .Values.releases }} {{ printf "%s=%s" $service $version | squote }}{{ end }}
{{- end }}

{{- define "phasegate.image" -}}
{{- $repository := required "image.repository: an image that has `migrate`, migrate.toml and the migrations" .Values.image.repository -}}
{{- $_ := include "phasegate.releases" . -}}
{{- $versions := values .Values.releases | uniq -}}
{{- $tag := .Values.image.tag -}}
{{- if and (not $tag) (ne (len $versions) 1) }}{{ fail "image.tag: say which, because `releases` names several versions" }}{{ end -}}
{{ $repository }}:{{ $tag | default (first $versions) }}
{{- end }}

{{- define "phasegate.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "phasegate.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
  readOnlyRootFilesystem: true
{{- end }}

{{/* What every pod has: who it runs as, where from, and where it may run. */}}
{{- define "phasegate.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "phasegate.podMetadata" -}}
labels:
  {{- include "phasegate.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The account, and what it may list, in each namespace in which it looks. */}}
{{- define "phasegate.accountResources" -}}
{{- $root := .root }}
{{- $name := .name }}
{{- $hook := .hook }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "phasegate.labels" $root | nindent 4 }}
  {{- with $hook }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- range $namespace := ($root.Values.account.namespaces | default (list $root.Release.Namespace)) }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ $namespace }}
  labels:
    {{- include "phasegate.labels" $root | nindent 4 }}
  {{- with $hook }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
rules:
  - apiGroups: [""]
    resources: [pods]
    verbs: [list]
  - apiGroups: [apps]
    resources: [deployments, replicasets, statefulsets, daemonsets]
    verbs: [list]
  - apiGroups: [batch]
    resources: [jobs, cronjobs]
    verbs: [list]
  - apiGroups: [argoproj.io]
    resources: [rollouts]
    verbs: [list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ $namespace }}
  labels:
    {{- include "phasegate.labels" $root | nindent 4 }}
  {{- with $hook }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $root.Release.Namespace }}
{{- end }}
{{- with $root.Values.account.policies }}
{{- /* Policies are of the whole cluster, and so is the right to change them: to these, by their names. */}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $root.Release.Namespace }}-{{ $name }}-policy
  labels:
    {{- include "phasegate.labels" $root | nindent 4 }}
  {{- with $hook }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
rules:
  - apiGroups: [admissionregistration.k8s.io]
    resources: [validatingadmissionpolicies, validatingadmissionpolicybindings]
    resourceNames: {{ toJson . }}
    verbs: [get, patch]
  - apiGroups: [admissionregistration.k8s.io]
    resources: [validatingadmissionpolicies, validatingadmissionpolicybindings]
    verbs: [create]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $root.Release.Namespace }}-{{ $name }}-policy
  labels:
    {{- include "phasegate.labels" $root | nindent 4 }}
  {{- with $hook }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $root.Release.Namespace }}-{{ $name }}-policy
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $root.Release.Namespace }}
{{- end }}
{{- end }}
