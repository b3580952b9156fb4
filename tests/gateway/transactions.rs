//! Many at once: a transaction is all or none, a batch is each by itself.

use serde_json::{Value, json};

use crate::harness::{Actor, On, TestGateway, entry, fixture, key, start, without};
use crate::on_both;

fn patient(name: &str) -> Value {
    json!({"resourceType": "Patient", "name": [{"family": name}]})
}

async fn count(clinic: &Actor, kind: &str) -> Value {
    clinic.get(&format!("/fhir/{kind}?_summary=count")).await.is(200).body["total"].clone()
}

fn statuses(bundle: &Value) -> Vec<&str> {
    let entries = bundle["entry"].as_array().unwrap();
    entries.iter().map(|entry| entry["response"]["status"].as_str().unwrap().split(' ').next().unwrap()).collect()
}

on_both!(entries_point_at_each_other_in_any_order);
async fn entries_point_at_each_other_in_any_order(on: On) {
    let (_gw, clinic) = start(on).await;
    let mut bundle = fixture("ana");
    bundle["entry"].as_array_mut().unwrap().reverse();
    let answer = clinic.post("/fhir", &bundle).await.is(200);
    assert!(!answer.text.contains("urn:uuid:0000"), "every reference was rewritten");
    let entries = answer.body["entry"].as_array().unwrap();
    assert_eq!(answer.body["type"], "transaction-response");
    for (sent, done) in bundle["entry"].as_array().unwrap().iter().zip(entries) {
        assert_eq!(sent["resource"]["resourceType"], done["resource"]["resourceType"], "in the order of the request");
        let response = &done["response"];
        assert_eq!((response["status"].as_str(), response["etag"].as_str()), (Some("201 Created"), Some("W/\"1\"")));
        let location = response["location"].as_str().unwrap();
        assert!(location.ends_with(&format!("{}/_history/1", key(&done["resource"]))), "{location}");
        assert_eq!(response["lastModified"], done["resource"]["meta"]["lastUpdated"]);
        assert_eq!(clinic.get(location).await.is(200).body, done["resource"]);
    }
    let of = |kind: &str| {
        entries.iter().find(|entry| entry["resource"]["resourceType"] == kind).unwrap()["resource"].clone()
    };
    assert_eq!(of("Task")["for"]["reference"], key(&of("Patient")));
    assert_eq!(of("Task")["focus"]["reference"], key(&of("ServiceRequest")));
    assert_eq!(of("CarePlan")["goal"][0]["reference"], key(&of("Goal")));
    let found = clinic.get(&format!("/fhir/Goal?patient={}", key(&of("Patient")))).await.is(200);
    assert_eq!(found.keys(), [key(&of("Goal"))]);
}

on_both!(one_bad_entry_and_nothing_is_stored);
async fn one_bad_entry_and_nothing_is_stored(on: On) {
    let (gw, clinic) = start(on).await;
    let kept = clinic.creates(&patient("Kept")).await;
    let mut changed = kept.clone();
    changed["active"] = json!(true);
    let path = key(&kept);
    for bad in [
        json!({"resource": {"resourceType": "Patient", "gender": "f"}, "request": {"method": "POST", "url": "Patient"}}),
        json!({"request": {"method": "DELETE", "url": "Patient/nobody"}}),
        json!({"resource": changed, "request": {"method": "PUT", "url": path, "ifMatch": "W/\"7\""}}),
        json!({"resource": {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"},
            "subject": {"reference": "Patient/nobody"}}, "request": {"method": "POST", "url": "Goal"}}),
    ] {
        let mut bundle = fixture("ana");
        let put = json!({"resource": changed, "request": {"method": "PUT", "url": path}});
        let entries = bundle["entry"].as_array_mut().unwrap();
        entries.extend([put, bad.clone()]);
        let refused = clinic.post("/fhir", &bundle).await;
        assert!((400..500).contains(&refused.status), "{bad}: {}", refused.text);
        assert_eq!(refused.body["resourceType"], "OperationOutcome");
        assert_eq!((count(&clinic, "Patient").await, count(&clinic, "Consent").await), (json!(1), json!(0)), "{bad}");
        assert_eq!(count(&clinic, "Task").await, 0);
        assert_eq!(clinic.get(&format!("/fhir/{path}")).await.is(200).body, kept);
        assert_eq!(gw.deliver_due().await, 0);
    }
    clinic.submits(&fixture("ana")).await;
}

on_both!(a_transaction_updates_deletes_and_reads_what_it_left);
async fn a_transaction_updates_deletes_and_reads_what_it_left(on: On) {
    let (_gw, clinic) = start(on).await;
    let (one, two) = (clinic.creates(&patient("One")).await, clinic.creates(&patient("Two")).await);
    let mut changed = one.clone();
    changed["name"][0]["family"] = json!("Uno");
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "GET", "url": key(&one)}},
        {"request": {"method": "GET", "url": "Patient?name=Uno"}},
        {"request": {"method": "DELETE", "url": key(&two)}},
        {"resource": changed, "request": {"method": "PUT", "url": key(&one), "ifMatch": "W/\"1\""}}]});
    let answer = clinic.post("/fhir", &bundle).await.is(200).body;
    assert_eq!(statuses(&answer), ["200", "200", "204", "200"]);
    assert_eq!(answer["entry"][0]["resource"]["name"][0]["family"], "Uno");
    assert_eq!(answer["entry"][1]["resource"]["total"], 1);
    clinic.get(&format!("/fhir/{}", key(&two))).await.is(410);
}

on_both!(a_batch_does_what_it_can);
async fn a_batch_does_what_it_can(on: On) {
    let (gw, clinic) = start(on).await;
    let hidden = gw.system("harbor-housing").await.creates(&patient("Hidden")).await;
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        entry(&patient("Good")),
        entry(&json!({"resourceType": "Patient", "gender": "f"})),
        {"request": {"method": "GET", "url": key(&hidden)}},
        {"request": {"method": "GET", "url": "Patient/nobody"}},
        {"request": {"method": "GET", "url": "Nonsense/1"}},
        {"request": {"method": "DELETE", "url": key(&hidden)}},
        {"request": {"method": "GET", "url": "Patient?birthdate=soon"}},
        {"request": {"method": "GET", "url": "Patient?name=Good"}},
        entry(&patient("Also"))]});
    let answer = clinic.post("/fhir", &bundle).await.is(200).body;
    assert_eq!(answer["type"], "batch-response");
    assert_eq!(statuses(&answer), ["201", "422", "404", "404", "404", "404", "400", "200", "201"]);
    let outcome = |at: usize| answer["entry"][at]["response"]["outcome"].to_string();
    assert!(outcome(1).contains("Bundle.entry[1].resource.gender"), "{}", outcome(1));
    let id = hidden["id"].as_str().unwrap();
    assert_eq!(
        outcome(2).replace(id, "nobody").replace("entry[2]", "entry[3]"),
        outcome(3),
        "hidden and absent answer alike"
    );
    assert_eq!(answer["entry"][7]["resource"]["total"], 1);
    assert_eq!(count(&clinic, "Patient").await, 2);
}

on_both!(the_consent_in_a_bundle_decides_about_the_task_beside_it);
async fn the_consent_in_a_bundle_decides_about_the_task_beside_it(on: On) {
    let (gw, clinic) = start(on).await;
    let housing = gw.system("harbor-housing").await;
    let held = clinic.submits(&without("ana", "Consent")).await;
    housing.get(&format!("/fhir/{}", held.key("Task"))).await.is(404);
    let free = clinic.submits(&fixture("ana")).await;
    housing.get(&format!("/fhir/{}", free.key("Task"))).await.is(200);
}

on_both!(one_resource_is_named_once_in_a_transaction);
async fn one_resource_is_named_once_in_a_transaction(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    let patient = clinic.creates(&json!({"resourceType": "Patient", "active": true})).await;
    let put = json!({"resource": patient, "request": {"method": "PUT", "url": key(&patient)}});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [put, put]});
    let refused = clinic.post("/fhir", &bundle).await.is(400);
    assert_eq!(refused.rules(), ["bundle-twice"]);
    assert_eq!(refused.body["issue"][0]["expression"][0], "Bundle.entry[1]");
}
