//! Answers: bytes with the headers that FHIR wants on them.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::fhir::{Instant, Outcome};
use crate::gateway::{Done, Version, Written};

use super::located::Told;
use super::prefer::{Prefer, Return};

/// What is said of most coded data: in the body for who prefers an OperationOutcome, and in Bundles. The header is
/// short, and is read for what became of a referral.
const IN_BODIES: [&str; 4] = ["system-unheld", "binding-unchecked", "binding-extensible", "binding-preferred"];

pub const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

/// FHIR JSON that no shared cache may keep: another caller's view of the same address is another.
pub fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, FHIR_JSON);
    set(&mut response, header::CACHE_CONTROL, "private, no-store");
    response
}

/// What a caller has already, as it said with its read (FHIR R4 http.html#cread).
#[derive(Clone, Copy, Default)]
pub struct Known<'a> {
    /// `If-None-Match`: tags, weak, strong or bare.
    pub none_match: Option<&'a str>,
    /// `If-Modified-Since`: an HTTP date, or in a Bundle an instant.
    pub modified_since: Option<&'a str>,
}

impl Known<'_> {
    /// Whether it has this version. A tag beats a date (RFC 9110, 13.2.2), and a date that cannot be read is none.
    pub fn has(self, version: &Version) -> bool {
        let number = version.version.to_string();
        let tagged = |tag: &str| tag.trim() == "*" || tag.trim().trim_start_matches("W/").trim_matches('"') == number;
        match (self.none_match, self.modified_since) {
            (Some(tags), _) => tags.split(',').any(tagged),
            (None, Some(date)) => {
                let since = Instant::of_http_date(date).or_else(|| Instant::parse(date));
                since.is_some_and(|since| version.updated_at.as_secs() <= since.as_secs())
            }
            (None, None) => false,
        }
    }
}

/// One version of one resource; `None` in it is a deletion.
pub fn version(version: Version, known: Known) -> Response {
    let tag = etag(version.version);
    let mut response = if known.has(&version) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        json(StatusCode::OK, version.body.map(|body| body.into_text().into_bytes()).unwrap_or_default())
    };
    set(&mut response, header::ETAG, &tag);
    set(&mut response, header::LAST_MODIFIED, &version.updated_at.http_date());
    response
}

/// What a write answers with, as the caller prefers it.
pub fn written(base: &str, written: Written, prefer: &Prefer) -> Response {
    let location = location(base, &written);
    let (version, updated_at) = (written.version, written.updated_at);
    let status = match written.done {
        Done::Created => StatusCode::CREATED,
        Done::Updated | Done::Found => StatusCode::OK,
        Done::Deleted | Done::Nothing => StatusCode::NO_CONTENT,
    };
    let located = is_located(&written);
    // A referral that is held must be seen by who sent it, whatever else it prefers.
    let notes = written.outcome.0.iter().filter(|issue| !IN_BODIES.contains(&issue.rule));
    let notes = notes.map(|issue| issue.text.clone()).collect::<Vec<String>>().join("; ");
    let body = match (prefer.returns, written.body) {
        _ if status == StatusCode::NO_CONTENT => Vec::new(),
        (Return::Minimal, _) | (Return::Representation, None) => Vec::new(),
        (Return::Outcome, _) => written.outcome.to_value().to_string().into_bytes(),
        (Return::Representation, Some(body)) => body.into_bytes(),
    };
    let mut response = json(status, body);
    if located {
        set(&mut response, header::LOCATION, &location);
    }
    if status != StatusCode::NO_CONTENT {
        set(&mut response, header::ETAG, &etag(version));
        set(&mut response, header::LAST_MODIFIED, &updated_at.http_date());
    }
    if !notes.is_empty() {
        set(&mut response, HeaderName::from_static("x-handoff-note"), &notes.chars().take(1_000).collect::<String>());
    }
    response
}

/// Whether the answer says where it is: of what was created (FHIR R4 http.html#create), and of what the caller named
/// by criteria alone.
pub fn is_located(written: &Written) -> bool {
    let is_there = matches!(written.done, Done::Updated | Done::Found);
    written.done == Done::Created || (written.by_criteria && is_there)
}

pub fn location(base: &str, written: &Written) -> String {
    format!("{base}/{}/{}/_history/{}", written.kind, written.id, written.version)
}

/// FHIR's ETags are weak (R4 http.html#versions).
pub fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

pub fn outcome(status: StatusCode, outcome: &Outcome) -> Response {
    let mut response = json(status, outcome.to_value().to_string().into_bytes());
    response.extensions_mut().insert(Told(outcome.clone()));
    response
}

/// Sets a header, if the value can be one.
pub fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
