//! The storm: at each turn one deed of a user or one larger fault, as the dice say.

use flink_operator_oracle::history::Goal;
use flink_operator_world::api::{Match, Verb};
use flink_operator_world::cluster::{RestTrouble, Trouble, World};
use flink_operator_world::points::{Action, Failure};
use serde_json::json;

use super::dice::Dice;
use super::fleet::{Crew, Nature, Wish};
use crate::deeds::SAVEPOINTS;
use crate::play::NAMESPACE;

/// A storm over a world.
pub struct Storm {
    world: World,
    crew: Crew,
    wishes: Vec<Wish>,
    deeds: Vec<String>,
}

impl Storm {
    pub fn new(world: &World, crew: Crew, wishes: Vec<Wish>) -> Self {
        Self {
            world: world.clone(),
            crew,
            wishes,
            deeds: Vec::new(),
        }
    }

    /// Ends all larger faults; gives the operators, what users want, and what was done.
    pub fn end(mut self) -> (Crew, Vec<Wish>, Vec<String>) {
        for index in 0..self.wishes.len() {
            self.heal(index);
        }
        (self.crew, self.wishes, self.deeds)
    }

    /// Does one thing.
    pub fn turn(&mut self, dice: &mut Dice) {
        let index = usize::try_from(dice.below(self.wishes.len() as u64)).expect("few wishes");
        match dice.below(20) {
            0..=7 => self.as_user(index, dice),
            8..=11 => self.as_cluster(index, dice),
            12 => self.heal(index),
            13 => {
                self.tell("the operator crashes, and another starts");
                self.crew.crash_first();
                self.crew.add();
            }
            14 => {
                self.tell("the operator crashes");
                self.crew.crash_first();
            }
            15 if self.crew.count() < 2 => {
                self.tell("another operator starts");
                self.crew.add();
            }
            16 if self.crew.count() < 2 => {
                self.tell("the operators stand still, and another starts");
                self.crew.stall();
                self.crew.add();
            }
            17 => {
                self.tell("operators that stood still go on");
                self.crew.go_on();
            }
            18 => {
                self.tell("all watches break");
                self.crew.break_watches();
            }
            _ => self.refuse_reads(dice),
        }
        if self.crew.count() == 0 && dice.once_in(2) {
            self.tell("an operator starts");
            self.crew.add();
        }
    }

    fn tell(&mut self, deed: &str) {
        let now = self.world.api.clock().now();
        self.deeds.push(format!("{now} {deed}"));
    }

    fn as_user(&mut self, index: usize, dice: &mut Dice) {
        let wish = self.wishes[index].clone();
        let name = wish.name;
        if wish.goal == Goal::Gone {
            // Refused while the last one of this name is still going.
            if self.world.api.create(wish.resource()).is_ok() {
                self.tell(&format!("{name} is created"));
                self.wishes[index].goal = Goal::Running;
                self.wishes[index].harmed = false;
            }
            return;
        }
        let choices = match wish.nature {
            Nature::Plain | Nature::Available | Nature::Kept { .. } => 6,
            Nature::Stateful => 1,
        };
        match dice.below(choices) {
            0 if dice.once_in(2) => {
                let deleted = self.world.api.delete("FlinkDeployment", NAMESPACE, name);
                deleted.expect("it was created and not deleted");
                self.tell(&format!("{name} is deleted"));
                self.wishes[index].goal = Goal::Gone;
            }
            0 => {}
            1 | 2 => {
                let parallelism = 1 + dice.below(8);
                wish.edit(&self.world, |spec| {
                    spec["job"]["parallelism"] = json!(parallelism);
                });
                self.tell(&format!("{name} gets parallelism {parallelism}"));
            }
            3 => {
                let nonce = dice.below(1_000);
                wish.edit(&self.world, |spec| spec["restartNonce"] = json!(nonce));
                self.tell(&format!("{name} gets restartNonce {nonce}"));
            }
            _ => {
                let (state, goal) = match wish.goal {
                    Goal::Suspended => ("running", Goal::Running),
                    Goal::Running
                    | Goal::Waiting(_)
                    | Goal::Ended(_)
                    | Goal::Gone
                    | Goal::OneOf(_) => ("suspended", Goal::Suspended),
                };
                wish.edit(&self.world, |spec| spec["job"]["state"] = json!(state));
                self.tell(&format!("{name} is to be {state}"));
                self.wishes[index].goal = goal;
            }
        }
    }

    fn as_cluster(&mut self, index: usize, dice: &mut Dice) {
        let Wish { name, nature, .. } = self.wishes[index];
        if let Nature::Kept { .. } = nature
            && dice.once_in(2)
        {
            return self.as_flink(index, dice);
        }
        let cluster = &self.world.cluster;
        let kind = dice.below(6);
        // Whatever ends the process, or keeps it from being asked: what only it knew is lost with it.
        self.wishes[index].harmed |= matches!(kind, 0 | 1 | 3 | 4);
        let deed = match kind {
            0 if nature == Nature::Plain => {
                // Not there at the moment is as good.
                drop(self.world.api.delete("Deployment", NAMESPACE, name));
                "loses its Deployment".to_owned()
            }
            0 | 1 => {
                cluster.kill_job_manager(NAMESPACE, name);
                "loses its JobManager process".to_owned()
            }
            2 => {
                cluster.kill_task_managers(NAMESPACE, name);
                "loses its TaskManagers".to_owned()
            }
            3 => {
                cluster.freeze_job_manager(NAMESPACE, name);
                "has a JobManager that stands still".to_owned()
            }
            4 => {
                let trouble = dice.pick(&[
                    Trouble::ImagePull,
                    Trouble::Crash(1),
                    Trouble::Unschedulable,
                    Trouble::Quota,
                    Trouble::NeverReady,
                ]);
                cluster.set_trouble(NAMESPACE, name, Some(trouble.clone()));
                format!("has pods with {trouble:?}")
            }
            _ => {
                let trouble = dice.pick(&[
                    RestTrouble::Hang,
                    RestTrouble::Refuse,
                    RestTrouble::Status(500),
                    RestTrouble::Garbage,
                    RestTrouble::Truncated,
                    RestTrouble::SilentBody,
                    RestTrouble::LoseReplies,
                ]);
                cluster.set_rest_trouble(NAMESPACE, name, Some(trouble.clone()));
                format!("has a REST endpoint with {trouble:?}")
            }
        };
        self.tell(&format!("{name} {deed}"));
    }

    /// Does what Flink and its storage do to a job that keeps its state.
    fn as_flink(&mut self, index: usize, dice: &mut Dice) {
        let name = self.wishes[index].name;
        let cluster = &self.world.cluster;
        let deed = match dice.below(3) {
            0 => {
                let why = "java.lang.RuntimeException: asked to fail";
                cluster.fail_tasks(NAMESPACE, name, why);
                "has a task that fails"
            }
            1 => {
                cluster.forget_results(NAMESPACE, name);
                "forgets the results of its operations"
            }
            _ => {
                cluster.with_files(|files| files.unwritable.insert(SAVEPOINTS.to_owned()));
                "cannot write savepoints"
            }
        };
        self.tell(&format!("{name} {deed}"));
    }

    /// Ends the troubles of a cluster. Pods keep the trouble that they were born with: somebody deletes them.
    fn heal(&mut self, index: usize) {
        let name = self.wishes[index].name;
        let cluster = &self.world.cluster;
        cluster.set_trouble(NAMESPACE, name, None);
        cluster.set_rest_trouble(NAMESPACE, name, None);
        cluster.thaw_job_manager(NAMESPACE, name);
        cluster.with_files(|files| files.unwritable.remove(SAVEPOINTS));
        let pods = self.world.api.look_at_all("Pod", NAMESPACE);
        let bad = |pod: &serde_json::Value| {
            let statuses = pod["status"]["containerStatuses"].as_array();
            let ready = statuses.is_some_and(|all| all.iter().all(|one| one["ready"] == true));
            pod["metadata"]["labels"]["app"] == name && !ready
        };
        for pod in pods.iter().filter(|pod| bad(pod)) {
            self.wishes[index].harmed |= pod["metadata"]["labels"]["component"] == "jobmanager";
            let pod = pod["metadata"]["name"].as_str().unwrap_or_default();
            self.world
                .api
                .delete("Pod", NAMESPACE, pod)
                .expect("it was listed a moment ago");
        }
        self.tell(&format!("{name} is healed"));
    }

    /// Lets the next reads of all operators fail.
    fn refuse_reads(&mut self, dice: &mut Dice) {
        let times = 1 + dice.below(10);
        self.crew.on_lines(|line| {
            let reads = Match::any().verb(Verb::Get).verb(Verb::List);
            let failing = line.on(reads).times(times);
            failing.act(Action::FailBefore(Failure::Status(503)));
        });
        self.tell(&format!("the next {times} reads fail"));
    }
}
