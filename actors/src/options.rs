//! The operator-wide options that take effect at the start of an instance, read once and checked.

use crate::backoff::Growth;
use crate::leader::{BadElection, Election};
use crate::metrics::Switches;
use crate::namespaces::{BadNamespaces, NamespaceSet};
use crate::pace::{RateLimit, Retry};
use operator_core::config::{ConfigError, OperatorSettings, options};
use std::time::Duration;

/// What an instance is started with.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How failures are tried again.
    pub retry: Retry,
    /// How many passes of a resource may act or fail in a while.
    pub limit: RateLimit,
    /// Passes that act at the same time; zero or less means no limit.
    pub parallelism: i32,
    /// Selects the resources that are managed.
    pub selector: Option<String>,
    /// The namespaces to watch.
    pub namespaces: NamespaceSet,
    /// How the election is held, if there is one.
    pub election: Option<Election>,
    /// How often the configuration files are read again, if they are.
    pub reload: Option<Duration>,
    /// Time for running passes to end at shutdown.
    pub termination: Duration,
    /// Which metrics are made.
    pub metrics: Switches,
}

/// Why an instance cannot be started as configured.
#[derive(Debug, thiserror::Error)]
pub enum BadOptions {
    /// An option cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The leader election cannot be held.
    #[error("leader election: {0}")]
    Election(#[from] BadElection),
    /// The namespaces cannot be followed.
    #[error("kubernetes.operator.watched.namespaces: {0}")]
    Namespaces(#[from] BadNamespaces),
}

impl Options {
    /// Reads the options; `namespace` is the operator's own, `identity` the name of its pod.
    pub fn read(
        settings: &OperatorSettings,
        namespace: &str,
        identity: &str,
    ) -> Result<Self, BadOptions> {
        let growth = Growth {
            first: settings.get(&options::RETRY_INITIAL_INTERVAL)?,
            factor: settings.get(&options::RETRY_INTERVAL_MULTIPLIER)?,
            longest: settings
                .find(&options::RETRY_MAX_INTERVAL)?
                .unwrap_or(Duration::MAX),
        };
        let passes = settings.get(&options::RATE_LIMITER_LIMIT)?;
        let dynamic = settings.get(&options::DYNAMIC_CONFIG_ENABLED)?;
        let interval = settings.get(&options::DYNAMIC_CONFIG_CHECK_INTERVAL)?;
        let selector = settings.find(&options::LABEL_SELECTOR)?;
        Ok(Self {
            retry: Retry {
                growth,
                attempts: settings.get(&options::RETRY_MAX_ATTEMPTS)?,
            },
            limit: RateLimit {
                window: settings.get(&options::RATE_LIMITER_REFRESH_PERIOD)?,
                passes: usize::try_from(passes).unwrap_or_default(),
            },
            parallelism: settings.get(&options::RECONCILE_PARALLELISM)?,
            selector: selector.filter(|selector| !selector.trim().is_empty()),
            namespaces: NamespaceSet::parse(
                &settings.get(&options::WATCHED_NAMESPACES)?,
                namespace,
            )?,
            election: election(settings, namespace, identity)?,
            reload: dynamic.then_some(interval),
            termination: settings.get(&options::TERMINATION_TIMEOUT)?,
            metrics: Switches::read(settings.base())?,
        })
    }
}

fn election(
    settings: &OperatorSettings,
    namespace: &str,
    identity: &str,
) -> Result<Option<Election>, BadOptions> {
    if !settings.get(&options::LEADER_ELECTION_ENABLED)? {
        return Ok(None);
    }
    let election = Election {
        namespace: namespace.to_owned(),
        lease: settings.get(&options::LEADER_ELECTION_LEASE_NAME)?,
        identity: identity.to_owned(),
        duration: settings.get(&options::LEADER_ELECTION_LEASE_DURATION)?,
        renew_deadline: settings.get(&options::LEADER_ELECTION_RENEW_DEADLINE)?,
        retry: settings.get(&options::LEADER_ELECTION_RETRY_PERIOD)?,
    };
    election.check()?;
    Ok(Some(election))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Options;
    use operator_core::config::{Configuration, HostFiles, OperatorSettings};
    use std::time::Duration;

    fn read(entries: &[(&str, &str)]) -> Result<Options, String> {
        let base: Configuration = entries
            .iter()
            .map(|(key, value)| (format!("kubernetes.operator.{key}"), *value))
            .collect();
        Options::read(
            &OperatorSettings::new(base, HostFiles::default()),
            "flink",
            "pod-1",
        )
        .map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_upstream_s() {
        let options = read(&[]).unwrap();
        assert_eq!(options.retry.growth.first, Duration::from_secs(5));
        assert_eq!(
            (
                options.retry.attempts,
                options.limit.passes,
                options.parallelism
            ),
            (15, 5, 50)
        );
        assert_eq!(options.reload, Some(Duration::from_secs(300)));
        assert_eq!((options.election, options.selector), (None, None));
    }

    #[test]
    fn an_election_that_could_have_two_leaders_is_refused() {
        let enabled = ("leader-election.enabled", "true");
        let named = ("leader-election.lease-name", "flink-operator-lease");
        assert!(
            read(&[enabled])
                .unwrap_err()
                .contains("leader-election.lease-name")
        );
        let election = read(&[enabled, named]).unwrap().election.unwrap();
        assert_eq!(
            (election.identity.as_str(), election.namespace.as_str()),
            ("pod-1", "flink")
        );
        let late = read(&[enabled, named, ("leader-election.renew-deadline", "12 s")]).unwrap_err();
        assert!(
            late.contains("renew-deadline") && late.contains("raise the duration"),
            "{late}"
        );
        let rare = read(&[enabled, named, ("leader-election.retry-period", "10 s")]).unwrap_err();
        assert!(rare.contains("retry-period"), "{rare}");
    }

    #[test]
    fn a_bad_value_is_named() {
        assert!(
            read(&[("watched.namespaces", "A_b")])
                .unwrap_err()
                .contains("watched.namespaces")
        );
        assert!(
            read(&[("reconcile.parallelism", "many")])
                .unwrap_err()
                .contains("reconcile.parallelism")
        );
        assert_eq!(
            read(&[("rate-limiter.limit", "-1")]).unwrap().limit.passes,
            0
        );
    }
}
