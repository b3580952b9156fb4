//! Dates, dateTimes and times as FHIRPath has them (N1, 4.1.5 to 4.1.7): each as precise as it was written.
//!
//! Two of different precision may be neither equal nor unequal, and so may two of which one alone says its offset:
//! a comparison then has no answer, which is `None` here and empty in an expression.

mod written;

use std::cmp::Ordering;

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
        Some(Moment { form: self.form, precision, local: cut(local, precision)?, offset_minutes })
    }
}

/// Without what is finer.
fn cut(local: DateTime, precision: Precision) -> Option<DateTime> {
    let keep = |least: Precision, part: i8, otherwise: i8| if precision >= least { part } else { otherwise };
    let millis = if matches!(precision, Precision::Fraction(_)) { local.millisecond() } else { 0 };
    DateTime::new(
        local.year(),
        keep(Precision::Month, local.month(), 1),
        keep(Precision::Day, local.day(), 1),
        keep(Precision::Hour, local.hour(), 0),
        keep(Precision::Minute, local.minute(), 0),
        keep(Precision::Second, local.second(), 0),
        i32::from(millis) * 1_000_000,
    )
    .ok()
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
