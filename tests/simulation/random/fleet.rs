//! The resources of an episode, what users want of them, and the operators that look after them.

use flink_operator_oracle::history::Goal;
use flink_operator_world::api::WireControl;
use flink_operator_world::cluster::World;
use flink_operator_world::points::Cut;
use serde_json::{Value, json};

use super::dice::Dice;
use crate::play::{self, NAMESPACE, Operator};

/// Which rules a resource is under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// No state and no high availability: it may lose its Deployment too.
    Plain,
    /// No state, but high availability leaves data behind.
    Available,
    /// It keeps its state by HA data. It cannot be upgraded yet, but it must survive everything else.
    Stateful,
    /// It keeps its state by savepoints, with high availability or without.
    Kept {
        /// Whether it has high availability.
        available: bool,
    },
}

/// One resource, and what users want of it at the moment.
#[derive(Clone, Debug)]
pub struct Wish {
    pub name: &'static str,
    pub nature: Nature,
    pub goal: Goal,
    /// Whether its cluster was treated so that its newest state may be known to nobody: a person is needed then.
    pub harmed: bool,
}

impl Wish {
    /// Lists the resources of every episode; none is there yet.
    pub fn all(dice: &mut Dice) -> Vec<Self> {
        let wish = |name, nature| Self {
            name,
            nature,
            goal: Goal::Gone,
            harmed: false,
        };
        let available = dice.once_in(2);
        vec![
            wish("plain", Nature::Plain),
            wish("available", Nature::Available),
            wish("stateful", Nature::Stateful),
            wish("kept", Nature::Kept { available }),
        ]
    }

    /// Gives where the resource may stand in the end: where its users want it, or, where Flink may have lost its
    /// newest state, in front of a person who is told.
    pub fn outcome(&self) -> Goal {
        let Nature::Kept { available } = self.nature else {
            return self.goal.clone();
        };
        if self.goal == Goal::Gone || !self.harmed {
            return self.goal.clone();
        }
        let mut goals = vec![
            self.goal.clone(),
            Goal::Waiting("ManualRestoreRequired".into()),
        ];
        if !available {
            goals.push(Goal::Waiting("RestoredFromOlderState".into()));
        }
        Goal::OneOf(goals)
    }

    /// Gives the resource as users write it.
    pub fn resource(&self) -> Value {
        let mut resource = match self.nature {
            Nature::Plain => lasting(play::application()),
            Nature::Available | Nature::Stateful => play::highly_available(),
            Nature::Kept { available: true } => play::with_ha(play::keeping()),
            Nature::Kept { available: false } => play::keeping(),
        };
        resource["metadata"]["name"] = json!(self.name);
        if self.nature == Nature::Stateful {
            resource["spec"]["job"]["upgradeMode"] = json!("last-state");
        }
        resource
    }

    /// Changes the spec, if the resource is there and is to stay.
    pub fn edit(&self, world: &World, change: impl FnOnce(&mut Value)) -> bool {
        let edit = |resource: &mut Value| change(&mut resource["spec"]);
        world
            .api
            .update("FlinkDeployment", NAMESPACE, self.name, edit)
            .is_ok()
    }
}

/// Without checkpoints, Flink ends a job whose TaskManager is lost unless it is told to start it again.
fn lasting(mut resource: Value) -> Value {
    resource["spec"]["flinkConfiguration"]["restart-strategy.type"] = json!("fixed-delay");
    resource
}

/// The operators of an episode; each new one has a name and a line of its own.
pub struct Crew {
    world: World,
    made: u32,
    names: Vec<String>,
    operators: Vec<Operator>,
}

impl Crew {
    /// Starts the first operator.
    pub fn start(world: &World) -> Self {
        let mut crew = Self {
            world: world.clone(),
            made: 0,
            names: Vec::new(),
            operators: Vec::new(),
        };
        crew.add();
        crew
    }

    /// Starts another operator beside those that are there.
    pub fn add(&mut self) {
        self.made += 1;
        let name = format!("op-{}", self.made);
        self.operators.push(Operator::start(&self.world, &name));
        self.names.push(name);
    }

    pub fn count(&self) -> usize {
        self.operators.len()
    }

    /// Kills the operator that came first.
    pub fn crash_first(&mut self) {
        if !self.operators.is_empty() {
            self.operators.remove(0).crash();
            self.names.remove(0);
        }
    }

    /// Lets the operators stand still: what is on its way arrives, nothing is heard.
    pub fn stall(&self) {
        for name in &self.names {
            self.world.api.control(name).cut(Cut::Silent);
        }
    }

    /// Lets the operators go on as if nothing had been.
    pub fn go_on(&self) {
        for name in &self.names {
            self.world.api.control(name).mend();
        }
    }

    /// Makes rules for the lines of all operators.
    pub fn on_lines(&self, rule: impl Fn(&WireControl)) {
        for name in &self.names {
            rule(&self.world.api.control(name));
        }
    }

    /// Breaks all watches; whatever they missed is found by listing again.
    pub fn break_watches(&self) {
        for name in &self.names {
            self.world.api.control(name).expire_watches();
        }
    }

    /// Leaves only the operator that came last.
    pub fn keep_last(&mut self) {
        while self.count() > 1 {
            self.crash_first();
        }
        if self.count() == 0 {
            self.add();
        }
    }
}
