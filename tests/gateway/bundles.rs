//! Bundles to the letter of FHIR R4 http.html#transaction: order, links, conditions, answers.

use handoff::partner::Kind;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, On, TestGateway, entry, key, patient, start};
use crate::on_both;

fn bundle(kind: &str, entries: Vec<Value>) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

fn request(method: &str, url: &str) -> Value {
    json!({"request": {"method": method, "url": url}})
}

fn with(mut entry: Value, name: &str, value: &str) -> Value {
    entry["request"][name] = json!(value);
    entry
}

fn known(value: &str) -> Value {
    let mut known = patient();
    known["identifier"] = json!([{"system": "urn:mrn", "value": value}]);
    known
}

fn statuses(answer: &Value) -> Vec<&str> {
    let entries = answer["entry"].as_array().unwrap();
    entries.iter().map(|entry| entry["response"]["status"].as_str().unwrap().split(' ').next().unwrap()).collect()
}

async fn count(clinic: &Actor, kind: &str) -> Value {
    clinic.get(&format!("/fhir/{kind}?_summary=count")).await.is(200).body["total"].clone()
}

on_both!(every_condition_works_within_a_bundle);
async fn every_condition_works_within_a_bundle(on: On) {
    let (_gw, clinic) = start(on).await;
    for kind in ["transaction", "batch"] {
        let mark = |name: &str| format!("{kind}-{name}");
        let (there, old) = (clinic.creates(&known(&mark("there"))).await, clinic.creates(&known(&mark("old"))).await);
        let by = |name: &str| format!("Patient?identifier=urn:mrn|{}", mark(name));
        let put = |name: &str| json!({"resource": known(&mark(name)), "request": {"method": "PUT", "url": by(name)}});
        let entries = vec![
            with(entry(&known(&mark("there"))), "ifNoneExist", &by("there")[8..]),
            with(entry(&known(&mark("new"))), "ifNoneExist", &by("new")[8..]),
            put("put"),
            request("DELETE", &by("old")),
            request("DELETE", &by("nobody")),
            request("GET", &by("new")),
        ];
        let answer = clinic.post("/fhir", &bundle(kind, entries)).await.is(200).body;
        assert_eq!(statuses(&answer), ["200", "201", "201", "204", "204", "200"], "{kind}: {answer}");
        let response = |at: usize| answer["entry"][at]["response"].clone();
        assert!(response(0)["location"].as_str().unwrap().ends_with(&format!("{}/_history/1", key(&there))));
        assert_eq!(answer["entry"][0]["resource"], there);
        assert!(response(1)["location"].as_str().unwrap().contains("/fhir/Patient/"));
        assert_eq!((&response(3)["etag"], response(4).get("etag")), (&json!("W/\"2\""), None));
        assert_eq!(answer["entry"][5]["resource"]["total"], 1);
        clinic.get(&format!("/fhir/{}", key(&old))).await.is(410);
        let again = clinic.post("/fhir", &bundle(kind, vec![put("put")])).await.is(200).body;
        assert_eq!(statuses(&again), ["200"]);
        assert_eq!(again["entry"][0]["response"]["etag"], "W/\"2\"");
    }
    assert_eq!(count(&clinic, "Patient").await, 6);
}

on_both!(deletions_come_before_creations);
async fn deletions_come_before_creations(on: On) {
    let (_gw, clinic) = start(on).await;
    for kind in ["transaction", "batch"] {
        let old = clinic.creates(&known(kind)).await;
        let criteria = format!("identifier=urn:mrn|{kind}");
        for delete in [request("DELETE", &key(&old)), request("DELETE", &format!("Patient?{criteria}"))] {
            let create = with(entry(&known(kind)), "ifNoneExist", &criteria);
            let current = clinic.get(&format!("/fhir/Patient?{criteria}")).await.is(200).body;
            let delete = if delete["request"]["url"] == key(&old) {
                request("DELETE", &key(&current["entry"][0]["resource"]))
            } else {
                delete
            };
            let answer = clinic.post("/fhir", &bundle(kind, vec![create, delete])).await.is(200).body;
            assert_eq!(statuses(&answer), ["201", "204"], "{kind}: {answer}");
        }
        assert_eq!(clinic.get(&format!("/fhir/Patient?{criteria}")).await.is(200).body["total"], 1);
    }
}

on_both!(an_entry_that_is_there_already_is_what_the_others_point_at);
async fn an_entry_that_is_there_already_is_what_the_others_point_at(on: On) {
    let (_gw, clinic) = start(on).await;
    let there = clinic.creates(&known("7")).await;
    let goal = |subject: &str| json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"}, "subject": {"reference": subject}});
    for (url, subject) in [
        ("urn:uuid:6f0e6a52-4d0b-4a0e-8a11-000000000001", "urn:uuid:6f0e6a52-4d0b-4a0e-8a11-000000000001"),
        ("https://ehr.example/fhir/Patient/77", "https://ehr.example/fhir/Patient/77"),
        // A relative reference is read from the base of its own entry's fullUrl.
        ("https://ehr.example/fhir/Patient/77", "Patient/77"),
    ] {
        let mut person = with(entry(&known("7")), "ifNoneExist", "identifier=urn:mrn|7");
        person["fullUrl"] = json!(url);
        let mut aim = entry(&goal(subject));
        aim["fullUrl"] = json!("https://ehr.example/fhir/Goal/1");
        for entries in [vec![person.clone(), aim.clone()], vec![aim, person]] {
            let answer = clinic.post("/fhir", &bundle("transaction", entries)).await.is(200).body;
            let entries = answer["entry"].as_array().unwrap();
            let made = entries.iter().find(|entry| entry["resource"]["resourceType"] == "Goal").unwrap();
            assert_eq!(made["resource"]["subject"]["reference"], key(&there), "{url} {subject}");
        }
    }
    assert_eq!((count(&clinic, "Patient").await, count(&clinic, "Goal").await), (json!(1), json!(6)));
}

on_both!(links_are_rewritten_and_canonicals_and_identifiers_are_not);
async fn links_are_rewritten_and_canonicals_and_identifiers_are_not(on: On) {
    let (_gw, clinic) = start(on).await;
    let urn = "urn:uuid:6f0e6a52-4d0b-4a0e-8a11-000000000001";
    let mut person = entry(&patient());
    person["fullUrl"] = json!(urn);
    let plan = json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": urn},
        "text": {"status": "additional", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"{urn}\">x</a></div>")},
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": urn}],
        "instantiatesUri": [urn], "instantiatesCanonical": [urn]});
    let answer = clinic.post("/fhir", &bundle("transaction", vec![entry(&plan), person])).await.is(200).body;
    let (plan, person) = (&answer["entry"][0]["resource"], key(&answer["entry"][1]["resource"]));
    assert_eq!(plan["subject"]["reference"], person);
    assert_eq!(plan["instantiatesUri"], json!([person]));
    assert!(plan["text"]["div"].as_str().unwrap().contains(&format!("<a href=\"{person}\">")));
    assert_eq!((&plan["identifier"][0]["value"], &plan["instantiatesCanonical"][0]), (&json!(urn), &json!(urn)));
    let stored = clinic.get(&format!("/fhir/{person}")).await.is(200).body;
    let mut put = json!({"resource": stored, "request": {"method": "PUT", "url": person}});
    put["fullUrl"] = json!("https://ehr.example/fhir/Patient/1");
    let mut goal = entry(&json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"},
        "subject": {"reference": "https://ehr.example/fhir/Patient/1/_history/9"}}));
    goal["fullUrl"] = json!("urn:uuid:6f0e6a52-4d0b-4a0e-8a11-000000000002");
    let answer = clinic.post("/fhir", &bundle("transaction", vec![goal, put])).await.is(200).body;
    assert_eq!(answer["entry"][0]["resource"]["subject"]["reference"], format!("{person}/_history/2"));
}

on_both!(one_thing_is_done_to_once_however_it_is_named);
async fn one_thing_is_done_to_once_however_it_is_named(on: On) {
    let (_gw, clinic) = start(on).await;
    let there = clinic.creates(&known("7")).await;
    let by = "Patient?identifier=urn:mrn|7";
    let put = json!({"resource": there, "request": {"method": "PUT", "url": key(&there)}});
    let where_put = json!({"resource": known("7"), "request": {"method": "PUT", "url": by}});
    let unless = |value: &str| with(entry(&known(value)), "ifNoneExist", &format!("identifier=urn:mrn|{value}"));
    for twice in [
        vec![put.clone(), where_put.clone()],
        vec![where_put.clone(), where_put.clone()],
        vec![where_put, request("DELETE", &key(&there))],
        vec![request("DELETE", by), request("DELETE", &key(&there))],
        vec![unless("8"), unless("8")],
    ] {
        let refused = clinic.post("/fhir", &bundle("transaction", twice)).await;
        assert!((400..500).contains(&refused.status), "{}", refused.text);
        assert!(refused.text.contains("Bundle.entry[1]"), "{}", refused.text);
    }
    assert_eq!(clinic.get(&format!("/fhir/{}", key(&there))).await.is(200).body, there);
    assert_eq!(count(&clinic, "Patient").await, 1);
    // What is there already may be found twice.
    let answer = clinic.post("/fhir", &bundle("transaction", vec![unless("7"), unless("7")])).await.is(200).body;
    assert_eq!(statuses(&answer), ["200", "200"]);
}

on_both!(an_entry_that_cannot_be_done_is_named_with_all_others);
async fn an_entry_that_cannot_be_done_is_named_with_all_others(on: On) {
    let (_gw, clinic) = start(on).await;
    clinic.creates(&known("7")).await;
    clinic.creates(&known("7")).await;
    let bad = [
        with(entry(&known("7")), "ifNoneExist", "identifier=urn:mrn|7"),
        with(entry(&known("7")), "ifNoneExist", "nonsense=1"),
        json!({"resource": known("7"), "request": {"method": "PUT", "url": "Patient?identifier=urn:mrn|7"}}),
        request("DELETE", "Patient?identifier=urn:mrn|7"),
        request("DELETE", "Patient/nobody"),
    ];
    let mut entries = vec![entry(&patient())];
    entries.extend(bad.clone());
    let refused = clinic.post("/fhir", &bundle("transaction", entries.clone())).await;
    assert!((400..500).contains(&refused.status), "{}", refused.text);
    for at in 1..=5 {
        assert!(refused.text.contains(&format!("Bundle.entry[{at}]")), "{at}: {}", refused.text);
    }
    assert!(!refused.text.contains("Bundle.entry[0]"), "{}", refused.text);
    assert_eq!(count(&clinic, "Patient").await, 2);
    let answer = clinic.post("/fhir", &bundle("batch", entries)).await.is(200).body;
    assert_eq!(statuses(&answer), ["201", "412", "400", "412", "412", "404"]);
    for at in 1..=5 {
        let outcome = answer["entry"][at]["response"]["outcome"].to_string();
        assert!(outcome.contains(&format!("Bundle.entry[{at}]")), "{outcome}");
    }
    // What is no request at all is told for each entry before anything is done.
    for entry in [
        with(request("DELETE", "Patient/1"), "ifNoneExist", "identifier=x"),
        request("DELETE", "Patient"),
        request("DELETE", "patient?identifier=x"),
        request("PUT", "Patient?identifier=x"),
        request("GET", ""),
        request("HEAD", "a/b/c/d/e"),
        with(
            json!({"resource": known("7"), "request": {"method": "POST", "url": "Patient?identifier=x"}}),
            "ifNoneExist",
            "identifier=x",
        ),
    ] {
        let answer = clinic.post("/fhir", &bundle("batch", vec![entry.clone()])).await.is(200).body;
        assert_eq!(statuses(&answer), ["400"], "{entry}: {answer}");
    }
}

on_both!(reads_within_a_bundle_are_reads);
async fn reads_within_a_bundle_are_reads(on: On) {
    let (_gw, clinic) = start(on).await;
    let mut made = clinic.creates(&patient()).await;
    made["active"] = json!(true);
    let made = clinic.put(&format!("/fhir/{}", key(&made)), &made).await.is(200).body;
    let url = key(&made);
    for kind in ["transaction", "batch"] {
        let entries = vec![
            request("GET", &url),
            request("GET", &format!("{url}/_history/1")),
            request("GET", &format!("{url}/_history?_count=1")),
            request("HEAD", &url),
            with(request("GET", &url), "ifNoneMatch", "W/\"2\""),
            with(request("GET", &url), "ifNoneMatch", "W/\"1\""),
            with(request("GET", &url), "ifModifiedSince", "2026-03-02T12:00:01Z"),
            request("GET", "Patient?_count=1"),
            request("HEAD", "Patient"),
        ];
        let answer = clinic.post("/fhir", &bundle(kind, entries)).await.is(200).body;
        assert_eq!(statuses(&answer), ["200", "200", "200", "200", "304", "200", "304", "200", "200"], "{answer}");
        let at = |at: usize| &answer["entry"][at];
        assert_eq!(at(0)["resource"], made);
        assert_eq!(at(0)["response"]["lastModified"], made["meta"]["lastUpdated"]);
        assert_eq!(
            (&at(1)["resource"]["meta"]["versionId"], &at(1)["response"]["etag"]),
            (&json!("1"), &json!("W/\"1\""))
        );
        assert_eq!(at(2)["resource"]["type"], "history");
        for silent in [3, 4, 6, 8] {
            assert_eq!(at(silent).get("resource"), None, "{silent}");
        }
        assert_eq!(at(3)["response"]["etag"], "W/\"2\"");
        assert_eq!(at(7)["resource"]["type"], "searchset");
    }
}

on_both!(each_entry_answers_as_the_caller_prefers);
async fn each_entry_answers_as_the_caller_prefers(on: On) {
    let (_gw, clinic) = start(on).await;
    let there = clinic.creates(&known("7")).await;
    let unless = with(entry(&known("7")), "ifNoneExist", "identifier=urn:mrn|7");
    for kind in ["transaction", "batch"] {
        for (prefer, resource, outcome) in [
            ("return=minimal", false, false),
            ("return=representation", true, false),
            ("return=OperationOutcome", false, true),
        ] {
            let sent = bundle(kind, vec![entry(&patient()), unless.clone(), request("GET", &key(&there))]);
            let answer =
                clinic.send(Method::POST, "/fhir", &[("prefer", prefer)], Some(sent.to_string())).await.is(200).body;
            for at in 0..2 {
                let entry = &answer["entry"][at];
                assert_eq!(entry.get("resource").is_some(), resource, "{prefer}: {entry}");
                assert_eq!(entry["response"].get("outcome").is_some(), outcome, "{prefer}: {entry}");
                assert!(entry["response"]["location"].is_string() && entry["response"]["etag"].is_string());
            }
            assert_eq!(answer["entry"][2]["resource"], there, "a read is a read");
        }
    }
}

on_both!(chosen_ids_are_good_within_a_bundle);
async fn chosen_ids_are_good_within_a_bundle(on: On) {
    let gw = TestGateway::start_with(on, |config| config.ids.client_assigned = true).await;
    gw.enrol("river-clinic", Kind::Clinic, None).await;
    let clinic = gw.system("river-clinic").await;
    let put = |resource: Value| json!({"request": {"method": "PUT", "url": key(&resource)}, "resource": resource});
    let goal = json!({"resourceType": "Goal", "id": "river-clinic-g", "lifecycleStatus": "active",
        "description": {"text": "x"}, "subject": {"reference": "Patient/river-clinic-p"}});
    let person = json!({"resourceType": "Patient", "id": "river-clinic-p"});
    let entries = vec![put(goal.clone()), put(person.clone())];
    let answer = clinic.post("/fhir", &bundle("transaction", entries.clone())).await.is(200).body;
    assert_eq!(statuses(&answer), ["201", "201"]);
    assert!(answer["entry"][0]["response"]["location"].as_str().unwrap().ends_with("/Goal/river-clinic-g/_history/1"));
    assert_eq!(clinic.get("/fhir/Goal?patient=river-clinic-p").await.is(200).keys(), ["Goal/river-clinic-g"]);
    assert_eq!(statuses(&clinic.post("/fhir", &bundle("transaction", entries)).await.is(200).body), ["200", "200"]);
    let foreign = put(json!({"resourceType": "Patient", "id": "harbor-housing-p"}));
    clinic.post("/fhir", &bundle("transaction", vec![put(person), foreign])).await.is(404);
}

on_both!(a_deletion_is_done_once_and_undone_by_an_update);
async fn a_deletion_is_done_once_and_undone_by_an_update(on: On) {
    let (_gw, clinic) = start(on).await;
    let made = clinic.creates(&patient()).await;
    let (at, delete) = (format!("/fhir/{}", key(&made)), request("DELETE", &key(&made)));
    for _ in 0..2 {
        let answer = clinic.post("/fhir", &bundle("transaction", vec![delete.clone()])).await.is(200).body;
        assert_eq!(statuses(&answer), ["204"]);
        assert_eq!(answer["entry"][0]["response"]["etag"], "W/\"2\"", "the second changed nothing");
    }
    clinic.get(&at).await.is(410);
    let put = json!({"resource": made, "request": {"method": "PUT", "url": key(&made)}});
    let answer = clinic.post("/fhir", &bundle("transaction", vec![put])).await.is(200).body;
    assert_eq!(statuses(&answer), ["201"], "there was nothing");
    assert_eq!(clinic.get(&at).await.is(200).header("etag"), "W/\"3\"");
}

on_both!(a_bundle_at_its_type_is_stored_and_not_done);
async fn a_bundle_at_its_type_is_stored_and_not_done(on: On) {
    let (_gw, clinic) = start(on).await;
    let stored = clinic.post("/fhir/Bundle", &json!({"resourceType": "Bundle", "type": "collection"})).await;
    if stored.status != 404 {
        stored.is(201);
        assert_eq!(count(&clinic, "Bundle").await, 1);
    }
    clinic.post("/fhir/", &bundle("batch", vec![request("GET", "Patient")])).await.is(200);
}

on_both!(head_says_how_long_the_body_would_be);
async fn head_says_how_long_the_body_would_be(on: On) {
    let (_gw, clinic) = start(on).await;
    let made = clinic.creates(&patient()).await;
    let at = format!("/fhir/{}", key(&made));
    for path in [at.clone(), format!("{at}/_history/1"), format!("{at}/_history"), "/fhir/Patient?name=Sample".into()] {
        let (head, get) = (clinic.send(Method::HEAD, &path, &[], None).await.is(200), clinic.get(&path).await.is(200));
        assert_eq!(head.header("content-length"), get.text.len().to_string(), "{path}");
        for header in ["etag", "last-modified", "content-type"] {
            assert_eq!(head.header(header), get.header(header), "{path} {header}");
        }
        assert_eq!(head.text, "");
    }
}
