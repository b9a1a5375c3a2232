//! What tests on a real API server stand on: control planes, namespaces, operators, and a node that plays
//! JobManagers. The load test uses it, too.

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod flink;
pub(crate) mod line;
pub(crate) mod node;
pub(crate) mod operator;
pub(crate) mod plane;
pub(crate) mod space;
