//! Searches that look at other resources: chains and `_has`, within what the caller may see.

use serde_json::{Value, json};

use crate::harness::{Actor, On, TestGateway, fixture, key, start};
use crate::on_both;
use crate::reach::{class, permit};

async fn found(actor: &Actor, query: &str) -> Vec<String> {
    let answer = actor.get(&format!("/fhir/{query}")).await.is(200);
    assert!(!answer.text.contains("parameter-unknown"), "{query}: {}", answer.text);
    let mut keys = answer.keys();
    keys.sort();
    assert_eq!(answer.body["total"].as_i64().unwrap_or(keys.len() as i64), keys.len() as i64, "{query}");
    keys
}

fn only(key: &str) -> Vec<String> {
    vec![key.to_string()]
}

fn observation(patient: &str, code: &str) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://x", "code": code}]},
        "subject": {"reference": patient}})
}

on_both!(a_chain_leads_through_references_and_back);
async fn a_chain_leads_through_references_and_back(on: On) {
    let (_gw, clinic) = start(on).await;
    let doctor = key(&clinic.creates(&json!({"resourceType": "Practitioner", "name": [{"family": "Reed"}]})).await);
    let named = |family: &str| {
        json!({"resourceType": "Patient", "name": [{"family": family}], "gender": "female",
            "identifier": [{"system": "http://id", "value": family}],
            "generalPractitioner": [{"reference": doctor}]})
    };
    let ana = key(&clinic.creates(&named("Alder")).await);
    let ben = key(&clinic.creates(&named("Birch")).await);
    let plan = |patient: &str| json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": patient}});
    let (plan_a, plan_b) = (key(&clinic.creates(&plan(&ana)).await), key(&clinic.creates(&plan(&ben)).await));
    let high = key(&clinic.creates(&observation(&ana, "high")).await);
    clinic.creates(&observation(&ben, "low")).await;
    let id = ana.split_once('/').unwrap().1;
    for (query, expected) in [
        ("CarePlan?patient.name=alder", vec![&plan_a]),
        ("CarePlan?subject:Patient.name=alder", vec![&plan_a]),
        ("CarePlan?subject.name=alder", vec![&plan_a]),
        ("CarePlan?patient.identifier=http://id%7CBirch", vec![&plan_b]),
        ("CarePlan?patient.name=alder,birch&patient.gender=female", vec![&plan_a, &plan_b]),
        ("CarePlan?patient.name:exact=alder", vec![]),
        ("CarePlan?patient.gender:not=female", vec![]),
        ("CarePlan?patient.general-practitioner.name=reed", vec![&plan_a, &plan_b]),
        ("CarePlan?patient.general-practitioner:Practitioner.family=stone", vec![]),
        (&format!("CarePlan?patient._id={id}"), vec![&plan_a]),
        (&format!("CarePlan?patient={id}&patient.name=alder"), vec![&plan_a]),
        (&format!("CarePlan?patient={id}&patient.name=birch"), vec![]),
        ("Patient?_has:Observation:patient:code=high", vec![&ana]),
        ("Patient?_has:Observation:subject:code=http://x%7Clow", vec![&ben]),
        ("Patient?_has:Observation:patient:code=none", vec![]),
        ("Patient?_has:Observation:patient:patient.name=alder", vec![&ana]),
        ("Practitioner?_has:Patient:general-practitioner:family=birch", vec![&doctor]),
        ("Practitioner?_has:Patient:general-practitioner:_has:Observation:patient:code=high", vec![&doctor]),
        ("CarePlan?patient._has:Observation:patient:code=high", vec![&plan_a]),
        ("Observation?subject._has:CarePlan:patient:status=active&code=high", vec![&high]),
    ] {
        let mut expected: Vec<String> = expected.into_iter().cloned().collect();
        expected.sort();
        assert_eq!(found(&clinic, query).await, expected, "{query}");
    }
    for (query, rule) in [
        ("CarePlan?status.name=x", "parameter-unknown"),
        ("CarePlan?patient.nothing=x", "parameter-unknown"),
        ("CarePlan?patient:Device.name=x", "parameter-unknown"),
        ("Patient?_has:Observation:code=x", "parameter-unknown"),
        ("Patient?_has:Nothing:patient:code=x", "parameter-unknown"),
        ("CarePlan?patient.birthdate=soon", "parameter-value"),
        ("CarePlan?part-of.part-of.part-of.part-of.part-of.status=active", "chain-too-long"),
    ] {
        let strict = [("prefer", "handling=strict")];
        let answer = clinic.send(reqwest::Method::GET, &format!("/fhir/{query}"), &strict, None).await.is(400);
        assert_eq!(answer.rules(), [rule], "{query}");
    }
}

on_both!(a_chain_asks_nothing_of_what_is_hidden);
async fn a_chain_asks_nothing_of_what_is_hidden(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    let housing = gw.system("harbor-housing").await;
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient", "name": [{"family": "Alder"}]})).await);
    let observation = key(&clinic.creates(&observation(&patient, "high")).await);
    let goal = json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"},
        "subject": {"reference": patient}, "addresses": [{"reference": observation}]});
    let goal = key(&clinic.creates(&goal).await);
    let id = patient.split_once('/').unwrap().1;
    // Goals alone are permitted: neither the name of the person nor what was observed may be asked through them.
    clinic.creates(&permit(&patient, "harbor-housing", class(&["Goal"]))).await;
    assert_eq!(found(&housing, "Goal").await, only(&goal));
    let questions = [
        "Goal?patient.name=alder".to_string(),
        "Goal?subject:Patient.name=alder".to_string(),
        "Goal?patient._has:Observation:patient:code=high".to_string(),
        format!("Goal?patient={id}&patient.name=alder"),
        format!("Goal?patient={id}&patient._has:Observation:patient:code=high"),
    ];
    for query in &questions {
        assert_eq!(found(&housing, query).await, Vec::<String>::new(), "{query}");
        assert_eq!(found(&clinic, query).await, only(&goal), "{query}");
    }
    clinic.creates(&permit(&patient, "harbor-housing", class(&["Goal", "Patient", "Observation"]))).await;
    for query in &questions {
        assert_eq!(found(&housing, query).await, only(&goal), "{query}");
    }
}

on_both!(includes_bring_what_is_referred_to_and_what_refers);
async fn includes_bring_what_is_referred_to_and_what_refers(on: On) {
    let (gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let (patient, plan, goal) = (sent.key("Patient"), sent.key("CarePlan"), sent.key("Goal"));
    let id = patient.split_once('/').unwrap().1.to_string();
    let along = |answer: &crate::harness::Answer| {
        let entries = answer.body["entry"].as_array().cloned().unwrap_or_default();
        let mut keys: Vec<String> = entries
            .iter()
            .filter(|entry| entry["search"]["mode"] == "include")
            .map(|entry| key(&entry["resource"]))
            .collect();
        keys.sort();
        keys
    };
    let sorted = |keys: &[&String]| {
        let mut keys: Vec<String> = keys.iter().map(|key| (*key).clone()).collect();
        keys.sort();
        keys
    };
    let (request, team) = (sent.key("ServiceRequest"), sent.key("CareTeam"));
    for (query, expected) in [
        (format!("CarePlan?patient={id}&_include=CarePlan:patient"), sorted(&[&patient])),
        (format!("CarePlan?patient={id}&_include=CarePlan:subject:Patient"), sorted(&[&patient])),
        (format!("CarePlan?patient={id}&_include=CarePlan:subject:Group"), vec![]),
        (format!("CarePlan?patient={id}&_include=CarePlan:goal&_include=CarePlan:care-team"), sorted(&[&goal, &team])),
        (format!("Patient?_id={id}&_revinclude=CarePlan:patient"), sorted(&[&plan])),
        (
            format!("Patient?_id={id}&_revinclude=CarePlan:patient&_include:iterate=CarePlan:goal"),
            sorted(&[&plan, &goal]),
        ),
        (format!("Patient?_id={id}&_revinclude=CarePlan:patient&_include=Patient:organization"), sorted(&[&plan])),
        (format!("Task?patient={id}&_include=Task:focus"), sorted(&[&request])),
        (format!("CarePlan?patient={id}"), vec![]),
    ] {
        let answer = clinic.get(&format!("/fhir/{query}")).await.is(200);
        assert_eq!(answer.keys().len(), 1, "{query}");
        assert_eq!(answer.body["total"], 1, "{query}: what comes along is not counted");
        assert_eq!(along(&answer), expected, "{query}: {}", answer.text);
        assert!(answer.body["link"][0]["url"].as_str().unwrap().contains("include") == query.contains("include"));
    }
    let everything = along(&clinic.get(&format!("/fhir/Patient?_id={id}&_revinclude=*")).await.is(200));
    assert!(everything.contains(&plan) && everything.contains(&goal) && !everything.contains(&patient));
    assert!(everything.iter().any(|key| key.starts_with("Consent/")), "one's own Consent: {everything:?}");

    // The same question by who may see the plan and not the goal, and the person but not the request.
    let housing = gw.system("corner-food-bank").await;
    clinic.creates(&permit(&patient, "corner-food-bank", class(&["CarePlan", "Patient"]))).await;
    for (query, expected) in [
        (format!("CarePlan?patient={id}&_include=*"), sorted(&[&patient])),
        (format!("CarePlan?patient={id}&_include=CarePlan:goal"), vec![]),
        (
            "CarePlan?_include=CarePlan:goal&_include=CarePlan:patient&_revinclude:iterate=Task:patient".to_string(),
            sorted(&[&patient]),
        ),
        (format!("Patient?_id={id}&_revinclude=*"), sorted(&[&plan])),
    ] {
        let answer = housing.get(&format!("/fhir/{query}")).await.is(200);
        let shown: Vec<String> = along(&answer).into_iter().filter(|key| !key.starts_with("Organization/")).collect();
        let shown: Vec<String> = shown.into_iter().filter(|key| !key.starts_with("Practitioner")).collect();
        assert_eq!(shown, expected, "{query}");
    }
}

on_both!(includes_are_bounded_and_say_so);
async fn includes_are_bounded_and_say_so(on: On) {
    let gw = TestGateway::exchange_with(on, |config| config.search.included_max = 2).await;
    let clinic = gw.system("river-clinic").await;
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    for _ in 0..3 {
        clinic.creates(&observation(&patient, "x")).await;
    }
    let id = patient.split_once('/').unwrap().1;
    let answer = clinic.get(&format!("/fhir/Patient?_id={id}&_revinclude=Observation:patient")).await.is(200);
    let entries = answer.body["entry"].as_array().unwrap();
    assert_eq!(entries.iter().filter(|entry| entry["search"]["mode"] == "include").count(), 2);
    let outcome = entries.iter().find(|entry| entry["search"]["mode"] == "outcome").unwrap();
    assert_eq!(outcome["resource"]["issue"][0]["details"]["coding"][0]["code"], "includes-bounded");
    let kinds =
        ["Observation", "Goal", "CarePlan", "CareTeam", "Condition", "Encounter", "Procedure", "Consent", "Task"];
    let modes = ["_revinclude", "_revinclude:iterate"];
    let modes =
        modes.map(|mode| kinds.map(|kind| format!("{mode}={kind}:patient&{mode}={kind}:patient:Patient")).join("&"));
    let many = modes.join("&");
    assert_eq!(clinic.get(&format!("/fhir/Patient?{many}")).await.is(400).rules(), ["query-too-long"]);
}

on_both!(a_search_reads_and_asks_no_type_that_the_scopes_leave_out);
async fn a_search_reads_and_asks_no_type_that_the_scopes_leave_out(on: On) {
    let (gw, clinic) = start(on).await;
    let patient = json!({"resourceType": "Patient", "name": [{"family": "Alder"}]});
    let patient = key(&clinic.creates(&patient).await);
    let observed = key(&clinic.creates(&observation(&patient, "high")).await);
    gw.client("narrow", "river-clinic", "system/Patient.rs system/Goal.rs").await;
    let narrow = gw.signed_in("narrow").await;
    let id = patient.split_once('/').unwrap().1;
    for query in ["_revinclude=*", "_revinclude=Observation:patient", "_revinclude=Goal:patient&_include:iterate=*"] {
        let path = format!("/fhir/Patient?_id={id}&{query}");
        assert!(!narrow.get(&path).await.is(200).text.contains(&observed), "{query}");
        assert_eq!(clinic.get(&path).await.is(200).text.contains(&observed), !query.contains("Goal"), "{query}");
    }
    for path in [
        "/fhir/Patient?_has:Observation:patient:code=high",
        "/fhir/Goal?patient._has:Observation:patient:code=high",
        "/fhir/Goal?patient.general-practitioner.name=x",
        "/fhir/Observation",
        "/fhir?_type=Patient,Observation",
    ] {
        assert_eq!(narrow.get(path).await.is(403).rules(), ["scope"], "{path}");
        clinic.get(path).await.is(200);
    }
    assert_eq!(found(&narrow, "Goal?patient.name=alder").await, Vec::<String>::new());
    let everything = narrow.get(&format!("/fhir/Patient/{id}/*")).await.is(200);
    assert_eq!(everything.keys(), only(&patient));
}

on_both!(a_search_that_leads_everywhere_is_refused_in_words);
async fn a_search_that_leads_everywhere_is_refused_in_words(on: On) {
    let (_gw, clinic) = start(on).await;
    for path in [
        "/fhir/Task?subject._has:Task:subject:subject.subject._id=x",
        "/fhir/Task?focus.subject.organization.name=x&focus.subject.link.name=x",
    ] {
        let answer = clinic.get(path).await;
        let rules = answer.rules();
        assert!(
            answer.status == 400
                && rules.iter().all(|rule| ["chain-too-wide", "query-too-long"].contains(&rule.as_str())),
            "{path}: {rules:?}"
        );
    }
    clinic.get("/fhir/Task?focus:ServiceRequest.subject:Patient.organization.name=x").await.is(200);
}
