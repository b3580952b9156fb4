//! What an exchange asks of a resource besides what it claims: profiles that it must or should fit, and how much each
//! rule weighs (`[validation]` of the configuration).
//!
//! INVARIANT: no configuration lets in what is not of its type's shape. The rules in `SOUND` stay errors.

use crate::config::{Level, Terms};
use crate::fhir::{Issue, Outcome, Resource, Severity};

use super::Profiles;
use super::check::Against;
use super::facts::bare;

/// Rules that keep the store sound: what is stored is read again by shape, by format and by required code.
const SOUND: [&str; 21] = [
    "binding",
    "cardinality-max",
    "cardinality-min",
    "choice",
    "depth",
    "dom-2",
    "empty",
    "format",
    "json-type",
    "kind-unknown",
    "kind-unsupported",
    "malformed",
    "more-issues",
    "null",
    "ref-1",
    "reference",
    "reference-target",
    "resource-type",
    "too-costly",
    "type",
    "unknown-element",
];

/// Adds what the recommended profiles say, as warnings.
pub fn recommend(profiles: &Profiles, resource: &Resource, terms: &Terms, outcome: &mut Outcome) {
    let claimed = |url: &str| {
        let mut claims = resource.root().get("meta").each("profile").filter_map(|claim| claim.as_str());
        claims.any(|claim| bare(claim) == bare(url))
    };
    for url in terms.recommended.iter().filter(|url| profiles.has(url) && !claimed(url)) {
        let found = profiles.walked(resource, &Against::of(std::slice::from_ref(url)));
        for issue in found.0.into_iter().filter(|issue| issue.severity == Severity::Error) {
            let softer = Issue { severity: Severity::Warning, ..issue.clone() };
            if !outcome.0.contains(&issue) && !outcome.0.contains(&softer) {
                outcome.0.push(softer);
            }
        }
    }
}

/// Gives each issue the weight that the exchange gives its rule.
pub fn weigh(terms: &Terms, outcome: &mut Outcome) {
    if terms.levels.is_empty() {
        return;
    }
    outcome.0.retain_mut(|issue| {
        let Some(level) = terms.levels.get(issue.rule) else { return true };
        if SOUND.contains(&issue.rule) {
            return true;
        }
        match level {
            Level::Error => issue.severity = Severity::Error,
            Level::Warning => issue.severity = Severity::Warning,
            Level::Information => issue.severity = Severity::Information,
            Level::Off => return false,
        }
        true
    });
}
