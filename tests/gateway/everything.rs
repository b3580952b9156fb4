//! `$everything`, `$meta` and `$docref`.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, On, TestGateway, key, start};
use crate::on_both;
use crate::reach::{class, permit};
use crate::worlds::{COUNTY, goal, next, pages, person, world};

/// Every key, page by page; a page that has a next one is full.
async fn all(actor: &Actor, patient: &str, query: &str, count: usize) -> Vec<String> {
    let joint = if query.is_empty() { "" } else { "&" };
    let (mut found, mut address) =
        (Vec::new(), Some(format!("/fhir/{patient}/$everything?{query}{joint}_count={count}")));
    while let Some(at) = address {
        let page = actor.get(&at).await.is(200);
        address = next(&page.body);
        assert!(address.is_none() || page.keys().len() == count, "{}", page.text);
        found.extend(page.keys());
    }
    found
}

fn observation(subject: &str, day: Option<&str>) -> Value {
    let mut observation = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": subject}});
    if let Some(day) = day {
        observation["effectiveDateTime"] = json!(day);
    }
    observation
}

on_both!(everything_is_the_record_in_reach_and_whom_it_points_at);
async fn everything_is_the_record_in_reach_and_whom_it_points_at(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system(COUNTY).await);
    let practitioner = async || key(&clinic.creates(&json!({"resourceType": "Practitioner"})).await);
    let (known, hidden, nobody) = (practitioner().await, practitioner().await, practitioner().await);
    let other = person(&clinic).await;
    let managed =
        json!({"resourceType": "Patient", "managingOrganization": {"reference": "Organization/river-clinic"}});
    let ana = key(&clinic.creates(&managed).await);
    let mut wish = goal(&ana, "active");
    wish["expressedBy"] = json!({"reference": known});
    let wish = key(&clinic.creates(&wish).await);
    let mut seen = observation(&ana, None);
    seen["performer"] = json!([{"reference": hidden}]);
    let seen = key(&clinic.creates(&seen).await);
    clinic.creates(&goal(&other, "active")).await;
    let consent = clinic.creates(&permit(&ana, COUNTY, class(&["Goal", "Patient"]))).await;

    let own = [
        &ana,
        &key(&consent),
        &wish,
        &seen,
        "Organization/river-clinic",
        "Organization/county-social-service",
        &known,
        &hidden,
    ];
    let own: BTreeSet<String> = own.iter().map(|key| key.to_string()).collect();
    assert!(!own.contains(&nobody));
    let share: BTreeSet<String> = [&ana, &wish, "Organization/river-clinic", &known].map(str::to_string).into();
    for count in [1, 2, 3, 50] {
        for (actor, expected) in [(&clinic, &own), (&county, &share)] {
            let found = all(actor, &ana, "", count).await;
            assert_eq!(found[0], ana, "the Patient first");
            assert_eq!(found.len(), expected.len(), "each once, by {count}: {found:?}");
            assert_eq!(&found.into_iter().collect::<BTreeSet<String>>(), expected, "by {count}");
        }
    }
    assert_eq!(county.get(&format!("/fhir/{ana}/$everything")).await.is(200).body["total"], share.len());
    let only = all(&county, &ana, "_type=Goal,Practitioner", 50).await;
    assert_eq!(only, [wish.clone(), known.clone()]);
    let mut revoked = consent.clone();
    revoked["status"] = json!("inactive");
    clinic.put(&format!("/fhir/{}", key(&consent)), &revoked).await.is(200);
    let gone = county.get(&format!("/fhir/{ana}/$everything")).await.is(404);
    let absent = county.get(&format!("/fhir/{}f/$everything", &ana[..ana.len() - 1])).await.is(404);
    let id = |key: &str| key.split_once('/').unwrap().1.to_string();
    assert_eq!(gone.text.replace(&id(&ana), ""), absent.text.replace(&format!("{}f", &id(&ana)[..35]), ""));
}

on_both!(everything_is_narrowed_by_dates_of_care_and_of_the_record);
async fn everything_is_narrowed_by_dates_of_care_and_of_the_record(on: On) {
    let (gw, clinic) = start(on).await;
    let ana = person(&clinic).await;
    let january = key(&clinic.creates(&observation(&ana, Some("2026-01-10"))).await);
    let february = key(&clinic.creates(&observation(&ana, Some("2026-02-10"))).await);
    let undated = key(&clinic.creates(&observation(&ana, None)).await);
    gw.advance_secs(60);
    let late = key(&clinic.creates(&observation(&ana, Some("2026-03-01"))).await);
    for (query, expected) in [
        ("start=2026-02-01", vec![&ana, &february, &undated, &late]),
        ("end=2026-01-31", vec![&ana, &january, &undated]),
        ("end=2026-01-10", vec![&ana, &january, &undated]),
        ("start=2026-02&end=2026-02", vec![&ana, &february, &undated]),
        ("_since=2026-03-02T12:00:30Z", vec![&late]),
    ] {
        let found: BTreeSet<String> = all(&clinic, &ana, query, 2).await.into_iter().collect();
        assert_eq!(found, expected.into_iter().cloned().collect(), "{query}");
    }
    let body = json!({"resourceType": "Parameters", "parameter": [
        {"name": "start", "valueDate": "2026-02-01"}, {"name": "_type", "valueString": "Observation"}]});
    let posted = clinic.post(&format!("/fhir/{ana}/$everything"), &body).await.is(200);
    assert_eq!(posted.keys().len(), 3, "{}", posted.text);
    let posted = clinic.send(Method::POST, &format!("/fhir/{ana}/$everything?_type=Patient"), &[], None).await.is(200);
    assert_eq!(posted.keys(), [ana.as_str()]);
    let answer = clinic.get(&format!("/fhir/{ana}/$everything?start=soon&_since=x&_count=y")).await.is(400);
    assert_eq!(answer.rules().len(), 3);
    let answer = clinic.get(&format!("/fhir/{ana}/$everything?_type=Patient,Nonsense&_sort=x")).await.is(200);
    let outcome = answer.body["entry"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (outcome["search"]["mode"].as_str(), outcome["resource"]["issue"].as_array().unwrap().len()),
        (Some("outcome"), 2)
    );
    clinic.get(&format!("/fhir/{ana}/$everything?_type=Nonsense")).await.is(400);
    clinic.get("/fhir/Goal/1/$everything").await.is(405);
    gw.client("reader", "river-clinic", "system/Patient.rs").await;
    let reader = gw.signed_in("reader").await;
    assert_eq!(all(&reader, &ana, "", 50).await, [ana.as_str()], "as far as the scopes go");
    reader.get(&format!("/fhir/{ana}/$everything?_type=Observation")).await.is(403);
}

on_both!(hidden_rows_change_nothing_of_everything);
async fn hidden_rows_change_nothing_of_everything(on: On) {
    let mut worlds = Vec::new();
    for crowded in [false, true] {
        let world = world(on, crowded).await;
        let mut said = Vec::new();
        for query in ["", "?_count=1", "?_count=3", "?_type=Goal,Condition&_count=2", "?_since=2026-03-02T12:00:03Z"] {
            said.extend(pages(&world, &format!("Patient/river-clinic-seen/$everything{query}")).await);
        }
        world.county.get("/fhir/Patient/river-clinic-hidden/$everything").await.is(404);
        worlds.push(said);
    }
    assert!(worlds[0].len() > 12, "pages were walked");
    assert_eq!(worlds[0], worlds[1]);
}

fn meta(meta: Value) -> Value {
    json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]})
}

on_both!(meta_is_read_by_who_sees_and_changed_by_who_brought_it);
async fn meta_is_read_by_who_sees_and_changed_by_who_brought_it(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system(COUNTY).await);
    let ana = person(&clinic).await;
    let path = |deed: &str| format!("/fhir/{ana}/{deed}");
    county.get(&path("$meta")).await.is(404);
    clinic.creates(&permit(&ana, COUNTY, json!({}))).await;
    let tag = json!({"system": "https://x.example/tag", "code": "a"});
    let label = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"});
    let added = clinic.post(&path("$meta-add"), &meta(json!({"tag": [tag], "security": [label]}))).await.is(200);
    assert_eq!(added.body["parameter"][0]["valueMeta"]["versionId"], "2", "{}", added.text);
    for actor in [&clinic, &county] {
        let seen = actor.get(&path("$meta")).await.is(200).body;
        assert_eq!(seen["parameter"][0]["name"], "return");
        assert_eq!(seen["parameter"][0]["valueMeta"]["tag"], json!([tag]));
    }
    assert_eq!(clinic.get("/fhir/Patient?_tag=a").await.is(200).keys(), [ana.as_str()]);
    let again = clinic.post(&path("$meta-add"), &meta(json!({"tag": [tag]}))).await.is(200);
    assert_eq!(again.body["parameter"][0]["valueMeta"]["versionId"], "2", "nothing was new");
    for deed in ["$meta-add", "$meta-delete"] {
        let answer = county.post(&path(deed), &meta(json!({"tag": [tag, {"code": "b"}]}))).await.is(403);
        assert_eq!(answer.rules(), ["not-yours"]);
        clinic.post(&path(deed), &json!({"resourceType": "Parameters"})).await.is(400);
    }
    let lowered = clinic.post(&path("$meta-delete"), &meta(json!({"security": [label]}))).await.is(422);
    assert_eq!(lowered.rules(), ["label-lowered"]);
    let stale = [("if-match", "W/\"1\"")];
    let body = Some(meta(json!({"tag": [tag]})).to_string());
    clinic.send(Method::POST, &path("$meta-delete"), &stale, body.clone()).await.is(412);
    let left = clinic.send(Method::POST, &path("$meta-delete"), &[], body).await.is(200).body;
    let left = &left["parameter"][0]["valueMeta"];
    assert_eq!((left["tag"].clone(), left["security"].clone()), (Value::Null, json!([label])));
}

on_both!(documents_are_fetched_by_person_and_dates_of_care);
async fn documents_are_fetched_by_person_and_dates_of_care(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system(COUNTY).await);
    let ana = person(&clinic).await;
    let document = |status: &str, code: &str, month: &str| {
        json!({"resourceType": "DocumentReference", "status": status, "subject": {"reference": ana},
            "type": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "context": {"period": {"start": format!("{month}-01"), "end": format!("{month}-10")}},
            "content": [{"attachment": {"contentType": "text/plain", "data": "eA=="}}]})
    };
    let mut keys = Vec::new();
    for (status, code, month) in
        [("current", "34133-9", "2026-01"), ("current", "18842-5", "2026-02"), ("superseded", "34133-9", "2025-12")]
    {
        keys.push(key(&clinic.creates(&document(status, code, month)).await));
    }
    let id = ana.split_once('/').unwrap().1;
    for (query, expected) in [
        ("", &[0, 1][..]),
        ("&start=2026-01-15", &[1]),
        ("&end=2026-01-15T00:00:00Z", &[0, 2]),
        ("&type=http://loinc.org|34133-9", &[0]),
        ("&start=2025-01-01&type=34133-9", &[0, 2]),
        ("&on-demand=false", &[0, 1]),
        ("&on-demand=true", &[]),
    ] {
        for patient in [id, &ana] {
            let found = clinic.get(&format!("/fhir/DocumentReference/$docref?patient={patient}{query}")).await.is(200);
            let expected: BTreeSet<String> = expected.iter().map(|at: &usize| keys[*at].clone()).collect();
            assert_eq!(found.keys().into_iter().collect::<BTreeSet<String>>(), expected, "{query}: {}", found.text);
        }
    }
    let body = json!({"resourceType": "Parameters", "parameter": [{"name": "patient", "valueId": id},
        {"name": "type", "valueCodeableConcept": {"coding": [{"system": "http://loinc.org", "code": "18842-5"}]}},
        {"name": "start", "valueDateTime": "2026-01-01T00:00:00Z"}]});
    assert_eq!(clinic.post("/fhir/DocumentReference/$docref", &body).await.is(200).keys(), [keys[1].clone()]);
    // US Core: who does not match gets an empty Bundle.
    assert_eq!(county.post("/fhir/DocumentReference/$docref", &body).await.is(200).body["total"], 0);
    clinic.creates(&permit(&ana, COUNTY, class(&["DocumentReference"]))).await;
    assert_eq!(county.post("/fhir/DocumentReference/$docref", &body).await.is(200).keys(), [keys[1].clone()]);
    clinic.get("/fhir/DocumentReference/$docref").await.is(400);
    clinic.get(&format!("/fhir/DocumentReference/$docref?patient={id}&on-demand=maybe")).await.is(400);
    clinic.get(&format!("/fhir/Goal/$docref?patient={id}")).await.is(405);
}
