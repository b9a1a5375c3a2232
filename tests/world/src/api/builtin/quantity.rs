//! Amounts of resources: read, compared, and written the way the real server stores them.

use std::fmt;
use std::str::FromStr;

/// How an amount was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// `1500m`, `2G`
    Decimal,
    /// `2Gi`
    Binary,
}

/// An amount in billionths, the finest step there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quantity {
    nano: i128,
    family: Family,
}

const NANO: i128 = 1_000_000_000;
const DECIMAL: [(&str, i128); 10] = [
    ("E", 1_000_000_000_000_000_000 * NANO),
    ("P", 1_000_000_000_000_000 * NANO),
    ("T", 1_000_000_000_000 * NANO),
    ("G", 1_000_000_000 * NANO),
    ("M", 1_000_000 * NANO),
    ("k", 1_000 * NANO),
    ("", NANO),
    ("m", 1_000_000),
    ("u", 1_000),
    ("n", 1),
];
const BINARY: [(&str, i128); 6] = [
    ("Ei", (1 << 60) * NANO),
    ("Pi", (1 << 50) * NANO),
    ("Ti", (1 << 40) * NANO),
    ("Gi", (1 << 30) * NANO),
    ("Mi", (1 << 20) * NANO),
    ("Ki", (1 << 10) * NANO),
];

impl Quantity {
    /// Gives the amount in billionths.
    pub(super) fn nano(self) -> i128 {
        self.nano
    }
}

impl FromStr for Quantity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$': {text:?} does not"
            )
        };
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = rest
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || fraction.contains('.') {
            return Err(wrong());
        }
        let digits: i128 = digits.parse().map_err(|_| wrong())?;
        let (unit, family) = unit(suffix).ok_or_else(wrong)?;
        let scale = 10_i128
            .checked_pow(u32::try_from(fraction.len()).map_err(|_| wrong())?)
            .ok_or_else(wrong)?;
        let product = digits.checked_mul(unit).ok_or_else(wrong)?;
        // What is finer than a billionth is rounded up.
        let nano = product.div_euclid(scale) + i128::from(product.rem_euclid(scale) != 0);
        Ok(Self {
            nano: if negative { -nano } else { nano },
            family,
        })
    }
}

fn unit(suffix: &str) -> Option<(i128, Family)> {
    let find = |units: &[(&str, i128)]| {
        units
            .iter()
            .find(|(name, _)| *name == suffix)
            .map(|(_, unit)| *unit)
    };
    if let Some(unit) = find(&DECIMAL) {
        return Some((unit, Family::Decimal));
    }
    if let Some(unit) = find(&BINARY) {
        return Some((unit, Family::Binary));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = u32::try_from(exponent + 9).ok()?;
    Some((10_i128.checked_pow(power)?, Family::Decimal))
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nano == 0 {
            return out.write_str("0");
        }
        // Small binary amounts are plain numbers.
        let binary = self.family == Family::Binary
            && self.nano.abs() >= 1024 * NANO
            && self.nano % NANO == 0;
        let fits = |(_, unit): &&(&str, i128)| self.nano % unit == 0;
        let found = if binary {
            BINARY.iter().find(fits)
        } else {
            None
        };
        let plain = ("", NANO);
        let (name, unit) = match found {
            Some(found) => *found,
            None if binary => plain,
            None => *DECIMAL.iter().find(fits).unwrap_or(&plain),
        };
        write!(out, "{}{name}", self.nano / unit)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        text.parse::<Quantity>().unwrap().to_string()
    }

    #[test]
    fn amounts_are_written_one_way() {
        for (given, stored) in [
            ("0.5", "500m"),
            ("1.0", "1"),
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("2048m", "2048m"),
            ("2000M", "2G"),
            ("1e3", "1k"),
            ("512Ki", "512Ki"),
            ("0.5Gi", "512Mi"),
            ("-1", "-1"),
            ("0", "0"),
        ] {
            assert_eq!(written(given), stored, "{given}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "lots", "1x", "1.2.3", "Gi", "1 Gi"] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }
}
