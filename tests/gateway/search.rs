//! What a search finds of one's own: each type of parameter, pages, and what is not understood.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, On, key, start};
use crate::on_both;

/// Checks each query against the names of what it finds, in any order.
async fn finds(actor: &Actor, kind: &str, named: &[(&str, String)], table: &[(&str, &[&str])]) {
    for (query, expected) in table {
        let answer = actor.get(&format!("/fhir/{kind}?{query}")).await.is(200);
        assert!(!answer.text.contains("parameter-unknown"), "{query}: {}", answer.text);
        let found: BTreeSet<String> = answer.keys().into_iter().collect();
        let wanted: BTreeSet<String> =
            named.iter().filter(|(name, _)| expected.contains(name)).map(|(_, key)| key.clone()).collect();
        assert_eq!(found, wanted, "{query}");
        assert_eq!(answer.body["total"], expected.len(), "{query}");
    }
}

async fn store(actor: &Actor, resources: Vec<(&'static str, Value)>) -> Vec<(&'static str, String)> {
    let mut named = Vec::new();
    for (name, resource) in resources {
        named.push((name, key(&actor.creates(&resource).await)));
    }
    named
}

fn next(page: &Answer) -> Option<String> {
    let links = page.body["link"].as_array()?;
    links.iter().find(|link| link["relation"] == "next").map(|link| link["url"].as_str().unwrap().to_string())
}

on_both!(patients_are_found_by_name_code_and_identifier);
async fn patients_are_found_by_name_code_and_identifier(on: On) {
    let (gw, clinic) = start(on).await;
    let mut named = store(
        &clinic,
        vec![
            (
                "elise",
                json!({"resourceType": "Patient", "gender": "female", "birthDate": "1990-05",
                "name": [{"family": "Müller-Ångström", "given": ["Élise", "Zoë"]}],
                "identifier": [{"system": "https://a.example", "value": "1"}, {"value": "9|9"}]}),
            ),
            (
                "else",
                json!({"resourceType": "Patient", "gender": "male", "birthDate": "1990-05-17",
                "name": [{"family": "MULLER", "given": ["else"]}],
                "identifier": [{"system": "https://b.example", "value": "1"}]}),
            ),
            (
                "bare",
                json!({"resourceType": "Patient", "active": false,
                "identifier": [{"value": "1"}, {"system": "https://a.example", "value": "100%_x,y"}]}),
            ),
        ],
    )
    .await;
    gw.advance_secs(240);
    named.extend(
        store(&clinic, vec![("late", json!({"resourceType": "Patient", "name": [{"text": "Elsewhere"}]}))]).await,
    );
    let id = |name: &str| {
        let key = &named.iter().find(|(other, _)| *other == name).unwrap().1;
        key.split_once('/').unwrap().1.to_string()
    };
    let (ids, one) = (format!("_id={},{},nobody", id("else"), id("late")), format!("_id={}", id("bare")));
    let all: &[&str] = &["elise", "else", "bare", "late"];
    finds(
        &clinic,
        "Patient",
        &named,
        &[
            ("", all),
            ("name=eli", &["elise"]),
            ("name=%C3%89LISE", &["elise"]),
            ("name=els", &["else", "late"]),
            ("name=muller", &["elise", "else"]),
            ("family=M%C3%BCller", &["elise", "else"]),
            ("given=zoe", &["elise"]),
            ("name=lise", &[]),
            ("name:contains=ULLE", &["elise", "else"]),
            ("name:contains=%25", &[]),
            ("name:exact=else", &["else"]),
            ("name:exact=Else", &[]),
            ("name:exact=%C3%89lise", &["elise"]),
            ("name=eli,els", &["elise", "else", "late"]),
            ("name=muller&gender=male", &["else"]),
            ("name:missing=true", &["bare"]),
            ("gender=male,female", &["elise", "else"]),
            ("gender:not=male", &["elise", "bare", "late"]),
            ("gender:missing=false", &["elise", "else"]),
            ("active=false", &["bare"]),
            ("identifier=1", &["elise", "else", "bare"]),
            ("identifier=https://a.example%7C1", &["elise"]),
            ("identifier=%7C1", &["bare"]),
            ("identifier=https://a.example%7C", &["elise", "bare"]),
            ("identifier=https://c.example%7C1", &[]),
            ("identifier=9%5C%7C9", &["elise"]),
            ("identifier=100%25_x%5C,y", &["bare"]),
            ("birthdate=1990", &["elise", "else"]),
            ("birthdate=1990-05-17", &["else"]),
            ("birthdate=ge1990-05-17&birthdate=lt1990-05-18", &["elise", "else"]),
            ("birthdate:missing=true", &["bare", "late"]),
            (&ids, &["else", "late"]),
            (&one, &["bare"]),
            ("_id=nobody", &[]),
            ("_lastUpdated=gt2026-03-02T12:02:00Z", &["late"]),
            ("_lastUpdated=lt2026-03-02T12:02:00Z", &["elise", "else", "bare"]),
            ("_lastUpdated=2026-03-02", all),
            ("_lastUpdated=ge2026-03-03", &[]),
        ],
    )
    .await;
}

on_both!(a_person_is_named_in_each_form);
async fn a_person_is_named_in_each_form(on: On) {
    let (_gw, clinic) = start(on).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
        let goal = json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"},
            "subject": {"reference": patient}});
        let goal = key(&clinic.creates(&goal).await);
        ids.push((patient.split_once('/').unwrap().1.to_string(), goal));
    }
    let (id, goal) = &ids[0];
    let named = [("goal", goal.clone()), ("other", ids[1].1.clone())];
    let both = format!("patient={id},{}", ids[1].0);
    let forms: Vec<String> = [
        "patient=Patient/ID",
        "patient=ID",
        "patient:Patient=ID",
        "subject=Patient/ID",
        "subject=ID",
        "subject:Patient=ID",
        "patient=ID&subject=Patient/ID",
    ]
    .iter()
    .map(|form| form.replace("ID", id))
    .collect();
    let found: &[&str] = &["goal"];
    let table: Vec<(&str, &[&str])> = forms.iter().map(|form| (form.as_str(), found)).collect();
    finds(&clinic, "Goal", &named, &table).await;
    let none: Vec<String> = ["patient=Group/ID", "subject:Group=ID", "patient=nobody", "subject=Patient/nobody"]
        .iter()
        .map(|form| form.replace("ID", id))
        .collect();
    let table: Vec<(&str, &[&str])> = none.iter().map(|form| (form.as_str(), &[][..])).collect();
    finds(&clinic, "Goal", &named, &table).await;
    finds(&clinic, "Goal", &named, &[(&both, &["goal", "other"])]).await;
}

on_both!(periods_are_compared_as_the_ranges_that_they_are);
async fn periods_are_compared_as_the_ranges_that_they_are(on: On) {
    let (_gw, clinic) = start(on).await;
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    let plan = |period: Value| {
        let mut plan = json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": patient}});
        if !period.is_null() {
            plan["period"] = period;
        }
        plan
    };
    let named = store(
        &clinic,
        vec![
            ("year", plan(json!({"start": "2026-01-15", "end": "2026-12-31"}))),
            ("march", plan(json!({"start": "2026-03", "end": "2026-03"}))),
            ("open", plan(json!({"start": "2025"}))),
            ("none", plan(Value::Null)),
        ],
    )
    .await;
    finds(
        &clinic,
        "CarePlan",
        &named,
        &[
            ("date=2026", &["year", "march"]),
            ("date=2026-03", &["march"]),
            ("date=eq2026-03-10", &[]),
            ("date=ne2026-03", &["year", "open"]),
            ("date=ge2026-06", &["year", "open"]),
            ("date=gt2026-12-31", &["open"]),
            ("date=lt2026", &["open"]),
            ("date=le2025-12-31", &["open"]),
            ("date=sa2026-01-14", &["year", "march"]),
            ("date=eb2026-04", &["march"]),
            ("date=eb2026-04-01T00:00:00Z", &["march"]),
            ("date=ge2026-03-05&date=le2026-03-06", &["year", "march", "open"]),
            ("date=2026-03,2026", &["year", "march"]),
            ("date:missing=true", &["none"]),
            ("date:missing=false", &["year", "march", "open"]),
        ],
    )
    .await;
}

on_both!(quantities_are_compared_with_their_precision_and_unit);
async fn quantities_are_compared_with_their_precision_and_unit(on: On) {
    let (_gw, clinic) = start(on).await;
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    let hours = |value: f64, unit: &str| {
        json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": {"reference": patient},
            "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": unit}})
    };
    let named =
        store(&clinic, vec![("two", hours(2.0, "h")), ("more", hours(2.4, "h")), ("days", hours(2.0, "d"))]).await;
    finds(
        &clinic,
        "Observation",
        &named,
        &[
            ("value-quantity=2", &["two", "more", "days"]),
            ("value-quantity=2.0", &["two", "days"]),
            ("value-quantity=2.0%7Chttp://unitsofmeasure.org%7Ch", &["two"]),
            ("value-quantity=2%7C%7Ch", &["two", "more"]),
            ("value-quantity=gt2.1", &["more"]),
            ("value-quantity=le2%7C%7Cd", &["days"]),
        ],
    )
    .await;
}

on_both!(what_is_not_known_is_said_and_what_is_unreadable_refused);
async fn what_is_not_known_is_said_and_what_is_unreadable_refused(on: On) {
    let (_gw, clinic) = start(on).await;
    clinic.creates(&json!({"resourceType": "Patient", "gender": "male"})).await;
    for (query, self_keeps) in [
        ("colour=red&gender=male", "gender=male"),
        ("name:sounds-like=x&gender=male", "gender=male"),
        ("_sort=sound&gender=male", "gender=male"),
        ("_include=Patient:nothing&gender=male", "gender=male"),
    ] {
        let lenient = clinic.get(&format!("/fhir/Patient?{query}")).await.is(200);
        assert_eq!((lenient.body["total"].as_i64(), lenient.keys().len()), (Some(1), 1), "{query}");
        let entries = lenient.body["entry"].as_array().unwrap();
        let said = entries.iter().find(|entry| entry["search"]["mode"] == "outcome").unwrap();
        assert_eq!(said["resource"]["issue"][0]["severity"], "warning", "{query}");
        let link = lenient.body["link"][0]["url"].as_str().unwrap();
        assert!(link.ends_with(&format!("/fhir/Patient?{self_keeps}")), "{query}: {link}");
        let headers = [("prefer", "handling=strict")];
        let strict = clinic.send(Method::GET, &format!("/fhir/Patient?{query}"), &headers, None).await.is(400);
        assert_eq!(strict.rules(), ["parameter-unknown"], "{query}");
    }
    for query in [
        "birthdate=soon",
        "birthdate=2026-02-30",
        "_count=many",
        "_id=a/b",
        "gender=",
        "name:missing=maybe",
        "_lastUpdated=x",
        "_total=perhaps",
        "_page=forged",
    ] {
        for prefer in ["handling=strict", "handling=lenient"] {
            let path = format!("/fhir/Patient?{query}");
            clinic.send(Method::GET, &path, &[("prefer", prefer)], None).await.is(400);
        }
    }
    let both = clinic.get("/fhir/Patient?birthdate=soon&_count=many").await.is(400);
    assert_eq!(both.rules().len(), 2, "both at once: {}", both.text);
}

on_both!(a_form_searches_as_an_address_does);
async fn a_form_searches_as_an_address_does(on: On) {
    let (_gw, clinic) = start(on).await;
    clinic.creates(&json!({"resourceType": "Patient", "gender": "male"})).await;
    clinic.creates(&json!({"resourceType": "Patient", "gender": "female"})).await;
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let post =
        |path: &'static str, form: &'static str| clinic.send(Method::POST, path, &headers, Some(form.to_string()));
    let by_form = post("/fhir/Patient/_search", "gender=male").await.is(200);
    assert_eq!(by_form.keys(), clinic.get("/fhir/Patient?gender=male").await.keys());
    let mixed = post("/fhir/Patient/_search?gender=male", "_summary=count").await.is(200).body;
    assert_eq!((mixed["total"].as_i64(), mixed.get("entry")), (Some(1), None));
    post("/fhir/Patient/_search", "birthdate=soon").await.is(400);
    assert_eq!(post("/fhir/Patient/_search", "").await.is(200).body["total"], 2);
}

on_both!(a_count_gives_the_total_alone);
async fn a_count_gives_the_total_alone(on: On) {
    let (_gw, clinic) = start(on).await;
    for _ in 0..3 {
        clinic.creates(&json!({"resourceType": "Patient"})).await;
    }
    for query in ["_summary=count", "_count=0"] {
        let answer = clinic.get(&format!("/fhir/Patient?{query}")).await.is(200);
        assert_eq!((answer.body["total"].as_i64(), answer.body.get("entry")), (Some(3), None), "{query}");
        assert_eq!(next(&answer), None);
    }
    let without = clinic.get("/fhir/Patient?_total=none").await.is(200).body;
    assert_eq!((without.get("total"), without["entry"].as_array().unwrap().len()), (None, 3));
}

on_both!(pages_show_each_row_once_while_others_come_in);
async fn pages_show_each_row_once_while_others_come_in(on: On) {
    let (gw, clinic) = start(on).await;
    let mut known = BTreeSet::new();
    for at in 0..7 {
        known.insert(key(&clinic.creates(&json!({"resourceType": "Patient", "active": true})).await));
        if at % 3 == 0 {
            gw.advance_secs(1);
        }
    }
    for query in ["_count=2", "_count=2&_sort=_lastUpdated", "_count=3&active=true", "_count=1&_sort=-_lastUpdated"] {
        let mut seen = Vec::new();
        let mut address = Some(format!("/fhir/Patient?{query}"));
        while let Some(at) = address {
            let page = clinic.get(&at).await.is(200);
            assert!(!page.keys().is_empty(), "{query}: the last page has no `next`");
            seen.extend(page.keys());
            address = next(&page).filter(|_| seen.len() < 40);
            if seen.len() < 7 {
                clinic.creates(&json!({"resourceType": "Patient", "active": true})).await;
            }
        }
        let distinct: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!(distinct.len(), seen.len(), "{query}: none twice");
        assert!(known.is_subset(&distinct), "{query}: none left out");
    }
}

on_both!(a_page_belongs_to_whom_it_was_given);
async fn a_page_belongs_to_whom_it_was_given(on: On) {
    let (gw, clinic) = start(on).await;
    for _ in 0..3 {
        clinic.creates(&json!({"resourceType": "Patient"})).await;
    }
    let address = next(&clinic.get("/fhir/Patient?_count=2").await.is(200)).unwrap();
    assert_eq!(clinic.get(&address).await.is(200).keys().len(), 1);
    let other = gw.system("harbor-housing").await.get(&address).await.is(400);
    assert_eq!(other.rules(), ["page-token"]);
    let mut forged = address.clone();
    forged.replace_range(address.len() - 4.., "AAAA");
    assert_eq!(clinic.get(&forged).await.is(400).rules(), ["page-token"]);
}
