//! What of a record is permitted, as a boolean expression over the facts of a resource.
//!
//! The store turns it into SQL, `decide` evaluates it: one expression, two readers. Constants are folded while
//! building, so that "everything" is `Always` and "nothing" is `Never`.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use super::facts::Facts;
use super::mark::Mark;
use crate::fhir::{Interval, Zone};

///
/// What it consists of is shared: a copy costs nothing, and the rules of many consents, questions and clauses are one.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    Always,
    Never,
    All(Arc<[Condition]>),
    Any(Arc<[Condition]>),
    Not(Arc<Condition>),
    Is(Probe),
}

/// An atom, with the mark by which most resources are seen not to satisfy it.
#[derive(Clone, Debug)]
pub struct Probe {
    atom: Arc<Atom>,
    mark: Mark,
}

/// One thing to know of a resource. The first seven are columns; the rest need the resource itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Atom {
    Kind(BTreeSet<String>),
    /// It carries no confidentiality code. Such a resource satisfies neither of the two ranks below.
    Unclassified,
    RankAtMost(u8),
    RankAtLeast(u8),
    /// One of these (system, code) is among `Facts::labels`.
    Label(BTreeSet<(String, String)>),
    /// The partner it came from; the empty text is "unknown".
    Origin(BTreeSet<String>),
    /// `Type/id`.
    Key(BTreeSet<String>),
    Profile(BTreeSet<String>),
    /// One of these (system, code), in its own concepts or anywhere but `meta`.
    Code {
        codes: BTreeSet<(String, String)>,
        anywhere: bool,
    },
    /// Its own time lies inside, or at least touches; without a date, only the latter.
    Time {
        interval: Interval,
        zone: Zone,
        inside: bool,
    },
    /// It refers to one of these.
    RefersTo(BTreeSet<String>),
    /// One of these is an author, or, if asked so, nobody is named.
    AuthoredBy {
        names: BTreeSet<String>,
        or_nobody: bool,
    },
}

impl Condition {
    pub fn constant(value: bool) -> Condition {
        if value { Condition::Always } else { Condition::Never }
    }

    pub fn is(atom: Atom) -> Condition {
        let impossible = match &atom {
            Atom::Kind(set) | Atom::Origin(set) | Atom::Key(set) | Atom::Profile(set) | Atom::RefersTo(set) => {
                set.is_empty()
            }
            Atom::Label(set) | Atom::Code { codes: set, .. } => set.is_empty(),
            Atom::AuthoredBy { names, or_nobody } => names.is_empty() && !or_nobody,
            Atom::Unclassified | Atom::RankAtMost(_) | Atom::RankAtLeast(_) | Atom::Time { .. } => false,
        };
        if impossible { Condition::Never } else { Condition::Is(Probe { mark: Mark::of(&atom), atom: Arc::new(atom) }) }
    }

    pub fn all(parts: impl IntoIterator<Item = Condition>) -> Condition {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Condition::Always => {}
                Condition::Never => return Condition::Never,
                Condition::All(inner) => kept.extend(inner.iter().cloned()),
                part => kept.push(part),
            }
        }
        drop_repeated(&mut kept);
        match kept.len() {
            0 => Condition::Always,
            1 => kept.swap_remove(0),
            _ => Condition::All(kept.into()),
        }
    }

    /// As `all` of two, without a list where one of them says nothing.
    pub fn and(self, other: Condition) -> Condition {
        match (self, other) {
            (Condition::Never, _) | (_, Condition::Never) => Condition::Never,
            (Condition::Always, other) | (other, Condition::Always) => other,
            (one, other) => Condition::all([one, other]),
        }
    }

    /// Where it holds and none of these does.
    pub fn without(self, others: impl IntoIterator<Item = Condition>) -> Condition {
        let mut others = others.into_iter().map(Condition::negate).peekable();
        if others.peek().is_none() || self == Condition::Never {
            return self;
        }
        Condition::all([self].into_iter().chain(others))
    }

    pub fn any(parts: impl IntoIterator<Item = Condition>) -> Condition {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Condition::Never => {}
                Condition::Always => return Condition::Always,
                Condition::Any(inner) => kept.extend(inner.iter().cloned()),
                part => kept.push(part),
            }
        }
        drop_repeated(&mut kept);
        match kept.len() {
            0 => Condition::Never,
            1 => kept.swap_remove(0),
            _ => Condition::Any(kept.into()),
        }
    }

    pub fn negate(self) -> Condition {
        match self {
            Condition::Always => Condition::Never,
            Condition::Never => Condition::Always,
            Condition::Not(inner) => Condition::clone(&inner),
            other => Condition::Not(Arc::new(other)),
        }
    }

    pub fn holds(&self, facts: &Facts) -> bool {
        match self {
            Condition::Always => true,
            Condition::Never => false,
            Condition::All(parts) => parts.iter().all(|part| part.holds(facts)),
            Condition::Any(parts) => parts.iter().any(|part| part.holds(facts)),
            Condition::Not(inner) => !inner.holds(facts),
            Condition::Is(probe) => facts.may(probe.mark) && facts.satisfy(&probe.atom),
        }
    }

    /// How many resources it names one by one.
    pub fn keys(&self) -> usize {
        match self {
            Condition::Always | Condition::Never => 0,
            Condition::All(parts) | Condition::Any(parts) => parts.iter().map(Condition::keys).sum(),
            Condition::Not(inner) => inner.keys(),
            Condition::Is(probe) => match &**probe {
                Atom::Key(keys) => keys.len(),
                _ => 0,
            },
        }
    }

    /// Of how many tests it consists.
    pub fn tests(&self) -> usize {
        match self {
            Condition::Always | Condition::Never => 0,
            Condition::All(parts) | Condition::Any(parts) => parts.iter().map(Condition::tests).sum(),
            Condition::Not(inner) => inner.tests(),
            Condition::Is(atom) => atom.values(),
        }
    }

    /// Whether it asks who wrote something.
    pub fn asks_for_authors(&self) -> bool {
        match self {
            Condition::Always | Condition::Never => false,
            Condition::All(parts) | Condition::Any(parts) => parts.iter().any(Condition::asks_for_authors),
            Condition::Not(inner) => inner.asks_for_authors(),
            Condition::Is(atom) => matches!(**atom, Atom::AuthoredBy { .. }),
        }
    }
}

impl Deref for Probe {
    type Target = Atom;

    fn deref(&self) -> &Atom {
        &self.atom
    }
}

impl PartialEq for Probe {
    fn eq(&self, other: &Probe) -> bool {
        Arc::ptr_eq(&self.atom, &other.atom) || (self.mark == other.mark && self.atom == other.atom)
    }
}

impl Atom {
    fn values(&self) -> usize {
        match self {
            Atom::Kind(set) | Atom::Origin(set) | Atom::Key(set) | Atom::Profile(set) | Atom::RefersTo(set) => {
                set.len()
            }
            Atom::Label(set) | Atom::Code { codes: set, .. } => set.len(),
            Atom::AuthoredBy { names, .. } => names.len() + 1,
            Atom::Unclassified | Atom::RankAtMost(_) | Atom::RankAtLeast(_) | Atom::Time { .. } => 1,
        }
    }
}

/// Only short lists: a thousand different rules are not worth a million comparisons.
fn drop_repeated(parts: &mut Vec<Condition>) {
    if parts.len() > 16 {
        return;
    }
    let mut place = 0;
    while place < parts.len() {
        if parts[..place].contains(&parts[place]) {
            parts.remove(place);
        } else {
            place += 1;
        }
    }
}
