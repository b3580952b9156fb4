//! A page of something listed, as a Bundle: its links, its total, its rows, and what was not applied.

use serde_json::json;
use url::form_urlencoded;

use crate::consent::Released;
use crate::fhir::bundle::{Found, listing};
use crate::fhir::{Issue, Outcome};

/// What a page says of itself.
pub struct Page<'a> {
    /// `searchset` or `history`.
    pub kind: &'static str,
    /// Where it was asked for, without its query.
    pub address: String,
    /// The parameters that were applied.
    pub applied: &'a [(String, String)],
    /// The sealed token of the next page.
    pub next: Option<&'a str>,
    pub total: Option<i64>,
}

/// Stands for nothing that is stored: the address of an outcome in a searchset.
pub const NOWHERE: &str = "urn:uuid:00000000-0000-4000-8000-000000000000";

impl Page<'_> {
    pub fn with(&self, rows: Vec<Found>) -> Vec<u8> {
        let mut links = vec![json!({"relation": "self", "url": self.url(None)})];
        if let Some(token) = self.next {
            links.push(json!({"relation": "next", "url": self.url(Some(token))}));
        }
        let mut head = json!({"resourceType": "Bundle", "type": self.kind});
        if let Some(total) = self.total {
            head["total"] = json!(total);
        }
        head["link"] = json!(links);
        listing(head, rows)
    }

    fn url(&self, more: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.applied);
        if let Some(token) = more {
            query.append_pair("_page", token);
        }
        let query = query.finish();
        format!("{}{}{query}", self.address, if query.is_empty() { "" } else { "?" })
    }
}

/// A row of a searchset: a `match`, or an `include`.
pub fn row(base: &str, key: &str, body: Released, mode: &str) -> Found {
    let resource = Some(body.into_text().into_bytes());
    Found { full_url: format!("{base}/{key}"), resource, rest: json!({"search": {"mode": mode}}) }
}

/// What a searchset has to say besides, as its last row.
pub fn said(warnings: Vec<Issue>) -> Option<Found> {
    let resource = (!warnings.is_empty()).then(|| Outcome(warnings).to_value().to_string().into_bytes())?;
    Some(Found {
        full_url: NOWHERE.to_string(),
        resource: Some(resource),
        rest: json!({"search": {"mode": "outcome"}}),
    })
}
