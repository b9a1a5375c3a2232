//! The rules for the options of the autoscaler, asked only where it is switched on.

use std::fmt::Write;
use std::time::Duration;

use super::configuration::{is_on, written};
use super::{Violations, periods};
use crate::config::options::{
    AUTOSCALER_ENABLED, AUTOSCALER_EXCLUDED_PERIODS, AUTOSCALER_MEMORY_GC_PRESSURE_THRESHOLD,
    AUTOSCALER_MEMORY_HEAP_USAGE_THRESHOLD, AUTOSCALER_MEMORY_TUNING_ENABLED,
    AUTOSCALER_MEMORY_TUNING_OVERHEAD, AUTOSCALER_METRICS_WINDOW,
    AUTOSCALER_OBSERVED_SCALABILITY_COEFFICIENT_MIN, AUTOSCALER_OBSERVED_SCALABILITY_ENABLED,
    AUTOSCALER_SCALE_DOWN_MAX_FACTOR, AUTOSCALER_SCALE_UP_MAX_FACTOR,
    AUTOSCALER_SCALING_EFFECTIVENESS_DETECTION_ENABLED, AUTOSCALER_SCALING_EFFECTIVENESS_THRESHOLD,
    AUTOSCALER_TARGET_UTILIZATION_BOUNDARY, AUTOSCALER_UTILIZATION_MAX, AUTOSCALER_UTILIZATION_MIN,
    AUTOSCALER_UTILIZATION_TARGET, RECONCILE_INTERVAL,
};
use crate::config::{Configuration, Key, number};

/// Checks the options of the autoscaler in an effective configuration.
pub(super) fn check(config: &Configuration, found: &mut Violations) {
    if !is_on(config, &AUTOSCALER_ENABLED) {
        return;
    }
    let mut range = |rule, key, min, max| within(rule, config, key, min, max, found);
    range("A1", &AUTOSCALER_SCALE_DOWN_MAX_FACTOR, 0.0, None);
    range("A2", &AUTOSCALER_SCALE_UP_MAX_FACTOR, 0.0, None);
    range("A3", &AUTOSCALER_UTILIZATION_TARGET, 0.0, Some(1.0));
    range("A4", &AUTOSCALER_TARGET_UTILIZATION_BOUNDARY, 0.0, None);
    if let Ok(target) = config.get(&AUTOSCALER_UTILIZATION_TARGET) {
        range("A5", &AUTOSCALER_UTILIZATION_MAX, target, Some(1.0));
        range("A6", &AUTOSCALER_UTILIZATION_MIN, 0.0, Some(target));
    }
    range(
        "A7",
        &AUTOSCALER_MEMORY_GC_PRESSURE_THRESHOLD,
        0.0,
        Some(1.0),
    );
    range(
        "A8",
        &AUTOSCALER_MEMORY_HEAP_USAGE_THRESHOLD,
        0.0,
        Some(1.0),
    );
    if is_on(config, &AUTOSCALER_OBSERVED_SCALABILITY_ENABLED) {
        let key = &AUTOSCALER_OBSERVED_SCALABILITY_COEFFICIENT_MIN;
        range("A9", key, 0.01, Some(1.0));
    }
    if is_on(config, &AUTOSCALER_SCALING_EFFECTIVENESS_DETECTION_ENABLED) {
        let key = &AUTOSCALER_SCALING_EFFECTIVENESS_THRESHOLD;
        range("A10", key, 0.0, Some(1.0));
    }
    if is_on(config, &AUTOSCALER_MEMORY_TUNING_ENABLED) {
        range("A11", &AUTOSCALER_MEMORY_TUNING_OVERHEAD, 0.0, Some(1.0));
    }
    excluded_periods(config, found);
    metrics_window(config, found);
}

/// Checks that an option, if it has a value, is within a range that includes its bounds.
fn within(
    rule: &'static str,
    config: &Configuration,
    key: &Key<f64>,
    min: f64,
    max: Option<f64>,
    found: &mut Violations,
) {
    let name = key.name();
    let message = match config.find(key) {
        Ok(Some(value)) if value < min || max.is_some_and(|max| value > max) => format!(
            "The AutoScalerOption {name} is invalid, it should be a value within the range [{}, {}]",
            number::java_double(min),
            max.map_or_else(|| "+Infinity".to_owned(), number::java_double),
        ),
        Ok(_) => return,
        Err(_) => format!("Invalid value in the autoscaler config {name}"),
    };
    found.add(rule, &written(config, key.option()), message);
}

fn excluded_periods(config: &Configuration, found: &mut Violations) {
    let key = &AUTOSCALER_EXCLUDED_PERIODS;
    let path = written(config, key.option());
    for expression in config.get(key).into_iter().flatten() {
        if let Err(fault) = periods::check(&expression) {
            let message = format!(
                "Invalid value {expression} in the autoscaler config {}{}",
                key.name(),
                fault.words()
            );
            found.add("A12", &path, message);
        }
    }
}

/// The autoscaler takes one sample per look and needs two within the window.
fn metrics_window(config: &Configuration, found: &mut Violations) {
    let (window, interval) = (&AUTOSCALER_METRICS_WINDOW, &RECONCILE_INTERVAL);
    let (Ok(long), Ok(short)) = (config.get(window), config.get(interval)) else {
        return;
    };
    if long < short {
        let message = format!(
            "The autoscaler metric window ({}={}) must not be smaller than the operator reconcile interval ({}={}), \
             otherwise fewer than two metric samples are retained and autoscaling is never applied.",
            window.name(),
            iso(long),
            interval.name(),
            iso(short)
        );
        found.add("A13", &written(config, window.option()), message);
    }
}

/// Prints a duration as Java does, such as `PT1H30M`.
fn iso(duration: Duration) -> String {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    let mut text = "PT".to_owned();
    for (number, unit) in [(seconds / 3600, 'H'), (seconds / 60 % 60, 'M')] {
        if number > 0 {
            write!(text, "{number}{unit}").expect("a text takes everything");
        }
    }
    let seconds = seconds % 60;
    if nanos > 0 {
        let fraction = format!("{nanos:09}");
        let fraction = fraction.trim_end_matches('0');
        write!(text, "{seconds}.{fraction}S").expect("a text takes everything");
    } else if seconds > 0 || text == "PT" {
        write!(text, "{seconds}S").expect("a text takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_as_java_prints_them() {
        for (millis, text) in [
            (0, "PT0S"),
            (500, "PT0.5S"),
            (30_000, "PT30S"),
            (90_000, "PT1M30S"),
            (900_000, "PT15M"),
            (86_400_000, "PT24H"),
            (3_601_001, "PT1H1.001S"),
        ] {
            assert_eq!(iso(Duration::from_millis(millis)), text);
        }
    }
}
