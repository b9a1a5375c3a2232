//! How status fields are derived and encoded: byte for byte where upstream compares bytes.

pub mod conditions;
pub mod error;
pub mod lifecycle;
pub mod recorded;
pub mod recorded_overrides;
