//! What remains of a person's directives once caller, purposes, action and moment are fixed: conditions on resources.
//!
//! Each rule becomes clauses that say when it decides; `decide` asks them one by one, `condition` joins them into one
//! expression for the store. INVARIANT: both read the same clauses, and `condition().holds(facts)` is
//! `decide(facts).permits()`; the property in `tests.rs` holds them together.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::clock::Clock;
use super::condition::Condition;
use super::directive::{Answer, Directive};
use super::directives::{Directives, Voice};
use super::emergency::{Glass, stands};
use super::law::{Bound, Law, names_records};
use super::policy::DefaultPolicy;
use super::purpose::{EMERGENCY, covering, is_within};
use super::question::Question;
use super::regime::Asked;
use super::rule::{Actor, Cited, Effect, Listed, Rule};
use super::select::{Inherited, Lens, Match, Taken};
use super::world::World;
use crate::fhir::Instant;

/// One person's answer to one question, open only in the resource.
#[derive(Clone, Debug)]
pub struct Residual {
    pub(super) shape: Shape,
    changes_at: Option<Instant>,
    condition: OnceLock<Condition>,
}

#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// The request as a whole is refused.
    Refused {
        rule: &'static str,
        policy: &'static str,
    },
    Emergency(Glass),
    Ordinary(Ordinary),
}

#[derive(Clone, Debug)]
pub(super) struct Ordinary {
    pub default: DefaultPolicy,
    pub purposes: Vec<ForPurpose>,
    /// The roots of consents that are indeterminate as a whole (R2).
    pub unclear: Vec<Arc<Cited>>,
    /// Whether a deny was asked whom it means of the recipient's staff.
    pub hangs_on_staff: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ForPurpose {
    pub purpose: String,
    /// It alone, as a decision tells which purposes are granted.
    pub alone: Arc<BTreeSet<String>>,
    pub denies: Vec<Clause>,
    /// Asked only where no deny decides.
    pub permits: Vec<Clause>,
    /// Permits that would decide, had we understood them (R13).
    pub doubts: Vec<Clause>,
    pub default: Condition,
    pub law: Vec<Bound>,
}

/// A rule, and when it decides.
#[derive(Clone, Debug)]
pub(super) struct Clause {
    pub cited: Arc<Cited>,
    pub when: Condition,
    /// Where it does so only for want of understanding.
    pub doubt: Condition,
    /// It lists the action asked for, rather than leaving all open.
    pub states_action: bool,
    /// For each row of law, where this rule has what the row needs.
    pub met: Arc<[Condition]>,
}

/// Fixes everything but the resource.
pub fn specialise(person: &Directives, world: &World, question: &Question) -> Residual {
    let clock = Clock::new(question.at, &question.zone);
    let shape = shape(person, world, question, &clock);
    Residual { shape, changes_at: clock.next_change(), condition: OnceLock::new() }
}

fn shape(person: &Directives, world: &World, question: &Question, clock: &Clock) -> Shape {
    if let Some(declaration) = &question.emergency {
        if !stands(declaration, question, clock) {
            return Shape::Refused { rule: "R15", policy: "emergency" };
        }
        return Shape::Emergency(Glass::of(declaration, person, question, world, clock));
    }
    if question.purposes.is_empty() {
        return Shape::Refused { rule: "R12", policy: "no-purpose" };
    }
    let closure = question.recipient.closure(world, clock);
    let heard = person.heard_for(Some(&question.recipient), world, clock);
    let unclear = heard.iter().filter(|(directive, _)| directive.answer == Answer::Unclear);
    let unclear = unclear.map(|(directive, _)| directive.root.cited.clone()).collect();
    let for_purpose = |purpose: &String| {
        let asked = Asked { world, clock, recipient: &question.recipient, person, purpose };
        let law = Law::of(&asked, &heard);
        let mut found = ForPurpose {
            purpose: purpose.clone(),
            alone: Arc::new(BTreeSet::from([purpose.clone()])),
            denies: Vec::new(),
            permits: Vec::new(),
            doubts: Vec::new(),
            default: person.policy().default.opens(purpose),
            law: Vec::new(),
        };
        let action = question.action.code();
        let purposes = covering(purpose);
        let none: Arc<[Condition]> = Arc::new([]);
        for (directive, voice) in &heard {
            let zone = directive.zone(clock.zone);
            let lens = Lens { world, clock, closure: &closure, action, purposes: &purposes, directive, zone };
            if let Some(effect) = root_effect(directive, purpose) {
                let opened = directive.opens.condition(&question.recipient, world);
                let (lens, law, none) = (&lens, &law, &none);
                let mut compiler =
                    Compiler { lens, law, voice: *voice, opened, met: Vec::new(), none, found: &mut found };
                compiler.root(effect);
            }
        }
        found.law = law.bound();
        found
    };
    let purposes = question.purposes.iter().map(for_purpose).collect();
    let hangs_on_staff = closure.has_asked_for_staff();
    Shape::Ordinary(Ordinary { default: person.policy().default, purposes, unclear, hangs_on_staff })
}

fn root_effect(directive: &Directive, purpose: &str) -> Option<Effect> {
    match directive.answer {
        Answer::Permit => Some(Effect::Permit),
        Answer::Deny => Some(Effect::Deny),
        Answer::EmergencyOnly if is_within(purpose, EMERGENCY) => Some(Effect::Permit),
        Answer::EmergencyOnly => Some(Effect::Deny),
        Answer::Unclear => None,
    }
}

/// Turns the rules of one directive into clauses (R4).
struct Compiler<'a, 'b> {
    lens: &'a Lens<'a>,
    law: &'a Law<'a>,
    voice: Voice,
    /// What its permits may open to who asks.
    opened: Condition,
    /// What rules of this directive have of what the law needs, by all that it hangs on besides the directive.
    met: Vec<(Standing, Arc<[Condition]>)>,
    none: &'b Arc<[Condition]>,
    found: &'b mut ForPurpose,
}

/// On what of a rule without labels it hangs which needs of the law it meets: by its place in memory, whose actors and
/// whose purposes count, and whether it names records.
type Standing = (Option<*const Listed<Actor>>, Option<*const Listed<String>>, bool);

/// Where the chain above a rule applies.
#[derive(Clone)]
struct Chain {
    applies: Condition,
    /// Below a deny that matched only for want of understanding no permit grants anything.
    vague: Condition,
}

/// Where the children of a rule apply, by what they are.
#[derive(Default)]
struct Applying {
    permits: Vec<Condition>,
    denies: Vec<Condition>,
    /// Denies with nothing below them: where they apply they decide, and what a permit says there is never asked.
    bare_denies: Vec<Condition>,
}

impl Compiler<'_, '_> {
    /// Rules directly under the root are looked at whether or not the root's own selectors match.
    fn root(&mut self, effect: Effect) {
        let root = &self.lens.directive.root;
        let nothing = self.lens.taken(Inherited::default());
        let matched = self.lens.matches_below(root, effect, &nothing);
        let vague = if effect == Effect::Deny { matched.doubt() } else { Condition::Never };
        let below = Chain { applies: Condition::Always, vague };
        let children = self.children(root, &below, nothing.from.below(root));
        let whole = Chain { applies: Condition::Always, vague: Condition::Never };
        self.clauses(root, effect, nothing.from, &whole, matched, children);
    }

    /// Compiles a nested rule and all below it; where it applies.
    fn nested(&mut self, rule: &Rule, chain: &Chain, above: &Taken) -> Condition {
        let matched = self.lens.matches_below(rule, rule.effect, above);
        if *matched.maybe() == Condition::Never {
            return Condition::Never;
        }
        let (own, vague) = match rule.effect {
            Effect::Permit => (matched.surely.clone().and(chain.vague.clone().negate()), Condition::Never),
            Effect::Deny => (matched.maybe().clone(), matched.doubt()),
        };
        let applies = chain.applies.clone().and(own);
        let mut children = Applying::default();
        // Below a rule that applies nowhere nothing does.
        if !rule.children.is_empty() && applies != Condition::Never {
            let below = Chain { applies: applies.clone(), vague: Condition::any([chain.vague.clone(), vague]) };
            children = self.children(rule, &below, above.from.below(rule));
        }
        self.clauses(rule, rule.effect, above.from, chain, matched, children);
        applies
    }

    fn children(&mut self, rule: &Rule, below: &Chain, inherited: Inherited) -> Applying {
        let mut applying = Applying::default();
        let taken = self.lens.taken(inherited);
        let renaming = rule.renaming.iter().filter_map(|place| rule.children.get(*place));
        let (all, renaming) =
            if taken.is_for_others() { (&[][..], Some(renaming)) } else { (&rule.children[..], None) };
        for child in all.iter().chain(renaming.into_iter().flatten()) {
            match (child.effect, self.nested(child, below, &taken)) {
                (_, Condition::Never) => {}
                (Effect::Permit, applies) => applying.permits.push(applies),
                (Effect::Deny, applies) if child.children.is_empty() => applying.bare_denies.push(applies),
                (Effect::Deny, applies) => applying.denies.push(applies),
            }
        }
        applying
    }

    /// A deny decides where no child applies. A permit decides where no denying child does: a nested permit adds, it
    /// takes nothing from the permit above it. What is nothing but a deny need not be said in the permit again: both
    /// readers of the clauses look at all denies first.
    fn clauses(
        &mut self,
        rule: &Rule,
        effect: Effect,
        above: Inherited,
        chain: &Chain,
        matched: Match,
        children: Applying,
    ) {
        if *matched.maybe() == Condition::Never {
            return;
        }
        let actions = rule.action.as_ref().or(above.action);
        let asked_for = self.lens.action;
        let clause = |when: Condition, doubt: Condition, met: Arc<[Condition]>| Clause {
            cited: rule.cited.clone(),
            when,
            doubt,
            states_action: actions.is_some_and(|actions| actions.known.iter().any(|own| own == asked_for)),
            met,
        };
        match effect {
            Effect::Deny => {
                let doubt = matched.doubt();
                let own = chain.applies.clone().and(matched.into_maybe());
                let when = own.without(children.permits.into_iter().chain(children.denies).chain(children.bare_denies));
                if when != Condition::Never {
                    self.found.denies.push(clause(when, doubt, self.none.clone()));
                }
            }
            Effect::Permit => {
                let opened = match self.voice {
                    Voice::DeniesOnly => return,
                    Voice::Whole => self.opened.clone(),
                };
                let base = chain.applies.clone().and(chain.vague.clone().negate()).and(opened);
                let doubted = matched.doubt().and(base.clone());
                let when = base.and(matched.surely).without(children.denies);
                if when != Condition::Never {
                    let met = self.met_by(rule, above);
                    self.found.permits.push(clause(when, Condition::Never, met));
                }
                if doubted != Condition::Never {
                    self.found.doubts.push(clause(doubted, Condition::Always, self.none.clone()));
                }
            }
        }
    }

    fn met_by(&mut self, rule: &Rule, above: Inherited) -> Arc<[Condition]> {
        let law = |compiler: &Self| Arc::from(compiler.law.met_by(rule, above, compiler.lens));
        // Labels may be mentions, which some needs are about.
        if rule.label.is_some() {
            return law(self);
        }
        let actors = rule.actor.as_ref().or(above.actor).map(std::ptr::from_ref);
        let purposes = rule.purpose.as_ref().or(above.purpose).map(std::ptr::from_ref);
        let standing = (actors, purposes, names_records(rule));
        if let Some((_, met)) = self.met.iter().find(|(own, _)| *own == standing) {
            return met.clone();
        }
        let met: Arc<[Condition]> = law(self);
        self.met.push((standing, met.clone()));
        met
    }
}

impl Residual {
    /// The next instant at which time alone could change it.
    pub fn changes_at(&self) -> Option<Instant> {
        self.changes_at
    }

    /// Whether it is another as soon as somebody else works for the recipient.
    pub fn hangs_on_staff(&self) -> bool {
        matches!(&self.shape, Shape::Ordinary(ordinary) if ordinary.hangs_on_staff)
    }

    /// What of this person's record is permitted; worked out once.
    pub fn condition(&self) -> Condition {
        let work_out = || match &self.shape {
            Shape::Refused { .. } => Condition::Never,
            Shape::Emergency(glass) => glass.condition(),
            Shape::Ordinary(ordinary) => ordinary.condition(),
        };
        self.condition.get_or_init(work_out).clone()
    }
}

impl Residual {
    /// As [`Residual::condition`], for one of the purposes: the people whom one resource names must have a purpose in
    /// common that each of them permits.
    pub fn condition_for(&self, purpose: &str) -> Condition {
        match &self.shape {
            Shape::Ordinary(ordinary) => ordinary.condition_of(|own| own.purpose == purpose),
            _ => self.condition(),
        }
    }
}

impl Ordinary {
    /// At least one purpose is permitted and none is denied by a consent (R12).
    fn condition(&self) -> Condition {
        self.condition_of(|_| true)
    }

    /// One of these purposes is permitted, and none at all is denied.
    fn condition_of(&self, wanted: impl Fn(&ForPurpose) -> bool) -> Condition {
        if !self.unclear.is_empty() {
            return Condition::Never;
        }
        let denied = self.purposes.iter().map(|purpose| purpose.denied().negate());
        let wanted = self.purposes.iter().filter(|purpose| wanted(purpose));
        let granted = Condition::any(wanted.map(ForPurpose::granted));
        Condition::all(denied.chain([granted]))
    }
}

impl ForPurpose {
    fn denied(&self) -> Condition {
        Condition::any(self.denies.iter().map(|clause| clause.when.clone()))
    }

    /// Where consent or default gives it and the law does not take it away; denies are left to the caller.
    fn granted(&self) -> Condition {
        let permitted = self.permits.iter().map(|clause| clause.when.clone());
        let undoubted = self.doubts.iter().map(|clause| clause.when.clone().negate());
        let by_default = Condition::all([self.default.clone()].into_iter().chain(undoubted));
        let given = Condition::any(permitted.chain([by_default]));
        let lawful = self.law.iter().enumerate().filter(|(_, row)| !row.is_allowed).map(|(place, row)| {
            let met =
                self.permits.iter().map(|clause| Condition::all([clause.when.clone(), clause.met[place].clone()]));
            Condition::any([row.applies.clone().negate()].into_iter().chain(met))
        });
        Condition::all([given].into_iter().chain(lawful))
    }
}
