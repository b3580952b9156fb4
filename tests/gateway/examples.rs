//! The published examples, where they are at hand: stored as they came or refused with located issues.

use serde_json::Value;

use crate::harness::{On, TestGateway};
use crate::on_both;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/examples");
/// What others refer to comes first.
const FIRST: [&str; 6] = ["Organization", "Location", "Practitioner", "PractitionerRole", "Patient", "ServiceRequest"];

fn examples() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in ["us-core", "sdohcc"] {
        let Ok(entries) = std::fs::read_dir(format!("{FOLDER}/{folder}")) else {
            eprintln!("skipped: {FOLDER} is not there");
            return Vec::new();
        };
        for entry in entries {
            let path = entry.unwrap().path();
            found.push((
                path.file_name().unwrap().to_string_lossy().to_string(),
                std::fs::read_to_string(path).unwrap(),
            ));
        }
    }
    found.sort_by_key(|(name, _)| {
        let place = FIRST.iter().position(|kind| name.starts_with(&format!("{kind}-"))).unwrap_or(FIRST.len());
        (place, name.clone())
    });
    found
}

/// What a read answers, without what the server sets: of labels, those that no user selected.
fn plain(mut resource: Value, sent: &Value) -> Value {
    let meta = resource["meta"].as_object_mut().unwrap();
    for name in ["versionId", "lastUpdated", "source"] {
        match sent["meta"].get(name) {
            Some(value) => meta.insert(name.to_string(), value.clone()),
            None => meta.shift_remove(name),
        };
    }
    if let Some(Value::Array(labels)) = meta.get_mut("security") {
        labels.retain(|label| label["userSelected"] != false);
    }
    if meta.get("security").is_some_and(|labels| labels.as_array().is_some_and(Vec::is_empty)) {
        meta.shift_remove("security");
    }
    if meta.is_empty() {
        resource.as_object_mut().unwrap().shift_remove("meta");
    }
    resource["id"] = sent["id"].clone();
    resource
}

on_both!(every_example_is_stored_as_it_came_or_refused_with_located_issues);
async fn every_example_is_stored_as_it_came_or_refused_with_located_issues(on: On) {
    let gw = TestGateway::start_with(on, |config| config.ids.client_assigned = true).await;
    gw.enrol("acme", handoff::partner::Kind::Clinic, None).await;
    let acme = gw.system("acme").await;
    let (mut stored, mut refused) = (0, Vec::new());
    for (name, text) in examples() {
        // Ids of one's own start with one's name (rules.md 11); references follow.
        let mut sent: Value = serde_json::from_str(&text).unwrap();
        rename(&mut sent);
        let id = format!("acme-{}", sent["id"].as_str().unwrap());
        let id: String = id.chars().take(64).collect();
        sent["id"] = id.clone().into();
        let kind = sent["resourceType"].as_str().unwrap().to_string();
        let answer = acme.send(reqwest::Method::PUT, &format!("/fhir/{kind}/{id}"), &[], Some(sent.to_string())).await;
        if answer.status == 201 {
            stored += 1;
            let read = acme.get(&format!("/fhir/{kind}/{id}")).await.is(200).body;
            assert_eq!(plain(read, &sent).to_string(), sent.to_string(), "{name}");
        } else {
            assert!((400..500).contains(&answer.status), "{name}: {}", answer.text);
            assert!(!answer.body["issue"].as_array().unwrap().is_empty(), "{name}");
            refused.push(name);
        }
    }
    if stored > 0 {
        // Tasks that were further on than a new one can be.
        assert!(refused.iter().all(|name| name.starts_with("Task-")), "{refused:?}");
        assert_eq!((stored, refused.len()), (108, 5), "{refused:?}");
    }
}

fn rename(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, child) in object.iter_mut() {
                match child {
                    Value::String(text) if name == "reference" && !text.starts_with(['#', 'u', 'h']) => {
                        if let Some((kind, id)) = text.split_once('/') {
                            let id: String = format!("acme-{id}").chars().take(64).collect();
                            *text = format!("{kind}/{id}");
                        }
                    }
                    child => rename(child),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(rename),
        _ => {}
    }
}
