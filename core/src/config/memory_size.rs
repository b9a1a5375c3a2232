//! Memory sizes: `2048m`, `2 gb`, powers of 1024, printed as Flink prints them.

use std::fmt;

use super::error::ValueError;
use super::number;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// A number of bytes, at most what a signed 64-bit number holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemorySize(u64);

impl MemorySize {
    /// The largest size that Flink can express.
    pub const MAX: Self = Self(i64::MAX.unsigned_abs());
    /// No memory.
    pub const ZERO: Self = Self(0);

    /// Makes a size from bytes; larger counts become [`MemorySize::MAX`].
    pub const fn of_bytes(bytes: u64) -> Self {
        if bytes > Self::MAX.0 {
            Self::MAX
        } else {
            Self(bytes)
        }
    }

    /// Makes a size from whole mebibytes.
    pub const fn of_mib(mib: u32) -> Self {
        Self(mib as u64 * MIB)
    }

    /// Returns the number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Returns the number of whole mebibytes, rounded down.
    pub const fn mib(self) -> u64 {
        self.0 / MIB
    }

    /// Adds, unless the sum is too large to express.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0
            .checked_add(other.0)
            .filter(|sum| *sum <= Self::MAX.0)
            .map(Self)
    }

    /// Subtracts, unless the result would be negative.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Multiplies exactly by the decimal text of `factor` and drops the fraction.
    pub fn times(self, factor: f64) -> Option<Self> {
        number::multiply_exactly(self.0, factor).map(Self)
    }

    /// Reads a whole number with an optional unit; without a unit it counts bytes.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let trimmed = text.trim();
        let end = trimmed
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(trimmed.len());
        let (digits, unit) = trimmed.split_at(end);
        if digits.is_empty() {
            return Err(ValueError::quoting(
                text,
                "is not a memory size: it must start with a whole number, as in 2048m or 2 gb",
            ));
        }
        let multiplier = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" | "bytes" => 1,
            "k" | "kb" | "kibibytes" => KIB,
            "m" | "mb" | "mebibytes" => MIB,
            "g" | "gb" | "gibibytes" => GIB,
            "t" | "tb" | "tebibytes" => TIB,
            _ => {
                return Err(ValueError::quoting(
                    text,
                    "is not a memory size: the unit must be one of b, k, m, g, t (powers of 1024)",
                ));
            }
        };
        digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(multiplier))
            .filter(|bytes| *bytes <= Self::MAX.0)
            .map(Self)
            .ok_or_else(|| ValueError::quoting(text, "is too large for a memory size"))
    }
}

impl fmt::Display for MemorySize {
    /// Prints with the largest unit up to `gb` that divides exactly; 0 and whole tebibytes in bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        let (unit, size) = if bytes.is_multiple_of(TIB) {
            ("bytes", 1)
        } else if bytes.is_multiple_of(GIB) {
            ("gb", GIB)
        } else if bytes.is_multiple_of(MIB) {
            ("mb", MIB)
        } else if bytes.is_multiple_of(KIB) {
            ("kb", KIB)
        } else {
            ("bytes", 1)
        };
        write!(f, "{} {unit}", bytes / size)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_every_spelling() {
        for (text, bytes) in [
            ("2048m", 2_147_483_648),
            ("2 gb", 2_147_483_648),
            ("2G", 2_147_483_648),
            (" 1600 MB ", 1_677_721_600),
            ("1024", 1024),
            ("7 bytes", 7),
            ("1 kibibytes", 1024),
            ("1tebibytes", 1 << 40),
        ] {
            assert_eq!(MemorySize::parse(text).unwrap().bytes(), bytes, "{text}");
        }
    }

    #[test]
    fn wrong_sizes_are_refused_with_the_cure() {
        for (text, part) in [
            ("", "whole number"),
            ("-1m", "whole number"),
            ("m", "whole number"),
            ("2Gi", "unit must be"),
            ("2.5g", "unit must be"),
            ("9223372036854775808", "too large"),
            ("9999999t", "too large"),
        ] {
            let message = MemorySize::parse(text).unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn sizes_print_with_the_largest_exact_unit() {
        for (bytes, text) in [
            (2_147_483_648, "2 gb"),
            (1_677_721_600, "1600 mb"),
            (1_234_567_890, "1234567890 bytes"),
            (2048, "2 kb"),
            (0, "0 bytes"),
            (1 << 40, "1099511627776 bytes"),
        ] {
            assert_eq!(MemorySize::of_bytes(bytes).to_string(), text);
        }
    }
}
