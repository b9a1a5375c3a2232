//! Values of every type that an option can have.

use std::collections::BTreeMap;
use std::time::Duration;

use operator_core::config::{Kind, MemorySize, Value};
use proptest::prelude::*;

type Map = BTreeMap<String, String>;

/// One value of each type.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    flag: bool,
    whole: u16,
    double: f64,
    duration: Duration,
    size: MemorySize,
    text: String,
    list: Vec<String>,
    map: Map,
    maps: Vec<Map>,
    word: prop::sample::Index,
}

impl Sample {
    /// Prints the value of a type.
    pub(crate) fn print(&self, kind: Kind) -> String {
        match kind {
            Kind::Boolean => self.flag.print(),
            Kind::Integer => self.whole.print(),
            Kind::Double => self.double.print(),
            Kind::Duration => self.duration.print(),
            Kind::MemorySize => self.size.print(),
            Kind::Text => self.text.print(),
            Kind::List => self.list.print(),
            Kind::Map => self.map.print(),
            Kind::Maps => self.maps.print(),
            Kind::Enum(words) => self.word.get(words).to_string(),
        }
    }

    /// Tells whether a text gives the value of a type back.
    pub(crate) fn is_read_from(&self, kind: Kind, text: &str) -> bool {
        match kind {
            Kind::Boolean => bool::parse(text).as_ref() == Ok(&self.flag),
            Kind::Integer => {
                u16::parse(text).as_ref() == Ok(&self.whole)
                    && i32::parse(text) == Ok(self.whole.into())
                    && i64::parse(text) == Ok(self.whole.into())
            }
            Kind::Double => f64::parse(text).as_ref() == Ok(&self.double),
            Kind::Duration => <Duration as Value>::parse(text).as_ref() == Ok(&self.duration),
            Kind::MemorySize => MemorySize::parse(text).as_ref() == Ok(&self.size),
            Kind::Text => String::parse(text).as_ref() == Ok(&self.text),
            Kind::List => Vec::<String>::parse(text).as_ref() == Ok(&self.list),
            Kind::Map => Map::parse(text).as_ref() == Ok(&self.map),
            Kind::Maps => Vec::<Map>::parse(text).as_ref() == Ok(&self.maps),
            Kind::Enum(words) => words.contains(&text),
        }
    }

    /// Reads a text as a type and prints what was read.
    pub(crate) fn reprinted(kind: Kind, text: &str) -> String {
        fn through<T: Value>(text: &str) -> String {
            T::parse(text).unwrap().print()
        }
        match kind {
            Kind::Boolean => through::<bool>(text),
            Kind::Integer => through::<i64>(text),
            Kind::Double => through::<f64>(text),
            Kind::Duration => through::<Duration>(text),
            Kind::MemorySize => through::<MemorySize>(text),
            Kind::Text => through::<String>(text),
            Kind::List => through::<Vec<String>>(text),
            Kind::Map => through::<Map>(text),
            Kind::Maps => through::<Vec<Map>>(text),
            Kind::Enum(words) => {
                assert!(words.contains(&text), "{text} is not one of {words:?}");
                text.to_owned()
            }
        }
    }
}

impl Arbitrary for Sample {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        // Separators, quotes, brackets and blanks are what could go wrong.
        let piece = "[a-z0-9;:,'\" \\[\\]{}#-]{0,6}";
        let map = || prop::collection::btree_map(piece, piece, 0..3);
        let simple = (
            any::<bool>(),
            any::<u16>(),
            prop_oneof![
                prop::num::f64::NORMAL,
                prop::num::f64::ZERO,
                (0_u16..1000).prop_map(|n| f64::from(n) / 100.0),
            ],
            prop_oneof![
                (0..1_000_000_u64).prop_map(Duration::from_secs),
                (0..1_000_000_u64).prop_map(Duration::from_millis),
                (0..1_000_000_u64).prop_map(Duration::from_nanos),
            ],
            prop_oneof![
                any::<u64>().prop_map(MemorySize::of_bytes),
                any::<u32>().prop_map(MemorySize::of_mib),
            ],
            "[ -~]{0,12}",
        );
        let joined = (
            prop::collection::vec(piece, 0..4),
            map(),
            // A list has no way to hold an empty map beside nothing at all.
            prop::collection::vec(map().prop_filter("empty", |map| !map.is_empty()), 0..3),
            any::<prop::sample::Index>(),
        );
        (simple, joined)
            .prop_map(
                |((flag, whole, double, duration, size, text), (list, map, maps, word))| Self {
                    flag,
                    whole,
                    double,
                    duration,
                    size,
                    text,
                    list,
                    map,
                    maps,
                    word,
                },
            )
            .boxed()
    }
}
