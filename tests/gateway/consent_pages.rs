//! Consents in the browser: what stands, what would be seen, what would change.

use handoff::gateway::enroll;
use handoff::partner::{Role, User};
use serde_json::json;

use crate::console::{Browser, start};
use crate::harness::{On, TestGateway, fixture, key, without};
use crate::on_both;

async fn officer(gw: &TestGateway, partner: &str) -> Browser {
    let id = format!("{partner}-officer");
    let user = User { id: id.clone(), partner: partner.into(), role: Role::Compliance, btg: false, practitioner: None };
    enroll::user(&gw.ctx, &user).await.unwrap();
    Browser::sign_in(gw, &id).await
}

on_both!(an_officer_finds_a_persons_consents_and_how_they_stand);
async fn an_officer_finds_a_persons_consents_and_how_they_stand(on: On) {
    let gw = start(on).await;
    let clinic = gw.system("river-clinic").await;
    let sent = clinic.submits(&fixture("ana")).await;
    let patient = sent.one("Patient")["id"].as_str().unwrap().to_string();
    let consent = sent.one("Consent");
    let address = format!("/console/consents/{}", consent["id"].as_str().unwrap());
    let omar = Browser::sign_in(&gw, "omar").await;
    let list = omar.opens("/console/consents").await;
    assert!(list.status == 200 && list.text.contains(&address), "{}", list.text);
    let list = omar.opens(&format!("/console/consents?person=Patient/{patient}")).await;
    assert!(list.text.contains(&address) && list.text.contains("In force") && !list.text.contains("Alder"));

    let one = omar.opens(&address).await;
    assert!(one.status == 200 && one.text.contains("It counts now.") && one.text.contains("harbor-housing"));
    let spanish = omar.opens(&format!("{address}?language=es")).await.text;
    assert!(spanish.contains("lang=\"es\"") && spanish.contains("Quién lo puede ver"));
    let paper = omar.opens(&format!("{address}/reading?language=es")).await.text;
    assert!(paper.contains("Firma") && paper.contains("Quién lo puede ver"));

    let mut revoked = consent.clone();
    revoked["status"] = json!("inactive");
    clinic.put(&format!("/fhir/{}", key(&consent)), &revoked).await.is(200);
    let list = omar.opens(&format!("/console/consents?person={patient}")).await.text;
    assert!(list.contains("Taken back") && list.contains("In force"), "one of two is over");
    let one = omar.opens(&address).await.text;
    assert!(one.contains("Version 2") && one.contains("taken back") && one.contains("Version 1"));
}

on_both!(consents_are_opened_by_who_may_and_by_nobody_else);
async fn consents_are_opened_by_who_may_and_by_nobody_else(on: On) {
    let gw = start(on).await;
    let sent = gw.system("river-clinic").await.submits(&fixture("ana")).await;
    let patient = sent.one("Patient")["id"].as_str().unwrap().to_string();
    let address = format!("/console/consents/{}", sent.one("Consent")["id"].as_str().unwrap());
    let clara = Browser::sign_in(&gw, "clara").await;
    assert!(clara.opens(&address).await.text.contains("Ana Alder-Sample"), "the case manager reads the name");
    let stranger = officer(&gw, "corner-food-bank").await;
    for path in ["", "/reading", "/taken-back"] {
        let (hidden, absent) = (
            stranger.opens(&format!("{address}{path}")).await,
            stranger.opens(&format!("/console/consents/none{path}")).await,
        );
        assert_eq!((hidden.status, absent.status), (404, 404), "{path}");
        assert_eq!(hidden.text, absent.text, "{path}");
    }
    let by_person = stranger.opens(&format!("/console/consents?person={patient}")).await.text;
    assert!(by_person.contains("No person of that id"));
    let what_if = format!("/console/what-if?person={patient}&partner=county-social-service");
    assert!(stranger.opens(&what_if).await.text.contains("No person of that id"));
    let worker = Browser::sign_in(&gw, "river-clinic-worker").await;
    for path in ["/console/consents", "/console/what-if", address.as_str()] {
        assert_eq!(worker.opens(path).await.status, 403, "{path}");
        let nobody = reqwest::get(format!("{}{path}", gw.address)).await.unwrap();
        assert_eq!(nobody.status().as_u16(), 401, "{path}");
    }
}

on_both!(what_would_be_seen_is_asked_with_a_form);
async fn what_would_be_seen_is_asked_with_a_form(on: On) {
    let gw = start(on).await;
    let sent = gw.system("river-clinic").await.submits(&fixture("ana")).await;
    let patient = sent.one("Patient")["id"].as_str().unwrap().to_string();
    let omar = Browser::sign_in(&gw, "omar").await;
    assert!(omar.opens("/console/what-if").await.text.contains("Which agency"));
    let asked = format!("/console/what-if?person={patient}&partner=county-social-service");
    let answer = omar.opens(&asked).await.text;
    assert!(answer.contains("4 of 7 records") && answer.contains("coordination of care"), "{answer}");
    assert!(answer.contains(&sent.key("Condition")) && !answer.contains("Alder"));
    let later = omar.opens(&format!("{asked}&date=2027-06-01")).await.text;
    assert!(later.contains("<strong>nothing</strong>"), "{later}");
    let wrong = omar.opens(&format!("{asked}&date=soon")).await;
    assert!(wrong.status == 422 && wrong.text.contains("role=\"alert\""));
    assert_eq!(omar.opens(&format!("{asked}&purpose=FUN")).await.status, 422);
}

on_both!(what_taking_it_back_would_change_is_shown_and_not_done);
async fn what_taking_it_back_would_change_is_shown_and_not_done(on: On) {
    let gw = start(on).await;
    let clinic = gw.system("river-clinic").await;
    let sent = clinic.submits(&fixture("ana")).await;
    let consent = sent.one("Consent");
    let address = format!("/console/consents/{}/taken-back", consent["id"].as_str().unwrap());
    let clara = Browser::sign_in(&gw, "clara").await;
    let page = clara.opens(&address).await.text;
    assert!(page.contains("harbor-housing") && page.contains("would be cancelled"), "{page}");
    assert_eq!(clinic.get(&format!("/fhir/{}", key(&consent))).await.is(200).body["status"], "active");

    let ben = clinic.submits(&without("ben", "Consent")).await;
    let ben = ben.one("Patient")["id"].as_str().unwrap().to_string();
    assert!(clara.opens(&format!("/console/consents?person={ben}")).await.text.contains("There is no consent"));
}
