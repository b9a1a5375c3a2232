//! Single actors with passes made up by the test, in virtual time.
#![allow(clippy::unwrap_used, missing_docs)]

mod bench;
mod resource;
mod supervisor;
mod trouble;
mod watching;
