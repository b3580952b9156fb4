//! The only way out: a resource becomes `Released` by being the partner's own, by being of the directory, or by a
//! decision that permits it.
//!
//! Obligations that concern the content are carried out here, on the copy that leaves.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::decide::Decision;
use super::facts::references;
use super::label::ACT_CODE;
use crate::fhir::view::{Outline, View};
use crate::fhir::{Resource, read};

/// The types that every caller reads (rules.md 2).
pub const DIRECTORY: [&str; 7] =
    ["Organization", "Practitioner", "PractitionerRole", "HealthcareService", "Location", "Endpoint", "Questionnaire"];

/// Obligations that travel with the resource, as labels of the copy.
const LABELS: [&str; 4] = ["NORDSCLCD", "PERSISTLABEL", "NOREUSE", "MINEC"];

/// A resource decided and redacted. What leaves as it was stored keeps its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Released(Content);

#[derive(Clone, Debug, PartialEq)]
enum Content {
    Stored(String),
    Copied(Resource),
}

/// What a stored row says of itself, for the questions that need no consent.
#[derive(Clone, Copy, Debug)]
pub struct Right<'a> {
    pub kind: &'a str,
    /// The partner it came from, by id.
    pub origin: &'a str,
    /// A second partner that has it by right: a Task's requester, a Consent's custodian (rules.md 13, 17).
    pub holder: Option<&'a str>,
}

/// The partner's own data, what it holds by right, and what every authenticated caller reads (rules.md 2, 5, 13).
pub fn by_right(partner: &str, right: Right, stored: String) -> Option<Released> {
    let own = right.origin == partner || right.holder == Some(partner);
    (own || is_directory(right.kind)).then_some(Released(Content::Stored(stored)))
}

/// Whether every authenticated caller reads resources of this type.
pub fn is_directory(kind: &str) -> bool {
    DIRECTORY.contains(&kind)
}

/// What a decision permits, with its obligations carried out. A decision on one resource releases no other.
pub fn release(decision: &Decision, resource: Resource) -> Option<Released> {
    if !decision.permits() || decision.resource() != resource.key() {
        return None;
    }
    Some(Released(Content::Copied(labelled(decision, redacted(decision, resource)))))
}

impl Released {
    /// What one partner has by right, for somebody who does a deed in its place: the operator (rules.md 17).
    pub fn to_keeper(partner: &str, right: Right, stored: String) -> Option<Released> {
        (right.kind == "Consent").then(|| by_right(partner, right, stored)).flatten()
    }

    /// The JSON that is answered.
    pub fn into_text(self) -> String {
        match self.0 {
            Content::Stored(text) => text,
            Content::Copied(resource) => resource.value().to_string(),
        }
    }

    /// The part of it that was asked for; `None` when it cannot be read.
    pub fn seen_as(self, view: &View, outline: &dyn Outline) -> Option<Released> {
        Some(Released(Content::Copied(view.of(self.into_resource()?, outline))))
    }

    /// Everything that it refers to, as [`references`].
    pub fn references(&self) -> BTreeSet<String> {
        match &self.0 {
            Content::Stored(text) => read::resource(text.as_bytes()).map(|found| references(found.root())),
            Content::Copied(resource) => Ok(references(resource.root())),
        }
        .unwrap_or_default()
    }

    /// The resource, for what is packed into something else.
    pub fn into_resource(self) -> Option<Resource> {
        match self.0 {
            Content::Stored(text) => read::resource(text.as_bytes()).ok(),
            Content::Copied(resource) => Some(resource),
        }
    }
}

/// Where content is taken out. No obligation of ours asks for it below the whole resource yet.
fn redacted(_decision: &Decision, resource: Resource) -> Resource {
    resource
}

/// Adds the obligations that must stay with the data to `meta.security`; labels are never removed.
fn labelled(decision: &Decision, mut resource: Resource) -> Resource {
    let owed: Vec<Value> = LABELS
        .into_iter()
        .filter(|code| decision.obligations().contains(*code))
        .filter(|code| !resource.labels().iter().any(|label| label.system == ACT_CODE && label.code == *code))
        .map(|code| json!({"system": ACT_CODE, "code": code}))
        .collect();
    if owed.is_empty() {
        return resource;
    }
    let mut meta = resource.root().get("meta").value().cloned().unwrap_or_else(|| json!({}));
    match meta.get_mut("security").and_then(Value::as_array_mut) {
        Some(labels) => labels.extend(owed),
        None => meta["security"] = Value::Array(owed),
    }
    resource.set("meta", meta);
    resource
}
