//! From a rule's selectors to conditions on a resource, with caller, purpose, action and moment fixed.
//!
//! A permit reads narrow, a deny reads wide (consent.md R3 to R9, R14). Each selector yields two conditions: where
//! it surely matches, and where it may, counting what was not understood (R13).

use std::collections::BTreeSet;

use super::clock::Clock;
use super::condition::{Atom, Condition};
use super::directive::Directive;
use super::facts::references;
use super::label::with_all_below;
use super::purpose::is_within;
use super::rule::{Actor, Class, Data, Effect, Label, Listed, Meaning, Role, Rule, Who};
use super::who::{Closure, is_active_role};
use super::world::{World, identifiers};
use crate::fhir::Zone;

/// All that is fixed while a directive's rules become conditions.
pub struct Lens<'a> {
    pub world: &'a World,
    pub clock: &'a Clock<'a>,
    pub closure: &'a Closure,
    pub action: &'a str,
    pub purpose: &'a str,
    pub directive: &'a Directive,
    /// The directive's own, for its dates and those of resources (R5).
    pub zone: Zone,
}

/// Where a rule or a selector matches.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    pub surely: Condition,
    /// Holds wherever `surely` does; `None` where everything was understood, and it is the same.
    unsure: Option<Condition>,
}

/// What the question alone settles of a match.
struct Settled {
    surely: bool,
    maybe: bool,
}

impl Settled {
    fn and(&mut self, known: bool, has_unknown: bool) {
        self.surely &= known;
        self.maybe &= known || has_unknown;
    }
}

/// What a nested rule takes over from the rules above it (R4).
#[derive(Clone, Copy, Default)]
pub struct Inherited<'r> {
    pub actor: Option<&'r Listed<Actor>>,
    pub action: Option<&'r Listed<String>>,
    pub purpose: Option<&'r Listed<String>>,
    /// A permit below a modifier that we do not know is not known to be one.
    pub is_modified: bool,
}

impl<'r> Inherited<'r> {
    /// What the rules below this one take over.
    pub fn below(self, rule: &'r Rule) -> Inherited<'r> {
        Inherited {
            actor: rule.actor.as_ref().or(self.actor),
            action: rule.action.as_ref().or(self.action),
            purpose: rule.purpose.as_ref().or(self.purpose),
            is_modified: self.is_modified || rule.is_modified,
        }
    }
}

impl Match {
    const NEVER: Match = Match { surely: Condition::Never, unsure: None };

    fn exactly(condition: Condition) -> Match {
        Match { surely: condition, unsure: None }
    }

    fn listed(known: Condition, has_unknown: bool) -> Match {
        Match { surely: known, unsure: has_unknown.then_some(Condition::Always) }
    }

    pub fn maybe(&self) -> &Condition {
        self.unsure.as_ref().unwrap_or(&self.surely)
    }

    pub fn into_maybe(self) -> Condition {
        self.unsure.unwrap_or(self.surely)
    }

    fn all(mut parts: Vec<Match>) -> Match {
        if parts.len() == 1 {
            return parts.swap_remove(0);
        }
        let is_unsure = parts.iter().any(|part| part.unsure.is_some());
        let unsure = is_unsure.then(|| Condition::all(parts.iter().map(|part| part.maybe().clone())));
        Match { surely: Condition::all(parts.into_iter().map(|part| part.surely)), unsure }
    }

    /// Where it matches only for want of understanding.
    pub fn doubt(&self) -> Condition {
        match &self.unsure {
            None | Some(Condition::Never) => Condition::Never,
            Some(maybe) if *maybe == self.surely => Condition::Never,
            Some(maybe) => maybe.clone().and(self.surely.clone().negate()),
        }
    }
}

impl Lens<'_> {
    /// Where a rule matches, its own chain above it left aside.
    pub fn matches(&self, rule: &Rule, effect: Effect, inherited: Inherited) -> Match {
        let purpose = match effect {
            Effect::Permit => rule.purpose.as_ref().or(inherited.purpose),
            Effect::Deny => rule.purpose.as_ref(),
        };
        // First what the question has settled: most rules are about somebody or something else.
        let is_blurred = rule.is_blurred || (effect == Effect::Permit && inherited.is_modified);
        let mut settled = Settled { surely: !is_blurred, maybe: true };
        if let Some(period) = &rule.period {
            match period.interval(&self.zone) {
                Some(interval) => settled.and(self.clock.within(interval), false),
                None => settled.and(false, true),
            }
        }
        if let Some(actions) = rule.action.as_ref().or(inherited.action) {
            settled.and(actions.known.iter().any(|action| action == self.action), actions.has_unknown);
        }
        if let Some(purposes) = purpose {
            settled.and(purposes.known.iter().any(|stated| is_within(self.purpose, stated)), purposes.has_unknown);
        }
        let actors = rule.actor.as_ref().or(inherited.actor);
        if let Some(actors) = actors {
            let mut recipients = actors.known.iter().filter(|actor| actor.role == Role::Recipient).peekable();
            let is_other = recipients.peek().is_some() && !recipients.any(|actor| self.is_recipient(actor));
            settled.and(!is_other, actors.has_unknown);
        }
        if !settled.maybe {
            return Match::NEVER;
        }
        let mut parts = Vec::new();
        if !settled.surely {
            parts.push(Match::listed(Condition::Never, true));
        }
        parts.extend(actors.and_then(|actors| self.holders(actors, effect)));
        parts.extend(rule.label.as_ref().map(|labels| label(labels, effect)));
        parts.extend(rule.class.as_ref().map(class));
        parts.extend(rule.code.as_ref().map(|codes| {
            let anywhere = effect == Effect::Deny;
            let atom = Atom::Code { codes: codes.known.iter().cloned().collect(), anywhere };
            Match::listed(Condition::is(atom), codes.has_unknown)
        }));
        parts.extend(rule.data_period.as_ref().map(|period| match period.interval(&self.zone) {
            Some(interval) => {
                let inside = effect == Effect::Permit;
                Match::exactly(Condition::is(Atom::Time { interval, zone: self.zone.clone(), inside }))
            }
            None => Match::listed(Condition::Never, true),
        }));
        parts.extend(rule.data.as_ref().map(|data| {
            let known = data.known.iter().map(|data| self.data(data, effect));
            Match::listed(Condition::any(known), data.has_unknown)
        }));
        Match::all(parts)
    }

    /// Whether a recipient actor means the caller.
    pub fn is_recipient(&self, actor: &Actor) -> bool {
        actor.role == Role::Recipient
            && match &actor.who {
                Who::Key(key) => self.closure.has(key),
                Who::Identifier(identifier) => self.closure.is_identified(identifier),
                Who::Contained(id) => self.closure.is_meant_by(id, &self.directive.contained, self.clock),
            }
    }

    /// The organisations that an actor names.
    pub fn organizations(&self, actor: &Actor) -> BTreeSet<String> {
        organizations(self.world, self.directive, actor)
    }

    /// Recipients and holders may stand in one rule, and then both must match; `None` where no holder is asked for.
    fn holders(&self, actors: &Listed<Actor>, effect: Effect) -> Option<Match> {
        let mut holders = actors.known.iter().filter(|actor| actor.role == Role::Holder).peekable();
        if actors.known.is_empty() {
            return Some(Match::listed(Condition::Never, true));
        }
        holders.peek()?;
        let named: BTreeSet<String> = holders.flat_map(|actor| self.organizations(actor)).collect();
        let known = Condition::is(Atom::Origin(match effect {
            Effect::Permit => named,
            Effect::Deny => {
                // A deny reads wide: a holder's branches, and data of which no holder is known.
                let below = named.iter().flat_map(|holder| self.world.with_all_below(holder));
                below.chain([String::new()]).collect()
            }
        }));
        Some(Match::listed(known, actors.has_unknown))
    }

    fn data(&self, data: &Data, effect: Effect) -> Condition {
        let named = BTreeSet::from([data.key.clone()]);
        match data.meaning {
            Meaning::Instance => Condition::is(Atom::Key(named)),
            Meaning::Dependents => {
                Condition::any([Condition::is(Atom::Key(named.clone())), Condition::is(Atom::RefersTo(named))])
            }
            Meaning::Related => {
                let outward = self.world.get(&data.key).map(|resource| references(resource.root())).unwrap_or_default();
                let keys = outward.into_iter().chain(named.clone()).collect();
                let inward = match effect {
                    Effect::Permit => Condition::Never,
                    Effect::Deny => Condition::is(Atom::RefersTo(named)),
                };
                Condition::any([Condition::is(Atom::Key(keys)), inward])
            }
            Meaning::AuthoredBy => {
                let names = self.authors_meant_by(&data.key, effect);
                Condition::is(Atom::AuthoredBy { names, or_nobody: effect == Effect::Deny })
            }
        }
    }

    /// The authors for whom a name stands: themselves, and whoever works in a named organisation or below it. A
    /// permit looks at current roles, a deny at all.
    fn authors_meant_by(&self, name: &str, effect: Effect) -> BTreeSet<String> {
        let organizations = self.world.with_all_below(name);
        let mut names = organizations.clone();
        for role in self.world.of_kind("PractitionerRole") {
            let root = role.root();
            let practitioner = root.reference("practitioner").map(|named| named.key());
            let organization = root.reference("organization").map(|named| named.key());
            let is_of = practitioner.as_deref() == Some(name);
            let is_in = organization.is_some_and(|at| organizations.contains(&at)) || role.key() == name;
            if (is_of || is_in) && (effect == Effect::Deny || is_active_role(root, self.clock)) {
                names.insert(role.key());
                names.extend(practitioner.filter(|_| is_in));
            }
        }
        names
    }
}

/// The organisations that an actor of a directive names.
pub fn organizations(world: &World, directive: &Directive, actor: &Actor) -> BTreeSet<String> {
    match &actor.who {
        Who::Key(key) => BTreeSet::from([key.clone()]),
        Who::Identifier(identifier) => world.organizations_identified(identifier),
        Who::Contained(id) => {
            let inner = directive.contained.iter().find(|inner| inner.id() == Some(id));
            let named = inner.into_iter().flat_map(|inner| identifiers(inner.root()));
            named.flat_map(|identifier| world.organizations_identified(&identifier)).collect()
        }
    }
}

/// R7 to R9: an unclassified resource is never covered by a labelled permit and always by a labelled deny.
fn label(labels: &Listed<Label>, effect: Effect) -> Match {
    let known = Condition::any(labels.known.iter().map(|label| {
        Condition::is(match label {
            Label::Rank(rank) if effect == Effect::Permit => Atom::RankAtMost(*rank),
            Label::Rank(rank) => Atom::RankAtLeast(*rank),
            Label::Code(system, code) => {
                let covered = with_all_below(code).into_iter();
                Atom::Label(covered.map(|code| (system.clone(), code.to_string())).collect())
            }
        })
    }));
    let unclassified = || Condition::is(Atom::Unclassified);
    let bounded = |matching: Condition| match effect {
        Effect::Permit => unclassified().negate().and(matching),
        Effect::Deny => Condition::any([unclassified(), matching]),
    };
    Match { surely: bounded(known), unsure: labels.has_unknown.then(|| bounded(Condition::Always)) }
}

fn class(classes: &Listed<Class>) -> Match {
    let kinds = classes.known.iter().filter_map(|class| match class {
        Class::Kind(kind) => Some(kind.clone()),
        Class::Profile(_) => None,
    });
    let profiles = classes.known.iter().filter_map(|class| match class {
        Class::Profile(profile) => Some(profile.clone()),
        Class::Kind(_) => None,
    });
    let known = [Condition::is(Atom::Kind(kinds.collect())), Condition::is(Atom::Profile(profiles.collect()))];
    Match::listed(Condition::any(known), classes.has_unknown)
}
