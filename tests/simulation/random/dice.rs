//! Random numbers that follow from a seed alone.

use std::time::Duration;

/// A row of numbers; the same seed gives the same row (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Takes the row of one episode of a seed. Any text is a seed: the gate takes the commit.
    pub fn of(seed: &str, episode: u64) -> Self {
        let text = format!("{seed}/{episode}");
        Self(text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Draws a number below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.draw() % limit
    }

    /// Tells yes once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Picks one of a list that is not empty.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let index = usize::try_from(self.below(from.len() as u64)).expect("an index fits");
        from[index].clone()
    }

    /// Draws a time between two numbers of milliseconds.
    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

#[test]
fn rows_follow_from_their_seed() {
    let row = |seed: &str, episode| {
        let mut dice = Dice::of(seed, episode);
        (0..20).map(|_| dice.below(1_000)).collect::<Vec<_>>()
    };
    assert_eq!(row("a", 1), row("a", 1));
    assert_ne!(row("a", 1), row("a", 2));
    assert_ne!(row("a", 1), row("b", 1));
}
