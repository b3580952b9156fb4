//! Which Consents count (rules.md 17): nobody lets itself in to the data of others.

use serde_json::{Value, json};

use crate::harness::{Actor, On, TestGateway, key};
use crate::on_both;
use crate::reach::permit;

pub const CLINIC: &str = "river-clinic";
pub const HOUSING: &str = "harbor-housing";
pub const COUNTY: &str = "county-social-service";

pub fn goal(subject: &str) -> Value {
    json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "rest"},
        "subject": {"reference": subject}})
}

/// A permit for two agencies, as a referral with a way back has it.
pub fn round_trip(patient: &str) -> Value {
    let mut consent = permit(patient, HOUSING, json!({}));
    let mut back = consent["provision"]["actor"][0].clone();
    back["reference"]["reference"] = json!(format!("Organization/{CLINIC}"));
    consent["provision"]["actor"].as_array_mut().unwrap().push(back);
    // The clinic treats, the agency coordinates.
    let mut treat = consent["provision"]["purpose"][0].clone();
    treat["code"] = json!("TREAT");
    consent["provision"]["purpose"].as_array_mut().unwrap().push(treat);
    consent
}

/// A person of the clinic, a permit for the clinic and the housing agency, and a Goal that the agency brought in.
pub struct Shared {
    pub gw: TestGateway,
    pub clinic: Actor,
    pub housing: Actor,
    pub patient: String,
    pub consent: Value,
    pub goal: String,
}

pub async fn shared(on: On) -> Shared {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, housing) = (gw.system(CLINIC).await, gw.system(HOUSING).await);
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    let consent = clinic.creates(&round_trip(&patient)).await;
    let goal = key(&housing.creates(&goal(&patient)).await);
    Shared { gw, clinic, housing, patient, consent, goal }
}

/// What a search by person finds, and whether a read agrees with it.
pub async fn sees(actor: &Actor, patient: &str, goal: &str) -> bool {
    let found = actor.get(&format!("/fhir/Goal?patient={patient}")).await.is(200);
    let read = actor.get(&format!("/fhir/{goal}")).await.status;
    let is_found = found.keys().contains(&goal.to_string());
    assert_eq!((is_found, found.body["total"] == found.keys().len()), (read == 200, true), "{}", found.text);
    is_found
}

pub async fn operation(actor: &Actor, path: &str) -> crate::harness::Answer {
    actor.post(&format!("/fhir/{path}"), &json!({"resourceType": "Parameters"})).await
}

on_both!(a_permit_that_lets_its_filer_in_waits_for_the_holder);
async fn a_permit_that_lets_its_filer_in_waits_for_the_holder(on: On) {
    let Shared { gw, clinic, housing, patient, mut consent, goal: theirs } = shared(on).await;
    let county = gw.system(COUNTY).await;
    assert!(!sees(&clinic, &patient, &theirs).await, "the clinic's own word lets it see nothing of the agency's");
    clinic.creates(&permit(&patient, COUNTY, json!({}))).await;
    assert!(sees(&county, &patient, &theirs).await, "to others it opens what it says: it favours nobody who wrote it");
    let of_county = key(&county.creates(&goal(&patient)).await);

    let listed = housing.get("/fhir/Consent/$work-list?what=awaiting-verification").await.is(200);
    assert!(listed.text.contains(&key(&consent)), "{}", listed.text);
    let path = format!("{}/$verify", key(&consent));
    operation(&housing, &path).await.is(200);
    assert!(sees(&clinic, &patient, &theirs).await);
    assert!(!sees(&clinic, &patient, &of_county).await, "the agency speaks for its own data");
    let listed = housing.get("/fhir/Consent/$work-list?what=awaiting-verification").await.is(200);
    assert!(!listed.text.contains(&key(&consent)), "{}", listed.text);
    operation(&county, &path).await.is(200);
    assert!(sees(&clinic, &patient, &of_county).await);

    consent["provision"].as_object_mut().unwrap().remove("purpose");
    clinic.put(&format!("/fhir/{}", key(&consent)), &consent).await.is(200);
    assert!(!sees(&clinic, &patient, &theirs).await, "what was verified was another version");
}

on_both!(who_may_verify_is_who_has_something_to_open);
async fn who_may_verify_is_who_has_something_to_open(on: On) {
    let Shared { gw, clinic, housing, patient, consent, goal } = shared(on).await;
    let path = format!("{}/$verify", key(&consent));
    assert_eq!(operation(&clinic, &path).await.is(403).rules(), ["not-yours"], "nobody verifies its own favour");
    let stranger = gw.system("corner-food-bank").await;
    let hidden = operation(&stranger, &path).await.is(404);
    let absent = operation(&stranger, "Consent/nothing/$verify").await.is(404);
    assert_eq!(hidden.text.replace(&key(&consent), "…"), absent.text.replace("Consent/nothing", "…"));
    gw.enrol_under("river-clinic-annex", CLINIC).await;
    let annex = gw.system("river-clinic-annex").await;
    clinic.creates(&permit(&patient, "river-clinic-annex", json!({}))).await;
    annex.creates(&crate::filing::goal(&patient)).await;
    operation(&annex, &path).await.is(403);
    assert!(!sees(&annex, &patient, &goal).await, "a branch is of the filer's house");
    operation(&housing, &path).await.is(200);
    clinic.revokes(&consent).await;
    assert_eq!(operation(&housing, &path).await.is(422).rules(), ["consent-not-active"]);
}

on_both!(what_its_holder_hands_over_is_open_and_nothing_beside_it);
async fn what_its_holder_hands_over_is_open_and_nothing_beside_it(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, housing) = (gw.system(CLINIC).await, gw.system(HOUSING).await);
    let task = clinic.submits(&crate::harness::fixture("ana")).await.one("Task");
    let patient = task["for"]["reference"].as_str().unwrap().to_string();
    let path = format!("/fhir/{}", key(&task));
    let (given, kept) = (key(&housing.creates(&goal(&patient)).await), key(&housing.creates(&goal(&patient)).await));
    let output = |key: &str| json!([{"type": {"text": "what was agreed"}, "valueReference": {"reference": key}}]);

    let mut mine = clinic.get(&path).await.is(200).body;
    mine["output"] = output(&kept);
    let mine = clinic.put(&path, &mine).await.is(200).body;
    assert!(!sees(&clinic, &patient, &kept).await, "who asks hands nothing to itself");

    let mut task = housing.get(&path).await.is(200).body;
    task["meta"]["versionId"] = mine["meta"]["versionId"].clone();
    task["status"] = json!("accepted");
    task["output"] = output(&given);
    let mut task = housing.put(&path, &task).await.is(200).body;
    assert!(sees(&clinic, &patient, &given).await);
    assert!(!sees(&clinic, &patient, &kept).await);
    task.as_object_mut().unwrap().remove("output");
    task["status"] = json!("in-progress");
    housing.put(&path, &task).await.is(200);
    assert!(!sees(&clinic, &patient, &given).await, "it is taken back with the reference");
}

on_both!(what_was_handed_over_by_a_task_that_is_void_is_taken_back);
async fn what_was_handed_over_by_a_task_that_is_void_is_taken_back(on: On) {
    for is_deleted in [false, true] {
        let gw = TestGateway::exchange(on, None).await;
        let (clinic, housing) = (gw.system(CLINIC).await, gw.system(HOUSING).await);
        let task = clinic.submits(&crate::harness::fixture("ana")).await.one("Task");
        let patient = task["for"]["reference"].as_str().unwrap().to_string();
        let path = format!("/fhir/{}", key(&task));
        let given = key(&housing.creates(&goal(&patient)).await);
        let mut task = housing.get(&path).await.is(200).body;
        task["status"] = json!("accepted");
        task["output"] = json!([{"type": {"text": "x"}, "valueReference": {"reference": given}}]);
        housing.put(&path, &task).await.is(200);
        assert!(sees(&clinic, &patient, &given).await);
        if is_deleted {
            clinic.delete(&path).await.is(204);
        } else {
            let mut task = clinic.get(&path).await.is(200).body;
            task["status"] = json!("entered-in-error");
            clinic.put(&path, &task).await.is(200);
        }
        assert!(!sees(&clinic, &patient, &given).await, "deleted: {is_deleted}");
    }
}

on_both!(somebody_elses_permit_opens_its_own_data_alone);
async fn somebody_elses_permit_opens_its_own_data_alone(on: On) {
    let Shared { gw, clinic, housing, patient, goal: theirs, .. } = shared(on).await;
    let of_clinic = key(&clinic.creates(&goal(&patient)).await);
    let food = gw.system("corner-food-bank").await;
    let consent = housing.creates(&permit(&patient, "corner-food-bank", json!({}))).await;
    assert!(sees(&food, &patient, &theirs).await);
    assert!(!sees(&food, &patient, &of_clinic).await);
    operation(&clinic, &format!("{}/$verify", key(&consent))).await.is(200);
    assert!(sees(&food, &patient, &of_clinic).await, "the clinic has said that it counts for its data");
}

on_both!(a_deny_counts_from_whoever_sees_the_person);
async fn a_deny_counts_from_whoever_sees_the_person(on: On) {
    let Shared { gw, clinic, housing, patient, .. } = shared(on).await;
    let of_clinic = key(&clinic.creates(&goal(&patient)).await);
    let county = gw.system(COUNTY).await;
    clinic.creates(&permit(&patient, COUNTY, json!({}))).await;
    assert!(sees(&county, &patient, &of_clinic).await);
    let mut deny = permit(&patient, COUNTY, json!({"type": "deny"}));
    deny["policyRule"]["coding"][0]["code"] = json!("OPTOUT");
    let stranger = gw.system("corner-food-bank").await;
    stranger.post("/fhir/Consent", &deny).await.is(422);
    assert!(sees(&county, &patient, &of_clinic).await);
    housing.creates(&deny).await;
    assert!(!sees(&county, &patient, &of_clinic).await);
}

on_both!(a_provenance_shows_where_all_its_targets_do);
async fn a_provenance_shows_where_all_its_targets_do(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system(CLINIC).await, gw.system(COUNTY).await);
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    clinic.creates(&permit(&patient, COUNTY, crate::reach::class(&["Goal"]))).await;
    let shown = key(&clinic.creates(&goal(&patient)).await);
    let condition = json!({"resourceType": "Condition", "subject": {"reference": patient}});
    let hidden = key(&clinic.creates(&condition).await);
    let provenance = |targets: &[&String]| {
        let targets: Vec<Value> = targets.iter().map(|key| json!({"reference": key})).collect();
        json!({"resourceType": "Provenance", "target": targets, "recorded": crate::harness::NOW,
            "agent": [{"who": {"reference": "Organization/river-clinic"}}]})
    };
    let open = key(&clinic.creates(&provenance(&[&shown])).await);
    let both = key(&clinic.creates(&provenance(&[&shown, &hidden])).await);
    county.get(&format!("/fhir/{open}")).await.is(200);
    county.get(&format!("/fhir/{both}")).await.is(404);
    let found = county.get(&format!("/fhir/Provenance?target={shown}")).await.is(200);
    assert_eq!((found.keys(), found.body["total"].as_i64()), (vec![open.clone()], Some(1)));
    let along = county.get(&format!("/fhir/Goal?patient={patient}&_revinclude=Provenance:target")).await.is(200);
    assert!(along.text.contains(&open) && !along.text.contains(&both), "{}", along.text);
    let all = county.get("/fhir/Provenance").await.is(200);
    assert_eq!(all.keys(), [open]);
}
