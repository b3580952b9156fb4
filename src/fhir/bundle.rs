//! Bundles: read into entries, and written around bytes that are already JSON.

use serde_json::{Value, json};

use super::element::Element;
use super::outcome::{Issue, Outcome};
use super::resource::Resource;

/// Most entries of one Bundle.
pub const ENTRIES_MAX: usize = 5_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleKind {
    Transaction,
    Batch,
}

/// One request of a transaction or batch.
#[derive(Clone, Debug)]
pub struct Entry {
    pub full_url: Option<String>,
    pub method: String,
    pub url: String,
    pub if_match: Option<String>,
    pub if_none_exist: Option<String>,
    pub if_none_match: Option<String>,
    pub if_modified_since: Option<String>,
    pub resource: Option<Resource>,
}

/// Takes a transaction or batch apart.
///
/// # Errors
/// Every entry that has no request, and a type that is neither.
pub fn read(bundle: Resource) -> Result<(BundleKind, Vec<Entry>), Vec<Issue>> {
    let kind = match (bundle.kind(), bundle.root().text("type")) {
        ("Bundle", Some("transaction")) => BundleKind::Transaction,
        ("Bundle", Some("batch")) => BundleKind::Batch,
        ("Bundle", _) => {
            let text = "`Bundle.type`: expected `transaction` or `batch`";
            return Err(vec![Issue::error("value", "bundle-type", text).at("Bundle.type")]);
        }
        _ => return Err(vec![Issue::structure("expected a Bundle at the base address").at("resourceType")]),
    };
    let mut issues = Vec::new();
    let Value::Object(mut members) = bundle.into_value() else { return Ok((kind, Vec::new())) };
    let entries = match members.remove("entry") {
        Some(Value::Array(entries)) => entries,
        None => Vec::new(),
        Some(_) => return Err(vec![Issue::structure("`Bundle.entry`: expected a list").at("Bundle.entry")]),
    };
    if entries.len() > ENTRIES_MAX {
        let text = format!("a Bundle has at most {ENTRIES_MAX} entries, found {}", entries.len());
        return Err(vec![Issue::error("too-costly", "bundle-too-long", text).at("Bundle.entry")]);
    }
    let mut found = Vec::with_capacity(entries.len());
    for (index, mut value) in entries.into_iter().enumerate() {
        let resource = value.get_mut("resource").map(Value::take).and_then(Resource::from_value);
        let entry = Element::new(&value);
        let request = entry.get("request");
        let (Some(method), Some(url)) = (request.text("method"), request.text("url")) else {
            let text = format!("`Bundle.entry[{index}].request`: expected `method` and `url`");
            issues.push(Issue::error("required", "bundle-request", text).at(format!("Bundle.entry[{index}].request")));
            continue;
        };
        let text = |element: Element, name: &str| element.text(name).map(str::to_string);
        found.push(Entry {
            full_url: text(entry, "fullUrl"),
            method: method.to_string(),
            url: url.trim_start_matches('/').to_string(),
            if_match: text(request, "ifMatch"),
            if_none_exist: text(request, "ifNoneExist"),
            if_none_match: text(request, "ifNoneMatch"),
            if_modified_since: text(request, "ifModifiedSince"),
            resource,
        });
    }
    if issues.is_empty() { Ok((kind, found)) } else { Err(issues) }
}

/// One answer within a batch-response or transaction-response.
#[derive(Debug, Default)]
pub struct Answered {
    /// `201 Created`.
    pub status: String,
    pub location: Option<String>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// Stored bytes, as they are.
    pub resource: Option<Vec<u8>>,
    /// `None` where there is nothing to say.
    pub outcome: Option<Outcome>,
}

/// The response Bundle of a transaction or batch.
pub fn responses(kind: BundleKind, entries: Vec<Answered>) -> Vec<u8> {
    let kind = match kind {
        BundleKind::Transaction => "transaction-response",
        BundleKind::Batch => "batch-response",
    };
    let bytes = entries.iter().map(|entry| entry.resource.as_ref().map_or(0, Vec::len) + ROW_BYTES).sum();
    assemble(json!({"resourceType": "Bundle", "type": kind}), bytes, entries, |entry, out| {
        let mut response = json!({"status": entry.status});
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                response[name] = value;
            }
        };
        put("location", entry.location.map(Value::from));
        put("etag", entry.etag.map(Value::from));
        put("lastModified", entry.last_modified.map(Value::from));
        put("outcome", entry.outcome.map(|outcome| outcome.to_value()));
        out.push(b'{');
        if let Some(resource) = entry.resource {
            out.extend_from_slice(b"\"resource\":");
            out.extend_from_slice(&resource);
            out.push(b',');
        }
        out.extend_from_slice(format!("\"response\":{response}}}").as_bytes());
    })
}

/// One row of a searchset or history.
pub struct Found {
    pub full_url: String,
    /// Absent for a deletion in a history.
    pub resource: Option<Vec<u8>>,
    /// `search` or `request` and `response`, by kind of Bundle.
    pub rest: Value,
}

/// A searchset or history: `head` has all but `entry`.
pub fn listing(head: Value, rows: Vec<Found>) -> Vec<u8> {
    let bytes = rows.iter().map(|row| row.resource.as_ref().map_or(0, Vec::len) + ROW_BYTES).sum();
    assemble(head, bytes, rows, |row, out| {
        out.extend_from_slice(format!("{{\"fullUrl\":{}", Value::from(row.full_url)).as_bytes());
        if let Some(resource) = row.resource {
            out.extend_from_slice(b",\"resource\":");
            out.extend_from_slice(&resource);
        }
        if row.rest.as_object().is_some_and(|rest| !rest.is_empty()) {
            out.push(b',');
            out.extend_from_slice(&row.rest.to_string().as_bytes()[1..]);
        } else {
            out.push(b'}');
        }
    })
}

/// About what an entry has besides its resource.
const ROW_BYTES: usize = 256;

/// `bytes` is about how long the entries are. FHIR forbids empty lists: no row, no `entry`.
fn assemble<T>(head: Value, bytes: usize, entries: Vec<T>, write: impl Fn(T, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = head.to_string().into_bytes();
    out.reserve(bytes);
    out.pop();
    let mut empty = true;
    for entry in entries {
        out.extend_from_slice(if empty { b",\"entry\":[" } else { b"," });
        write(entry, &mut out);
        empty = false;
    }
    out.extend_from_slice(if empty { b"}" } else { b"]}" });
    out
}
