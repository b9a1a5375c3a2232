//! Lists and maps inside one configuration value, with Flink's quoting.
//!
//! A list is separated by `;`, a map is `k:v` pairs separated by `,`. A piece that begins with a
//! quote runs to its closing quote (doubled inside, it stands for itself); quotes elsewhere are
//! ordinary characters. Unquoted pieces are trimmed.

use std::collections::BTreeMap;

use super::error::ValueError;

/// Splits a text at a separator, honouring quotes at the start of a piece.
pub fn split(text: &str, separator: char) -> Result<Vec<String>, ValueError> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_start();
    // Nothing before the first separator and nothing after the last make no piece, as in Flink.
    if let Some(after) = rest.strip_prefix(separator) {
        rest = after;
    }
    while !rest.is_empty() {
        let start = rest.trim_start();
        let first = start.chars().next();
        if let Some(quote @ ('\'' | '"')) = first {
            let (piece, after) = quoted(&start[1..], quote)
                .ok_or_else(|| ValueError::quoting(text, "has a quote that is never closed"))?;
            pieces.push(piece);
            let after = after.trim_start();
            if after.is_empty() {
                break;
            }
            rest = after.strip_prefix(separator).ok_or_else(|| {
                let reason =
                    format!("has text after a closing quote where '{separator}' was expected");
                ValueError::quoting(text, &reason)
            })?;
            continue;
        }
        let Some((piece, after)) = rest.split_once(separator) else {
            let piece = rest.trim();
            if !piece.is_empty() {
                pieces.push(piece.to_owned());
            }
            break;
        };
        pieces.push(piece.trim().to_owned());
        rest = after;
    }
    Ok(pieces)
}

/// Takes a quoted piece whose opening quote was read: its text and what follows the closing quote.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut piece = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once(quote)?;
        piece.push_str(before);
        match after.strip_prefix(quote) {
            Some(more) => {
                piece.push(quote);
                rest = more;
            }
            None => return Some((piece, after)),
        }
    }
}

/// Quotes a piece if it could not be read back otherwise.
///
/// Flink quotes for the separator and for quotes only; blank edges and empty pieces are quoted here
/// too, since Flink would lose them when it reads its own output.
pub fn quote(piece: &str, separators: &[char]) -> String {
    let plain = !piece.is_empty()
        && piece.trim() == piece
        && !piece.contains(['\'', '"'])
        && !piece.contains(separators);
    if plain {
        piece.to_owned()
    } else {
        format!("'{}'", piece.replace('\'', "''"))
    }
}

/// Reads a list: a YAML flow list such as `[a, b]`, else pieces separated by `;`.
pub fn parse_list(text: &str) -> Result<Vec<String>, ValueError> {
    let trimmed = text.trim();
    if trimmed.starts_with('[')
        && trimmed.ends_with(']')
        && let Some(list) = super::nested::flow_list(trimmed)
    {
        return Ok(list);
    }
    split(text, ';')
}

/// Prints a list with `;`. A piece that looks like the start of a YAML list is quoted too.
pub fn print_list<S: AsRef<str>>(list: &[S]) -> String {
    let pieces: Vec<String> = list
        .iter()
        .map(|piece| {
            quote(
                piece.as_ref(),
                if piece.as_ref().starts_with('[') {
                    &['[']
                } else {
                    &[';']
                },
            )
        })
        .collect();
    pieces.join(";")
}

/// Reads a map of `k:v` pairs separated by `,`, in the order written.
pub fn parse_pairs(text: &str) -> Result<Vec<(String, String)>, ValueError> {
    split(text, ',')?
        .into_iter()
        .map(|pair| {
            let parts = split(&pair, ':')?;
            let [key, value]: [String; 2] = parts.try_into().map_err(|_| {
                ValueError::quoting(
                    &pair,
                    "is not one key:value pair; quote a value that contains ':' with '…'",
                )
            })?;
            Ok((key, value))
        })
        .collect()
}

/// Reads a map of `k:v` pairs; of equal keys the last one counts.
pub fn parse_map(text: &str) -> Result<BTreeMap<String, String>, ValueError> {
    Ok(parse_pairs(text)?.into_iter().collect())
}

/// Prints a map with `k:v` pairs separated by `,`, in the order given.
pub fn print_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pieces: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| {
            let pair = format!("{}:{}", quote(key, &[':']), quote(value, &[':']));
            quote(&pair, &[','])
        })
        .collect();
    pieces.join(",")
}

/// Prints a map with `k:v` pairs separated by `,`.
pub fn print_map(map: &BTreeMap<String, String>) -> String {
    print_pairs(
        map.iter()
            .map(|(key, value)| (key.as_str(), value.as_str())),
    )
}

/// Reads a list of maps, such as tolerations.
pub fn parse_maps(text: &str) -> Result<Vec<BTreeMap<String, String>>, ValueError> {
    parse_list(text)?
        .iter()
        .map(|piece| parse_map(piece))
        .collect()
}

/// Prints a list of maps.
pub fn print_maps(maps: &[BTreeMap<String, String>]) -> String {
    let pieces: Vec<String> = maps.iter().map(print_map).collect();
    print_list(&pieces)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse_pairs(text).unwrap()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn quotes_count_only_at_the_start_of_a_piece() {
        assert_eq!(split("a'b;c", ';').unwrap(), ["a'b", "c"]);
        assert_eq!(split("'a;b' ; \"c;\"\"d\"", ';').unwrap(), ["a;b", "c;\"d"]);
        assert_eq!(pairs("url:'http://x:80/y'"), [pair("url", "http://x:80/y")]);
        assert_eq!(
            pairs("'list:a,b',k:v"),
            [pair("list", "a,b"), pair("k", "v")]
        );
        assert!(parse_pairs("url:'http://x/y,z'").is_err());
    }

    #[test]
    fn empty_pieces_are_kept_between_separators_only() {
        assert_eq!(split("a;;b", ';').unwrap(), ["a", "", "b"]);
        assert_eq!(split(";a;", ';').unwrap(), ["a"]);
        assert!(split("", ';').unwrap().is_empty());
        assert!(split(" ", ';').unwrap().is_empty());
    }

    #[test]
    fn wrong_quoting_is_refused() {
        for text in ["'a", "'a'b;c"] {
            assert!(split(text, ';').is_err(), "{text}");
        }
        for text in ["a", "a:b:c", "a:"] {
            assert!(parse_pairs(text).is_err(), "{text}");
        }
    }

    #[test]
    fn both_list_forms_are_read() {
        assert_eq!(parse_list("[a, 'b c', 3]").unwrap(), ["a", "b c", "3"]);
        assert_eq!(parse_list("a;'b;c'").unwrap(), ["a", "b;c"]);
        assert!(parse_list("[]").unwrap().is_empty());
    }

    #[test]
    fn values_that_need_quotes_get_them() {
        assert_eq!(print_list(&["a", "b;c", "it's", ""]), "a;'b;c';'it''s';''");
        assert_eq!(print_list(&["[a]"]), "'[a]'");
        assert_eq!(
            print_pairs([("k", "a:b"), ("l", "a,b")]),
            "'k:''a:b''','l:a,b'"
        );
    }
}
