//! Times at which the autoscaler does nothing: daily ranges and Quartz cron expressions.

/// Why an expression is no period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has more than two parts.
    TooManyParts,
    /// A part is neither a daily range nor a cron expression.
    Unreadable,
    /// Both parts are of the same form.
    SameForm,
}

impl Fault {
    /// Returns what upstream says about it after naming expression and option.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::TooManyParts => "",
            Self::Unreadable => {
                ", the value is neither a valid daily expression nor a valid cron expression"
            }
            Self::SameForm => {
                ", the value can not be configured as dailyExpression && dailyExpression or cronExpression && cronExpression"
            }
        }
    }
}

/// Checks one expression: a part, or a daily range and a cron expression joined by `&&`.
pub(super) fn check(expression: &str) -> Result<(), Fault> {
    // As Java splits: nothing after the last separator makes no part.
    let mut parts: Vec<&str> = expression.split("&&").collect();
    while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    if parts.len() > 2 {
        return Err(Fault::TooManyParts);
    }
    let (mut daily, mut cron) = (0, 0);
    for part in &parts {
        let part = part.trim();
        if is_daily(part) {
            daily += 1;
        } else if is_cron(part) {
            cron += 1;
        } else {
            return Err(Fault::Unreadable);
        }
    }
    if daily > 1 || cron > 1 {
        return Err(Fault::SameForm);
    }
    Ok(())
}

/// Tells whether a text is a range of one day, such as `09:00-17:30:15`.
fn is_daily(text: &str) -> bool {
    let times = text.split_once('-');
    let times = times.and_then(|(start, end)| Some((time(start)?, time(end)?)));
    times.is_some_and(|(start, end)| start < end)
}

/// Reads `HH:mm[:ss[:SSS]]`.
fn time(text: &str) -> Option<[u16; 4]> {
    const LIMITS: [u16; 4] = [23, 59, 59, 999];
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() < 2 || parts.len() > LIMITS.len() {
        return None;
    }
    let mut time = [0; 4];
    for (slot, (part, limit)) in time.iter_mut().zip(parts.iter().zip(LIMITS)) {
        let number: u16 = part.parse().ok()?;
        *slot = Some(number).filter(|number| *number <= limit)?;
    }
    Some(time)
}

/// One field of a cron expression.
struct Field {
    /// The least and the largest value.
    values: (u32, u32),
    /// The largest step.
    step: u32,
    /// Words for values, the first of which is the least value.
    words: &'static [&'static str],
    days: Days,
}

/// What a field has beyond numbers.
#[derive(Clone, Copy, PartialEq)]
enum Days {
    Neither,
    OfMonth,
    OfWeek,
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEK: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const fn field(least: u32, largest: u32, words: &'static [&'static str], days: Days) -> Field {
    Field {
        values: (least, largest),
        step: largest,
        words,
        days,
    }
}

/// Second, minute, hour, day of the month, month, day of the week, year.
const FIELDS: [Field; 7] = [
    field(0, 59, &[], Days::Neither),
    field(0, 59, &[], Days::Neither),
    field(0, 23, &[], Days::Neither),
    field(1, 31, &[], Days::OfMonth),
    field(1, 12, &MONTHS, Days::Neither),
    field(1, 7, &WEEK, Days::OfWeek),
    field(0, u32::MAX, &[], Days::Neither),
];

/// Tells whether a text is a cron expression of Quartz: six fields and perhaps a year, one of both days
/// being `?`. What follows the year is not looked at.
fn is_cron(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let written: Vec<&str> = upper.split_whitespace().take(FIELDS.len()).collect();
    let [_, _, _, of_month, _, of_week, ..] = written[..] else {
        return false;
    };
    (of_month == "?") != (of_week == "?")
        && written
            .iter()
            .zip(&FIELDS)
            .all(|(text, field)| field.takes(text))
}

impl Field {
    fn takes(&self, text: &str) -> bool {
        if text == "?" {
            return self.days != Days::Neither;
        }
        let items: Vec<&str> = text.split(',').filter(|item| !item.is_empty()).collect();
        let alone = items.len() == 1;
        let sets = text.matches('#').count();
        !items.is_empty() && sets < 2 && items.iter().all(|item| self.item(item, alone))
    }

    fn item(&self, item: &str, alone: bool) -> bool {
        match self.days {
            Days::OfMonth if item.starts_with('L') => return alone && is_last_day(item),
            Days::OfMonth => {
                if let Some(day) = item.strip_suffix('W') {
                    return self.value(day).is_some();
                }
            }
            Days::OfWeek if item == "L" => return alone,
            Days::OfWeek => {
                if let Some(day) = item.strip_suffix('L') {
                    return alone && self.value(day).is_some();
                }
                if let Some((day, nth)) = item.split_once('#') {
                    return self.value(day).is_some() && matches!(nth.parse(), Ok(1..=5_u8));
                }
            }
            Days::Neither => {}
        }
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let stepped = step.is_none_or(|step| step.parse().is_ok_and(|step: u32| step <= self.step));
        stepped && self.range(range, step.is_some())
    }

    fn range(&self, range: &str, stepped: bool) -> bool {
        match range.split_once('-') {
            Some((from, to)) => {
                let bounds = self.value(from).zip(self.value(to));
                // Years do not begin again.
                bounds.is_some_and(|(from, to)| self.values.1 < u32::MAX || from <= to)
            }
            None => range == "*" || range.is_empty() && stepped || self.value(range).is_some(),
        }
    }

    fn value(&self, text: &str) -> Option<u32> {
        let (least, largest) = self.values;
        if let Some(at) = self.words.iter().position(|word| *word == text) {
            return u32::try_from(at).ok().map(|at| at + least);
        }
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let value = text.parse().ok().filter(|_| digits)?;
        (least..=largest).contains(&value).then_some(value)
    }
}

/// Tells whether a text is `L`, `LW`, `L-3` or `L-3W`.
fn is_last_day(text: &str) -> bool {
    let rest = text.strip_prefix('L').unwrap_or(text);
    let rest = rest.strip_suffix('W').unwrap_or(rest);
    let offset = rest.strip_prefix('-');
    rest.is_empty() || offset.is_some_and(|days| matches!(days.parse(), Ok(0..=30_u8)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_daily_or_cron_or_one_of_each() {
        for expression in [
            "09:13:17-11:15:18",
            "00:00-23:59:59:999",
            "* * * ? * 2,5",
            "* * 9-17 ? * MON-FRI",
            "0 0/15 22-4 L-2W JAN,jul ? 2026-2030",
            "0 0 0 15W * ?",
            "0 0 0 ? * 6#3",
            "0 0 0 ? * FRIL",
            "/5 * * * * ?",
            "* * * ? * 2,5 && 14:01:20-16:00:00",
            "14:01-16:00&&* * 11-13 * * ?",
        ] {
            assert_eq!(check(expression), Ok(()), "{expression}");
        }
    }

    #[test]
    fn anything_else_is_told_apart() {
        for (expression, fault) in [
            ("09:13:17-08:15:18", Fault::Unreadable),
            ("09:13:17-25:15:18", Fault::Unreadable),
            ("09:00-09:00", Fault::Unreadable),
            ("09-10", Fault::Unreadable),
            ("09:00 - 10:00", Fault::Unreadable),
            ("", Fault::Unreadable),
            ("* * * ? * 2,5555", Fault::Unreadable),
            ("* * * * * *", Fault::Unreadable),
            ("* * * ? * ?", Fault::Unreadable),
            ("* * 24 ? * *", Fault::Unreadable),
            ("* * * 0 * ?", Fault::Unreadable),
            ("* * * ? FOO 1", Fault::Unreadable),
            ("* * ? ? * 1", Fault::Unreadable),
            ("0/60 * * ? * 1", Fault::Unreadable),
            ("* * * L,3 * ?", Fault::Unreadable),
            ("* * * ? * 6#6", Fault::Unreadable),
            ("* * * ? * 1 2030-2026", Fault::Unreadable),
            ("* * * ? *", Fault::Unreadable),
            ("* * * ? * 2 && * * 11-13 * * ?", Fault::SameForm),
            ("09:00-10:00 && 11:00-12:00", Fault::SameForm),
            ("09:00-10:00 && * * * ? * 2 && 1", Fault::TooManyParts),
        ] {
            assert_eq!(check(expression), Err(fault), "{expression}");
        }
    }
}
