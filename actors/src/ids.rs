//! Random identities, drawn once per pass.

use operator_core::name::{AttemptId, Ids, JobId, ResultStoreId, TriggerId};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where identities come from.
#[derive(Clone, Debug)]
pub enum IdSource {
    /// The machine's randomness.
    Random,
    /// A sequence from a seed: the same seed gives the same identities.
    Seeded {
        /// Tells instances apart.
        seed: u64,
        /// Counts identities drawn.
        drawn: Arc<AtomicU64>,
    },
}

impl IdSource {
    /// Makes a repeatable source for simulations.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded {
            seed,
            drawn: Arc::default(),
        }
    }

    /// Draws the identities of one pass.
    ///
    /// # Panics
    ///
    /// Panics if the machine has no randomness, without which no identity is unique.
    pub fn draw(&self) -> Ids {
        Ids {
            operation: uuid(&self.hex()),
            attempt: AttemptId::new(uuid(&self.hex())),
            job: JobId::new(self.hex()),
            result_store: ResultStoreId::new(uuid(&self.hex())),
            trigger: TriggerId::new(self.hex()),
        }
    }

    /// Draws 32 hexadecimal digits.
    fn hex(&self) -> String {
        let bytes: [u8; 16] = match self {
            Self::Random => {
                let mut bytes = [0; 16];
                getrandom::fill(&mut bytes).expect("the machine has randomness");
                bytes
            }
            Self::Seeded { seed, drawn } => {
                let number = drawn.fetch_add(1, Ordering::Relaxed);
                let mixed = u128::from(mix(seed.wrapping_add(number))) << 64
                    | u128::from(mix(seed.rotate_left(32) ^ number));
                mixed.to_be_bytes()
            }
        };
        bytes
            .iter()
            .fold(String::with_capacity(32), |mut text, byte| {
                write!(text, "{byte:02x}").expect("writing to a String does not fail");
                text
            })
    }
}

/// Spreads neighbouring numbers over the whole range (the finalizer of `SplitMix64`).
fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn uuid(hex: &str) -> String {
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::IdSource;

    #[test]
    fn identities_differ_and_repeat_with_their_seed() {
        let one = IdSource::seeded(7);
        let (first, second) = (one.draw(), one.draw());
        assert_ne!(first, second);
        assert_ne!(first.job.as_str(), first.trigger.as_str());
        assert_eq!(IdSource::seeded(7).draw(), first);
        assert_ne!(IdSource::seeded(8).draw(), first);
        assert_eq!(first.job.as_str().len(), 32);
        assert_eq!(IdSource::Random.draw().attempt.as_str().len(), 36);
    }
}
