//! How fast controllers and kubelet work, and what troubles a cluster has.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::flink::pace::Pace;

/// Durations of the simulated controllers and kubelet; the defaults are near a real, idle cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePace {
    /// From a Deployment's creation, or a pod's loss, until the pod object is there.
    pub controller: SignedDuration,
    /// From the pod object until it is bound to the node.
    pub bind: SignedDuration,
    /// From mounted volumes until the container runs.
    pub start: SignedDuration,
    /// First pause between two tries to mount; later ones double.
    pub mount_retry: SignedDuration,
    /// Longest pause between two tries to mount.
    pub mount_retry_max: SignedDuration,
    /// Period of the startup probe.
    pub probe: SignedDuration,
    /// From SIGTERM until a JobManager has ended.
    pub stop_job_manager: SignedDuration,
    /// From SIGTERM until a TaskManager has ended.
    pub stop_task_manager: SignedDuration,
    /// First pause before a container that keeps crashing is started again; later ones double.
    pub back_off: SignedDuration,
    /// Longest such pause.
    pub back_off_max: SignedDuration,
    /// After this long without progress a Deployment says so.
    pub progress_deadline: SignedDuration,
}

impl Default for NodePace {
    fn default() -> Self {
        let millis = SignedDuration::from_millis;
        Self {
            controller: millis(50),
            bind: millis(20),
            start: millis(500),
            mount_retry: millis(500),
            mount_retry_max: millis(8_000),
            probe: millis(1_000),
            stop_job_manager: millis(1_900),
            stop_task_manager: millis(900),
            back_off: millis(10_000),
            back_off_max: millis(300_000),
            progress_deadline: millis(600_000),
        }
    }
}

/// What keeps pods from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The image cannot be pulled.
    ImagePull,
    /// The container ends with this code one second after each start.
    Crash(i32),
    /// No node has room.
    Unschedulable,
    /// A quota refuses the pod.
    Quota,
    /// The container runs and its process does nothing.
    NeverReady,
}

impl Trouble {
    /// Tells what an image by its mere name suffers from, so that a resource alone can say what happens:
    /// `missing` cannot be pulled, `crashing` ends at once.
    pub fn of_image(image: &str) -> Option<Self> {
        if image.contains("missing") {
            Some(Self::ImagePull)
        } else if image.contains("crashing") {
            Some(Self::Crash(1))
        } else {
            None
        }
    }

    /// Tells what a CPU request beyond all nodes leads to.
    pub fn of_cpu(request: &str) -> Option<Self> {
        let cores = request.strip_suffix('m').map_or_else(
            || request.parse::<f64>().ok(),
            |millis| millis.parse::<f64>().ok().map(|millis| millis / 1_000.0),
        );
        cores
            .is_some_and(|cores| cores > NODE_CORES)
            .then_some(Self::Unschedulable)
    }
}

/// Cores of the only node.
const NODE_CORES: f64 = 64.0;

/// Everything about a world's clusters that a test can turn.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Pace of controllers and kubelet.
    pub node: NodePace,
    /// Pace of Flink.
    pub flink: Pace,
    /// Whether the address of a pod that is gone goes to the next one, as it soon does in busy networks.
    pub reuse_addresses: bool,
    /// Troubles by namespace and app label; they hold for pods that start from now on.
    pub troubles: BTreeMap<(String, String), Trouble>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_requests_tell_their_trouble() {
        assert_eq!(
            Trouble::of_image("registry/missing:1"),
            Some(Trouble::ImagePull)
        );
        assert_eq!(Trouble::of_image("flink:1.20"), None);
        assert_eq!(Trouble::of_cpu("1.0"), None);
        assert_eq!(Trouble::of_cpu("500m"), None);
        assert_eq!(Trouble::of_cpu("1000"), Some(Trouble::Unschedulable));
    }
}
