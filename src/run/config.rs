//! What `run` runs with: arguments, environment and configuration files, resolved once.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use flink_operator_actors::flink::Way;
use flink_operator_actors::namespaces::NamespaceSet;
use operator_core::config::{OperatorSettings, options};

use crate::args::{FlinkAccess, Run};

/// What the process knows of the machine that it runs on.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// Whether Kubernetes runs this process.
    pub(super) in_cluster: bool,
    /// Name of the machine.
    pub(super) host: Option<String>,
    /// Id of this process.
    pub(super) process: u32,
}

impl Surroundings {
    /// Looks around.
    pub(super) fn look() -> Self {
        let service = std::env::var_os("KUBERNETES_SERVICE_HOST");
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        Self {
            in_cluster: service.is_some_and(|host| !host.is_empty()),
            host: host.and_then(|host| given(Some(&host))),
            process: std::process::id(),
        }
    }
}

/// The resolved settings of this process; what may change while it runs is read from the files again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunConfig {
    /// The operator's own namespace.
    pub(super) namespace: String,
    /// The operator's name, a label of its metrics.
    pub(super) name: String,
    /// Who this process is: a label of metrics, and its identity in leader election.
    pub(super) host: String,
    /// Namespaces to watch, if they are given on the command line or by the environment.
    pub(super) watched: Option<NamespaceSet>,
    /// How JobManagers are reached.
    pub(super) way: Way,
    /// Where probes and pages are served.
    pub(super) pages: Option<Pages>,
}

/// Where probes and pages are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pages {
    /// At this address.
    At(SocketAddr),
    /// At every address of the machine.
    Everywhere {
        /// The port.
        port: u16,
    },
}

impl RunConfig {
    /// Resolves what was typed, what the files say and what is found around.
    ///
    /// `default_namespace` is that of the kubeconfig or of the pod.
    pub(super) fn resolve(
        args: &Run,
        settings: &OperatorSettings,
        default_namespace: &str,
        around: &Surroundings,
    ) -> Result<Self> {
        let name = given(Some(&args.operator_name))
            .unwrap_or_else(|| "flink-kubernetes-operator".to_owned());
        let namespace = given(args.operator_namespace.as_deref())
            .unwrap_or_else(|| default_namespace.to_owned());
        let watched = given(args.watch_namespaces.as_deref())
            .map(|names| NamespaceSet::parse(&names, &namespace))
            .transpose()
            .context("--watch-namespaces (WATCH_NAMESPACES)")?;
        Ok(Self {
            namespace,
            name,
            host: host(args, around),
            watched,
            way: way(args.flink_access, around),
            pages: pages(args, settings)?,
        })
    }
}

/// A pod's name is its own; on a machine there may be several processes.
fn host(args: &Run, around: &Surroundings) -> String {
    if let Some(identity) = given(args.identity.as_deref()) {
        return identity;
    }
    let machine = around
        .host
        .clone()
        .unwrap_or_else(|| "localhost".to_owned());
    if around.in_cluster {
        machine
    } else {
        format!("{machine}-{}", around.process)
    }
}

fn way(access: FlinkAccess, around: &Surroundings) -> Way {
    match (access, around.in_cluster) {
        (FlinkAccess::Service, _) | (FlinkAccess::Auto, true) => Way::Service,
        (FlinkAccess::Pod, _) | (FlinkAccess::Auto, false) => Way::Pod,
        (FlinkAccess::Proxy, _) => Way::Proxy,
    }
}

fn pages(args: &Run, settings: &OperatorSettings) -> Result<Option<Pages>> {
    let enabled = settings
        .get(&options::HEALTH_PROBE_ENABLED)
        .context("configuration")?;
    let port = settings
        .get(&options::HEALTH_PROBE_PORT)
        .context("configuration")?;
    let everywhere = enabled.then_some(Pages::Everywhere { port });
    Ok(args.http_address.map(Pages::At).or(everywhere))
}

/// Takes a blank text for none: that is how a variable is switched off.
fn given(text: Option<&str>) -> Option<String> {
    let text = text?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use operator_core::config::{Configuration, HostFiles};

    use super::*;
    use crate::args::{Args, Command};

    fn run(arguments: &[&str]) -> Run {
        let typed = ["flink-operator", "run"].iter().chain(arguments);
        match Args::try_parse_from(typed).unwrap().command {
            Command::Run(run) => *run,
            other => panic!("{other:?}"),
        }
    }

    fn settings(entries: &[(&str, &str)]) -> OperatorSettings {
        let config: Configuration = entries.iter().copied().collect();
        OperatorSettings::new(config, HostFiles::default())
    }

    fn outside() -> Surroundings {
        Surroundings {
            in_cluster: false,
            host: Some("laptop".to_owned()),
            process: 7,
        }
    }

    fn resolve(arguments: &[&str], entries: &[(&str, &str)], around: &Surroundings) -> RunConfig {
        RunConfig::resolve(&run(arguments), &settings(entries), "default", around).unwrap()
    }

    #[test]
    fn two_processes_on_one_machine_differ_and_a_pod_is_its_name() {
        let nameless = ["--identity", ""];
        assert_eq!(resolve(&nameless, &[], &outside()).host, "laptop-7");
        assert_eq!(
            resolve(&["--identity", "pod-1"], &[], &outside()).host,
            "pod-1"
        );
        let pod = Surroundings {
            in_cluster: true,
            ..outside()
        };
        assert_eq!(resolve(&nameless, &[], &pod).host, "laptop");
    }

    #[test]
    fn namespaces_are_checked_and_the_own_one_has_a_word() {
        let watched = |text: &str| resolve(&["--watch-namespaces", text], &[], &outside()).watched;
        let these = |names: &[&str]| {
            let names = names.iter().map(ToString::to_string);
            Some(NamespaceSet::These(names.collect()))
        };
        assert_eq!(watched("b, a"), these(&["a", "b"]));
        assert_eq!(watched("JOSDK_WATCH_CURRENT"), these(&["default"]));
        assert_eq!(watched("JOSDK_ALL_NAMESPACES"), Some(NamespaceSet::All));
        let wrong = run(&["--watch-namespaces", "A_b"]);
        let error = RunConfig::resolve(&wrong, &settings(&[]), "default", &outside()).unwrap_err();
        assert!(
            format!("{error:#}").contains("WATCH_NAMESPACES"),
            "{error:#}"
        );
    }

    #[test]
    fn blank_variables_are_none() {
        let config = resolve(
            &[
                "--watch-namespaces",
                " ",
                "--operator-namespace",
                "",
                "--operator-name",
                "",
            ],
            &[],
            &outside(),
        );
        assert_eq!(config.watched, None);
        assert_eq!(config.namespace, "default");
        assert_eq!(config.name, "flink-kubernetes-operator");
    }

    #[test]
    fn the_way_to_job_managers_follows_from_the_place_unless_it_is_set() {
        let pod = Surroundings {
            in_cluster: true,
            ..outside()
        };
        for (arguments, around, way) in [
            (&[][..], &pod, Way::Service),
            (&[], &outside(), Way::Pod),
            (&["--flink-access", "proxy"], &pod, Way::Proxy),
            (&["--flink-access", "service"], &outside(), Way::Service),
        ] {
            assert_eq!(resolve(arguments, &[], around).way, way, "{arguments:?}");
        }
    }

    #[test]
    fn pages_are_where_upstream_has_its_probe_unless_they_are_put_elsewhere() {
        let port = ("kubernetes.operator.health.probe.port", "9000");
        let off = ("kubernetes.operator.health.probe.enabled", "false");
        let pages = |arguments: &[&str], entries: &[(&str, &str)]| {
            resolve(arguments, entries, &outside()).pages
        };
        assert_eq!(pages(&[], &[]), Some(Pages::Everywhere { port: 8085 }));
        assert_eq!(pages(&[], &[port]), Some(Pages::Everywhere { port: 9000 }));
        assert_eq!(pages(&[], &[off]), None);
        let address = "127.0.0.1:1".parse().unwrap();
        assert_eq!(
            pages(&["--http-address", "127.0.0.1:1"], &[off]),
            Some(Pages::At(address))
        );
    }

    #[test]
    fn an_option_that_cannot_be_read_is_named() {
        let wrong = settings(&[("kubernetes.operator.health.probe.port", "many")]);
        let error = RunConfig::resolve(&run(&[]), &wrong, "default", &outside()).unwrap_err();
        assert!(
            format!("{error:#}").contains("health.probe.port"),
            "{error:#}"
        );
    }
}
