//! Law as data: what an operator loads, what a victim service's records need and hide, what goes with what is disclosed.

use handoff::gateway::{self, enroll};
use handoff::partner::{Kind, Mode, Partner};
use serde_json::{Value, json};

use crate::harness::{Actor, On, Receiver, TestGateway, entry, key};
use crate::on_both;
use crate::reach::{class, permit};
use crate::redaction::ACT_CODE;

const SHELTER: &str = "safe-house";
const RECORDS: [&str; 5] = ["Patient", "Goal", "Task", "ServiceRequest", "RelatedPerson"];

/// A release of a victim service's client to one agency, with all that it needs.
pub fn release(patient: &str, partner: &str) -> Value {
    let mut consent = permit(patient, partner, class(&RECORDS));
    consent["policy"] = json!([{"uri": "https://handoff.example/fhir/policy/vawa"}]);
    consent["sourceAttachment"] = json!({"title": "signed on paper"});
    consent["organization"] = json!([{"reference": format!("Organization/{SHELTER}")}]);
    consent
}

fn eve() -> Value {
    json!({"resourceType": "Patient", "active": true, "gender": "female", "name": [{"family": "Evers", "given": ["Eve"]}],
        "birthDate": "1988-05-06", "identifier": [{"system": "urn:shelter", "value": "EV-77"}],
        "address": [{"city": "Hidden Falls"}], "telecom": [{"system": "phone", "value": "+1 555 010 7777"}],
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Eve Evers</div>"}})
}

fn goal(subject: &str) -> Value {
    json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "a safe home"},
        "subject": {"reference": subject, "display": "Eve Evers", "identifier": {"value": "EV-77"}}})
}

pub fn bundle(resources: &[(&str, Value)]) -> Value {
    let entries: Vec<Value> = resources
        .iter()
        .map(|(name, resource)| {
            let mut entry = entry(resource);
            entry["fullUrl"] = json!(format!("urn:uuid:00000000-0000-4000-8000-{name:0>12}"));
            entry
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

pub const EVE: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";

/// A shelter whose client shares with two agencies.
async fn shelter(gw: &TestGateway) -> (Actor, String, String) {
    gw.enrol(SHELTER, Kind::VictimService, None).await;
    let shelter = gw.system(SHELTER).await;
    let sent = shelter
        .submits(&bundle(&[
            ("1", eve()),
            ("2", release(EVE, "harbor-housing")),
            ("3", release(EVE, "county-social-service")),
            ("4", goal(EVE)),
        ]))
        .await;
    (shelter, sent.key("Patient"), sent.key("Goal"))
}

on_both!(a_victim_services_record_enters_only_under_a_release);
async fn a_victim_services_record_enters_only_under_a_release(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    gw.enrol(SHELTER, Kind::VictimService, None).await;
    let (shelter, clinic) = (gw.system(SHELTER).await, gw.system("river-clinic").await);
    let refused = shelter.post("/fhir/Patient", &eve()).await.is(422);
    assert_eq!(refused.rules(), ["release-required"]);
    assert!(refused.text.contains("provision.period.end") && !refused.text.contains("Evers"), "{}", refused.text);
    let mut without_end = release(EVE, "harbor-housing");
    without_end["provision"]["period"].as_object_mut().unwrap().shift_remove("end");
    let mut unsigned = release(EVE, "harbor-housing");
    unsigned.as_object_mut().unwrap().shift_remove("sourceAttachment");
    let mut other_policy = release(EVE, "harbor-housing");
    other_policy["policy"][0]["uri"] = json!("https://handoff.example/fhir/policy/general");
    let mut denies = release(EVE, "harbor-housing");
    denies["provision"]["type"] = json!("deny");
    denies["policyRule"]["coding"][0]["code"] = json!("OPTOUT");
    let mut ended = release(EVE, "harbor-housing");
    ended["provision"]["period"] = json!({"start": "2025-01-01", "end": "2025-12-31"});
    for consent in [without_end, unsigned, other_policy, denies, ended] {
        shelter.post("/fhir", &bundle(&[("1", eve()), ("2", consent)])).await.is(422);
    }
    assert_eq!(shelter.get("/fhir/Patient").await.is(200).body["total"], 0, "nothing of it was stored");
    let sent = shelter.submits(&bundle(&[("1", eve()), ("2", release(EVE, "harbor-housing"))])).await;
    let more = shelter.creates(&goal(&sent.key("Patient"))).await;
    // What is not about a person, and what others write, need none.
    shelter.creates(&json!({"resourceType": "Location", "name": "the house"})).await;
    clinic.creates(&json!({"resourceType": "Patient"})).await;
    // When the release has ended, nothing more enters, and what is there can be taken away.
    gw.advance_secs(400 * 86_400);
    let (shelter, path) = (gw.system(SHELTER).await, format!("/fhir/{}", key(&more)));
    assert_eq!(shelter.put(&path, &more).await.is(422).rules(), ["release-required"]);
    assert_eq!(shelter.post("/fhir/Goal", &goal(&sent.key("Patient"))).await.is(422).rules(), ["release-required"]);
    shelter.delete(&path).await.is(204);
}

on_both!(a_client_of_a_victim_service_is_a_pseudonym_to_everybody_else);
async fn a_client_of_a_victim_service_is_a_pseudonym_to_everybody_else(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (shelter, eve, goal) = shelter(&gw).await;
    let (housing, county) = (gw.system("harbor-housing").await, gw.system("county-social-service").await);
    let id = eve.split_once('/').unwrap().1;
    let traces = ["Evers", "1988", "EV-77", "Hidden Falls", "7777"];
    let mut names = Vec::new();
    for actor in [&housing, &county] {
        for path in [
            eve.clone(),
            goal.clone(),
            format!("{eve}/_history"),
            format!("{eve}/_history/1"),
            format!("Patient?_id={id}"),
            format!("Goal?patient={eve}&_include=Goal:subject"),
            format!("{eve}/$everything"),
        ] {
            let text = actor.get(&format!("/fhir/{path}")).await.is(200).text;
            for trace in traces {
                assert!(!text.contains(trace), "{trace} in {path}: {text}");
            }
        }
        let seen = actor.get(&format!("/fhir/{eve}")).await.is(200).body;
        assert_eq!(seen["identifier"][0]["system"], "https://handoff.example/fhir/pseudonym");
        assert_eq!(seen["gender"], "female");
        let again = actor.get(&format!("/fhir/Patient?_id={id}")).await.is(200).body;
        assert_eq!(again["entry"][0]["resource"]["identifier"], seen["identifier"], "the same for the same agency");
        names.push(seen["identifier"][0]["value"].as_str().unwrap().to_string());
        // Nor is anybody found by what is hidden.
        for query in [
            "Patient?name=Evers",
            "Patient?birthdate=1988-05-06",
            "Patient?birthdate:missing=false",
            "Patient?identifier=urn:shelter|EV-77",
            "Patient?address-city=Hidden",
            "Goal?subject:Patient.name=Evers",
            "Patient?_has:Goal:subject:lifecycle-status=active&family=Evers",
        ] {
            assert_eq!(
                actor.get(&format!("/fhir/{query}")).await.is(200).body["entry"].as_array().map_or(0, Vec::len),
                0,
                "{query}"
            );
        }
        assert_eq!(
            actor.get("/fhir/Patient?gender=female").await.is(200).keys(),
            std::slice::from_ref(&eve),
            "what is shown finds"
        );
        let others = if names.len() == 1 { 0 } else { 1 };
        assert_eq!(
            names.iter().collect::<std::collections::BTreeSet<_>>().len(),
            others + 1,
            "another for each agency"
        );
    }
    let own = shelter.get("/fhir/Patient?name=Evers").await.is(200);
    assert_eq!(own.keys(), std::slice::from_ref(&eve));
    assert!(own.text.contains("EV-77") && !own.text.contains("pseudonym"));
    // Whoever is not named does not know that there is anybody.
    let food = gw.system("corner-food-bank").await;
    let (hidden, absent) = (food.get(&format!("/fhir/{eve}")).await, food.get("/fhir/Patient/nobody").await);
    assert_eq!((hidden.status, hidden.text.replace(id, "nobody")), (absent.status, absent.text));
}

on_both!(a_victim_services_referral_is_delivered_under_a_pseudonym);
async fn a_victim_services_referral_is_delivered_under_a_pseudonym(on: On) {
    let receiver = Receiver::start().await;
    let gw = TestGateway::exchange(on, Some(&receiver.base)).await;
    let (shelter, eve, _) = shelter(&gw).await;
    let request = json!({"resourceType": "ServiceRequest", "status": "active", "intent": "order", "code": {"text": "a flat"},
        "subject": {"reference": eve, "display": "Eve Evers"}});
    let request = key(&shelter.creates(&request).await);
    let task = json!({"resourceType": "Task", "status": "requested", "intent": "order", "focus": {"reference": request},
        "code": {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]},
        "for": {"reference": eve, "display": "Eve Evers"}, "authoredOn": "2026-03-02T11:00:00Z",
        "lastModified": "2026-03-02T11:00:00Z",
        "requester": {"reference": format!("Organization/{SHELTER}")}, "owner": {"reference": "Organization/harbor-housing"}});
    shelter.post("/fhir/Task", &task).await.is(201);
    gw.deliver_due().await;
    let received = receiver.received();
    let text = received.iter().map(Value::to_string).collect::<String>();
    assert!(text.contains("fulfill") && text.contains("fhir/pseudonym"), "{text}");
    for trace in ["Evers", "1988", "EV-77", "Hidden Falls", "7777", eve.split_once('/').unwrap().1] {
        assert!(!text.contains(trace), "{trace} in {text}");
    }
}

on_both!(what_an_operator_loads_is_in_force_within_a_second);
async fn what_an_operator_loads_is_in_force_within_a_second(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let other = gw.another_node().await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system("county-social-service").await);
    let ana = key(&clinic.creates(&json!({"resourceType": "Patient", "birthDate": "1990-01-01"})).await);
    clinic.creates(&permit(&ana, "county-social-service", json!({}))).await;
    let label = json!({"security": [{"system": ACT_CODE, "code": "MST"}]});
    let labelled = json!({"resourceType": "Observation", "meta": label, "status": "final", "code": {"text": "x"}, "subject": {"reference": ana}});
    let labelled = format!("/fhir/{}", key(&clinic.creates(&labelled).await));
    let elsewhere = other.system("county-social-service").await;
    elsewhere.get(&labelled).await.is(200);
    // Nothing changes when any of it is not understood.
    let row = json!({"id": "mst", "title": "Trauma in service", "scope": {"label": "MST"}, "ways": [], "emergency": {"opens": true}});
    let mut bad = row.clone();
    bad["scope"] = json!({"labelled": "MST"});
    let problems = gateway::regimes::load(&gw.ctx, &json!({"version": "x", "rows": [row, bad]})).await.unwrap_err();
    let at: Vec<&str> = problems.iter().map(|issue| issue.expression.as_str()).collect();
    assert_eq!(at, ["rows[1].scope.labelled", "rows[1].id"]);
    county.get(&labelled).await.is(200);
    // A row of its own denies, and a list of its own keeps less; own data is own data.
    let list = json!({"id": "coordination", "title": "less", "purposes": ["TREAT"], "recipients": ["social-service"], "types": {"Patient": ["active"]}});
    assert!(county.get(&format!("/fhir/{ana}")).await.is(200).body.get("birthDate").is_some());
    gateway::regimes::load(&gw.ctx, &json!({"version": "2", "rows": [row], "minimum": [list]})).await.unwrap();
    county.get(&labelled).await.is(404);
    assert!(county.get("/fhir/Observation").await.is(200).keys().is_empty(), "search and read agree");
    assert!(county.get(&format!("/fhir/{ana}")).await.is(200).body.get("birthDate").is_none());
    clinic.get(&labelled).await.is(200);
    gw.advance_secs(2);
    elsewhere.get(&labelled).await.is(404);
    // What is there and cannot be read closes everything but one's own.
    let mut tx = gw.ctx.store.begin().await.unwrap();
    tx.register("regimes", "exchange", "{broken", true).await.unwrap();
    tx.commit().await.unwrap();
    gw.advance_secs(2);
    county.get(&format!("/fhir/{ana}")).await.is(404);
    clinic.get(&format!("/fhir/{ana}")).await.is(200);
}

on_both!(a_notice_travels_with_what_the_law_protects_and_recipients_are_told);
async fn a_notice_travels_with_what_the_law_protects_and_recipients_are_told(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let partner = Partner {
        id: "recovery".into(),
        name: "Recovery".into(),
        kind: Kind::Clinic,
        mode: Mode::Light,
        endpoint: None,
        regimes: vec!["part2".into()],
        part_of: None,
    };
    enroll::partner(&gw.ctx, &partner).await.unwrap();
    gw.client("recovery-system", "recovery", "system/*.cruds").await;
    let (programme, county) = (gw.system("recovery").await, gw.system("county-social-service").await);
    let ben = key(&programme.creates(&json!({"resourceType": "Patient"})).await);
    let goal = json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"}, "subject": {"reference": ben}});
    let goal = key(&programme.creates(&goal).await);
    let consent = |policy: &str| {
        let mut consent = permit(&ben, "county-social-service", json!({}));
        consent["policy"] = json!([{"uri": format!("https://handoff.example/fhir/policy/{policy}")}]);
        consent["organization"] = json!([{"reference": "Organization/recovery"}]);
        consent["sourceAttachment"] = json!({"title": "signed"});
        consent
    };
    programme.creates(&consent("general")).await;
    county.get(&format!("/fhir/{goal}")).await.is(404);
    programme.creates(&consent("42cfr-part2")).await;
    for path in [goal.clone(), "Goal".into(), format!("{ben}/$everything")] {
        let text = county.get(&format!("/fhir/{path}")).await.is(200).text;
        assert!(text.contains("RedisclosureProhibitionMark"), "{path}: {text}");
        assert!(text.contains("42 CFR part 2 prohibits unauthorized use or disclosure of these records."), "{path}");
    }
    assert!(
        !programme.get(&format!("/fhir/{goal}")).await.is(200).text.contains("Redisclosure"),
        "own data is as it was"
    );
    let clinic = gw.system("river-clinic").await;
    let ana = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    clinic.creates(&permit(&ana, "county-social-service", json!({}))).await;
    assert!(!county.get(&format!("/fhir/{ana}")).await.is(200).text.contains("Redisclosure"));
    // Who got it is told, so many years back.
    let id = ben.split_once('/').unwrap().1;
    let told = gateway::accounting(&gw.ctx, id, "part2").await.unwrap();
    assert!(
        told.len() >= 3 && told.iter().all(|one| one.recipient == "county-social-service" && one.origin == "recovery")
    );
    assert!(told.iter().any(|one| one.key == goal && one.purposes == ["COC"]));
    assert!(gateway::accounting(&gw.ctx, id, "hipaa").await.unwrap().is_empty(), "it is no covered entity");
    assert!(gateway::accounting(&gw.ctx, ana.split_once('/').unwrap().1, "part2").await.unwrap().is_empty());
    assert!(gateway::accounting(&gw.ctx, id, "nothing").await.is_err());
    gw.advance_secs(4 * 31_557_600);
    assert!(gateway::accounting(&gw.ctx, id, "part2").await.unwrap().is_empty(), "three years back");
}

on_both!(what_a_law_refuses_is_not_filed);
async fn what_a_law_refuses_is_not_filed(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    let ana = clinic.creates(&json!({"resourceType": "Patient"})).await;
    let parent = json!({"resourceType": "RelatedPerson", "active": true, "patient": {"reference": key(&ana)}});
    let parent = key(&clinic.creates(&parent).await);
    let consent = |policy: &str, more: Value| {
        let mut consent = permit(&key(&ana), "harbor-housing", json!({}));
        consent["policy"] = json!([{"uri": format!("https://handoff.example/fhir/policy/{policy}")}]);
        for (name, value) in more.as_object().unwrap() {
            consent[name] = value.clone();
        }
        consent
    };
    let purposes = |codes: &[&str]| {
        let coding =
            |code: &&str| json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code});
        let mut provision = permit(&key(&ana), "harbor-housing", json!({}))["provision"].clone();
        provision["purpose"] = codes.iter().map(coding).collect();
        json!({"provision": provision})
    };
    let mut endless = permit(&key(&ana), "harbor-housing", json!({}))["provision"].clone();
    endless["period"].as_object_mut().unwrap().shift_remove("end");
    let by_parent = json!({"performer": [{"reference": parent}]});
    let by_both = json!({"performer": [{"reference": parent}, {"reference": key(&ana)}]});
    for (policy, more, status) in [
        ("42cfr-part2", purposes(&["TREAT", "HLEGAL"]), 422),
        ("42cfr-part2", purposes(&["HLEGAL"]), 201),
        ("42cfr-part2", purposes(&["TREAT", "HPAYMT"]), 201),
        ("general", purposes(&["TREAT", "HLEGAL"]), 201),
        ("vawa", json!({"provision": endless}), 422),
        ("vawa", by_parent.clone(), 422),
        ("vawa", by_both, 201),
        ("general", by_parent, 201),
        ("general", json!({"provision": endless}), 201),
    ] {
        let answer = clinic.post("/fhir/Consent", &consent(policy, more.clone())).await;
        assert_eq!(answer.status, status, "{policy} {more}: {}", answer.text);
        if status == 422 {
            assert!(answer.rules().contains(&"consent-against-regime".to_string()), "{}", answer.text);
        }
    }
}
