//! The nested format `config.yaml`: YAML 1.2 whose keys are joined with dots.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::error::ConfigError;
use super::{Configuration, number, text};

/// Name of a file in this format.
pub const FILE_NAME: &str = "config.yaml";

/// Reads the format and flattens it.
///
/// Lists and the maps in them become the text that Flink writes for them in the flat format, which
/// every Flink version reads in both formats.
pub fn read(content: &str) -> Result<Configuration, ConfigError> {
    let failed = |reason: String| ConfigError::File {
        file: FILE_NAME.to_owned(),
        reason,
    };
    if content
        .lines()
        .all(|line| matches!(line.trim().chars().next(), None | Some('#')))
    {
        return Ok(Configuration::default());
    }
    let root: Node = serde_saphyr::from_str_with_options(content, options())
        .map_err(|e| failed(e.to_string()))?;
    let mut config = Configuration::default();
    match root {
        Node::Null => Ok(config),
        Node::Map(entries) => {
            flatten("", entries, &mut config).map_err(failed)?;
            Ok(config)
        }
        Node::Scalar(_) | Node::List(_) => Err(failed(
            "the document must be a map of keys to values".to_owned(),
        )),
    }
}

/// Renders the format: nested maps, sorted, all values as text.
///
/// `lists` names the keys whose value is a list separated by `;` and becomes a YAML list here.
/// The caller has checked with [`overlap`] that no key is a dotted prefix of another.
pub fn write(config: &Configuration, lists: &[&str]) -> Result<String, ConfigError> {
    let mut root = Tree::default();
    for (key, value) in config.iter() {
        let leaf = if lists.contains(&key) {
            let pieces = text::split(value, ';').map_err(|reason| ConfigError::Value {
                key: key.to_owned(),
                reason,
            })?;
            Leaf::List(pieces)
        } else {
            Leaf::Text(value.to_owned())
        };
        root.insert(key, leaf);
    }
    let mut out = String::new();
    root.write(0, &mut out);
    Ok(out)
}

/// Finds a key that is a dotted prefix of another one, which nesting cannot express.
pub fn overlap(config: &Configuration) -> Option<(&str, &str)> {
    config.iter().find_map(|(key, _)| {
        let mut prefixes = key.match_indices('.').map(|(at, _)| &key[..at]);
        prefixes
            .find(|prefix| config.text(prefix).is_some())
            .map(|prefix| (prefix, key))
    })
}

/// Reads a YAML flow list such as `[a, b]`; `None` if it is something else.
pub(super) fn flow_list(content: &str) -> Option<Vec<String>> {
    match serde_saphyr::from_str_with_options(content, options()).ok()? {
        Node::List(items) => Some(items.iter().map(Node::flat_text).collect()),
        Node::Null | Node::Scalar(_) | Node::Map(_) => None,
    }
}

fn options() -> serde_saphyr::Options {
    // Snippets would put values, which may be secrets, into error texts.
    serde_saphyr::options! { strict_booleans: true, with_snippet: false }
}

fn flatten(
    prefix: &str,
    entries: Vec<(String, Node)>,
    out: &mut Configuration,
) -> Result<(), String> {
    for (key, node) in entries {
        let path = if prefix.is_empty() {
            key
        } else {
            format!("{prefix}.{key}")
        };
        match node {
            Node::Map(inner) => flatten(&path, inner, out)?,
            Node::Null => {
                return Err(format!(
                    "{path} has no value; give it one or remove the key"
                ));
            }
            Node::Scalar(_) | Node::List(_) => {
                if out.text(&path).is_some() {
                    return Err(format!("{path} is given twice; keep one of the two"));
                }
                out.set(path, node.flat_text());
            }
        }
    }
    Ok(())
}

/// A YAML value whose scalars are already text.
enum Node {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    fn flat_text(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Scalar(text) => text.clone(),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::flat_text).collect();
                text::print_list(&items)
            }
            Self::Map(entries) => {
                let entries: Vec<(&str, String)> = entries
                    .iter()
                    .map(|(key, node)| (key.as_str(), node.flat_text()))
                    .collect();
                text::print_pairs(entries.iter().map(|(key, value)| (*key, value.as_str())))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(number::java_double(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry::<String, Node>()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}

enum Leaf {
    Text(String),
    List(Vec<String>),
}

/// A map under construction; a leaf and children exclude each other.
#[derive(Default)]
struct Tree {
    leaf: Option<Leaf>,
    children: BTreeMap<String, Tree>,
}

impl Tree {
    fn insert(&mut self, key: &str, leaf: Leaf) {
        let node = key.split('.').fold(self, |node, part| {
            node.children.entry(part.to_owned()).or_default()
        });
        node.leaf = Some(leaf);
    }

    fn write(&self, depth: usize, out: &mut String) {
        let indent = "  ".repeat(depth);
        for (key, child) in &self.children {
            out.push_str(&indent);
            out.push_str(&scalar(key));
            match &child.leaf {
                Some(Leaf::Text(text)) => {
                    out.push_str(": ");
                    out.push_str(&scalar(text));
                    out.push('\n');
                }
                Some(Leaf::List(items)) if items.is_empty() => out.push_str(": []\n"),
                Some(Leaf::List(items)) => {
                    out.push_str(":\n");
                    for item in items {
                        out.push_str(&indent);
                        out.push_str("- ");
                        out.push_str(&scalar(item));
                        out.push('\n');
                    }
                }
                None => {
                    out.push_str(":\n");
                    child.write(depth + 1, out);
                }
            }
        }
    }
}

/// Renders a text as one YAML scalar on one line that every YAML reader takes for a string.
fn scalar(text: &str) -> String {
    if text.chars().any(char::is_control) || text.contains(['\u{feff}', '\u{2028}', '\u{2029}']) {
        // JSON's escapes are a subset of those of a double-quoted YAML scalar.
        return serde_json::Value::from(text).to_string();
    }
    if is_plain(text) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// Tells whether a text may stand without quotes. Stricter than YAML asks for, so that YAML 1.1
/// readers (`yes`, `1_000`, `12:30`) see a string as well.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 8] = ["true", "false", "null", "yes", "no", "on", "off", "nan"];
    let Some(first) = text.chars().next() else {
        return false;
    };
    (first.is_ascii_alphabetic() || matches!(first, '/' | '$' | '_'))
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !matches!(text.to_ascii_lowercase().as_str(), "y" | "n")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nested_keys_are_joined_and_scalars_become_text() {
        let config = read(
            "a:\n  b: 1\n  c.d: true\n  e: [x, 'y;z']\nf: 1.50\ng: yes\nh: 0x1F\ni: '007'\n\
             j:\n- k: v\n  l: m\nn: {o: p}\n",
        )
        .unwrap();
        let entries: Vec<_> = config.iter().collect();
        assert_eq!(
            entries,
            [
                ("a.b", "1"),
                ("a.c.d", "true"),
                ("a.e", "x;'y;z'"),
                ("f", "1.5"),
                ("g", "yes"),
                ("h", "31"),
                ("i", "007"),
                ("j", "k:v,l:m"),
                ("n.o", "p"),
            ]
        );
    }

    #[test]
    fn broken_documents_are_named() {
        for (content, part) in [
            ("a:\nb: 1\n", "a has no value"),
            ("- a\n", "must be a map"),
            ("a: 1\na: 2\n", "a"),
            ("a.b: 1\na:\n  b: 2\n", "a.b is given twice"),
            ("a: [1\n", "config.yaml"),
        ] {
            let message = read(content).unwrap_err().to_string();
            assert!(message.contains(part), "{content}: {message}");
        }
        assert_eq!(read("# nothing\n").unwrap(), Configuration::default());
        assert_eq!(read("").unwrap(), Configuration::default());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let config: Configuration = [
            ("a.b", "1"),
            ("a.null", "~"),
            ("c", " x "),
            ("d", "a: b # c"),
            ("e", "line1\nline2"),
            ("f", "it's"),
            ("g", ""),
            ("h", "*x"),
            ("i", "1e3"),
            ("args", "--k;'v;w'"),
        ]
        .into_iter()
        .collect();
        let written = write(&config, &["args"]).unwrap();
        assert!(written.contains("args:\n- '--k'\n- v;w\n"), "{written}");
        assert_eq!(read(&written).unwrap(), config);
    }

    #[test]
    fn overlapping_keys_are_found() {
        let config: Configuration = [
            ("high-availability", "k"),
            ("high-availability.storageDir", "d"),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            overlap(&config),
            Some(("high-availability", "high-availability.storageDir"))
        );
        let apart: Configuration = [("a-b", "1"), ("a.b", "2")].into_iter().collect();
        assert_eq!(overlap(&apart), None);
    }
}
