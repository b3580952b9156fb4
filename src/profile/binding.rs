//! Whether a coded value is of the value set that its element is bound to, and what is said where it is not.
//!
//! How much it matters is the binding's strength (FHIR R4 terminologies.html#strength): a required one refuses, an
//! extensible one warns, a preferred one remarks. A set that cannot be listed here refuses nothing and is named.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::fhir::Issue;

use super::Profiles;
use super::facts::{self, bare};
use super::found::{describe, listed, shown};
use super::terminology::{Membership, Set};
use super::walk::last;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    Required,
    Extensible,
    Preferred,
}

/// What an element is bound to; the set is looked up once.
#[derive(Clone, Debug)]
pub struct Bound {
    pub strength: Strength,
    pub url: String,
    set: OnceLock<Option<Arc<Set>>>,
}

impl Bound {
    /// `None` for an example, which binds nobody.
    pub fn of(binding: &facts::Binding) -> Option<Bound> {
        let strength = match binding.strength.as_str() {
            "required" => Strength::Required,
            "extensible" => Strength::Extensible,
            "preferred" => Strength::Preferred,
            _ => return None,
        };
        Some(Bound { strength, url: bare(&binding.value_set).to_string(), set: OnceLock::new() })
    }

    pub fn is_required(&self) -> bool {
        self.strength == Strength::Required
    }

    pub fn set(&self, profiles: &Profiles) -> Option<&Arc<Set>> {
        self.set.get_or_init(|| profiles.set(&self.url).cloned()).as_ref()
    }

    pub fn refuses(&self, profiles: &Profiles, value: &Value) -> bool {
        self.is_required() && self.set(profiles).is_some_and(|set| judge(set, value) == Membership::Stranger)
    }

    /// What there is to say of a value; `by` names the profile that binds it, or is empty.
    pub fn issue(&self, profiles: &Profiles, value: &Value, by: &str) -> Option<Issue> {
        let Some(set) = self.set(profiles) else { return Some(self.unchecked("is not held here")) };
        match judge(set, value) {
            Membership::Member => None,
            Membership::Unknown => Some(self.unchecked("cannot be listed here")),
            Membership::Stranger => self.strange(set, value, by),
        }
    }

    fn unchecked(&self, why: &str) -> Issue {
        let text = format!("the code was not checked: value set `{}` {why}", shown(&self.url));
        match self.strength {
            Strength::Preferred => Issue::information("binding-unchecked", text),
            _ => Issue::warning("not-found", "binding-unchecked", text),
        }
    }

    fn strange(&self, set: &Set, value: &Value, by: &str) -> Option<Issue> {
        let is_malformed = value.as_str().is_some_and(|code| set.is_malformed(code));
        let issue = match self.strength {
            Strength::Required => Issue::error("code-invalid", "binding", self.sentence(set, by, value)),
            _ if is_malformed => Issue::error("code-invalid", "code-malformed", self.sentence(set, by, value)),
            // Neither a code nor words: why there is none is the extensions' to say.
            _ if !has_code(value) && value.get("text").is_none() => return None,
            Strength::Extensible => {
                let expected = last(&self.url);
                let text = format!("expected a code of `{expected}`{by} unless none fits, found {}", describe(value));
                Issue::warning("code-invalid", "binding-extensible", text)
            }
            Strength::Preferred if has_code(value) => {
                let expected = last(&self.url);
                let text = format!("recommended is a code of `{expected}`{by}, found {}", describe(value));
                Issue::information("binding-preferred", text)
            }
            Strength::Preferred => return None,
        };
        Some(issue)
    }

    /// What was expected, with the codes nearest to the one found. They take looking for: only what refuses has them.
    fn sentence(&self, set: &Set, by: &str, value: &Value) -> String {
        let (code, found) = match value {
            Value::String(code) => (code.as_str(), format!("`{}`", shown(code))),
            value => {
                let coding = value.get("coding").and_then(|codings| codings.get(0)).unwrap_or(value);
                (text(coding, "code"), describe(value))
            }
        };
        let near = match set.nearest(code).as_slice() {
            [] => String::new(),
            near => format!(", such as {}", listed(near.iter().copied())),
        };
        format!("expected a code of `{}`{near}{by}, found {found}", last(&self.url))
    }
}

/// Types whose values have codes.
pub fn is_coded(type_name: &str) -> bool {
    let quantities = ["Quantity", "Age", "Count", "Distance", "Duration", "SimpleQuantity", "MoneyQuantity"];
    matches!(type_name, "code" | "string" | "uri" | "id" | "Coding" | "CodeableConcept")
        || quantities.contains(&type_name)
}

/// Of a CodeableConcept one coding is enough; a primitive's system is implied by the set.
pub fn judge(set: &Set, value: &Value) -> Membership {
    let codings = match value {
        Value::String(code) => return set.judge_code(code),
        Value::Object(object) => match object.get("coding") {
            Some(codings) => codings.as_array().map_or(&[][..], Vec::as_slice),
            None => std::slice::from_ref(value),
        },
        _ => return Membership::Stranger,
    };
    let mut best = Membership::Stranger;
    for coding in codings {
        match judge_coding(set, coding) {
            Membership::Member => return Membership::Member,
            Membership::Unknown => best = Membership::Unknown,
            Membership::Stranger => {}
        }
    }
    best
}

/// A value without a code is in no set, however little of it can be listed.
fn judge_coding(set: &Set, coding: &Value) -> Membership {
    match text(coding, "code") {
        "" => Membership::Stranger,
        code => set.judge(text(coding, "system"), code),
    }
}

fn has_code(value: &Value) -> bool {
    let is_one = |coding: &Value| !text(coding, "code").is_empty();
    match value.get("coding").and_then(Value::as_array) {
        Some(codings) => codings.iter().any(is_one),
        None => value.is_string() || is_one(value),
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}
