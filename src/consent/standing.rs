//! How a Consent stands: whether it counts at a moment, and if not, why (consent.md R1, R10, rules.md 17).
//!
//! Made from the same judgement as decisions: what is heard counts, and nothing else.

use super::clock::Clock;
use super::directive::{Directive, Opens};
use super::directives::{Directives, Voice};
use super::world::World;
use crate::fhir::{Instant, Interval, Resource, Zone};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
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

impl Standing {
    /// What the Consent itself says, without the others of its person.
    pub fn alone(consent: &Resource, at: Instant, zone: &Zone) -> Standing {
        by_itself(consent, &Directive::read(consent), &Clock::new(at, zone)).unwrap_or(Standing::InForce)
    }

    /// Among all consents of a person; `None` for one that is not among them.
    pub fn among(person: &Directives, world: &World, consent: &Resource, at: Instant, zone: &Zone) -> Option<Standing> {
        let (clock, key) = (Clock::new(at, zone), consent.key());
        let directive = person.all().iter().find(|directive| directive.key() == key)?;
        if let Some(standing) = by_itself(consent, directive, &clock) {
            return Some(standing);
        }
        let heard = person.heard(world, &clock).into_iter().find(|(heard, _)| heard.key() == key);
        Some(match heard.map(|(_, voice)| voice) {
            Some(Voice::Whole) if directive.opens != Opens::Everything => Standing::Awaiting,
            Some(Voice::Whole) => Standing::InForce,
            Some(Voice::DeniesOnly) => Standing::DeniesOnly,
            None if person.has_evidence(directive, world, &clock) => Standing::Replaced,
            None => Standing::Unproved,
        })
    }

    /// `in-force`; the key of its words.
    pub fn code(self) -> &'static str {
        match self {
            Standing::InForce => "in-force",
            Standing::NotYet => "not-yet",
            Standing::Ended => "ended",
            Standing::TakenBack => "taken-back",
            Standing::Rejected => "rejected",
            Standing::Mistake => "mistake",
            Standing::Draft => "draft",
            Standing::Replaced => "replaced",
            Standing::DeniesOnly => "denies-only",
            Standing::Awaiting => "awaiting",
            Standing::Unproved => "unproved",
            Standing::Other => "other",
        }
    }
}

/// What status, scope and period say; `None` when it may count.
fn by_itself(consent: &Resource, directive: &Directive, clock: &Clock) -> Option<Standing> {
    if !directive.is_privacy {
        return Some(Standing::Other);
    }
    if !directive.is_active {
        return Some(match consent.root().text("status").unwrap_or("") {
            "inactive" => Standing::TakenBack,
            "rejected" => Standing::Rejected,
            "entered-in-error" => Standing::Mistake,
            _ => Standing::Draft,
        });
    }
    let zone = directive.zone(clock.zone);
    let period = directive.period.as_ref().and_then(|period| period.interval(&zone)).unwrap_or(Interval::ALWAYS);
    match (clock.reached(period.start), clock.reached(period.end)) {
        (false, _) => Some(Standing::NotYet),
        (true, true) => Some(Standing::Ended),
        (true, false) => None,
    }
}
