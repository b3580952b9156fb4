//! Where a reference points, and whether that is a place for it (FHIR R4 references.html).

use serde_json::{Map, Value};

use crate::fhir::reference::is_kind;
use crate::fhir::{Issue, Reference};

use super::Profiles;
use super::found::{listed, shown};
use super::terminology::Membership;

pub const RESOURCE_TYPES: &str = "http://hl7.org/fhir/ValueSet/resource-types";

/// What is wrong with a reference that may point at `targets` (none named: at any).
pub fn problem(
    profiles: &Profiles,
    contained: Option<&Value>,
    object: &Map<String, Value>,
    targets: &[String],
) -> Option<Issue> {
    let wrong = |rule: &'static str, text: String| Some(Issue::error("value", rule, text));
    let text = object.get("reference").and_then(Value::as_str)?;
    let pointed = match Reference::parse(text) {
        Reference::Relative { kind, .. } if !exists(profiles, kind) => {
            return wrong("reference-target", format!("`{}` is no resource type of R4", shown(kind)));
        }
        Reference::Relative { kind, .. } | Reference::Absolute { kind, .. } => kind,
        // `#` alone is the resource around (R4 references.html#contained).
        Reference::Contained("") => return None,
        Reference::Contained(id) => match kind_of(contained, id) {
            Some(kind) => kind,
            None => return wrong("ref-1", "expected the id of a contained resource behind `#`".into()),
        },
        Reference::Other(other) if is_reference(other) => return None,
        Reference::Other(_) => {
            return wrong("reference", "expected a reference as `Type/id`, an absolute URL, `#id` or a URN".into());
        }
    };
    if targets.is_empty() || targets.iter().any(|target| target == pointed) {
        return None;
    }
    let expected = listed(targets.iter().map(String::as_str));
    wrong("reference-target", format!("expected a reference to {expected}, found one to `{}`", shown(pointed)))
}

/// R4 has such a resource type, with or without a definition here.
pub fn exists(profiles: &Profiles, kind: &str) -> bool {
    profiles.knows(kind) || profiles.set(RESOURCE_TYPES).is_none_or(|set| set.judge_code(kind) != Membership::Stranger)
}

fn kind_of<'v>(contained: Option<&'v Value>, id: &str) -> Option<&'v str> {
    let inside = contained.and_then(Value::as_array)?;
    let held = inside.iter().find(|held| held.get("id").and_then(Value::as_str) == Some(id))?;
    held.get("resourceType").and_then(Value::as_str)
}

/// Not `Type/id`, and yet a reference: a URL, a URN, or a search in a transaction (R4 http.html#trules).
fn is_reference(text: &str) -> bool {
    let scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && !scheme.contains(['/', '?'])
    });
    let search = text.split_once('?').is_some_and(|(kind, query)| is_kind(kind) && query.contains('='));
    !text.contains(char::is_whitespace) && (scheme || search)
}
