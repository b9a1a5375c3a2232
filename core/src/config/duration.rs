//! Durations: `30s`, `5 min`, `1500 ms`, printed as Flink prints them.

use std::time::Duration;

use super::error::ValueError;

const NANOS_PER_SECOND: u128 = 1_000_000_000;
const DAY: u128 = 86_400 * NANOS_PER_SECOND;
const HOUR: u128 = 3_600 * NANOS_PER_SECOND;
const MINUTE: u128 = 60 * NANOS_PER_SECOND;
const MILLI: u128 = 1_000_000;
const MICRO: u128 = 1_000;

/// Units from the largest to the smallest, as they are printed.
const PRINTED: [(&str, u128); 7] = [
    ("d", DAY),
    ("h", HOUR),
    ("min", MINUTE),
    ("s", NANOS_PER_SECOND),
    ("ms", MILLI),
    ("µs", MICRO),
    ("ns", 1),
];

/// Reads a whole number with an optional unit; without a unit it counts milliseconds.
pub fn parse(text: &str) -> Result<Duration, ValueError> {
    let trimmed = text.trim();
    let end = trimmed
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(trimmed.len());
    let (digits, unit) = trimmed.split_at(end);
    if digits.is_empty() {
        return Err(ValueError::quoting(
            text,
            "is not a duration: it must start with a whole number, as in 30s or 5 min",
        ));
    }
    let unit = match unit.trim().to_lowercase().as_str() {
        "d" | "day" | "days" => DAY,
        "h" | "hour" | "hours" => HOUR,
        "m" | "min" | "minute" | "minutes" => MINUTE,
        "s" | "sec" | "secs" | "second" | "seconds" => NANOS_PER_SECOND,
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => MILLI,
        "us" | "µs" | "μs" | "micro" | "micros" | "microsecond" | "microseconds" => MICRO,
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => 1,
        _ => {
            return Err(ValueError::quoting(
                text,
                "is not a duration: the unit must be one of ns, us, ms, s, min, h, d",
            ));
        }
    };
    digits
        .parse::<u128>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .and_then(of_nanos)
        .ok_or_else(|| ValueError::quoting(text, "is too long for a duration"))
}

/// Makes a duration whose seconds fit a signed 64-bit number, as Java's do.
fn of_nanos(nanos: u128) -> Option<Duration> {
    let seconds = i64::try_from(nanos / NANOS_PER_SECOND).ok()?;
    let rest = u32::try_from(nanos % NANOS_PER_SECOND).expect("a remainder below one second");
    Some(Duration::new(seconds.unsigned_abs(), rest))
}

/// Prints with the largest unit that divides exactly; nothing is `0 ms`.
pub fn print(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0 ms".to_owned();
    }
    let (unit, size) = PRINTED
        .into_iter()
        .find(|(_, size)| nanos.is_multiple_of(*size))
        .expect("a nanosecond divides every duration");
    format!("{} {unit}", nanos / size)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_spelling() {
        for (text, nanos) in [
            ("30s", 30 * NANOS_PER_SECOND),
            ("5 min", 5 * MINUTE),
            ("5m", 5 * MINUTE),
            ("1 D", DAY),
            ("250", 250 * MILLI),
            ("2 µs", 2_000),
            ("2us", 2_000),
            ("3 nanoseconds", 3),
            (" 1 hour ", HOUR),
        ] {
            assert_eq!(parse(text).unwrap().as_nanos(), nanos, "{text}");
        }
    }

    #[test]
    fn wrong_durations_are_refused_with_the_cure() {
        for (text, part) in [
            ("PT1M", "whole number"),
            ("", "whole number"),
            ("-1 min", "whole number"),
            ("1.5 s", "unit must be"),
            ("3 weeks", "unit must be"),
            ("99999999999999999999 d", "too long"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn durations_print_with_the_largest_exact_unit() {
        for (duration, text) in [
            (Duration::from_secs(300), "5 min"),
            (Duration::from_secs(36 * 3600), "36 h"),
            (Duration::from_millis(1500), "1500 ms"),
            (Duration::ZERO, "0 ms"),
            (Duration::from_nanos(1), "1 ns"),
            (Duration::from_secs(86_400), "1 d"),
        ] {
            assert_eq!(print(duration), text);
        }
    }
}
