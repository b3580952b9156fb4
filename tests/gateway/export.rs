//! Bulk Data Access: kick-off, status, files, delete, and what consent lets through at each of them.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, On, TestGateway, key};
use crate::on_both;
use crate::reach::{class, itself, permit};
use crate::worlds::{COUNTY, goal, person, world};

const ASYNC: (&str, &str) = ("prefer", "respond-async");

async fn asks(actor: &Actor, path: &str, prefer: &str) -> Answer {
    actor.send(Method::GET, &format!("/fhir/{path}"), &[("prefer", prefer)], None).await
}

/// Kicks off; answers the address of the status.
async fn begins(actor: &Actor, path: &str) -> String {
    asks(actor, path, ASYNC.1).await.is(202).header("content-location").to_string()
}

async fn all_listed(gw: &TestGateway) {
    while gw.export_due().await > 0 {}
}

async fn lines(actor: &Actor, url: &str) -> Vec<Value> {
    let answer = actor.get(url).await.is(200);
    assert_eq!(answer.header("content-type"), "application/fhir+ndjson");
    assert!(answer.text.is_empty() || answer.text.ends_with('\n'));
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every key of every file; each file has one type.
async fn files(actor: &Actor, status: &str) -> BTreeSet<String> {
    let manifest = actor.get(status).await.is(200).body;
    let mut found = BTreeSet::new();
    for file in manifest["output"].as_array().unwrap() {
        for resource in lines(actor, file["url"].as_str().unwrap()).await {
            assert_eq!(resource["resourceType"], file["type"]);
            assert!(found.insert(key(&resource)), "twice: {resource}");
        }
    }
    found
}

async fn exported(gw: &TestGateway, actor: &Actor, path: &str) -> BTreeSet<String> {
    let status = begins(actor, path).await;
    all_listed(gw).await;
    files(actor, &status).await
}

fn set<const N: usize>(keys: [&String; N]) -> BTreeSet<String> {
    keys.into_iter().cloned().collect()
}

struct People {
    ana: String,
    ben: String,
    known: String,
    wish: String,
    other: String,
    seen: String,
    consent: Value,
}

/// Ana, whose Patient and Goals the county sees, and Ben, of whom it knows nothing.
async fn people(clinic: &Actor) -> People {
    let known = key(&clinic.creates(&json!({"resourceType": "Practitioner"})).await);
    clinic.creates(&json!({"resourceType": "Practitioner"})).await;
    let (ana, ben) = (person(clinic).await, person(clinic).await);
    let mut wish = goal(&ana, "active");
    wish["expressedBy"] = json!({"reference": known});
    let wish = key(&clinic.creates(&wish).await);
    let other = key(&clinic.creates(&goal(&ben, "active")).await);
    let seen =
        json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": {"reference": ana}});
    let seen = key(&clinic.creates(&seen).await);
    let consent = clinic.creates(&permit(&ana, COUNTY, class(&["Goal", "Patient"]))).await;
    People { ana, ben, known, wish, other, seen, consent }
}

on_both!(an_export_is_begun_watched_fetched_and_deleted);
async fn an_export_is_begun_watched_fetched_and_deleted(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system(COUNTY).await);
    let people = people(&clinic).await;
    let begun = asks(&county, "Patient/$export", ASYNC.1).await.is(202);
    assert_eq!(begun.body["resourceType"], "OperationOutcome");
    let status = begun.header("content-location").to_string();
    assert!(status.starts_with(&format!("{}/fhir/$export/", gw.address)), "{status}");
    let waiting = county.get(&status).await.is(202);
    assert!(!waiting.header("x-progress").is_empty() && waiting.header("retry-after") == "2");
    let hasty = county.get(&status).await.is(429);
    assert_eq!((hasty.rules(), hasty.header("retry-after").is_empty()), (vec!["too-often".to_string()], false));
    gw.advance_secs(2);
    county.get(&status).await.is(202);
    county.get(&format!("{status}/Goal.ndjson")).await.is(404);
    all_listed(&gw).await;

    let done = county.get(&status).await.is(200);
    assert_eq!(done.header("content-type"), "application/json");
    assert!(done.header("expires").ends_with("GMT"));
    let manifest = &done.body;
    assert_eq!(manifest["transactionTime"], "2026-03-02T12:00:00.000Z");
    assert_eq!(manifest["request"], format!("{}/fhir/Patient/$export", gw.address));
    assert_eq!((manifest["requiresAccessToken"].clone(), manifest["error"].clone()), (json!(true), json!([])));
    assert_eq!(manifest["deleted"], json!([]));
    assert_eq!(manifest["extension"]["https://handoff.example/fhir/export/listed-until"], "2026-03-02T12:00:02.000Z");
    assert_eq!(files(&county, &status).await, set([&people.ana, &people.wish, &people.known]));
    gw.stranger().get(manifest["output"][0]["url"].as_str().unwrap()).await.is(401);
    county.get(&format!("{status}/Observation.ndjson")).await.is(404);
    county.get(&format!("{status}/OperationOutcome.ndjson")).await.is(404);

    // Whose data it was reads what was fetched.
    gw.tick().await;
    let log = gw.compliance("river-clinic").await.get("/fhir/AuditEvent?_count=200").await.is(200).body;
    let events = log["entry"].as_array().unwrap();
    let fetched: Vec<String> =
        events.iter().map(Value::to_string).filter(|event| event.contains("export-file")).collect();
    assert!(fetched.iter().any(|event| event.contains(&people.wish)), "{fetched:?}");
    assert!(!fetched.iter().any(|event| event.contains(&people.seen)));

    county.delete(&status).await.is(202);
    for gone in [status.clone(), format!("{status}/Goal.ndjson")] {
        county.get(&gone).await.is(404);
    }
    county.delete(&status).await.is(404);
    assert_eq!(gw.export_due().await, 0);
}

on_both!(each_level_has_what_belongs_to_it);
async fn each_level_has_what_belongs_to_it(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system(COUNTY).await);
    let people = people(&clinic).await;
    let People { ana, ben, known, wish, other, seen, .. } = &people;
    let consent = key(&people.consent);
    let named = ["county-social-service", "river-clinic"].map(|id| format!("Organization/{id}"));
    let own = set([ana, ben, known, wish, other, seen, &consent, &named[0], &named[1]]);
    assert_eq!(exported(&gw, &clinic, "Patient/$export").await, own, "people, and whom that points at");
    let whole = exported(&gw, &clinic, "$export").await;
    assert!(whole.is_superset(&own) && whole.len() == own.len() + 3, "the whole directory besides: {whole:?}");
    let share = exported(&gw, &county, "$export").await;
    assert!(share.contains(wish) && share.contains(ana) && share.len() == 2 + 6, "{share:?}");

    let member = |who: &String| json!({"entity": {"reference": who}});
    let group =
        json!({"resourceType": "Group", "type": "person", "actual": true, "member": [member(ana), member(ben)]});
    let group = key(&clinic.creates(&group).await);
    let of_group = exported(&gw, &clinic, &format!("{group}/$export")).await;
    let mut expected = own.clone();
    expected.insert(group.clone());
    assert_eq!(of_group, expected, "the Group names its people");
    asks(&county, &format!("{group}/$export"), ASYNC.1).await.is(404);
    let absent = format!("{}f", &group[..group.len() - 1]);
    let told = asks(&county, &format!("{absent}/$export"), ASYNC.1).await.is(404).text;
    let hidden = asks(&county, &format!("{group}/$export"), ASYNC.1).await.is(404).text;
    assert_eq!(told.replace(&absent, ""), hidden.replace(&group, ""));
    // A Group of the county's own shows no more of its members than the county sees anyway.
    let county_group = json!({"resourceType": "Group", "type": "person", "actual": true, "member": [member(ana)]});
    let county_group = key(&county.creates(&county_group).await);
    let found = exported(&gw, &county, &format!("{county_group}/$export")).await;
    assert_eq!(found, set([ana, wish, known, &county_group]));

    for (path, expected) in [
        ("Patient/$export?_type=Goal", set([wish, other])),
        ("Patient/$export?_type=Goal,Practitioner", set([wish, other, known])),
        ("Patient/$export?_type=Goal&_type=Observation", set([wish, other, seen])),
    ] {
        assert_eq!(exported(&gw, &clinic, path).await, expected, "{path}");
    }
    let sent = json!({"resourceType": "Parameters", "parameter": [
        {"name": "_type", "valueString": "Goal,Patient"}, {"name": "patient", "valueReference": {"reference": ben}}]});
    let begun = clinic.send(Method::POST, "/fhir/Patient/$export", &[ASYNC], Some(sent.to_string())).await.is(202);
    all_listed(&gw).await;
    assert_eq!(files(&clinic, begun.header("content-location")).await, set([ben, other]));
    let begun = county.send(Method::POST, "/fhir/Patient/$export", &[ASYNC], Some(sent.to_string())).await.is(202);
    all_listed(&gw).await;
    assert_eq!(files(&county, begun.header("content-location")).await, BTreeSet::new());
}

on_both!(filters_are_alternatives_and_since_is_the_records_time);
async fn filters_are_alternatives_and_since_is_the_records_time(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    let ana = person(&clinic).await;
    let mut made = Vec::new();
    for status in ["active", "completed", "proposed"] {
        made.push(key(&clinic.creates(&goal(&ana, status)).await));
    }
    gw.advance_secs(60);
    let late = key(&clinic.creates(&goal(&ana, "active")).await);
    let group =
        json!({"resourceType": "Group", "type": "person", "actual": true, "member": [{"entity": {"reference": ana}}]});
    let group = key(&clinic.creates(&group).await);
    let [active, completed, proposed] = [&made[0], &made[1], &made[2]];
    for (query, expected) in [
        ("_type=Goal&_since=2026-03-02T12:00:30Z", set([&late])),
        ("_type=Goal&_typeFilter=Goal%3Flifecycle-status%3Dactive", set([active, &late])),
        (
            "_type=Goal&_typeFilter=Goal%3Flifecycle-status%3Dactive,Goal%3Flifecycle-status%3Dproposed",
            set([active, proposed, &late]),
        ),
        ("_type=Goal&_typeFilter=Goal%3Flifecycle-status%3Dcompleted%252Cproposed", set([completed, proposed])),
        ("_type=Goal&_typeFilter=Goal%3Flifecycle-status%3Dactive&_since=2026-03-02T12:00:30Z", set([&late])),
        ("_type=Goal,Patient&_typeFilter=Goal%3Flifecycle-status%3Dcompleted", set([completed, &ana])),
    ] {
        for level in ["$export".to_string(), "Patient/$export".to_string(), format!("{group}/$export")] {
            let status = begins(&clinic, &format!("{level}?{query}")).await;
            all_listed(&gw).await;
            assert_eq!(files(&clinic, &status).await, expected, "{level}?{query}");
            clinic.delete(&status).await.is(202);
        }
    }
}

on_both!(what_was_revoked_since_is_in_no_file);
async fn what_was_revoked_since_is_in_no_file(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system(COUNTY).await);
    let people = people(&clinic).await;
    let second = key(&clinic.creates(&goal(&people.ana, "active")).await);
    let status = begins(&county, "Patient/$export?_type=Goal").await;
    all_listed(&gw).await;
    assert_eq!(files(&county, &status).await, set([&people.wish, &second]));
    // What was changed since is there as it was listed; what was deleted since is not.
    let path = format!("/fhir/{}", people.wish);
    let mut changed = clinic.get(&path).await.is(200).body;
    changed["lifecycleStatus"] = json!("completed");
    clinic.put(&path, &changed).await.is(200);
    clinic.delete(&format!("/fhir/{second}")).await.is(204);
    let found = lines(&county, &format!("{status}/Goal.ndjson")).await;
    assert_eq!((found.len(), found[0]["meta"]["versionId"].as_str()), (1, Some("1")));

    let consent = format!("/fhir/{}", key(&people.consent));
    let mut revoked = people.consent.clone();
    revoked["status"] = json!("inactive");
    let mut revoked = clinic.put(&consent, &revoked).await.is(200).body;
    assert_eq!(lines(&county, &format!("{status}/Goal.ndjson")).await, Vec::<Value>::new(), "revoked");
    revoked["status"] = json!("active");
    clinic.put(&consent, &revoked).await.is(200);
    assert_eq!(lines(&county, &format!("{status}/Goal.ndjson")).await.len(), 1, "given again");
    // A label that was added since counts too, though the version that was listed did not have it.
    let label =
        json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}]});
    let body = json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": label}]});
    clinic.post(&format!("{path}/$meta-add"), &body).await.is(200);
    let by_id = county.get(&path).await.status == 200;
    assert_eq!(lines(&county, &format!("{status}/Goal.ndjson")).await.len(), usize::from(by_id));
}

on_both!(who_may_look_may_not_always_take_along);
async fn who_may_look_may_not_always_take_along(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system(COUNTY).await);
    for (action, taken) in [("access", false), ("disclose", true)] {
        let ana = person(&clinic).await;
        let coding = json!({"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": action});
        clinic.creates(&permit(&ana, COUNTY, json!({"action": [{"coding": [coding]}]}))).await;
        county.get(&format!("/fhir/{ana}")).await.is(if taken { 404 } else { 200 });
        assert_eq!(exported(&gw, &county, "Patient/$export").await.contains(&ana), taken, "{action}");
    }
}

on_both!(a_restart_and_a_second_node_list_nothing_twice_and_lose_nothing);
async fn a_restart_and_a_second_node_list_nothing_twice_and_lose_nothing(on: On) {
    let gw = TestGateway::exchange_with(on, |config| config.export.page_rows = 1).await;
    let clinic = gw.system("river-clinic").await;
    let ana = person(&clinic).await;
    let mut made = BTreeSet::from([ana.clone()]);
    for _ in 0..40 {
        made.insert(key(&clinic.creates(&goal(&ana, "active")).await));
    }
    let first = begins(&clinic, "Patient/$export?_type=Goal,Patient").await;
    assert!(gw.export_due().await > 0);
    clinic.get(&first).await.is(202);
    // The first one is not heard of again; another goes on where it ended.
    let node = gw.another_node().await;
    let mut turns = 0;
    while node.export_due().await > 0 {
        turns += 1;
    }
    assert!(turns >= 2, "there was something left");
    assert_eq!(files(&clinic, &first).await, made);

    let second = begins(&clinic, "Patient/$export?_type=Goal,Patient").await;
    loop {
        let (one, other) = tokio::join!(gw.export_due(), node.export_due());
        if one + other == 0 {
            break;
        }
    }
    assert_eq!(files(&clinic, &second).await, made);
    // Fetched from another node than the one that listed it.
    let there = second.replace(&gw.address, &node.address);
    let at_node = node.system("river-clinic").await;
    assert_eq!(lines(&at_node, &format!("{there}/Goal.ndjson")).await.len(), 40);

    // Whoever claimed a job and died keeps it for a minute, and no longer.
    let third = begins(&clinic, "Patient/$export?_type=Patient").await;
    let due = gw.ctx.store.due_exports(gw.ctx.now(), 1).await.unwrap().remove(0);
    let mut tx = gw.ctx.store.begin().await.unwrap();
    tx.claim_export(&due, gw.ctx.now().plus_secs(60)).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!(node.export_due().await, 0);
    gw.advance_secs(61);
    all_listed(&node).await;
    let clinic = gw.system("river-clinic").await;
    assert_eq!(files(&clinic, &third).await, set([&ana]));
}

on_both!(another_ones_export_is_as_if_it_were_not);
async fn another_ones_export_is_as_if_it_were_not(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    people(&clinic).await;
    let status = begins(&clinic, "$export?_type=Goal").await;
    gw.client("second", "river-clinic", "system/*.rs").await;
    let absent = format!("{}f", &status[..status.len() - 1]);
    for complete in [false, true] {
        for other in [gw.system(COUNTY).await, gw.signed_in("second").await] {
            for (method, more) in [(Method::GET, ""), (Method::GET, "/Goal.ndjson"), (Method::DELETE, "")] {
                let mut told = Vec::new();
                for at in [&status, &absent] {
                    let answer = other.send(method.clone(), &format!("{at}{more}"), &[], None).await.is(404);
                    let id = at.rsplit('/').next().unwrap();
                    told.push(answer.text.replace(id, "ID"));
                }
                assert_eq!(told[0], told[1], "{method} {more} {complete}");
            }
        }
        all_listed(&gw).await;
    }
    assert_eq!(files(&clinic, &status).await.len(), 2);
    // A token that covers less fetches less.
    gw.client("river-clinic-system", "river-clinic", "system/Patient.rs").await;
    gw.signed_in("river-clinic-system").await.get(&format!("{status}/Goal.ndjson")).await.is(403);
    gw.advance_secs(24 * 3_600);
    let clinic = gw.system("river-clinic").await;
    clinic.get(&status).await.is(404);
    clinic.get(&format!("{status}/Goal.ndjson")).await.is(404);
    gw.export_due().await;
    let id = status.rsplit('/').next().unwrap();
    assert!(gw.ctx.store.export(id).await.unwrap().is_none(), "what expired is removed");
    assert!(gw.ctx.store.export_lines(id, "Goal", None, 1).await.unwrap().is_empty());
}

on_both!(hidden_rows_change_no_manifest_and_no_file);
async fn hidden_rows_change_no_manifest_and_no_file(on: On) {
    let mut worlds = Vec::new();
    for crowded in [false, true] {
        let world = world(on, crowded).await;
        let mut said = Vec::new();
        let posted = json!({"resourceType": "Group", "type": "person", "actual": true, "member": [
            {"entity": {"reference": "Patient/river-clinic-seen"}}]});
        let group = key(&world.county.creates(&posted).await);
        for path in [
            "$export",
            "Patient/$export",
            "Patient/$export?_type=Goal,Condition",
            "$export?_type=Condition",
            "$export?_since=2026-03-02T12:00:03Z",
            "$export?_type=Goal&_typeFilter=Goal%3Flifecycle-status%3Dcompleted",
            &format!("{group}/$export"),
        ] {
            let status = begins(&world.county, path).await;
            let waiting = world.county.get(&status).await.is(202);
            said.push(waiting.header("x-progress").to_string());
            all_listed(&world.gw).await;
            let done = world.county.get(&status).await.is(200);
            let clean = |text: &str| {
                let id = status.rsplit('/').next().unwrap();
                let text = text.replace(id, "JOB").replace(group.rsplit('/').next().unwrap(), "GROUP");
                text.replace(&world.gw.address, "")
            };
            said.push(clean(&done.text));
            for file in done.body["output"].as_array().unwrap() {
                said.push(clean(&world.county.get(file["url"].as_str().unwrap()).await.is(200).text));
            }
            world.county.delete(&status).await.is(202);
        }
        let put = json!({"resourceType": "Parameters", "parameter": [
            {"name": "patient", "valueReference": {"reference": "Patient/river-clinic-hidden"}}]});
        let begun =
            world.county.send(Method::POST, "/fhir/Patient/$export", &[ASYNC], Some(put.to_string())).await.is(202);
        all_listed(&world.gw).await;
        assert_eq!(files(&world.county, begun.header("content-location")).await, BTreeSet::new());
        worlds.push(said);
    }
    assert!(worlds[0].len() > 25, "files were fetched");
    assert_eq!(worlds[0], worlds[1]);
}

on_both!(what_an_export_cannot_do_is_said);
async fn what_an_export_cannot_do_is_said(on: On) {
    let gw = TestGateway::exchange_with(on, |config| config.export.jobs_max = 2).await;
    let clinic = gw.system("river-clinic").await;
    let people = people(&clinic).await;
    let wrong = [
        ("$export", "handling=strict", "respond-async"),
        ("$export?_outputFormat=csv", ASYNC.1, "parameter-value"),
        ("$export?_since=noon", ASYNC.1, "parameter-value"),
        ("$export?_elements=id", ASYNC.1, "parameter-unknown"),
        ("$export?includeAssociatedData=x", ASYNC.1, "parameter-unknown"),
        ("$export?_type=Nonsense", ASYNC.1, "parameter-value"),
        ("$export?_typeFilter=Goal%3Fnonsense%3Dx", ASYNC.1, "parameter-unknown"),
        ("$export?_typeFilter=Goal%3Ftarget-date%3Dnoon", ASYNC.1, "parameter-value"),
        ("$export?_type=Goal&_typeFilter=Task%3Fstatus%3Dx", ASYNC.1, "parameter-value"),
        ("$export?patient=Patient/1", ASYNC.1, "parameter-value"),
    ];
    for (path, prefer, rule) in wrong {
        assert_eq!(asks(&clinic, path, prefer).await.is(400).rules(), [rule], "{path}");
    }
    for path in ["Goal/$export", "Goal/1/$export"] {
        asks(&clinic, path, ASYNC.1).await.is(405);
    }
    asks(&clinic, "Group/1/$export", ASYNC.1).await.is(404);
    let lenient = asks(
        &clinic,
        "$export?_type=Goal,Nonsense&_elements=id&_outputFormat=ndjson",
        "respond-async, handling=lenient",
    );
    let status = lenient.await.is(202).header("content-location").to_string();
    all_listed(&gw).await;
    let manifest = clinic.get(&status).await.is(200).body;
    let said = lines(&clinic, manifest["error"][0]["url"].as_str().unwrap()).await;
    assert_eq!((manifest["error"][0]["type"].as_str(), said.len()), (Some("OperationOutcome"), 2), "{said:?}");
    assert!(said.iter().all(|outcome| outcome["issue"][0]["severity"] == "warning"));

    begins(&clinic, "$export").await;
    let many = asks(&clinic, "$export", ASYNC.1).await.is(429);
    assert_eq!((many.rules(), many.header("retry-after").is_empty()), (vec!["too-many-exports".to_string()], false));
    begins(&gw.system(COUNTY).await, "$export").await;
    clinic.delete(&status).await.is(202);
    begins(&clinic, "$export").await;

    gw.client("reader", COUNTY, "system/Goal.rs system/Patient.r").await;
    let reader = gw.signed_in("reader").await;
    asks(&reader, "$export?_type=Patient", ASYNC.1).await.is(403);
    assert_eq!(exported(&gw, &reader, "$export").await, set([&people.wish]), "as far as the scopes go");
    gw.client("writer", "harbor-housing", "system/Goal.cud").await;
    asks(&gw.signed_in("writer").await, "$export", ASYNC.1).await.is(403);
}

on_both!(who_was_left_out_is_said);
async fn who_was_left_out_is_said(on: On) {
    let gw = TestGateway::exchange_with(on, |config| config.consent.people_max = 1).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system(COUNTY).await);
    for _ in 0..2 {
        let ana = person(&clinic).await;
        clinic.creates(&permit(&ana, COUNTY, itself(&ana))).await;
    }
    let status = begins(&county, "Patient/$export?_type=Patient").await;
    all_listed(&gw).await;
    let manifest = county.get(&status).await.is(200).body;
    let said = lines(&county, manifest["error"][0]["url"].as_str().unwrap()).await;
    assert_eq!(said[0]["issue"][0]["details"]["coding"][0]["code"], "people-withheld");
    assert_eq!(lines(&county, &format!("{status}/Patient.ndjson")).await.len(), 1);
}
