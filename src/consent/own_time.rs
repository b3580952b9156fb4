//! When a resource says that it was (consent.md R5, section 3), as far as that can be known before it is known in whose
//! zone it is read.

use super::span::{Span, is_instant, moment};
use crate::fhir::{Element, Instant, Interval, Resource, Zone};

/// A resource's own time, and what can be said of it at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnTime {
    stated: Stated,
    settled: Settled,
}

impl OwnTime {
    pub fn of(resource: &Resource) -> OwnTime {
        OwnTime::as_stated(stated(resource))
    }

    fn as_stated(stated: Stated) -> OwnTime {
        OwnTime { settled: stated.settled(), stated }
    }

    /// Whether it lies inside, or else at least touches; without a date, only the latter.
    pub fn lies(&self, interval: &Interval, zone: &Zone, inside: bool) -> bool {
        let own = match &self.settled {
            Settled::Exactly(own) => *own,
            Settled::Nothing => self.stated.interval(zone),
            Settled::About(near) => match at_a_glance(near, interval, inside) {
                Some(found) => return found,
                None => self.stated.interval(zone),
            },
        };
        match own {
            Some(own) if inside => interval.covers(&own),
            Some(own) => interval.overlaps(&own),
            None => !inside,
        }
    }

    /// As the columns of a store have it.
    pub fn written(&self) -> Option<Written> {
        self.stated.written()
    }
}

/// As it was written: a bare date is read in the zone of the consent that asks.
#[derive(Clone, Debug, Default, PartialEq)]
enum Stated {
    #[default]
    None,
    At(String),
    During(Span),
}

/// What can be said of its own time before it is known in whose zone it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Settled {
    #[default]
    Nothing,
    /// The same in every zone.
    Exactly(Option<Interval>),
    /// Read as if in UTC: no zone is two days away.
    About(Interval),
}

/// A resource's own time, each side either a moment or what a wall clock shows, as if it were UTC's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Written {
    pub interval: Interval,
    pub start_is_local: bool,
    pub end_is_local: bool,
}

/// Farther from UTC than any zone.
const FAR: i64 = 2 * 86_400 * 1_000_000;
/// Calendars end in 9999, in some zones sooner than in others; until the year 9000 they do not.
const CALENDAR: Instant = Instant(221_845_392_000_000_000);

/// Whether what is about `near` lies inside, or touches; `None` where that hangs on the zone.
fn at_a_glance(near: &Interval, interval: &Interval, inside: bool) -> Option<bool> {
    let before = |at: Instant| Instant(at.0.saturating_sub(FAR));
    let after = |at: Instant| Instant(at.0.saturating_add(FAR));
    let (surely, never) = if inside {
        (
            interval.start <= before(near.start) && after(near.end) <= interval.end,
            after(near.start) < interval.start || before(near.end) > interval.end,
        )
    } else {
        (
            interval.start < before(near.end) && after(near.start) < interval.end,
            after(near.end) <= interval.start || before(near.start) >= interval.end,
        )
    };
    if surely { Some(true) } else { never.then_some(false) }
}

impl Stated {
    fn settled(&self) -> Settled {
        // Of each side that is there, whether it is a date of somebody's calendar.
        let (start, end) = match self {
            Stated::None => (None, None),
            Stated::At(text) => (Some(!is_instant(text)), Some(!is_instant(text))),
            Stated::During(span) => {
                let (start, end) = span.is_local();
                (span.has_start().then_some(start), span.has_end().then_some(end))
            }
        };
        let utc = self.interval(&Zone::utc());
        match utc {
            _ if start != Some(true) && end != Some(true) => Settled::Exactly(utc),
            Some(near) if start != Some(false) && end != Some(false) => {
                let is_near = near.start < CALENDAR && (end.is_none() || near.end < CALENDAR);
                if is_near { Settled::About(near) } else { Settled::Nothing }
            }
            _ => Settled::Nothing,
        }
    }

    fn interval(&self, zone: &Zone) -> Option<Interval> {
        match self {
            Stated::None => None,
            Stated::At(text) => moment(text, zone),
            Stated::During(span) => span.interval(zone),
        }
    }

    fn written(&self) -> Option<Written> {
        let (start_is_local, end_is_local) = match self {
            Stated::None => return None,
            Stated::At(text) => (!is_instant(text), !is_instant(text)),
            Stated::During(span) => span.is_local(),
        };
        self.interval(&Zone::utc()).map(|interval| Written { interval, start_is_local, end_is_local })
    }
}

/// The elements that say when, in the order in which they are looked for (consent.md section 3).
const TIMES: &[(&str, &[&str])] = &[
    ("Observation", &["effective[x]", "issued"]),
    ("DiagnosticReport", &["effective[x]", "issued"]),
    ("Condition", &["onset[x]", "recordedDate"]),
    ("Encounter", &["period"]),
    ("CareTeam", &["period"]),
    ("CarePlan", &["period", "created"]),
    ("ServiceRequest", &["occurrence[x]", "authoredOn"]),
    ("Goal", &["startDate", "statusDate"]),
    ("MedicationStatement", &["effective[x]", "dateAsserted"]),
    ("MedicationRequest", &["authoredOn"]),
    ("Immunization", &["occurrence[x]"]),
    ("Procedure", &["performed[x]"]),
    ("Task", &["executionPeriod", "authoredOn"]),
    ("DocumentReference", &["date"]),
    ("QuestionnaireResponse", &["authored"]),
    ("Communication", &["sent"]),
];

fn stated(resource: &Resource) -> Stated {
    let root = resource.root();
    if resource.kind() == "Appointment" {
        let span = Span::read(root);
        return if span.has_start() || span.has_end() { Stated::During(span) } else { Stated::None };
    }
    let listed = TIMES.iter().find(|(kind, _)| *kind == resource.kind());
    let found = listed.into_iter().flat_map(|(_, names)| *names).find_map(|name| present(root, name));
    match found {
        // `onsetString` is text too, and no date.
        Some((name, element)) if !name.ends_with("String") => match element.as_str() {
            Some(text) => Stated::At(text.to_string()),
            None if name.ends_with("eriod") => Stated::During(Span::read(element)),
            None => Stated::None,
        },
        _ => Stated::None,
    }
}

/// The element of that name, or of a choice the one that is there.
fn present<'a>(root: Element<'a>, name: &str) -> Option<(&'a str, Element<'a>)> {
    let object = root.object()?;
    let found = object.iter().find(|(own, _)| match name.strip_suffix("[x]") {
        Some(stem) => own.strip_prefix(stem).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase())),
        None => own.as_str() == name,
    });
    found.map(|(own, value)| (own.as_str(), Element::new(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glance_at_a_date_says_what_reading_it_in_the_zone_would() {
        let zones = ["+00:00", "-12:00", "+14:00", "-05:00"].map(|offset| Zone::of(&format!("T00:00:00{offset}")));
        let (mut at_once, mut read) = (0, 0);
        for text in ["2026", "2026-02", "2026-02-28", "9999-12-31", "0001-01-01", "2026-02-28T10:00:00+02:00", "soon"] {
            let own = Stated::At(text.to_string());
            let time = OwnTime::as_stated(own.clone());
            for zone in zones.iter().flatten() {
                let near = own.interval(zone).unwrap_or(Interval::ALWAYS);
                let sides = [-3 * FAR, -FAR / 4, -1, 0, 1, FAR / 4, 3 * FAR];
                let sides = sides.map(|away| [near.start, near.end].map(|side| Instant(side.0.saturating_add(away))));
                for (start, end) in
                    sides.iter().flatten().flat_map(|one| sides.iter().flatten().map(move |two| (*one, *two)))
                {
                    let interval = Interval { start, end };
                    for inside in [true, false] {
                        let expected = match own.interval(zone) {
                            Some(own) if inside => interval.covers(&own),
                            Some(own) => interval.overlaps(&own),
                            None => !inside,
                        };
                        assert_eq!(time.lies(&interval, zone, inside), expected, "{text} {zone:?} {interval:?}");
                        match time.settled {
                            Settled::About(near) if at_a_glance(&near, &interval, inside).is_none() => read += 1,
                            _ => at_once += 1,
                        }
                    }
                }
            }
        }
        assert!(read > 0 && at_once > read);
    }
}
