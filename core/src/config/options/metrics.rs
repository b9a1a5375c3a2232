//! Switches of the operator's own metrics.

use std::time::Duration;

use super::options;

options! {
    Base restart "kubernetes.operator." {
        /// Metrics of the process. Known as JVM metrics upstream.
        JVM_METRICS_ENABLED: bool = "jvm.metrics.enabled", default "true", since "1.1";
        /// Metrics of the framework that runs the passes.
        JOSDK_METRICS_ENABLED: bool = "josdk.metrics.enabled", default "true", since "1.1";
        /// Metrics of requests to the API server.
        KUBERNETES_CLIENT_METRICS_ENABLED: bool = "kubernetes.client.metrics.enabled",
            default "true", since "1.1";
        /// Counts replies by groups of status codes.
        KUBERNETES_CLIENT_METRICS_CODE_GROUPS_ENABLED: bool =
            "kubernetes.client.metrics.http.response.code.groups.enabled",
            default "false", since "1.3";
        /// Time from which a request counts as slow.
        KUBERNETES_CLIENT_METRICS_SLOW_REQUEST_THRESHOLD: Duration =
            "kubernetes.client.metrics.slow.request.threshold", default "5 s", since "1.11";
        /// Counts resources and what they use.
        RESOURCE_METRICS_ENABLED: bool = "resource.metrics.enabled", default "true", since "1.2";
        /// Counts resources by life-cycle state and measures transitions.
        RESOURCE_LIFECYCLE_METRICS_ENABLED: bool = "resource.lifecycle.metrics.enabled",
            default "true", since "1.1";
        /// Measures transitions per namespace too.
        RESOURCE_LIFECYCLE_NAMESPACE_HISTOGRAMS_ENABLED: bool =
            "resource.lifecycle.namespace.histograms.enabled", default "true", since "1.1";
        /// Samples that a histogram keeps.
        METRICS_HISTOGRAM_SAMPLE_SIZE: i32 = "metrics.histogram.sample.size",
            default "1000", since "1.1";
        /// Scope of metrics of the operator itself.
        METRICS_SCOPE_SYSTEM: String = "metrics.scope.k8soperator.system",
            default "<host>.k8soperator.<namespace>.<name>.system", since "1.2";
        /// Scope of metrics per namespace.
        METRICS_SCOPE_RESOURCE_NS: String = "metrics.scope.k8soperator.resourcens",
            default "<host>.k8soperator.<namespace>.<name>.namespace.<resourcens>.<resourcetype>",
            since "1.2";
        /// Scope of metrics per resource.
        METRICS_SCOPE_RESOURCE: String = "metrics.scope.k8soperator.resource",
            default "<host>.k8soperator.<namespace>.<name>.resource.<resourcens>.<resourcename>.<resourcetype>",
            since "1.2";
        /// Any metric option of Flink, for the operator's own metrics.
        METRICS_OPTIONS: String = "metrics.*", since "1.0";
    }
}
