//! `Consent/$decide`: what would be seen, by whom, when and why; what would change; and who may be told.

use serde_json::{Value, json};

use crate::harness::{Actor, Answer, On, Submitted, entry, fixture, key, start};
use crate::on_both;

/// One row of Parameters.
fn reference(name: &str, to: &str) -> Value {
    json!({"name": name, "valueReference": {"reference": to}})
}

fn code(name: &str, code: &str) -> Value {
    json!({"name": name, "valueCode": code})
}

async fn asks(actor: &Actor, parameters: &[Value]) -> Answer {
    let body = json!({"resourceType": "Parameters", "parameter": parameters});
    actor.post("/fhir/Consent/$decide", &body).await
}

/// What a partner would see of Ana.
async fn ana_for(actor: &Actor, sent: &Submitted, partner: &str, more: &[Value]) -> Answer {
    let mut parameters =
        vec![reference("patient", &sent.key("Patient")), reference("recipient", &format!("Organization/{partner}"))];
    parameters.extend_from_slice(more);
    asks(actor, &parameters).await
}

fn all<'v>(body: &'v Value, name: &'v str) -> impl Iterator<Item = &'v Value> {
    let parameters = body.get("parameter").or_else(|| body.get("part")).and_then(Value::as_array);
    parameters.into_iter().flatten().filter(move |one| one["name"] == name)
}

fn one(body: &Value, name: &str) -> String {
    let found = all(body, name).next().unwrap_or(&Value::Null);
    let value = found.as_object().and_then(|own| own.iter().find(|(name, _)| name.starts_with("value")));
    match value.map(|(_, value)| value) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(reference)) => reference["reference"].as_str().unwrap_or("").to_string(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// `Goal 1 seen, 0 withheld`.
fn counts(answer: &Answer) -> Vec<String> {
    let said = |count: &Value| {
        format!("{} {} seen, {} withheld", one(count, "type"), one(count, "seen"), one(count, "withheld"))
    };
    all(&answer.body, "count").map(said).collect()
}

/// The rows with what was decided, as `Type: why because`.
fn rows(answer: &Answer) -> Vec<String> {
    let said = |row: &Value| {
        let kind = one(row, "what").split('/').next().unwrap_or("").to_string();
        let because = all(row, "reason").map(|reason| {
            let path = format!("{} {}", one(reason, "path"), one(reason, "policy"));
            format!("{} {}", one(reason, "rule"), path.trim())
        });
        format!("{kind}: {} {}", one(row, "why"), because.collect::<Vec<_>>().join(", ")).trim().to_string()
    };
    all(&answer.body, "resource").map(said).collect()
}

/// Gained and lost as `partner purpose Type +1 -0`.
fn changes(answer: &Answer) -> Vec<String> {
    let said = |change: &Value| {
        let partner = one(change, "recipient").replace("Organization/", "");
        let (gained, lost) = (one(change, "gained"), one(change, "lost"));
        format!("{partner} {} {} +{gained} -{lost}", one(change, "purpose"), one(change, "type"))
    };
    all(&answer.body, "change").map(said).collect()
}

fn consent_of(sent: &Submitted, index: usize) -> Value {
    let consents = sent.0.iter().filter(|entry| entry["resource"]["resourceType"] == "Consent");
    consents.map(|entry| entry["resource"].clone()).nth(index).unwrap()
}

on_both!(what_a_partner_would_see_is_told_with_the_rule_that_decides);
async fn what_a_partner_would_see_is_told_with_the_rule_that_decides(on: On) {
    let (_gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let answer = ana_for(&clinic, &sent, "county-social-service", &[]).await.is(200);
    assert_eq!(one(&answer.body, "decision"), "permit");
    assert_eq!(one(&answer.body, "purpose"), "COC", "the partner's own purpose, where none is named");
    assert_eq!(
        counts(&answer),
        [
            "CarePlan 1 seen, 0 withheld",
            "CareTeam 1 seen, 0 withheld",
            "Condition 0 seen, 1 withheld",
            "Goal 1 seen, 0 withheld",
            "Patient 1 seen, 0 withheld",
            "ServiceRequest 0 seen, 1 withheld",
            "Task 0 seen, 1 withheld"
        ]
    );
    let rows = rows(&answer);
    assert!(rows.contains(&"CarePlan: consent R2 provision".to_string()), "{rows:?}");
    assert!(rows.contains(&"Condition: deny R10 deny".to_string()), "{rows:?}");
    let version = format!("{}/_history/1", key(&consent_of(&sent, 1)));
    let plan = all(&answer.body, "resource").next().unwrap();
    assert_eq!(one(all(plan, "reason").next().unwrap(), "consent"), version);
    assert!(!answer.text.contains("Alder"), "ids and reasons, no bodies");

    let for_payment = [code("purpose", "HPAYMT")];
    let answer = ana_for(&clinic, &sent, "county-social-service", &for_payment).await.is(200);
    assert_eq!(one(&answer.body, "decision"), "no-consent");
    let nobody = ana_for(&clinic, &sent, "corner-food-bank", &[]).await.is(200);
    assert!(counts(&nobody).iter().all(|count| count.contains(" 0 seen")), "{:?}", counts(&nobody));
}

on_both!(it_is_decided_as_the_partner_itself_finds_it);
async fn it_is_decided_as_the_partner_itself_finds_it(on: On) {
    let (gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    for partner in ["harbor-housing", "county-social-service", "corner-food-bank"] {
        let answer = ana_for(&clinic, &sent, partner, &[]).await.is(200);
        let reader = gw.system(partner).await;
        for row in all(&answer.body, "resource") {
            let expected = if one(row, "seen") == "true" { 200 } else { 404 };
            let found = reader.get(&format!("/fhir/{}", one(row, "what"))).await;
            assert_eq!(found.status, expected, "{partner} {}", one(row, "what"));
        }
    }
}

on_both!(time_alone_ends_a_consent_and_the_past_is_as_it_was);
async fn time_alone_ends_a_consent_and_the_past_is_as_it_was(on: On) {
    let (gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let seen = |answer: &Answer| counts(answer).iter().filter(|count| count.contains(" 1 seen")).count();
    let at = |moment: &str| [json!({"name": "at", "valueDateTime": moment})];
    for (moment, expected) in [("2027-01-15T23:59:59Z", 7), ("2027-01-16T00:00:00Z", 0), ("2028", 0)] {
        let answer = ana_for(&clinic, &sent, "harbor-housing", &at(moment)).await.is(200);
        assert_eq!(seen(&answer), expected, "{moment}");
    }

    gw.advance_secs(120);
    let mut consent = consent_of(&sent, 0);
    consent["status"] = json!("inactive");
    clinic.put(&format!("/fhir/{}", key(&consent)), &consent).await.is(200);
    gw.advance_secs(120);
    let goal = json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "later"},
        "subject": {"reference": sent.key("Patient")}});
    clinic.creates(&goal).await;
    let now = ana_for(&clinic, &sent, "harbor-housing", &[]).await.is(200);
    assert_eq!(seen(&now), 0);
    assert!(counts(&now).contains(&"Goal 0 seen, 2 withheld".to_string()));

    // By default today's data, under the consents of that moment.
    let then = ana_for(&clinic, &sent, "harbor-housing", &at("2026-03-02T12:01:00Z")).await.is(200);
    assert!(counts(&then).contains(&"Goal 2 seen, 0 withheld".to_string()), "{:?}", counts(&then));
    let version = format!("{}/_history/1", key(&consent));
    assert!(then.text.contains(&version), "the version that decided then");
    let both = [at("2026-03-02T12:01:00Z").to_vec(), vec![code("data", "then")]].concat();
    let then = ana_for(&clinic, &sent, "harbor-housing", &both).await.is(200);
    assert!(counts(&then).contains(&"Goal 1 seen, 0 withheld".to_string()), "{:?}", counts(&then));
    let before = ana_for(&clinic, &sent, "harbor-housing", &at("2026-03-02T11:00:00Z")).await.is(200);
    assert_eq!(seen(&before), 0, "before it was filed nobody saw anything");
}

on_both!(an_asker_is_told_of_nothing_that_it_may_not_know_of);
async fn an_asker_is_told_of_nothing_that_it_may_not_know_of(on: On) {
    let (gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let social = gw.system("county-social-service").await;
    let housing = gw.system("harbor-housing").await;

    // About itself: what it sees now, and no word of the rest.
    let own = ana_for(&social, &sent, "county-social-service", &[]).await.is(200);
    assert_eq!(
        counts(&own),
        [
            "CarePlan 1 seen, 0 withheld",
            "CareTeam 1 seen, 0 withheld",
            "Goal 1 seen, 0 withheld",
            "Patient 1 seen, 0 withheld"
        ]
    );
    assert!(!own.text.contains("Condition"));
    let wider = [code("purpose", "TREAT"), json!({"name": "at", "valueDate": "2026-06-01"})];
    let wider = ana_for(&social, &sent, "county-social-service", &wider).await.is(200);
    assert!(!wider.text.contains("Condition"), "another purpose or moment shows no more");

    // About others: its own data alone, and of Ana it has brought in nothing.
    let other = ana_for(&social, &sent, "harbor-housing", &[]).await;
    let nobody = [reference("patient", "Patient/none"), reference("recipient", "Organization/harbor-housing")];
    let absent = asks(&social, &nobody).await.is(404);
    assert_eq!(other.is(404).text, absent.text.replace("Patient/none", &sent.key("Patient")));
    let goal = json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "a flat"},
        "subject": {"reference": sent.key("Patient")}});
    housing.creates(&goal).await;
    let answer = ana_for(&housing, &sent, "county-social-service", &[]).await.is(200);
    assert_eq!(counts(&answer), ["Goal 1 seen, 0 withheld"]);
    let answer = ana_for(&clinic, &sent, "county-social-service", &[]).await.is(200);
    assert!(counts(&answer).contains(&"Goal 1 seen, 0 withheld".to_string()), "the clinic's own alone");

    // Who may not know of the person gets what it would get had she never been there.
    let food = gw.system("corner-food-bank").await;
    for recipient in ["corner-food-bank", "harbor-housing"] {
        let hidden = ana_for(&food, &sent, recipient, &[]).await.is(404);
        assert_eq!(hidden.text, absent.text.replace("Patient/none", &sent.key("Patient")));
    }
}

on_both!(compliance_asks_about_its_own_agencys_data_without_seeing_it);
async fn compliance_asks_about_its_own_agencys_data_without_seeing_it(on: On) {
    let (gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let officer = gw.compliance("river-clinic").await;
    officer.get(&format!("/fhir/{}", sent.key("Condition"))).await.is(403);
    let answer = ana_for(&officer, &sent, "county-social-service", &[]).await.is(200);
    assert!(answer.text.contains(&sent.key("Condition")), "the id of what is withheld");
    assert!(!answer.text.contains("Alder"));
    let stranger = gw.compliance("corner-food-bank").await;
    ana_for(&stranger, &sent, "county-social-service", &[]).await.is(404);
    gw.client("narrow", "river-clinic", "system/Goal.rs").await;
    let narrow = gw.signed_in("narrow").await;
    ana_for(&narrow, &sent, "county-social-service", &[]).await.is(403);
    gw.client("some", "river-clinic", "system/Goal.rs system/Consent.rs").await;
    let some = ana_for(&gw.signed_in("some").await, &sent, "county-social-service", &[]).await.is(200);
    assert_eq!(counts(&some), ["Goal 1 seen, 0 withheld"], "no more types than the scopes cover");
    // That it was asked is in the log.
    gw.tick().await;
    let log = officer.get("/fhir/AuditEvent?date=ge2026-01-01").await.is(200);
    assert!(log.text.contains("\"code\":\"decide\""), "{}", log.text);
}

on_both!(what_taking_a_consent_back_would_change_is_told_and_nothing_is_done);
async fn what_taking_a_consent_back_would_change_is_told_and_nothing_is_done(on: On) {
    let (gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let consent = key(&consent_of(&sent, 0));
    let answer = asks(&clinic, &[reference("revoke", &consent)]).await.is(200);
    let changes = changes(&answer);
    assert!(changes.contains(&"harbor-housing COC Condition +0 -1".to_string()), "{changes:?}");
    assert!(
        changes.iter().all(|change| change.starts_with("harbor-housing") && change.ends_with("+0 -1")),
        "{changes:?}"
    );
    let referral = all(&answer.body, "referral").next().unwrap();
    assert_eq!((one(referral, "what"), one(referral, "effect")), (sent.key("Task"), "cancelled".to_string()));
    let task = clinic.get(&format!("/fhir/{}", sent.key("Task"))).await.is(200).body;
    assert_eq!((&task["status"], &task["meta"]["versionId"]), (&json!("requested"), &json!("1")));

    // And so it is, once it is done.
    let mut revoked = consent_of(&sent, 0);
    revoked["status"] = json!("inactive");
    clinic.put(&format!("/fhir/{consent}"), &revoked).await.is(200);
    assert_eq!(clinic.get(&format!("/fhir/{}", sent.key("Task"))).await.body["status"], "cancelled");

    // Who may not open it does not learn that it is there, nor whose it is.
    for stranger in ["harbor-housing", "corner-food-bank"] {
        let stranger = gw.system(stranger).await;
        let hidden = asks(&stranger, &[reference("revoke", &consent)]).await.is(404);
        let absent = asks(&stranger, &[reference("revoke", "Consent/none")]).await.is(404);
        assert_eq!(hidden.text, absent.text.replace("Consent/none", &consent));
    }
}

on_both!(what_a_draft_would_change_is_told_and_it_is_not_stored);
async fn what_a_draft_would_change_is_told_and_it_is_not_stored(on: On) {
    let (gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ben")).await;
    let mut draft = fixture("ben-consent");
    draft["patient"]["reference"] = json!(sent.key("Patient"));
    draft["performer"][0]["reference"] = json!(sent.key("Patient"));
    draft["status"] = json!("draft");
    let parameters = [json!({"name": "consent", "resource": draft})];
    let answer = asks(&clinic, &parameters).await.is(200);
    let told = changes(&answer);
    assert!(told.contains(&"corner-food-bank COC Condition +1 -0".to_string()), "{told:?}");
    let referral = all(&answer.body, "referral").next().unwrap();
    assert_eq!((one(referral, "what"), one(referral, "effect")), (sent.key("Task"), "released".to_string()));
    assert_eq!(clinic.get("/fhir/Consent?_summary=count").await.is(200).body["total"], 0);
    let one_partner = [parameters[0].clone(), reference("recipient", "Organization/harbor-housing")];
    assert_eq!(changes(&asks(&clinic, &one_partner).await.is(200)), Vec::<String>::new());

    // From somebody who knows nothing of Ben it changes nothing, because there is no Ben.
    let food = gw.system("corner-food-bank").await;
    asks(&food, &parameters).await.is(404);

    let mut bad = draft.clone();
    bad["patient"]["reference"] = json!("Patient/somebody-else");
    bad["provision"]["type"] = json!("deny");
    let parameters = [reference("patient", &sent.key("Patient")), json!({"name": "consent", "resource": bad})];
    let refused = asks(&clinic, &parameters).await.is(422);
    assert!(refused.text.contains("Parameters.parameter[1].resource.patient"), "{}", refused.text);
}

on_both!(a_new_version_of_ones_own_consent_is_asked_about_in_its_place);
async fn a_new_version_of_ones_own_consent_is_asked_about_in_its_place(on: On) {
    let (_gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let mut narrower = consent_of(&sent, 1);
    narrower["provision"]["class"].as_array_mut().unwrap().retain(|class| class["code"] != "Goal");
    let answer = asks(&clinic, &[json!({"name": "consent", "resource": narrower})]).await.is(200);
    assert_eq!(changes(&answer), ["county-social-service COC Goal +0 -1"]);
}

on_both!(answers_are_paged_and_a_page_is_its_askers_alone);
async fn answers_are_paged_and_a_page_is_its_askers_alone(on: On) {
    let (gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let count = json!({"name": "_count", "valueInteger": 3});
    let whole = rows(&ana_for(&clinic, &sent, "harbor-housing", &[]).await.is(200));
    let (mut walked, mut page) =
        (Vec::new(), ana_for(&clinic, &sent, "harbor-housing", std::slice::from_ref(&count)).await.is(200));
    loop {
        walked.extend(rows(&page));
        assert_eq!(counts(&page).len(), 7, "counts are of all");
        let next = one(&page.body, "next");
        if next.is_empty() {
            break;
        }
        let more = [count.clone(), json!({"name": "_page", "valueString": next})];
        let others = ana_for(&gw.system("county-social-service").await, &sent, "county-social-service", &more).await;
        assert_eq!(others.status, 400);
        page = ana_for(&clinic, &sent, "harbor-housing", &more).await.is(200);
    }
    assert_eq!(walked, whole);
}

on_both!(a_question_that_does_not_fit_is_told_everything_at_once);
async fn a_question_that_does_not_fit_is_told_everything_at_once(on: On) {
    let (_gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let wrong = [code("purpose", "FUN"), code("action", "collect")];
    let refused = ana_for(&clinic, &sent, "nobody-here", &wrong).await.is(422);
    assert_eq!(refused.rules(), ["recipient-unknown", "parameter-value", "parameter-value"]);
    let strange = [json!({"name": "colour", "valueString": "red"}), json!({"name": "at", "valueString": "soon"})];
    assert_eq!(asks(&clinic, &strange).await.is(400).rules().len(), 2);
    assert_eq!(asks(&clinic, &[]).await.is(422).rules().len(), 2, "patient and recipient");
    let elsewhere = json!({"resourceType": "Parameters"});
    clinic.post("/fhir/Goal/$decide", &elsewhere).await.is(405);
    let past = [reference("revoke", &key(&consent_of(&sent, 0))), json!({"name": "at", "valueDate": "2026-01-01"})];
    asks(&clinic, &past).await.is(422);
}

on_both!(who_shares_a_record_must_permit_too);
async fn who_shares_a_record_must_permit_too(on: On) {
    let (_gw, clinic) = start(on).await;
    let (ana, ben) = (clinic.submits(&fixture("ana")).await, clinic.submits(&fixture("ben")).await);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry(&json!({
        "resourceType": "Group", "type": "person", "actual": true, "name": "two",
        "member": [{"entity": {"reference": ana.key("Patient")}}, {"entity": {"reference": ben.key("Patient")}}]}))]});
    clinic.submits(&bundle).await;
    let answer = ana_for(&clinic, &ana, "harbor-housing", &[]).await.is(200);
    assert!(counts(&answer).contains(&"Group 0 seen, 1 withheld".to_string()), "{:?}", counts(&answer));
    assert!(rows(&answer).iter().any(|row| row.starts_with("Group: deny") && row.contains("several-patients")));
}

on_both!(nobody_is_told_of_a_shelters_data_but_the_shelter);
async fn nobody_is_told_of_a_shelters_data_but_the_shelter(on: On) {
    let (gw, clinic) = start(on).await;
    gw.enrol("safe-harbor", handoff::partner::Kind::VictimService, None).await;
    gw.lets_shelters_share().await;
    let sent = clinic.submits(&fixture("ana")).await;
    let shelter = gw.system("safe-harbor").await;
    let own = shelter.creates(&crate::harness::patient()).await;
    let parameters = [reference("patient", &key(&own)), reference("recipient", "Organization/river-clinic")];
    assert_eq!(counts(&asks(&shelter, &parameters).await.is(200)), ["Patient 0 seen, 1 withheld"]);
    asks(&clinic, &parameters).await.is(404);
    asks(&gw.compliance("river-clinic").await, &parameters).await.is(404);
    ana_for(&shelter, &sent, "safe-harbor", &[]).await.is(404);
}

on_both!(a_row_of_law_that_takes_away_is_named);
async fn a_row_of_law_that_takes_away_is_named(on: On) {
    let (gw, clinic) = start(on).await;
    gw.enrol("fair-plan", handoff::partner::Kind::Payer, None).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let mut consent = consent_of(&sent, 0);
    for name in ["id", "meta"] {
        consent.as_object_mut().unwrap().shift_remove(name);
    }
    consent["provision"]["actor"][0]["reference"]["reference"] = json!("Organization/fair-plan");
    consent["provision"]["purpose"][0]["code"] = json!("HPAYMT");
    clinic.creates(&consent).await;
    let act_code = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let goal = json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "paid by herself"},
        "meta": {"security": [{"system": act_code, "code": "HIPAASelfPay"}]},
        "subject": {"reference": sent.key("Patient")}});
    clinic.creates(&goal).await;
    let answer = ana_for(&clinic, &sent, "fair-plan", &[code("purpose", "HPAYMT")]).await.is(200);
    assert!(counts(&answer).contains(&"Goal 1 seen, 1 withheld".to_string()), "{:?}", counts(&answer));
    assert!(rows(&answer).contains(&"Goal: deny R15 self-pay".to_string()), "{:?}", rows(&answer));
}

on_both!(a_new_consent_is_the_word_of_who_files_it);
async fn a_new_consent_is_the_word_of_who_files_it(on: On) {
    let (gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let housing = gw.system("harbor-housing").await;
    let goal = json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "a flat"},
        "subject": {"reference": sent.key("Patient")}});
    housing.creates(&goal).await;
    let mut draft = consent_of(&sent, 0);
    draft["provision"]["actor"][0]["reference"]["reference"] = json!("Organization/corner-food-bank");
    // The clinic's, for all that is hers; the housing agency's, for its own data alone, which the clinic's own consent
    // did not open to the clinic (rules.md 17).
    let parameters = [json!({"name": "consent", "resource": draft}), code("purpose", "COC")];
    let by_housing = changes(&asks(&housing, &parameters).await.is(200));
    assert_eq!(by_housing, ["corner-food-bank COC Goal +1 -0", "river-clinic COC Goal +1 -0"]);
    let by_clinic = changes(&asks(&clinic, &parameters).await.is(200));
    assert!(by_clinic.contains(&"corner-food-bank COC Patient +1 -0".to_string()), "{by_clinic:?}");
    assert!(by_clinic.contains(&"corner-food-bank COC Goal +1 -0".to_string()), "its own goal, and not another's");
}

on_both!(what_had_been_verified_then_counts_in_the_past);
async fn what_had_been_verified_then_counts_in_the_past(on: On) {
    let crate::filing::Shared { gw, clinic, housing, patient, consent, .. } = crate::filing::shared(on).await;
    let seen = async |at: handoff::fhir::Instant| {
        let parameters = [
            reference("patient", &patient),
            reference("recipient", "Organization/river-clinic"),
            json!({"name": "at", "valueInstant": at.to_string()}),
        ];
        let answer = asks(&housing, &parameters).await.is(200);
        counts(&answer).contains(&"Goal 1 seen, 0 withheld".to_string())
    };
    gw.advance_secs(60);
    let before = gw.ctx.now();
    gw.advance_secs(60);
    crate::filing::operation(&housing, &format!("{}/$verify", key(&consent))).await.is(200);
    gw.advance_secs(60);
    let after = gw.ctx.now();
    gw.advance_secs(60);
    assert!(seen(gw.ctx.now()).await, "as it is now");
    assert!(seen(after).await, "as it was then");
    assert!(!seen(before).await, "before it was said");
    clinic.revokes(&consent).await;
    assert!(seen(after).await, "what is taken back since had counted then");
}
