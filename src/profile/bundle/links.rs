//! The links of a Bundle: those that page belong to searches and histories.

use crate::fhir::Issue;
use crate::profile::found::shown;

use super::address::is_absolute;
use super::{Entries, members, text};

const PAGES: [&str; 4] = ["first", "previous", "next", "last"];
/// The stylesheet that every reader of a document has.
const STYLESHEET: &str = "https://hl7.org/fhir/fhir.css";

pub fn problems(entries: &Entries) -> Vec<Issue> {
    let pages = matches!(entries.kind, "searchset" | "history");
    let mut seen: Vec<&str> = Vec::new();
    let mut issues = Vec::new();
    for (at, link) in members(entries.bundle, "link").iter().enumerate() {
        let Some(relation) = text(link, "relation") else { continue };
        let place = |name: &str| format!("Bundle.link[{at}].{name}");
        if PAGES.contains(&relation) && !pages {
            let text = format!("`{relation}` belongs to a searchset or a history");
            issues.push(Issue::error("value", "link-relation", text).at(place("relation")));
        }
        if relation == "self" || (pages && PAGES.contains(&relation)) {
            if seen.contains(&relation) {
                let text = format!("expected one link `{relation}`, found another");
                issues.push(Issue::error("value", "link-twice", text).at(place("relation")));
            }
            seen.push(relation);
        }
        if relation == "stylesheet" && entries.kind == "document" {
            issues
                .extend(text(link, "url").and_then(|url| stylesheet(entries, url)).map(|issue| issue.at(place("url"))));
        }
    }
    issues
}

/// R4 documents.html#presentation: a stylesheet comes with the document, or is the one of HL7.
fn stylesheet(entries: &Entries, url: &str) -> Option<Issue> {
    if url == STYLESHEET {
        return None;
    }
    if is_absolute(url) {
        let text =
            format!("a stylesheet from elsewhere should not be used: expected one in this Bundle or `{STYLESHEET}`");
        return Some(Issue::warning("business-rule", "stylesheet", text));
    }
    let is_here = url.split_once('/').is_some_and(|(kind, id)| !entries.of_key(kind, id).is_empty());
    (!is_here).then(|| Issue::error("not-found", "stylesheet", format!("`{}` is not in this Bundle", shown(url))))
}
