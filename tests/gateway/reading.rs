//! `Consent/[id]/$reading`: a Consent in plain words, for who may open it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, On, key, start};
use crate::harness::{Submitted, fixture};
use crate::on_both;

fn consent(sent: &Submitted) -> String {
    key(&sent.one("Consent"))
}

fn parameter<'v>(answer: &'v Answer, name: &str) -> &'v str {
    let all = answer.body["parameter"].as_array().unwrap();
    let found = all.iter().find(|one| one["name"] == name).unwrap();
    found["valueString"].as_str().or_else(|| found["valueCode"].as_str()).unwrap()
}

async fn reads(actor: &Actor, consent: &str, query: &str, headers: &[(&str, &str)]) -> Answer {
    actor.send(Method::GET, &format!("/fhir/{consent}/$reading{query}"), headers, None).await
}

on_both!(a_consent_is_read_aloud_in_the_language_that_is_asked_for);
async fn a_consent_is_read_aloud_in_the_language_that_is_asked_for(on: On) {
    let (_gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let english = reads(&clinic, &consent(&sent), "", &[]).await.is(200);
    let text = parameter(&english, "text");
    assert!(text.contains("This paper is about Ana Alder-Sample."), "{text}");
    assert!(text.contains("Who may see it: harbor-housing and river-clinic."), "{text}");
    assert!(text.contains("Its last day is January 15, 2027."), "{text}");
    assert_eq!(parameter(&english, "standing"), "in-force");
    let spanish = reads(&clinic, &consent(&sent), "?language=es", &[]).await.is(200);
    assert!(parameter(&spanish, "text").contains("Su último día es el 15 de enero de 2027."));
    let preferred = reads(&clinic, &consent(&sent), "", &[("accept-language", "fr, es-MX;q=0.8")]).await.is(200);
    assert_eq!(preferred.text, spanish.text);
    let refused = reads(&clinic, &consent(&sent), "?language=tlh", &[]).await.is(400);
    assert_eq!(refused.rules(), ["parameter-value"]);
    let xml = reads(&clinic, &consent(&sent), "?_format=xml", &[]).await.is(200);
    assert!(xml.text.starts_with("<Parameters") || xml.text.starts_with("<?xml"), "{}", xml.text);
}

on_both!(a_browser_gets_a_page_to_print_and_sign);
async fn a_browser_gets_a_page_to_print_and_sign(on: On) {
    let (_gw, clinic) = start(on).await;
    let mut bundle = fixture("ana");
    bundle["entry"][1]["resource"]["organization"][0]["display"] = json!("<script>alert(1)</script>");
    bundle["entry"][1]["resource"]["organization"][0]["reference"] = json!("https://elsewhere.example/Organization/1");
    let sent = clinic.submits(&bundle).await;
    let page = reads(&clinic, &consent(&sent), "?language=es", &[("accept", "text/html")]).await.is(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert_eq!(page.header("content-language"), "es");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert_eq!(page.header("cache-control"), "private, no-store");
    assert!(page.text.contains("<html lang=\"es\">") && page.text.contains("Firma"));
    assert!(!page.text.contains("<script") && page.text.contains("&lt;script&gt;"));
    // Elsewhere a page is not among the formats.
    let read = clinic.send(Method::GET, &format!("/fhir/{}", consent(&sent)), &[("accept", "text/html")], None).await;
    assert_eq!(read.status, 406);
}

on_both!(who_may_not_open_a_consent_does_not_learn_that_it_is_there);
async fn who_may_not_open_a_consent_does_not_learn_that_it_is_there(on: On) {
    let (gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let consent = consent(&sent);
    for asker in ["harbor-housing", "county-social-service", "corner-food-bank"] {
        for actor in [gw.system(asker).await, gw.compliance(asker).await] {
            let hidden = reads(&actor, &consent, "", &[]).await.is(404);
            let absent = reads(&actor, "Consent/none", "", &[]).await.is(404);
            assert_eq!(hidden.text, absent.text.replace("Consent/none", &consent), "{asker}");
        }
    }
    let officer = gw.compliance("river-clinic").await;
    let opened = reads(&officer, &consent, "", &[]).await.is(200);
    assert!(parameter(&opened, "text").contains("This paper is about you."), "compliance reads nobody's record");
    assert!(!opened.text.contains("Alder"));
    clinic.get(&format!("/fhir/Goal/{}/$reading", consent.trim_start_matches("Consent/"))).await.is(405);
    gw.client("narrow", "river-clinic", "system/Goal.rs").await;
    reads(&gw.signed_in("narrow").await, &consent, "", &[]).await.is(403);
}

on_both!(compliance_opens_what_others_filed_about_its_own_people);
async fn compliance_opens_what_others_filed_about_its_own_people(on: On) {
    let (gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let housing = gw.system("harbor-housing").await;
    let deny = json!({"resourceType": "Consent", "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": sent.key("Patient")}, "dateTime": "2026-03-01",
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]},
        "provision": {"type": "deny", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Goal"}]}});
    let filed = housing.creates(&deny).await;
    reads(&housing, &key(&filed), "", &[]).await.is(200);
    reads(&clinic, &key(&filed), "", &[]).await.is(404);
    let officer = gw.compliance("river-clinic").await;
    let opened = reads(&officer, &key(&filed), "", &[]).await.is(200);
    assert!(parameter(&opened, "text").contains("You say no to this:"));
    let log = |answer: Answer| serde_json::from_str::<Value>(&answer.text).unwrap().to_string();
    let events = log(officer.get("/fhir/AuditEvent?date=ge2026-01-01").await.is(200));
    assert!(events.contains("\"code\":\"reading\""), "that it was opened is in the log");
}

on_both!(how_a_consent_stands_is_told_as_decisions_take_it);
async fn how_a_consent_stands_is_told_as_decisions_take_it(on: On) {
    let (gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let mut consent = sent.one("Consent");
    for name in ["id", "meta"] {
        consent.as_object_mut().unwrap().shift_remove(name);
    }
    consent["policy"] = json!([{"uri": "https://handoff.example/fhir/policy/sharing"}]);
    let old = clinic.creates(&consent).await;
    gw.advance_secs(1);
    let new = clinic.creates(&consent).await;
    let standing = async |actor: &Actor, of: &Value| {
        parameter(&reads(actor, &key(of), "", &[]).await.is(200), "standing").to_string()
    };
    assert_eq!(standing(&clinic, &old).await, "replaced");
    assert_eq!(standing(&clinic, &new).await, "in-force");
    let mut revoked = new.clone();
    revoked["status"] = json!("inactive");
    clinic.put(&format!("/fhir/{}", key(&new)), &revoked).await.is(200);
    assert_eq!(standing(&clinic, &new).await, "taken-back");
    assert_eq!(standing(&clinic, &old).await, "denies-only", "nobody falls back to a wider sharing");

    // Who favours itself with others' data waits for somebody to look at it.
    let housing = gw.system("harbor-housing").await;
    consent.as_object_mut().unwrap().shift_remove("policy");
    consent["organization"] = json!([{"reference": "Organization/harbor-housing"}]);
    let filed = housing.creates(&consent).await;
    assert_eq!(standing(&housing, &filed).await, "awaiting");
    let mut later = consent.clone();
    later["provision"]["period"] = json!({"start": "2027-01-01"});
    let later = clinic.creates(&later).await;
    assert_eq!(standing(&clinic, &later).await, "not-yet");
}
