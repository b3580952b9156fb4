//! `Consent/$revoke`: in force when its answer arrives, on every node; what was in force stays on file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::filing::{CLINIC, COUNTY, HOUSING, Shared, goal, operation, sees, shared};
use crate::harness::{On, TestGateway, key};
use crate::on_both;
use crate::reach::permit;

fn parts<'v>(answer: &'v Value, name: &str) -> Vec<&'v Value> {
    answer["parameter"].as_array().unwrap().iter().filter(|one| one["name"] == name).collect()
}

on_both!(a_revoked_consent_ends_at_once_and_stays_readable);
async fn a_revoked_consent_ends_at_once_and_stays_readable(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system(CLINIC).await, gw.system(COUNTY).await);
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    let consent = clinic.creates(&permit(&patient, COUNTY, json!({}))).await;
    let goal = key(&clinic.creates(&goal(&patient)).await);
    county.get(&format!("/fhir/{goal}")).await.is(200);
    let reason =
        json!({"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": "she asked for it"}]});
    let path = format!("/fhir/{}", key(&consent));
    let answer = clinic.post(&format!("{path}/$revoke"), &reason).await.is(200).body;
    assert!(!sees(&county, &patient, &goal).await);

    let ended = clinic.get(&path).await.is(200).body;
    assert_eq!((&ended["status"], &ended["meta"]["versionId"]), (&json!("inactive"), &json!("2")));
    assert_eq!(parts(&answer, "return")[0]["resource"], ended);
    let disclosed = parts(&answer, "disclosed");
    assert_eq!(disclosed.len(), 1, "{answer}");
    assert_eq!(disclosed[0]["part"][0]["valueReference"]["reference"], format!("Organization/{COUNTY}"));
    assert_eq!(disclosed[0]["part"][1]["valueReference"]["reference"], format!("{goal}/_history/1"));
    let witnessed = clinic.get(&format!("/fhir/Provenance?target={}", key(&consent))).await.is(200);
    assert!(witnessed.text.contains("she asked for it") && witnessed.text.contains("\"revoke\""), "{}", witnessed.text);

    let again = clinic.revokes(&consent).await;
    assert_eq!(parts(&again, "return")[0]["resource"]["meta"]["versionId"], "2", "once is enough");
    assert_eq!(clinic.delete(&path).await.is(422).rules(), ["consent-kept"]);
    clinic.get(&path).await.is(200);
}

on_both!(what_never_was_in_force_may_be_deleted);
async fn what_never_was_in_force_may_be_deleted(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system(CLINIC).await;
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    let mut draft = permit(&patient, COUNTY, json!({}));
    draft["status"] = json!("draft");
    let stored = clinic.creates(&draft).await;
    assert_eq!(operation(&clinic, &format!("{}/$revoke", key(&stored))).await.is(422).rules(), ["consent-not-active"]);
    clinic.delete(&format!("/fhir/{}", key(&stored))).await.is(204);
    let mut stored = clinic.creates(&permit(&patient, COUNTY, json!({}))).await;
    stored["status"] = json!("draft");
    clinic.put(&format!("/fhir/{}", key(&stored)), &stored).await.is(200);
    clinic.delete(&format!("/fhir/{}", key(&stored))).await.is(422);
}

on_both!(who_neither_filed_nor_keeps_it_cannot_revoke_it);
async fn who_neither_filed_nor_keeps_it_cannot_revoke_it(on: On) {
    let Shared { gw, clinic, housing, patient, consent, .. } = shared(on).await;
    let of_clinic = key(&clinic.creates(&goal(&patient)).await);
    let path = format!("{}/$revoke", key(&consent));
    for actor in [&housing, &gw.system("corner-food-bank").await] {
        let hidden = operation(actor, &path).await.is(404);
        let absent = operation(actor, "Consent/nothing/$revoke").await.is(404);
        assert_eq!(hidden.text.replace(&key(&consent), "…"), absent.text.replace("Consent/nothing", "…"));
    }
    assert!(sees(&housing, &patient, &of_clinic).await);
    // The custodian may, though another filed it.
    let mut kept = permit(&patient, COUNTY, json!({}));
    kept["organization"] = json!([{"reference": format!("Organization/{HOUSING}")}]);
    let kept = clinic.creates(&kept).await;
    housing.revokes(&kept).await;
    assert_eq!(clinic.get(&format!("/fhir/{}", key(&kept))).await.is(200).body["status"], "inactive");
    gw.client("reader", CLINIC, "system/Consent.rs").await;
    assert_eq!(operation(&gw.signed_in("reader").await, &path).await.is(403).rules(), ["scope"]);
}

on_both!(a_revocation_withdraws_live_referrals);
async fn a_revocation_withdraws_live_referrals(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, food) = (gw.system(CLINIC).await, gw.system("corner-food-bank").await);
    let sent = clinic.submits(&crate::harness::fixture("carla")).await;
    let path = format!("/fhir/{}", sent.key("Task"));
    food.get(&path).await.is(200);
    clinic.revokes(&sent.one("Consent")).await;
    food.get(&path).await.is(404);
    assert_eq!(clinic.get(&path).await.is(200).body["statusReason"]["coding"][0]["code"], "consent-revoked");
}

/// Racing reads of the suite; `HANDOFF_RACING_READS=100000` for the long run.
const READS: usize = 600;

on_both!(no_read_that_begins_after_the_answer_is_stale);
async fn no_read_that_begins_after_the_answer_is_stale(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let other = gw.another_node().await;
    let wanted: usize = std::env::var("HANDOFF_RACING_READS").ok().and_then(|n| n.parse().ok()).unwrap_or(READS);
    let clinic = gw.system(CLINIC).await;
    let (mut read, mut late, mut round) = (0, 0, 0);
    while read < wanted {
        round += 1;
        let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
        let consent = clinic.creates(&permit(&patient, COUNTY, json!({}))).await;
        let goal = key(&clinic.creates(&goal(&patient)).await);
        let (revoked, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let seen = Arc::new(AtomicUsize::new(0));
        let mut readers = Vec::new();
        for at in 0..8 {
            let node = if at % 2 == 0 { &gw } else { &other };
            let county = node.system(COUNTY).await;
            let (revoked, stop, seen) = (revoked.clone(), stop.clone(), seen.clone());
            let path = if at < 4 { format!("/fhir/{goal}") } else { format!("/fhir/Goal?patient={patient}") };
            let goal = goal.clone();
            readers.push(tokio::spawn(async move {
                let (mut count, mut late) = (0, 0);
                while !stop.load(Ordering::SeqCst) {
                    let after = revoked.load(Ordering::SeqCst);
                    let answer = county.get(&path).await;
                    let shows = answer.text.contains(&goal) && answer.status == 200 && answer.text.contains("\"rest\"");
                    assert!(!(after && shows), "stale: {path}");
                    count += 1;
                    late += usize::from(after);
                    seen.fetch_add(1, Ordering::SeqCst);
                }
                (count, late)
            }));
        }
        // Let every reader read a few times before, and a few times after.
        let until = |count: usize| {
            let seen = seen.clone();
            async move {
                while seen.load(Ordering::SeqCst) < count {
                    tokio::task::yield_now().await;
                }
            }
        };
        until(24).await;
        clinic.revokes(&consent).await;
        revoked.store(true, Ordering::SeqCst);
        until(seen.load(Ordering::SeqCst) + 64).await;
        stop.store(true, Ordering::SeqCst);
        for reader in readers {
            let (count, after) = reader.await.unwrap();
            read += count;
            late += after;
        }
    }
    eprintln!("{read} reads in {round} rounds on two nodes, {late} of them begun after the revocation: none stale");
}
