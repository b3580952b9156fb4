//! Ways to take somebody else's data over, or to learn of it, none of which works.

use serde_json::{Value, json};

use crate::assertion::{EC, System};
use crate::harness::{Actor, On, Receiver, TestGateway, fixture, key};
use crate::on_both;

async fn patient(actor: &Actor, more: Value) -> Value {
    let mut patient = json!({"resourceType": "Patient", "active": true});
    patient.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    actor.creates(&patient).await
}

fn observation(subject: &Value) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"text": "rest"}, "subject": {"reference": key(subject)}})
}

fn permit(of: &Value, recipient: &str) -> Value {
    let mut consent = fixture("ben-consent");
    consent["patient"] = json!({"reference": key(of)});
    consent["performer"] = json!([{"reference": key(of)}]);
    consent["provision"] = json!({"type": "permit", "actor": [{
        "role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]},
        "reference": {"reference": format!("Organization/{recipient}")}}]});
    consent
}

on_both!(a_link_of_ones_own_patient_opens_nobody_elses_record);
async fn a_link_of_ones_own_patient_opens_nobody_elses_record(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, thief) = (gw.system("river-clinic").await, gw.system("corner-food-bank").await);
    let theirs = patient(&clinic, json!({})).await;
    let hidden = clinic.creates(&observation(&theirs)).await;
    // The clinic's person shares with somebody else, so that searches over everybody look at that person too.
    clinic.creates(&permit(&theirs, "harbor-housing")).await;
    let link = json!({"link": [{"other": {"reference": key(&theirs)}, "type": "replaces"}]});
    let mine = thief.creates(&json!({"resourceType": "Patient", "active": true, "link": link["link"]})).await;
    thief.creates(&permit(&mine, "corner-food-bank")).await;
    for query in [format!("?patient={}", key(&theirs)), format!("?patient={}", key(&mine)), String::new()] {
        let found = thief.get(&format!("/fhir/Observation{query}")).await.is(200);
        assert_eq!(found.keys(), Vec::<String>::new(), "{query}");
    }
    thief.get(&format!("/fhir/{}", key(&hidden))).await.is(404);
}

on_both!(a_hidden_person_cannot_be_named_by_any_element);
async fn a_hidden_person_cannot_be_named_by_any_element(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, thief) = (gw.system("river-clinic").await, gw.system("corner-food-bank").await);
    let theirs = patient(&clinic, json!({})).await;
    let mine = patient(&thief, json!({})).await;
    let naming = |who: &str| {
        let mut observation = observation(&mine);
        observation["performer"] = json!([{"reference": who}]);
        observation
    };
    let hidden = thief.post("/fhir/Observation", &naming(&key(&theirs))).await.is(422);
    let absent = thief.post("/fhir/Observation", &naming("Patient/nobody")).await.is(422);
    assert_eq!(hidden.text, absent.text, "the hidden and the absent are refused alike");
    thief.post("/fhir/Observation", &naming(&key(&mine))).await.is(201);
}

on_both!(a_bundles_own_addresses_rewrite_only_what_is_sent);
async fn a_bundles_own_addresses_rewrite_only_what_is_sent(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, housing) = (gw.system("river-clinic").await, gw.system("harbor-housing").await);
    let path = format!("/fhir/{}", clinic.submits(&fixture("ana")).await.key("Task"));
    let mut task = housing.get(&path).await.is(200).body;
    let (person, version) = (task["for"]["reference"].as_str().unwrap().to_string(), task["meta"]["versionId"].clone());
    let mine = patient(&housing, json!({})).await;
    task["status"] = json!("accepted");
    for address in [person.as_str(), "https://river-clinic.example/anything"] {
        let put = |resource: &Value, url: String| {
            let if_match = format!("W/\"{}\"", resource["meta"]["versionId"].as_str().unwrap());
            json!({"resource": resource, "request": {"method": "PUT", "url": url, "ifMatch": if_match}})
        };
        let mut own = put(&mine, key(&mine));
        own["fullUrl"] = json!(address);
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [own, put(&task, key(&task))]});
        housing.post("/fhir", &bundle).await;
        let now = clinic.get(&path).await.is(200).body;
        assert_eq!(now["for"]["reference"], person.as_str(), "{address} after version {version}");
    }
}

on_both!(a_correction_does_not_carry_a_resource_to_another_person);
async fn a_correction_does_not_carry_a_resource_to_another_person(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, housing) = (gw.system("river-clinic").await, gw.system("harbor-housing").await);
    let mut bundle = fixture("ana");
    for entry in bundle["entry"].as_array_mut().unwrap() {
        if entry["resource"]["resourceType"] == "Consent" {
            let system = "http://terminology.hl7.org/CodeSystem/consentaction";
            let actions = ["access", "correct"].map(|code| json!({"coding": [{"system": system, "code": code}]}));
            entry["resource"]["provision"]["action"] = json!(actions);
        }
    }
    let goal = clinic.submits(&bundle).await.one("Goal");
    let path = format!("/fhir/{}", key(&goal));
    let mine = patient(&housing, json!({})).await;
    let mut moved = housing.get(&path).await.is(200).body;
    moved["subject"] = json!({"reference": key(&mine)});
    assert_eq!(housing.put(&path, &moved).await.is(422).rules(), ["person-not-yours"]);
    assert_eq!(clinic.get(&path).await.is(200).body["subject"], goal["subject"]);
}

on_both!(labels_are_never_lowered);
async fn labels_are_never_lowered(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    let label = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"});
    let theirs = patient(&clinic, json!({"meta": {"security": [label]}})).await;
    let mut bare = theirs.clone();
    bare["meta"].as_object_mut().unwrap().shift_remove("security");
    let now = clinic.put(&format!("/fhir/{}", key(&theirs)), &bare).await.is(200).body;
    assert_eq!(now["meta"]["security"], json!([label]));
}

on_both!(a_task_that_goes_to_another_partner_leaves_the_first);
async fn a_task_that_goes_to_another_partner_leaves_the_first(on: On) {
    let agency = Receiver::start().await;
    agency.answers(503);
    let gw = TestGateway::exchange(on, Some(&agency.base)).await;
    let clinic = gw.system("river-clinic").await;
    let mut task = clinic.submits(&fixture("ana")).await.one("Task");
    gw.deliver_due().await;
    let tried = agency.received().len();
    agency.answers(200);
    task["owner"] = json!({"reference": "Organization/county-social-service"});
    clinic.put(&format!("/fhir/{}", key(&task)), &task).await.is(200);
    gw.advance_secs(3_600);
    while gw.deliver_due().await > 0 {}
    let later: Vec<Value> = agency.received().split_off(tried);
    assert!(
        later.iter().all(|bundle| bundle["entry"][0].get("resource").is_none()),
        "only that it is withdrawn: {later:?}"
    );
    assert_eq!(later.len(), 1);
}

on_both!(a_shelters_places_and_people_are_in_nobody_elses_directory);
async fn a_shelters_places_and_people_are_in_nobody_elses_directory(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    gw.enrol("safe-house", handoff::partner::Kind::VictimService, None).await;
    let (shelter, clinic) = (gw.system("safe-house").await, gw.system("river-clinic").await);
    let place = shelter.creates(&json!({"resourceType": "Location", "name": "the house"})).await;
    clinic.get(&format!("/fhir/{}", key(&place))).await.is(404);
    assert_eq!(clinic.get("/fhir/Location").await.is(200).body["total"], 0);
    shelter.get(&format!("/fhir/{}", key(&place))).await.is(200);
    clinic.get("/fhir/Organization/safe-house").await.is(200);
    let open = clinic.creates(&json!({"resourceType": "Location", "name": "the clinic"})).await;
    shelter.get(&format!("/fhir/{}", key(&open))).await.is(200);
}

on_both!(the_log_tells_nobody_what_they_were_refused);
async fn the_log_tells_nobody_what_they_were_refused(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, curious) = (gw.system("river-clinic").await, gw.system("corner-food-bank").await);
    let hidden = clinic.submits(&fixture("ana")).await.one("Condition");
    let paths = [format!("/fhir/{}", key(&hidden)), "/fhir/Condition/nothing".to_string()];
    let mut seen = Vec::new();
    for path in &paths {
        curious.get(path).await.is(404);
        let log = gw.compliance("corner-food-bank").await.get("/fhir/AuditEvent?_count=2").await.is(200).body;
        let events: Vec<Value> =
            log["entry"].as_array().unwrap().iter().map(|entry| entry["resource"].clone()).collect();
        let read = events.into_iter().find(|event| event["subtype"][0]["code"] == "read").unwrap();
        let wanted = path.trim_start_matches("/fhir/");
        seen.push(read["entity"].to_string().replace(wanted, "…"));
    }
    assert_eq!(seen[0], seen[1], "the hidden and the absent read alike");
    let person = hidden["subject"]["reference"].as_str().unwrap();
    let about =
        gw.compliance("corner-food-bank").await.get(&format!("/fhir/AuditEvent?patient={person}")).await.is(200);
    assert!(!about.text.contains(&key(&hidden)), "nor by asking for the person's: {}", about.text);
    let officer = gw.compliance("corner-food-bank").await;
    for _ in 0..3 {
        officer.get(&format!("/fhir/AuditEvent?patient={person}")).await.is(200);
    }
    curious.get(&paths[0]).await.is(404);
    let page = officer.get(&format!("/fhir/AuditEvent?patient={person}&_count=2")).await.is(200).body;
    assert_eq!(page["entry"].as_array().unwrap().len(), 2, "nor by a page that is not full");
}

on_both!(an_assertion_for_another_server_is_none_for_us_whatever_the_host);
async fn an_assertion_for_another_server_is_none_for_us_whatever_the_host(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let signer = System::enrol(&gw, "signer", "river-clinic", &[(&EC, "e1")]).await;
    let mut claims = signer.claims(&gw);
    claims["aud"] = json!("http://m.example/auth/token");
    let assertion = signer.sign(&claims);
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
    ];
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("host", "m.example")];
    let answer = gw.stranger().send(reqwest::Method::POST, "/auth/token", &headers, Some(form)).await;
    assert_eq!((answer.status, answer.body["error"].as_str()), (401, Some("invalid_client")), "{}", answer.text);
}
