//! URIs as Java's `java.net.URI` reads them: what it refuses, with its words, and the host it sees.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The parts of a URI that rules ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Uri {
    /// What stands before the first colon.
    pub(super) scheme: Option<String>,
    /// The host, if the authority is that of a server.
    pub(super) host: Option<String>,
}

/// Reads a URI, or says what is wrong and where.
pub(super) fn parse(text: &str) -> Result<Uri, String> {
    let chars: Vec<char> = text.chars().collect();
    let reader = Reader { chars: &chars };
    reader
        .read()
        .map_err(|(reason, at)| format!("{reason} at index {at}: {text}"))
}

type Fault = (String, usize);

struct Reader<'a> {
    chars: &'a [char],
}

impl Reader<'_> {
    fn read(&self) -> Result<Uri, Fault> {
        let colon = self.find(0, "/?#:");
        let mut uri = Uri {
            scheme: None,
            host: None,
        };
        let mut at = 0;
        if self.at(colon) == Some(':') {
            if colon == 0 {
                return Err(("Expected scheme name".to_owned(), 0));
            }
            self.scheme(colon)?;
            uri.scheme = Some(self.chars[..colon].iter().collect());
            at = colon + 1;
            if self.at(at) != Some('/') {
                return self.opaque(at).map(|()| uri);
            }
        }
        if self.at(at) == Some('/') && self.at(at + 1) == Some('/') {
            let start = at + 2;
            at = self.find(start, "/?#");
            if at > start {
                uri.host = self.authority(start, at)?;
            } else if at == self.chars.len() {
                return Err(("Expected authority".to_owned(), start));
            }
        }
        let query = self.find(at, "?#");
        self.legal(at, query, is_path, "path")?;
        let fragment = self.find(query, "#");
        if query < fragment {
            self.legal(query + 1, fragment, is_uric, "query")?;
        }
        self.fragment(fragment)?;
        Ok(uri)
    }

    fn at(&self, at: usize) -> Option<char> {
        self.chars.get(at).copied()
    }

    /// Returns where the first of some characters is, or the end.
    fn find(&self, from: usize, any: &str) -> usize {
        let found = self.chars[from..].iter().position(|c| any.contains(*c));
        found.map_or(self.chars.len(), |at| from + at)
    }

    fn scheme(&self, end: usize) -> Result<(), Fault> {
        let wrong = self.chars[..end].iter().enumerate().position(|(at, c)| {
            let first = c.is_ascii_alphabetic();
            !(first || at > 0 && (c.is_ascii_digit() || "+-.".contains(*c)))
        });
        wrong.map_or(Ok(()), |at| {
            Err(("Illegal character in scheme name".to_owned(), at))
        })
    }

    fn opaque(&self, start: usize) -> Result<(), Fault> {
        let end = self.find(start, "#");
        if end == start {
            return Err(("Expected scheme-specific part".to_owned(), start));
        }
        self.legal(start, end, is_uric, "opaque part")?;
        self.fragment(end)
    }

    fn fragment(&self, hash: usize) -> Result<(), Fault> {
        if hash < self.chars.len() {
            self.legal(hash + 1, self.chars.len(), is_uric, "fragment")?;
        }
        Ok(())
    }

    fn legal(
        &self,
        start: usize,
        end: usize,
        is_legal: fn(char) -> bool,
        part: &str,
    ) -> Result<(), Fault> {
        let mut at = start;
        while at < end {
            let c = self.chars[at];
            if c == '%' {
                let digits = self.chars[at + 1..end.min(at + 3).max(at + 1)].iter();
                if digits.filter(|digit| digit.is_ascii_hexdigit()).count() < 2 {
                    return Err(("Malformed escape pair".to_owned(), at));
                }
            } else if !is_legal(c) && !is_other(c) {
                return Err((format!("Illegal character in {part}"), at));
            }
            at += 1;
        }
        Ok(())
    }

    /// Reads `user@host:port`. What is legal and yet no server has no host, which is no fault.
    fn authority(&self, start: usize, end: usize) -> Result<Option<String>, Fault> {
        self.legal(start, end, is_authority, "authority")
            .map_err(|(reason, at)| {
                // Java names the start of a wrong authority.
                let at = if reason.starts_with("Illegal") {
                    start
                } else {
                    at
                };
                (reason, at)
            })?;
        let letters = &self.chars[start..end];
        let from = letters
            .iter()
            .position(|c| *c == '@')
            .map_or(0, |at| at + 1);
        let server: String = letters[from..].iter().collect();
        if let Some(inner) = server.strip_prefix('[') {
            let Some((address, port)) = inner.split_once(']') else {
                return Err(("Expected closing bracket for IPv6 address".to_owned(), end));
            };
            let numbers = address
                .split_once('%')
                .map_or(address, |(numbers, _)| numbers);
            if numbers.parse::<Ipv6Addr>().is_err() {
                return Err(("Malformed IPv6 address".to_owned(), start + from + 1));
            }
            if !port.is_empty() && !is_port(port) {
                return Err(("Illegal character in authority".to_owned(), start));
            }
            return Ok(Some(format!("[{address}]")));
        }
        let (host, port) = match server.split_once(':') {
            Some((host, port)) => (host, port),
            None => (server.as_str(), ""),
        };
        let is_server = is_host(host) && port.bytes().all(|byte| byte.is_ascii_digit());
        Ok(is_server.then(|| host.to_owned()))
    }
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':')
        .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Tells whether a text is an IPv4 address or a name of the domain name system.
fn is_host(text: &str) -> bool {
    if text.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let labels: Vec<&str> = text.strip_suffix('.').unwrap_or(text).split('.').collect();
    let sound = |label: &&str| {
        let bytes = label.as_bytes();
        bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    let top = labels.last().and_then(|label| label.bytes().next());
    labels.iter().all(sound)
        && (labels.len() == 1 || top.is_some_and(|byte| byte.is_ascii_alphabetic()))
}

/// Characters beyond ASCII that stand for themselves.
fn is_other(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !c.is_control()
}

fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-!.~'()*".contains(c)
}

fn is_uric(c: char) -> bool {
    is_unreserved(c) || ";/?:@&=+$,[]".contains(c)
}

fn is_path(c: char) -> bool {
    is_unreserved(c) || ":@&=+$,;/".contains(c)
}

fn is_authority(c: char) -> bool {
    is_unreserved(c) || "$,;:@&=+[]".contains(c)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_in_javas_words() {
        for (text, fault) in [
            (
                "ht tp://bad uri",
                "Illegal character in scheme name at index 2",
            ),
            ("1a:b", "Illegal character in scheme name at index 0"),
            ("a%b:c", "Illegal character in scheme name at index 1"),
            ("://x", "Expected scheme name at index 0"),
            ("https:", "Expected scheme-specific part at index 6"),
            ("https:x y", "Illegal character in opaque part at index 7"),
            ("https://", "Expected authority at index 8"),
            (
                "https://h{o}/x",
                "Illegal character in authority at index 8",
            ),
            ("https://h /x", "Illegal character in authority at index 8"),
            ("https://[zz]/x", "Malformed IPv6 address at index 9"),
            (
                "https://[::1/x",
                "Expected closing bracket for IPv6 address at index 12",
            ),
            ("a b", "Illegal character in path at index 1"),
            ("https://h/a b", "Illegal character in path at index 11"),
            ("https://h/a[b]", "Illegal character in path at index 11"),
            ("https://h/%zz", "Malformed escape pair at index 10"),
            ("https://h/x?a b", "Illegal character in query at index 13"),
            (
                "https://h/#a b",
                "Illegal character in fragment at index 12",
            ),
        ] {
            assert_eq!(parse(text), Err(format!("{fault}: {text}")));
        }
    }

    #[test]
    fn hosts_are_those_that_java_sees() {
        for (text, host) in [
            ("https://h/x", "h"),
            ("https://u@h:1/x?q#f", "h"),
            ("https://h:/x", "h"),
            ("//h/x", "h"),
            ("https://1.2.3.4/", "1.2.3.4"),
            ("https://a.b./x", "a.b."),
            ("https://1a/x", "1a"),
            ("https://[::1]:80/x", "[::1]"),
            ("https://[fe80::1%25eth0]/", "[fe80::1%25eth0]"),
        ] {
            assert_eq!(parse(text).unwrap().host.as_deref(), Some(host), "{text}");
        }
        for text in [
            "",
            "/a",
            "https:///x",
            "https://h:port/x",
            "https://my_host/x",
            "https://127.1/x",
            "https://10.0.0.256/x",
            "https://a..b/",
            "https://é.com/x",
            "https://user:p@/x",
            "https://-a.b/x",
            "https://a.b-/x",
            "https://a.1b/x",
            "https://h%20x/y",
            "mailto:a",
        ] {
            assert_eq!(parse(text).unwrap().host, None, "{text}");
        }
    }
}
