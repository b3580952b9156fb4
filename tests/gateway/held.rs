//! A referral without a consent waits, and goes on by itself; a revoked one is withdrawn.

use serde_json::{Value, json};

use crate::harness::{Actor, On, Receiver, TestGateway, fixture, key, without};
use crate::on_both;

/// Ben's consent for his own food parcel, as a resource of this exchange.
fn consent(patient: &Value) -> Value {
    let mut consent = fixture("ben-consent");
    consent["patient"] = json!({"reference": key(patient)});
    consent["performer"] = json!([{"reference": key(patient)}]);
    consent
}

fn held_status(task: &Value) -> &str {
    task["businessStatus"]["coding"][0]["code"].as_str().unwrap_or("")
}

async fn start(on: On, agency: &Receiver) -> (TestGateway, Actor, Actor) {
    let gw = TestGateway::start(on).await;
    gw.enrol("river-clinic", handoff::partner::Kind::Clinic, None).await;
    gw.enrol("corner-food-bank", handoff::partner::Kind::Food, Some(&agency.base)).await;
    let (clinic, food_bank) = (gw.system("river-clinic").await, gw.system("corner-food-bank").await);
    (gw, clinic, food_bank)
}

on_both!(a_referral_without_a_consent_is_held_until_there_is_one);
async fn a_referral_without_a_consent_is_held_until_there_is_one(on: On) {
    let agency = Receiver::start().await;
    let (gw, clinic, food_bank) = start(on, &agency).await;

    let sent = clinic.submits(&fixture("ben")).await;
    let (task, told) = (sent.one("Task"), sent.entry("Task")["response"]["outcome"]["issue"].clone());
    assert_eq!(held_status(&task), "held-no-consent");
    let texts: Vec<&str> =
        told.as_array().unwrap().iter().filter_map(|issue| issue["details"]["text"].as_str()).collect();
    assert!(texts.iter().any(|text| text.contains("Organization/corner-food-bank")), "says what is missing: {texts:?}");
    assert_eq!(gw.deliver_due().await, 0);
    assert_eq!(agency.received().len(), 0);
    let path = format!("/fhir/{}", key(&task));
    food_bank.get(&path).await.is(404);
    assert_eq!(food_bank.get("/fhir/Task?owner=Organization/corner-food-bank").await.is(200).body["total"], 0);

    clinic.creates(&consent(&sent.one("Patient"))).await;
    let released = clinic.get(&path).await.is(200).body;
    assert_eq!((held_status(&released), released["meta"]["versionId"].as_str()), ("", Some("2")));
    assert_eq!(gw.deliver_due().await, 1);
    assert_eq!(agency.received().len(), 1);
    assert_eq!(food_bank.get(&path).await.is(200).body["status"], "requested");
}

on_both!(a_consent_that_begins_later_releases_when_it_begins);
async fn a_consent_that_begins_later_releases_when_it_begins(on: On) {
    let agency = Receiver::start().await;
    let (gw, clinic, _) = start(on, &agency).await;
    let sent = clinic.submits(&fixture("ben")).await;
    let mut later = consent(&sent.one("Patient"));
    later["provision"]["period"] = json!({"start": "2026-03-03", "end": "2026-06-01"});
    clinic.creates(&later).await;
    gw.tick().await;
    assert_eq!(gw.deliver_due().await, 0);
    gw.advance_secs(24 * 3_600);
    gw.tick().await;
    assert_eq!(gw.deliver_due().await, 1);
}

on_both!(a_revoked_consent_withdraws_the_referral);
async fn a_revoked_consent_withdraws_the_referral(on: On) {
    let agency = Receiver::start().await;
    let (gw, clinic, food_bank) = start(on, &agency).await;
    let sent = clinic.submits(&fixture("carla")).await;
    let path = format!("/fhir/{}", sent.key("Task"));
    gw.deliver_due().await;
    food_bank.get(&path).await.is(200);

    let mut consent = sent.one("Consent");
    consent["status"] = json!("inactive");
    clinic.put(&format!("/fhir/{}", key(&consent)), &consent).await.is(200);
    food_bank.get(&path).await.is(404);
    let task = clinic.get(&path).await.is(200).body;
    assert_eq!(task["status"], "cancelled");
    assert_eq!(task["statusReason"]["coding"][0]["code"], "consent-revoked");
    assert_eq!(gw.deliver_due().await, 1);
    let last = agency.received().pop().unwrap();
    assert_eq!(last["entry"].as_array().unwrap().len(), 1, "the id and nothing else: {last}");
    assert_eq!(last["entry"][0].get("resource"), None);
}

on_both!(a_revoked_consent_stops_a_queued_delivery);
async fn a_revoked_consent_stops_a_queued_delivery(on: On) {
    let agency = Receiver::start().await;
    let (gw, clinic, _) = start(on, &agency).await;
    let sent = clinic.submits(&fixture("carla")).await;
    let mut consent = sent.one("Consent");
    consent["status"] = json!("inactive");
    clinic.put(&format!("/fhir/{}", key(&consent)), &consent).await.is(200);
    gw.deliver_due().await;
    let received = agency.received();
    assert!(received.iter().all(|bundle| !bundle.to_string().contains("Carla")), "nothing of her was sent");
}

on_both!(an_owner_that_is_no_partner_is_said_so);
async fn an_owner_that_is_no_partner_is_said_so(on: On) {
    let agency = Receiver::start().await;
    let (gw, clinic, _) = start(on, &agency).await;
    let elsewhere = clinic.creates(&json!({"resourceType": "Organization", "name": "Elsewhere"})).await;
    let mut bundle = fixture("carla");
    for entry in bundle["entry"].as_array_mut().unwrap() {
        if entry["resource"]["resourceType"] == "Task" {
            entry["resource"]["owner"] = json!({"reference": key(&elsewhere)});
        }
    }
    assert_eq!(held_status(&clinic.submits(&bundle).await.one("Task")), "held-no-route");
    assert_eq!(gw.deliver_due().await, 0);
}

on_both!(a_referral_and_a_revocation_at_one_moment_leave_nothing_open);
async fn a_referral_and_a_revocation_at_one_moment_leave_nothing_open(on: On) {
    let agency = Receiver::start().await;
    let (_gw, clinic, food_bank) = start(on, &agency).await;
    for _ in 0..8 {
        let sent = clinic.submits(&without("carla", "Task")).await;
        let bundle = fixture("carla");
        let entries = bundle["entry"].as_array().unwrap();
        let mut task =
            entries.iter().find(|entry| entry["resource"]["resourceType"] == "Task").unwrap()["resource"].clone();
        task["for"] = json!({"reference": sent.key("Patient")});
        task["focus"] = json!({"reference": sent.key("ServiceRequest")});
        let mut consent = sent.one("Consent");
        consent["status"] = json!("inactive");
        let path = format!("/fhir/{}", key(&consent));
        let (task, revoked) = tokio::join!(clinic.post("/fhir/Task", &task), clinic.put(&path, &consent));
        revoked.is(200);
        let path = format!("/fhir/{}", key(&task.is(201).body));
        let now = clinic.get(&path).await.is(200).body;
        assert!(held_status(&now) == "held-no-consent" || now["status"] == "cancelled", "{now}");
        food_bank.get(&path).await.is(404);
    }
}

on_both!(a_single_task_that_is_held_says_so_in_its_answer);
async fn a_single_task_that_is_held_says_so_in_its_answer(on: On) {
    let agency = Receiver::start().await;
    let (_gw, clinic, _) = start(on, &agency).await;
    let sent = clinic.submits(&fixture("ben")).await;
    let mut task = sent.one("Task");
    for name in ["id", "meta", "businessStatus"] {
        task.as_object_mut().unwrap().shift_remove(name);
    }
    let plain = clinic.post("/fhir/Task", &task).await.is(201);
    assert!(plain.header("x-handoff-note").contains("held-no-consent"), "{:?}", plain.headers);
    let prefer = [("prefer", "return=OperationOutcome")];
    let told = clinic.send(reqwest::Method::POST, "/fhir/Task", &prefer, Some(task.to_string())).await.is(201);
    assert!(told.rules().contains(&"held-no-consent".to_string()), "{}", told.text);
}
