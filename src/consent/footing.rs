//! How a Consent stands: whether it counts at a moment, and if not, why (consent.md R1, R10, rules.md 17).
//!
//! Made from the same judgement as decisions: what is heard counts, and nothing else.

use super::clock::Clock;
use super::directive::Directive;
use super::directives::{Directives, Voice};
use super::world::World;
use crate::fhir::{Instant, Interval, Resource, Zone};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footing {
    InForce,
    NotYet,
    Ended,
    /// Inactive: revoked.
    TakenBack,
    Rejected,
    /// Entered in error.
    Mistake,
    Draft,
    /// A newer one speaks in its place.
    Replaced,
    /// The newer one has ended: its denies speak again, its permits do not.
    DeniesOnly,
    /// Its permits open no more than its filer's own data until somebody verifies it.
    Awaiting,
    /// What shows that it was given is missing.
    Unproved,
    /// No privacy consent.
    Other,
}

impl Footing {
    /// What the Consent itself says, without the others of its person.
    pub fn alone(consent: &Resource, at: Instant, zone: &Zone) -> Footing {
        by_itself(consent, &Directive::read(consent), &Clock::new(at, zone)).unwrap_or(Footing::InForce)
    }

    /// Among all consents of a person; `None` for one that is not among them.
    pub fn among(person: &Directives, world: &World, consent: &Resource, at: Instant, zone: &Zone) -> Option<Footing> {
        let (clock, key) = (Clock::new(at, zone), consent.key());
        let directive = person.all().iter().find(|directive| directive.key() == key)?;
        if let Some(standing) = by_itself(consent, directive, &clock) {
            return Some(standing);
        }
        let heard = person.heard_for(None, world, &clock).into_iter().find(|(heard, _)| heard.key() == key);
        Some(match heard.map(|(_, voice)| voice) {
            Some(Voice::Whole) if directive.opens.is_narrow_for_all() => Footing::Awaiting,
            Some(Voice::Whole) => Footing::InForce,
            Some(Voice::DeniesOnly) => Footing::DeniesOnly,
            None if person.has_evidence(directive, world, &clock) => Footing::Replaced,
            None => Footing::Unproved,
        })
    }

    /// `in-force`; the key of its words.
    pub fn code(self) -> &'static str {
        match self {
            Footing::InForce => "in-force",
            Footing::NotYet => "not-yet",
            Footing::Ended => "ended",
            Footing::TakenBack => "taken-back",
            Footing::Rejected => "rejected",
            Footing::Mistake => "mistake",
            Footing::Draft => "draft",
            Footing::Replaced => "replaced",
            Footing::DeniesOnly => "denies-only",
            Footing::Awaiting => "awaiting",
            Footing::Unproved => "unproved",
            Footing::Other => "other",
        }
    }
}

/// What status, scope and period say; `None` when it may count.
fn by_itself(consent: &Resource, directive: &Directive, clock: &Clock) -> Option<Footing> {
    if !directive.is_privacy {
        return Some(Footing::Other);
    }
    if !directive.is_active {
        return Some(match consent.root().text("status").unwrap_or("") {
            "inactive" => Footing::TakenBack,
            "rejected" => Footing::Rejected,
            "entered-in-error" => Footing::Mistake,
            _ => Footing::Draft,
        });
    }
    let zone = directive.zone(clock.zone);
    let period = directive.period.as_ref().and_then(|period| period.interval(&zone)).unwrap_or(Interval::ALWAYS);
    match (clock.reached(period.start), clock.reached(period.end)) {
        (false, _) => Some(Footing::NotYet),
        (true, true) => Some(Footing::Ended),
        (true, false) => None,
    }
}
