//! The rules for the `jarURI` of a session job, which the operator itself downloads.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::Violations;
use super::uri::{self, Uri};
use crate::config::{OperatorSettings, options};
use flink_operator_api::FlinkSessionJobSpec;

const PATH: &str = "spec.job.jarURI";

/// What looking up the host of a `jarURI` gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostLookup {
    /// Nobody looked, or there was no answer in time.
    NotAsked,
    /// There is no such host.
    NotFound,
    /// Its addresses.
    Found(Vec<IpAddr>),
}

/// Returns the host that must be looked up before a session job can be judged by its addresses.
pub fn host_to_look_up(spec: &FlinkSessionJobSpec, settings: &OperatorSettings) -> Option<String> {
    let uri = uri::parse(spec.job.as_ref()?.jar_uri.as_deref()?).ok()?;
    let scheme = uri.scheme.as_deref()?;
    let asked = is_restricted(scheme, settings) && schemes(settings).contains(&lower(scheme));
    let host = uri.host.filter(|_| asked)?;
    literal(&host).is_none().then_some(host)
}

/// Checks a `jarURI`. Its host is asked for the schemes of the web only.
pub(super) fn check(
    text: &str,
    lookup: &HostLookup,
    settings: &OperatorSettings,
    found: &mut Violations,
) {
    let Uri { scheme, host } = match uri::parse(text) {
        Ok(uri) => uri,
        Err(error) => {
            found.add("S4", PATH, format!("jarURI is not a valid URI: {error}"));
            return;
        }
    };
    let Some(scheme) = scheme else {
        found.add("S5", PATH, "jarURI must include a scheme");
        return;
    };
    let allowed = schemes(settings);
    if !allowed.contains(&lower(&scheme)) {
        let list: Vec<&str> = allowed.iter().map(String::as_str).collect();
        found.add(
            "S6",
            PATH,
            format!(
                "jarURI scheme '{scheme}' is not in the allowlist [{}]. Configure '{}' to extend the allowlist.",
                list.join(", "),
                options::USER_ARTIFACTS_ALLOWED_SCHEMES.name()
            ),
        );
    }
    if !is_restricted(&scheme, settings) {
        return;
    }
    match host {
        Some(host) => self::host(&host, lookup, found),
        None => found.add(
            "S7",
            PATH,
            "jarURI must include a host for http/https schemes",
        ),
    }
}

fn host(host: &str, lookup: &HostLookup, found: &mut Violations) {
    let itself = literal(host).map(|address| HostLookup::Found(vec![address]));
    match itself.as_ref().unwrap_or(lookup) {
        HostLookup::NotAsked => {}
        HostLookup::NotFound => {
            found.add(
                "S8",
                PATH,
                format!("jarURI host '{host}' cannot be resolved"),
            );
        }
        // Every address, where upstream looks at the first: the download may choose any.
        HostLookup::Found(addresses) => {
            if addresses.iter().any(is_local) {
                let message = format!("jarURI host '{host}' resolves to a restricted address");
                found.add("S9", PATH, message);
            }
        }
    }
}

fn lower(scheme: &str) -> String {
    scheme.to_ascii_lowercase()
}

fn schemes(settings: &OperatorSettings) -> BTreeSet<String> {
    let written = settings.get(&options::USER_ARTIFACTS_ALLOWED_SCHEMES);
    let written = written.unwrap_or_else(|_| vec!["https".to_owned()]);
    written.iter().map(|scheme| lower(scheme)).collect()
}

/// Tells whether the addresses behind a scheme's hosts count. An unreadable option means that they do.
fn is_restricted(scheme: &str, settings: &OperatorSettings) -> bool {
    let web = ["http", "https"]
        .iter()
        .any(|web| web.eq_ignore_ascii_case(scheme));
    let disallowed = settings.get(&options::USER_ARTIFACTS_DISALLOW_RESTRICTED_HOSTS);
    web && disallowed.unwrap_or(true)
}

/// Returns the address that a host is by itself; one number counts as the four bytes of an address.
fn literal(host: &str) -> Option<IpAddr> {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if let Some(address) = inner {
        let numbers = address
            .split_once('%')
            .map_or(address, |(numbers, _)| numbers);
        return numbers.parse().ok().map(IpAddr::V6);
    }
    let number = host.parse::<u32>().ok().map(Ipv4Addr::from);
    host.parse().ok().or(number).map(IpAddr::V4)
}

/// Tells whether an address is of the machine itself, of its network or of a private one, as Java sorts
/// addresses.
fn is_local(address: &IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback()
                || address.is_link_local()
                || address.is_private()
                || address.is_unspecified()
                || address.is_multicast()
        }
        IpAddr::V6(address) => {
            let site_local = address.segments()[0] & 0xffc0 == 0xfec0;
            address.is_loopback()
                || address.is_unicast_link_local()
                || site_local
                || address.is_unspecified()
                || address.is_multicast()
        }
    }
}
