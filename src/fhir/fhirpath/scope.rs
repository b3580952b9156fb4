//! What an expression is evaluated within: the resource, the definitions, the moment, other variables, what of the
//! world around may be asked, and how much may be spent.

use std::borrow::Cow;

use super::item::Item;
use super::model::{Kind, Model};
use super::node::Node;
use crate::fhir::Instant;

/// Borrowed by evaluations; made once a resource.
#[derive(Clone)]
pub struct Scope<'a> {
    pub(super) model: &'a Model,
    pub(super) resource: Node<'a>,
    pub(super) root: Node<'a>,
    pub(super) now: Option<Instant>,
    pub(super) surroundings: Option<&'a dyn Surroundings>,
    pub(super) variables: Vec<(Cow<'a, str>, Vec<Item<'a>>)>,
    pub(super) budget: Budget,
    pub(super) is_strict: bool,
}

/// What one evaluation may spend; beyond it is [`Failure::TooCostly`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Parts evaluated and items looked at.
    pub steps: u32,
    /// Bytes of text made.
    pub bytes: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { steps: 2_000_000, bytes: 4 * 1024 * 1024 }
    }
}

/// Why there is no answer. No sentence quotes data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It cannot be known here: a value set that is not at hand, a reference that leads out.
    Unknown(String),
    /// The expression does not fit what it found.
    Wrong(String),
    TooCostly(&'static str),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Unknown(why) | Failure::Wrong(why) => out.write_str(why),
            Failure::TooCostly(why) => out.write_str(why),
        }
    }
}

/// A code with the system that it is of, as far as it says one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coded<'a> {
    pub system: Option<&'a str>,
    pub code: &'a str,
}

/// Where a reference leads.
#[derive(Clone, Debug)]
pub enum Resolved<'a> {
    Node(Node<'a>),
    /// To something of that type, which is not at hand.
    Kind(String),
    /// To nothing: it is left out.
    Nowhere,
    Unknown,
}

/// What lies beyond the resource. Every answer may be that nobody knows.
pub trait Surroundings {
    /// What is contained and what is in the Bundle around is found before this is asked.
    fn resolve<'a>(&'a self, _reference: &str) -> Resolved<'a> {
        Resolved::Unknown
    }

    fn member_of(&self, _coded: Coded, _value_set: &str) -> Option<bool> {
        None
    }

    fn conforms_to(&self, _node: Node, _profile: &str) -> Option<bool> {
        None
    }

    fn subsumes(&self, _system: &str, _general: &str, _special: &str) -> Option<bool> {
        None
    }
}

impl<'a> Scope<'a> {
    pub fn new(model: &'a Model, resource: Node<'a>) -> Scope<'a> {
        Scope {
            model,
            resource,
            root: resource,
            now: None,
            surroundings: None,
            variables: Vec::new(),
            budget: Budget::default(),
            is_strict: false,
        }
    }

    /// The resource around, when this one is contained.
    #[must_use]
    pub fn within(mut self, root: Node<'a>) -> Self {
        self.root = root;
        self
    }

    /// The moment that `now()` is; without it nobody knows.
    #[must_use]
    pub fn at(mut self, now: Instant) -> Self {
        self.now = Some(now);
        self
    }

    #[must_use]
    pub fn surroundings(mut self, surroundings: &'a dyn Surroundings) -> Self {
        self.surroundings = Some(surroundings);
        self
    }

    /// An environment variable, by its name without `%`.
    #[must_use]
    pub fn variable(mut self, name: impl Into<Cow<'a, str>>, items: Vec<Item<'a>>) -> Self {
        self.variables.push((name.into(), items));
        self
    }

    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// By the letter: `as` on several items fails. R4's own invariants and search parameters filter with it (dom-3).
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    pub(super) fn kind(&self, name: &str) -> Kind {
        self.model.kind(name)
    }
}
