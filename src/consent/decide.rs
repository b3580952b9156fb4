//! The decision on one resource, and why (consent.md R10 to R12, R15).
//!
//! Total: it always answers, and what it cannot read it denies. A `Decision` is made here only; it names consents,
//! rules and policies, and no health data, so that it can go into the log as it is.

mod account;
mod carried;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::directives::{Directives, People};
use super::emergency::Glass;
use super::facts::Facts;
use super::parts::{self, Way};
use super::question::Question;
use super::residual::{Clause, ForPurpose, Ordinary, Residual, Shape, specialise};
use super::rule::Cited;
use super::world::World;

/// Permit or deny, with reasons and obligations.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    resource: Arc<str>,
    effect: Effect,
    is_released: bool,
    is_decided: bool,
    states_action: bool,
    /// `None` for none.
    purposes: Option<Arc<BTreeSet<String>>>,
    obligations: BTreeSet<String>,
    reasons: Vec<Reason>,
    /// The parts that stay behind when the rest is released.
    withheld: Vec<Way>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    Permit,
    Deny,
    /// Withheld, because something was not understood.
    Indeterminate,
}

/// One rule, row of law or policy that decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reason {
    effect: Effect,
    /// `Consent/c1/_history/1`, and the rule in it.
    consent: Option<Arc<Cited>>,
    /// The rule of consent.md that made it decide.
    rule: &'static str,
    /// The rule lists the action asked for.
    states_action: bool,
    /// The row of law, or the default policy.
    policy: Option<String>,
}

/// The residuals of the people whom one request is about.
#[derive(Clone, Debug)]
pub struct Residuals {
    by_record: BTreeMap<String, Residual>,
    /// For a resource that names nobody: the default policy and the law answer.
    nobody: Residual,
}

/// Decides on one resource. For several, take `Residuals` once.
pub fn decide(people: &People, world: &World, question: &Question, facts: &Facts) -> Decision {
    Residuals::of(people, world, question, facts.patients().iter().map(String::as_str)).decide(facts)
}

impl Residuals {
    pub fn of<'p>(
        people: &People,
        world: &World,
        question: &Question,
        patients: impl IntoIterator<Item = &'p str>,
    ) -> Residuals {
        let mut by_record: BTreeMap<String, Residual> = BTreeMap::new();
        for patient in patients {
            if by_record.contains_key(patient) {
                continue;
            }
            let stranger = || Directives::of(patient, Vec::new(), world, people.policy());
            let residual = match people.get(patient) {
                Some(person) => specialise(person, world, question),
                None => specialise(&stranger(), world, question),
            };
            by_record.insert(patient.to_string(), residual);
        }
        let nobody = specialise(&Directives::of("", Vec::new(), world, people.policy()), world, question);
        Residuals { by_record, nobody }
    }

    pub fn get(&self, patient: &str) -> Option<&Residual> {
        self.by_record.get(patient)
    }

    /// Whether the request is refused, whatever it asks for.
    pub fn refuses(&self) -> bool {
        matches!(self.nobody.shape, Shape::Refused { .. })
    }

    /// Each patient that the resource names must permit (R11). A patient for whom no residual was taken does not.
    pub fn decide(&self, facts: &Facts) -> Decision {
        parts::judged(self.whole(facts), facts, |part| self.whole(part))
    }

    fn whole(&self, facts: &Facts) -> Decision {
        let mut found = Vec::new();
        for patient in facts.patients() {
            match self.by_record.get(patient) {
                Some(residual) => found.push(residual.decide(facts)),
                None => {
                    found.push(Decision::withheld(facts, true, vec![Reason::policy(Effect::Deny, "R11", "unknown")]))
                }
            }
        }
        if found.is_empty() { self.nobody.decide(facts) } else { combined(facts, found) }
    }
}

/// What everyone whom a resource names decides about it and its parts (R11), by the residual of each. Nobody permits
/// nothing.
pub fn decide_by_all(residuals: &[&Residual], facts: &Facts) -> Decision {
    let whole = |facts: &Facts| combined(facts, residuals.iter().map(|residual| residual.decide(facts)).collect());
    parts::judged(whole(facts), facts, whole)
}

fn combined(facts: &Facts, mut found: Vec<Decision>) -> Decision {
    match found.len() {
        0 => Decision::withheld(facts, false, vec![Reason::policy(Effect::Deny, "R11", "unknown")]),
        1 => found.swap_remove(0),
        _ => together(facts, found),
    }
}

impl Residual {
    /// This person's answer. A resource that names others too needs theirs: `Residuals::decide`.
    pub fn decide(&self, facts: &Facts) -> Decision {
        match &self.shape {
            Shape::Refused { rule, policy } => {
                Decision::withheld(facts, true, vec![Reason::policy(Effect::Deny, rule, policy)])
            }
            Shape::Emergency(glass) => through(glass, facts),
            Shape::Ordinary(ordinary) => ordinarily(ordinary, facts),
        }
    }
}

/// Combines the people that one resource names (R11).
fn together(facts: &Facts, found: Vec<Decision>) -> Decision {
    let permits = found.iter().filter(|decision| decision.is_released).count();
    let denies = found.iter().any(|decision| decision.effect == Effect::Deny && decision.is_decided);
    let is_decided = found.iter().any(|decision| decision.is_decided);
    let purposes = found.iter().map(|decision| decision.purposes().clone()).reduce(|all, own| &all & &own);
    let purposes = purposes.filter(|purposes| !purposes.is_empty()).map(Arc::new);
    let mut reasons = distinct(found.iter().flat_map(|decision| decision.reasons.clone()).collect());
    if permits == found.len() && purposes.is_some() {
        let states_action = found.iter().all(|decision| decision.states_action);
        let obligations = found.into_iter().flat_map(|decision| decision.obligations).collect();
        return Decision { is_decided, states_action, purposes, obligations, ..Decision::released(facts, reasons) };
    }
    if permits > 0 || denies {
        // One permits or denies and another does not permit, or they have no purpose in common.
        reasons.push(Reason::policy(Effect::Deny, "R11", "several-patients"));
        return Decision::withheld(facts, true, reasons);
    }
    if found.iter().any(|decision| decision.effect == Effect::Indeterminate) {
        return Decision { effect: Effect::Indeterminate, ..Decision::withheld(facts, true, reasons) };
    }
    Decision::withheld(facts, is_decided, reasons)
}

/// A standing declaration (consent.md section 6).
fn through(glass: &Glass, facts: &Facts) -> Decision {
    if !glass.is_declared {
        return Decision::withheld(facts, true, vec![Reason::policy(Effect::Deny, "R15", "emergency")]);
    }
    let shut: Vec<Reason> = glass
        .shut
        .iter()
        .filter(|(_, named)| named.holds(facts))
        .map(|(row, _)| Reason::policy(Effect::Deny, "R15", row))
        .collect();
    if !shut.is_empty() {
        return Decision::withheld(facts, true, shut);
    }
    let owed = glass.owed.iter().filter(|(named, _)| named.holds(facts)).flat_map(|(_, codes)| codes.clone());
    Decision {
        obligations: glass.obligations().chain(owed).collect(),
        purposes: Some(Arc::new(BTreeSet::from([super::purpose::EMERGENCY.to_string()]))),
        ..Decision::released(facts, vec![Reason::policy(Effect::Permit, "R15", "emergency")])
    }
}

/// What one purpose comes to.
enum Outcome {
    Denied(Vec<Reason>),
    Granted(Vec<Reason>),
    /// The law took away what consent or default gave.
    Unlawful(Vec<Reason>),
    Doubted(Vec<Reason>),
    Silent,
}

/// Combines purposes (R12): at least one is permitted, and none is explicitly denied by a consent.
fn ordinarily(ordinary: &Ordinary, facts: &Facts) -> Decision {
    let by_default = |effect: Effect| Reason::policy(effect, "R10", ordinary.default.name());
    let (mut denied, mut granted, mut unlawful, mut doubted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut opened: Vec<&ForPurpose> = Vec::new();
    let mut obligations = BTreeSet::new();
    for purpose in &ordinary.purposes {
        match purpose.outcome(facts) {
            Outcome::Denied(reasons) => add(&mut denied, reasons),
            Outcome::Granted(reasons) => {
                opened.push(purpose);
                purpose.owed(facts, &mut obligations);
                add(&mut granted, if reasons.is_empty() { vec![by_default(Effect::Permit)] } else { reasons });
            }
            Outcome::Unlawful(reasons) => add(&mut unlawful, reasons),
            Outcome::Doubted(reasons) => add(&mut doubted, reasons),
            Outcome::Silent => {}
        }
    }
    // For one purpose each rule decides once.
    let distinct = |reasons: Vec<Reason>| if ordinary.purposes.len() > 1 { distinct(reasons) } else { reasons };
    if !denied.is_empty() {
        return Decision::withheld(facts, true, distinct(denied));
    }
    if !ordinary.unclear.is_empty() {
        let reasons = ordinary.unclear.iter().map(|root| Reason {
            effect: Effect::Indeterminate,
            consent: Some(root.clone()),
            rule: "R2",
            states_action: false,
            policy: None,
        });
        return Decision { effect: Effect::Indeterminate, ..Decision::withheld(facts, true, reasons.collect()) };
    }
    if !granted.is_empty() {
        if opened.len() < ordinary.purposes.len() {
            obligations.insert("NOREUSE".to_string());
        }
        let purposes = match opened[..] {
            [one] => one.alone.clone(),
            _ => Arc::new(opened.iter().map(|purpose| purpose.purpose.clone()).collect()),
        };
        let is_decided = granted.iter().any(|reason| reason.consent.is_some());
        let states_action = granted.iter().any(|reason| reason.states_action);
        let released = Decision::released(facts, distinct(granted));
        return Decision { is_decided, states_action, purposes: Some(purposes), obligations, ..released };
    }
    if !unlawful.is_empty() {
        return Decision::withheld(facts, true, distinct(unlawful));
    }
    if !doubted.is_empty() {
        return Decision { effect: Effect::Indeterminate, ..Decision::withheld(facts, true, distinct(doubted)) };
    }
    Decision::withheld(facts, false, vec![by_default(Effect::Deny)])
}

/// Most questions have one purpose, whose reasons are all there are.
fn add(all: &mut Vec<Reason>, more: Vec<Reason>) {
    if all.is_empty() {
        *all = more;
    } else {
        all.extend(more);
    }
}

impl ForPurpose {
    /// Deny beats permit beats silence (R10); then the law takes away (R15).
    fn outcome(&self, facts: &Facts) -> Outcome {
        let denying = reasons(&self.denies, Effect::Deny, facts, |_| ());
        if !denying.is_empty() {
            return Outcome::Denied(denying);
        }
        let mut refusing: Option<Vec<usize>> = None;
        let permitting = reasons(&self.permits, Effect::Permit, facts, |clause| {
            let refusing = refusing.get_or_insert_with(|| self.refusing(facts));
            refusing.retain(|place| !clause.met.get(*place).is_some_and(|met| met.holds(facts)));
        });
        if permitting.is_empty() {
            let doubting = reasons(&self.doubts, Effect::Indeterminate, facts, |_| ());
            if !doubting.is_empty() {
                return Outcome::Doubted(doubting);
            }
            if !self.default.holds(facts) {
                return Outcome::Silent;
            }
        }
        let refusing = refusing.unwrap_or_else(|| self.refusing(facts));
        if refusing.is_empty() {
            return Outcome::Granted(permitting);
        }
        let rows = refusing.into_iter().filter_map(|place| self.law.get(place));
        Outcome::Unlawful(rows.map(|row| Reason::policy(Effect::Deny, "R15", &row.id)).collect())
    }

    /// The rows of law that take this away, unless a rule that permits meets them.
    fn refusing(&self, facts: &Facts) -> Vec<usize> {
        let rows = self.law.iter().enumerate().filter(|(_, row)| !row.is_allowed && row.applies.holds(facts));
        rows.map(|(place, _)| place).collect()
    }

    /// Adds what the law asks for in return.
    fn owed(&self, facts: &Facts, owed: &mut BTreeSet<String>) {
        for row in self.law.iter().filter(|row| !row.obligations.is_empty() && row.applies.holds(facts)) {
            let binding = row.obligations.iter().filter(|(_, binds)| binds.holds(facts));
            owed.extend(binding.map(|(code, _)| code.clone()));
        }
    }
}

/// What the clauses that hold give as reasons; each of them is shown to `seen`.
///
/// The deepest of each branch: a rule above one that decides the same way is not the one that decided. Clauses come
/// in the order in which they were compiled, in which all that is below a rule stands right before it.
fn reasons(clauses: &[Clause], effect: Effect, facts: &Facts, mut seen: impl FnMut(&Clause)) -> Vec<Reason> {
    let mut found = Vec::new();
    let mut before: Option<&Cited> = None;
    for clause in clauses.iter().filter(|clause| clause.when.holds(facts)) {
        seen(clause);
        let cited = &clause.cited;
        if !before.is_some_and(|before| before.is_below(cited)) {
            if found.capacity() == 0 {
                found.reserve_exact(clauses.len().min(16));
            }
            found.push(Reason {
                effect,
                consent: Some(cited.clone()),
                rule: match &*cited.path {
                    _ if clause.doubt.holds(facts) => "R13",
                    "provision" => "R2",
                    _ => "R4",
                },
                states_action: clause.states_action,
                policy: None,
            });
        }
        before = Some(cited);
    }
    found
}

impl Cited {
    /// Whether it lies below the other in one reading of a consent.
    fn is_below(&self, above: &Cited) -> bool {
        Arc::ptr_eq(&self.consent, &above.consent)
            && self.path.strip_prefix(&*above.path).is_some_and(|rest| rest.starts_with('.'))
    }
}

/// Each reason once, where it stood first.
fn distinct(mut reasons: Vec<Reason>) -> Vec<Reason> {
    if reasons.len() > 1 {
        let mut seen = HashSet::new();
        reasons.retain(|reason| seen.insert(reason.clone()));
    }
    reasons
}

impl Decision {
    fn released(facts: &Facts, reasons: Vec<Reason>) -> Decision {
        Decision {
            resource: facts.shared_key(),
            effect: Effect::Permit,
            is_released: true,
            is_decided: true,
            states_action: false,
            purposes: None,
            obligations: BTreeSet::new(),
            reasons,
            withheld: Vec::new(),
        }
    }

    fn withheld(facts: &Facts, is_decided: bool, reasons: Vec<Reason>) -> Decision {
        Decision { effect: Effect::Deny, is_released: false, is_decided, ..Decision::released(facts, reasons) }
    }
}

impl Reason {
    fn policy(effect: Effect, rule: &'static str, policy: &str) -> Reason {
        Reason { effect, consent: None, rule, states_action: false, policy: Some(policy.to_string()) }
    }
}
