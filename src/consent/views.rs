//! What a new version leaves as it was, for one sort of reader and another.
//!
//! A version that changes nothing of what a reader is shown is no version of its view (rules.md 9), so its moment must
//! not tell of it either. Readers are of few sorts: by how much of a type their purposes need. Of parts that are
//! labelled, contained or masked the readers of one sort may see more or less; here none of them is seen, so that a
//! moment may be older than a reader's own view and is never one that a hidden part made.

use serde_json::Value;

use super::minimum::Kept;
use super::parts::{Inside, Way};
use super::redact::{Handling, redact_to};
use crate::fhir::Resource;

/// The sort that no minimum binds.
pub const WHOLE: &str = "";
/// Who sees no more than what every list keeps: the sort of those whom several lists or none of these bind.
pub const LEAST_OF_ALL: &str = "*";

/// The sort of those who are shown no more than a list keeps.
pub fn sort(kept: &Kept) -> String {
    format!("({kept})")
}

/// Each sort of reader, and whether the new version differs for it; nothing where it differs for all.
pub fn of(before: &Resource, after: &Resource, to: &Handling) -> Vec<(String, bool)> {
    let kind = after.kind();
    let lists = to.regimes.minimum.lists_of(kind);
    let (hidden_before, hidden_after) = (hideable(before), hideable(after));
    let tells_all = lists.is_empty() && hidden_before.is_empty() && hidden_after.is_empty();
    if tells_all && to.masks.is_empty() && to.discretion.is_none() {
        return Vec::new();
    }
    let shown = |resource: &Resource, hidden: &[Way], kept: Option<&Kept>| {
        let (copy, redacted) = redact_to(resource.clone(), hidden, kept, to);
        (untimed(copy), redacted)
    };
    let differs = |kept: Option<&Kept>| shown(before, &hidden_before, kept) != shown(after, &hidden_after, kept);
    let mut found = Vec::new();
    if let Some((first, others)) = lists.split_first() {
        let least = others.iter().fold((*first).clone(), |least, kept| least.shared_with(kept));
        if differs(Some(&least)) {
            // Whoever is shown more is shown that too.
            return Vec::new();
        }
        found.push((LEAST_OF_ALL.to_string(), false));
    }
    found.extend(lists.into_iter().map(|kept| (sort(kept), differs(Some(kept)))));
    found.push((WHOLE.to_string(), differs(None)));
    if found.iter().all(|(_, differs)| *differs) { Vec::new() } else { found }
}

/// Parts that some reader may not see.
fn hideable(resource: &Resource) -> Vec<Way> {
    Inside::of(resource.root()).parts.into_iter().map(|part| part.way).collect()
}

/// Without what every version has of its own.
fn untimed(resource: Resource) -> Value {
    let mut value = resource.into_value();
    if let Some(meta) = value.get_mut("meta").and_then(Value::as_object_mut) {
        meta.shift_remove("versionId");
        meta.shift_remove("lastUpdated");
    }
    value
}
