//! The clinical types that came from HL7's npm package are served like any other: checked, searched by their own
//! parameters, and shown to nobody whom the person did not permit.

use handoff::consent::{Facts, World};
use handoff::fhir::Resource;
use handoff::profile::{Outline, Profiles};
use serde_json::{Value, json};

use crate::harness::{Actor, On, key, start};
use crate::on_both;
use crate::reach::{class, permit};

/// One valid resource of each type about a person, with a search that finds it.
fn about(patient: &str) -> Vec<(Value, &'static str)> {
    let who = json!({"reference": patient});
    let code = |code: &str| json!({"coding": [{"system": "http://example.org/codes", "code": code}]});
    vec![
        (
            json!({"resourceType": "AllergyIntolerance", "patient": who, "code": code("nuts"), "clinicalStatus": {"coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]}}),
            "code=nuts",
        ),
        (
            json!({"resourceType": "Coverage", "status": "active", "beneficiary": who,
                "payor": [{"display": "a payer"}]}),
            "status=active",
        ),
        (json!({"resourceType": "Device", "patient": who, "status": "active"}), "status=active"),
        (
            json!({"resourceType": "DiagnosticReport", "status": "final", "code": code("panel"), "subject": who,
                "effectiveDateTime": "2026-02-01"}),
            "date=2026-02",
        ),
        (
            json!({"resourceType": "Immunization", "status": "completed", "vaccineCode": code("flu"), "patient": who,
                "occurrenceDateTime": "2026-01-05"}),
            "vaccine-code=flu",
        ),
        (
            json!({"resourceType": "Media", "status": "completed", "subject": who,
                "content": {"title": "a picture"}}),
            "status=completed",
        ),
        (
            json!({"resourceType": "MedicationDispense", "status": "completed", "subject": who,
                "medicationCodeableConcept": code("a")}),
            "code=a",
        ),
        (
            json!({"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": who,
                "medicationCodeableConcept": code("b"), "authoredOn": "2026-01-05"}),
            "intent=order&authoredon=2026",
        ),
        (json!({"resourceType": "Specimen", "subject": who, "type": code("blood")}), "type=blood"),
    ]
}

async fn finds(actor: &Actor, kind: &str, query: &str) -> Vec<String> {
    let strict = [("prefer", "handling=strict")];
    let answer = actor.send(reqwest::Method::GET, &format!("/fhir/{kind}?{query}"), &strict, None).await.is(200);
    answer.keys()
}

on_both!(clinical_types_are_found_by_whom_the_person_permits_and_by_nobody_else);
async fn clinical_types_are_found_by_whom_the_person_permits_and_by_nobody_else(on: On) {
    let (gw, clinic) = start(on).await;
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    let mut stored = Vec::new();
    for (resource, query) in about(&patient) {
        let key = key(&clinic.creates(&resource).await);
        stored.push((key, query));
    }
    let foreign = gw.system("harbor-housing").await;
    for (key, query) in &stored {
        let kind = key.split('/').next().unwrap();
        assert_eq!(finds(&clinic, kind, query).await, [key.as_str()], "{query}");
        assert_eq!(finds(&clinic, kind, &format!("patient={patient}")).await, [key.as_str()]);
        assert!(finds(&foreign, kind, query).await.is_empty(), "{key}");
        foreign.get(&format!("/fhir/{key}")).await.is(404);
    }
    clinic.creates(&permit(&patient, "harbor-housing", class(&["Immunization", "Coverage"]))).await;
    for (key, query) in &stored {
        let kind = key.split('/').next().unwrap();
        let is_given = ["Immunization", "Coverage"].contains(&kind);
        assert_eq!(finds(&foreign, kind, query).await.len(), usize::from(is_given), "{key}");
        foreign.get(&format!("/fhir/{key}")).await.is(if is_given { 200 } else { 404 });
    }
}

on_both!(a_subscriber_must_permit_too);
async fn a_subscriber_must_permit_too(on: On) {
    let (gw, clinic) = start(on).await;
    let child = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    let parent = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    let coverage = json!({"resourceType": "Coverage", "status": "active", "beneficiary": {"reference": child},
        "subscriber": {"reference": parent}, "payor": [{"display": "a payer"}]});
    let coverage = key(&clinic.creates(&coverage).await);
    let foreign = gw.system("harbor-housing").await;
    clinic.creates(&permit(&child, "harbor-housing", json!({}))).await;
    foreign.get(&format!("/fhir/{coverage}")).await.is(404);
    clinic.creates(&permit(&parent, "harbor-housing", json!({}))).await;
    foreign.get(&format!("/fhir/{coverage}")).await.is(200);
}

on_both!(what_is_about_nobody_is_its_origins_alone);
async fn what_is_about_nobody_is_its_origins_alone(on: On) {
    let (gw, clinic) = start(on).await;
    let medication = json!({"resourceType": "Medication", "status": "active", "code": {"text": "a pill"}});
    let device = json!({"resourceType": "Device", "status": "active"});
    let foreign = gw.system("harbor-housing").await;
    for resource in [medication, device] {
        let key = key(&clinic.creates(&resource).await);
        let kind = key.split('/').next().unwrap();
        assert_eq!(finds(&clinic, kind, "status=active").await, [key.as_str()]);
        assert!(finds(&foreign, kind, "status=active").await.is_empty());
        foreign.get(&format!("/fhir/{key}")).await.is(404);
    }
}

on_both!(a_code_outside_a_required_binding_is_refused);
async fn a_code_outside_a_required_binding_is_refused(on: On) {
    let (_gw, clinic) = start(on).await;
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    for (mut resource, _) in about(&patient) {
        let kind = resource["resourceType"].as_str().unwrap().to_string();
        resource[if kind == "AllergyIntolerance" { "type" } else { "status" }] = json!("no-such-code");
        let answer = clinic.post(&format!("/fhir/{kind}"), &resource).await.is(422);
        assert!(answer.rules().contains(&"binding".to_string()), "{kind}: {}", answer.text);
    }
}

/// `(Coverage.payor as Reference).where(…)` as names from the root.
fn names(kind: &str, alternative: &str) -> Option<Vec<String>> {
    let plain = alternative.trim().trim_start_matches('(');
    let plain = plain.split(" as ").next()?.split(".where").next()?.split(".as(").next()?;
    let rest = plain.strip_prefix(kind)?.strip_prefix('.')?;
    Some(rest.trim_end_matches(')').split('.').map(str::to_string).collect())
}

/// A reference to a person at a path of elements.
fn at(outline: Outline, path: &[String]) -> Option<Value> {
    let (name, rest) = path.split_first()?;
    let shown = outline.find(name)?;
    let inner = if rest.is_empty() { json!({"reference": "Patient/ana"}) } else { at(shown.inner?, rest)? };
    Some(json!({ name: if shown.list { json!([inner]) } else { inner } }))
}

#[test]
fn consent_follows_every_way_into_a_persons_compartment() {
    let profiles = Profiles::bundled();
    let mut ways = 0;
    for (kind, codes) in profiles.compartment("Patient").unwrap() {
        // A Patient lies in its own compartment, whatever it links to.
        if !profiles.knows(kind) || kind == "Patient" {
            continue;
        }
        let of_kind =
            profiles.search_parameters().iter().filter(|it| it.base.contains(kind) && codes.contains(&it.code));
        for param in of_kind.filter(|it| it.target.is_empty() || it.target.iter().any(|target| target == "Patient")) {
            for path in param.expression.split(" | ").filter_map(|alternative| names(kind, alternative)) {
                let mut resource = at(profiles.outline(kind).unwrap(), &path).unwrap();
                (resource["resourceType"], resource["id"]) = (json!(kind), json!("1"));
                let facts = Facts::of(&Resource::from_value(resource).unwrap(), &World::new(vec![]));
                assert!(facts.patients().contains("Patient/ana"), "{kind} {path:?}");
                ways += 1;
            }
        }
    }
    assert!(ways > 45, "{ways}");
}
