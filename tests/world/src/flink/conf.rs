//! The configuration of a JobManager as it reads it from its mounted `ConfigMap`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::Value;

/// A flat map of configuration keys and texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conf(BTreeMap<String, String>);

impl Conf {
    /// Reads the data of a `flink-config-<id>` map: `config.yaml` if present, else `flink-conf.yaml`.
    pub fn of_config_map(config_map: &Value) -> Self {
        let data = &config_map["data"];
        if let Some(text) = data["config.yaml"].as_str() {
            return Self::nested(text);
        }
        Self::flat(data["flink-conf.yaml"].as_str().unwrap_or_default())
    }

    /// Reads lines of `key: value`; what does not have that form is skipped with no error, as in Flink.
    pub fn flat(text: &str) -> Self {
        let mut map = BTreeMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            if let Some((key, value)) = line.split_once(": ") {
                map.insert(key.trim().to_owned(), value.trim().to_owned());
            }
        }
        Self(map)
    }

    /// Reads a YAML document and joins nested keys with dots.
    pub fn nested(text: &str) -> Self {
        let mut map = BTreeMap::new();
        if let Ok(document) = serde_saphyr::from_str::<Value>(text) {
            flatten("", &document, &mut map);
        }
        Self(map)
    }

    /// Makes a configuration from pairs, for tests.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// Gives the text of a key; an empty one counts as absent.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0
            .get(key)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    /// Gives the text of the first key that is present.
    pub fn first(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.text(key))
    }

    /// Tells whether a switch is on.
    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.text(key)
            .map_or(default, |text| text.eq_ignore_ascii_case("true"))
    }

    /// Gives a whole number.
    pub fn number(&self, key: &str, default: u32) -> u32 {
        self.text(key)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    }

    /// Gives a duration.
    pub fn duration(&self, keys: &[&str]) -> Option<SignedDuration> {
        self.first(keys).and_then(duration)
    }

    /// Lists all keys with their texts, as `/jobmanager/config` does.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Tells whether the adaptive scheduler runs the jobs.
    pub fn adaptive_scheduler(&self) -> bool {
        self.text("jobmanager.scheduler")
            .is_some_and(|kind| kind.eq_ignore_ascii_case("adaptive"))
    }

    /// Tells whether high availability is on, by the rule that Flink uses for its type.
    pub fn high_availability(&self) -> bool {
        let kind = self.first(&[
            "high-availability.type",
            "high-availability",
            "recovery.mode",
        ]);
        kind.is_some_and(|kind| {
            !kind.eq_ignore_ascii_case("none") && !kind.eq_ignore_ascii_case("standalone")
        })
    }
}

fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(&path, value, into);
            }
        }
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().map(scalar).collect();
            into.insert(prefix.to_owned(), texts.join(";"));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            into.insert(prefix.to_owned(), scalar(value));
        }
    }
}

fn scalar(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Reads a duration as Flink writes it: a number and a unit, milliseconds without one.
pub fn duration(text: &str) -> Option<SignedDuration> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: i64 = text[..digits].parse().ok()?;
    let millis = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "m" | "min" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        _ => return None,
    };
    Some(SignedDuration::from_millis(number.checked_mul(millis)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_file_formats_give_the_same_map() {
        let flat = json!({ "data": { "flink-conf.yaml": "$internal.pipeline.job-id: abc\nhigh-availability.type: kubernetes\nstate.savepoints.dir: file:///sp\n" } });
        let nested = json!({ "data": { "config.yaml": "$internal:\n  pipeline:\n    job-id: abc\nhigh-availability:\n  type: kubernetes\nstate:\n  savepoints:\n    dir: file:///sp\n" } });
        let (flat, nested) = (Conf::of_config_map(&flat), Conf::of_config_map(&nested));
        assert_eq!(flat, nested);
        assert_eq!(flat.text("state.savepoints.dir"), Some("file:///sp"));
        assert!(flat.high_availability());
    }

    #[test]
    fn high_availability_is_off_for_none_and_standalone() {
        for kind in ["NONE", "none", "standalone", ""] {
            assert!(
                !Conf::of([("high-availability.type", kind)]).high_availability(),
                "{kind}"
            );
        }
        assert!(Conf::of([("high-availability", "zookeeper")]).high_availability());
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("5 min"), Some(SignedDuration::from_mins(5)));
        assert_eq!(duration("2s"), Some(SignedDuration::from_secs(2)));
        assert_eq!(duration("1500"), Some(SignedDuration::from_millis(1500)));
        assert_eq!(duration("soon"), None);
    }
}
