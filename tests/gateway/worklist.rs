//! How Consents are enforced, who may know it, and what waits for compliance.

use serde_json::{Value, json};

use crate::filing::{CLINIC, COUNTY, Shared, operation, shared};
use crate::harness::{Actor, On, TestGateway, key};
use crate::on_both;
use crate::reach::permit;

async fn listed(actor: &Actor, query: &str) -> Vec<(String, String)> {
    let answer = actor.get(&format!("/fhir/Consent/{query}")).await.is(200).body;
    let items = answer["parameter"].as_array().cloned().unwrap_or_default();
    let text = |item: &Value, at: usize| item["part"][at]["valueCode"].as_str().map(str::to_string);
    let about = |item: &Value| item["part"][1]["valueString"].as_str().unwrap().to_string();
    items.iter().map(|item| (text(item, 0).unwrap(), about(item))).collect()
}

fn values(answer: &Value, name: &str) -> Vec<String> {
    let parts = answer["parameter"][0]["part"].as_array().cloned().unwrap_or_default();
    let value = |part: &Value| {
        part["valueCode"]
            .as_str()
            .or(part["valueString"].as_str())
            .or(part["valueReference"]["reference"].as_str())
            .map(str::to_string)
    };
    parts.iter().filter(|part| part["name"] == name).filter_map(value).collect()
}

async fn start(on: On) -> (TestGateway, Actor, String) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system(CLINIC).await;
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    (gw, clinic, patient)
}

on_both!(what_is_not_enforced_is_said_with_its_place);
async fn what_is_not_enforced_is_said_with_its_place(on: On) {
    let (gw, clinic, patient) = start(on).await;
    let unknown = json!({"purpose": [{"system": "http://example.org/purposes", "code": "WHATEVER"}]});
    let mut consent = clinic.creates(&permit(&patient, COUNTY, unknown)).await;
    let path = format!("/fhir/{}/$enforcement-status", key(&consent));
    let status = clinic.get(&path).await.is(200).body;
    assert_eq!(values(&status, "not-enforced"), ["/provision/purpose/0"], "{status}");
    let officer = gw.compliance(CLINIC).await;
    let item = ("unenforceable".to_string(), key(&consent));
    assert!(listed(&officer, "$work-list").await.contains(&item));
    assert!(!listed(&gw.compliance(COUNTY).await, "$work-list").await.contains(&item));
    let county = gw.system(COUNTY).await;
    county.get(&path).await.is(404);

    let done = json!({"resourceType": "Parameters", "parameter": [
        {"name": "about", "valueString": item.1}, {"name": "what", "valueString": item.0}]});
    gw.compliance(COUNTY).await.post("/fhir/Consent/$work-done", &done).await.is(404);
    officer.post("/fhir/Consent/$work-done", &done).await.is(200);
    officer.post("/fhir/Consent/$work-done", &done).await.is(404);
    assert!(!listed(&officer, "$work-list").await.contains(&item));
    consent["provision"].as_object_mut().unwrap().remove("purpose");
    clinic.put(&format!("/fhir/{}", key(&consent)), &consent).await.is(200);
    assert_eq!(values(&clinic.get(&path).await.is(200).body, "not-enforced"), Vec::<String>::new());
}

on_both!(what_ends_soon_is_listed_and_notified);
async fn what_ends_soon_is_listed_and_notified(on: On) {
    let (gw, clinic, patient) = start(on).await;
    let soon = clinic.creates(&permit(&patient, COUNTY, json!({"period": {"end": "2026-03-20"}}))).await;
    let later = clinic.creates(&permit(&patient, COUNTY, json!({"period": {"end": "2026-09-20"}}))).await;
    let item = |consent: &Value| ("expiring".to_string(), key(consent));
    assert_eq!(listed(&clinic, "$expiring").await, [item(&soon)]);
    assert_eq!(listed(&clinic, "$expiring?within=7d").await, []);
    assert_eq!(listed(&clinic, "$expiring?within=400d").await, [item(&soon), item(&later)]);
    assert!(listed(&gw.compliance(CLINIC).await, "$work-list").await.contains(&item(&soon)));
    clinic.get("/fhir/Consent/$expiring?within=soon").await.is(400);
    clinic.revokes(&soon).await;
    assert_eq!(listed(&clinic, "$expiring").await, [], "what was revoked does not end any more");
}

on_both!(a_recipient_learns_that_a_policy_is_in_force_and_no_more);
async fn a_recipient_learns_that_a_policy_is_in_force_and_no_more(on: On) {
    let (gw, clinic, patient) = start(on).await;
    let county = gw.system(COUNTY).await;
    let consent = clinic.creates(&permit(&patient, COUNTY, json!({}))).await;
    clinic.creates(&permit(&patient, "harbor-housing", json!({}))).await;
    let path = format!("/fhir/Consent/$enforcement-status?patient={patient}");
    let said = county.get(&path).await.is(200);
    let whole = json!({"resourceType": "Parameters", "parameter": [{"name": "policy-in-force", "valueBoolean": true}]});
    assert_eq!(said.body, whole, "not the rules for others");
    assert_eq!(clinic.get(&path).await.is(200).body["parameter"].as_array().unwrap().len(), 3);
    let food = gw.system("corner-food-bank").await;
    let hidden = food.get(&path).await.is(404);
    let absent = food.get("/fhir/Consent/$enforcement-status?patient=Patient/nobody").await.is(404);
    assert_eq!(hidden.text.replace(&patient, "…"), absent.text.replace("Patient/nobody", "…"));
    clinic.revokes(&consent).await;
    county.get(&path).await.is(404);
}

on_both!(why_a_consent_is_not_in_force_is_said);
async fn why_a_consent_is_not_in_force_is_said(on: On) {
    let (gw, clinic, patient) = start(on).await;
    let policy = json!([{"uri": "https://example.org/policy/7"}]);
    let with_policy = |selectors: Value| {
        let mut consent = permit(&patient, COUNTY, selectors);
        consent["policy"] = policy.clone();
        consent
    };
    let stands = |consent: &Value| {
        let (clinic, path) = (clinic.clone(), format!("/fhir/{}/$enforcement-status", key(consent)));
        async move { clinic.get(&path).await.is(200).body }
    };
    let not_begun = clinic.creates(&permit(&patient, COUNTY, json!({"period": {"start": "2026-05-01"}}))).await;
    assert_eq!(values(&stands(&not_begun).await, "reason"), ["not-begun"]);
    let ended = clinic.creates(&permit(&patient, COUNTY, json!({"period": {"end": "2026-02-01"}}))).await;
    assert_eq!(values(&stands(&ended).await, "reason"), ["ended"]);
    let old = clinic.creates(&with_policy(json!({}))).await;
    assert_eq!(values(&stands(&old).await, "reason"), Vec::<String>::new());
    gw.advance_secs(60);
    let new = clinic.creates(&with_policy(json!({}))).await;
    let status = stands(&old).await;
    assert_eq!((values(&status, "reason"), values(&status, "replaced-by")), (vec!["replaced".into()], vec![key(&new)]));
    clinic.revokes(&new).await;
    assert_eq!(values(&stands(&new).await, "reason"), ["not-active"]);
}

on_both!(what_waits_for_verification_is_said_to_its_filer);
async fn what_waits_for_verification_is_said_to_its_filer(on: On) {
    let Shared { gw, clinic, housing, consent, .. } = shared(on).await;
    let path = format!("/fhir/{}/$enforcement-status", key(&consent));
    assert_eq!(values(&clinic.get(&path).await.is(200).body, "reason"), ["awaiting-verification"]);
    let item = ("awaiting-verification".to_string(), key(&consent));
    assert!(listed(&clinic, "$work-list").await.contains(&item));
    assert!(listed(&gw.compliance("harbor-housing").await, "$work-list").await.contains(&item));
    assert!(!listed(&gw.system(COUNTY).await, "$work-list").await.contains(&item), "it holds nothing of the person");
    let done = format!("Consent/$work-done?about={}&what=awaiting-verification", key(&consent));
    operation(&clinic, &done).await.is(422);
    operation(&housing, &format!("{}/$verify", key(&consent))).await.is(200);
    let status = clinic.get(&path).await.is(200).body;
    assert_eq!(values(&status, "verified-by"), ["Organization/harbor-housing"]);
}
