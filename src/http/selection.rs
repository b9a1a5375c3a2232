//! Which actors a page shows: chosen by namespace, name and state, and one piece at a time.

use std::fmt::Write as _;

use flink_operator_actors::health::{ActorHealth, ActorView};
use operator_core::name::Key;
use serde::Deserialize;

/// What can be asked for.
pub(super) const USAGE: &str = "choose with ?namespace=, name=, state= (such as STABLE, waiting, failing, busy), offset= and limit=";

/// Which actors to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Selection {
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    /// A word for what the resource or its actor does.
    pub(super) state: Option<String>,
    #[serde(default)]
    pub(super) offset: usize,
    pub(super) limit: Option<usize>,
}

impl Selection {
    /// Returns whether an actor is asked for.
    pub(super) fn fits(&self, key: &Key, actor: &ActorHealth) -> bool {
        let fits = |wanted: &Option<String>, text: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == text)
        };
        fits(&self.namespace, &key.namespace)
            && fits(&self.name, &key.name)
            && self.state.as_deref().is_none_or(|state| is(actor, state))
    }

    /// Leaves the actors of one piece; `most` if nobody says how many.
    pub(super) fn cut(&self, actors: &mut Vec<ActorView>, most: usize) {
        actors.drain(..self.offset.min(actors.len()));
        actors.truncate(self.limit.unwrap_or(most));
    }

    /// Returns the address of a page that shows these.
    pub(super) fn address(&self) -> String {
        let mut address = "/actors".to_owned();
        let texts = [
            ("namespace", self.namespace.clone()),
            ("name", self.name.clone()),
            ("state", self.state.clone()),
            ("offset", (self.offset > 0).then(|| self.offset.to_string())),
            ("limit", self.limit.map(|limit| limit.to_string())),
        ];
        let mut sign = '?';
        for (name, text) in texts {
            let Some(text) = text else { continue };
            address.push(sign);
            address.push_str(name);
            address.push('=');
            encode(&mut address, &text);
            sign = '&';
        }
        address
    }
}

/// Tells whether a word is true of an actor: a state of its resource, what it is doing, the reason that it waits
/// for, or one of the words that gather several.
fn is(actor: &ActorHealth, word: &str) -> bool {
    let waits = actor.waits();
    let gathered = match word.to_ascii_lowercase().as_str() {
        "waiting" => waits.is_some(),
        "failing" => actor.consecutive_failures > 0,
        "crash-looping" => actor.crash_looping,
        _ => false,
    };
    let reason = waits.as_ref().map(|waits| waits.reason.as_str());
    let states = [
        actor.lifecycle,
        actor.job_manager,
        actor.job,
        Some(actor.activity.as_str()),
        reason,
    ];
    let mut states = states.into_iter().flatten();
    gathered || states.any(|state| state.eq_ignore_ascii_case(word))
}

/// Writes a value as it stands in an address.
fn encode(address: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            address.push(char::from(byte));
        } else {
            write!(address, "%{byte:02X}").expect("writing to a String never fails");
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;

    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written() {
        let selection = Selection {
            namespace: Some("a&b=\"c\" ä/".to_owned()),
            name: None,
            state: Some("STABLE".to_owned()),
            offset: 200,
            limit: Some(50),
        };
        let address = selection.address();
        assert_eq!(
            address,
            "/actors?namespace=a%26b%3D%22c%22%20%C3%A4%2F&state=STABLE&offset=200&limit=50"
        );
        let Query(read) = Query::try_from_uri(&address.parse().unwrap()).unwrap();
        assert_eq!(selection, read);
        assert_eq!(Selection::default().address(), "/actors");
    }
}
