//! Labels: set when something is written, kept when it is changed, set anew when the lists change.

use handoff::gateway::{self, Relabelled, Request};
use serde_json::{Value, json};

use crate::harness::{Actor, On, TestGateway, key, start};
use crate::on_both;
use crate::reach::permit;
use crate::worlds::{COUNTY, person};

const ICD: &str = "http://hl7.org/fhir/sid/icd-10-cm";
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

fn condition(patient: &str, system: &str, code: &str) -> Value {
    json!({"resourceType": "Condition", "subject": {"reference": patient},
        "code": {"coding": [{"system": system, "code": code}]}})
}

fn noted(patient: &str, text: &str) -> Value {
    let mut noted = condition(patient, ICD, "J45.909");
    noted["note"] = json!([{"text": text}]);
    noted
}

fn labels(resource: &Value) -> Vec<&str> {
    let labels = resource["meta"]["security"].as_array().map(Vec::as_slice).unwrap_or_default();
    labels.iter().map(|label| label["code"].as_str().unwrap()).collect()
}

on_both!(what_is_written_is_labelled_in_its_first_version);
async fn what_is_written_is_labelled_in_its_first_version(on: On) {
    let (_gw, clinic) = start(on).await;
    let ana = person(&clinic).await;
    let hiv = clinic.creates(&condition(&ana, ICD, "B20")).await;
    assert_eq!((labels(&hiv), hiv["meta"]["versionId"].as_str()), (vec!["R", "HIV"], Some("1")));
    let read = clinic.get(&format!("/fhir/{}", key(&hiv))).await.is(200).body;
    assert_eq!(read["meta"]["security"], hiv["meta"]["security"]);
    assert_eq!(labels(&clinic.creates(&condition(&ana, ICD, "J45.909")).await), ["N"]);
    let house = clinic.creates(&json!({"resourceType": "Location", "name": "HIV clinic"})).await;
    assert!(labels(&house).is_empty(), "the directory is nobody's data");
    // Taken out again by whoever corrects it, the labels stay, and the answer says so.
    let mut corrected = condition(&ana, ICD, "J45.909");
    corrected["id"] = hiv["id"].clone();
    corrected["meta"] = json!({"versionId": "1"});
    let now = clinic.put(&format!("/fhir/{}", key(&hiv)), &corrected).await.is(200);
    assert_eq!(labels(&now.body), ["R", "HIV"]);
    assert!(now.header("x-handoff-note").contains("never lowered"), "{:?}", now.headers);
    // What would be set is said before.
    let told = clinic.post("/fhir/Condition/$validate", &condition(&ana, ICD, "F11.20")).await.is(200);
    assert!(told.text.contains("`R`, `SUD`, `OPIOIDUD`"), "{}", told.text);
}

on_both!(labels_outlive_a_deletion);
async fn labels_outlive_a_deletion(on: On) {
    let (gw, clinic) = start(on).await;
    let (county, ana) = (gw.system(COUNTY).await, person(&clinic).await);
    let normal = json!({"securityLabel": [{"system": CONFIDENTIALITY, "code": "N"}]});
    clinic.creates(&permit(&ana, COUNTY, normal)).await;
    let hiv = clinic.creates(&condition(&ana, ICD, "B20")).await;
    let path = format!("/fhir/{}", key(&hiv));
    for _ in 0..2 {
        clinic.delete(&path).await.is(204);
    }
    let mut again = condition(&ana, ICD, "J45.909");
    again["id"] = hiv["id"].clone();
    let again = clinic.send(reqwest::Method::PUT, &path, &[], Some(again.to_string())).await;
    assert!(again.status < 300, "{}", again.text);
    assert_eq!(labels(&again.body), ["R", "HIV"]);
    county.get(&path).await.is(404);
}

on_both!(words_in_letters_that_look_alike_are_read);
async fn words_in_letters_that_look_alike_are_read(on: On) {
    let (_gw, clinic) = start(on).await;
    let ana = person(&clinic).await;
    for text in ["НΙV", "ＨＩＶ", "𝐇𝐈𝐕", "H\u{20dd}IV", "dоmеstiс viоlеnсе"] {
        assert!(labels(&clinic.creates(&noted(&ana, text)).await).is_empty(), "{text}");
    }
    assert_eq!(labels(&clinic.creates(&noted(&ana, "ясно, άλλο")).await), ["N"], "other alphabets alone say nothing");
}

on_both!(a_permit_on_normal_data_covers_neither_what_codes_nor_what_words_call_sensitive);
async fn a_permit_on_normal_data_covers_neither_what_codes_nor_what_words_call_sensitive(on: On) {
    let (gw, clinic) = start(on).await;
    let (county, ana) = (gw.system(COUNTY).await, person(&clinic).await);
    let normal = json!({"securityLabel": [{"system": CONFIDENTIALITY, "code": "N"}]});
    clinic.creates(&permit(&ana, COUNTY, normal)).await;
    let asthma = clinic.creates(&condition(&ana, ICD, "J45.909")).await;
    let hiv = clinic.creates(&condition(&ana, ICD, "B20")).await;
    let text = clinic.post("/fhir/Condition", &noted(&ana, "afraid: domestic violence")).await.is(201);
    assert!(labels(&text.body).is_empty(), "{}", text.text);
    assert!(text.header("x-handoff-note").contains("unclassified"), "{:?}", text.headers);
    county.get(&format!("/fhir/{}", key(&asthma))).await.is(200);
    county.get(&format!("/fhir/{}", key(&hiv))).await.is(404);
    county.get(&format!("/fhir/{}", key(&text.body))).await.is(404);
    assert_eq!(county.get(&format!("/fhir/Condition?patient={ana}")).await.is(200).keys(), [key(&asthma)]);
    // Its sender has read it and says what it is.
    let mut labelled = text.body.clone();
    labelled["meta"]["security"] = json!([{"system": CONFIDENTIALITY, "code": "N"}]);
    let mended = clinic.put(&format!("/fhir/{}", key(&labelled)), &labelled).await.is(200);
    assert_eq!((labels(&mended.body), mended.header("x-handoff-note")), (vec!["N"], ""));
    county.get(&format!("/fhir/{}", key(&labelled))).await.is(200);
    // And once it was called normal by us alone, words that are new make it unclassified again.
    let mut written = asthma.clone();
    written["note"] = json!([{"text": "VIH"}]);
    let written = clinic.put(&format!("/fhir/{}", key(&asthma)), &written).await.is(200).body;
    assert!(labels(&written).is_empty(), "{written}");
    county.get(&format!("/fhir/{}", key(&asthma))).await.is(404);
}

on_both!(what_comes_from_a_programme_carries_its_law);
async fn what_comes_from_a_programme_carries_its_law(on: On) {
    let gw = TestGateway::start(on).await;
    let programme = handoff::partner::Partner {
        id: "recovery".into(),
        name: "recovery".into(),
        kind: handoff::partner::Kind::Clinic,
        mode: handoff::partner::Mode::Light,
        endpoint: None,
        regimes: vec!["part2".into()],
        part_of: None,
    };
    gateway::enroll::partner(&gw.ctx, &programme).await.unwrap();
    gw.client("recovery-system", "recovery", "system/*.cruds").await;
    let recovery = gw.system("recovery").await;
    let ana = person(&recovery).await;
    assert_eq!(labels(&recovery.creates(&condition(&ana, ICD, "J45.909")).await), ["R", "42CFRPart2"]);
}

async fn step(gw: &TestGateway, together: usize) -> Option<Relabelled> {
    gateway::relabel(&gw.ctx, &Request { id: "relabel".into() }, together).await.ok().unwrap()
}

/// Steps until it is done.
async fn to_the_end(gw: &TestGateway) -> Relabelled {
    loop {
        let state = step(gw, 3).await.unwrap();
        if state.done {
            return state;
        }
    }
}

async fn version(clinic: &Actor, key: &str) -> (String, Vec<String>) {
    let read = clinic.get(&format!("/fhir/{key}")).await.is(200).body;
    let labels = labels(&read).into_iter().map(str::to_string).collect();
    (read["meta"]["versionId"].as_str().unwrap().to_string(), labels)
}

on_both!(new_lists_label_again_what_is_stored_and_go_on_where_they_were_stopped);
async fn new_lists_label_again_what_is_stored_and_go_on_where_they_were_stopped(on: On) {
    let (gw, clinic) = start(on).await;
    let ana = person(&clinic).await;
    let mut coded = Vec::new();
    for _ in 0..5 {
        coded.push(key(&clinic.creates(&condition(&ana, "urn:county", "a")).await));
    }
    let other = key(&clinic.creates(&condition(&ana, "urn:county", "b")).await);
    assert_eq!(to_the_end(&gw).await.changed, 0, "what was just written is labelled by the lists of now");

    let bad = json!({"name": "county", "version": "1", "lists": [
        {"id": "c", "system": "urn:county", "labels": ["NOPE"], "source": "s", "why": "w", "codes": [3]}]});
    let issues = gateway::import_labels(&gw.ctx, &bad.to_string()).await.unwrap_err();
    let places: Vec<&str> = issues.iter().map(|issue| issue.expression.as_str()).collect();
    assert_eq!(places, ["lists[0].codes[0]", "lists[0].labels[0]"]);
    assert!(step(&gw, 3).await.unwrap().done, "nothing has changed");

    let good = json!({"name": "county", "version": "1", "lists": [
        {"id": "c", "system": "urn:county", "labels": ["SEX"], "source": "s", "why": "w", "codes": ["a"]}]});
    assert_eq!(gateway::import_labels(&gw.ctx, &good.to_string()).await.unwrap(), "county@1");
    assert_eq!(labels(&clinic.creates(&condition(&ana, "urn:county", "a")).await), ["R", "SEX"]);
    assert!(step(&gw, 3).await.is_none(), "writes that began before may still be under way");
    gw.advance_secs(3);
    let begun = step(&gw, 3).await.unwrap();
    assert!(!begun.done && begun.changed < 5, "{begun:?}");
    // Another process goes on where this one was stopped.
    let after = gw.another_node().await;
    let done = to_the_end(&after).await;
    assert_eq!((done.changed, done.unfit), (5, 0), "{done:?}");
    for key in &coded {
        assert_eq!(version(&clinic, key).await, ("2".into(), vec!["R".into(), "SEX".into()]));
    }
    assert_eq!(version(&clinic, &other).await, ("1".into(), vec!["N".into()]));
    assert_eq!(to_the_end(&gw).await.changed, 5, "done is done");
    gw.tick().await;
    let log = gw.compliance("river-clinic").await.get("/fhir/AuditEvent?_count=200").await.is(200);
    assert!(log.text.contains("\"relabel\""), "{}", log.text);

    // What no list asks for any more stays.
    let empty = json!({"name": "county", "version": "2", "lists": []});
    gateway::import_labels(&gw.ctx, &empty.to_string()).await.unwrap();
    gw.advance_secs(3);
    assert_eq!(to_the_end(&gw).await.changed, 0);
    assert_eq!(version(&clinic, &coded[0]).await, ("2".into(), vec!["R".into(), "SEX".into()]));
}

on_both!(a_partner_that_comes_under_a_regime_has_what_it_brought_in_labelled);
async fn a_partner_that_comes_under_a_regime_has_what_it_brought_in_labelled(on: On) {
    let (gw, clinic) = start(on).await;
    let ana = person(&clinic).await;
    let asthma = key(&clinic.creates(&condition(&ana, ICD, "J45.909")).await);
    to_the_end(&gw).await;
    let mut partner = gw.ctx.partner("river-clinic").await.unwrap().unwrap();
    partner.regimes = vec!["part2".into()];
    gateway::enroll::partner(&gw.ctx, &partner).await.unwrap();
    gw.advance_secs(3);
    assert!(to_the_end(&gw).await.changed >= 2);
    assert_eq!(version(&clinic, &asthma).await, ("2".into(), vec!["R".into(), "42CFRPart2".into()]));
}

on_both!(without_the_classifier_labels_are_what_senders_say);
async fn without_the_classifier_labels_are_what_senders_say(on: On) {
    let gw = TestGateway::exchange_with(on, |config| config.labels.classify = false).await;
    let clinic = gw.system("river-clinic").await;
    let ana = person(&clinic).await;
    let mut hiv = clinic.creates(&condition(&ana, ICD, "B20")).await;
    assert!(labels(&hiv).is_empty());
    let path = format!("/fhir/{}", key(&hiv));
    hiv["meta"]["security"] = json!([{"system": CONFIDENTIALITY, "code": "R"}]);
    let mut hiv = clinic.put(&path, &hiv).await.is(200).body;
    hiv["meta"].as_object_mut().unwrap().shift_remove("security");
    assert_eq!(labels(&clinic.put(&path, &hiv).await.is(200).body), ["R"]);
}
