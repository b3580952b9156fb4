//! `/openapi.json`: the API for tools that know HTTP and not FHIR, from the tables that the server runs on.
//!
//! A type has its own addresses, so that its search parameters and its body can be described. Bodies are described
//! one level deep; `$validate` knows the rest.

mod paths;
mod schemas;

use serde_json::{Map, Value, json};

use crate::fhir::capability::Described;
use crate::fhir::offer;
use crate::profile::Profiles;

pub(super) const FHIR_JSON: &str = "application/fhir+json";
pub(super) const FHIR_XML: &str = "application/fhir+xml";

pub fn document(of: &Described, profiles: &Profiles) -> Value {
    let kinds = || of.kinds.iter().map(String::as_str).chain(offer::ASKED);
    let tags: Vec<Value> = kinds().map(|kind| json!({"name": kind})).collect();
    let mut paths = paths::public();
    paths.extend(paths::auth());
    paths.extend(paths::system());
    kinds().for_each(|kind| paths.extend(paths::of_type(of, kind)));
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "handoff",
            "version": of.version,
            "description": format!("A FHIR R4 gateway for case management. {}/metadata is the CapabilityStatement, \
                {}/docs is for people. {}", of.base, of.origin(), of.limits.join("; ")),
        },
        "servers": [{"url": of.origin()}],
        "tags": tags,
        "security": [{"smart": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": security(of),
            "parameters": schemas::parameters(),
            "responses": responses(),
            "schemas": schemas::schemas(of, profiles),
        },
    })
}

fn security(of: &Described) -> Value {
    let scopes = json!({"system/*.cruds": "everything but AuditEvents", "system/*.rs": "reading and searching",
        "system/AuditEvent.rs": "the log, for compliance"});
    json!({
        "smart": {
            "type": "oauth2",
            "description": "SMART backend services: client_credentials with a signed assertion (private_key_jwt).",
            "flows": {"clientCredentials": {"tokenUrl": format!("{}/auth/token", of.origin()), "scopes": scopes}},
        },
        "bearer": {"type": "http", "scheme": "bearer", "description": "The access token that /auth/token gave."},
    })
}

fn responses() -> Value {
    let header = |text: &str| json!({"description": text, "schema": {"type": "string"}});
    let versioned = json!({"ETag": header("`W/\"VERSION\"`"), "Last-Modified": header("when the version was made"),
        "X-Request-Id": header("leads the operator to this request")});
    let written = json!({"ETag": header("`W/\"VERSION\"`"), "Location": header("the version that was made"),
        "X-Handoff-Note": header("what became of a referral")});
    json!({
        "Resource": {"description": "The resource, as far as the caller may see it.", "headers": versioned,
            "content": fhir("Resource")},
        "Written": {"description": "What was stored, or an OperationOutcome, or nothing, as `Prefer` says.",
            "headers": written, "content": fhir("Resource")},
        "Bundle": {"description": "A page of what was found, within what the caller may see.", "content": fhir("Bundle")},
        "Outcome": {"description": "What was found.", "content": fhir("OperationOutcome")},
        "Problem": {"description": "Why not: an OperationOutcome whose issues name the element or parameter, what was \
            expected, and a code in `details.coding`.", "content": fhir("OperationOutcome")},
        "Deleted": {"description": "It is gone."},
        "NotModified": {"description": "The version that the caller knows is the current one."},
        "Accepted": {"description": "Work has begun; Content-Location says where to ask how far it is.",
            "headers": {"Content-Location": header("where to ask")}},
        "Manifest": {"description": "Done: the files, and the moment that they tell of (Bulk Data Access 2.0).",
            "content": {"application/json": {"schema": {"type": "object"}}}},
        "Lines": {"description": "A resource a line.",
            "content": {"application/fhir+ndjson": {"schema": {"type": "string"}}}},
    })
}

/// Content in both formats: described in JSON, as text in XML.
pub(super) fn fhir(schema: &str) -> Value {
    json!({FHIR_JSON: {"schema": refers("schemas", schema)}, FHIR_XML: {"schema": {"type": "string"}}})
}

pub(super) fn refers(what: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{what}/{name}")})
}

/// What can go wrong anywhere.
pub(super) fn answers(good: &[(&str, &str)]) -> Value {
    let mut all: Map<String, Value> =
        good.iter().map(|(status, name)| (status.to_string(), refers("responses", name))).collect();
    for status in ["4XX", "5XX"] {
        all.insert(status.to_string(), refers("responses", "Problem"));
    }
    Value::Object(all)
}
