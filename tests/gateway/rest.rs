//! One resource by its address: what create, read, update, delete and history promise.

use handoff::partner::Kind;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, On, TestGateway, fixture, key, patient, start};
use crate::on_both;

fn path(resource: &Value) -> String {
    format!("/fhir/{}", key(resource))
}

on_both!(a_create_says_where_it_is_and_what_was_stored);
async fn a_create_says_where_it_is_and_what_was_stored(on: On) {
    let (_gw, clinic) = start(on).await;
    let mut sent = patient();
    sent["id"] = json!("mine");
    sent["meta"] = json!({"versionId": "9", "lastUpdated": "2001-01-01T00:00:00Z", "tag": [{"code": "x"}]});
    let made = clinic.post("/fhir/Patient", &sent).await.is(201);
    assert_ne!(made.body["id"], "mine", "ids are the server's");
    assert_eq!(made.header("content-type"), "application/fhir+json; charset=utf-8");
    assert_eq!(made.header("location"), format!("{}{}/_history/1", clinic.base(), path(&made.body)));
    assert_eq!(made.header("etag"), "W/\"1\"");
    assert_eq!(made.header("last-modified"), "Mon, 02 Mar 2026 12:00:00 GMT");
    let meta = &made.body["meta"];
    assert_eq!((&meta["versionId"], &meta["source"]), (&json!("1"), &json!("Organization/river-clinic")));
    assert_eq!(meta["tag"], json!([{"code": "x"}]));
    assert!(meta["lastUpdated"].as_str().unwrap().starts_with("2026-03-02T12:00:00"));
    let read = clinic.get(&path(&made.body)).await.is(200);
    assert_eq!(read.text, made.text, "the same bytes");
    assert_eq!((read.header("etag"), read.header("last-modified")), ("W/\"1\"", made.header("last-modified")));
    assert!(read.header("cache-control").contains("private"), "H36");
    let version = clinic.get(made.header("location")).await.is(200);
    assert_eq!((version.text.as_str(), version.header("etag")), (made.text.as_str(), "W/\"1\""));
}

on_both!(a_known_version_is_not_sent_again);
async fn a_known_version_is_not_sent_again(on: On) {
    let (gw, clinic) = start(on).await;
    let made = clinic.creates(&patient()).await;
    for (tag, status) in [
        ("W/\"1\"", 304),
        ("\"1\"", 304),
        ("1", 304),
        ("W/\"7\", W/\"1\"", 304),
        ("*", 304),
        ("W/\"2\"", 200),
        ("\"11\"", 200),
        ("x", 200),
    ] {
        let headers = [("if-none-match", tag)];
        let answer = clinic.send(Method::GET, &path(&made), &headers, None).await;
        assert_eq!(answer.status, status, "{tag}");
        assert_eq!(answer.header("etag"), "W/\"1\"", "{tag}");
        assert_eq!(answer.text.is_empty(), status == 304, "{tag}");
        // Who may not see it learns nothing by guessing its version.
        let other = gw.system("corner-food-bank").await.send(Method::GET, &path(&made), &headers, None).await;
        assert_eq!((other.status, other.header("etag")), (404, ""), "{tag}");
    }
}

on_both!(head_answers_as_get_does_without_the_body);
async fn head_answers_as_get_does_without_the_body(on: On) {
    let (_gw, clinic) = start(on).await;
    let made = clinic.creates(&patient()).await;
    let at = path(&made);
    for (address, status) in [
        (at.clone(), 200),
        (format!("{at}/_history/1"), 200),
        (format!("{at}/_history"), 200),
        ("/fhir/Patient".into(), 200),
        ("/fhir/Patient/x".into(), 404),
    ] {
        let head = clinic.send(Method::HEAD, &address, &[], None).await;
        let get = clinic.get(&address).await;
        assert_eq!((head.status, get.status, head.text.as_str()), (status, status, ""), "{address}");
        for header in ["etag", "last-modified", "content-type", "cache-control"] {
            assert_eq!(head.header(header), get.header(header), "{address} {header}");
        }
    }
}

on_both!(versions_count_up_and_time_never_stands_still);
async fn versions_count_up_and_time_never_stands_still(on: On) {
    let (gw, clinic) = start(on).await;
    let mut current = clinic.creates(&patient()).await;
    let mut times = vec![current["meta"]["lastUpdated"].as_str().unwrap().to_string()];
    for version in ["2", "3", "4", "5"] {
        if version == "4" {
            gw.advance_secs(-3_600);
        }
        current["active"] = json!(version == "2");
        current["meta"]["source"] = json!("Organization/harbor-housing");
        let answer = clinic.put(&path(&current), &current).await.is(200);
        assert_eq!(answer.header("etag"), format!("W/\"{version}\""));
        assert_eq!(answer.header("location"), "");
        current = answer.body;
        assert_eq!(current["meta"]["versionId"], version);
        assert_eq!(current["meta"]["source"], "Organization/river-clinic");
        times.push(current["meta"]["lastUpdated"].as_str().unwrap().to_string());
    }
    assert!(times.is_sorted_by(|earlier, later| earlier < later), "strictly, even when the clock goes back: {times:?}");
    let at = path(&current);
    for (version, active) in [("1", Value::Null), ("2", json!(true)), ("3", json!(false))] {
        let old = clinic.get(&format!("{at}/_history/{version}")).await.is(200);
        assert_eq!((&old.body["active"], old.header("etag")), (&active, format!("W/\"{version}\"").as_str()));
    }
    for version in ["0", "6", "-1", "01x", "99999999999999999999"] {
        clinic.get(&format!("{at}/_history/{version}")).await.is(404);
    }
}

on_both!(the_source_is_the_origins_whoever_updates);
async fn the_source_is_the_origins_whoever_updates(on: On) {
    let (gw, clinic) = start(on).await;
    let housing = gw.system("harbor-housing").await;
    let task = clinic.submits(&fixture("ana")).await.one("Task");
    let mut view = housing.get(&path(&task)).await.is(200).body;
    view["status"] = json!("accepted");
    let written = housing.put(&path(&task), &view).await.is(200).body;
    assert_eq!(written["meta"]["source"], "Organization/river-clinic");
    assert_eq!(clinic.get(&path(&task)).await.is(200).body["meta"]["source"], "Organization/river-clinic");
}

on_both!(what_was_deleted_is_gone_for_its_own_and_unknown_to_others);
async fn what_was_deleted_is_gone_for_its_own_and_unknown_to_others(on: On) {
    let (gw, clinic) = start(on).await;
    let stranger = gw.system("corner-food-bank").await;
    let made = clinic.creates(&patient()).await;
    let at = path(&made);
    stranger.delete(&at).await.is(404);
    clinic.delete(&at).await.is(204);
    let gone = clinic.get(&at).await.is(410);
    assert_eq!(gone.rules(), ["deleted"]);
    clinic.get(&format!("{at}/_history/2")).await.is(410);
    clinic.get(&format!("{at}/_history/1")).await.is(200);
    clinic.delete(&at).await.is(204);
    stranger.get(&at).await.is(404);
    stranger.get(&format!("{at}/_history")).await.is(404);
    stranger.delete(&at).await.is(404);
    assert_eq!(clinic.get("/fhir/Patient").await.is(200).body["total"], 0);
    let history = clinic.get(&format!("{at}/_history")).await.is(200).body;
    let methods: Vec<&str> =
        history["entry"].as_array().unwrap().iter().map(|entry| entry["request"]["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["DELETE", "POST"], "the second deletion changed nothing");
    // It can come back as a further version.
    let mut again = made.clone();
    again["meta"]["versionId"] = json!("2");
    let again = clinic.put(&at, &again).await;
    assert!(matches!(again.status, 200 | 201), "{}", again.text);
    assert_eq!(clinic.get(&at).await.is(200).body["meta"]["versionId"], "3");
}

on_both!(an_update_of_nothing_is_404_unless_ids_may_be_chosen);
async fn an_update_of_nothing_is_404_unless_ids_may_be_chosen(on: On) {
    let named = |id: &str| json!({"resourceType": "Patient", "id": id});
    let (_gw, clinic) = start(on).await;
    clinic.put("/fhir/Patient/river-clinic-1", &named("river-clinic-1")).await.is(404);

    let gw = TestGateway::start_with(on, |config| config.ids.client_assigned = true).await;
    gw.enrol("river-clinic", Kind::Clinic, None).await;
    gw.enrol("harbor-housing", Kind::Housing, None).await;
    let (clinic, housing) = (gw.system("river-clinic").await, gw.system("harbor-housing").await);
    let send = |actor: Actor, id: &'static str| async move {
        actor.send(Method::PUT, &format!("/fhir/Patient/{id}"), &[], Some(named(id).to_string())).await
    };
    let made = send(clinic.clone(), "river-clinic-1").await.is(201);
    assert_eq!((made.body["id"].as_str(), made.header("etag")), (Some("river-clinic-1"), "W/\"1\""));
    assert!(made.header("location").ends_with("/fhir/Patient/river-clinic-1/_history/1"));
    send(clinic.clone(), "river-clinic-1").await.is(200);
    for id in ["harbor-housing-1", "river-clinic", "river-clinicx-1", "1"] {
        send(clinic.clone(), id).await.is(404);
    }
    // H20: what is there but hidden answers as what is not there.
    let hidden = send(housing.clone(), "river-clinic-1").await.is(404);
    let absent = send(housing.clone(), "river-clinic-2").await.is(404);
    assert_eq!(hidden.text.replace("clinic-1", "clinic-2"), absent.text);
    send(housing, "harbor-housing-1").await.is(201);
    let goal = json!({"resourceType": "Goal", "id": "river-clinic-g", "lifecycleStatus": "active",
        "description": {"text": "x"}, "subject": {"reference": "Patient/river-clinic-1"}});
    clinic.send(Method::PUT, "/fhir/Goal/river-clinic-g", &[], Some(goal.to_string())).await.is(201);
    assert_eq!(clinic.get("/fhir/Goal?patient=river-clinic-1").await.keys(), ["Goal/river-clinic-g"]);
}

on_both!(the_answer_is_as_long_as_the_caller_prefers);
async fn the_answer_is_as_long_as_the_caller_prefers(on: On) {
    let (_gw, clinic) = start(on).await;
    for (prefer, kind) in [
        ("return=minimal", None),
        ("return=representation", Some("Patient")),
        ("return=OperationOutcome", Some("OperationOutcome")),
        ("return=poetry", Some("Patient")),
        ("respond-async, return=minimal", None),
        ("handling=strict; return=minimal", None),
    ] {
        let made = clinic
            .send(Method::POST, "/fhir/Patient", &[("prefer", prefer)], Some(patient().to_string()))
            .await
            .is(201);
        assert_eq!(made.body["resourceType"].as_str(), kind, "{prefer}");
        assert!(made.header("location").contains("/fhir/Patient/") && made.header("etag") == "W/\"1\"", "{prefer}");
        if kind.is_none() {
            assert_eq!(made.text, "");
        }
    }
    assert_eq!(clinic.get("/fhir/Patient").await.is(200).body["total"], 6);
}

on_both!(json_by_either_name_goes_in_and_comes_out);
async fn json_by_either_name_goes_in_and_comes_out(on: On) {
    let (_gw, clinic) = start(on).await;
    let headers = [("content-type", "application/json"), ("accept", "application/json")];
    let made = clinic.send(Method::POST, "/fhir/Patient", &headers, Some(patient().to_string())).await.is(201).body;
    for (accept, format, status) in [
        ("application/fhir+json", "", 200),
        ("application/json", "", 200),
        ("*/*", "", 200),
        ("text/html, application/json;q=0.5", "", 200),
        ("text/turtle", "", 406),
        // rules.md 27: `_format` beats Accept.
        ("application/fhir+xml", "?_format=json", 200),
        ("text/html", "?_format=application/fhir%2Bjson", 200),
        ("application/fhir+json", "?_format=html", 406),
    ] {
        let answer = clinic.send(Method::GET, &format!("{}{format}", path(&made)), &[("accept", accept)], None).await;
        assert_eq!(answer.status, status, "{accept} {format}: {}", answer.text);
    }
}

on_both!(what_was_sent_comes_back_to_the_letter);
async fn what_was_sent_comes_back_to_the_letter(on: On) {
    let (_gw, clinic) = start(on).await;
    let subject = key(&clinic.creates(&patient()).await);
    let middle = r#""status":"final","code":{"text":"Ä \" \\ / 🏠"},"extension":[{"url":"https://x.example/b","valueDecimal":0.0100},{"url":"https://x.example/a","valueString":"z"}],"#;
    let end = r#","_status":{"extension":[{"url":"https://x.example/c","valueBoolean":true}]},"valueQuantity":{"value":1.50,"unit":"h"}}"#;
    let sent = format!(r#"{{"resourceType":"Observation",{middle}"subject":{{"reference":"{subject}"}}{end}"#);
    let made = clinic.send(Method::POST, "/fhir/Observation", &[], Some(sent.clone())).await.is(201);
    let text = clinic.get(&path(&made.body)).await.is(200).text;
    let at = text.find(r#""status""#).unwrap();
    assert_eq!(&text[at..], &sent[sent.find(r#""status""#).unwrap()..], "numbers, order and extensions");
    let found = clinic.get("/fhir/Observation").await.is(200).text;
    assert!(found.contains(&text), "a search gives the same bytes");
}

on_both!(a_history_is_walked_page_by_page);
async fn a_history_is_walked_page_by_page(on: On) {
    let (_gw, clinic) = start(on).await;
    let mut current = clinic.creates(&patient()).await;
    for at in 0..6 {
        current["active"] = json!(at % 2 == 0);
        current = clinic.put(&path(&current), &current).await.is(200).body;
    }
    for count in [1, 2, 3, 7, 8] {
        let mut next = Some(format!("{}/_history?_count={count}", path(&current)));
        let mut versions = Vec::new();
        while let Some(address) = next {
            let page = clinic.get(&address).await.is(200).body;
            let entries = page["entry"].as_array().cloned().unwrap_or_default();
            assert!(!entries.is_empty() && entries.len() <= count, "{page}");
            versions.extend(entries.iter().map(|entry| entry["resource"]["meta"]["versionId"].clone()));
            let links = page["link"].as_array().unwrap();
            let found = links.iter().find(|link| link["relation"] == "next");
            next = found.map(|link| link["url"].as_str().unwrap().to_string());
        }
        assert_eq!(versions, ["7", "6", "5", "4", "3", "2", "1"], "by {count}");
    }
}
