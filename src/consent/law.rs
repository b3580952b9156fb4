//! The law for one question: which data each row touches, and what each permitting rule has of what the row needs
//! (consent.md R15, section 5).
//!
//! Rows may only take away what consent or default gave. A need is checked against each rule that permitted; one
//! rule that has everything is enough, and an opened default never has it.

use std::collections::BTreeSet;

use super::condition::{Atom, Condition};
use super::directive::{Answer, Directive};
use super::directives::{ADULT_YEARS, Voice};
use super::label::ACT_CODE;
use super::opens::Opens;
use super::regime::{Asked, Need, POLICY, Row, Way, is_within_any};
use super::rule::{Actor, Label, Role, Rule};
use super::select::{Inherited, Lens};
use super::world::REGIME;
use crate::fhir::Resource;

/// A row, with caller, purpose and moment fixed.
#[derive(Clone, Debug)]
pub struct Bound {
    pub id: String,
    pub applies: Condition,
    /// Nothing is needed; the row only brings obligations.
    pub is_allowed: bool,
    pub obligations: Vec<(String, Condition)>,
}

/// The law of one question for one person.
pub struct Law<'a> {
    asked: &'a Asked<'a>,
    rows: Vec<&'a Row>,
    heard: &'a [(&'a Directive, Voice)],
}

impl<'a> Law<'a> {
    pub fn of(asked: &'a Asked<'a>, heard: &'a [(&'a Directive, Voice)]) -> Law<'a> {
        let on = |row: &&Row| !row.is_switch || asked.person.policy().overlays.contains(&row.id);
        let may_apply = |row: &&Row| row.applies(asked) != Condition::Never;
        Law { rows: asked.person.policy().regimes.rows().iter().filter(on).filter(may_apply).collect(), asked, heard }
    }

    pub fn bound(&self) -> Vec<Bound> {
        let bind = |row: &&Row| Bound {
            id: row.id.clone(),
            applies: row.applies(self.asked),
            is_allowed: row.is_allowed,
            obligations: row.obligations.iter().map(|duty| (duty.code.clone(), duty.binds(self.asked))).collect(),
        };
        self.rows.iter().map(bind).collect()
    }

    /// For each row of `bound`, the data for which this rule has all that the row needs.
    pub fn met_by(&self, rule: &Rule, above: Inherited, lens: &Lens) -> Vec<Condition> {
        let ground = Ground { rule, above, lens };
        let met = |row: &&Row| Condition::any(row.ways.iter().map(|way| self.opened(way, &ground)));
        self.rows.iter().map(met).collect()
    }

    fn opened(&self, way: &Way, ground: &Ground) -> Condition {
        let Some(when) = &way.when else { return Condition::Never };
        let needs = way.needs.iter().map(|need| self.meets(need.as_ref(), ground));
        Condition::all([when.condition(self.asked)].into_iter().chain(needs))
    }

    fn meets(&self, need: Option<&Need>, ground: &Ground) -> Condition {
        let directive = ground.lens.directive;
        Condition::constant(match need {
            None => false,
            Some(Need::AnyOf(needs)) => {
                return Condition::any(needs.iter().map(|need| self.meets(need.as_ref(), ground)));
            }
            Some(Need::Discloser) => return Condition::is(Atom::Origin(ground.disclosers())),
            Some(Need::Received { policy, purposes, custodian_regime }) => {
                return self.received(policy, purposes, custodian_regime, ground.lens);
            }
            Some(Need::Policy(policy)) => is_under(directive, policy),
            Some(Need::Recipient) => ground.actors().any(|actor| ground.lens.is_recipient(actor)),
            Some(Need::Designation) => self.is_designated(ground),
            Some(Need::Purpose) => !ground.purposes().is_empty(),
            Some(Need::OnlyPurpose(purpose)) => ground.purposes() == [purpose],
            Some(Need::Records) => ground.names_records(),
            Some(Need::Date) => directive.written.is_some(),
            Some(Need::Signature) => directive.is_signed,
            Some(Need::End) => has_end(directive),
            Some(Need::EndUnlessPurposesWithin(within)) => {
                let purposes = ground.purposes();
                has_end(directive)
                    || (!purposes.is_empty() && purposes.iter().all(|purpose| is_within_any(purpose, within)))
            }
            Some(Need::Signers) => self.is_signed_by_all(directive),
            Some(Need::Mention(codes)) => ground.mentions(codes),
        })
    }

    /// "My treating providers": no recipient is named, a clinic asks, and a treating relationship is on file.
    fn is_designated(&self, ground: &Ground) -> bool {
        let names_nobody = !ground.actors().any(|actor| actor.role == Role::Recipient);
        names_nobody && self.asked.recipient.is_kind("clinic") && self.is_treating(ground.lens)
    }

    /// A team of the patient with the caller in it (the closure holds only active ones), or a visit there.
    fn is_treating(&self, lens: &Lens) -> bool {
        let patients = self.asked.person.patients();
        let of_patient = |resource: &&Resource| {
            resource.root().reference("subject").is_some_and(|subject| patients.contains(&subject.key()))
        };
        let team = lens.world.of_kind("CareTeam").filter(of_patient).any(|team| lens.closure.has(&team.key()));
        let visit = lens.world.of_kind("Encounter").filter(of_patient).any(|visit| {
            let root = visit.root();
            let here = root.reference("serviceProvider").map(|at| at.key());
            here.as_deref() == Some(self.asked.recipient.organization())
                && !matches!(root.text("status"), Some("planned" | "cancelled" | "entered-in-error"))
        });
        team || visit
    }

    /// The patient signed; for a minor, now or when the consent was given, a RelatedPerson signed too.
    fn is_signed_by_all(&self, directive: &Directive) -> bool {
        let person = self.asked.person;
        let clock = self.asked.clock;
        let needs_related = person.was_minor(directive, clock) || person.is_under(ADULT_YEARS, clock);
        person.is_signed_by_patient(directive)
            && (!needs_related || !person.related_signers(directive, self.asked.world).is_empty())
    }

    /// Origins of which a usable consent shows that they received the data properly.
    fn received(&self, policy: &str, within: &[String], regime: &str, lens: &Lens) -> Condition {
        let is_custodian = |key: &String| lens.world.organization_codes(key, REGIME).contains(regime);
        let mut origins = BTreeSet::new();
        for (directive, voice) in self.heard {
            let purposes = directive.root.purpose.as_ref();
            let shows = *voice == Voice::Whole
                && directive.opens != Opens::Nothing
                && directive.answer == Answer::Permit
                && !directive.root.is_blurred
                && is_under(directive, policy)
                && directive.written.is_some()
                && directive.is_signed
                && purposes.is_some_and(|purposes| {
                    !purposes.has_unknown && purposes.known.iter().all(|purpose| is_within_any(purpose, within))
                })
                && directive.custodians.iter().any(is_custodian);
            if shows {
                let named = directive.root_actors().into_iter().filter(|actor| actor.role == Role::Recipient);
                let lens = Lens { directive, zone: directive.zone(lens.clock.zone), ..*lens };
                origins.extend(named.flat_map(|actor| lens.organizations(actor)));
            }
        }
        Condition::is(Atom::Origin(origins))
    }
}

/// A rule that permitted, with what it takes over.
struct Ground<'a> {
    rule: &'a Rule,
    above: Inherited<'a>,
    lens: &'a Lens<'a>,
}

impl Ground<'_> {
    fn actors(&self) -> impl Iterator<Item = &Actor> {
        self.rule.actor.as_ref().or(self.above.actor).into_iter().flat_map(|actors| &actors.known)
    }

    /// Stated purposes, own or taken over.
    fn purposes(&self) -> Vec<&str> {
        let stated = self.rule.purpose.as_ref().or(self.above.purpose);
        stated.into_iter().flat_map(|purposes| &purposes.known).map(String::as_str).collect()
    }

    fn disclosers(&self) -> BTreeSet<String> {
        let holders = self.actors().filter(|actor| actor.role == Role::Holder);
        let held = holders.flat_map(|actor| self.lens.organizations(actor));
        held.chain(self.lens.directive.custodians.iter().cloned()).collect()
    }

    fn names_records(&self) -> bool {
        let rule = self.rule;
        rule.class.is_some() || rule.code.is_some() || rule.data.is_some() || rule.label.is_some()
    }

    /// A parent code is no mention.
    fn mentions(&self, codes: &[String]) -> bool {
        let labels = self.rule.label.iter().flat_map(|labels| &labels.known);
        labels.into_iter().any(|label| match label {
            Label::Code(system, code) => system == ACT_CODE && codes.contains(code),
            Label::Rank(_) => false,
        })
    }
}

fn is_under(directive: &Directive, policy: &str) -> bool {
    directive.policies.iter().any(|uri| uri.strip_prefix(POLICY) == Some(policy))
}

fn has_end(directive: &Directive) -> bool {
    directive.period.as_ref().is_some_and(|period| period.has_end())
}
