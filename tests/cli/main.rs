//! The built program, as a person or a script calls it.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is the failure

mod command;
mod config;
mod crds;
mod operator;
mod render;
mod run;
