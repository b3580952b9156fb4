//! Whose data it is: the origin that never changes, the source that is kept, ids that link nobody.

use serde_json::json;

use crate::harness::{On, TestGateway, fixture, key};
use crate::on_both;
use crate::regimes::{EVE, bundle, release};

on_both!(a_source_that_was_sent_is_kept_in_a_provenance);
async fn a_source_that_was_sent_is_kept_in_a_provenance(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    let patient = json!({"resourceType": "Patient", "meta": {"source": "https://ehr.example/fhir#7"}});
    let stored = clinic.creates(&patient).await;
    assert_eq!(stored["meta"]["source"], "Organization/river-clinic");
    let kept = clinic.get(&format!("/fhir/Provenance?target={}", key(&stored))).await.is(200);
    let provenance = &kept.body["entry"][0]["resource"];
    assert_eq!(provenance["entity"][0]["what"]["identifier"]["value"], "https://ehr.example/fhir#7");
    clinic.put(&format!("/fhir/{}", key(&stored)), &stored).await.is(200);
    let again = clinic.get(&format!("/fhir/Provenance?target={}", key(&stored))).await.is(200);
    assert_eq!(again.body["total"], 1, "reading and writing back adds nothing");
}

on_both!(a_correction_needs_a_permit_that_lists_it);
async fn a_correction_needs_a_permit_that_lists_it(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, housing) = (gw.system("river-clinic").await, gw.system("harbor-housing").await);
    for (listed, status) in [(false, 403), (true, 200)] {
        let mut bundle = fixture("ana");
        for entry in bundle["entry"].as_array_mut().unwrap() {
            let resource = &mut entry["resource"];
            if listed && resource["resourceType"] == "Consent" {
                let system = "http://terminology.hl7.org/CodeSystem/consentaction";
                let actions =
                    ["access", "disclose", "correct"].map(|code| json!({"coding": [{"system": system, "code": code}]}));
                resource["provision"]["action"] = json!(actions);
            }
        }
        let goal = clinic.submits(&bundle).await.one("Goal");
        let path = format!("/fhir/{}", key(&goal));
        let mut corrected = housing.get(&path).await.is(200).body;
        corrected["description"]["text"] = json!("A home of her own by autumn");
        housing.put(&path, &corrected).await.is(status);
        let now = clinic.get(&path).await.is(200).body;
        assert_eq!(now["description"]["text"] == "A home of her own by autumn", listed);
        assert_eq!(now["meta"]["source"], "Organization/river-clinic", "whoever updates");
        assert_eq!(now["meta"]["security"], goal["meta"]["security"], "labels of a view are not written back");
    }
}

on_both!(the_ids_of_a_victim_service_say_nothing);
async fn the_ids_of_a_victim_service_say_nothing(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    gw.enrol("safe-house", handoff::partner::Kind::VictimService, None).await;
    let shelter = gw.system("safe-house").await;
    let person = json!({"resourceType": "Patient", "active": true});
    let sent = shelter.submits(&bundle(&[("1", person), ("2", release(EVE, "harbor-housing"))])).await;
    let patient = sent.one("Patient");
    let goal = json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "rest"},
        "subject": {"reference": key(&patient)}});
    let goal = shelter.creates(&goal).await;
    for resource in [&patient, &goal] {
        let id = resource["id"].as_str().unwrap();
        assert_eq!(&id[14..15], "4", "a version 4 id: {id}");
        shelter.get(&format!("/fhir/{}", key(resource))).await.is(200);
    }
    let found = shelter.get(&format!("/fhir/Goal?patient={}", key(&patient))).await.is(200);
    assert_eq!(found.body["total"], 1);
}

on_both!(what_its_origin_deleted_nobody_else_brings_back);
async fn what_its_origin_deleted_nobody_else_brings_back(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    let mut bundle = fixture("ana");
    for entry in bundle["entry"].as_array_mut().unwrap() {
        if entry["resource"]["resourceType"] == "Task" {
            entry["resource"]["requester"] = json!({"reference": "Organization/county-social-service"});
        }
    }
    let mut task = clinic.submits(&bundle).await.one("Task");
    let at = format!("/fhir/{}", key(&task));
    let county = gw.system("county-social-service").await;
    county.get(&at).await.is(200);
    clinic.delete(&at).await;
    let version: i64 = task["meta"]["versionId"].as_str().unwrap().parse().unwrap();
    task["meta"]["versionId"] = json!((version + 1).to_string());
    county.put(&at, &task).await.is(410);
}
