//! Invariants: what must hold of an element, as its definition says it in FHIRPath (R4 conformance-rules.html#constraints).
//!
//! They are read once with their definition. Four are held elsewhere, without an expression: that no element is empty
//! (ele-1) and how extensions (ext-1), references into the resource (ref-1) and narratives (txt-1, txt-2) look.

mod words;

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Map, Value};

use crate::fhir::fhirpath::{Coded, Expression, Failure, Node, Resolved, Scope, Surroundings};
use crate::fhir::{Issue, Severity};

use super::around::{Around, Led, Nothing};
use super::facts::{Constraint, bare};
use super::found::shown;
use super::terminology::Membership;
use super::walk::Walk;

const ELSEWHERE: [&str; 5] = ["ele-1", "ext-1", "ref-1", "txt-1", "txt-2"];
/// R4's only best practice: a resource should have a narrative. It is said to who asks, not with each write.
const BEST_PRACTICE: &str = "dom-6";

/// Expressions of R4 that do not say what their invariant does, as HL7's validator mends them: que-12 is of more than one
/// `enableWhen`, and what is not there breaks neither bdl-8 nor the rule for names.
const ERRATA: [(&str, &str); 3] = [
    (
        "enableWhen.count() > 2 implies enableBehavior.exists()",
        "enableWhen.count() > 1 implies enableBehavior.exists()",
    ),
    ("fullUrl.contains('/_history/').not()", "fullUrl.exists() implies fullUrl.contains('/_history/').not()"),
    (
        "name.matches('[A-Z]([A-Za-z0-9_]){0,254}')",
        "name.exists() implies name.matches('^[A-Z]([A-Za-z0-9_]){0,254}$')",
    ),
];

#[derive(Debug)]
pub struct Invariant {
    pub key: &'static str,
    severity: Severity,
    expression: Expression,
    text: String,
}

impl Invariant {
    /// `None` for one that is held elsewhere.
    ///
    /// # Errors
    /// Why its expression cannot be read.
    pub fn compile(stated: &Constraint, by: &str) -> Option<Result<Invariant, String>> {
        if ELSEWHERE.contains(&stated.key.as_str()) {
            return None;
        }
        let severity = if stated.severity == "error" { Severity::Error } else { Severity::Warning };
        let text = match words::sentence(&stated.key) {
            Some(sentence) => sentence.to_string(),
            None => format!("expected `{}` by {by}", shown(&stated.expression)),
        };
        let expression = ERRATA.iter().find(|(wrong, _)| *wrong == stated.expression).map(|(_, right)| *right);
        Some(match Expression::parse(expression.unwrap_or(&stated.expression)) {
            Ok(expression) => Ok(Invariant { key: kept(&stated.key), severity, expression, text }),
            Err(unreadable) => Err(format!("invariant `{}` cannot be read: {}", stated.key, unreadable.why)),
        })
    }
}

/// A rule's code lives as long as the process: there are as many as definitions that an operator brought in have keys.
fn kept(key: &str) -> &'static str {
    static KEYS: OnceLock<Mutex<HashSet<&'static str>>> = OnceLock::new();
    let mut keys = KEYS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    match keys.get(key) {
        Some(known) => known,
        None => {
            let key: &'static str = Box::leak(key.to_string().into_boxed_str());
            keys.insert(key);
            key
        }
    }
}

impl<'a> Walk<'a> {
    /// The walk stands at the element.
    pub fn hold<'i>(&mut self, invariants: impl IntoIterator<Item = &'i Invariant>, node: Node<'a>) {
        let mut broken = Vec::new();
        {
            let model = self.profiles.model();
            let (resource, container) = (self.around.resource(), self.around.container());
            let beyond = Beyond(self);
            let scope = Scope::new(model, Node::resource(resource, model))
                .within(Node::resource(container, model))
                .surroundings(&beyond);
            for invariant in invariants {
                if invariant.key == BEST_PRACTICE && !self.is_thorough {
                    continue;
                }
                match invariant.expression.holds(node, &scope) {
                    Ok(true) => {}
                    Ok(false) => broken.push(Issue {
                        severity: invariant.severity,
                        ..Issue::error("invariant", invariant.key, invariant.text.clone())
                    }),
                    Err(failure) => broken.push(unanswered(invariant.key, &failure)),
                }
            }
        }
        broken.into_iter().for_each(|issue| self.say(issue));
    }
}

/// What nobody here can know is said and refuses nothing; what costs too much to know is not let through.
fn unanswered(key: &str, failure: &Failure) -> Issue {
    match failure {
        Failure::TooCostly(why) => Issue::error("too-costly", "invariant-costly", format!("invariant `{key}`: {why}")),
        Failure::Unknown(why) | Failure::Wrong(why) => {
            Issue::information("invariant-unchecked", format!("invariant `{key}` was not checked: {why}"))
        }
    }
}

/// What an expression may ask about the world outside the resource.
struct Beyond<'w, 'a>(&'w Walk<'a>);

impl Surroundings for Beyond<'_, '_> {
    fn resolve<'r>(&'r self, reference: &str) -> Resolved<'r> {
        match self.0.around.resolve(reference) {
            Led::To(around) => Resolved::Node(Node::resource(around.resource(), self.0.profiles.model())),
            Led::Nowhere => Resolved::Nowhere,
            Led::Unknown => Resolved::Unknown,
        }
    }

    fn member_of(&self, coded: Coded, value_set: &str) -> Option<bool> {
        let set = self.0.profiles.set(bare(value_set))?;
        let judged = match coded.system {
            Some(system) => set.judge(system, coded.code),
            None => set.judge_code(coded.code),
        };
        match judged {
            Membership::Member => Some(true),
            Membership::Stranger => Some(false),
            Membership::Unknown => None,
        }
    }

    fn conforms_to(&self, node: Node, profile: &str) -> Option<bool> {
        let value = node.value()?;
        self.0.within(Around::of(value, &Nothing)).conforms(value, profile, None)
    }

    fn subsumes(&self, system: &str, general: &str, special: &str) -> Option<bool> {
        self.0.profiles.is_below(system, special, general)
    }
}

/// ext-1: an extension has a value or extensions, and not both.
pub fn extension(walk: &mut Walk, object: &Map<String, Value>) {
    let nested = object.contains_key("extension");
    let valued = object.keys().any(|name| name.trim_start_matches('_').starts_with("value"));
    if nested == valued {
        let found = if nested { "both" } else { "neither" };
        walk.error("invariant", "ext-1", format!("expected a value or extensions, found {found}"));
    }
}
