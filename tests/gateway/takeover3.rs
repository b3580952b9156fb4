//! Ways in by another's word: correcting what decides, coming in the place of another's consent, and what answers and
//! lists tell on the side. Each was found by an attacker's reading.

use reqwest::Method;
use serde_json::{Value, json};

use crate::filing::{CLINIC, COUNTY, HOUSING, goal, sees};
use crate::harness::{On, TestGateway, key};
use crate::on_both;
use crate::reach::{class, permit};
use handoff::partner::Kind;

fn correcting(patient: &str, partner: &str) -> Value {
    let action = |code: &str| json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": code}]});
    permit(patient, partner, json!({"action": [action("access"), action("correct")]}))
}

on_both!(nobody_corrects_what_decides_in_its_origins_name);
async fn nobody_corrects_what_decides_in_its_origins_name(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system(CLINIC).await, gw.system(COUNTY).await);
    let person = json!({"resourceType": "Patient", "birthDate": "2012-05-17"});
    let patient = key(&clinic.creates(&person).await);
    clinic.creates(&correcting(&patient, COUNTY)).await;
    let subject = json!({"reference": patient});
    let encounter_class = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"});
    for (resource, change) in [
        (json!({"resourceType": "CareTeam", "status": "active", "subject": subject}), json!({"name": "x"})),
        (json!({"resourceType": "RelatedPerson", "patient": subject}), json!({"active": true})),
        (
            json!({"resourceType": "Encounter", "status": "finished", "subject": subject, "class": encounter_class}),
            json!({"priority": {"text": "x"}}),
        ),
        (
            json!({"resourceType": "Group", "type": "person", "actual": true, "member": [{"entity": subject}]}),
            json!({"name": "x"}),
        ),
    ] {
        let made = clinic.creates(&resource).await;
        let mut changed = county.get(&format!("/fhir/{}", key(&made))).await.is(200).body;
        changed.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = county.put(&format!("/fhir/{}", key(&made)), &changed).await.is(403);
        assert_eq!(refused.rules(), ["not-yours"], "{resource}");
    }
    let seen = county.get(&format!("/fhir/{patient}")).await.is(200).body;
    let mut older = seen.clone();
    older["birthDate"] = json!("1990-05-17");
    county.put(&format!("/fhir/{patient}"), &older).await.is(403);
    // What decides nothing is corrected.
    let mut moved = seen;
    moved["maritalStatus"] = json!({"text": "married"});
    county.put(&format!("/fhir/{patient}"), &moved).await.is(200);
    let mut wish = clinic.creates(&goal(&patient)).await;
    wish["lifecycleStatus"] = json!("on-hold");
    county.put(&format!("/fhir/{}", key(&wish)), &wish).await.is(200);
}

on_both!(a_newer_consent_of_somebody_else_takes_no_deny_and_no_permit_away);
async fn a_newer_consent_of_somebody_else_takes_no_deny_and_no_permit_away(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, housing, county) = (gw.system(CLINIC).await, gw.system(HOUSING).await, gw.system(COUNTY).await);
    // The housing agency's person, about whom the clinic has something too.
    let patient = key(&housing.creates(&json!({"resourceType": "Patient"})).await);
    let mut known = permit(&patient, CLINIC, class(&["Patient"]));
    known["provision"].as_object_mut().unwrap().remove("purpose");
    housing.creates(&known).await;
    housing.creates(&permit(&patient, COUNTY, json!({}))).await;
    let wish = key(&clinic.creates(&goal(&patient)).await);
    assert!(sees(&county, &patient, &wish).await);
    let kept_by_clinic = |mut consent: Value, code: &str| {
        consent["organization"] = json!([{"reference": format!("Organization/{CLINIC}")}]);
        consent["policy"] = json!([{"uri": "https://example.org/holder"}]);
        consent["policyRule"]["coding"][0]["code"] = json!(code);
        consent
    };
    let deny = kept_by_clinic(permit(&patient, COUNTY, json!({"type": "deny"})), "OPTOUT");
    let deny = clinic.creates(&deny).await;
    assert!(!sees(&county, &patient, &wish).await);
    gw.advance_secs(60);
    housing.creates(&kept_by_clinic(permit(&patient, COUNTY, json!({})), "OPTIN")).await;
    assert!(!sees(&county, &patient, &wish).await, "the holder's deny stands");
    // Who filed it takes it back.
    let nothing = json!({"resourceType": "Parameters"});
    clinic.post(&format!("/fhir/{}/$revoke", key(&deny)), &nothing).await.is(200);
    assert!(sees(&county, &patient, &wish).await);
}

on_both!(the_work_list_tells_of_no_shelters_client);
async fn the_work_list_tells_of_no_shelters_client(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    gw.enrol("safe-house", Kind::VictimService, None).await;
    gw.lets_shelters_share().await;
    let (clinic, shelter) = (gw.system(CLINIC).await, gw.system("safe-house").await);
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    clinic.creates(&goal(&patient)).await;
    clinic.creates(&permit(&patient, "safe-house", json!({}))).await;
    shelter.creates(&permit(&patient, COUNTY, json!({}))).await;
    let list = clinic.get("/fhir/Consent/$work-list").await.is(200);
    assert!(!list.text.contains("safe-house"), "{}", list.text);
    // Another agency's waits for the clinic in the open.
    clinic.creates(&permit(&patient, HOUSING, json!({}))).await;
    gw.system(HOUSING).await.creates(&permit(&patient, COUNTY, json!({}))).await;
    let list = clinic.get("/fhir/Consent/$work-list").await.is(200);
    assert!(list.text.contains(HOUSING), "{}", list.text);
}

on_both!(what_is_decided_is_told_without_the_rules_of_others);
async fn what_is_decided_is_told_without_the_rules_of_others(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, housing) = (gw.system(CLINIC).await, gw.system(HOUSING).await);
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    clinic.creates(&permit(&patient, HOUSING, class(&["Patient"]))).await;
    let opened = key(&clinic.creates(&permit(&patient, COUNTY, json!({}))).await);
    housing.creates(&goal(&patient)).await;
    let asked = json!({"resourceType": "Parameters", "parameter": [
        {"name": "patient", "valueReference": {"reference": patient}},
        {"name": "recipient", "valueReference": {"reference": format!("Organization/{COUNTY}")}},
        {"name": "purpose", "valueCode": "COC"}]});
    let told = housing.post("/fhir/Consent/$decide", &asked).await.is(200);
    assert!(told.text.contains("\"seen\"") && !told.text.contains(&opened), "{}", told.text);
    assert!(clinic.post("/fhir/Consent/$decide", &asked).await.is(200).text.contains(&opened));
}

on_both!(who_writes_is_answered_with_its_own_view);
async fn who_writes_is_answered_with_its_own_view(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    gw.enrol("safe-house", Kind::VictimService, None).await;
    gw.lets_shelters_share().await;
    let (clinic, shelter, housing) = (gw.system(CLINIC).await, gw.system("safe-house").await, gw.system(HOUSING).await);
    let place = key(&shelter.creates(&json!({"resourceType": "Location", "name": "12 Elm Street"})).await);
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    clinic.creates(&permit(&patient, "safe-house", json!({}))).await;
    clinic.creates(&permit(&patient, HOUSING, class(&["Patient"]))).await;
    let task = json!({"resourceType": "Task", "status": "requested", "intent": "order", "code": {"text": "a ride"},
        "for": {"reference": patient}, "requester": {"reference": format!("Organization/{HOUSING}")},
        "owner": {"reference": format!("Organization/{CLINIC}")}, "description": "d",
        "location": {"reference": place, "display": "12 Elm Street"}});
    let path = format!("/fhir/{}", key(&shelter.creates(&task).await));
    let mut seen = housing.get(&path).await.is(200);
    assert!(!seen.text.contains(&place) && !seen.text.contains("Elm"), "{}", seen.text);
    seen.body["description"] = json!("e");
    let tag = seen.header("etag").to_string();
    let answer = housing.send(Method::PUT, &path, &[("if-match", &tag)], Some(seen.body.to_string())).await.is(200);
    assert!(!answer.text.contains(&place) && !answer.text.contains("Elm"), "{}", answer.text);
    // What was taken out of the view is there as it was.
    let stored = shelter.get(&path).await.is(200);
    assert_eq!(stored.body["location"], task["location"], "{}", stored.text);
    assert!(!stored.text.contains("REDACTED"), "{}", stored.text);
}

on_both!(everything_is_not_found_by_dates_that_copies_lack);
async fn everything_is_not_found_by_dates_that_copies_lack(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, food) = (gw.system(CLINIC).await, gw.system("corner-food-bank").await);
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    clinic.creates(&permit(&patient, "corner-food-bank", json!({}))).await;
    let condition = json!({"resourceType": "Condition", "subject": {"reference": patient}, "code": {"text": "x"},
        "onsetDateTime": "2019-03-04"});
    let condition = key(&clinic.creates(&condition).await);
    let seen = food.get(&format!("/fhir/{condition}")).await.is(200);
    assert!(seen.body["onsetDateTime"].is_null(), "{}", seen.text);
    let within = |day: &str| format!("/fhir/{patient}/$everything?_type=Condition&start={day}&end={day}");
    let there = food.get(&within("2019-03-04")).await.is(200).keys();
    assert_eq!(there, food.get(&within("2018-01-01")).await.is(200).keys());
    assert_eq!(clinic.get(&within("2019-03-04")).await.is(200).keys(), [condition]);
    assert!(clinic.get(&within("2018-01-01")).await.is(200).keys().is_empty());
}
