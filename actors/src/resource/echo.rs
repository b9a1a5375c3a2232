//! Telling the echo of our own writes from news.

use crate::stores::Stores;
use operator_core::name::{Key, ResourceVersion};
use std::cmp::Ordering;

/// How the watch store stands to our last write of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    /// It shows something older: the echo is on its way.
    Behind,
    /// It shows exactly what we wrote.
    Echo,
    /// It shows something else, or we have not written.
    News,
}

/// The last version of a resource that this actor's passes wrote.
#[derive(Debug, Default)]
pub(super) struct Written(Option<ResourceVersion>);

impl Written {
    /// Notes a write.
    pub(super) fn note(&mut self, version: Option<&ResourceVersion>) {
        if let Some(version) = version {
            self.0 = Some(version.clone());
        }
    }

    /// Compares with what the store shows. A resource that is gone is news.
    pub(super) fn compare(&self, stores: &Stores, key: &Key) -> Store {
        let Some(written) = &self.0 else {
            return Store::News;
        };
        let Some(shown) = stores.resource(key) else {
            return Store::News;
        };
        match order(&shown.metadata.resource_version, written.as_str()) {
            Some(Ordering::Less) => Store::Behind,
            Some(Ordering::Equal) => Store::Echo,
            Some(Ordering::Greater) | None => Store::News,
        }
    }
}

/// Orders two versions of one object: the API server counts them up. Versions of another form are only
/// compared for being equal.
fn order(one: &str, other: &str) -> Option<Ordering> {
    if one == other {
        return Some(Ordering::Equal);
    }
    let number = |text: &str| text.parse::<u64>().ok();
    Some(number(one)?.cmp(&number(other)?))
}

#[cfg(test)]
mod tests {
    use super::order;
    use std::cmp::Ordering;

    #[test]
    fn versions_are_ordered_as_numbers_or_not_at_all() {
        assert_eq!(order("9", "10"), Some(Ordering::Less));
        assert_eq!(order("11", "10"), Some(Ordering::Greater));
        assert_eq!(order("x", "x"), Some(Ordering::Equal));
        assert_eq!(order("x", "10"), None);
    }
}
