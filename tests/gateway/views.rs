//! A redacted view has versions of its own: it changes when what it shows changes (rules.md 9).

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, On, TestGateway, key};
use crate::on_both;
use crate::reach::permit;
use crate::redaction::{CONFIDENTIALITY, labelled, normal, permits_normal, person};

struct Walk {
    gw: TestGateway,
    clinic: Actor,
    county: Actor,
    path: String,
    subject: String,
}

fn goal(subject: &str, seen: &str, hidden: &str) -> Value {
    json!({"resourceType": "Goal", "meta": normal(), "lifecycleStatus": "active", "description": {"text": seen},
        "note": [{"text": hidden, "extension": labelled(CONFIDENTIALITY, "R")}], "subject": {"reference": subject}})
}

/// A Goal of which the county does not see the note. `consent` says what it may do with the rest.
async fn walk(on: On, consent: impl FnOnce(&str) -> Value) -> Walk {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system("county-social-service").await);
    let subject = person(&clinic).await;
    clinic.creates(&consent(&subject)).await;
    let path = format!("/fhir/{}", key(&clinic.creates(&goal(&subject, "a home", "one")).await));
    Walk { gw, clinic, county, path, subject }
}

impl Walk {
    /// A new version by its origin.
    async fn becomes(&self, seen: &str, hidden: &str) {
        self.gw.advance_secs(60);
        let mut now = self.clinic.get(&self.path).await.is(200).body;
        now["description"]["text"] = json!(seen);
        now["note"][0]["text"] = json!(hidden);
        self.clinic.put(&self.path, &now).await.is(200);
    }
}

fn can_correct(subject: &str) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/consentaction";
    let actions = ["access", "correct"].map(|code| json!({"coding": [{"system": system, "code": code}]}));
    permit(
        subject,
        "county-social-service",
        json!({"action": actions, "securityLabel": [{"system": CONFIDENTIALITY, "code": "N"}]}),
    )
}

on_both!(nothing_of_a_view_changes_when_its_hidden_parts_do);
async fn nothing_of_a_view_changes_when_its_hidden_parts_do(on: On) {
    let walk = walk(on, |subject| permits_normal(subject, "county-social-service")).await;
    let (county, path) = (&walk.county, walk.path.as_str());
    let paths = [
        path.to_string(),
        format!("{path}/_history"),
        format!("{path}/_history/1"),
        format!("/fhir/Goal?subject={}", walk.subject),
        format!("/fhir/Patient?_revinclude=Goal:subject&_id={}", walk.subject.split_once('/').unwrap().1),
        format!("/fhir/{}/$everything", walk.subject),
    ];
    let mut before = Vec::new();
    for path in &paths {
        before.push(county.get(path).await.is(200));
    }
    walk.becomes("a home", "two").await;
    walk.becomes("a home", "three").await;
    for (path, before) in paths.iter().zip(&before) {
        let after = county.get(path).await.is(200);
        assert_eq!(after.text, before.text, "{path}");
        for name in ["etag", "last-modified"] {
            assert_eq!(after.header(name), before.header(name), "{path}");
        }
    }
    assert_eq!(before[0].header("etag"), "W/\"1\"");
    assert_eq!(walk.clinic.get(path).await.is(200).header("etag"), "W/\"3\"", "its origin sees every version");
    // A version that changed nothing that is seen is none of this view, as one that never was.
    let (hidden, absent) =
        (county.get(&format!("{path}/_history/3")).await, county.get(&format!("{path}/_history/4")).await);
    assert_eq!((hidden.status, hidden.text.replace("/3", "/4")), (404, absent.text));
    for (tag, status) in [("W/\"1\"", 304), ("W/\"3\"", 200)] {
        assert_eq!(county.send(Method::GET, path, &[("if-none-match", tag)], None).await.status, status, "{tag}");
    }
    walk.becomes("a garden", "four").await;
    assert_eq!(county.get(path).await.is(200).header("etag"), "W/\"4\"");
    let versions = county.get(&format!("{path}/_history")).await.is(200).body;
    let numbers: Vec<&Value> =
        versions["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]["meta"]["versionId"]).collect();
    assert_eq!((versions["total"].as_i64(), numbers), (Some(2), vec![&json!("4"), &json!("1")]));
    let entry = json!({"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": &path[6..]}}]});
    let batch = county.post("/fhir", &entry).await.is(200).body;
    assert_eq!(batch["entry"][0]["response"]["etag"], "W/\"4\"");
}

on_both!(a_correction_is_of_the_view_and_what_is_hidden_stays);
async fn a_correction_is_of_the_view_and_what_is_hidden_stays(on: On) {
    let walk = walk(on, can_correct).await;
    let (county, clinic, path) = (&walk.county, &walk.clinic, walk.path.as_str());
    walk.becomes("a home", "two").await;
    let mut view = county.get(path).await.is(200).body;
    assert_eq!(view["meta"]["versionId"], "1");
    view["description"]["text"] = json!("a flat");
    let stale = county.send(Method::PUT, path, &[("if-match", "W/\"2\"")], Some(view.to_string())).await;
    assert_eq!(stale.status, 412, "{}", stale.text);
    let answer = county.put(path, &view).await.is(200);
    assert_eq!((answer.header("etag"), &answer.body["meta"]["versionId"]), ("W/\"3\"", &json!("3")));
    assert!(!answer.text.contains("two"), "{}", answer.text);
    let stored = clinic.get(path).await.is(200).body;
    assert_eq!((&stored["description"]["text"], &stored["note"][0]["text"]), (&json!("a flat"), &json!("two")));
    assert!(!stored["meta"].to_string().contains("REDACTED"), "the labels of a view are not stored: {stored}");
    // By patch alike.
    walk.becomes("a flat", "three").await;
    let patch = json!([{"op": "test", "path": "/meta/versionId", "value": "3"},
        {"op": "replace", "path": "/description/text", "value": "a house"}]);
    let json_patch = [("content-type", "application/json-patch+json")];
    county.send(Method::PATCH, path, &json_patch, Some(patch.to_string())).await.is(200);
    let stored = clinic.get(path).await.is(200).body;
    assert_eq!((&stored["description"]["text"], &stored["note"][0]["text"]), (&json!("a house"), &json!("three")));
}

on_both!(nobody_sets_what_is_hidden_from_it);
async fn nobody_sets_what_is_hidden_from_it(on: On) {
    let walk = walk(on, can_correct).await;
    let mut view = walk.county.get(&walk.path).await.is(200).body;
    view["note"] = json!([{"text": "mine"}]);
    let refused = walk.county.put(&walk.path, &view).await.is(422);
    assert_eq!(refused.rules(), ["hidden-not-yours"]);
    assert_eq!(refused.body["issue"][0]["expression"][0], "Goal.note");
    assert!(!refused.text.contains("one"), "{}", refused.text);
    assert_eq!(walk.clinic.get(&walk.path).await.is(200).body["note"][0]["text"], "one");
}
