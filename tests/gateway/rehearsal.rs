//! `$validate`: what a write would say, and nothing stored.

use serde_json::{Value, json};

use crate::filing::{Shared, goal, shared};
use crate::harness::{Actor, Answer, On, key, patient, start};
use crate::on_both;

const CARE_PLAN: &str = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-careplan";

/// A question as Parameters.
fn asked(parts: &[(&str, Value)], resource: Option<&Value>) -> Value {
    let mut parameters: Vec<Value> = parts
        .iter()
        .map(|(name, value)| json!({"name": name, if *name == "mode" { "valueCode" } else { "valueUri" }: value}))
        .collect();
    parameters.extend(resource.map(|resource| json!({"name": "resource", "resource": resource})));
    json!({"resourceType": "Parameters", "parameter": parameters})
}

/// What would refuse the write.
fn refusals(answer: &Answer) -> Vec<String> {
    let issues = answer.body["issue"].as_array().unwrap().iter();
    let errors = issues.filter(|issue| issue["severity"] == "error");
    errors.map(|issue| issue["details"]["coding"][0]["code"].as_str().unwrap().to_string()).collect()
}

fn is_fine(answer: &Answer) -> bool {
    refusals(answer).is_empty()
}

async fn count(actor: &Actor, kind: &str) -> Value {
    actor.get(&format!("/fhir/{kind}?_summary=count")).await.is(200).body["total"].clone()
}

on_both!(a_creation_is_foretold_and_not_made);
async fn a_creation_is_foretold_and_not_made(on: On) {
    let (_gw, clinic) = start(on).await;
    let ana = key(&clinic.creates(&patient()).await);
    let before = count(&clinic, "Goal").await;
    let told = |goal: Value| {
        let clinic = clinic.clone();
        async move { clinic.post("/fhir/Goal/$validate", &asked(&[("mode", json!("create"))], Some(&goal))).await.is(200) }
    };
    let fits = told(goal(&ana)).await;
    assert!(is_fine(&fits), "{}", fits.text);
    let nobody = told(goal("Patient/nobody")).await;
    assert_eq!(refusals(&nobody), ["reference-unresolved"]);
    // Without a mode the content alone is judged.
    let content = clinic.post("/fhir/Goal/$validate", &goal("Patient/nobody")).await.is(200);
    assert!(is_fine(&content), "{}", content.text);
    assert_eq!(count(&clinic, "Goal").await, before);
}

on_both!(an_update_is_foretold_to_who_may_and_to_who_may_not);
async fn an_update_is_foretold_to_who_may_and_to_who_may_not(on: On) {
    let Shared { clinic, housing, goal: theirs, .. } = shared(on).await;
    let mut changed = housing.get(&format!("/fhir/{theirs}")).await.is(200).body;
    changed["description"]["text"] = json!("sleep");
    let question = asked(&[("mode", json!("update"))], Some(&changed));
    let told = housing.post(&format!("/fhir/{theirs}/$validate"), &question).await.is(200);
    assert!(is_fine(&told), "{}", told.text);
    let of_type = housing.post("/fhir/Goal/$validate", &question).await.is(200);
    assert!(is_fine(&of_type), "{}", of_type.text);
    assert_eq!(housing.get(&format!("/fhir/{theirs}")).await.body["description"]["text"], "rest");

    // The clinic does not see it: the same words as for what never was.
    let hidden = clinic.post(&format!("/fhir/{theirs}/$validate"), &question).await.is(200);
    assert_eq!(refusals(&hidden), ["not-found"]);
    let mut another = changed.clone();
    another["id"] = json!("another");
    let told =
        housing.post(&format!("/fhir/{theirs}/$validate"), &asked(&[("mode", json!("update"))], Some(&another))).await;
    assert_eq!(refusals(&told.is(200)), ["identity"]);
}

on_both!(a_deletion_is_foretold_to_who_may_and_to_who_may_not);
async fn a_deletion_is_foretold_to_who_may_and_to_who_may_not(on: On) {
    let Shared { clinic, housing, patient, goal: theirs, .. } = shared(on).await;
    let path = format!("/fhir/{theirs}/$validate?mode=delete");
    let told = housing.send(reqwest::Method::POST, &path, &[], None).await.is(200);
    assert!(is_fine(&told), "{}", told.text);
    housing.get(&format!("/fhir/{theirs}")).await.is(200);
    let hidden = clinic.post(&path, &asked(&[], None)).await.is(200);
    assert_eq!(refusals(&hidden), ["not-found"]);
    let seen = housing.post(&format!("/fhir/{patient}/$validate"), &asked(&[("mode", json!("delete"))], None)).await;
    assert_eq!(refusals(&seen.is(200)), ["not-yours"]);
}

on_both!(profiles_are_asked_for_by_name);
async fn profiles_are_asked_for_by_name(on: On) {
    let (_gw, clinic) = start(on).await;
    let ana = key(&clinic.creates(&patient()).await);
    let plan = json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": ana}});
    let bare = clinic.post(&format!("/fhir/CarePlan/$validate?profile={CARE_PLAN}"), &plan).await.is(200);
    assert!(!is_fine(&bare), "{}", bare.text);
    let unknown = asked(&[("profile", json!("https://nobody.example/profile"))], Some(&plan));
    let unknown = clinic.post("/fhir/CarePlan/$validate", &unknown).await.is(200);
    assert!(!is_fine(&unknown) && unknown.rules().contains(&"profile-unknown".to_string()), "{}", unknown.text);
    let stored = clinic.creates(&plan).await;
    let question = asked(&[("mode", json!("profile")), ("profile", json!(CARE_PLAN))], None);
    let told = clinic.post(&format!("/fhir/{}/$validate", key(&stored)), &question).await.is(200);
    assert!(!is_fine(&told), "{}", told.text);
}

on_both!(the_question_may_be_in_xml);
async fn the_question_may_be_in_xml(on: On) {
    let (_gw, clinic) = start(on).await;
    let question = r#"<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="mode"/><valueCode value="create"/></parameter><parameter><name value="resource"/><resource><Patient><gender value="none"/></Patient></resource></parameter></Parameters>"#;
    let xml = [("content-type", "application/fhir+xml"), ("accept", "application/fhir+json")];
    let told = clinic.send(reqwest::Method::POST, "/fhir/Patient/$validate", &xml, Some(question.into())).await.is(200);
    assert_eq!(refusals(&told), ["binding"]);
    let bare = r#"<Patient xmlns="http://hl7.org/fhir"><gender value="none"/></Patient>"#;
    let told = clinic.send(reqwest::Method::POST, "/fhir/Patient/$validate", &xml, Some(bare.into())).await.is(200);
    assert_eq!(refusals(&told), ["binding"]);
}

on_both!(a_consent_is_judged_as_a_write_would);
async fn a_consent_is_judged_as_a_write_would(on: On) {
    let (_gw, clinic) = start(on).await;
    let ana = key(&clinic.creates(&patient()).await);
    let mut consent = crate::reach::permit(&ana, "harbor-housing", json!({}));
    let fits = clinic.post("/fhir/Consent/$validate", &consent).await.is(200);
    assert!(is_fine(&fits), "{}", fits.text);
    consent["provision"]["data"] = json!([{"meaning": "authoredby", "reference": {"display": "somebody"}}]);
    let narrow = clinic.post("/fhir/Consent/$validate", &consent).await.is(200);
    let unread = narrow.body["issue"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["details"]["coding"][0]["code"] == "consent-not-enforceable");
    assert!(
        unread.is_some_and(|issue| issue["expression"][0].as_str().unwrap().starts_with("Consent.provision.data")),
        "{}",
        narrow.text
    );
    consent.as_object_mut().unwrap().remove("patient");
    let told = clinic.post("/fhir/Consent/$validate", &consent).await.is(200);
    assert!(told.rules().contains(&"consent-without-patient".to_string()), "{}", told.text);
    clinic.post("/fhir/Consent", &consent).await.is(422);
}

on_both!(what_is_no_question_is_refused);
async fn what_is_no_question_is_refused(on: On) {
    let (gw, clinic) = start(on).await;
    clinic.post("/fhir/Goal/$validate?mode=guess", &goal("Patient/x")).await.is(400);
    clinic.post("/fhir/Goal/$validate", &patient()).await.is(400);
    clinic.post("/fhir/Goal/$validate", &asked(&[("mode", json!("create"))], None)).await.is(400);
    clinic.post("/fhir/Goal/$validate", &asked(&[("mode", json!("delete"))], None)).await.is(400);
    gw.client("reader", "river-clinic", "system/Goal.r").await;
    let reader = gw.signed_in("reader").await;
    reader.post("/fhir/Patient/$validate", &patient()).await.is(403);
}
