//! Dates, dateTimes and times as FHIRPath has them (N1, 4.1.5 to 4.1.7): each as precise as it was written.
//!
//! Two of different precision may be neither equal nor unequal, and so may two of which one alone says its offset:
//! a comparison then has no answer, which is `None` here and empty in an expression.

use std::cmp::Ordering;
use std::fmt;

use jiff::civil::DateTime;
use jiff::{Span, Timestamp, ToSpan};

use super::quantity::Calendar;
use crate::fhir::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Date,
    DateTime,
    Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// With so many digits behind the second.
    Fraction(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub form: Form,
    pub precision: Precision,
    /// What was not written is the first of its kind: January, the first, midnight. Of a time the date means nothing.
    local: DateTime,
    offset_minutes: Option<i16>,
}

const NO_DATE: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
/// Readings without an offset may be in any zone: this far apart they are in order wherever they were taken.
const ZONES_APART_HOURS: i64 = 14;
const EAST_MINUTES: i16 = 14 * 60;
const WEST_MINUTES: i16 = -12 * 60;

impl Moment {
    pub fn now(at: Instant) -> Option<Moment> {
        let stamp = Timestamp::from_millisecond(at.0.div_euclid(1000)).ok()?;
        let local = jiff::tz::Offset::UTC.to_datetime(stamp);
        Some(Moment { form: Form::DateTime, precision: Precision::Fraction(3), local, offset_minutes: Some(0) })
    }

    pub fn date(self) -> Moment {
        let local = self.local.date().to_datetime(jiff::civil::Time::midnight());
        let precision = self.precision.min(Precision::Day);
        Moment { form: Form::Date, precision, local, offset_minutes: None }
    }

    pub fn time(self) -> Moment {
        let local = NO_DATE.date().to_datetime(self.local.time());
        Moment { form: Form::Time, local, offset_minutes: None, ..self }
    }

    /// A date is a dateTime that says no time.
    pub fn date_time(self) -> Moment {
        Moment { form: Form::DateTime, ..self }
    }

    /// `2015-02`, `2015-02T`, `2015-02-04T14:34:28.123+10:00`, and of a time `14:34`.
    pub fn parse(text: &str, form: Form) -> Option<Moment> {
        if !text.is_ascii() || text.len() > 40 {
            return None;
        }
        let (date, clock) = match form {
            Form::Time => (None, Some(text)),
            Form::Date => (Some(text), None),
            Form::DateTime => match text.split_once('T') {
                Some((date, clock)) => (Some(date), Some(clock)),
                None => (Some(text), None),
            },
        };
        let (mut precision, mut parts) = (Precision::Year, [1970, 1, 1]);
        if let Some(date) = date {
            for (at, part) in date.split('-').enumerate() {
                *parts.get_mut(at)? = digits(part, if at == 0 { 4 } else { 2 })?;
                precision = [Precision::Year, Precision::Month, Precision::Day][at];
            }
        }
        let date = jiff::civil::Date::new(parts[0], parts[1] as i8, parts[2] as i8).ok()?;
        let (mut hms, mut nanos, mut offset_minutes) = ([0; 3], 0, None);
        if let Some(clock) = clock.filter(|clock| !clock.is_empty()) {
            if form == Form::DateTime && precision != Precision::Day {
                return None;
            }
            let zone = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
            let (clock, zone) = clock.split_at(zone);
            if form == Form::Time && !zone.is_empty() {
                return None;
            }
            offset_minutes = offset(zone)?;
            let (clock, fraction) = match clock.split_once('.') {
                Some((clock, fraction)) => (clock, Some(fraction)),
                None => (clock, None),
            };
            for (at, part) in clock.split(':').enumerate() {
                *hms.get_mut(at)? = digits(part, 2)?;
                precision = [Precision::Hour, Precision::Minute, Precision::Second][at];
            }
            if let Some(fraction) = fraction {
                if precision != Precision::Second {
                    return None;
                }
                nanos = fraction_nanos(fraction)?;
                precision = Precision::Fraction(fraction.len() as u8);
            }
        } else if form == Form::Time {
            return None;
        }
        // A leap second is a second.
        let second = hms[2].min(59);
        let valid = hms[2] <= 60;
        let time = jiff::civil::Time::new(hms[0] as i8, hms[1] as i8, second as i8, nanos).ok().filter(|_| valid)?;
        Some(Moment { form, precision, local: date.to_datetime(time), offset_minutes })
    }

    /// `None`: neither is known to be first.
    pub fn compare(&self, other: &Moment) -> Option<Ordering> {
        let has_clock = |moment: &Moment| moment.precision >= Precision::Hour;
        let (mut one, mut two) = (self.local, other.local);
        if has_clock(self) && has_clock(other) && self.form != Form::Time {
            match (self.offset_minutes, other.offset_minutes) {
                (Some(first), Some(second)) => {
                    one = one.checked_sub(i64::from(first).minutes()).ok()?;
                    two = two.checked_sub(i64::from(second).minutes()).ok()?;
                }
                (None, None) => {}
                _ => {
                    let apart =
                        one.until(two).ok()?.total((jiff::Unit::Hour, jiff::SpanRelativeTo::days_are_24_hours()));
                    if apart.ok()?.abs() <= ZONES_APART_HOURS as f64 {
                        return None;
                    }
                }
            }
        }
        let fields = |at: DateTime| {
            [
                i64::from(at.year()),
                i64::from(at.month()),
                i64::from(at.day()),
                i64::from(at.hour()),
                i64::from(at.minute()),
                i64::from(at.second()) * 1_000_000_000 + i64::from(at.subsec_nanosecond()),
            ]
        };
        let (one, two) = (fields(one), fields(two));
        let first = if self.form == Form::Time { 3 } else { 0 };
        let shared = self.precision.fields().min(other.precision.fields());
        match one[first..shared].cmp(&two[first..shared]) {
            Ordering::Equal if self.precision.fields() != other.precision.fields() => None,
            order => Some(order),
        }
    }

    /// Later by so much, as precise as before; what is finer than it is let go (N1, 6.6.7). `None` when no calendar
    /// goes so far.
    pub fn plus(&self, amount: i64, unit: Calendar) -> Option<Moment> {
        let (amount, unit) = self.coarsen(amount, unit);
        let span = match unit {
            Calendar::Year => Span::new().try_years(amount),
            Calendar::Month => Span::new().try_months(amount),
            Calendar::Week => Span::new().try_weeks(amount),
            Calendar::Day => Span::new().try_days(amount),
            Calendar::Hour => Span::new().try_hours(amount),
            Calendar::Minute => Span::new().try_minutes(amount),
            Calendar::Second => Span::new().try_seconds(amount),
            Calendar::Millisecond => Span::new().try_milliseconds(amount),
        };
        let span = span.ok()?;
        // A clock goes round.
        let local = if self.form == Form::Time {
            NO_DATE.date().to_datetime(self.local.time().wrapping_add(span))
        } else {
            self.local.checked_add(span).ok()?
        };
        let precision = match unit {
            Calendar::Millisecond => self.precision.max(Precision::Fraction(3)),
            _ => self.precision,
        };
        let precision = if self.precision >= Precision::Second { precision } else { self.precision };
        (local.year() > 0).then_some(Moment { local, precision, ..*self })
    }

    fn coarsen(&self, amount: i64, unit: Calendar) -> (i64, Calendar) {
        use Calendar::*;
        let per = |amount: i64, unit: Calendar| match unit {
            Millisecond => Some((amount / 1000, Second)),
            Second => Some((amount / 60, Minute)),
            Minute => Some((amount / 60, Hour)),
            Hour => Some((amount / 24, Day)),
            Week => Some((amount * 7, Day)),
            Day => Some((amount / 30, Month)),
            Month => Some((amount / 12, Year)),
            Year => None,
        };
        let (mut amount, mut unit) = (amount, unit);
        while unit.precision() > self.precision {
            match per(amount, unit) {
                Some(coarser) => (amount, unit) = coarser,
                None => break,
            }
        }
        (amount, unit)
    }

    /// How many digits it is written with: 4 for a year, 17 for a dateTime with milliseconds.
    pub fn digits(&self) -> i32 {
        let of_date = match self.precision {
            Precision::Year => 4,
            Precision::Month => 6,
            Precision::Day => 8,
            Precision::Hour => 10,
            Precision::Minute => 12,
            Precision::Second => 14,
            Precision::Fraction(digits) => 14 + i32::from(digits),
        };
        if self.form == Form::Time { of_date - 8 } else { of_date }
    }

    /// The first or the last moment that it may mean, written with so many digits.
    pub fn boundary(&self, digits: Option<i32>, last: bool) -> Option<Moment> {
        let widest = match self.form {
            Form::Date => 8,
            Form::DateTime => 17,
            Form::Time => 9,
        };
        let digits = digits.unwrap_or(widest) + if self.form == Form::Time { 8 } else { 0 };
        let precision = match digits {
            4 => Precision::Year,
            6 => Precision::Month,
            8 => Precision::Day,
            10 => Precision::Hour,
            12 => Precision::Minute,
            14 => Precision::Second,
            17 => Precision::Fraction(3),
            _ => return None,
        };
        if (self.form == Form::Date && digits > 8) || (self.form == Form::Time && digits < 10) {
            return None;
        }
        let mut local = self.local;
        if last {
            local = match self.precision {
                Precision::Year => local.checked_add(1.year()),
                Precision::Month => local.checked_add(1.month()),
                Precision::Day => local.checked_add(1.day()),
                Precision::Hour => local.checked_add(1.hour()),
                Precision::Minute => local.checked_add(1.minute()),
                Precision::Second => local.checked_add(1.second()),
                Precision::Fraction(_) => local.checked_add(1.millisecond()),
            }
            .ok()?;
            local = local.checked_sub(1.millisecond()).ok()?;
            if self.form == Form::Time {
                local = NO_DATE.date().to_datetime(local.time());
            }
        }
        let zone = if last { WEST_MINUTES } else { EAST_MINUTES };
        let says_clock = self.form == Form::DateTime && precision >= Precision::Hour;
        let offset_minutes = self.offset_minutes.or(says_clock.then_some(zone)).filter(|_| says_clock);
        let kept = local.precise(precision)?;
        Some(Moment { form: self.form, precision, local: kept, offset_minutes })
    }
}

trait Precise: Sized {
    fn precise(self, precision: Precision) -> Option<Self>;
}

impl Precise for DateTime {
    /// Without what is finer.
    fn precise(self, precision: Precision) -> Option<DateTime> {
        let keep = |least: Precision, part: i8, otherwise: i8| if precision >= least { part } else { otherwise };
        let millis = matches!(precision, Precision::Fraction(_)).then_some(self.millisecond()).unwrap_or(0);
        DateTime::new(
            self.year(),
            keep(Precision::Month, self.month(), 1),
            keep(Precision::Day, self.day(), 1),
            keep(Precision::Hour, self.hour(), 0),
            keep(Precision::Minute, self.minute(), 0),
            keep(Precision::Second, self.second(), 0),
            i32::from(millis) * 1_000_000,
        )
        .ok()
    }
}

impl Precision {
    /// Seconds and what is behind them are one.
    fn fields(self) -> usize {
        match self {
            Precision::Year => 1,
            Precision::Month => 2,
            Precision::Day => 3,
            Precision::Hour => 4,
            Precision::Minute => 5,
            Precision::Second | Precision::Fraction(_) => 6,
        }
    }
}

impl Calendar {
    fn precision(self) -> Precision {
        match self {
            Calendar::Year => Precision::Year,
            Calendar::Month => Precision::Month,
            Calendar::Week | Calendar::Day => Precision::Day,
            Calendar::Hour => Precision::Hour,
            Calendar::Minute => Precision::Minute,
            // A second takes its milliseconds along.
            Calendar::Second | Calendar::Millisecond => Precision::Second,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, precision) = (self.local, self.precision);
        if self.form != Form::Time {
            write!(out, "{:04}", at.year())?;
            if precision >= Precision::Month {
                write!(out, "-{:02}", at.month())?;
            }
            if precision >= Precision::Day {
                write!(out, "-{:02}", at.day())?;
            }
            if precision >= Precision::Hour {
                out.write_str("T")?;
            }
        }
        if precision >= Precision::Hour {
            write!(out, "{:02}", at.hour())?;
        }
        if precision >= Precision::Minute {
            write!(out, ":{:02}", at.minute())?;
        }
        if precision >= Precision::Second {
            write!(out, ":{:02}", at.second())?;
        }
        if let Precision::Fraction(digits) = precision {
            let nanos = format!("{:09}", at.subsec_nanosecond());
            write!(out, ".{}", nanos.get(..usize::from(digits)).unwrap_or(&nanos))?;
        }
        match self.offset_minutes.filter(|_| precision >= Precision::Hour) {
            Some(0) => out.write_str("Z"),
            Some(minutes) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                write!(out, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
            None => Ok(()),
        }
    }
}

fn digits(part: &str, count: usize) -> Option<i16> {
    (part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse().ok())?
}

fn fraction_nanos(fraction: &str) -> Option<i32> {
    let fits = !fraction.is_empty() && fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| format!("{fraction:0<9}").parse().ok())?
}

/// `Z`, `+10:00`, or nothing at all.
fn offset(zone: &str) -> Option<Option<i16>> {
    if zone.is_empty() {
        return Some(None);
    }
    if zone == "Z" {
        return Some(Some(0));
    }
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let total = (hours <= 14 && minutes < 60).then_some(hours * 60 + minutes)?;
    Some(Some(if zone.starts_with('-') { -total } else { total }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_precisely_as_they_are_written() {
        use Form::*;
        for (text, form, is_one) in [
            ("2015", Date, true),
            ("2015-02", Date, true),
            ("2015-02-29", Date, false),
            ("2016-02-29", Date, true),
            ("15-02-04", Date, false),
            ("2015-2-4", Date, false),
            ("2015-02-04-01", Date, false),
            ("2015-02-04T14", DateTime, true),
            ("2015-02T14", DateTime, false),
            ("2015-02-04T14:34:28.123456789Z", DateTime, true),
            ("2015-02-04T14:34:28.1234567890Z", DateTime, false),
            ("2015-02-04T14:34:60Z", DateTime, true),
            ("2015-02-04T14:34:61Z", DateTime, false),
            ("2015-02-04T24:00", DateTime, false),
            ("2015-02-04T14:34:28-10:00", DateTime, true),
            ("2015-02-04T14:34:28+15:00", DateTime, false),
            ("2015-02-04T14:34:28Z10:00", DateTime, false),
            ("2015-02-04T14:34.5", DateTime, false),
            ("14:34", Time, true),
            ("14:34Z", Time, false),
            ("", Time, false),
            ("", Date, false),
            ("é015", Date, false),
        ] {
            let read = Moment::parse(text, form);
            assert_eq!(read.is_some(), is_one, "{text}");
            if let Some(read) = read.filter(|_| !text.contains(":60")) {
                assert_eq!(read.to_string(), text);
            }
        }
    }
}
