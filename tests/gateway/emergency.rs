//! Breaking the glass: one person, fifteen minutes, only who holds the role, never a victim service's data.

use handoff::gateway::enroll;
use handoff::partner::{Client, Kind};
use reqwest::Method;
use serde_json::{Value, json};

use crate::filing::{CLINIC, HOUSING, goal};
use crate::harness::{Actor, Answer, On, TestGateway, key};
use crate::on_both;

const DECLARATION: &str = "x-emergency-access";

async fn holder(gw: &TestGateway, id: &str, partner: &str) -> Actor {
    let client = Client {
        id: id.into(),
        partner: partner.into(),
        scope: "system/*.cruds".into(),
        purposes: vec!["ETREAT".into()],
        jwks: None,
        jwks_url: None,
        revoked: false,
        btg: true,
        practitioner: None,
    };
    enroll::client(&gw.ctx, &client).await.unwrap();
    gw.signed_in(id).await
}

async fn declares(actor: &Actor, patient: &str, reason: &str) -> Answer {
    let parameters = json!({"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": reason}]});
    actor.post(&format!("/fhir/{patient}/$emergency-access"), &parameters).await
}

fn declaration(answer: &Answer) -> String {
    answer.body["parameter"][0]["valueId"].as_str().unwrap().to_string()
}

async fn under(actor: &Actor, declaration: &str, path: &str) -> Answer {
    actor.send(Method::GET, &format!("/fhir/{path}"), &[(DECLARATION, declaration)], None).await
}

/// A person and a Goal of the housing agency, which nobody else may see; another person beside.
async fn start(on: On) -> (TestGateway, Actor, String, String) {
    let gw = TestGateway::exchange(on, None).await;
    let housing = gw.system(HOUSING).await;
    let patient = key(&housing.creates(&json!({"resourceType": "Patient"})).await);
    let hidden = key(&housing.creates(&goal(&patient)).await);
    (gw, housing, patient, hidden)
}

on_both!(a_declaration_opens_one_person_for_fifteen_minutes);
async fn a_declaration_opens_one_person_for_fifteen_minutes(on: On) {
    let (gw, housing, patient, hidden) = start(on).await;
    let other = key(&housing.creates(&json!({"resourceType": "Patient"})).await);
    let other_goal = key(&housing.creates(&goal(&other)).await);
    let doctor = holder(&gw, "er-system", CLINIC).await;
    doctor.get(&format!("/fhir/{hidden}")).await.is(404);
    declares(&doctor, &patient, "  ").await.is(422);
    let id = declaration(&declares(&doctor, &patient, "found unconscious").await.is(200));

    under(&doctor, &id, &hidden).await.is(200);
    let found = under(&doctor, &id, &format!("Goal?patient={patient}")).await.is(200);
    assert_eq!(found.keys(), std::slice::from_ref(&hidden));
    let all = under(&doctor, &id, &format!("{patient}/$everything")).await.is(200);
    assert!(all.text.contains(&hidden), "{}", all.text);
    doctor.get(&format!("/fhir/{hidden}")).await.is(404);

    under(&doctor, &id, &other_goal).await.is(404);
    for several in ["Goal", "Goal/_history", "_history", "Patient?name=a", &format!("Goal?patient={other}")] {
        assert_eq!(under(&doctor, &id, several).await.is(403).rules(), ["emergency"], "{several}");
    }
    let headers = [(DECLARATION, id.as_str())];
    let body = Some(goal(&patient).to_string());
    doctor.send(Method::POST, "/fhir/Goal", &headers, body).await.is(403);
    let colleague = holder(&gw, "other-system", CLINIC).await;
    under(&colleague, &id, &hidden).await.is(403);
    under(&doctor, "nothing", &hidden).await.is(403);
    let node = gw.another_node().await;
    let there = node.signed_in("er-system").await;
    under(&there, &id, &hidden).await.is(200);
    gw.advance_secs(15 * 60 - 1);
    let doctor = gw.signed_in("er-system").await;
    under(&doctor, &id, &hidden).await.is(200);
    gw.advance_secs(1);
    let own = key(&doctor.creates(&json!({"resourceType": "Patient"})).await);
    under(&doctor, &id, &hidden).await.is(403);
    under(&doctor, &id, &own).await.is(403);
}

on_both!(the_officers_of_both_are_alerted_and_review);
async fn the_officers_of_both_are_alerted_and_review(on: On) {
    let (gw, _, patient, hidden) = start(on).await;
    let doctor = holder(&gw, "er-system", CLINIC).await;
    let (ours, theirs) = (gw.compliance(CLINIC).await, gw.compliance(HOUSING).await);
    let queue = "/fhir/Consent/$work-list?what=emergency-review";
    let id = declaration(&declares(&doctor, &patient, "found unconscious").await.is(200));
    assert!(ours.get(queue).await.is(200).text.contains("found unconscious"), "at once");
    assert!(!theirs.get(queue).await.is(200).text.contains("found unconscious"), "nothing of theirs was opened yet");
    under(&doctor, &id, &hidden).await.is(200);
    under(&doctor, &id, &hidden).await.is(200);
    let alerted = theirs.get(queue).await.is(200);
    assert_eq!(alerted.text.matches("found unconscious").count(), 1, "{}", alerted.text);
    gw.tick().await;
    let log = theirs.get(&format!("/fhir/AuditEvent?patient={patient}")).await.is(200);
    for word in ["emergency-record", "AUDIT", "alert-privacy-officer", "BTG"] {
        assert!(log.text.contains(word), "{word}: {}", log.text);
    }
    let item = &alerted.body["parameter"][0]["part"];
    let about: Vec<&Value> = item.as_array().unwrap().iter().filter(|part| part["name"] == "about").collect();
    let done = json!({"resourceType": "Parameters", "parameter": [
        {"name": "about", "valueString": about[0]["valueString"]}, {"name": "what", "valueString": "emergency-review"}]});
    theirs.post("/fhir/Consent/$work-done", &done).await.is(200);
    assert!(!theirs.get(queue).await.is(200).text.contains("found unconscious"));
    assert!(ours.get(queue).await.is(200).text.contains("found unconscious"), "each reviews its own");
}

on_both!(who_has_not_the_role_learns_nothing);
async fn who_has_not_the_role_learns_nothing(on: On) {
    let (gw, _, patient, hidden) = start(on).await;
    let clinic = gw.system(CLINIC).await;
    let agency = holder(&gw, "agency-er", "corner-food-bank").await;
    for actor in [&clinic, &agency] {
        let (about, absent) = (declares(actor, &patient, "x").await, declares(actor, "Patient/nobody", "x").await);
        assert_eq!((about.status, &about.text), (403, &absent.text), "before the person is looked at");
        let (about, absent) = (
            actor.get(&format!("/fhir/{patient}/$restricted")).await,
            actor.get("/fhir/Patient/nobody/$restricted").await,
        );
        assert_eq!((about.status, &about.text), (403, &absent.text));
    }
    let doctor = holder(&gw, "er-system", CLINIC).await;
    let (denied, absent) = (doctor.get(&format!("/fhir/{hidden}")).await, doctor.get("/fhir/Goal/nothing").await);
    assert_eq!(
        denied.text.replace(&hidden, "…"),
        absent.text.replace("Goal/nothing", "…"),
        "no hint that it would help"
    );
    let said = doctor.get(&format!("/fhir/{patient}/$restricted")).await.is(200).body;
    assert_eq!(said["parameter"][0]["valueBoolean"], true);
    let own = key(&doctor.creates(&json!({"resourceType": "Patient"})).await);
    let said = doctor.get(&format!("/fhir/{own}/$restricted")).await.is(200).body;
    assert_eq!(said["parameter"][0]["valueBoolean"], false);
}

on_both!(a_victim_services_data_stay_shut_and_untold);
async fn a_victim_services_data_stay_shut_and_untold(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    gw.enrol("safe-house", Kind::VictimService, None).await;
    gw.lets_shelters_share().await;
    let (shelter, clinic) = (gw.system("safe-house").await, gw.system(CLINIC).await);
    let doctor = holder(&gw, "er-system", CLINIC).await;
    let theirs = key(&shelter.creates(&json!({"resourceType": "Patient"})).await);
    let (hidden, absent) =
        (declares(&doctor, &theirs, "x").await.is(404), declares(&doctor, "Patient/nobody", "x").await.is(404));
    assert_eq!(hidden.text.replace(&theirs, "…"), absent.text.replace("Patient/nobody", "…"));
    doctor.get(&format!("/fhir/{theirs}/$restricted")).await.is(404);

    // A person of the clinic's whom the shelter knows too.
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    clinic.creates(&crate::reach::permit(&patient, "safe-house", json!({}))).await;
    let goal = key(&shelter.creates(&goal(&patient)).await);
    let id = declaration(&declares(&doctor, &patient, "found unconscious").await.is(200));
    under(&doctor, &id, &patient).await.is(200);
    under(&doctor, &id, &goal).await.is(404);
    assert_eq!(under(&doctor, &id, &format!("Goal?patient={patient}")).await.is(200).body["total"], 0);
    let said = doctor.get(&format!("/fhir/{patient}/$restricted")).await.is(200).body;
    assert_eq!(said["parameter"][0]["valueBoolean"], false, "nobody is told of it");
}
