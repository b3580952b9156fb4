//! A Bundle beyond its base definition (R4 bundle.html): what its entries are called, what they point at, and what its
//! type asks for.
//!
//! The invariants `bdl-1` to `bdl-12` are not repeated here. Severities are those of HL7's validator. Everything is
//! looked up by name, so that a Bundle of many thousand entries costs what its bytes cost.

mod address;
mod inside;
mod links;
mod searchset;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::Value;

use crate::fhir::Issue;

use super::Profiles;

/// Issues of one Bundle.
const ISSUES_MAX: usize = 200;

/// A Bundle, read once.
pub struct Entries<'b> {
    pub kind: &'b str,
    pub bundle: &'b Value,
    pub list: Vec<Entry<'b>>,
    /// Where each `fullUrl` is, and each `Type/id`.
    by_url: HashMap<&'b str, Vec<usize>>,
    by_key: HashMap<&'b str, HashMap<&'b str, Vec<usize>>>,
}

#[derive(Clone, Copy)]
pub struct Entry<'b> {
    pub value: &'b Value,
    pub full_url: Option<&'b str>,
    pub resource: Option<&'b Value>,
    /// The resource's type, id and version; empty where they are not said.
    pub kind: &'b str,
    pub id: &'b str,
    pub version: &'b str,
}

/// All that is wrong with a Bundle that its base definition and its invariants do not say.
pub fn check(profiles: &Profiles, bundle: &Value) -> Vec<Issue> {
    let entries = Entries::read(bundle);
    let mut issues = links::problems(&entries);
    issues.extend(address::problems(profiles, &entries));
    if entries.kind == "searchset" {
        issues.extend(searchset::problems(profiles, &entries));
    }
    issues.extend(inside::problems(&entries));
    // An error is never cut off in favour of a warning.
    issues.sort_by_key(|issue| issue.severity);
    let left_out = issues.len().saturating_sub(ISSUES_MAX);
    issues.truncate(ISSUES_MAX);
    if left_out > 0 {
        issues.push(Issue::information("more-issues", format!("{left_out} more issues are not listed")));
    }
    issues
}

impl<'b> Entries<'b> {
    fn read(bundle: &'b Value) -> Entries<'b> {
        let list: Vec<Entry> = members(bundle, "entry").iter().map(Entry::read).collect();
        let mut by_url: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut by_key: HashMap<&str, HashMap<&str, Vec<usize>>> = HashMap::new();
        for (at, entry) in list.iter().enumerate() {
            if let Some(url) = entry.full_url {
                by_url.entry(url).or_default().push(at);
            }
            if !entry.kind.is_empty() && !entry.id.is_empty() {
                by_key.entry(entry.kind).or_default().entry(entry.id).or_default().push(at);
            }
        }
        Entries { kind: text(bundle, "type").unwrap_or(""), bundle, list, by_url, by_key }
    }

    pub fn called(&self, full_url: &str) -> &[usize] {
        self.by_url.get(full_url).map_or(&[], Vec::as_slice)
    }

    pub fn of_key(&self, kind: &str, id: &str) -> &[usize] {
        self.by_key.get(kind).and_then(|ids| ids.get(id)).map_or(&[], Vec::as_slice)
    }

    /// Requests and their answers need no name for an entry; all others do.
    pub fn is_exchange(&self) -> bool {
        matches!(self.kind, "transaction" | "transaction-response" | "batch" | "batch-response")
    }
}

impl<'b> Entry<'b> {
    fn read(value: &'b Value) -> Entry<'b> {
        let resource = value.get("resource").filter(|resource| resource.is_object());
        let said = |name: &str| resource.and_then(|resource| text(resource, name)).unwrap_or("");
        let version = resource.and_then(|resource| text(resource.get("meta")?, "versionId")).unwrap_or("");
        Entry { value, full_url: text(value, "fullUrl"), resource, kind: said("resourceType"), id: said("id"), version }
    }
}

pub fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

pub fn members<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
