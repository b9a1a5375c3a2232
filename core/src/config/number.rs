//! Decimal numbers as Java prints and multiplies them.
//!
//! Objects made by the Java operator carry numbers in Java's notation, and byte counts that came
//! from exact decimal multiplication. Both are visible in the cluster, so both are repeated here.

/// A finite number as decimal digits: `digits` × 10^`exponent`, with the fewest digits that name it.
struct Decimal {
    negative: bool,
    digits: u64,
    exponent: i32,
}

impl Decimal {
    fn of(value: f64) -> Self {
        let text = format!("{:e}", value.abs());
        let (mantissa, exponent) = text
            .split_once('e')
            .expect("{:e} always prints an exponent");
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}")
            .parse()
            .expect("the shortest form of a double has at most 17 digits");
        let exponent: i32 = exponent.parse().expect("{:e} prints a whole exponent");
        let scale = i32::try_from(fraction.len()).expect("at most 16 fraction digits");
        Self {
            negative: value.is_sign_negative(),
            digits,
            exponent: exponent - scale,
        }
    }
}

/// Prints a double like Java: at least one decimal, `E` notation below 1e-3 and from 1e7.
pub fn java_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_infinite() {
        return format!("{sign}Infinity");
    }
    if value == 0.0 {
        return format!("{sign}0.0");
    }
    let magnitude = value.abs();
    if (1e-3..1e7).contains(&magnitude) {
        let text = format!("{magnitude}");
        let dot = if text.contains('.') { "" } else { ".0" };
        return format!("{sign}{text}{dot}");
    }
    let text = format!("{magnitude:e}");
    let (mantissa, exponent) = text
        .split_once('e')
        .expect("{:e} always prints an exponent");
    let dot = if mantissa.contains('.') { "" } else { ".0" };
    format!("{sign}{mantissa}{dot}E{exponent}")
}

/// Multiplies a byte count by a factor exactly, dropping the fraction.
///
/// The factor stands for its shortest decimal text, not for its binary value. `None` means that
/// the result does not fit a signed 64-bit count or that the factor is negative or not finite.
pub fn multiply_exactly(bytes: u64, factor: f64) -> Option<u64> {
    if !factor.is_finite() || factor < 0.0 {
        return None;
    }
    if factor == 0.0 {
        return Some(0);
    }
    let decimal = Decimal::of(factor);
    debug_assert!(!decimal.negative, "negative factors were refused above");
    let product = u128::from(bytes) * u128::from(decimal.digits);
    let power = 10_u128.checked_pow(decimal.exponent.unsigned_abs());
    let result = if decimal.exponent >= 0 {
        product.checked_mul(power?)?
    } else {
        // A power too large for 128 bits exceeds every product.
        power.map_or(0, |power| product / power)
    };
    u64::try_from(result)
        .ok()
        .filter(|bytes| i64::try_from(*bytes).is_ok())
}

/// Widens a 32-bit option value the way Flink does, so that 0.1 becomes 0.10000000149011612.
pub fn widened(value: f32) -> f64 {
    f64::from(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_in_java() {
        for (value, text) in [
            (1.0, "1.0"),
            (0.5, "0.5"),
            (0.1, "0.1"),
            (
                300.0 / 100.0 * 0.999_999_999_999_999_9,
                "2.9999999999999996",
            ),
            (1000.0, "1000.0"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (12_345_678.0, "1.2345678E7"),
            (0.001, "0.001"),
            (0.000_123, "1.23E-4"),
            (0.0, "0.0"),
            (-0.25, "-0.25"),
            (2_684_354_560.0, "2.68435456E9"),
        ] {
            assert_eq!(java_double(value), text);
        }
    }

    #[test]
    fn widened_fractions_show_in_byte_counts() {
        assert_eq!(
            multiply_exactly(2_147_483_648, widened(0.1)),
            Some(214_748_368)
        );
        assert_eq!(
            multiply_exactly(1_664_299_824, widened(0.4)),
            Some(665_719_939)
        );
        assert_eq!(multiply_exactly(100, 1e-300), Some(0));
        assert_eq!(multiply_exactly(100, 1e300), None);
        assert_eq!(
            multiply_exactly(u64::try_from(i64::MAX).unwrap(), 1.5),
            None
        );
        assert_eq!(multiply_exactly(5, -1.0), None);
    }
}
