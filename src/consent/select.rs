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
use super::rule::{Actor, Class, Data, Effect, Label, Listed, Meaning, Role, Rule, Who};
use super::span::Span;
use super::who::{Closure, is_active_role};
use super::world::{World, identifiers};
use crate::fhir::Zone;

/// All that is fixed while a directive's rules become conditions.
pub struct Lens<'a> {
    pub world: &'a World,
    pub clock: &'a Clock<'a>,
    pub closure: &'a Closure,
    pub action: &'a str,
    /// The purpose asked for, and all that cover it.
    pub purposes: &'a [&'a str],
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
#[derive(Clone, Copy)]
struct Settled {
    surely: bool,
    maybe: bool,
}

impl Settled {
    const OPEN: Settled = Settled { surely: true, maybe: true };

    fn of(known: bool, has_unknown: bool) -> Settled {
        Settled { surely: known, maybe: known || has_unknown }
    }

    fn and(self, other: Settled) -> Settled {
        Settled { surely: self.surely && other.surely, maybe: self.maybe && other.maybe }
    }
}

/// Where the selectors of a rule that speak of the data alone match: the same whoever asks, so it is worked out when
/// the rule is read. What looks things up, or needs the zone of who asks, is left to the question.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    permit: Option<Match>,
    deny: Option<Match>,
    /// Its `data` is left to the question.
    looks_up: bool,
}

impl Standing {
    /// For a rule that may have these effects; `zone` is the consent's own.
    pub fn of(rule: &Rule, effects: &[Effect], zone: Option<&Zone>) -> Standing {
        let of = |effect: Effect| effects.contains(&effect).then(|| standing(rule, effect, zone));
        Standing {
            permit: of(Effect::Permit),
            deny: of(Effect::Deny),
            looks_up: rule.data.as_ref().is_some_and(looks_up),
        }
    }

    fn get(&self, effect: Effect) -> Option<&Match> {
        match effect {
            Effect::Permit => self.permit.as_ref(),
            Effect::Deny => self.deny.as_ref(),
        }
    }
}

fn standing(rule: &Rule, effect: Effect, zone: Option<&Zone>) -> Match {
    let mut parts = Vec::new();
    parts.extend(rule.label.as_ref().map(|labels| label(labels, effect)));
    parts.extend(rule.class.as_ref().map(class));
    parts.extend(rule.code.as_ref().map(|codes| {
        let anywhere = effect == Effect::Deny;
        let atom = Atom::Code { codes: codes.known.iter().cloned().collect(), anywhere };
        Match::listed(Condition::is(atom), codes.has_unknown)
    }));
    parts.extend(rule.data_period.as_ref().zip(zone).map(|(period, zone)| data_period(period, effect, zone)));
    parts.extend(rule.data.as_ref().filter(|data| !looks_up(data)).map(|data| {
        let known = data.known.iter().map(named);
        Match::listed(Condition::any(known), data.has_unknown)
    }));
    Match::all(parts)
}

fn data_period(period: &Span, effect: Effect, zone: &Zone) -> Match {
    match period.interval(zone) {
        Some(interval) => {
            let inside = effect == Effect::Permit;
            Match::exactly(Condition::is(Atom::Time { interval, zone: zone.clone(), inside }))
        }
        None => Match::listed(Condition::Never, true),
    }
}

/// Whether what it means hangs on other resources.
fn looks_up(data: &Listed<Data>) -> bool {
    data.known.iter().any(|data| matches!(data.meaning, Meaning::Related | Meaning::AuthoredBy))
}

/// What is meant by its name alone.
fn named(data: &Data) -> Condition {
    let named = BTreeSet::from([data.key.clone()]);
    let itself = Condition::is(Atom::Key(named.clone()));
    match data.meaning {
        Meaning::Dependents => Condition::any([itself, Condition::is(Atom::RefersTo(named))]),
        Meaning::Instance | Meaning::Related | Meaning::AuthoredBy => itself,
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

/// What the rules directly below one take over, and what the question settles of that: the same for all of them.
#[derive(Clone, Copy)]
pub struct Taken<'r> {
    pub from: Inherited<'r>,
    action: Settled,
    purpose: Settled,
    actor: Settled,
    /// The same for a deny.
    denied: Settled,
}

impl Taken<'_> {
    /// Whether only rules that name actors of their own can match below.
    pub fn is_for_others(&self) -> bool {
        !self.actor.maybe && !self.denied.maybe
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
    #[cfg(test)]
    pub fn matches(&self, rule: &Rule, effect: Effect, inherited: Inherited) -> Match {
        self.matches_below(rule, effect, &self.taken(inherited))
    }

    /// What the question settles of what is taken over.
    pub fn taken<'r>(&self, from: Inherited<'r>) -> Taken<'r> {
        let actor = from.actor.map_or(Settled::OPEN, |actors| self.is_actor(actors));
        Taken {
            action: from.action.map_or(Settled::OPEN, |actions| self.is_action(actions)),
            purpose: from.purpose.map_or(Settled::OPEN, |purposes| self.is_purpose(purposes)),
            actor,
            denied: from.actor.map_or(actor, |actors| self.or_staff(actors, actor)),
            from,
        }
    }

    fn is_action(&self, actions: &Listed<String>) -> Settled {
        Settled::of(actions.known.iter().any(|action| action == self.action), actions.has_unknown)
    }

    fn is_purpose(&self, purposes: &Listed<String>) -> Settled {
        let covers = |stated: &String| self.purposes.contains(&stated.as_str());
        Settled::of(purposes.known.iter().any(covers), purposes.has_unknown)
    }

    fn is_actor(&self, actors: &Listed<Actor>) -> Settled {
        let mut recipients = actors.known.iter().filter(|actor| actor.role == Role::Recipient).peekable();
        let is_other = recipients.peek().is_some() && !recipients.any(|actor| self.is_recipient(actor));
        Settled::of(!is_other, actors.has_unknown)
    }

    /// The same for a deny, which counts whoever may be meant.
    fn or_staff(&self, actors: &Listed<Actor>, settled: Settled) -> Settled {
        let mut recipients = actors.known.iter().filter(|actor| actor.role == Role::Recipient);
        let may_be = |actor: &Actor| self.closure.may_be(&actor.who, self.world, &self.directive.contained);
        Settled { maybe: settled.maybe || recipients.any(may_be), ..settled }
    }

    /// As `matches`, below rules of which this is taken over.
    pub fn matches_below(&self, rule: &Rule, effect: Effect, above: &Taken) -> Match {
        // First what the question has settled: most rules are about somebody or something else.
        let is_blurred = rule.is_blurred || (effect == Effect::Permit && above.from.is_modified);
        let mut settled = Settled { surely: !is_blurred, maybe: true };
        if let Some(period) = &rule.period {
            settled = settled.and(match period.interval(&self.zone) {
                Some(interval) => Settled::of(self.clock.within(interval), false),
                None => Settled::of(false, true),
            });
        }
        settled = settled.and(rule.action.as_ref().map_or(above.action, |actions| self.is_action(actions)));
        settled = settled.and(match (&rule.purpose, effect) {
            (Some(purposes), _) => self.is_purpose(purposes),
            (None, Effect::Permit) => above.purpose,
            (None, Effect::Deny) => Settled::OPEN,
        });
        settled = settled.and(match (&rule.actor, effect) {
            (Some(actors), Effect::Permit) => self.is_actor(actors),
            (Some(actors), Effect::Deny) => self.or_staff(actors, self.is_actor(actors)),
            (None, Effect::Permit) => above.actor,
            (None, Effect::Deny) => above.denied,
        });
        if !settled.maybe {
            return Match::NEVER;
        }
        let standing = match rule.standing.get(effect) {
            Some(standing) => standing.clone(),
            None => standing(rule, effect, self.directive.own_zone()),
        };
        let mut parts = Vec::new();
        if !settled.surely {
            parts.push(Match::listed(Condition::Never, true));
        }
        parts.extend(rule.actor.as_ref().or(above.from.actor).and_then(|actors| self.holders(actors, effect)));
        if self.directive.own_zone().is_none() {
            parts.extend(rule.data_period.as_ref().map(|period| data_period(period, effect, &self.zone)));
        }
        parts.extend(rule.data.as_ref().filter(|_| rule.standing.looks_up).map(|data| {
            let known = data.known.iter().map(|data| self.data(data, effect));
            Match::listed(Condition::any(known), data.has_unknown)
        }));
        if parts.is_empty() {
            return standing;
        }
        parts.push(standing);
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
            Meaning::Instance | Meaning::Dependents => self::named(data),
            Meaning::Related => {
                let plan = self.world.get(&data.key).or_else(|| self.world.mentioned(&data.key));
                let outward = plan.map(|plan| Condition::is(Atom::Key(references(plan.root()))));
                let outward = outward.unwrap_or(Condition::Never);
                let itself = Condition::is(Atom::Key(named.clone()));
                match effect {
                    // What a resource refers to is its writer's word: it opens the writer's own.
                    Effect::Permit => match self.world.writer_of(&data.key) {
                        Some(writer) => {
                            Condition::any([itself, outward.and(Condition::is(Atom::Origin([writer].into())))])
                        }
                        None => Condition::any([itself, outward]),
                    },
                    Effect::Deny => Condition::any([itself, outward, Condition::is(Atom::RefersTo(named))]),
                }
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
