//! The rules of the Java operator's webhook, by number: D for deployments, S for session jobs, N for
//! snapshots, A for the autoscaler.

/// Rules that an API server can check from the object alone.
pub(crate) const IN_DEFINITIONS: [&str; 23] = [
    "D1", "D2", "D4", "D8", "D10", "D16", "D17", "D20", "D21", "D25", "D26", "D27", "D28", "D29",
    "D30", "D31", "D32", "S1", "S2", "S3", "S5", "N1", "N3",
];

const OPTIONS: &str = "needs the effective configuration, with the operator's defaults";
const FLINKS_PARSER: &str = "needs Flink's and Java's parsers, whose texts are in the message";
const SCHEMES: &str = "needs the operator's options for artifacts";
const CLUSTER: &str = "needs the session cluster";
const AUTOSCALER: &str = "asked only if the effective configuration turns the autoscaler on";

/// Rules that need more than the object, and why.
pub(crate) const BY_THE_OPERATOR: [(&str, &str); 40] = [
    (
        "D3",
        "never broken: every version of the schema is supported",
    ),
    ("D5", OPTIONS),
    ("D6", OPTIONS),
    ("D7", OPTIONS),
    ("D9", FLINKS_PARSER),
    ("D11", OPTIONS),
    ("D12", OPTIONS),
    ("D13", OPTIONS),
    ("D14", OPTIONS),
    ("D15", OPTIONS),
    ("D18", OPTIONS),
    ("D19", FLINKS_PARSER),
    ("D22", OPTIONS),
    ("D23", OPTIONS),
    ("D24", FLINKS_PARSER),
    ("D33", AUTOSCALER),
    ("S4", FLINKS_PARSER),
    ("S6", SCHEMES),
    ("S7", SCHEMES),
    ("S8", "needs to look up a host"),
    ("S9", "needs to look up a host"),
    ("S10", CLUSTER),
    ("S11", CLUSTER),
    ("S12", CLUSTER),
    ("S13", CLUSTER),
    ("N2", "only says what is not asked any more; part of N3"),
    ("N4", "needs the resource that is referred to"),
    ("A1", AUTOSCALER),
    ("A2", AUTOSCALER),
    ("A3", AUTOSCALER),
    ("A4", AUTOSCALER),
    ("A5", AUTOSCALER),
    ("A6", AUTOSCALER),
    ("A7", AUTOSCALER),
    ("A8", AUTOSCALER),
    ("A9", AUTOSCALER),
    ("A10", AUTOSCALER),
    ("A11", AUTOSCALER),
    ("A12", AUTOSCALER),
    ("A13", AUTOSCALER),
];
