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

on_both!(time_does_not_tell_of_a_hidden_change);
async fn time_does_not_tell_of_a_hidden_change(on: On) {
    let walk = walk(on, |subject| permits_normal(subject, "county-social-service")).await;
    let (clinic, county) = (&walk.clinic, &walk.county);
    let id = walk.path.rsplit_once('/').unwrap().1.to_string();
    walk.gw.advance_secs(60);
    let second = key(&clinic.creates(&goal(&walk.subject, "a garden", "none")).await);
    let subject = &walk.subject;
    let chained = format!("/fhir/Patient?_has:Goal:subject:_lastUpdated=gt2026-03-02T12:01:30Z&_id={}", &subject[8..]);
    let paths = [
        "/fhir/Goal?_lastUpdated=gt2026-03-02T12:01:30Z".to_string(),
        "/fhir/Goal?_lastUpdated=lt2026-03-02T12:00:30Z".to_string(),
        "/fhir/Goal?_lastUpdated=eq2026-03-02T12:00:00Z".to_string(),
        format!("/fhir/Goal?subject={subject}&_lastUpdated=ge2026-03-02T12:01:30Z"),
        chained,
        "/fhir/Goal".to_string(),
        "/fhir/Goal?_count=1".to_string(),
        format!("/fhir/Goal?subject={subject}"),
        "/fhir/Goal?_sort=_lastUpdated".to_string(),
        "/fhir/Goal?_sort=description,-_lastUpdated".to_string(),
        "/fhir/Goal/_history?_since=2026-03-02T12:01:30Z".to_string(),
        format!("/fhir/Goal/{id}/_history?_at=2026-03-02T12:02:30Z"),
        format!("/fhir/{subject}/$everything?_since=2026-03-02T12:01:30Z"),
    ];
    let mut before = Vec::new();
    for path in &paths {
        before.push(county.get(path).await.is(200).text);
    }
    walk.becomes("a home", "two").await;
    walk.becomes("a home", "three").await;
    for (path, before) in paths.iter().zip(&before) {
        let after = county.get(path).await.is(200).text;
        assert_eq!(without_tokens(&after), without_tokens(before), "{path}");
    }
    let newest = clinic.get(&paths[5]).await.is(200).keys();
    assert_eq!(newest, [format!("Goal/{id}"), second.clone()], "its origin sees what it wrote last");
    assert_eq!(clinic.get(&paths[0]).await.is(200).keys(), [format!("Goal/{id}")]);
    // What it is shown is found when it was changed.
    walk.becomes("a house", "four").await;
    assert_eq!(county.get(&paths[0]).await.is(200).keys(), [format!("Goal/{id}")]);
    assert_eq!(county.get(&paths[5]).await.is(200).keys(), [format!("Goal/{id}"), second]);
}

/// Page tokens have bytes of their own.
fn without_tokens(text: &str) -> String {
    let mut parts = text.split("_page=");
    let first = parts.next().unwrap_or("").to_string();
    parts.fold(first, |said, part| format!("{said}_page={}", &part[part.find('"').unwrap_or(0)..]))
}

on_both!(time_does_not_tell_of_what_a_purpose_does_not_need);
async fn time_does_not_tell_of_what_a_purpose_does_not_need(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, bank) = (gw.system("river-clinic").await, gw.system("corner-food-bank").await);
    let born = json!({"resourceType": "Patient", "birthDate": "1990-05-16"});
    let subject = key(&clinic.creates(&born).await);
    clinic.creates(&permit(&subject, "corner-food-bank", json!({}))).await;
    gw.advance_secs(60);
    let path = format!("/fhir/{subject}");
    // A food bank is not told a birth date; an address it is.
    for (what, value, is_found) in
        [("birthDate", json!("1990-05-17"), false), ("address", json!([{"city": "Boston"}]), true)]
    {
        let since = format!("/fhir/Patient?_lastUpdated=ge{}", gw.ctx.now());
        let mut now = clinic.get(&path).await.is(200).body;
        now[what] = value;
        clinic.put(&path, &now).await.is(200);
        assert_eq!(bank.get(&since).await.is(200).keys().contains(&subject), is_found, "{what}");
        assert_eq!(clinic.get(&since).await.is(200).keys(), std::slice::from_ref(&subject), "{what}");
        gw.advance_secs(60);
    }
}

on_both!(whether_a_correction_is_taken_does_not_tell_what_is_hidden);
async fn whether_a_correction_is_taken_does_not_tell_what_is_hidden(on: On) {
    let walk = walk(on, can_correct).await;
    let (clinic, county) = (&walk.clinic, &walk.county);
    // Two that look alike but for what is hidden in them.
    let secret = |code: &str| json!({"text": code, "extension": labelled(CONFIDENTIALITY, "R")});
    let mut changes = Vec::new();
    for hidden in [
        json!({"note": [secret("x")]}),
        json!({"outcomeCode": [secret("x")]}),
        json!({"note": [{"text": "seen"}, secret("x")]}),
        json!({"category": [{"text": "seen", "coding": [{"code": "y", "extension": labelled(CONFIDENTIALITY, "R")}]}]}),
    ] {
        let mut made = goal(&walk.subject, "a home", "one");
        made.as_object_mut().unwrap().remove("note");
        made["addresses"] = json!([{"reference": "Condition/none"}]);
        for (name, value) in hidden.as_object().unwrap() {
            made[name] = value.clone();
        }
        let path = format!("/fhir/{}", key(&clinic.creates(&made).await));
        let mut answers = Vec::new();
        for change in [
            json!({"note": [{"text": "mine"}]}),
            json!({"outcomeCode": [{"text": "mine"}]}),
            json!({"category": [{"text": "mine"}]}),
            json!({"addresses": null}),
            json!({"description": {"text": "a flat"}}),
        ] {
            let view = county.get(&path).await.is(200).body;
            assert!(view.to_string().contains("REDACTED"));
            let mut sent = view.clone();
            for (name, value) in change.as_object().unwrap() {
                match value {
                    Value::Null => drop(sent.as_object_mut().unwrap().remove(name)),
                    value if view.get(name).is_none_or(|seen| seen != value) && !view[name].is_array() => {
                        sent[name] = value.clone();
                    }
                    _ => {}
                }
            }
            let changed = sent != view;
            answers.push((changed, county.put(&path, &sent).await.status));
        }
        changes.push(answers);
    }
    let refused = |at: usize| changes.iter().map(|all| all[at]).filter(|(changed, _)| *changed).collect::<Vec<_>>();
    for at in 0..4 {
        assert!(!refused(at).is_empty() && refused(at).iter().all(|(_, status)| *status == 422), "{at}: {changes:?}");
    }
    assert!(refused(4).iter().all(|(_, status)| *status == 200), "{changes:?}");
}
