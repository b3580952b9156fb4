//! A Bundle that cannot be done is refused whole, with every bad entry named by its place.

use serde_json::{Value, json};

use crate::harness::{Actor, Answer, On, entry, key, patient, start};
use crate::on_both;

fn bundle(kind: &str, entries: Vec<Value>) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

/// The entries that an answer complains of, in its order, each once.
fn places(answer: &Answer) -> Vec<String> {
    let issues = answer.body["issue"].as_array().cloned().unwrap_or_default();
    let named = issues.iter().filter_map(|issue| issue["expression"][0].as_str());
    let mut places: Vec<String> = named.filter_map(|text| Some(format!("{}]", text.split_once(']')?.0))).collect();
    places.dedup();
    places
}

async fn count(clinic: &Actor) -> i64 {
    clinic.get("/fhir/Patient?_summary=count").await.is(200).body["total"].as_i64().unwrap()
}

on_both!(a_bundle_must_say_what_it_is);
async fn a_bundle_must_say_what_it_is(on: On) {
    let (_gw, clinic) = start(on).await;
    let mut untyped = bundle("transaction", vec![entry(&patient())]);
    untyped.as_object_mut().unwrap().remove("type");
    assert_eq!(clinic.post("/fhir", &untyped).await.is(400).rules(), ["bundle-type"]);
    for kind in ["searchset", "document", "history", "message", "Transaction"] {
        let refused = clinic.post("/fhir", &bundle(kind, vec![entry(&patient())])).await.is(400);
        assert_eq!(refused.rules(), ["bundle-type"]);
    }
    assert_eq!(clinic.post("/fhir", &patient()).await.is(400).rules(), ["malformed"]);
    let mut shapeless = bundle("transaction", vec![]);
    shapeless["entry"] = json!({"resource": patient()});
    clinic.post("/fhir", &shapeless).await.is(400);
    assert_eq!(count(&clinic).await, 0);
    clinic.post("/fhir", &bundle("transaction", vec![])).await.is(200);
}

on_both!(every_entry_without_a_request_is_named);
async fn every_entry_without_a_request_is_named(on: On) {
    let (_gw, clinic) = start(on).await;
    let bad = [json!({"resource": patient()}), json!("entry"), json!({"request": {"method": "POST"}}), json!(null)];
    let mut entries = vec![entry(&patient())];
    entries.extend(bad);
    for kind in ["transaction", "batch"] {
        let refused = clinic.post("/fhir", &bundle(kind, entries.clone())).await.is(400);
        let expected: Vec<String> = (1..=4).map(|at| format!("Bundle.entry[{at}]")).collect();
        assert_eq!(places(&refused), expected, "{}", refused.text);
    }
    assert_eq!(count(&clinic).await, 0);
}

on_both!(every_entry_that_asks_for_nothing_we_do_is_named);
async fn every_entry_that_asks_for_nothing_we_do_is_named(on: On) {
    let (_gw, clinic) = start(on).await;
    let ask = |method: &str, url: &str| json!({"resource": patient(), "request": {"method": method, "url": url}});
    let entries = vec![
        ask("POST", "Goal"),
        entry(&patient()),
        ask("FETCH", "Patient"),
        ask("PUT", "Patient"),
        ask("POST", "https://elsewhere.example/fhir/Patient"),
        json!({"request": {"method": "POST", "url": "Patient"}}),
        json!({"resource": 5, "request": {"method": "POST", "url": "Patient"}}),
    ];
    let refused = clinic.post("/fhir", &bundle("transaction", entries)).await.is(400);
    let expected: Vec<String> = [0, 2, 3, 4, 5, 6].iter().map(|at| format!("Bundle.entry[{at}]")).collect();
    assert_eq!(places(&refused), expected, "{}", refused.text);
    assert_eq!(count(&clinic).await, 0);
}

on_both!(every_invalid_entry_is_named_at_once);
async fn every_invalid_entry_is_named_at_once(on: On) {
    let (_gw, clinic) = start(on).await;
    let bad = json!({"resourceType": "Patient", "gender": "f"});
    let lost = json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"},
        "subject": {"reference": "Patient/nobody"}});
    let entries = vec![entry(&bad), entry(&patient()), entry(&lost), entry(&bad)];
    let refused = clinic.post("/fhir", &bundle("transaction", entries)).await.is(422);
    assert_eq!(places(&refused), ["Bundle.entry[0]", "Bundle.entry[2]", "Bundle.entry[3]"], "{}", refused.text);
    assert!(refused.text.contains("Bundle.entry[2].resource.subject"), "{}", refused.text);
    assert_eq!(count(&clinic).await, 0);
}

on_both!(a_read_among_the_entries_does_not_shift_the_places);
async fn a_read_among_the_entries_does_not_shift_the_places(on: On) {
    let (_gw, clinic) = start(on).await;
    let look = json!({"request": {"method": "GET", "url": "Patient"}});
    let bad = json!({"resourceType": "Patient", "gender": "f"});
    let refused = clinic.post("/fhir", &bundle("transaction", vec![look.clone(), entry(&bad)])).await.is(422);
    assert_eq!(places(&refused), ["Bundle.entry[1]"], "{}", refused.text);
    let unknown = json!({"resourceType": "Nonsense"});
    let refused = clinic.post("/fhir", &bundle("transaction", vec![look, entry(&unknown)])).await.is(404);
    assert_eq!(places(&refused), ["Bundle.entry[1]"], "{}", refused.text);
}

on_both!(entries_that_may_not_be_done_are_all_named);
async fn entries_that_may_not_be_done_are_all_named(on: On) {
    let (_gw, clinic) = start(on).await;
    let unknown = json!({"resourceType": "Nonsense"});
    let missing = json!({"resourceType": "Patient", "id": "nobody"});
    let put = json!({"resource": missing, "request": {"method": "PUT", "url": "Patient/nobody"}});
    let gone = json!({"request": {"method": "DELETE", "url": "Patient/nobody"}});
    let entries = vec![entry(&unknown), entry(&patient()), put, gone];
    let refused = clinic.post("/fhir", &bundle("transaction", entries)).await.is(404);
    assert_eq!(places(&refused), ["Bundle.entry[0]", "Bundle.entry[2]", "Bundle.entry[3]"], "{}", refused.text);
    assert_eq!(count(&clinic).await, 0);
}

on_both!(one_resource_is_written_once_in_a_transaction);
async fn one_resource_is_written_once_in_a_transaction(on: On) {
    let (_gw, clinic) = start(on).await;
    let stored = clinic.creates(&patient()).await;
    let path = key(&stored);
    let put = json!({"resource": stored, "request": {"method": "PUT", "url": path}});
    let delete = json!({"request": {"method": "DELETE", "url": path}});
    for twice in [vec![put.clone(), put.clone()], vec![put, delete]] {
        let refused = clinic.post("/fhir", &bundle("transaction", twice)).await;
        assert!((400..500).contains(&refused.status), "{}", refused.text);
        assert_eq!(clinic.get(&format!("/fhir/{path}")).await.is(200).body["meta"]["versionId"], "1");
    }
}
