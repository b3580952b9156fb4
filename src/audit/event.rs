//! A record as FHIR's AuditEvent (R4 auditevent.html), rendered when it is read.

use serde_json::{Value, json};

use crate::fhir::Element;

/// The AuditEvent of a record, as its reader may see it.
pub fn audit_event(seen: &Value, number: Option<i64>) -> Value {
    let record = Element::new(seen);
    let text = |name: &str| record.text(name).unwrap_or("").to_string();
    let purposes: Vec<Value> = record
        .each("purposes")
        .filter_map(Element::as_str)
        .map(|code| json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code}]}))
        .collect();
    let mut entities: Vec<Value> = Vec::new();
    if let Some(patient) = record.text("patient") {
        entities.push(json!({
            "what": {"reference": format!("Patient/{patient}")},
            "role": {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1"}}));
    }
    for (list, released) in [("released", true), ("refused", false)] {
        for entry in record.each(list) {
            let why = entry.text("why").unwrap_or("");
            let mut details = vec![json!({"type": if released { "released" } else { "refused" }, "valueString": why})];
            if let Some(decision) = entry.get("decision").value() {
                details.push(json!({"type": "decision", "valueString": decision.to_string()}));
            }
            entities.push(json!({
                "what": {"reference": entry.text("key").unwrap_or("")},
                "role": {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "4"},
                "detail": details}));
        }
    }
    let (action, denied) = (action(&text("interaction")), text("verdict") == "deny");
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": text("id"),
        "meta": {"versionId": "1", "lastUpdated": text("at")},
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
        "subtype": [{"system": "http://hl7.org/fhir/restful-interaction", "code": text("interaction")}],
        "action": action,
        "recorded": text("at"),
        "outcome": if denied { "4" } else { "0" },
        "agent": [{
            "who": {"reference": format!("Organization/{}", text("partner"))},
            "altId": text("subject"),
            "requestor": true}],
        "source": {"observer": {"display": "handoff"}},
    });
    if let Some(number) = number {
        event["meta"]["tag"] =
            json!([{"system": "https://handoff.example/fhir/CodeSystem/log-number", "code": number.to_string()}]);
    }
    if !purposes.is_empty() {
        event["purposeOfEvent"] = json!(purposes);
    }
    if !entities.is_empty() {
        event["entity"] = json!(entities);
    }
    event
}

fn action(interaction: &str) -> &'static str {
    match interaction {
        "create" => "C",
        "read" | "vread" | "history-instance" | "search-type" => "R",
        "update" => "U",
        "delete" => "D",
        _ => "E",
    }
}
