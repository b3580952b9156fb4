//! The second walk: what one partner sees of another's, by search and by id, and what it cannot tell apart.

use std::collections::BTreeSet;

use handoff::gateway::enroll;
use handoff::partner::{Client, Kind, Mode, Partner};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, On, TestGateway, fixture, key};
use crate::on_both;

/// A person's permit for one agency, with more selectors if wanted.
pub fn permit(patient: &str, partner: &str, selectors: Value) -> Value {
    let ana = fixture("ana");
    let entries = ana["entry"].as_array().unwrap();
    let mut consents = entries.iter().rev().filter(|entry| entry["resource"]["resourceType"] == "Consent");
    let mut consent = consents.next().unwrap()["resource"].clone();
    consent["patient"] = json!({"reference": patient});
    consent["performer"] = json!([{"reference": patient}]);
    let provision = consent["provision"].as_object_mut().unwrap();
    provision.remove("class");
    provision["actor"][0]["reference"]["reference"] = json!(format!("Organization/{partner}"));
    for (name, value) in selectors.as_object().unwrap() {
        provision.insert(name.clone(), value.clone());
    }
    consent
}

pub fn class(kinds: &[&str]) -> Value {
    let coding = |kind: &&str| json!({"system": "http://hl7.org/fhir/resource-types", "code": kind});
    json!({"class": kinds.iter().map(coding).collect::<Vec<Value>>()})
}

/// A selector that nobody else's consent shares: what it opens is worked out when it is asked for.
pub fn itself(resource: &str) -> Value {
    json!({"data": [{"meaning": "instance", "reference": {"reference": resource}}]})
}

async fn person(clinic: &Actor) -> String {
    key(&clinic.creates(&json!({"resourceType": "Patient"})).await)
}

async fn total(actor: &Actor, query: &str) -> i64 {
    let answer = actor.get(&format!("/fhir/{query}")).await.is(200);
    assert_eq!(answer.body["total"], answer.keys().len(), "{query}: {}", answer.text);
    answer.body["total"].as_i64().unwrap()
}

/// What of these an actor can read by id.
async fn readable(actor: &Actor, keys: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for key in keys {
        if actor.get(&format!("/fhir/{key}")).await.status == 200 {
            found.insert(key.clone());
        }
    }
    found
}

const CLINICAL: [&str; 8] =
    ["Patient", "CarePlan", "Goal", "CareTeam", "Condition", "Task", "ServiceRequest", "Consent"];

on_both!(a_partner_finds_exactly_what_the_consent_gives);
async fn a_partner_finds_exactly_what_the_consent_gives(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let sent = gw.system("river-clinic").await.submits(&fixture("ana")).await;
    let patient = sent.key("Patient");
    for (partner, given) in [
        ("county-social-service", &["Patient", "CarePlan", "Goal", "CareTeam"][..]),
        ("harbor-housing", &["Patient", "CarePlan", "Goal", "CareTeam", "Condition", "Task", "ServiceRequest"]),
        ("corner-food-bank", &[]),
    ] {
        let actor = gw.system(partner).await;
        for kind in CLINICAL {
            let expected = i64::from(given.contains(&kind));
            let about = if kind == "Patient" { "_id" } else { "patient" };
            assert_eq!(total(&actor, kind).await, expected, "{partner} {kind}");
            assert_eq!(
                total(&actor, &format!("{kind}?{about}={patient}").replace("_id=Patient/", "_id=")).await,
                expected
            );
            let status = actor.get(&format!("/fhir/{}", sent.key(kind))).await.status;
            assert_eq!(status, if expected == 1 { 200 } else { 404 }, "{partner} {kind}");
            for more in ["/_history", "/_history/1"] {
                let answer = actor.get(&format!("/fhir/{}{more}", sent.key(kind))).await;
                assert_eq!(answer.status, status, "{partner} {kind}{more}");
            }
        }
    }
}

on_both!(the_hidden_and_the_absent_answer_with_the_same_bytes);
async fn the_hidden_and_the_absent_answer_with_the_same_bytes(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let sent = gw.system("river-clinic").await.submits(&fixture("ana")).await;
    let county = gw.system("county-social-service").await;
    let hidden = sent.key("Condition");
    let absent = format!("{}f", &hidden[..hidden.len() - 1]);
    let body = sent.one("Condition").to_string();
    for (method, more, header) in [
        (Method::GET, "", ("if-none-match", "W/\"1\"")),
        (Method::HEAD, "", ("accept", "*/*")),
        (Method::GET, "/_history", ("accept", "*/*")),
        (Method::GET, "/_history/1", ("accept", "*/*")),
        (Method::GET, "/_history/2", ("accept", "*/*")),
        (Method::PUT, "", ("if-match", "W/\"1\"")),
        (Method::PUT, "", ("if-match", "W/\"9\"")),
        (Method::DELETE, "", ("accept", "*/*")),
        (Method::DELETE, "", ("if-match", "W/\"9\"")),
    ] {
        let mut answers = Vec::new();
        for key in [&hidden, &absent] {
            let id = key.split_once('/').unwrap().1;
            let body = (method == Method::PUT).then(|| body.replace(hidden.split_once('/').unwrap().1, id));
            let answer = county.send(method.clone(), &format!("/fhir/{key}{more}"), &[header], body).await.is(404);
            let mut headers = answer.headers.clone();
            headers.remove("x-request-id");
            headers.remove("date");
            answers.push((headers, answer.text.replace(id, "ID")));
        }
        assert_eq!(answers[0], answers[1], "{method} {more}");
    }
}

// Two exchanges, of which only one has rows that the county must not know of.
on_both!(hidden_rows_change_neither_totals_nor_pages_nor_links);
async fn hidden_rows_change_neither_totals_nor_pages_nor_links(on: On) {
    let mut worlds = Vec::new();
    for crowded in [false, true] {
        let gw = TestGateway::start_with(on, |config| config.ids.client_assigned = true).await;
        gw.enrol("river-clinic", Kind::Clinic, None).await;
        gw.enrol("county-social-service", Kind::SocialService, None).await;
        let clinic = gw.system("river-clinic").await;
        let put = async |mut resource: Value, name: &str| {
            let id = format!("river-clinic-{name}");
            resource["id"] = json!(id);
            let path = format!("/fhir/{}", key(&resource));
            clinic.send(Method::PUT, &path, &[], Some(resource.to_string())).await.is(201);
        };
        let goal = |subject: &str, status: &str| {
            json!({"resourceType": "Goal", "lifecycleStatus": status, "description": {"text": "x"},
                "subject": {"reference": format!("Patient/river-clinic-{subject}")}})
        };
        put(json!({"resourceType": "Patient"}), "seen").await;
        put(permit("Patient/river-clinic-seen", "county-social-service", class(&["Goal"])), "c").await;
        if crowded {
            put(json!({"resourceType": "Patient"}), "hidden").await;
        }
        for at in 0..5 {
            put(goal("seen", if at % 2 == 0 { "active" } else { "proposed" }), &format!("g{at}")).await;
            if crowded {
                put(goal("hidden", "active"), &format!("h{at}")).await;
                let condition =
                    json!({"resourceType": "Condition", "subject": {"reference": "Patient/river-clinic-seen"}});
                put(condition, &format!("k{at}")).await;
            }
            gw.advance_secs(1);
        }
        let county = gw.system("county-social-service").await;
        let mut said = Vec::new();
        for query in [
            "Goal",
            "Goal?_count=1",
            "Goal?_count=2&_sort=_lastUpdated",
            "Goal?_count=5",
            "Goal?_summary=count",
            "Goal?lifecycle-status=active&_count=1",
            "Goal?lifecycle-status:not=active",
            "Goal?target-date:missing=true",
            "Goal?patient=river-clinic-seen&_count=2",
            "Goal?patient=river-clinic-hidden",
            "Goal?subject=Patient/river-clinic-hidden",
            "Goal?_id=river-clinic-g1,river-clinic-h1",
            "Goal?_lastUpdated=gt2026-03-02T12:00:02Z",
            "Condition",
            "Condition?patient=river-clinic-seen",
            "Patient",
            "Patient?_id=river-clinic-hidden",
        ] {
            let mut address = Some(format!("/fhir/{query}"));
            while let Some(at) = address {
                let page = county.get(&at).await.is(200);
                let links = page.body["link"].as_array().unwrap();
                let next = links.iter().find(|link| link["relation"] == "next");
                address = next.map(|link| link["url"].as_str().unwrap().to_string());
                let token =
                    address.as_deref().and_then(|next| next.split_once("_page=")).map_or("", |(_, token)| token);
                // The token is sealed with a new nonce each time; what may not tell the worlds apart is its length.
                let masked = "#".repeat(token.len());
                let text = if token.is_empty() { page.text } else { page.text.replace(token, &masked) };
                said.push((query, text.replace(&gw.address, "")));
            }
        }
        worlds.push(said);
    }
    assert!(worlds[0].len() > 25, "pages were walked");
    assert_eq!(worlds[0], worlds[1]);
}

on_both!(of_two_people_in_one_resource_both_must_permit);
async fn of_two_people_in_one_resource_both_must_permit(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system("county-social-service").await);
    let (ana, ben) = (person(&clinic).await, person(&clinic).await);
    for (first, second) in [(&ana, &ben), (&ben, &ana)] {
        let team = json!({"resourceType": "CareTeam", "status": "active", "subject": {"reference": first},
            "participant": [{"member": {"reference": second}}]});
        clinic.creates(&team).await;
        let message = json!({"resourceType": "Communication", "status": "completed", "subject": {"reference": first},
            "recipient": [{"reference": second}]});
        clinic.creates(&message).await;
    }
    let queries: Vec<(String, i64)> = ["CareTeam", "Communication"]
        .iter()
        .flat_map(|kind| {
            let by = |param: &str, who: &str| (format!("{kind}?{param}={who}"), 1);
            let also = if *kind == "CareTeam" { "participant" } else { "recipient" };
            [(kind.to_string(), 2), by("patient", &ana), by("patient", &ben), by("subject", &ana), by(also, &ben)]
        })
        .collect();
    let seen = async |factor: i64, why: &str| {
        for (query, expected) in &queries {
            assert_eq!(total(&clinic, query).await, *expected, "own: {query}");
            assert_eq!(total(&county, query).await, factor * expected, "{why}: {query}");
        }
        let all: Vec<String> =
            [clinic.get("/fhir/CareTeam").await.keys(), clinic.get("/fhir/Communication").await.keys()].concat();
        assert_eq!(readable(&county, &all).await.len() as i64, factor * 4, "{why}");
    };
    seen(0, "neither permits").await;
    let consent = clinic.creates(&permit(&ana, "county-social-service", json!({}))).await;
    seen(0, "one permits").await;
    clinic.creates(&permit(&ben, "county-social-service", json!({}))).await;
    seen(1, "both permit").await;
    let mut revoked = consent.clone();
    revoked["status"] = json!("inactive");
    clinic.put(&format!("/fhir/{}", key(&consent)), &revoked).await.is(200);
    seen(0, "one revoked").await;
}

on_both!(a_consent_begins_and_ends_by_itself);
async fn a_consent_begins_and_ends_by_itself(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    let ana = person(&clinic).await;
    let period = json!({"period": {"start": "2026-03-03", "end": "2026-03-04"}});
    clinic.creates(&permit(&ana, "county-social-service", period)).await;
    for (days, expected) in [(0, 0), (1, 1), (1, 1), (1, 0)] {
        gw.advance_secs(days * 24 * 3_600);
        let county = gw.system("county-social-service").await;
        assert_eq!(total(&county, "Patient").await, expected);
        let status = county.get(&format!("/fhir/{ana}")).await.status;
        assert_eq!(status, if expected == 1 { 200 } else { 404 });
    }
}

on_both!(a_branch_sees_what_its_parent_may_and_not_the_reverse);
async fn a_branch_sees_what_its_parent_may_and_not_the_reverse(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    for (id, parent) in [("branch", "county-social-service"), ("twig", "branch")] {
        let partner = Partner {
            id: id.into(),
            name: id.into(),
            kind: Kind::SocialService,
            mode: Mode::Light,
            endpoint: None,
            regimes: vec![],
            part_of: Some(parent.into()),
        };
        enroll::partner(&gw.ctx, &partner).await.unwrap();
        gw.client(&format!("{id}-system"), id, "system/*.cruds").await;
    }
    let (ana, ben) = (person(&clinic).await, person(&clinic).await);
    clinic.creates(&permit(&ana, "county-social-service", json!({}))).await;
    clinic.creates(&permit(&ben, "branch", json!({}))).await;
    for (partner, sees) in [
        ("county-social-service", vec![&ana]),
        ("branch", vec![&ana, &ben]),
        ("twig", vec![&ana, &ben]),
        ("harbor-housing", vec![]),
    ] {
        let actor = gw.system(partner).await;
        let expected: BTreeSet<String> = sees.into_iter().cloned().collect();
        assert_eq!(
            actor.get("/fhir/Patient").await.keys().into_iter().collect::<BTreeSet<String>>(),
            expected,
            "{partner}"
        );
        assert_eq!(readable(&actor, &[ana.clone(), ben.clone()]).await, expected, "{partner}");
    }
    // A client is its partner's, whatever it is called.
    let client = Client {
        id: "branch".into(),
        partner: "harbor-housing".into(),
        scope: "system/*.rs".into(),
        purposes: vec![],
        jwks: None,
        jwks_url: None,
        revoked: false,
        btg: false,
        practitioner: None,
    };
    enroll::client(&gw.ctx, &client).await.unwrap();
    assert_eq!(total(&gw.signed_in("branch").await, "Patient").await, 0);
}

on_both!(an_opened_default_shows_the_same_by_search_and_by_read);
async fn an_opened_default_shows_the_same_by_search_and_by_read(on: On) {
    for (default, total) in [("permit", 1), ("deny", 0)] {
        let gw = TestGateway::exchange_with(on, |config| config.consent.default = default.into()).await;
        let clinic = gw.system("river-clinic").await;
        let patient = clinic.creates(&json!({"resourceType": "Patient", "active": true})).await;
        let goal = json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "rest"},
            "subject": {"reference": key(&patient)}});
        let goal = clinic.creates(&goal).await;
        let housing = gw.system("harbor-housing").await;
        assert_eq!(housing.get("/fhir/Goal").await.is(200).body["total"], total, "{default}");
        housing.get(&format!("/fhir/{}", key(&goal))).await.is(if total == 1 { 200 } else { 404 });
    }
}
