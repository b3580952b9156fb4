//! What entries are called: R4 bundle.html, "fullUrl ... SHALL NOT disagree with the id in the resource".

use crate::fhir::{Issue, Reference};
use crate::profile::Profiles;
use crate::profile::found::shown;
use crate::profile::pointing;

use super::Entries;

pub fn problems(profiles: &Profiles, entries: &Entries) -> Vec<Issue> {
    let mut issues = Vec::new();
    for (at, entry) in entries.list.iter().enumerate() {
        let place = || format!("Bundle.entry[{at}].fullUrl");
        let Some(url) = entry.full_url else {
            // An empty one is the base definition's matter.
            if !entries.is_exchange() && !entry.value.as_object().is_some_and(|entry| entry.contains_key("fullUrl")) {
                let text = "expected a `fullUrl`: only entries of transactions and batches may be without";
                issues.push(Issue::error("required", "full-url-missing", text).at(place()));
            }
            continue;
        };
        if !is_absolute(url) {
            let text = "expected an absolute URL, such as `https://…/Patient/7` or `urn:uuid:…`";
            issues.push(Issue::error("value", "full-url-relative", text).at(place()));
            continue;
        }
        if let Reference::Absolute { kind, id, .. } = Reference::parse(url)
            && !entry.kind.is_empty()
            && pointing::exists(profiles, kind)
        {
            if entry.id.is_empty() && entry.value.pointer("/request/method").and_then(|it| it.as_str()) != Some("POST")
            {
                let text = format!("expected the `id` in the {} that the URL names", shown(entry.kind));
                issues.push(Issue::error("value", "full-url-id", text).at(place()));
            } else if !entry.id.is_empty() && (kind, id) != (entry.kind, entry.id) {
                let text = format!("expected a URL that ends as `/{}/` and the resource's `id`", shown(entry.kind));
                issues.push(Issue::error("value", "full-url-id", text).at(place()));
            }
        }
    }
    issues
}

/// With a scheme: `https:`, `urn:`.
pub fn is_absolute(url: &str) -> bool {
    url.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    })
}
