//! Two at the same moment: one wins, the other is told.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{Actor, On, TestGateway, fixture, key};
use crate::on_both;

on_both!(of_two_updates_from_one_version_one_wins);
async fn of_two_updates_from_one_version_one_wins(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    let mut current = clinic.creates(&json!({"resourceType": "Patient"})).await;
    let path = format!("/fhir/{}", key(&current));
    for round in 0..5 {
        let with = |gender: &str| {
            let mut body = current.clone();
            body["gender"] = json!(gender);
            body
        };
        let (one, other) = (with("male"), with("female"));
        let (one, other) = tokio::join!(clinic.put(&path, &one), clinic.put(&path, &other));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert!(statuses == [200, 409] || statuses == [200, 412], "round {round}: {statuses:?}");
        let winner = if one.status == 200 { one.body } else { other.body };
        current = clinic.get(&path).await.is(200).body;
        assert_eq!(current, winner);
    }
    assert_eq!(current["meta"]["versionId"], "6");
}

on_both!(of_two_creates_by_one_chosen_id_one_creates);
async fn of_two_creates_by_one_chosen_id_one_creates(on: On) {
    let gw = TestGateway::start_with(on, |config| config.ids.client_assigned = true).await;
    gw.enrol("river-clinic", handoff::partner::Kind::Clinic, None).await;
    let clinic = gw.system("river-clinic").await;
    let body = json!({"resourceType": "Patient", "id": "river-clinic-1"}).to_string();
    let puts =
        (0..6).map(|_| clinic.send(reqwest::Method::PUT, "/fhir/Patient/river-clinic-1", &[], Some(body.clone())));
    let statuses: Vec<u16> = join_all(puts).await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 201 | 409 | 412)), "{statuses:?}");
}

on_both!(of_twenty_claims_of_an_open_task_one_is_taken);
async fn of_twenty_claims_of_an_open_task_one_is_taken(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    let mut bundle = fixture("ana");
    for entry in bundle["entry"].as_array_mut().unwrap() {
        entry["resource"].as_object_mut().unwrap().remove("owner");
    }
    let path = format!("/fhir/{}", clinic.submits(&bundle).await.key("Task"));
    let housing = gw.system("harbor-housing").await;
    let mut claim = housing.get(&path).await.is(200).body;
    claim["status"] = json!("accepted");
    claim["owner"] = json!({"reference": "Organization/harbor-housing"});
    let claims = (0..20).map(|_| housing.put(&path, &claim));
    let statuses: Vec<u16> = join_all(claims).await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 409 | 412)), "{statuses:?}");
    let taken = clinic.get(&path).await.is(200).body;
    assert_eq!(taken["owner"]["reference"], "Organization/harbor-housing");
    assert_eq!(taken["meta"]["versionId"], "2");
}

on_both!(creates_at_the_same_moment_are_all_kept);
async fn creates_at_the_same_moment_are_all_kept(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinics: Vec<Actor> = vec![gw.system("river-clinic").await; 20];
    let body = json!({"resourceType": "Patient"});
    let answers = join_all(clinics.iter().map(|clinic| clinic.post("/fhir/Patient", &body))).await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    let total = gw.system("river-clinic").await.get("/fhir/Patient?_summary=count").await.body["total"].clone();
    assert_eq!(total, 20);
}
