//! Rules for requests and limits of JobManager and TaskManagers (D20 and D25).
//!
//! Only amounts that every reader understands alike are judged. The others are the operator's business:
//! memory may be written in Flink's way, in which `m` is not a thousandth.

use super::Rule;

/// The rules for the JobManager.
pub(super) const JOB_MANAGER: Component = Component {
    name: "JobManager",
    at: "spec.jobManager.resources",
};
/// The rules for TaskManagers.
pub(super) const TASK_MANAGER: Component = Component {
    name: "TaskManager",
    at: "spec.taskManager.resources",
};
/// The sections of requirements.
const SECTIONS: [&str; 2] = ["requests", "limits"];

/// A component, and where its requirements are.
pub(super) struct Component {
    name: &'static str,
    at: &'static str,
}

/// What an amount must be, held against zero.
struct Bound {
    resource: &'static str,
    compares: &'static str,
    otherwise: &'static str,
}

const BOUNDS: [Bound; 3] = [
    // Zero is zero in every way of writing memory; a negative number is no memory in Flink's.
    Bound {
        resource: "memory",
        compares: "!= 0",
        otherwise: "must be positive",
    },
    Bound {
        resource: "cpu",
        compares: "> 0",
        otherwise: "must be positive",
    },
    Bound {
        resource: "ephemeral-storage",
        compares: ">= 0",
        otherwise: "must not be negative",
    },
];

/// Amounts of which the request must not be above the limit.
struct Ordered {
    resource: &'static str,
    /// That a text `{}` is one of those that are compared, as an expression.
    reads: &'static str,
}

const ORDERED: [Ordered; 2] = [
    Ordered {
        resource: "cpu",
        reads: "isQuantity({})",
    },
    Ordered {
        resource: "memory",
        reads: "{}.matches('^[0-9]+(Ki|Mi|Gi|Ti)$')",
    },
];

impl Component {
    pub(super) fn rules(&self) -> Vec<Rule> {
        let bounds = SECTIONS
            .iter()
            .flat_map(|section| BOUNDS.iter().map(move |bound| self.bounded(section, bound)));
        bounds
            .chain(ORDERED.iter().map(|ordered| self.ordered(ordered)))
            .collect()
    }

    fn bounded(&self, section: &str, bound: &Bound) -> Rule {
        let (component, name) = (self.name, bound.resource);
        let (is_there, amount) = (is_there(section, name), amount(section, name));
        let compared = format!(
            "quantity({amount}).compareTo(quantity('0')) {}",
            bound.compares
        );
        Rule::at(self.at)
            .holds(format!(
                "!({is_there} && isQuantity({amount}) && !({compared}))"
            ))
            .computes(format!(
                "'{component} resource requirements {section} {name} {}: ' + {amount}",
                bound.otherwise
            ))
    }

    fn ordered(&self, ordered: &Ordered) -> Rule {
        let (component, name) = (self.name, ordered.resource);
        let are_there = SECTIONS.map(|section| is_there(section, name)).join(" && ");
        let [request, limit] = SECTIONS.map(|section| amount(section, name));
        let are_read = [&request, &limit].map(|amount| ordered.reads.replace("{}", amount));
        let are_read = are_read.join(" && ");
        Rule::at(self.at)
            .holds(format!(
                "!({are_there} && {are_read} && quantity({request}).isGreaterThan(quantity({limit})))"
            ))
            .computes(format!(
                "'{component} resource requirements {name} request (' + {request} + ') must not exceed its limit (' + {limit} + ')'"
            ))
    }
}

/// That a section has an amount, as an expression.
fn is_there(section: &str, resource: &str) -> String {
    format!("has(self.{section}) && '{resource}' in self.{section}")
}

/// The text of an amount, as an expression.
fn amount(section: &str, resource: &str) -> String {
    format!("string(self.{section}['{resource}'])")
}
