//! Searches of everybody: whoever permits is found, however many they are, and who does not any more is not.

use serde_json::json;

use crate::harness::{Actor, On, TestGateway, key};
use crate::on_both;
use crate::reach::{itself, permit};

const COUNTY: &str = "county-social-service";

async fn person(clinic: &Actor) -> String {
    key(&clinic.creates(&json!({"resourceType": "Patient"})).await)
}

/// Whom the county finds, which is whom it can read.
async fn found(county: &Actor, people: &[&str]) -> Vec<usize> {
    let answer = county.get("/fhir/Patient?_total=accurate").await.is(200);
    let keys = answer.keys();
    assert_eq!(answer.body["total"], keys.len(), "{}", answer.text);
    assert!(!answer.text.contains("people-withheld"), "{}", answer.text);
    let mut readable = Vec::new();
    for (at, person) in people.iter().enumerate() {
        let status = county.get(&format!("/fhir/{person}")).await.status;
        assert_eq!(status == 200, keys.iter().any(|key| key == person), "{person}");
        readable.extend((status == 200).then_some(at));
    }
    readable
}

on_both!(all_who_permit_are_found_beyond_every_bound_on_people);
async fn all_who_permit_are_found_beyond_every_bound_on_people(on: On) {
    let gw = TestGateway::exchange_with(on, |config| config.consent.people_max = 1).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system(COUNTY).await);
    let (ana, ben, cid) = (person(&clinic).await, person(&clinic).await, person(&clinic).await);
    let people = [ana.as_str(), &ben, &cid];
    let mut consents = Vec::new();
    for patient in [&ana, &ben] {
        consents.push(clinic.creates(&permit(patient, COUNTY, json!({}))).await);
    }
    assert_eq!(found(&county, &people).await, [0, 1], "written when it is first asked");
    clinic.creates(&permit(&cid, COUNTY, json!({}))).await;
    assert_eq!(found(&county, &people).await, [0, 1, 2], "renewed with the consent");
    consents[0]["status"] = json!("inactive");
    clinic.put(&format!("/fhir/{}", key(&consents[0])), &consents[0]).await.is(200);
    assert_eq!(found(&county, &people).await, [1, 2]);
    let mut deny = permit(&ben, COUNTY, json!({"type": "deny"}));
    deny["policyRule"]["coding"][0]["code"] = json!("OPTOUT");
    clinic.creates(&deny).await;
    assert_eq!(found(&county, &people).await, [2]);
    clinic.creates(&permit(&ana, COUNTY, itself(&ana))).await;
    assert_eq!(found(&county, &people).await, [0, 2], "beside one whose consent nobody shares");
}

on_both!(time_alone_opens_and_closes_what_everybody_permits);
async fn time_alone_opens_and_closes_what_everybody_permits(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    let (ana, ben) = (person(&clinic).await, person(&clinic).await);
    let day = |days: i64| gw.ctx.now().plus_secs(days * 86_400).to_string();
    for (patient, start, end) in [(&ana, day(-1), day(1)), (&ben, day(1), day(3))] {
        clinic.creates(&permit(patient, COUNTY, json!({"period": {"start": start, "end": end}}))).await;
    }
    let people = [ana.as_str(), &ben];
    for (days, expected) in [(0, vec![0]), (2, vec![1]), (2, vec![])] {
        gw.advance_secs(days * 86_400);
        // The token of two days ago is over too.
        assert_eq!(found(&gw.system(COUNTY).await, &people).await, expected, "{days}");
    }
}

on_both!(people_whose_rules_do_not_fit_are_withheld_and_it_is_said);
async fn people_whose_rules_do_not_fit_are_withheld_and_it_is_said(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system(COUNTY).await);
    let mut plain = Vec::new();
    for at in 0..34 {
        let patient = person(&clinic).await;
        let selectors = match at {
            0..4 => json!({}),
            // A rule that is nobody else's, and as long as a statement says one.
            _ => {
                let data: Vec<_> = (0..390)
                    .map(|code| json!({"type": "deny", "code": [{"coding": [{"system": format!("https://codes.example/{patient}"), "code": format!("{code}")}]}]}))
                    .collect();
                json!({"provision": data})
            }
        };
        clinic.creates(&permit(&patient, COUNTY, selectors)).await;
        plain.extend((at < 4).then_some(patient));
    }
    let found = county.get("/fhir/Patient?_count=100&_total=accurate").await.is(200);
    assert!(found.text.contains("people-withheld"), "{}", found.text);
    assert!(plain.iter().all(|patient| found.keys().contains(patient)), "who fits is found");
    assert_eq!(found.body["total"], found.keys().len());
    assert!(found.keys().len() < 34);
    // Whoever is named fits.
    assert!(!county.get(&format!("/fhir/Patient?_id={}", &plain[0][8..])).await.is(200).keys().is_empty());
}
