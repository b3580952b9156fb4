//! Times as they were written, to be read in the zone of whoever asks (consent.md R5).
//!
//! A bare date, month or year is the whole of it, end included. An instant is an instant: a period that ends at
//! noon is over at noon, though FHIR would read the whole of that second.

use crate::fhir::{Element, Instant, Interval, Zone};

/// A Period, or an element with a start and an end.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    start: Option<String>,
    end: Option<String>,
    is_period: bool,
    /// What it means in the only zone in which it is ever read, worked out once.
    settled: Option<Option<Interval>>,
}

impl Span {
    pub fn read(period: Element) -> Span {
        let [start, end] = ["start", "end"].map(|name| period.text(name).map(str::to_string));
        Span { start, end, is_period: period.object().is_some(), settled: None }
    }

    /// One that is read in its writer's zone, if that is known, whoever asks.
    pub fn read_in(period: Element, zone: Option<&Zone>) -> Span {
        let span = Span::read(period);
        let settled = zone.map(|zone| span.interval(zone));
        Span { settled, ..span }
    }

    pub fn is_readable(&self) -> bool {
        self.interval(&Zone::utc()).is_some()
    }

    /// As it was written.
    pub fn start(&self) -> Option<&str> {
        self.start.as_deref()
    }

    pub fn end(&self) -> Option<&str> {
        self.end.as_deref()
    }

    pub fn has_start(&self) -> bool {
        self.start.is_some()
    }

    pub fn has_end(&self) -> bool {
        self.end.is_some()
    }

    /// Which of its sides are dates of somebody's calendar.
    pub fn is_local(&self) -> (bool, bool) {
        let is_local = |side: &Option<String>| side.as_deref().is_some_and(|text| !is_instant(text));
        (is_local(&self.start), is_local(&self.end))
    }

    /// `None` for what is no period: unreadable, or over before it begins.
    pub fn interval(&self, zone: &Zone) -> Option<Interval> {
        if let Some(settled) = self.settled {
            return settled;
        }
        let start = self.start.as_deref().map_or(Some(Instant::MIN), |text| Some(moment(text, zone)?.start))?;
        let end = self.end.as_deref().map_or(Some(Instant::MAX), |text| {
            let end = moment(text, zone)?;
            // What begins and ends at one instant has lasted for that instant.
            Some(if is_instant(text) && end.start != start { end.start } else { end.end })
        })?;
        (self.is_period && start < end).then_some(Interval { start, end })
    }
}

/// A date, dateTime or instant, as long as it is precise.
pub fn moment(text: &str, zone: &Zone) -> Option<Interval> {
    let whole = Interval::of(text, zone)?;
    let end = if is_instant(text) { Instant(whole.start.0.saturating_add(1)) } else { whole.end };
    Some(Interval { end, ..whole })
}

/// Whether it is a moment, rather than a date of somebody's calendar.
pub fn is_instant(text: &str) -> bool {
    text.contains('T')
}
