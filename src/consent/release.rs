//! The only way out: a resource becomes `Released` by being the partner's own, by being of the directory, or by a
//! decision that permits it.
//!
//! Obligations that concern the content are carried out here, on the copy that leaves.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::decide::Decision;
use super::facts::references;
use super::label::ACT_CODE;
use super::redact::{Handling, redact};
use super::regime::{Notice, Regimes};
use crate::fhir::view::{Outline, View};
use crate::fhir::{Instant, Resource, read};

/// The types that every caller reads (rules.md 2).
pub const DIRECTORY: [&str; 7] =
    ["Organization", "Practitioner", "PractitionerRole", "HealthcareService", "Location", "Endpoint", "Questionnaire"];

/// Obligations that travel with the resource, as labels of the copy.
const LABELS: [&str; 4] = ["NORDSCLCD", "PERSISTLABEL", "NOREUSE", "MINEC"];
/// What is to be shown with a resource (DS4P 1.0.0).
const DISPLAY: &str = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-display";
/// The obligation to say no more than the purpose needs.
pub(super) const LEAST: &str = "MINEC";

/// A resource decided and redacted. What leaves as it was stored keeps its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Released {
    content: Content,
    redacted: bool,
}

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

/// The partner's own data, what it holds by right, and what every authenticated caller reads (rules.md 2, 5, 13). What
/// is not its own says nothing of whom the handling masks.
pub fn by_right(partner: &str, right: Right, stored: String, to: Option<&Handling>) -> Option<Released> {
    let own = right.origin == partner || right.holder == Some(partner);
    if !own && !is_directory(right.kind) {
        return None;
    }
    let kept = |stored: String| Released { content: Content::Stored(stored), redacted: false };
    let Some(to) = to.filter(|to| right.origin != partner && !to.masks.is_empty()) else { return Some(kept(stored)) };
    let resource = read::resource(stored.as_bytes()).ok()?;
    Some(match redact(resource, &[], None, to) {
        (resource, true) => Released { content: Content::Copied(resource), redacted: true },
        _ => kept(stored),
    })
}

/// Whether every authenticated caller reads resources of this type.
pub fn is_directory(kind: &str) -> bool {
    DIRECTORY.contains(&kind)
}

/// What a decision permits, with its obligations carried out. A decision on one resource releases no other.
pub fn release(decision: &Decision, resource: Resource, to: &Handling) -> Option<Released> {
    if !decision.permits() || decision.resource() != resource.key() {
        return None;
    }
    let least = Some(decision.purposes()).filter(|_| decision.obligations().contains(LEAST));
    let (resource, redacted) = redact(resource, decision.parts_withheld(), least, to);
    let resource = noticed(decision, to.regimes, labelled(decision, resource));
    Some(Released { content: Content::Copied(resource), redacted })
}

impl Released {
    /// What one partner has by right, for somebody who does a deed in its place: the operator (rules.md 17).
    pub fn to_keeper(partner: &str, right: Right, stored: String) -> Option<Released> {
        (right.kind == "Consent").then(|| by_right(partner, right, stored, None)).flatten()
    }

    /// The JSON that is answered.
    pub fn into_text(self) -> String {
        match self.content {
            Content::Stored(text) => text,
            Content::Copied(resource) => resource.value().to_string(),
        }
    }

    /// The part of it that was asked for; `None` when it cannot be read.
    pub fn seen_as(self, view: &View, outline: &dyn Outline) -> Option<Released> {
        let redacted = self.redacted;
        Some(Released { content: Content::Copied(view.of(self.into_resource()?, outline)), redacted })
    }

    /// Whether anything was taken out of it.
    pub fn is_redacted(&self) -> bool {
        self.redacted
    }

    /// The same as another version of its view: with that number and of that moment (rules.md 9).
    #[must_use]
    pub fn numbered(mut self, version: i64, updated_at: Instant) -> Released {
        if let Content::Copied(resource) = &mut self.content {
            let mut meta = resource.root().get("meta").value().cloned().unwrap_or_else(|| json!({}));
            meta["versionId"] = json!(version.to_string());
            meta["lastUpdated"] = json!(updated_at.to_string());
            resource.set("meta", meta);
        }
        self
    }

    /// Whether it would say the same under the same number.
    pub fn says_the_same_as(&self, other: &Released) -> bool {
        let one = self.clone().numbered(0, Instant(0));
        self.redacted == other.redacted && one.content == other.clone().numbered(0, Instant(0)).content
    }

    /// Everything that it refers to, as [`references`].
    pub fn references(&self) -> BTreeSet<String> {
        match &self.content {
            Content::Stored(text) => read::resource(text.as_bytes()).map(|found| references(found.root())),
            Content::Copied(resource) => Ok(references(resource.root())),
        }
        .unwrap_or_default()
    }

    /// The resource, for what is packed into something else.
    pub fn into_resource(self) -> Option<Resource> {
        match self.content {
            Content::Stored(text) => read::resource(text.as_bytes()).ok(),
            Content::Copied(resource) => Some(resource),
        }
    }
}

/// What the law wants shown with it: the mark among its labels, the words beside them (DS4P 1.0.0, extension-display).
fn noticed(decision: &Decision, regimes: &Regimes, mut resource: Resource) -> Resource {
    let notices: Vec<&Notice> = decision.obligations().iter().filter_map(|code| regimes.notice(code)).collect();
    if notices.is_empty() {
        return resource;
    }
    let mut meta = resource.root().get("meta").value().cloned().unwrap_or_else(|| json!({}));
    for notice in notices {
        let shown = json!({"url": DISPLAY, "valueAnnotation": {"text": notice.text}});
        let mark = json!({"system": ACT_CODE, "code": notice.mark});
        for (name, item) in [("extension", shown), ("security", mark)] {
            match meta.get_mut(name).and_then(Value::as_array_mut) {
                Some(known) if known.contains(&item) => {}
                Some(known) => known.push(item),
                None => meta[name] = json!([item]),
            }
        }
    }
    resource.set("meta", meta);
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
