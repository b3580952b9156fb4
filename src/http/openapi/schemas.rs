//! What bodies and parameters look like.

use serde_json::{Map, Value, json};

use crate::fhir::capability::Described;
use crate::fhir::offer::RESULTS;
use crate::profile::{Outline, Profiles, Shown};

/// Longest list of codes that is written out.
const CODES_MAX: usize = 60;

const ID: &str = "^[A-Za-z0-9.-]{1,64}$";
const DATE: &str = r"^(eq|ne|gt|lt|ge|le|sa|eb|ap)?[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|1[0-9]|2[0-8])(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9]))?)?)?$";
const NUMBER: &str = r"^(eq|ne|gt|lt|ge|le|sa|eb|ap)?-?[0-9]{1,9}(\.[0-9]{1,6})?$";

pub fn parameters() -> Value {
    let header = |name: &str, text: &str| {
        json!({"name": name, "in": "header", "description": text,
        "schema": {"type": "string"}})
    };
    let mut all = json!({
        "id": {"name": "id", "in": "path", "required": true, "schema": {"type": "string", "pattern": ID}},
        "version": {"name": "version", "in": "path", "required": true,
            "schema": {"type": "string", "pattern": "^[1-9][0-9]{0,8}$"}},
        "_since": {"name": "_since", "in": "query", "description": "What changed since this instant.",
            "schema": {"type": "string", "format": "date-time"}},
        "If-Match": header("If-Match", "The version that was read, `W/\"2\"`: 412 when it is not the current one. \
            A Task cannot be updated without it (428)."),
        "If-None-Match": header("If-None-Match", "The version that is known already: 304 when it is the current one."),
        "If-Modified-Since": header("If-Modified-Since", "304 when nothing changed since."),
        "If-None-Exist": header("If-None-Exist", "Criteria: create only if they find nothing."),
        "Prefer": {"name": "Prefer", "in": "header",
            "description": "Also `return=minimal`. With `handling=strict` an unknown search parameter is an error.",
            "schema": {"type": "string",
                "enum": ["return=representation", "return=OperationOutcome", "handling=strict", "handling=lenient"]}},
    });
    for result in RESULTS {
        let schema = match result.name {
            "_count" => json!({"type": "integer", "minimum": 0}),
            "_total" => json!({"type": "string", "enum": ["none", "estimate", "accurate"]}),
            "_summary" => json!({"type": "string", "enum": ["true", "text", "data", "count", "false"]}),
            "_format" => json!({"type": "string", "enum": ["json", "xml"]}),
            _ => json!({"type": "string"}),
        };
        all[result.name] = json!({"name": result.name, "in": "query", "description": result.about, "schema": schema});
    }
    all
}

pub fn schemas(of: &Described, profiles: &Profiles) -> Value {
    let mut all = json!({
        "search-token": {"type": "string", "description": "`code`, `system|code`, `|code` or `system|`."},
        "search-reference": {"type": "string", "description": "`id`, `Type/id` or an address."},
        "search-string": {"type": "string", "description": "The beginning, case and accents aside."},
        "search-uri": {"type": "string"},
        "search-date": {"type": "string", "pattern": DATE, "example": "ge2026-03"},
        "search-number": {"type": "string", "pattern": NUMBER},
        "search-quantity": {"type": "string", "description": "`value` or `value|system|code`.", "example": "5.4"},
        "search-composite": {"type": "string", "description": "The parts, joined by `$`."},
        "search-special": {"type": "string"},
        "Resource": {"type": "object", "required": ["resourceType"],
            "properties": {"resourceType": {"type": "string"}}, "additionalProperties": true},
        "JsonPatch": {"type": "array", "items": {"type": "object", "required": ["op", "path"], "properties": {
            "op": {"type": "string", "enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": {"type": "string"}, "from": {"type": "string"}, "value": {}}}},
        "Submission": {"type": "object", "required": ["resourceType", "type"], "properties": {
            "resourceType": {"type": "string", "enum": ["Bundle"]},
            "type": {"type": "string", "enum": ["transaction", "batch"]},
            "entry": {"type": "array", "items": {"type": "object", "required": ["request"], "properties": {
                "fullUrl": {"type": "string"},
                "resource": super::refers("schemas", "Resource"),
                "request": {"type": "object", "required": ["method", "url"], "properties": {
                    "method": {"type": "string", "enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
                    "url": {"type": "string"}, "ifMatch": {"type": "string"}, "ifNoneExist": {"type": "string"}}}}}}}},
    });
    for kind in of.kinds {
        if let Some(outline) = profiles.outline(kind) {
            all[kind] = of_type(kind, outline, profiles);
        }
    }
    all
}

/// One level deep: which elements there are, which of them must be, and what plain values look like.
fn of_type(kind: &str, outline: Outline, profiles: &Profiles) -> Value {
    let mut properties = Map::from_iter([("resourceType".to_string(), json!({"type": "string", "enum": [kind]}))]);
    let mut required = vec![json!("resourceType")];
    for (name, shown) in outline.fields() {
        let schema = value(&shown, profiles);
        properties
            .insert(name.to_string(), if shown.list { json!({"type": "array", "items": schema}) } else { schema });
        if shown.mandatory && !shown.is_choice {
            required.push(json!(name));
        }
    }
    json!({"type": "object", "required": required, "properties": properties, "example": profiles.smallest(kind)})
}

fn value(shown: &Shown, profiles: &Profiles) -> Value {
    let codes = || {
        let set = profiles.expansion(shown.codes?, CODES_MAX).filter(|set| !set.cut && set.open.is_empty())?;
        let codes: Vec<&str> = set.codes.iter().map(|(_, code)| *code).collect();
        (shown.kind == "code" && !codes.is_empty()).then(|| json!({"type": "string", "enum": codes}))
    };
    match shown.kind {
        "boolean" => json!({"type": "boolean"}),
        "integer" => json!({"type": "integer", "format": "int32"}),
        "unsignedInt" => json!({"type": "integer", "format": "int32", "minimum": 0}),
        "positiveInt" => json!({"type": "integer", "format": "int32", "minimum": 1}),
        "decimal" => json!({"type": "number"}),
        "instant" => json!({"type": "string", "format": "date-time"}),
        "id" => json!({"type": "string", "pattern": ID}),
        _ if shown.primitive => codes().unwrap_or_else(|| json!({"type": "string", "minLength": 1})),
        "Resource" => super::refers("schemas", "Resource"),
        _ => json!({"type": "object"}),
    }
}
