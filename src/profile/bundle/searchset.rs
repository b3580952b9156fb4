//! The answer to a search (R4 search.html#Introduction): what it is the answer to, and why each entry is in it.

use crate::fhir::Issue;
use crate::profile::Profiles;
use crate::profile::found::listed;

use super::{Entries, members, text};

pub fn problems(profiles: &Profiles, entries: &Entries) -> Vec<Issue> {
    let mut issues = Vec::new();
    let asked = members(entries.bundle, "link").iter().find(|link| text(link, "relation") == Some("self"));
    if asked.is_none() && !entries.list.is_empty() {
        let text = "expected a link `self` that says what was searched for";
        issues.push(Issue::warning("value", "searchset-self", text).at("Bundle.link"));
    }
    let kinds = asked.and_then(|link| text(link, "url")).map_or_else(Vec::new, |url| kinds(profiles, url));
    let modes: Vec<Option<&str>> =
        entries.list.iter().map(|entry| entry.value.get("search").and_then(|search| text(search, "mode"))).collect();
    let has_modes = modes.iter().any(Option::is_some);
    if !has_modes && !entries.list.is_empty() {
        let text = "the entries have no `search.mode`: what matched and what was included cannot be told apart";
        issues.push(Issue::warning("value", "searchset-mode", text).at("Bundle.entry"));
    }
    for (at, (entry, mode)) in entries.list.iter().zip(&modes).enumerate() {
        let place = format!("Bundle.entry[{at}].resource");
        if entry.resource.is_none() {
            let text = "every entry of a searchset has a resource";
            issues.push(Issue::error("required", "searchset-resource", text).at(place));
            continue;
        }
        let is_asked = kinds.is_empty() || kinds.contains(&entry.kind);
        if matches!(mode, Some("match" | "include")) && entry.id.is_empty() {
            let issue = Issue::error("required", "searchset-id", "a resource that was found has an `id`");
            issues.push(issue.at(place.as_str()));
        }
        let said = match mode {
            None if has_modes => Some(Issue::warning("value", "searchset-mode", "expected a `search.mode`")),
            None if !is_asked && entry.kind != "OperationOutcome" => {
                Some(Issue::warning("value", "searchset-type", unasked(&kinds)))
            }
            Some("match") if !is_asked => Some(Issue::error("value", "searchset-type", unasked(&kinds))),
            Some("outcome") if entry.kind != "OperationOutcome" => {
                Some(Issue::error("value", "searchset-type", "expected an OperationOutcome as `outcome`"))
            }
            _ => None,
        };
        issues.extend(said.map(|issue| issue.at(place)));
    }
    issues
}

fn unasked(kinds: &[&str]) -> String {
    format!("expected {}, as the link `self` asks for", listed(kinds.iter().copied()))
}

/// The types that a search asks for: the end of its path, or `_type`.
fn kinds<'u>(profiles: &Profiles, url: &'u str) -> Vec<&'u str> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    match path.trim_end_matches("/_search").rsplit('/').next() {
        Some(kind) if profiles.knows(kind) => vec![kind],
        _ => query.split('&').filter_map(|pair| pair.strip_prefix("_type=")).flat_map(|list| list.split(',')).collect(),
    }
}
