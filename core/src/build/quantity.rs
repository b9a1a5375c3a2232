//! Kubernetes quantities (`500m`, `2Gi`, `1e3`), read exactly.

/// An amount: `mantissa` × 10^`exponent` × 1024^`binary`.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    mantissa: i128,
    exponent: i32,
    binary: u32,
}

impl Quantity {
    /// Reads a quantity as the API server does; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text
            .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '+' | '-'))
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (mantissa, scale) = decimal(number)?;
        let (exponent, binary) = match suffix {
            "" => (0, 0),
            "n" => (-9, 0),
            "u" => (-6, 0),
            "m" => (-3, 0),
            "k" => (3, 0),
            "M" => (6, 0),
            "G" => (9, 0),
            "T" => (12, 0),
            "P" => (15, 0),
            "E" => (18, 0),
            "Ki" => (0, 1),
            "Mi" => (0, 2),
            "Gi" => (0, 3),
            "Ti" => (0, 4),
            "Pi" => (0, 5),
            "Ei" => (0, 6),
            _ => (
                suffix.strip_prefix(['e', 'E'])?.parse::<i16>().ok()?.into(),
                0,
            ),
        };
        Some(Self {
            mantissa,
            exponent: exponent - scale,
            binary,
        })
    }

    /// Returns the amount as Java's doubles have it: the decimal number, rounded once.
    pub fn as_f64(self) -> Option<f64> {
        let mantissa = self.mantissa.checked_mul(1024_i128.pow(self.binary))?;
        format!("{mantissa}e{}", self.exponent)
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite())
    }

    /// Returns the amount as a whole number that is not negative, if it is one.
    pub fn as_whole(self) -> Option<u64> {
        let mantissa = self.mantissa.checked_mul(1024_i128.pow(self.binary))?;
        let power = 10_i128.checked_pow(self.exponent.unsigned_abs())?;
        let whole = if self.exponent >= 0 {
            mantissa.checked_mul(power)?
        } else {
            (mantissa % power == 0).then_some(mantissa / power)?
        };
        u64::try_from(whole).ok()
    }

    /// Returns one text for all spellings of the amount; `None` if it is too large for that.
    pub fn canonical(self) -> Option<String> {
        let mut mantissa = self.mantissa.checked_mul(1024_i128.pow(self.binary))?;
        let mut exponent = self.exponent;
        while mantissa != 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        let exponent = if mantissa == 0 { 0 } else { exponent };
        Some(format!("{mantissa}e{exponent}"))
    }
}

/// Reads a decimal number as its digits and the number of digits after the point.
fn decimal(text: &str) -> Option<(i128, i32)> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mantissa: i128 = all.parse().ok()?;
    Some((sign * mantissa, i32::try_from(fraction.len()).ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, whole) in [
            ("2Gi", Some(2_147_483_648)),
            ("2.5Gi", Some(2_684_354_560)),
            ("2G", Some(2_000_000_000)),
            ("1e3", Some(1000)),
            ("1E", Some(1_000_000_000_000_000_000)),
            ("5", Some(5)),
            ("1500m", None),
            ("-1", None),
        ] {
            assert_eq!(Quantity::parse(text).unwrap().as_whole(), whole, "{text}");
        }
        assert_eq!(Quantity::parse("100m").unwrap().as_f64(), Some(0.1));
        assert_eq!(Quantity::parse("1.5").unwrap().as_f64(), Some(1.5));
        assert_eq!(Quantity::parse("0.5Ki").unwrap().as_f64(), Some(512.0));
    }

    #[test]
    fn other_texts_are_no_quantities() {
        for text in ["", "Gi", "2GB", "2 Gi", "1.2.3", "--1", "1e", "abc", "."] {
            assert!(Quantity::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn spellings_of_one_amount_are_equal() {
        let canonical = |text| Quantity::parse(text).unwrap().canonical().unwrap();
        assert_eq!(canonical("1000m"), canonical("1.0"));
        assert_eq!(canonical("1Gi"), canonical("1024Mi"));
        assert_eq!(canonical("0m"), canonical("0"));
        assert_ne!(canonical("1"), canonical("10"));
        assert_ne!(canonical("1G"), canonical("1Gi"));
    }
}
