//! Writes that hang on what is there: exactly once, within the caller's reach, and told in words when it cannot be.

use futures_util::future::join_all;
use handoff::partner::Kind;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, On, TestGateway, fixture, key, patient, start};
use crate::on_both;
use crate::reach::{itself, permit};

const MRN: &str = "identifier=https://river-clinic.example/mrn|RC-7";

fn known(value: &str) -> Value {
    let mut known = patient();
    known["identifier"] = json!([{"system": "https://river-clinic.example/mrn", "value": value}]);
    known
}

/// A create unless something matches.
async fn creates_unless(actor: &Actor, resource: &Value, criteria: &str) -> Answer {
    let path = format!("/fhir/{}", resource["resourceType"].as_str().unwrap());
    actor.send(Method::POST, &path, &[("if-none-exist", criteria)], Some(resource.to_string())).await
}

async fn put(actor: &Actor, path: &str, resource: &Value, headers: &[(&str, &str)]) -> Answer {
    actor.send(Method::PUT, path, headers, Some(resource.to_string())).await
}

async fn patch(actor: &Actor, path: &str, patch: &Value) -> Answer {
    let headers = [("content-type", "application/merge-patch+json")];
    actor.send(Method::PATCH, path, &headers, Some(patch.to_string())).await
}

async fn count(actor: &Actor, kind: &str) -> Value {
    actor.get(&format!("/fhir/{kind}?_summary=count")).await.is(200).body["total"].clone()
}

on_both!(of_64_identical_creates_one_creates_and_all_find_it);
async fn of_64_identical_creates_one_creates_and_all_find_it(on: On) {
    let (gw, clinic) = start(on).await;
    // On SQLite one process has the file; PostgreSQL is shared.
    let other = if matches!(on, On::Postgres) { Some(gw.another_node().await) } else { None };
    let there = match &other {
        Some(node) => node.system("river-clinic").await,
        None => clinic.clone(),
    };
    let body = known("RC-7");
    let sends = (0..64).map(|at| creates_unless(if at % 2 == 0 { &clinic } else { &there }, &body, MRN));
    let answers = join_all(sends).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(created, 1, "{statuses:?}");
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)), "{statuses:?}");
    let of = |answer: &Answer| answer.header("location").split("/fhir/").nth(1).unwrap().to_string();
    let location = of(&answers[0]);
    assert!(answers.iter().all(|answer| of(answer) == location && answer.body == answers[0].body));
    assert_eq!(count(&clinic, "Patient").await, 1);
    assert_eq!(clinic.get(&format!("/fhir/{}", key(&answers[0].body))).await.is(200).body, answers[0].body);
}

on_both!(of_many_identical_conditional_updates_one_creates);
async fn of_many_identical_conditional_updates_one_creates(on: On) {
    let (_gw, clinic) = start(on).await;
    let (path, body) = (format!("/fhir/Patient?{MRN}"), known("RC-7"));
    let answers = join_all((0..16).map(|_| put(&clinic, &path, &body, &[]))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    // Updates of one version at once are a conflict, as without criteria.
    assert!(statuses.iter().all(|status| matches!(status, 200 | 201 | 409)), "{statuses:?}");
    assert!(statuses.contains(&200), "{statuses:?}");
    assert_eq!(count(&clinic, "Patient").await, 1);
}

on_both!(a_referral_sent_in_many_transactions_at_once_is_one_referral);
async fn a_referral_sent_in_many_transactions_at_once_is_one_referral(on: On) {
    let (gw, clinic) = start(on).await;
    let other = if matches!(on, On::Postgres) { Some(gw.another_node().await) } else { None };
    let there = match &other {
        Some(node) => node.system("river-clinic").await,
        None => clinic.clone(),
    };
    let mut bundle = fixture("ana");
    let entries = bundle["entry"].as_array_mut().unwrap();
    entries.retain(|entry| {
        ["Patient", "ServiceRequest", "Task"].contains(&entry["resource"]["resourceType"].as_str().unwrap())
    });
    for entry in entries.iter_mut() {
        let kind = entry["resource"]["resourceType"].as_str().unwrap().to_string();
        if kind == "ServiceRequest" {
            entry["resource"]["identifier"] = json!([{"system": "https://river-clinic.example/orders", "value": "1"}]);
        }
        let identifier = &entry["resource"]["identifier"][0];
        let criteria =
            format!("identifier={}|{}", identifier["system"].as_str().unwrap(), identifier["value"].as_str().unwrap());
        entry["request"]["ifNoneExist"] = json!(criteria);
    }
    let mut turned = bundle.clone();
    turned["entry"].as_array_mut().unwrap().reverse();
    let sends = (0..24).map(|at| {
        let actor = if at % 2 == 0 { &clinic } else { &there };
        actor.post("/fhir", if at % 3 == 0 { &turned } else { &bundle })
    });
    let answers = join_all(sends).await;
    let mut keys: Vec<Vec<String>> = Vec::new();
    let mut created = 0;
    for answer in answers {
        let entries = answer.is(200).body["entry"].as_array().unwrap().clone();
        let status = |entry: &Value| entry["response"]["status"].as_str().unwrap().starts_with("201");
        created += entries.iter().filter(|entry| status(entry)).count();
        let mut found: Vec<String> = entries.iter().map(|entry| key(&entry["resource"])).collect();
        found.sort();
        keys.push(found);
        let of = |kind: &str| {
            entries.iter().find(|entry| entry["resource"]["resourceType"] == kind).unwrap()["resource"].clone()
        };
        assert_eq!(of("Task")["for"]["reference"], key(&of("Patient")));
        assert_eq!(of("Task")["focus"]["reference"], key(&of("ServiceRequest")));
    }
    keys.dedup();
    assert_eq!((keys.len(), created), (1, 3), "{keys:?}");
    for kind in ["Patient", "ServiceRequest", "Task"] {
        assert_eq!(count(&clinic, kind).await, 1, "{kind}");
    }
}

on_both!(a_create_that_finds_what_is_there_changes_nothing);
async fn a_create_that_finds_what_is_there_changes_nothing(on: On) {
    let (_gw, clinic) = start(on).await;
    let made = creates_unless(&clinic, &known("RC-7"), MRN).await.is(201);
    let mut other = known("RC-7");
    other["active"] = json!(true);
    for criteria in [MRN.to_string(), format!("?{MRN}"), format!("Patient?{MRN}"), MRN.replace('|', "%7C")] {
        let found = creates_unless(&clinic, &other, &criteria).await.is(200);
        assert_eq!(found.text, made.text, "{criteria}");
        assert_eq!(found.header("location"), made.header("location"));
        assert_eq!(found.header("etag"), "W/\"1\"");
    }
    // As fhirpy sends it.
    let headers = [("content-type", "application/json")];
    let path = format!("/fhir/Patient?{MRN}&_format=json");
    let found = clinic.send(Method::POST, &path, &headers, Some(other.to_string())).await.is(200);
    assert_eq!(found.text, made.text);
    clinic.send(Method::POST, "/fhir/Patient?_format=json", &headers, Some(patient().to_string())).await.is(201);
    let minimal = [("if-none-exist", MRN), ("prefer", "return=minimal")];
    let silent = clinic.send(Method::POST, "/fhir/Patient", &minimal, Some(other.to_string())).await.is(200);
    assert_eq!((silent.text.as_str(), silent.header("location")), ("", made.header("location")));
    // A second one that matches leaves nobody to choose.
    clinic.creates(&known("RC-7")).await;
    let several = creates_unless(&clinic, &other, MRN).await.is(412);
    assert_eq!(several.rules(), ["criteria-several"]);
    assert_eq!(count(&clinic, "Patient").await, 3);
    // What was deleted is not there.
    clinic.delete(&format!("/fhir/{}", key(&made.body))).await.is(204);
    assert_eq!(creates_unless(&clinic, &other, MRN).await.is(200).header("etag"), "W/\"1\"");
}

on_both!(criteria_match_within_the_callers_reach);
async fn criteria_match_within_the_callers_reach(on: On) {
    let (gw, clinic) = start(on).await;
    let (housing, food) = (gw.system("harbor-housing").await, gw.system("corner-food-bank").await);
    let ana = clinic.submits(&fixture("ana")).await.one("Patient");
    let of_ana = "identifier=https://river-clinic.example/mrn|RC-1001";
    // A consent opens her to housing, which finds her; the food bank does not, and makes its own record.
    let found = creates_unless(&housing, &known("RC-1001"), of_ana).await.is(200);
    assert_eq!(found.body["id"], ana["id"]);
    let hidden = creates_unless(&food, &known("RC-1001"), of_ana).await.is(201);
    assert_ne!(hidden.body["id"], ana["id"]);
    let absent =
        creates_unless(&food, &known("RC-9"), "identifier=https://river-clinic.example/mrn|RC-9").await.is(201);
    let plain = |answer: &Answer| {
        let id = answer.body["id"].as_str().unwrap();
        answer.text.replace(id, "ID").replace("RC-1001", "RC-9")
    };
    assert_eq!(plain(&hidden), plain(&absent), "hidden and absent are answered alike");
    // Nor by the other verbs; once it has its own, those find that one.
    for (path, id) in [(format!("/fhir/Patient?{of_ana}"), hidden.body["id"].clone())] {
        let mut body = known("RC-1001");
        body["active"] = json!(true);
        assert_eq!(put(&food, &path, &body, &[]).await.is(200).body["id"], id);
        assert_eq!(patch(&food, &path, &json!({"gender": "female"})).await.is(200).body["id"], id);
        food.delete(&path).await.is(204);
    }
    let path = format!("/fhir/Patient?{of_ana}");
    let missing = patch(&food, &path, &json!({"active": true})).await.is(404);
    let nobody = patch(&food, "/fhir/Patient?identifier=nobody", &json!({"active": true})).await.is(404);
    assert_eq!(missing.text, nobody.text);
    food.delete(&path).await.is(204);
    assert_eq!(clinic.get(&format!("/fhir/{}", key(&ana))).await.is(200).body, ana, "untouched by all of it");
    // Who sees her but does not own her finds her, and may not change her.
    assert_eq!(patch(&housing, &path, &json!({"active": true})).await.is(403).rules(), ["not-yours"]);
    housing.delete(&path).await.is(403);
    put(&housing, &path, &known("RC-1001"), &[]).await.is(403);
}

on_both!(who_was_not_looked_at_is_said);
async fn who_was_not_looked_at_is_said(on: On) {
    let gw = TestGateway::exchange_with(on, |config| config.consent.people_max = 1).await;
    let (clinic, housing) = (gw.system("river-clinic").await, gw.system("harbor-housing").await);
    let made = creates_unless(&housing, &known("1"), "identifier=a|1").await.is(201);
    assert_eq!(made.header("x-handoff-note"), "");
    for _ in 0..2 {
        let ana = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
        clinic.creates(&permit(&ana, "harbor-housing", itself(&ana))).await;
    }
    let made = creates_unless(&housing, &known("2"), "identifier=a|2").await.is(201);
    assert!(made.header("x-handoff-note").contains("name a patient"), "{:?}", made.headers);
}

on_both!(a_conditional_update_creates_updates_or_asks_to_be_clearer);
async fn a_conditional_update_creates_updates_or_asks_to_be_clearer(on: On) {
    let (_gw, clinic) = start(on).await;
    let path = format!("/fhir/Patient?{MRN}");
    let made = put(&clinic, &path, &known("RC-7"), &[]).await.is(201);
    assert!(made.header("location").ends_with(&format!("{}/_history/1", key(&made.body))));
    let mut body = known("RC-7");
    body["active"] = json!(true);
    let changed = put(&clinic, &path, &body, &[]).await.is(200);
    assert_eq!((&changed.body["id"], changed.header("etag")), (&made.body["id"], "W/\"2\""));
    assert!(changed.header("location").ends_with(&format!("{}/_history/2", key(&made.body))));
    assert!(changed.text.starts_with("{\"resourceType\":\"Patient\",\"id\":"), "{}", changed.text);
    body["id"] = made.body["id"].clone();
    put(&clinic, &path, &body, &[("if-match", "W/\"2\"")]).await.is(200);
    put(&clinic, &path, &body, &[("if-match", "W/\"2\"")]).await.is(412);
    body["id"] = json!("another");
    assert_eq!(put(&clinic, &path, &body, &[]).await.is(400).rules(), ["identity"]);
    // Nothing matches: an id in the body is only good where ids may be chosen, a version cannot be.
    let elsewhere = "/fhir/Patient?identifier=https://river-clinic.example/mrn|RC-8";
    put(&clinic, elsewhere, &body, &[]).await.is(404);
    body["id"] = made.body["id"].clone();
    put(&clinic, elsewhere, &body, &[]).await.is(409);
    put(&clinic, elsewhere, &known("RC-8"), &[("if-match", "W/\"1\"")]).await.is(412);
    let goal = json!({"resourceType": "Goal"});
    assert_eq!(put(&clinic, &path, &goal, &[]).await.is(400).rules(), ["identity"]);
    clinic.creates(&known("RC-7")).await;
    assert_eq!(put(&clinic, &path, &known("RC-7"), &[]).await.is(412).rules(), ["criteria-several"]);
    assert_eq!(count(&clinic, "Patient").await, 2);
}

on_both!(a_conditional_update_may_choose_an_id_where_ids_may_be_chosen);
async fn a_conditional_update_may_choose_an_id_where_ids_may_be_chosen(on: On) {
    let gw = TestGateway::start_with(on, |config| config.ids.client_assigned = true).await;
    gw.enrol("river-clinic", Kind::Clinic, None).await;
    let clinic = gw.system("river-clinic").await;
    let mut body = known("RC-7");
    body["id"] = json!("river-clinic-7");
    let path = format!("/fhir/Patient?{MRN}");
    assert_eq!(put(&clinic, &path, &body, &[]).await.is(201).body["id"], "river-clinic-7");
    assert_eq!(put(&clinic, &path, &known("RC-7"), &[]).await.is(200).body["id"], "river-clinic-7");
    body["id"] = json!("harbor-housing-7");
    put(&clinic, "/fhir/Patient?identifier=x|y", &body, &[]).await.is(404);
}

on_both!(conditional_patch_and_delete_do_it_to_the_one);
async fn conditional_patch_and_delete_do_it_to_the_one(on: On) {
    let (_gw, clinic) = start(on).await;
    let path = format!("/fhir/Patient?{MRN}");
    patch(&clinic, &path, &json!({"active": true})).await.is(404);
    clinic.delete(&path).await.is(204);
    let made = clinic.creates(&known("RC-7")).await;
    let changed = patch(&clinic, &path, &json!({"active": true})).await.is(200);
    assert_eq!((&changed.body["active"], changed.header("etag")), (&json!(true), "W/\"2\""));
    assert!(changed.header("location").contains(&key(&made)));
    let second = clinic.creates(&known("RC-7")).await;
    patch(&clinic, &path, &json!({"active": true})).await.is(412);
    assert_eq!(clinic.delete(&path).await.is(412).rules(), ["criteria-several"]);
    assert_eq!(count(&clinic, "Patient").await, 2);
    clinic.delete(&format!("/fhir/{}", key(&second))).await.is(204);
    let stale = [("if-match", "W/\"1\"")];
    clinic.send(Method::DELETE, &path, &stale, None).await.is(412);
    clinic.delete(&path).await.is(204);
    clinic.get(&format!("/fhir/{}", key(&made))).await.is(410);
    clinic.delete(&path).await.is(204);
}

on_both!(a_tasks_identifier_names_its_version);
async fn a_tasks_identifier_names_its_version(on: On) {
    let (gw, clinic) = start(on).await;
    let housing = gw.system("harbor-housing").await;
    let task = clinic.submits(&fixture("ana")).await.one("Task");
    let by_identifier = "/fhir/Task?identifier=https://river-clinic.example/referrals|REF-2001";
    let accept = json!({"status": "accepted"});
    assert_eq!(patch(&housing, "/fhir/Task?status=requested", &accept).await.is(428).rules(), ["if-match"]);
    assert_eq!(patch(&housing, "/fhir/Task?identifier=REF-2001", &accept).await.is(428).rules(), ["if-match"]);
    let accepted = patch(&housing, by_identifier, &accept).await.is(200);
    assert_eq!((&accepted.body["status"], &accepted.body["id"]), (&json!("accepted"), &task["id"]));
    // The steps and roles are those of any update.
    assert_eq!(
        patch(&housing, by_identifier, &json!({"status": "requested"})).await.is(422).rules(),
        ["task-transition"]
    );
    assert_eq!(patch(&housing, by_identifier, &json!({"priority": "stat"})).await.is(422).rules(), ["task-not-yours"]);
    let mut begun = accepted.body.clone();
    begun["status"] = json!("in-progress");
    begun.as_object_mut().unwrap().remove("id");
    assert_eq!(put(&housing, by_identifier, &begun, &[]).await.is(200).body["status"], "in-progress");
    put(&housing, by_identifier, &begun, &[("if-match", "W/\"1\"")]).await.is(412);
    let other = gw.system("corner-food-bank").await;
    patch(&other, by_identifier, &accept).await.is(404);
}

on_both!(criteria_that_say_too_little_or_too_much_are_refused);
async fn criteria_that_say_too_little_or_too_much_are_refused(on: On) {
    let (_gw, clinic) = start(on).await;
    for (criteria, rule) in [
        ("", "criteria"),
        ("?", "criteria"),
        ("nonsense=1", "parameter-unknown"),
        ("identifier:nonsense=1", "parameter-unknown"),
        ("identifier=", "parameter-value"),
        ("birthdate=soon", "parameter-value"),
        ("identifier=s|v&_count=1", "criteria"),
        ("identifier=s|v&_sort=name", "criteria"),
        ("_summary=count", "criteria"),
        ("_page=x", "criteria"),
        ("Group?identifier=s|v", "parameter-unknown"),
    ] {
        let refused = creates_unless(&clinic, &known("RC-7"), criteria).await.is(400);
        assert!(refused.rules().iter().any(|found| found == rule), "{criteria}: {}", refused.text);
        if criteria.contains('=') && !criteria.starts_with("Group") {
            let path = format!("/fhir/Patient?{criteria}");
            assert_eq!(put(&clinic, &path, &known("RC-7"), &[]).await.is(400).rules(), refused.rules());
            assert_eq!(patch(&clinic, &path, &json!({})).await.is(400).rules(), refused.rules());
            assert_eq!(clinic.delete(&path).await.is(400).rules(), refused.rules());
        }
    }
    let headers = [("if-none-exist", MRN)];
    let body = Some(known("RC-7").to_string());
    let twice = clinic.send(Method::POST, &format!("/fhir/Patient?{MRN}"), &headers, body.clone()).await.is(400);
    assert_eq!(twice.rules(), ["criteria"]);
    for path in ["/fhir/Patient", "/fhir/Patient?_format=json"] {
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(clinic.send(method, path, &[], body.clone()).await.is(405).rules(), ["no-such-interaction"]);
        }
    }
    clinic.delete("/fhir/Nonsense?identifier=x").await.is(404);
    clinic.delete("/fhir/AuditEvent?patient=x").await.is(405);
    assert_eq!(count(&clinic, "Patient").await, 0);
}

on_both!(criteria_need_the_scope_to_search);
async fn criteria_need_the_scope_to_search(on: On) {
    let (gw, clinic) = start(on).await;
    clinic.creates(&known("RC-7")).await;
    let path = format!("/fhir/Patient?{MRN}");
    for (scope, create, update, remove) in [
        ("system/Patient.cud", 403, 403, 403),
        ("system/Patient.s", 403, 403, 403),
        ("system/Patient.cs", 200, 403, 403),
        ("system/Patient.us", 403, 200, 403),
    ] {
        let id = scope.replace(['/', '.'], "-");
        gw.client(&id, "river-clinic", scope).await;
        let actor = gw.signed_in(&id).await;
        assert_eq!(creates_unless(&actor, &known("RC-7"), MRN).await.status, create, "{scope}");
        assert_eq!(put(&actor, &path, &known("RC-7"), &[]).await.status, update, "{scope}");
        assert_eq!(patch(&actor, &path, &json!({"active": true})).await.status, update, "{scope}");
        assert_eq!(actor.delete(&path).await.status, remove, "{scope}");
    }
    // SMART: an update that creates is allowed by the update scope.
    let actor = gw.signed_in("system-Patient-us").await;
    put(&actor, "/fhir/Patient?identifier=x|y", &known("z"), &[]).await.is(201);
}

on_both!(a_reference_that_is_a_search_becomes_the_one_it_finds);
async fn a_reference_that_is_a_search_becomes_the_one_it_finds(on: On) {
    let (gw, clinic) = start(on).await;
    let made = clinic.creates(&known("RC-7")).await;
    gw.system("harbor-housing").await.creates(&known("RC-8")).await;
    let goal = |criteria: &str| {
        json!({"resource": {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"},
            "subject": {"reference": format!("Patient?{criteria}")}}, "request": {"method": "POST", "url": "Goal"}})
    };
    let bundle = |kind: &str, entries: Vec<Value>| json!({"resourceType": "Bundle", "type": kind, "entry": entries});
    for kind in ["transaction", "batch"] {
        let done = clinic.post("/fhir", &bundle(kind, vec![goal(MRN), goal(&MRN.replace('|', "%7C"))])).await.is(200);
        for at in 0..2 {
            assert_eq!(done.body["entry"][at]["resource"]["subject"]["reference"], key(&made), "{kind}");
        }
    }
    clinic.creates(&known("RC-9")).await;
    clinic.creates(&known("RC-9")).await;
    for (value, status, rule) in [
        ("RC-0", 422, "reference-unresolved"),
        ("RC-8", 422, "reference-unresolved"),
        ("RC-9", 412, "criteria-several"),
    ] {
        let bad = goal(&MRN.replace("RC-7", value));
        let refused = clinic.post("/fhir", &bundle("transaction", vec![goal(MRN), bad])).await.is(status);
        assert_eq!(refused.rules(), [rule]);
        assert_eq!(refused.body["issue"][0]["expression"][0], "Bundle.entry[1].resource.subject", "{}", refused.text);
    }
    let refused = clinic.post("/fhir", &bundle("transaction", vec![goal("nonsense=1")])).await.is(400);
    assert_eq!(refused.body["issue"][0]["expression"][0], "Bundle.entry[0].resource.subject", "{}", refused.text);
    assert_eq!(count(&clinic, "Goal").await, 4);
}

on_both!(a_read_sends_only_what_changed_since);
async fn a_read_sends_only_what_changed_since(on: On) {
    let (gw, clinic) = start(on).await;
    let made = clinic.creates(&patient()).await;
    let path = format!("/fhir/{}", key(&made));
    for (headers, status) in [
        (vec![("if-modified-since", "Mon, 02 Mar 2026 12:00:00 GMT")], 304),
        (vec![("if-modified-since", "Mon, 02 Mar 2026 12:00:01 GMT")], 304),
        (vec![("if-modified-since", "Mon, 02 Mar 2026 11:59:59 GMT")], 200),
        (vec![("if-modified-since", "yesterday")], 200),
        // A tag beats a date.
        (vec![("if-none-match", "W/\"2\""), ("if-modified-since", "Mon, 02 Mar 2026 12:00:00 GMT")], 200),
        (vec![("if-none-match", "1"), ("if-modified-since", "Mon, 02 Mar 2026 11:00:00 GMT")], 304),
    ] {
        let answer = clinic.send(Method::GET, &path, &headers, None).await;
        assert_eq!((answer.status, answer.header("etag")), (status, "W/\"1\""), "{headers:?}");
        assert_eq!(answer.text.is_empty(), status == 304);
        let other = gw.system("corner-food-bank").await.send(Method::GET, &path, &headers, None).await;
        assert_eq!((other.status, other.header("etag")), (404, ""), "{headers:?}");
    }
}
