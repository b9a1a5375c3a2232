{{/* Name of the Deployment and of its selector. */}}
{{- define "flink-operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Stands in where the name of an account or role is empty. */}}
{{- define "flink-operator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := include "flink-operator.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "flink-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "flink-operator.name" . }}
{{- end }}

{{- define "flink-operator.labels" -}}
{{ include "flink-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "flink-operator.imagePath" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* Name of an account or role: (dict "root" $ "of" <its values>). */}}
{{- define "flink-operator.nameOf" -}}
{{- if .of.create }}
{{- .of.name | default (include "flink-operator.fullname" .root) }}
{{- else }}
{{- .of.name | default "default" }}
{{- end }}
{{- end }}

{{- define "flink-operator.serviceAccountName" -}}
{{ include "flink-operator.nameOf" (dict "root" $ "of" .Values.operatorServiceAccount) }}
{{- end }}
{{- define "flink-operator.roleName" -}}
{{ include "flink-operator.nameOf" (dict "root" $ "of" .Values.rbac.operatorRole) }}
{{- end }}
{{- define "flink-operator.roleBindingName" -}}
{{ include "flink-operator.nameOf" (dict "root" $ "of" .Values.rbac.operatorRoleBinding) }}
{{- end }}
{{- define "flink-operator.jobServiceAccountName" -}}
{{ include "flink-operator.nameOf" (dict "root" $ "of" .Values.jobServiceAccount) }}
{{- end }}
{{- define "flink-operator.jobRoleName" -}}
{{ include "flink-operator.nameOf" (dict "root" $ "of" .Values.rbac.jobRole) }}
{{- end }}
{{- define "flink-operator.jobRoleBindingName" -}}
{{ include "flink-operator.nameOf" (dict "root" $ "of" .Values.rbac.jobRoleBinding) }}
{{- end }}

{{/* Built-in roles such as system:... are cluster roles. */}}
{{- define "flink-operator.roleScope" -}}
{{- if contains ":" . }}ClusterRole{{ else }}Role{{ end }}
{{- end }}

{{/* Namespaces in which jobs run: the watched ones, or the release's own. Comma separated. */}}
{{- define "flink-operator.jobNamespaces" -}}
{{- join "," (.Values.watchNamespaces | default (list .Release.Namespace)) }}
{{- end }}

{{/* What the chart's settings add to the operator's configuration. */}}
{{- define "flink-operator.settings" -}}
{{- with .Values.watchNamespaces }}
kubernetes.operator.watched.namespaces: {{ join "," . }}
{{- end }}
{{- with .Values.operatorHealth }}
kubernetes.operator.health.probe.enabled: true
kubernetes.operator.health.probe.port: {{ .port }}
{{- end }}
{{- end }}

{{/* The logging files that Flink clusters get, by framework. */}}
{{- define "flink-operator.loggingFile" -}}
{{- if eq .Values.logging.framework "logback" }}logback-console.xml{{ else }}log4j-console.properties{{ end }}
{{- end }}
