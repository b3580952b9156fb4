//! Moments, partial dates and the intervals they mean (FHIR R4 datatypes.html#dateTime).
//!
//! A bare date, month or year is the whole of it in somebody's zone; an instant is an instant. Every interval
//! here is closed at its start and open at its end. Units are microseconds of UTC, the same as in the database.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

/// A moment: microseconds since 1970 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

impl Instant {
    pub const MIN: Instant = Instant(i64::MIN);
    pub const MAX: Instant = Instant(i64::MAX);

    /// An instant with its offset, or `None`; a date alone is not an instant.
    pub fn parse(text: &str) -> Option<Instant> {
        let stamp: Timestamp = text.parse().ok()?;
        Some(Instant(stamp.as_microsecond()))
    }

    pub fn plus_millis(self, millis: i64) -> Instant {
        Instant(self.0.saturating_add(millis.saturating_mul(1_000)))
    }

    pub fn plus_secs(self, secs: i64) -> Instant {
        self.plus_millis(secs.saturating_mul(1_000))
    }

    pub fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    fn stamp(self) -> Timestamp {
        Timestamp::from_microsecond(self.0).unwrap_or(Timestamp::MAX)
    }

    /// As HTTP dates want it (RFC 9110, 5.6.7): `Sun, 22 Nov 2026 15:42:52 GMT`.
    pub fn http_date(self) -> String {
        self.stamp().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// As `If-Modified-Since` has it: whole seconds, in any of the forms that RFC 2822 allows.
    pub fn of_http_date(text: &str) -> Option<Instant> {
        let read = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
        Some(Instant(read.as_microsecond()))
    }
}

/// FHIR's `instant`, with milliseconds: `2026-11-22T12:00:00.000Z`.
impl fmt::Display for Instant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.stamp().strftime("%Y-%m-%dT%H:%M:%S.%3fZ"))
    }
}

/// The zone in which a bare date is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(TimeZone);

impl Zone {
    pub fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    /// An IANA name, as the configuration gives it.
    pub fn named(name: &str) -> Option<Zone> {
        TimeZone::get(name).ok().map(Zone)
    }

    /// The offset written in a dateTime; `None` when it states none.
    pub fn of(text: &str) -> Option<Zone> {
        let (_, time) = text.split_once('T')?;
        if time.ends_with('Z') {
            return Some(Zone::utc());
        }
        let at = time.rfind(['+', '-'])?;
        let (sign, digits) = time[at..].split_at(1);
        let (hours, minutes) = digits.split_once(':')?;
        let secs = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
        Offset::from_seconds(if sign == "-" { -secs } else { secs }).ok().map(|offset| Zone(offset.to_time_zone()))
    }

    /// An interval that was read as if it were UTC, moved to where its wall clock is this zone's.
    pub fn shift(&self, local: Interval) -> Option<Interval> {
        let wall = |at: Instant| self.instant(at.stamp().to_zoned(TimeZone::UTC).datetime());
        Some(Interval { start: wall(local.start)?, end: wall(local.end)? })
    }

    fn instant(&self, moment: DateTime) -> Option<Instant> {
        Some(Instant(self.0.to_timestamp(moment).ok()?.as_microsecond()))
    }

    /// What calendar and clock show here at a moment.
    pub fn civil(&self, at: Instant) -> DateTime {
        at.stamp().to_zoned(self.0.clone()).datetime()
    }

    /// What a wall clock shows here at a moment, as if it were UTC's.
    pub fn wall(&self, at: Instant) -> Instant {
        if at == Instant::MIN || at == Instant::MAX {
            return at;
        }
        let shown = self.civil(at).to_zoned(TimeZone::UTC).map(|shown| shown.timestamp().as_microsecond());
        Instant(shown.unwrap_or(at.0))
    }

    /// The calendar date of a moment here.
    pub fn date(&self, at: Instant) -> Date {
        at.stamp().to_zoned(self.0.clone()).date()
    }
}

/// `[start, end)`; an absent side is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    pub start: Instant,
    pub end: Instant,
}

impl Interval {
    pub const ALWAYS: Interval = Interval { start: Instant::MIN, end: Instant::MAX };

    /// What a FHIR date, dateTime or instant means, at the precision given; a bare date is read in `zone`.
    /// `None` for what is no such value: `2026-02-30`, `24:00`, a time without an offset.
    pub fn of(text: &str, zone: &Zone) -> Option<Interval> {
        match text.len() {
            4 => Self::civil(date(text, "01", "01")?, zone, 1.year()),
            7 => Self::civil(date(text.get(..4)?, text.get(4..)?.strip_prefix('-')?, "01")?, zone, 1.month()),
            10 => Self::civil(whole_date(text)?, zone, 1.day()),
            _ => Self::of_time(text),
        }
    }

    fn civil(start: Date, zone: &Zone, span: jiff::Span) -> Option<Interval> {
        let end = start.checked_add(span).ok();
        Some(Interval {
            start: zone.instant(start.at(0, 0, 0, 0))?,
            end: end.and_then(|end| zone.instant(end.at(0, 0, 0, 0))).unwrap_or(Instant::MAX),
        })
    }

    fn of_time(text: &str) -> Option<Interval> {
        let (day, time) = text.split_once('T')?;
        let zone = Zone::of(text)?;
        let clock = time.trim_end_matches('Z').split(['+', '-']).next()?;
        let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let mut parts = whole.split(':').map(|part| (part.len() == 2).then(|| part.parse::<i8>().ok()).flatten());
        let (hour, minute) = (parts.next()??, parts.next()??);
        let (second, width) = match parts.next() {
            // Search values may stop at the minute (R4 search.html#date); stored values are held to seconds elsewhere.
            None => (0, 60_000_000),
            Some(second) => (second?, 1_000_000),
        };
        if parts.next().is_some()
            || (clock.contains('.') && fraction.is_empty())
            || !fraction.bytes().all(|b| b.is_ascii_digit())
        {
            return None;
        }
        // A leap second has no place of its own on the UTC line that databases count: it is read as the last second.
        let start = zone.instant(whole_date(day)?.to_datetime(Time::new(hour, minute, second.min(59), 0).ok()?))?;
        let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(6).collect();
        let width = if fraction.is_empty() { width } else { 10_i64.pow(6_u32.saturating_sub(fraction.len() as u32)) };
        let start = Instant(start.0 + digits.parse::<i64>().ok()?);
        (second <= 60).then_some(Interval { start, end: Instant(start.0 + width) })
    }

    /// A Period: from the start of `start` to the end of `end`.
    pub fn of_period(start: Option<&str>, end: Option<&str>, zone: &Zone) -> Option<Interval> {
        Some(Interval {
            start: start.map_or(Some(Instant::MIN), |text| Interval::of(text, zone).map(|found| found.start))?,
            end: end.map_or(Some(Instant::MAX), |text| Interval::of(text, zone).map(|found| found.end))?,
        })
    }

    pub fn contains(&self, at: Instant) -> bool {
        self.start <= at && at < self.end
    }

    /// `other` lies fully inside.
    pub fn covers(&self, other: &Interval) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    pub fn overlaps(&self, other: &Interval) -> bool {
        self.start < other.end && other.start < self.end
    }
}

fn whole_date(text: &str) -> Option<Date> {
    let (year, rest) = text.split_at_checked(4)?;
    let (month, day) = rest.strip_prefix('-')?.split_once('-')?;
    date(year, month, day)
}

fn date(year: &str, month: &str, day: &str) -> Option<Date> {
    let digits = |text: &str, width: usize| text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_date_is_the_whole_of_it_in_its_zone() {
        let new_york = Zone::of("2026-01-15T10:00:00-05:00").unwrap();
        for (text, start, end) in [
            ("2026", "2026-01-01T05:00:00Z", "2027-01-01T05:00:00Z"),
            ("2026-02", "2026-02-01T05:00:00Z", "2026-03-01T05:00:00Z"),
            ("2026-02-28", "2026-02-28T05:00:00Z", "2026-03-01T05:00:00Z"),
            ("2026-02-28T10:00:00Z", "2026-02-28T10:00:00Z", "2026-02-28T10:00:01Z"),
            ("2026-02-28T10:00Z", "2026-02-28T10:00:00Z", "2026-02-28T10:01:00Z"),
            ("2026-02-28T10:00:00.5+02:00", "2026-02-28T08:00:00.5Z", "2026-02-28T08:00:00.6Z"),
        ] {
            let found = Interval::of(text, &new_york).unwrap();
            assert_eq!(
                (found.start, found.end),
                (Instant::parse(start).unwrap(), Instant::parse(end).unwrap()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "26",
            "2026-2",
            "2026-02-30",
            "2026-13",
            "2026-02-28T10:00:00",
            "2026-02-28T25:00:00Z",
            "2026-02-28T10:00:00.Z",
            "20260228",
            "2026-02-28T1:00:00Z",
            "+026",
            "é026-01",
        ] {
            assert_eq!(Interval::of(text, &Zone::utc()), None, "{text}");
        }
    }

    #[test]
    fn instants_are_written_as_fhir_and_http_want_them() {
        let at = Instant::parse("2026-11-22T12:00:00.25-05:00").unwrap();
        assert_eq!(at.to_string(), "2026-11-22T17:00:00.250Z");
        assert_eq!(at.http_date(), "Sun, 22 Nov 2026 17:00:00 GMT");
        assert_eq!(Instant::of_http_date(&at.http_date()), Instant::parse("2026-11-22T17:00:00Z"));
        assert_eq!(Instant::of_http_date("yesterday"), None);
    }
}
