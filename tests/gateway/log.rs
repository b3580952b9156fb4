//! The log: every request is in it with its reasons, and nobody can edit it unnoticed.

use handoff::gateway::{Checkpoint, Verdict, verify};
use serde_json::Value;

use crate::harness::{On, TestGateway, fixture};
use crate::on_both;

fn entities<'a>(event: &'a Value, kind: &str) -> Vec<&'a Value> {
    let all = event["entity"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    all.filter(|entity| entity["detail"][0]["type"] == kind).collect()
}

on_both!(a_search_and_a_denied_read_are_in_the_log_with_their_reasons);
async fn a_search_and_a_denied_read_are_in_the_log_with_their_reasons(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let sent = gw.system("river-clinic").await.submits(&fixture("ana")).await;
    let social = gw.system("county-social-service").await;
    let patient = sent.one("Patient")["id"].as_str().unwrap().to_string();
    social.get(&format!("/fhir/CarePlan?patient={patient}")).await.is(200);
    social.get(&format!("/fhir/{}", sent.key("Condition"))).await.is(404);

    let officer = gw.compliance("river-clinic").await;
    let log = officer.get(&format!("/fhir/AuditEvent?patient={patient}")).await.is(200);
    let events: Vec<Value> =
        log.body["entry"].as_array().unwrap().iter().map(|entry| entry["resource"].clone()).collect();
    let of_social = |event: &&Value| event["agent"][0]["who"]["reference"] == "Organization/county-social-service";
    let events: Vec<&Value> = events.iter().filter(of_social).collect();
    assert_eq!(events.len(), 2, "{log:?}");

    let denied = entities(events[0], "refused");
    assert_eq!(denied[0]["what"]["reference"], sent.key("Condition"));
    assert_eq!(events[0]["outcome"], "4");
    let shown = entities(events[1], "released");
    assert_eq!(shown[0]["what"]["reference"], sent.key("CarePlan"));
    let why = shown[0]["detail"][1]["valueString"].as_str().unwrap();
    assert!(why.contains("/_history/1") && why.contains("\"path\":\"provision\""), "names the rule and version: {why}");
    assert!(!log.text.contains("Alder"), "no clinical content, no names");
}

on_both!(an_attempt_to_change_what_is_not_ones_own_is_in_the_log);
async fn an_attempt_to_change_what_is_not_ones_own_is_in_the_log(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let sent = gw.system("river-clinic").await.submits(&fixture("ana")).await;
    let (goal, condition) = (sent.one("Goal"), sent.one("Condition"));
    let social = gw.system("county-social-service").await;
    social.put(&format!("/fhir/{}", sent.key("Goal")), &goal).await.is(403);
    social.put(&format!("/fhir/{}", sent.key("Condition")), &condition).await.is(404);
    // As well when the one is named by criteria.
    let by_identifier = "/fhir/Patient?identifier=https://river-clinic.example/mrn|RC-1001";
    social.delete(by_identifier).await.is(403);
    let log = gw.compliance("river-clinic").await.get("/fhir/AuditEvent").await.is(200).body;
    let whys: Vec<(String, String)> = log["entry"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|entry| {
            let event = entry["resource"].clone();
            let refused: Vec<Value> = entities(&event, "refused").into_iter().cloned().collect();
            refused.into_iter().map(|one| {
                let text = |value: &Value| value.as_str().unwrap_or("").to_string();
                (text(&one["what"]["reference"]), text(&one["detail"][0]["valueString"]))
            })
        })
        .collect();
    assert!(whys.contains(&(sent.key("Goal"), "not-yours".into())), "{whys:?}");
    assert!(whys.contains(&(sent.key("Condition"), "unknown".into())), "{whys:?}");
    assert!(whys.contains(&(sent.key("Patient"), "not-yours".into())), "{whys:?}");
}

on_both!(the_log_is_read_by_those_it_concerns);
async fn the_log_is_read_by_those_it_concerns(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let sent = gw.system("river-clinic").await.submits(&fixture("ana")).await;
    gw.system("county-social-service").await.get(&format!("/fhir/{}", sent.key("CarePlan"))).await.is(200);
    let count = async |partner: &str| {
        let log = gw.compliance(partner).await.get("/fhir/AuditEvent").await.is(200).body;
        let entries = log["entry"].as_array().cloned().unwrap_or_default();
        entries.iter().filter(|entry| entry["resource"]["subtype"][0]["code"] == "read").count()
    };
    assert_eq!(count("county-social-service").await, 1, "who received");
    assert_eq!(count("river-clinic").await, 1, "whose data it was");
    assert_eq!(count("corner-food-bank").await, 0, "nobody else");
    gw.system("river-clinic").await.get("/fhir/AuditEvent").await.is(403);
    let event = serde_json::json!({"resourceType": "AuditEvent"});
    gw.compliance("river-clinic").await.post("/fhir/AuditEvent", &event).await.is(405);
}

on_both!(an_untouched_log_verifies_and_a_cut_tail_shows_against_a_checkpoint);
async fn an_untouched_log_verifies_and_a_cut_tail_shows_against_a_checkpoint(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    gw.system("river-clinic").await.submits(&fixture("ana")).await;
    gw.tick().await;
    let Verdict::Whole { head, waiting } = verify(&gw.ctx, None).await.unwrap() else { panic!("broken") };
    assert!(head.number > 0 && waiting == 0);
    assert!(matches!(verify(&gw.ctx, Some(&head)).await.unwrap(), Verdict::Whole { .. }));
    let ahead = Checkpoint { number: head.number + 1, ..head };
    let Verdict::Broken(found) = verify(&gw.ctx, Some(&ahead)).await.unwrap() else { panic!("whole") };
    assert_eq!(found.number, ahead.number);
}

/// Somebody with the database's password, who has taken the triggers away first.
async fn tamper(gw: &TestGateway, statements: &[&str]) {
    let url = &gw.ctx.config.database.url;
    for statement in statements {
        let text = sqlx::AssertSqlSafe(statement.to_string());
        if url.starts_with("sqlite") {
            let pool = sqlx::SqlitePool::connect(url).await.unwrap();
            sqlx::query(text).execute(&pool).await.unwrap();
        } else {
            let pool = sqlx::PgPool::connect(url).await.unwrap();
            sqlx::query(text).execute(&pool).await.unwrap();
        }
    }
}

fn without_triggers(on: On) -> Vec<&'static str> {
    match on {
        On::Sqlite => vec![
            "DROP TRIGGER record_is_kept",
            "DROP TRIGGER record_stays",
            "DROP TRIGGER chain_is_kept",
            "DROP TRIGGER chain_stays",
        ],
        On::Postgres => vec!["DROP TRIGGER record_is_kept ON record", "DROP TRIGGER chain_is_kept ON chain"],
    }
}

on_both!(an_edited_a_deleted_and_a_reordered_record_are_named);
async fn an_edited_a_deleted_and_a_reordered_record_are_named(on: On) {
    let second = "(SELECT record FROM chain WHERE number = 2)";
    let third = "(SELECT record FROM chain WHERE number = 3)";
    for (deed, number) in [
        (format!("UPDATE record SET body = '{{}}' WHERE id = {second}"), 2),
        (format!("UPDATE record SET at = at + 1 WHERE id = {third}"), 3),
        (format!("DELETE FROM record WHERE id = {second}"), 2),
        ("DELETE FROM chain WHERE number = 3".to_string(), 3),
        (
            format!(
                "UPDATE record SET body = CASE WHEN id = {second} THEN (SELECT body FROM record WHERE id = {third}) ELSE (SELECT body FROM record WHERE id = {second}) END WHERE id IN ({second}, {third})"
            ),
            2,
        ),
    ] {
        let gw = TestGateway::exchange(on, None).await;
        let clinic = gw.system("river-clinic").await;
        let sent = clinic.submits(&fixture("ana")).await;
        for _ in 0..3 {
            clinic.get(&format!("/fhir/{}", sent.key("Goal"))).await.is(200);
        }
        gw.tick().await;
        tamper(&gw, &without_triggers(on)).await;
        tamper(&gw, &[&deed]).await;
        let Verdict::Broken(found) = verify(&gw.ctx, None).await.unwrap() else { panic!("not found: {deed}") };
        assert_eq!(found.number, number, "{deed}");
    }
}
