//! The client against servers on the wire, and against a simulated one in virtual time.
#![allow(clippy::unwrap_used)]

mod calls;
mod connections;
mod permits;
mod replies;
mod server;
mod simulated;
mod tls;
mod uploads;
mod versions;
