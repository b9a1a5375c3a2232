//! The functional core of the Flink operator: what to look at, what to do, what to store.
//!
//! Everything here is a pure function of its inputs. The core never does IO, never reads a clock,
//! the environment or randomness, and knows neither HTTP nor actors; time and random identities come
//! in as arguments, so that the same inputs give the same bytes.
//!
//! A pass of the shell reads a [`Resource`](resource::Resource), asks what [`decide::wanted`] names,
//! lets [`decide::decide`] say what to do, does it, and stores what [`decide::settle`] makes of it.

pub mod announce;
pub mod build;
pub mod config;
pub mod decide;
pub mod decision;
pub mod diff;
pub mod effect;
pub mod fact;
pub mod name;
pub mod observed;
pub mod question;
pub mod resource;
pub mod status;
pub mod validate;
