//! How a consent stands at a moment: in force, or why not (consent.md R1, R10), for whoever keeps or reviews it.
//!
//! Nothing is decided here: a list of these is read by people, decisions read `heard`.

use std::collections::BTreeSet;

use super::clock::Clock;
use super::directive::{Answer, Directive};
use super::directives::{Directives, bounds};
use super::rule::{Effect, Role, Rule, Who};
use super::world::World;
use crate::fhir::{Instant, Zone};

/// One consent at one moment.
#[derive(Clone, Debug)]
pub struct Standing<'d> {
    pub directive: &'d Directive,
    /// `not-active`, `not-privacy`, `not-begun`, `ended`, `no-evidence`, `replaced`; nothing when it is in force.
    pub reasons: Vec<&'static str>,
    /// `Consent/c2`: what has come in its place.
    pub replaced_by: Vec<String>,
    pub ends: Option<Instant>,
}

impl Standing<'_> {
    pub fn is_in_force(&self) -> bool {
        self.reasons.is_empty()
    }
}

impl Directives {
    /// All of the person's consents as they stand.
    pub fn standings(&self, world: &World, at: Instant, zone: &Zone) -> Vec<Standing<'_>> {
        let clock = Clock::new(at, zone);
        let in_force: Vec<bool> = self.all().iter().map(|own| self.has_been_in_force(own, world, &clock)).collect();
        let standing = |(place, directive): (usize, &'_ Directive)| {
            let bounds = bounds(directive, &clock);
            let next = self.successors_of(place).into_iter().filter(|next| in_force[*next]);
            let replaced_by: Vec<String> = next.map(|next| self.all()[next].key().to_string()).collect();
            let mut reasons = Vec::new();
            for (holds, reason) in [
                (!directive.is_active, "not-active"),
                (!directive.is_privacy, "not-privacy"),
                (!clock.reached(bounds.start), "not-begun"),
                (clock.reached(bounds.end), "ended"),
                (!self.has_evidence(directive, world, &clock), "no-evidence"),
                (!replaced_by.is_empty(), "replaced"),
            ] {
                if holds {
                    reasons.push(reason);
                }
            }
            (reasons, replaced_by, bounds.end)
        };
        let each = self.all().iter().enumerate().map(|(place, directive)| {
            let (reasons, replaced_by, end) = standing((place, directive));
            Standing { directive, reasons, replaced_by, ends: Some(end).filter(|end| *end < Instant::MAX) }
        });
        each.collect()
    }
}

impl Directive {
    /// Whether it is a privacy consent that somebody means to be in force.
    pub fn is_meant(&self) -> bool {
        self.is_active && self.is_privacy
    }

    /// Whether it is or was in force, as far as its status says.
    pub fn has_counted(&self) -> bool {
        self.has_counted
    }

    /// When its period ends; `None` for one without an end.
    pub fn ends(&self, zone: &Zone) -> Option<Instant> {
        let zone = self.zone(zone);
        let period = self.period.as_ref()?.interval(&zone)?;
        Some(period.end).filter(|end| *end < Instant::MAX)
    }

    /// Whether one of its permits may mean somebody of that house (`Organization/x` and those above it): it is named,
    /// nobody is, or who is named cannot be told here.
    pub fn may_permit(&self, house: &BTreeSet<String>) -> bool {
        let effect = match self.answer {
            Answer::Deny => Effect::Deny,
            Answer::Permit | Answer::EmergencyOnly | Answer::Unclear => Effect::Permit,
        };
        permits(&self.root, effect, true, house)
    }
}

fn permits(rule: &Rule, effect: Effect, above: bool, house: &BTreeSet<String>) -> bool {
    let means = match &rule.actor {
        None => above,
        Some(actors) => {
            let mut recipients = actors.known.iter().filter(|actor| actor.role == Role::Recipient).peekable();
            recipients.peek().is_none()
                || recipients.any(|actor| match &actor.who {
                    Who::Key(key) => house.contains(key) || !key.starts_with("Organization/"),
                    Who::Identifier(_) | Who::Contained(_) => true,
                })
        }
    };
    (means && effect == Effect::Permit) || rule.children.iter().any(|child| permits(child, child.effect, means, house))
}
