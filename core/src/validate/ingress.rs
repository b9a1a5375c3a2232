//! The rules for the template of an Ingress.

use std::net::Ipv6Addr;

use super::Violations;
use flink_operator_api::IngressSpec;

/// Checks that a template is there and makes a URL.
pub(super) fn check(ingress: &IngressSpec, namespace: &str, name: &str, found: &mut Violations) {
    let path = "spec.ingress.template";
    let Some(template) = &ingress.template else {
        found.add("D8", path, "Ingress template must be defined");
        return;
    };
    let filled = fill(
        &fill(template, "{{name}}", name),
        "{{namespace}}",
        namespace,
    );
    if let Err(error) = authority(without_scheme(&filled)) {
        found.add(
            "D9",
            path,
            format!("Unable to process the Ingress template({template}). Error: {error}"),
        );
    }
}

/// Puts a value in the place of a variable, which may be written in any case.
fn fill(template: &str, variable: &str, value: &str) -> String {
    let lower = template.to_ascii_lowercase();
    let mut text = String::new();
    let mut end = 0;
    for (at, _) in lower.match_indices(variable) {
        text.push_str(&template[end..at]);
        text.push_str(value);
        end = at + variable.len();
    }
    text.push_str(&template[end..]);
    text
}

fn without_scheme(template: &str) -> &str {
    for scheme in ["http://", "https://"] {
        if let Some(start) = template.get(..scheme.len())
            && start.eq_ignore_ascii_case(scheme)
        {
            return &template[scheme.len()..];
        }
    }
    template
}

/// Checks host and port as Java's `URL` does, whose texts these are. Nothing else can be wrong: a path
/// may be a regular expression for the Ingress controller.
fn authority(url: &str) -> Result<(), String> {
    let end = url.find(['/', '?', '#']).unwrap_or(url.len());
    let whole = &url[..end];
    let host = match whole.split_once('@') {
        Some((_, host)) if host.contains('@') => return Ok(()),
        Some((_, host)) => host,
        None => whole,
    };
    if let Some(inner) = host.strip_prefix('[') {
        let (address, rest) = inner
            .split_once(']')
            .filter(|(address, _)| address.len() > 1)
            .ok_or_else(|| format!("Invalid authority field: {whole}"))?;
        let numbers = address
            .split_once('%')
            .map_or(address, |(numbers, _)| numbers);
        if numbers.parse::<Ipv6Addr>().is_err() {
            return Err(format!("Invalid host: [{address}]"));
        }
        return match rest.strip_prefix(':') {
            Some(text) => port(text),
            None if rest.is_empty() => Ok(()),
            None => Err(format!("Invalid authority field: {whole}")),
        };
    }
    host.split_once(':').map_or(Ok(()), |(_, text)| port(text))
}

fn port(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    match text.parse::<i32>() {
        Ok(port) if port < -1 => Err(format!("Invalid port number :{port}")),
        Ok(_) => Ok(()),
        Err(_) => Err(format!(
            "Error at index {} in: \"{text}\"",
            first_wrong_digit(text)
        )),
    }
}

/// Returns where Java stops reading a number: at the first character that is no digit, or at the digit
/// that makes it too large.
fn first_wrong_digit(text: &str) -> usize {
    let digits = text.trim_start_matches(['+', '-']);
    let signs = text.len() - digits.len();
    let wrong = digits.find(|c: char| !c.is_ascii_digit());
    let too_large = || digits.len().saturating_sub(1).min(9);
    signs.min(1) + wrong.unwrap_or_else(too_large)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_expressions_and_unknown_variables_are_no_faults() {
        for url in [
            "",
            "/a",
            "/ns/name(/|$)(.*)",
            "{{host}}.b",
            "a:/x",
            "a:80",
            "a:-1/x",
            "u:p@h:1/x",
            "[::1]:80/x",
            "[fe80::1%eth0]/",
            "a@b@c:x/",
            "a?x:y",
        ] {
            assert_eq!(authority(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn faults_are_told_in_javas_words() {
        for (url, error) in [
            ("a:port", "Error at index 0 in: \"port\""),
            ("a:80a/x", "Error at index 2 in: \"80a\""),
            ("a:99999999999/x", "Error at index 9 in: \"99999999999\""),
            ("a:-5/x", "Invalid port number :-5"),
            ("[zz]/x", "Invalid host: [zz]"),
            ("[]/x", "Invalid authority field: []"),
            ("[::1]x/", "Invalid authority field: [::1]x"),
            ("[/x", "Invalid authority field: ["),
        ] {
            assert_eq!(authority(url), Err(error.to_owned()), "{url}");
        }
    }

    #[test]
    fn variables_are_filled_in_any_case_and_once() {
        assert_eq!(
            fill("{{Name}}.{{name}}", "{{name}}", "a{{name}}"),
            "a{{name}}.a{{name}}"
        );
        assert_eq!(without_scheme("HTTPS://a"), "a");
        assert_eq!(without_scheme("ftp://a"), "ftp://a");
    }
}
