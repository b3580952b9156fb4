//! What a resource must be as a whole: answers fit their form, and a Bundle holds together.
//!
//! The base definition and profiles judge element by element; these rules look at two resources at once. Forms that
//! are neither contained nor in the same Bundle are handed in by whoever can fetch them.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::fhir::{Issue, Outcome, Resource, Severity};

use super::facts::bare;
use super::found::ISSUES_MAX;
use super::questionnaire::{self, Source};
use super::{Profiles, bundle};

/// Bundles within Bundles, and no deeper.
const NESTING_MAX: usize = 4;

/// Questionnaires at hand, by canonical URL; of several with one URL, the first that fits counts.
#[derive(Clone, Debug, Default)]
pub struct Forms(BTreeMap<String, Vec<Value>>);

impl Forms {
    pub const fn none() -> Forms {
        Forms(BTreeMap::new())
    }

    /// Anything that is no Questionnaire with a URL is left out.
    pub fn add(&mut self, resource: &Value) {
        let text = |name: &str| resource.get(name).and_then(Value::as_str);
        if let (Some("Questionnaire"), Some(url)) = (text("resourceType"), text("url")) {
            self.0.entry(url.to_string()).or_default().push(resource.clone());
        }
    }

    fn find(&self, canonical: &str) -> Option<&Value> {
        self.0.get(bare(canonical))?.iter().find(|form| questionnaire::is_named(form, canonical))
    }

    pub fn has(&self, canonical: &str) -> bool {
        self.find(canonical).is_some()
    }
}

/// The canonicals of the forms that a resource, or the entries of a Bundle, answer, where they do not contain them.
pub fn forms_of(resource: &Resource) -> Vec<&str> {
    let root = resource.value();
    let responses = entries(root)
        .filter(|entry| kind(entry) == "QuestionnaireResponse")
        .chain(Some(root).filter(|root| kind(root) == "QuestionnaireResponse"));
    let mut found: Vec<&str> = responses
        .filter_map(|response| match questionnaire::source(response) {
            Source::Canonical(canonical) => Some(canonical),
            _ => None,
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Adds to what was found of a resource what is wrong with it as a whole.
pub fn examine(profiles: &Profiles, resource: &Resource, forms: &Forms, outcome: &mut Outcome) {
    let mut found = issues(profiles, resource.value(), forms, 0);
    // An error is never cut off in favour of a warning.
    found.sort_by_key(|issue| issue.severity);
    let errors = found.iter().filter(|issue| issue.severity == Severity::Error).count();
    let left_out = found.len().saturating_sub(ISSUES_MAX);
    found.truncate(ISSUES_MAX);
    outcome.0.extend(found);
    if left_out > 0 {
        let text =
            format!("{left_out} more issues are not listed, {} of them errors", errors.saturating_sub(ISSUES_MAX));
        outcome.0.push(Issue::information("more-issues", text));
    }
}

fn issues(profiles: &Profiles, value: &Value, forms: &Forms, nesting: usize) -> Vec<Issue> {
    match kind(value) {
        "QuestionnaireResponse" => answered(profiles, value, forms, &HashMap::new()),
        "Questionnaire" => questionnaire::conditions(value),
        "Bundle" if nesting < NESTING_MAX => within(profiles, value, forms, nesting),
        _ => Vec::new(),
    }
}

fn within(profiles: &Profiles, value: &Value, forms: &Forms, nesting: usize) -> Vec<Issue> {
    let mut beside: HashMap<&str, Vec<&Value>> = HashMap::new();
    for form in entries(value).filter(|entry| kind(entry) == "Questionnaire") {
        if let Some(url) = form.get("url").and_then(Value::as_str) {
            beside.entry(url).or_default().push(form);
        }
    }
    let mut found = bundle::check(profiles, value);
    for (at, entry) in value.get("entry").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let Some(resource) = entry.get("resource") else { continue };
        let inside = match kind(resource) {
            "QuestionnaireResponse" => answered(profiles, resource, forms, &beside),
            _ => issues(profiles, resource, forms, nesting + 1),
        };
        let prefix = format!("Bundle.entry[{at}].resource");
        found.extend(inside.into_iter().map(|issue| issue.within(&prefix)));
    }
    found
}

fn answered(profiles: &Profiles, response: &Value, forms: &Forms, beside: &HashMap<&str, Vec<&Value>>) -> Vec<Issue> {
    let form = match questionnaire::source(response) {
        Source::Contained(form) => Some(form),
        Source::Canonical(canonical) => {
            let near = beside.get(bare(canonical)).into_iter().flatten().copied();
            near.into_iter().find(|form| questionnaire::is_named(form, canonical)).or_else(|| forms.find(canonical))
        }
        Source::Nowhere => None,
    };
    match form {
        Some(form) => questionnaire::check(profiles, response, form),
        None => vec![questionnaire::not_at_hand(profiles, response)],
    }
}

fn entries(value: &Value) -> impl Iterator<Item = &Value> {
    value.get("entry").and_then(Value::as_array).into_iter().flatten().filter_map(|entry| entry.get("resource"))
}

fn kind(value: &Value) -> &str {
    value.get("resourceType").and_then(Value::as_str).unwrap_or("")
}
