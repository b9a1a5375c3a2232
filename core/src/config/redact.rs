//! Which values may be secrets, so that they never reach logs, events or status.

/// What stands in the place of a secret.
pub const REDACTED: &str = "******";

/// Parts of key names that Flink and common file systems use for credentials.
const SENSITIVE: [&str; 14] = [
    "password",
    "passwd",
    "secret",
    "fs.azure.account.key",
    "apikey",
    "api-key",
    "access-key",
    "access.key",
    "auth-params",
    "service-key",
    "token",
    "basic-auth",
    "jaas.config",
    "http.header",
];

/// Tells whether the value of a key (or of an environment variable) may be a secret.
pub fn is_sensitive(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('_', "-");
    SENSITIVE.iter().any(|part| key.contains(part))
}

/// Returns a value, or what stands in the place of a secret.
pub(super) fn shown<'a>(key: &str, value: &'a str) -> &'a str {
    if is_sensitive(key) { REDACTED } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_recognised_by_name() {
        for key in [
            "s3.secret-key",
            "s3.access-key",
            "security.ssl.rest.key-password",
            "fs.azure.account.key.x.core.windows.net",
            "metrics.reporter.dghttp.apikey",
            "containerized.master.env.DB_PASSWORD",
            "AWS_ACCESS_KEY_ID",
            "kubernetes.operator.user.artifacts.http.header",
        ] {
            assert!(is_sensitive(key), "{key}");
        }
        assert!(!is_sensitive("state.checkpoints.dir"));
    }
}
