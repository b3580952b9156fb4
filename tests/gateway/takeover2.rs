//! What widens access counts only from who may widen it (rules.md 20): each way in, and beside it the one who may.

use serde_json::{Value, json};

use crate::filing::{CLINIC, COUNTY, HOUSING, goal, sees};
use crate::harness::{Actor, NOW, On, TestGateway, key};
use crate::on_both;
use crate::reach::permit;

const THIEF: &str = "corner-food-bank";

fn organization(id: &str) -> String {
    format!("Organization/{id}")
}

/// A permit for whoever is meant by one actor.
fn permit_for(patient: &str, actor: Value) -> Value {
    let mut consent = permit(patient, COUNTY, json!({}));
    let role = consent["provision"]["actor"][0]["role"].clone();
    consent["provision"]["actor"] = json!([{"role": role, "reference": actor}]);
    consent
}

/// The person that the clinic brought in, whom the thief sees by a permit for the Patient alone, and a hidden Goal.
async fn start(on: On) -> (TestGateway, Actor, Actor, String, String) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, thief) = (gw.system(CLINIC).await, gw.system(THIEF).await);
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    clinic.creates(&permit(&patient, THIEF, crate::reach::class(&["Patient"]))).await;
    let hidden = key(&clinic.creates(&goal(&patient)).await);
    assert!(!sees(&thief, &patient, &hidden).await);
    (gw, clinic, thief, patient, hidden)
}

on_both!(an_agency_does_not_rewrite_what_it_is);
async fn an_agency_does_not_rewrite_what_it_is(on: On) {
    let (gw, clinic, thief, patient, hidden) = start(on).await;
    let number = json!({"system": "https://example.org/agencies", "value": "7"});
    clinic.creates(&permit_for(&patient, json!({"identifier": number}))).await;
    clinic.creates(&permit(&patient, HOUSING, json!({}))).await;
    let path = format!("/fhir/{}", organization(THIEF));
    let own = thief.get(&path).await.is(200).body;
    for change in [
        json!({"partOf": {"reference": organization(HOUSING)}}),
        json!({"identifier": [number]}),
        json!({"type": [{"coding": [{"system": "https://handoff.example/fhir/CodeSystem/partner-kind", "code": "clinic"}]}]}),
    ] {
        let mut changed = own.clone();
        changed.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(thief.put(&path, &changed).await.is(403).rules(), ["not-yours"], "{change}");
    }
    // Another Organization may be created, and is nobody on the exchange.
    thief
        .creates(&json!({"resourceType": "Organization", "name": "x", "identifier": [number],
        "partOf": {"reference": organization(HOUSING)}}))
        .await;
    assert!(!sees(&thief, &patient, &hidden).await);
    // The operator says whose branch a partner is.
    gw.enrol_under("housing-branch", HOUSING).await;
    assert!(sees(&gw.system("housing-branch").await, &patient, &hidden).await);
}

on_both!(membership_counts_from_the_persons_origin);
async fn membership_counts_from_the_persons_origin(on: On) {
    let (_gw, clinic, thief, patient, hidden) = start(on).await;
    let member = json!([{"member": {"reference": organization(THIEF)}}]);
    let team = json!({"resourceType": "CareTeam", "status": "active", "subject": {"reference": patient}});
    let mut theirs = team.clone();
    theirs["participant"] = member.clone();
    let theirs = key(&thief.creates(&theirs).await);
    clinic.creates(&permit_for(&patient, json!({"reference": theirs}))).await;
    assert!(!sees(&thief, &patient, &hidden).await, "a team of its own");
    let mut ours = clinic.creates(&team).await;
    clinic.creates(&permit_for(&patient, json!({"reference": key(&ours)}))).await;
    assert!(!sees(&thief, &patient, &hidden).await);
    let mut changed = ours.clone();
    changed["participant"] = member.clone();
    let refused = thief.put(&format!("/fhir/{}", key(&ours)), &changed).await;
    assert!(matches!(refused.status, 403 | 404), "{}", refused.text);
    assert!(!sees(&thief, &patient, &hidden).await, "nor by writing itself into the person's");
    ours["participant"] = member;
    clinic.put(&format!("/fhir/{}", key(&ours)), &ours).await.is(200);
    assert!(sees(&thief, &patient, &hidden).await, "the person's origin says who is in the team");
}

on_both!(a_group_a_visit_or_a_role_of_ones_own_lets_nobody_in);
async fn a_group_a_visit_or_a_role_of_ones_own_lets_nobody_in(on: On) {
    let (_gw, clinic, thief, patient, hidden) = start(on).await;
    let group = json!({"resourceType": "Group", "type": "person", "actual": true, "active": true,
        "member": [{"entity": {"reference": patient}}]});
    let group = key(&thief.creates(&group).await);
    clinic.creates(&permit_for(&patient, json!({"reference": group}))).await;
    let visit = json!({"resourceType": "Encounter", "status": "in-progress", "subject": {"reference": patient},
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "serviceProvider": {"reference": organization(THIEF)}});
    thief.creates(&visit).await;
    let doctor = key(&clinic.creates(&json!({"resourceType": "Practitioner", "active": true})).await);
    let role = json!({"resourceType": "PractitionerRole", "active": true, "practitioner": {"reference": doctor},
        "organization": {"reference": organization(THIEF)}});
    let role = key(&thief.creates(&role).await);
    for actor in [&doctor, &role] {
        clinic.creates(&permit_for(&patient, json!({"reference": actor}))).await;
    }
    assert!(!sees(&thief, &patient, &hidden).await);
}

on_both!(a_link_joins_nobody_by_one_sides_word);
async fn a_link_joins_nobody_by_one_sides_word(on: On) {
    let (_gw, clinic, thief, patient, hidden) = start(on).await;
    for kind in ["replaces", "replaced-by", "seealso"] {
        let link = json!([{"other": {"reference": patient}, "type": kind}]);
        let mine = key(&thief.creates(&json!({"resourceType": "Patient", "link": link})).await);
        thief.creates(&permit(&mine, THIEF, json!({}))).await;
        assert!(!sees(&thief, &patient, &hidden).await, "{kind}");
        thief.creates(&goal(&mine)).await;
    }
    // The same identifier makes nobody the same person either.
    let identifier = json!([{"system": "https://example.org/mrn", "value": "7"}]);
    let mut theirs = clinic.get(&format!("/fhir/{patient}")).await.is(200).body;
    theirs["identifier"] = identifier.clone();
    clinic.put(&format!("/fhir/{patient}"), &theirs).await.is(200);
    let mine = key(&thief.creates(&json!({"resourceType": "Patient", "identifier": identifier})).await);
    thief.creates(&permit(&mine, THIEF, json!({}))).await;
    assert!(!sees(&thief, &patient, &hidden).await);
}

fn provenance(targets: &[&str], revised: &str) -> Value {
    let targets: Vec<Value> = targets.iter().map(|key| json!({"reference": key})).collect();
    json!({"resourceType": "Provenance", "target": targets, "recorded": NOW,
        "agent": [{"who": {"reference": "Organization/river-clinic"}}],
        "entity": [{"role": "revision", "what": {"reference": revised}}]})
}

on_both!(a_deny_is_revised_by_who_filed_it_alone);
async fn a_deny_is_revised_by_who_filed_it_alone(on: On) {
    let (gw, clinic, _, patient, hidden) = start(on).await;
    let (county, housing) = (gw.system(COUNTY).await, gw.system(HOUSING).await);
    clinic.creates(&permit(&patient, HOUSING, crate::reach::class(&["Patient"]))).await;
    let mut deny = permit(&patient, COUNTY, json!({"type": "deny"}));
    deny["policyRule"]["coding"][0]["code"] = json!("OPTOUT");
    deny["organization"] = json!([{"reference": organization(HOUSING)}]);
    let deny = key(&housing.creates(&deny).await);
    gw.advance_secs(60);
    let mut wide = permit(&patient, COUNTY, json!({}));
    wide["sourceReference"] = json!({"reference": deny});
    let new = key(&clinic.creates(&wide).await);
    assert!(!sees(&county, &patient, &hidden).await, "nor by saying that it was made from the other");
    for targets in [&[new.as_str()][..], &[&new, &patient]] {
        clinic.creates(&provenance(targets, &deny)).await;
        assert!(!sees(&county, &patient, &hidden).await, "nobody revises somebody else's deny: {targets:?}");
    }
    housing.creates(&provenance(&[&new], &deny)).await;
    assert!(sees(&county, &patient, &hidden).await, "who filed it says that it is replaced");
}

on_both!(ones_own_consent_is_revised_by_ones_own_word);
async fn ones_own_consent_is_revised_by_ones_own_word(on: On) {
    let (gw, clinic, _, patient, hidden) = start(on).await;
    let county = gw.system(COUNTY).await;
    let old = key(&clinic.creates(&permit(&patient, COUNTY, json!({}))).await);
    assert!(sees(&county, &patient, &hidden).await);
    gw.advance_secs(60);
    let narrow = clinic.creates(&permit(&patient, COUNTY, crate::reach::class(&["Patient"]))).await;
    assert!(sees(&county, &patient, &hidden).await, "permits add up");
    clinic.creates(&provenance(&[&key(&narrow)], &old)).await;
    assert!(!sees(&county, &patient, &hidden).await, "the narrower one has come in its place, on the spot");
}

on_both!(a_custodian_that_one_is_said_to_be_opens_nothing);
async fn a_custodian_that_one_is_said_to_be_opens_nothing(on: On) {
    let (_gw, clinic, thief, patient, hidden) = start(on).await;
    for custodian in [CLINIC, THIEF] {
        let mut consent = permit(&patient, THIEF, json!({}));
        consent["organization"] = json!([{"reference": organization(custodian)}]);
        thief.creates(&consent).await;
        assert!(!sees(&thief, &patient, &hidden).await, "{custodian}");
    }
    clinic.creates(&permit(&patient, THIEF, json!({}))).await;
    assert!(sees(&thief, &patient, &hidden).await);
}
