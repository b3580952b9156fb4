//! Answers: bytes with the headers that FHIR wants on them.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::fhir::Outcome;
use crate::gateway::{Version, Written};

use super::prefer::{Prefer, Return};

pub const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

/// FHIR JSON that no shared cache may keep: another caller's view of the same address is another.
pub fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, FHIR_JSON);
    set(&mut response, header::CACHE_CONTROL, "private, no-store");
    response
}

/// One version of one resource; `None` in it is a deletion.
pub fn version(version: Version, if_none_match: Option<&str>) -> Response {
    let tag = etag(version.version);
    let wanted = |known: &str| {
        known.trim() == "*" || known.trim().trim_start_matches("W/").trim_matches('"') == version.version.to_string()
    };
    let mut response = if if_none_match.is_some_and(|known| known.split(',').any(wanted)) {
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
    let status = match (written.created, &written.body) {
        (true, _) => StatusCode::CREATED,
        (false, Some(_)) => StatusCode::OK,
        (false, None) => StatusCode::NO_CONTENT,
    };
    // A referral that is held must be seen by who sent it, whatever else it prefers.
    let notes = written.outcome.0.iter().map(|issue| issue.text.clone()).collect::<Vec<String>>().join("; ");
    let body = match (prefer.returns, written.body) {
        (_, None) | (Return::Minimal, _) => Vec::new(),
        (Return::Outcome, Some(_)) => written.outcome.to_value().to_string().into_bytes(),
        (Return::Representation, Some(body)) => body.into_bytes(),
    };
    let mut response = json(status, body);
    if status == StatusCode::CREATED {
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

pub fn location(base: &str, written: &Written) -> String {
    format!("{base}/{}/{}/_history/{}", written.kind, written.id, written.version)
}

/// FHIR's ETags are weak (R4 http.html#versions).
pub fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

pub fn outcome(status: StatusCode, outcome: &Outcome) -> Response {
    json(status, outcome.to_value().to_string().into_bytes())
}

/// Sets a header, if the value can be one.
pub fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
