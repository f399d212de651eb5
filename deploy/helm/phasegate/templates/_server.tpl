{{/* Pods of `migrate serve`: those that answer, or the one that tells what [notify] names where the others do not. */}}
{{- define "phasegate.server" -}}
{{- $root := .root }}
{{- $name := include "phasegate.name" $root }}
{{- $notices := "" }}
{{- if eq $root.Values.serve.notify "none" }}{{ $notices = "--no-notify" }}{{ end }}
{{- /* What a replica refuses it alone knows. */}}
{{- if and (eq $root.Values.serve.notify "one") (ne .component "notify") }}{{ $notices = "--notify-refusals" }}{{ end }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}{{ if eq .component "notify" }}-notify{{ end }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "phasegate.labels" $root | nindent 4 }}
spec:
  {{- if eq .component "notify" }}
  # It tells what nobody else tells, once: never two at a time.
  replicas: {{ .replicas }}
  strategy:
    type: Recreate
  {{- else }}
  # What the webhook refuses while nobody answers, nobody starts: two, on two nodes.
  replicas: {{ .replicas }}
  strategy:
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  {{- end }}
  selector:
    matchLabels:
      {{- include "phasegate.serverPods" . | nindent 6 }}
  template:
    metadata:
      {{- include "phasegate.podMetadata" (dict "root" $root "component" .component) | nindent 6 }}
    spec:
      serviceAccountName: {{ include "phasegate.account" $root }}
      {{- if ne .component "notify" }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "phasegate.serverPods" . | nindent 14 }}
      {{- end }}
      {{- include "phasegate.podSecurity" $root | nindent 6 }}
        fsGroup: 65532
      {{- include "phasegate.placement" $root | nindent 6 }}
      containers:
        - name: serve
          image: {{ include "phasegate.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          command: [migrate, serve, --listen, "0.0.0.0:8443"{{ if and $root.Values.webhook.enabled (ne .component "notify") }}, --admission{{ end }}{{ with $notices }}, {{ . }}{{ end }}, --timeout, 8s, --token-file, /run/phasegate/token, --tls-cert, /run/tls/tls.crt, --tls-key, /run/tls/tls.key]
          envFrom:
            - secretRef:
                name: {{ required "serve.databaseSecret: the Secret with DATABASE_URL of a role with the rights of an instance and of a reader" $root.Values.serve.databaseSecret }}
          ports:
            - name: https
              containerPort: 8443
          readinessProbe:
            httpGet:
              scheme: HTTPS
              path: /readyz
              port: https
          livenessProbe:
            httpGet:
              scheme: HTTPS
              path: /healthz
              port: https
            initialDelaySeconds: 10
          {{- include "phasegate.containerSecurity" $root | nindent 10 }}
          resources:
            {{- toYaml $root.Values.serve.resources | nindent 12 }}
          volumeMounts:
            - name: token
              mountPath: /run/phasegate
              readOnly: true
            - name: tls
              mountPath: /run/tls
              readOnly: true
      volumes:
        - name: token
          secret:
            secretName: {{ required "serve.tokenSecret: the Secret with `token`, which callers of the server have to show" $root.Values.serve.tokenSecret }}
        - name: tls
          secret:
            secretName: {{ .tls }}
{{- end }}
