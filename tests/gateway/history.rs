//! Histories of a type and of the whole exchange, and of one resource at a moment.

use serde_json::{Value, json};

use crate::harness::{Actor, Answer, On, TestGateway, key, patient, start};
use crate::on_both;
use crate::reach::{class, permit};
use crate::worlds::{COUNTY, goal, next, pages, person, put, world};

/// `PUT Goal/7 2`, entry by entry.
fn said(answer: &Answer) -> Vec<String> {
    let entries = answer.body["entry"].as_array().cloned().unwrap_or_default();
    let mut said = Vec::new();
    for entry in entries.iter().filter(|entry| entry["response"]["outcome"].is_null()) {
        let full_url = entry["fullUrl"].as_str().unwrap();
        let id = full_url.rsplit('/').next().unwrap();
        let tag = entry["response"]["etag"].as_str().unwrap().trim_matches(|letter| "W/\"".contains(letter));
        assert_eq!(entry["resource"].is_null(), entry["request"]["method"] == "DELETE", "{entry}");
        if let Some(version) = entry["resource"]["meta"]["versionId"].as_str() {
            assert_eq!((version, entry["resource"]["id"].as_str().unwrap()), (tag, id));
        }
        said.push(format!("{} {id} {tag}", entry["request"]["method"].as_str().unwrap()));
    }
    said
}

async fn all(actor: &Actor, path: &str, count: usize) -> Vec<String> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let (mut found, mut address) = (Vec::new(), Some(format!("/fhir/{path}{joint}_count={count}")));
    while let Some(at) = address {
        let page = actor.get(&at).await.is(200);
        address = next(&page.body);
        let entries = said(&page);
        assert!(address.is_none() || entries.len() == count, "a page that has a next one is full: {}", page.text);
        found.extend(entries);
    }
    found
}

on_both!(a_history_has_every_version_newest_first_and_deletions);
async fn a_history_has_every_version_newest_first_and_deletions(on: On) {
    let gw = TestGateway::exchange_with(on, |config| config.ids.client_assigned = true).await;
    let clinic = gw.system("river-clinic").await;
    put(&clinic, patient(), "ana").await;
    gw.advance_secs(1);
    put(&clinic, goal("Patient/river-clinic-ana", "active"), "g").await;
    gw.advance_secs(1);
    put(&clinic, json!({"resourceType": "Patient", "active": true}), "ana").await;
    gw.advance_secs(1);
    clinic.delete("/fhir/Goal/river-clinic-g").await.is(204);
    let (ana, g) = ("river-clinic-ana", "river-clinic-g");
    let every = [format!("DELETE {g} 2"), format!("PUT {ana} 2"), format!("POST {g} 1"), format!("POST {ana} 1")];
    for count in [1, 2, 3, 4, 50] {
        assert_eq!(all(&clinic, "Goal/_history", count).await, [every[0].clone(), every[2].clone()]);
        assert_eq!(all(&clinic, "Patient/_history", count).await, [every[1].clone(), every[3].clone()]);
        let found = all(&clinic, "_history", count).await;
        // The partners' own Organizations were there first.
        assert_eq!(found[..4], every, "by {count}");
        assert!(found.len() >= 8 && found[4..].iter().all(|entry| entry.starts_with("POST")), "{found:?}");
    }
    let answer = clinic.get("/fhir/Goal/_history").await.is(200);
    assert_eq!((answer.body["type"].as_str(), answer.body["total"].as_i64()), (Some("history"), Some(2)));
    assert!(answer.body["entry"][0]["response"]["lastModified"].is_string());
    assert_eq!(clinic.get("/fhir/Goal/_history?_count=1").await.is(200).body["total"], Value::Null, "not exact");
    assert_eq!(all(&clinic, &format!("Goal/{g}/_history"), 1).await, [every[0].clone(), every[2].clone()]);
}

on_both!(since_and_at_are_moments_of_versions);
async fn since_and_at_are_moments_of_versions(on: On) {
    let gw = TestGateway::exchange_with(on, |config| config.ids.client_assigned = true).await;
    let clinic = gw.system("river-clinic").await;
    // Versions of 12:00:00, :10 and :20, the last one a deletion of :30.
    put(&clinic, patient(), "ana").await;
    for _ in 0..2 {
        gw.advance_secs(10);
        put(&clinic, patient(), "ana").await;
    }
    gw.advance_secs(10);
    clinic.delete("/fhir/Patient/river-clinic-ana").await.is(204);
    for (asked, versions) in [
        ("_since=2026-03-02T12:00:10Z", &[4, 3, 2][..]),
        ("_since=2026-03-02T12:00:10.001Z", &[4, 3]),
        ("_since=2026-03-03", &[]),
        ("_at=2026-03-02T12:00:05Z", &[1]),
        ("_at=2026-03-02T12:00:10Z", &[2]),
        ("_at=2026-03-02T11:59:59Z", &[]),
        ("_at=2026-03-02T12:00Z", &[4, 3, 2, 1]),
        ("_at=2026-03-02", &[4, 3, 2, 1]),
        ("_at=2026-03-01", &[]),
        ("_at=2027", &[4]),
        ("_at=2026-03-02T12:00:25Z&_since=2026-03-02T12:00:20Z", &[3]),
        ("_at=2026-03-02T14:00:15%2B02:00", &[2]),
    ] {
        for path in ["Patient/river-clinic-ana/_history", "Patient/_history"] {
            let found = said(&clinic.get(&format!("/fhir/{path}?{asked}")).await.is(200));
            let numbers: Vec<i64> = found.iter().map(|one| one.rsplit(' ').next().unwrap().parse().unwrap()).collect();
            assert_eq!(numbers, versions, "{path} {asked}");
        }
    }
}

on_both!(a_partner_sees_the_versions_that_consent_gives_and_fills_its_pages_with_them);
async fn a_partner_sees_the_versions_that_consent_gives_and_fills_its_pages_with_them(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system(COUNTY).await);
    let (ana, ben) = (person(&clinic).await, person(&clinic).await);
    let consent = clinic.creates(&permit(&ana, COUNTY, class(&["Goal"]))).await;
    let mut keys = Vec::new();
    for _ in 0..4 {
        // Thirty versions that were about Ben, then one about Ana.
        let mut stored = clinic.creates(&goal(&ben, "active")).await;
        for _ in 0..29 {
            stored = clinic.put(&format!("/fhir/{}", key(&stored)), &stored).await.is(200).body;
        }
        stored["subject"]["reference"] = json!(ana);
        clinic.put(&format!("/fhir/{}", key(&stored)), &stored).await.is(200);
        keys.push(format!("PUT {} 31", stored["id"].as_str().unwrap()));
        gw.advance_secs(1);
    }
    keys.reverse();
    for count in [1, 2, 3, 50] {
        assert_eq!(all(&county, "Goal/_history", count).await, keys, "by {count}");
        assert_eq!(all(&clinic, "Goal/_history", 1_000).await.len(), 4 * 31);
        let found = all(&county, "_history", count).await;
        let goals: Vec<&String> = found.iter().filter(|one| keys.contains(one)).collect();
        assert_eq!(goals.len(), 4, "{found:?}");
        assert!(!found.iter().any(|one| one.contains(ana.trim_start_matches("Patient/"))), "no Patient was given");
    }
    // The log has the versions that were shown, and no other.
    gw.tick().await;
    let log = gw.compliance("river-clinic").await.get("/fhir/AuditEvent?_count=200").await.is(200);
    assert!(log.text.contains("history-type") && log.text.contains("history-system"), "{}", log.text);
    clinic.revokes(&consent).await;
    assert_eq!(all(&county, "Goal/_history", 2).await, Vec::<String>::new());
}

on_both!(another_ones_deletion_is_not_told);
async fn another_ones_deletion_is_not_told(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system(COUNTY).await);
    let ana = person(&clinic).await;
    clinic.creates(&permit(&ana, COUNTY, json!({}))).await;
    let gone = clinic.creates(&goal(&ana, "active")).await;
    assert_eq!(all(&county, "Goal/_history", 5).await.len(), 1);
    clinic.delete(&format!("/fhir/{}", key(&gone))).await.is(204);
    assert_eq!(all(&clinic, "Goal/_history", 5).await.len(), 2);
    assert_eq!(all(&county, "Goal/_history", 5).await.len(), 0);
    let consents = all(&county, "Consent/_history", 5).await;
    assert_eq!(consents.len(), 0, "nobody's by reach (rules.md 17)");
}

on_both!(hidden_versions_change_nothing_that_is_answered);
async fn hidden_versions_change_nothing_that_is_answered(on: On) {
    let mut worlds = Vec::new();
    for crowded in [false, true] {
        let world = world(on, crowded).await;
        let mut said = Vec::new();
        for query in [
            "Goal/_history",
            "Goal/_history?_count=1",
            "Goal/_history?_count=3&_since=2026-03-02T12:00:03Z",
            "Goal/_history?_at=2026-03-02T12:00:05Z&_count=2",
            "Goal/_history?_sort=x",
            "Condition/_history",
            "Patient/_history?_count=1",
            "Consent/_history",
            "_history",
            "_history?_count=4",
            "_history?_at=2026-03-02T12:00:03Z",
            "Goal/river-clinic-g1/_history?_count=1",
        ] {
            said.extend(pages(&world, query).await);
        }
        for hidden in ["Goal/river-clinic-h1/_history", "Goal/river-clinic-x1/_history"] {
            world.county.get(&format!("/fhir/{hidden}")).await.is(404);
        }
        worlds.push(said);
    }
    assert!(worlds[0].len() > 20, "pages were walked");
    assert_eq!(worlds[0], worlds[1]);
}

on_both!(what_a_history_does_not_know_is_said);
async fn what_a_history_does_not_know_is_said(on: On) {
    let (gw, clinic) = start(on).await;
    person(&clinic).await;
    let answer = clinic.get("/fhir/Patient/_history?_sort=_id&_count=3").await.is(200);
    let outcome = &answer.body["entry"][1]["response"]["outcome"];
    assert_eq!(outcome["issue"][0]["details"]["coding"][0]["code"], "parameter-unknown", "{}", answer.text);
    assert_eq!(answer.body["link"][0]["url"], format!("{}/fhir/Patient/_history?_count=3", gw.address));
    let strict = [("prefer", "handling=strict")];
    let answer = clinic.send(reqwest::Method::GET, "/fhir/_history?_sort=_id", &strict, None).await.is(400);
    assert_eq!(answer.rules(), ["parameter-unknown"]);
    for (query, wrong) in [("_since=noon&_at=2026-13&_count=x", 3), ("_page=abc", 1), ("_since=", 1)] {
        let answer = clinic.get(&format!("/fhir/Patient/_history?{query}")).await.is(400);
        assert_eq!(answer.rules().len(), wrong, "{}", answer.text);
    }
    clinic.get("/fhir/Nonsense/_history").await.is(404);
    gw.compliance("river-clinic").await.get("/fhir/AuditEvent/_history").await.is(405);
}

on_both!(a_page_of_a_history_is_its_partners_and_its_scopes);
async fn a_page_of_a_history_is_its_partners_and_its_scopes(on: On) {
    let (gw, clinic) = start(on).await;
    person(&clinic).await;
    person(&clinic).await;
    let page = clinic.get("/fhir/_history?_count=1").await.is(200);
    let address = next(&page.body).unwrap();
    clinic.get(&address).await.is(200);
    let answer = gw.system(COUNTY).await.get(&address).await.is(400);
    assert_eq!(answer.rules(), ["page-token"]);
    gw.client("reader", "river-clinic", "system/Patient.rs system/Goal.r").await;
    let reader = gw.signed_in("reader").await;
    assert_eq!(all(&reader, "_history", 50).await.len(), 2, "Patients and nothing else");
    reader.get("/fhir/Goal/_history").await.is(403);
    gw.client("blind", "river-clinic", "system/Patient.c").await;
    gw.signed_in("blind").await.get("/fhir/_history").await.is(403);
}
