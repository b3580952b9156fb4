//! Search and read are decided twice and must agree, whatever a consent selects by.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Actor, On, TestGateway, key, without};
use crate::on_both;
use crate::reach::permit;

async fn person(clinic: &Actor) -> String {
    key(&clinic.creates(&json!({"resourceType": "Patient"})).await)
}

fn goal(subject: &str) -> Value {
    json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"}, "subject": {"reference": subject}})
}

fn observation(subject: &str, code: &str, day: Option<&str>) -> Value {
    let mut observation = json!({"resourceType": "Observation", "status": "final", "subject": {"reference": subject},
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]}});
    if let Some(day) = day {
        observation["effectiveDateTime"] = json!(day);
    }
    observation
}

/// What the county finds of Observations, which must be what it can read, with and without naming the person.
async fn found(clinic: &Actor, county: &Actor, patient: &str) -> BTreeSet<String> {
    let mut readable = BTreeSet::new();
    for key in clinic.get("/fhir/Observation?_count=100").await.keys() {
        if county.get(&format!("/fhir/{key}")).await.status == 200 {
            readable.insert(key);
        }
    }
    for query in
        ["Observation".to_string(), format!("Observation?patient={patient}"), "Observation?status=final".into()]
    {
        let answer = county.get(&format!("/fhir/{query}")).await.is(200);
        assert_eq!(answer.keys().into_iter().collect::<BTreeSet<String>>(), readable, "{query}");
        assert_eq!(answer.body["total"], readable.len(), "{query}");
        let counted = if query.contains('?') { format!("{query}&_count=1") } else { format!("{query}?_count=1") };
        assert_eq!(county.get(&format!("/fhir/{counted}")).await.is(200).keys().len(), readable.len().min(1));
    }
    readable
}

on_both!(what_sql_cannot_carry_is_found_as_it_is_read);
async fn what_sql_cannot_carry_is_found_as_it_is_read(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system("county-social-service").await);
    let ana = person(&clinic).await;
    let mut made = Vec::new();
    for (code, day) in [("a", Some("2026-01-10")), ("a", Some("2026-02-10")), ("b", Some("2026-01-20")), ("b", None)] {
        made.push(key(&clinic.creates(&observation(&ana, code, day)).await));
    }
    let loinc = |code: &str| json!([{"coding": [{"system": "http://loinc.org", "code": code}]}]);
    let january = json!({"start": "2026-01-01", "end": "2026-01-31"});
    let instance = |meaning: &str, at: usize| json!([{"meaning": meaning, "reference": {"reference": made[at]}}]);
    let deny = |selectors: Value| {
        let mut rule = json!({"type": "deny"});
        rule.as_object_mut().unwrap().extend(selectors.as_object().unwrap().clone());
        json!({"provision": [rule]})
    };
    for (selectors, expected) in [
        (json!({"code": loinc("a")}), &[0, 1][..]),
        (json!({"code": loinc("c")}), &[]),
        (json!({"dataPeriod": january}), &[0, 2]),
        (json!({"dataPeriod": january, "code": loinc("b")}), &[2]),
        (json!({"data": instance("instance", 1)}), &[1]),
        (json!({"data": instance("authoredby", 1)}), &[]),
        (deny(json!({"code": loinc("a")})), &[2, 3]),
        (deny(json!({"dataPeriod": january})), &[1]),
        (deny(json!({"data": instance("instance", 2)})), &[0, 1, 3]),
        (json!({}), &[0, 1, 2, 3]),
    ] {
        let consent = clinic.creates(&permit(&ana, "county-social-service", selectors.clone())).await;
        let wanted: BTreeSet<String> = expected.iter().map(|at| made[*at].clone()).collect();
        assert_eq!(found(&clinic, &county, &ana).await, wanted, "{selectors}");
        clinic.revokes(&consent).await;
        assert_eq!(found(&clinic, &county, &ana).await, BTreeSet::new(), "{selectors}");
    }
}

on_both!(labels_are_found_as_they_are_read);
async fn labels_are_found_as_they_are_read(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system("county-social-service").await);
    let ana = person(&clinic).await;
    let mut made = Vec::new();
    for label in ["L", "N", "R"] {
        let mut labelled = observation(&ana, "a", None);
        labelled["meta"]["security"] =
            json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": label}]);
        made.push(key(&clinic.creates(&labelled).await));
    }
    made.push(key(&clinic.creates(&observation(&ana, "a", None)).await));
    let normal =
        json!({"securityLabel": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}]});
    clinic.creates(&permit(&ana, "county-social-service", normal)).await;
    let sees = found(&clinic, &county, &ana).await;
    assert!(sees.contains(&made[0]) && sees.contains(&made[1]) && !sees.contains(&made[2]), "{sees:?}");
}

on_both!(a_correction_moves_a_resource_to_its_person);
async fn a_correction_moves_a_resource_to_its_person(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    for _ in 0..4 {
        let (wrong, right) = (person(&clinic).await, person(&clinic).await);
        let mut stored = clinic.creates(&goal(&wrong)).await;
        stored["subject"]["reference"] = json!(right);
        clinic.put(&format!("/fhir/{}", key(&stored)), &stored).await.is(200);
        for (patient, expected) in [(&wrong, 0), (&right, 1)] {
            let answer = clinic.get(&format!("/fhir/Goal?patient={patient}")).await.is(200);
            assert_eq!(answer.body["total"], expected, "{}", answer.text);
        }
    }
}

on_both!(a_consent_that_was_filed_under_the_wrong_person_counts_for_the_right_one);
async fn a_consent_that_was_filed_under_the_wrong_person_counts_for_the_right_one(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system("county-social-service").await);
    let (wrong, right) = (person(&clinic).await, person(&clinic).await);
    clinic.creates(&permit(&right, "county-social-service", json!({}))).await;
    let mut deny = permit(&wrong, "county-social-service", json!({"type": "deny"}));
    deny["policyRule"]["coding"][0]["code"] = json!("OPTOUT");
    let mut deny = clinic.creates(&deny).await;
    county.get(&format!("/fhir/{right}")).await.is(200);
    deny["patient"]["reference"] = json!(right);
    clinic.put(&format!("/fhir/{}", key(&deny)), &deny).await.is(200);
    county.get(&format!("/fhir/{right}")).await.is(404);
    assert_eq!(county.get("/fhir/Patient").await.is(200).body["total"], 0);
}

on_both!(a_correction_of_the_person_releases_and_withdraws);
async fn a_correction_of_the_person_releases_and_withdraws(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, housing) = (gw.system("river-clinic").await, gw.system("harbor-housing").await);
    let sent = clinic.submits(&without("ana", "Consent")).await;
    let (task, right) = (format!("/fhir/{}", sent.key("Task")), sent.key("Patient"));
    let wrong = person(&clinic).await;
    let treatment = json!({"purpose": [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"},
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "COC"}]});
    let mut consent = clinic.creates(&permit(&wrong, "harbor-housing", treatment)).await;
    housing.get(&task).await.is(404);
    for (patient, status, stands) in [(&right, 200, "requested"), (&wrong, 404, "cancelled")] {
        consent["patient"]["reference"] = json!(patient);
        consent = clinic.put(&format!("/fhir/{}", key(&consent)), &consent).await.is(200).body;
        housing.get(&task).await.is(status);
        assert_eq!(clinic.get(&task).await.is(200).body["status"], stands);
    }
}

on_both!(people_who_permit_no_purpose_in_common_are_not_counted);
async fn people_who_permit_no_purpose_in_common_are_not_counted(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    let client = handoff::partner::Client {
        id: "two-purposes".into(),
        partner: "county-social-service".into(),
        scope: "system/*.cruds".into(),
        purposes: vec!["COC".into(), "HPAYMT".into()],
        jwks: None,
        jwks_url: None,
        revoked: false,
        btg: false,
        practitioner: None,
    };
    handoff::gateway::enroll::client(&gw.ctx, &client).await.unwrap();
    let asked = ["COC", "HPAYMT"].map(str::to_string);
    let token =
        handoff::gateway::sign_in::token_for(&gw.ctx, "two-purposes", Some(asked.to_vec()), 300).await.ok().unwrap();
    let county = gw.stranger().with_token(&token.token);
    let (ana, ben) = (person(&clinic).await, person(&clinic).await);
    let reason = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    let purposes = |codes: &[&str]| json!({"purpose": codes.iter().map(|code| json!({"system": reason, "code": code})).collect::<Vec<Value>>()});
    let county_id = "county-social-service";
    clinic.creates(&permit(&ana, county_id, purposes(&["COC"]))).await;
    let of_ben = clinic.creates(&permit(&ben, county_id, purposes(&["HPAYMT"]))).await;
    let team = json!({"resourceType": "Group", "type": "person", "actual": true,
        "member": [{"entity": {"reference": ana}}, {"entity": {"reference": ben}}]});
    let team = key(&clinic.creates(&team).await);
    let member = format!("Group?member={ana}");
    for (path, is_seen) in [("Group", false), (member.as_str(), false), ("Group", true), (member.as_str(), true)] {
        if is_seen && county.get(&format!("/fhir/{team}")).await.status == 404 {
            clinic.revokes(&of_ben).await;
            clinic.creates(&permit(&ben, county_id, purposes(&["HPAYMT", "COC"]))).await;
        }
        assert_eq!(county.get(&format!("/fhir/{team}")).await.status == 200, is_seen, "{path}");
        for more in ["", "_total=accurate&_count=1", "_summary=count"] {
            let joint = if path.contains('?') { "&" } else { "?" };
            let found = county.get(&format!("/fhir/{path}{joint}{more}")).await.is(200);
            let counted = found.body["total"].as_i64();
            assert!(counted.is_none_or(|counted| counted == i64::from(is_seen)), "{path} {more}: {}", found.text);
            assert!(more == "_summary=count" || found.keys().len() == usize::from(is_seen), "{path}: {}", found.text);
        }
    }
}
