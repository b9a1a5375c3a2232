//! Where a JobManager listens.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use http::Uri;

/// How the first byte is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Says why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// The name is empty, too long or holds a character that no host name has.
    #[error("host {0:?} is not a DNS name: use letters, digits, '-', '_' and '.', at most 253")]
    Host(String),
    /// The name ends in a number, which every URL library reads as an IPv4 address.
    #[error("host {0:?} ends in a number and would be read as an IPv4 address: append \".svc\"")]
    NumericEnd(String),
    /// The path segment is empty, or one that URL libraries remove.
    #[error("path segment {0:?} cannot be addressed: it must not be empty, \".\" or \"..\"")]
    Segment(String),
}

/// The name or address of a machine.
///
/// It is written into URLs, never read out of them, so that no name is understood as something else.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host(Named);

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Named {
    Name(String),
    Address(IpAddr),
}

impl Host {
    /// Accepts a DNS name, underscores included.
    ///
    /// A namespace may be called `123`; `x-rest.123` is refused here instead of failing at each call.
    pub fn name(name: impl Into<String>) -> Result<Self, BadAddress> {
        let name = name.into();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let labels_fit = || {
            name.trim_end_matches('.')
                .split('.')
                .all(|l| (1..=63).contains(&l.len()))
        };
        if name.len() > 253 || !name.bytes().all(plain) || !labels_fit() {
            return Err(BadAddress::Host(name.chars().take(64).collect()));
        }
        let last = name
            .trim_end_matches('.')
            .rsplit('.')
            .next()
            .unwrap_or_default();
        let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
        let numeric = last.bytes().all(|byte| byte.is_ascii_digit())
            || hexadecimal.is_some_and(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()));
        if numeric {
            return Err(BadAddress::NumericEnd(name));
        }
        Ok(Self(Named::Name(name.to_ascii_lowercase())))
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self(Named::Address(address))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Named::Name(name) => f.write_str(name),
            Named::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Named::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// The address under which the REST API of one Flink cluster is reached.
///
/// There is no place for a user name or password in it; who needs to authenticate does so in the
/// transport, and nothing secret can get into a message by way of an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    scheme: Scheme,
    host: Host,
    port: u16,
    /// Encoded already; empty, or begins with a slash and does not end with one.
    prefix: String,
}

impl Endpoint {
    /// Addresses a JobManager in plain text.
    pub fn http(host: impl Into<Host>, port: u16) -> Self {
        Self {
            scheme: Scheme::Http,
            host: host.into(),
            port,
            prefix: String::new(),
        }
    }

    /// Addresses a JobManager over TLS.
    pub fn https(host: impl Into<Host>, port: u16) -> Self {
        Self {
            scheme: Scheme::Https,
            ..Self::http(host, port)
        }
    }

    /// Puts every call below a path, segment by segment: the way through a proxy.
    ///
    /// The API server's is `["api", "v1", "namespaces", ns, "services", "<name>:rest", "proxy"]`.
    pub fn below<S: AsRef<str>>(
        mut self,
        segments: impl IntoIterator<Item = S>,
    ) -> Result<Self, BadAddress> {
        for segment in segments {
            push_segment(&mut self.prefix, segment.as_ref())?;
        }
        Ok(self)
    }

    /// Tells whether a proxy stands in between, so that an answer may be the proxy's own.
    pub fn is_proxied(&self) -> bool {
        !self.prefix.is_empty()
    }

    /// Gives the scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Gives the host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Gives the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Joins an encoded path and query to the address.
    pub(crate) fn uri(&self, path_and_query: &str) -> Uri {
        Uri::builder()
            .scheme(self.scheme.as_str())
            .authority(format!("{}:{}", self.host, self.port))
            .path_and_query(format!("{}{path_and_query}", self.prefix))
            .build()
            .expect("host, prefix and path were checked or encoded when they were built")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}:{}{}",
            self.scheme.as_str(),
            self.host,
            self.port,
            self.prefix
        )
    }
}

/// Appends `/` and the encoded segment.
pub(crate) fn push_segment(path: &mut String, segment: &str) -> Result<(), BadAddress> {
    if matches!(segment, "" | "." | "..") {
        return Err(BadAddress::Segment(segment.to_owned()));
    }
    path.push('/');
    push_encoded(path, segment);
    Ok(())
}

/// Appends a text in which everything but unreserved characters and `:` is percent-encoded.
pub(crate) fn push_encoded(path: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte) {
            path.push(char::from(byte));
        } else {
            write!(path, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn uri(endpoint: &Endpoint) -> String {
        endpoint.uri("/jobs/overview").to_string()
    }

    #[test]
    fn names_are_written_never_read() {
        let long = format!("{}-rest.{}.svc", "a".repeat(45), "b".repeat(63));
        for name in ["basic_1-rest.default", "x-rest.123.svc", &long] {
            let endpoint = Endpoint::http(Host::name(name).unwrap(), 8081);
            assert_eq!(uri(&endpoint), format!("http://{name}:8081/jobs/overview"));
        }
    }

    #[test]
    fn a_name_that_would_be_read_as_an_ipv4_address_is_refused_with_the_cure() {
        for name in ["x-rest.123", "x-rest.0x1f", "x-rest.123."] {
            let error = Host::name(name).unwrap_err();
            assert!(error.to_string().contains("append \".svc\""), "{error}");
        }
    }

    #[test]
    fn a_host_cannot_smuggle_anything() {
        let wrong = [
            "",
            "a..b",
            "user:secret@host",
            "host/path",
            "host?x",
            "host#x",
            "h st",
            "[::1]",
        ];
        for name in wrong
            .into_iter()
            .chain(["a".repeat(64).as_str(), "ü.de", "host:80"])
        {
            assert!(
                matches!(Host::name(name), Err(BadAddress::Host(_))),
                "{name}"
            );
        }
    }

    #[test]
    fn ipv6_addresses_get_their_brackets() {
        let host: IpAddr = "fd00::1".parse().unwrap();
        assert_eq!(
            uri(&Endpoint::https(host, 8081)),
            "https://[fd00::1]:8081/jobs/overview"
        );
    }

    #[test]
    fn a_prefix_is_encoded_by_segment() {
        let proxied = Endpoint::https(Host::name("api").unwrap(), 6443)
            .below([
                "api",
                "v1",
                "namespaces",
                "a b/c",
                "services",
                "x-rest:rest",
                "proxy",
            ])
            .unwrap();
        assert!(proxied.is_proxied());
        assert_eq!(
            uri(&proxied),
            "https://api:6443/api/v1/namespaces/a%20b%2Fc/services/x-rest:rest/proxy/jobs/overview"
        );
        for segment in ["", ".", ".."] {
            assert!(proxied.clone().below([segment]).is_err());
        }
    }
}
