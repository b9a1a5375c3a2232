//! The flat format `flink-conf.yaml`: one `key: value` per line, without quoting.

use super::Configuration;

/// Name of a file in this format.
pub const FILE_NAME: &str = "flink-conf.yaml";

/// Reads the format exactly as Flink does.
///
/// `#` starts a comment anywhere, the first `: ` separates, both sides are trimmed; a line without
/// key or value is skipped. It never fails; use [`skipped_lines`] to tell a person what was ignored.
pub fn read(text: &str) -> Configuration {
    text.lines().filter_map(entry).collect()
}

/// Lists the numbers of lines that hold text but no `key: value`, counted from 1.
pub fn skipped_lines(text: &str) -> Vec<usize> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !without_comment(line).is_empty() && entry(line).is_none())
        .map(|(index, _)| index + 1)
        .collect()
}

/// Renders the format; values appear as they are, which not every value survives (see [`loss`]).
///
/// A line break would end the entry and make garbage of what follows, so it becomes a blank.
pub fn write(config: &Configuration) -> String {
    let mut text = String::new();
    for (key, value) in config.iter() {
        text.push_str(key);
        text.push_str(": ");
        let lines: Vec<&str> = value.lines().collect();
        text.push_str(&lines.join(" "));
        text.push('\n');
    }
    text
}

/// Says why a value cannot be read back from this format, if it cannot.
pub fn loss(value: &str) -> Option<&'static str> {
    if value.contains('#') {
        Some("is cut at '#', which starts a comment in flink-conf.yaml")
    } else if value.contains(['\n', '\r']) {
        Some("has its line breaks replaced by blanks, since flink-conf.yaml holds one line per key")
    } else {
        None
    }
}

fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}

fn entry(line: &str) -> Option<(String, String)> {
    let (key, value) = without_comment(line).split_once(": ")?;
    let (key, value) = (key.trim(), value.trim());
    (!key.is_empty() && !value.is_empty()).then(|| (key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_flink_reads_them() {
        let text = "\
# comment
a: 1
  b.c  :   x: y # tail
nothing here
d:no blank
e:
a: 2
url: http://h:1/#anchor
";
        let config = read(text);
        let entries: Vec<_> = config.iter().collect();
        assert_eq!(
            entries,
            [("a", "2"), ("b.c", "x: y"), ("url", "http://h:1/")]
        );
        assert_eq!(skipped_lines(text), [4, 5, 6]);
    }

    #[test]
    fn a_line_break_does_not_make_entries_of_its_own() {
        let config: Configuration = [("a", "1\nb: 2"), ("c", " x ")].into_iter().collect();
        assert_eq!(write(&config), "a: 1 b: 2\nc:  x \n");
        assert!(loss("1\nb").is_some() && loss("a#b").is_some() && loss("a b").is_none());
    }
}
