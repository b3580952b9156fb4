//! The first walk: a clinic's referral reaches the housing agency and comes back with an outcome.

use serde_json::json;

use crate::harness::{On, Receiver, TestGateway, fixture, key};
use crate::on_both;

on_both!(a_referral_reaches_its_owner_and_comes_back_closed);
async fn a_referral_reaches_its_owner_and_comes_back_closed(on: On) {
    let agency = Receiver::start().await;
    let gw = TestGateway::exchange(on, Some(&agency.base)).await;
    let (clinic, housing) = (gw.system("river-clinic").await, gw.system("harbor-housing").await);

    let sent = clinic.submits(&fixture("ana")).await;
    let task = sent.one("Task");
    assert_eq!(task["meta"]["source"], "Organization/river-clinic");
    assert_eq!(task.get("businessStatus"), None, "consent is in the same Bundle: nothing is held");

    assert_eq!(gw.deliver_due().await, 1);
    let delivered = agency.received();
    let resources = delivered[0]["entry"].as_array().unwrap();
    let kinds: Vec<&str> = resources.iter().map(|entry| entry["resource"]["resourceType"].as_str().unwrap()).collect();
    for kind in ["Task", "ServiceRequest", "Patient", "Condition"] {
        assert!(kinds.contains(&kind), "{kind} goes along: {kinds:?}");
    }
    assert!(!kinds.contains(&"CarePlan") && !kinds.contains(&"Consent"), "no more than the referral needs: {kinds:?}");
    assert_eq!(gw.deliver_due().await, 0, "once");

    let path = format!("/fhir/{}", key(&task));
    let mut task = housing.get(&path).await.is(200).body;
    for status in ["accepted", "in-progress"] {
        task["status"] = json!(status);
        task = housing.put(&path, &task).await.is(200).body;
    }
    let patient = task["for"].clone();
    let procedure = json!({"resourceType": "Procedure", "status": "completed", "code": {"text": "Moved into supported housing"},
        "subject": patient, "performedDateTime": "2026-03-02"});
    let procedure = housing.creates(&procedure).await;
    task["status"] = json!("completed");
    task["output"] = json!([{
        "type": {"coding": [{"system": "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes", "code": "resulting-activity"}]},
        "valueReference": {"reference": key(&procedure)}}]);
    housing.put(&path, &task).await.is(200);

    let closed = clinic.get(&path).await.is(200).body;
    assert_eq!(closed["status"], "completed");
    let output = closed["output"][0]["valueReference"]["reference"].as_str().unwrap();
    let outcome = clinic.get(&format!("/fhir/{output}")).await.is(200).body;
    assert_eq!(outcome["code"]["text"], "Moved into supported housing");
    let history = clinic.get(&format!("{path}/_history")).await.is(200).body;
    assert_eq!(history["entry"].as_array().unwrap().len(), 4);
}

on_both!(each_step_is_taken_by_whom_it_belongs_to);
async fn each_step_is_taken_by_whom_it_belongs_to(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, housing) = (gw.system("river-clinic").await, gw.system("harbor-housing").await);
    let task = clinic.submits(&fixture("ana")).await.one("Task");
    let path = format!("/fhir/{}", key(&task));

    let mut accepted = task.clone();
    accepted["status"] = json!("accepted");
    let refused = clinic.put(&path, &accepted).await.is(422);
    assert_eq!(refused.rules(), ["task-transition"], "the sender does not accept for the agency");
    assert!(refused.text.contains("`cancelled`"), "it is told its own next steps: {}", refused.text);

    // The agency writes from its own view, which carries the obligations it is under.
    let task = housing.get(&path).await.is(200).body;
    let mut accepted = task.clone();
    accepted["status"] = json!("accepted");
    let mut skipped = task.clone();
    skipped["status"] = json!("completed");
    housing.put(&path, &skipped).await.is(422);

    let mut rejected = task.clone();
    rejected["status"] = json!("rejected");
    assert_eq!(housing.put(&path, &rejected).await.is(422).rules(), ["task-reason"]);

    let mut changed = accepted.clone();
    changed["priority"] = json!("urgent");
    assert_eq!(housing.put(&path, &changed).await.is(422).rules(), ["task-not-yours"]);

    let without = housing.send(reqwest::Method::PUT, &path, &[], Some(accepted.to_string())).await;
    assert_eq!(without.is(428).rules(), ["if-match"]);
    housing.put(&path, &accepted).await.is(200);
    assert_eq!(housing.put(&path, &accepted).await.is(412).rules(), ["stale"], "a stale version loses");
}

on_both!(somebody_elses_resource_can_be_read_but_not_changed);
async fn somebody_elses_resource_can_be_read_but_not_changed(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, housing) = (gw.system("river-clinic").await, gw.system("harbor-housing").await);
    let goal = clinic.submits(&fixture("ana")).await.one("Goal");
    let path = format!("/fhir/{}", key(&goal));
    housing.get(&path).await.is(200);
    assert_eq!(housing.put(&path, &goal).await.is(403).rules(), ["not-yours"]);
    assert_eq!(housing.delete(&path).await.is(403).rules(), ["not-yours"]);
    clinic.put(&path, &goal).await.is(200);
    clinic.delete(&path).await.is(204);
    clinic.get(&path).await.is(410);
    housing.get(&path).await.is(404);
}

on_both!(an_agency_that_is_away_gets_its_referral_later);
async fn an_agency_that_is_away_gets_its_referral_later(on: On) {
    let agency = Receiver::start().await;
    agency.answers(503);
    let gw = TestGateway::exchange(on, Some(&agency.base)).await;
    gw.system("river-clinic").await.submits(&fixture("ana")).await;
    assert_eq!(gw.deliver_due().await, 1);
    assert_eq!(gw.deliver_due().await, 0, "not before its time");
    agency.answers(200);
    gw.advance_secs(60);
    assert_eq!(gw.deliver_due().await, 1);
    gw.advance_secs(26 * 3_600);
    assert_eq!(gw.deliver_due().await, 0, "taken once");
    let received = agency.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0], received[1], "the same bytes under the same identifiers");
}

on_both!(who_answers_a_task_need_not_see_everyone_whom_it_names);
async fn who_answers_a_task_need_not_see_everyone_whom_it_names(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, housing) = (gw.system("river-clinic").await, gw.system("harbor-housing").await);
    let mut bundle = fixture("ana");
    for entry in bundle["entry"].as_array_mut().unwrap() {
        if entry["resource"]["resourceType"] == "Consent" {
            let class = json!([{"system": "http://hl7.org/fhir/resource-types", "code": "Task"}]);
            entry["resource"]["provision"]["class"] = class;
        }
    }
    let sent = clinic.submits(&bundle).await;
    let path = format!("/fhir/{}", sent.key("Task"));
    housing.get(&format!("/fhir/{}", sent.key("Patient"))).await.is(404);
    let mut task = housing.get(&path).await.is(200).body;
    task["status"] = json!("accepted");
    housing.put(&path, &task).await.is(200);
}
