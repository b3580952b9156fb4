//! What tools and people read about the API: public, whole, and about nothing that is not there.

use std::collections::BTreeSet;

use handoff::fhir::search::ParamKind;
use serde_json::Value;

use crate::capability::is_answered;
use crate::harness::{On, TestGateway, start};
use crate::on_both;

fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str));
            object.values().for_each(|inner| references(inner, found));
        }
        Value::Array(list) => list.iter().for_each(|inner| references(inner, found)),
        _ => {}
    }
}

on_both!(every_address_of_the_document_is_answered_and_every_route_is_in_it);
async fn every_address_of_the_document_is_answered_and_every_route_is_in_it(on: On) {
    let (gw, clinic) = start(on).await;
    let auditor = gw.compliance("river-clinic").await;
    let document = gw.stranger().get("/openapi.json").await.is(200).body;
    let mut refers = Vec::new();
    references(&document, &mut refers);
    for pointer in refers.iter().collect::<BTreeSet<_>>() {
        assert!(document.pointer(pointer.trim_start_matches('#')).is_some(), "{pointer}");
    }
    let mut ids = BTreeSet::new();
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_string()), "{id} twice");
            let at = path
                .replace("{id}", "none")
                .replace("{version}", "1")
                .replace("{part}", "Goal")
                .replace("{job}", "none")
                .replace("{file}", "Goal.ndjson");
            let actor = if path.contains("AuditEvent") { &auditor } else { &clinic };
            let answered = is_answered(actor, &method.to_uppercase(), &at).await;
            assert!(answered, "{method} {path}");
        }
    }
    let router = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/router.rs")).unwrap();
    for route in router.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        let route = route.replace("{kind}", "Patient").trim_end_matches('/').to_string();
        let is_page = route.starts_with("/docs/");
        let is_known = |kind: &str| paths.contains_key(&route.replace("Patient", kind));
        let kinds = ["Patient", "Group", "DocumentReference", "Consent", "ValueSet", "CodeSystem"];
        assert!(is_page || kinds.into_iter().any(is_known), "{route}");
    }
}

#[tokio::test]
async fn there_is_a_page_for_every_type_and_no_other() {
    let gw = TestGateway::exchange(On::Sqlite, None).await;
    let stranger = gw.stranger();
    let first = stranger.get("/docs").await.is(200);
    assert!(first.header("content-type").starts_with("text/html"));
    assert!(!first.text.contains("river-clinic"), "says nothing about the partners");
    for kind in gw.ctx.profiles.kinds() {
        assert!(first.text.contains(&format!("/docs/{kind}\"")), "{kind}");
        let page = stranger.get(&format!("/docs/{kind}")).await.is(200);
        assert!(page.text.contains("Search parameters") && !page.text.contains("<script"), "{kind}");
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
    }
    for kind in handoff::fhir::offer::ASKED {
        let page = stranger.get(&format!("/docs/{kind}")).await.is(200);
        assert!(first.text.contains(&format!("/docs/{kind}\"")) && page.text.contains("$validate-code"), "{kind}");
        assert!(!page.text.contains("Search parameters") && !page.text.contains("The smallest body"), "{kind}");
    }
    stranger.get("/docs/Nonsense").await.is(404);
    stranger.get("/docs/%3Cscript%3E").await.is(404);
}

#[tokio::test]
async fn the_examples_of_the_pages_are_answered() {
    let (_gw, clinic) = start(On::Sqlite).await;
    for (kind, query) in [
        (ParamKind::Token, "Observation?code"),
        (ParamKind::Reference, "Observation?patient"),
        (ParamKind::Date, "Observation?date"),
        (ParamKind::Text, "Patient?family"),
        (ParamKind::Uri, "Questionnaire?url"),
        (ParamKind::Quantity, "Observation?value-quantity"),
        (ParamKind::Composite, "Observation?code-value-quantity"),
        (ParamKind::Special, "Location?near"),
    ] {
        let answered = is_answered(&clinic, "GET", &format!("/fhir/{query}={}", kind.example())).await;
        assert!(answered, "{query}");
    }
    for kind in ParamKind::ALL {
        let param = match kind {
            ParamKind::Token => "Observation?code",
            ParamKind::Reference => "Observation?subject",
            ParamKind::Text => "Patient?family",
            ParamKind::Uri => "Questionnaire?url",
            _ => continue,
        };
        for modifier in handoff::fhir::offer::modifiers(kind) {
            let value = match *modifier {
                "missing" => "true",
                "in" | "not-in" => "http://hl7.org/fhir/ValueSet/observation-status",
                "of-type" => "http://example.org/system|MR|7",
                "above" | "below" if kind == ParamKind::Token => "http://hl7.org/fhir/observation-status|final",
                _ => kind.example(),
            };
            let answered = is_answered(&clinic, "GET", &format!("/fhir/{param}:{modifier}={value}")).await;
            assert!(answered, "{param}:{modifier}");
        }
    }
}
