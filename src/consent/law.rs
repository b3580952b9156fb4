//! The law for one question: which data each row touches, and what each permitting rule has of what the row needs
//! (consent.md R15, section 5).
//!
//! Rows may only take away what consent or default gave. A need is checked against each rule that permitted; one
//! rule that has everything is enough, and an opened default never has it.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::condition::{Atom, Condition};
use super::directive::{Answer, Directive};
use super::directives::{ADULT_YEARS, Voice};
use super::label::ACT_CODE;
use super::opens::Opens;
use super::regime::{Asked, Need, POLICY, Row, Way, is_within_any};
use super::rule::{Actor, Label, Role, Rule};
use super::select::{Inherited, Lens, organizations};
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
    rows: Vec<Binding<'a>>,
    heard: &'a [(&'a Directive, Voice)],
    /// Whether a treating relationship is on file, looked up once.
    treating: OnceCell<bool>,
}

/// A row that may concern the data, with what does not depend on any rule worked out once.
struct Binding<'a> {
    row: &'a Row,
    applies: Condition,
    ways: Vec<Opening<'a>>,
}

/// A way to satisfy a row: when it is open, and the origins that received their data properly, once asked for.
struct Opening<'a> {
    way: &'a Way,
    when: Condition,
    received: OnceCell<Condition>,
}

impl<'a> Law<'a> {
    pub fn of(asked: &'a Asked<'a>, heard: &'a [(&'a Directive, Voice)]) -> Law<'a> {
        let on = |row: &&Row| !row.is_switch || asked.person.policy().overlays.contains(&row.id);
        let bind = |row: &'a Row| Binding {
            row,
            applies: row.applies(asked),
            ways: row.ways.iter().filter_map(|way| Opening::of(way, asked)).collect(),
        };
        let rows = asked
            .person
            .policy()
            .regimes
            .rows()
            .iter()
            .filter(on)
            .map(bind)
            .filter(|bound| bound.applies != Condition::Never);
        Law { rows: rows.collect(), asked, heard, treating: OnceCell::new() }
    }

    /// For the residual; its rows are in the order of `met_by`.
    pub fn bound(self) -> Vec<Bound> {
        let bind = |Binding { row, applies, .. }: Binding<'a>| Bound {
            id: row.id.clone(),
            applies,
            is_allowed: row.is_allowed,
            obligations: row.obligations.iter().map(|duty| (duty.code.clone(), duty.binds(self.asked))).collect(),
        };
        self.rows.into_iter().map(bind).collect()
    }

    /// For each row of `bound`, the data for which this rule has all that the row needs. Of the rule itself, besides what
    /// it takes over, that hangs on its actors, purposes and labels, and on whether it names records.
    pub fn met_by(&self, rule: &Rule, above: Inherited, lens: &Lens) -> Vec<Condition> {
        let ground = Ground { rule, above, lens };
        let met = |bound: &Binding| Condition::any(bound.ways.iter().map(|way| self.opened(way, &ground)));
        self.rows.iter().map(met).collect()
    }

    fn opened(&self, opening: &Opening, ground: &Ground) -> Condition {
        let needs = opening.way.needs.iter().map(|need| self.meets(need.as_ref(), opening, ground));
        match Condition::all(needs) {
            Condition::Never => Condition::Never,
            met => Condition::all([opening.when.clone(), met]),
        }
    }

    fn meets(&self, need: Option<&Need>, opening: &Opening, ground: &Ground) -> Condition {
        let directive = ground.lens.directive;
        Condition::constant(match need {
            None => false,
            Some(Need::AnyOf(needs)) => {
                return Condition::any(needs.iter().map(|need| self.meets(need.as_ref(), opening, ground)));
            }
            Some(Need::Discloser) => return Condition::is(Atom::Origin(ground.disclosers())),
            Some(Need::Received { policy, purposes, custodian_regime }) => {
                let received = || self.received(policy, purposes, custodian_regime);
                return opening.received.get_or_init(received).clone();
            }
            Some(Need::Policy(policy)) => is_under(directive, policy),
            Some(Need::Recipient) => ground.actors().any(|actor| ground.lens.is_recipient(actor)),
            Some(Need::Designation) => self.is_designated(ground),
            Some(Need::Purpose) => !ground.purposes().is_empty(),
            Some(Need::OnlyPurpose(purpose)) => ground.states_only(|stated| stated == purpose),
            Some(Need::Records) => names_records(ground.rule),
            Some(Need::Date) => directive.written.is_some(),
            Some(Need::Signature) => directive.is_signed,
            Some(Need::End) => has_end(directive),
            Some(Need::EndUnlessPurposesWithin(within)) => {
                has_end(directive) || ground.states_only(|stated| is_within_any(stated, within))
            }
            Some(Need::Signers) => self.is_signed_by_all(directive),
            Some(Need::Mention(codes)) => ground.mentions(codes),
        })
    }

    /// "My treating providers": no recipient is named, a clinic asks, and a treating relationship is on file.
    fn is_designated(&self, ground: &Ground) -> bool {
        let names_nobody = !ground.has_unknown_actor() && !ground.actors().any(|actor| actor.role == Role::Recipient);
        names_nobody
            && self.asked.recipient.is_kind("clinic")
            && *self.treating.get_or_init(|| self.is_treating(ground.lens))
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
    fn received(&self, policy: &str, within: &[String], regime: &str) -> Condition {
        let world = self.asked.world;
        let is_custodian = |key: &String| world.organization_codes(key, REGIME).contains(regime);
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
                origins.extend(named.flat_map(|actor| organizations(world, directive, actor)));
            }
        }
        Condition::is(Atom::Origin(origins))
    }
}

impl<'a> Opening<'a> {
    /// `None` for a way that opens nothing now, or that we do not know.
    fn of(way: &'a Way, asked: &Asked) -> Option<Opening<'a>> {
        let when = way.when.as_ref()?.condition(asked);
        (when != Condition::Never).then(|| Opening { way, when, received: OnceCell::new() })
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

    /// What was not understood could be a recipient.
    fn has_unknown_actor(&self) -> bool {
        self.rule.actor.as_ref().or(self.above.actor).is_some_and(|actors| actors.has_unknown)
    }

    /// Whether purposes are stated, and all of them are such; one that was not understood is not.
    fn states_only(&self, is_such: impl Fn(&str) -> bool) -> bool {
        let stated = self.rule.purpose.as_ref().or(self.above.purpose);
        stated.is_some_and(|stated| {
            !stated.has_unknown && !stated.known.is_empty() && stated.known.iter().all(|purpose| is_such(purpose))
        })
    }

    fn disclosers(&self) -> BTreeSet<String> {
        let holders = self.actors().filter(|actor| actor.role == Role::Holder);
        let held = holders.flat_map(|actor| self.lens.organizations(actor));
        held.chain(self.lens.directive.custodians.iter().cloned()).collect()
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

pub fn names_records(rule: &Rule) -> bool {
    rule.class.is_some() || rule.code.is_some() || rule.data.is_some() || rule.label.is_some()
}

fn is_under(directive: &Directive, policy: &str) -> bool {
    directive.policies.iter().any(|uri| uri.strip_prefix(POLICY) == Some(policy))
}

fn has_end(directive: &Directive) -> bool {
    directive.period.as_ref().is_some_and(|period| period.has_end())
}
