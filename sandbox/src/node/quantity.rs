//! Kubernetes quantities, as far as a node has to compare, add and divide them.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// An amount in thousandths, rounded up: fine enough for CPUs, exact for bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Amount(i128);

impl Amount {
    /// Reads a quantity such as `500m`, `1.5`, `2Gi` or `1e3`; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let end = text
            .find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, '.' | '+' | '-')));
        let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let (mut over, mut under) = (
            1_000_i128,
            10_i128.checked_pow(fraction.len().try_into().ok()?)?,
        );
        match suffix {
            "" => {}
            "n" => under = under.checked_mul(1_000_000_000)?,
            "u" => under = under.checked_mul(1_000_000)?,
            "m" => under = under.checked_mul(1_000)?,
            _ => over = over.checked_mul(multiplier(suffix)?)?,
        }
        let scaled = digits.checked_mul(over)?;
        Some(Self(
            scaled.div_euclid(under) + i128::from(scaled.rem_euclid(under) != 0),
        ))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Divides, rounding up to a whole number, as the downward API does.
    pub(super) fn divided_by(self, divisor: Self) -> i128 {
        if divisor.0 == 0 {
            return self.divided_by(Self(1_000));
        }
        self.0.div_euclid(divisor.0) + i128::from(self.0.rem_euclid(divisor.0) != 0)
    }
}

impl From<&Quantity> for Amount {
    /// The API server has checked it, so an unreadable one cannot come; it would count as nothing.
    fn from(quantity: &Quantity) -> Self {
        Self::parse(&quantity.0).unwrap_or_default()
    }
}

fn multiplier(suffix: &str) -> Option<i128> {
    if let Some(exponent) = suffix
        .strip_prefix(['e', 'E'])
        .filter(|rest| !rest.is_empty())
    {
        return 10_i128.checked_pow(exponent.parse().ok()?);
    }
    let (base, power) = match suffix {
        "k" => (1_000, 1),
        "M" => (1_000, 2),
        "G" => (1_000, 3),
        "T" => (1_000, 4),
        "P" => (1_000, 5),
        "E" => (1_000, 6),
        "Ki" => (1_024, 1),
        "Mi" => (1_024, 2),
        "Gi" => (1_024, 3),
        "Ti" => (1_024, 4),
        "Pi" => (1_024, 5),
        "Ei" => (1_024, 6),
        _ => return None,
    };
    Some(i128::pow(base, power))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_exactly() {
        let cases = [
            ("1", 1_000),
            ("500m", 500),
            ("1.5", 1_500),
            ("2Ki", 2_048_000),
            ("1e3", 1_000_000),
            ("1n", 1),
            ("1.0G", 1_000_000_000_000),
        ];
        for (text, thousandths) in cases {
            assert_eq!(Amount::parse(text).unwrap(), Amount(thousandths), "{text}");
        }
        for text in ["", "x", "1X", "1e", "--1"] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }

    #[test]
    fn division_rounds_up() {
        let divide = |amount, divisor| {
            Amount::parse(amount)
                .unwrap()
                .divided_by(Amount::parse(divisor).unwrap())
        };
        assert_eq!(divide("1500m", "1"), 2);
        assert_eq!(divide("2Gi", "1Mi"), 2_048);
        assert_eq!(divide("1", "1m"), 1_000);
        assert_eq!(divide("250m", "0"), 1);
    }
}
