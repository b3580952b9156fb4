//! Consents that name somebody's staff, an author or a plan: who is meant is looked up, and where it is not known a deny
//! reads wide.

use handoff::gateway::enroll;
use handoff::partner::Client;
use serde_json::{Value, json};

use crate::filing::{CLINIC, COUNTY, HOUSING, goal, sees};
use crate::harness::{Actor, On, TestGateway, key};
use crate::on_both;
use crate::reach::permit;

/// A client that acts as one of its partner's staff.
async fn acting_as(gw: &TestGateway, partner: &str, practitioner: &str) -> Actor {
    let id = format!("as-{}", practitioner.rsplit_once('/').unwrap().1);
    let client = Client {
        id: id.clone(),
        partner: partner.into(),
        scope: "system/*.cruds".into(),
        purposes: vec![],
        jwks: None,
        jwks_url: None,
        revoked: false,
        btg: false,
        practitioner: Some(practitioner.into()),
    };
    enroll::client(&gw.ctx, &client).await.unwrap();
    gw.signed_in(&id).await
}

async fn employs(agency: &Actor, partner: &str) -> String {
    let practitioner =
        key(&agency.creates(&json!({"resourceType": "Practitioner", "name": [{"family": "Reed"}]})).await);
    let role = json!({"resourceType": "PractitionerRole", "active": true, "practitioner": {"reference": practitioner},
        "organization": {"reference": format!("Organization/{partner}")}});
    agency.creates(&role).await;
    practitioner
}

/// A permit for two agencies with a deny below it for somebody.
fn but_not(patient: &str, actor: Value) -> Value {
    let mut consent = permit(patient, COUNTY, json!({}));
    let mut other = consent["provision"]["actor"][0].clone();
    other["reference"]["reference"] = json!(format!("Organization/{HOUSING}"));
    consent["provision"]["actor"].as_array_mut().unwrap().push(other.clone());
    other["reference"] = actor;
    consent["provision"]["provision"] = json!([{"type": "deny", "actor": [other]}]);
    consent
}

on_both!(a_deny_on_somebody_of_the_staff_shuts_out_whoever_may_be_meant);
async fn a_deny_on_somebody_of_the_staff_shuts_out_whoever_may_be_meant(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county, housing) = (gw.system(CLINIC).await, gw.system(COUNTY).await, gw.system(HOUSING).await);
    let (meant, other) = (employs(&county, COUNTY).await, employs(&county, COUNTY).await);
    let (as_meant, as_other) = (acting_as(&gw, COUNTY, &meant).await, acting_as(&gw, COUNTY, &other).await);
    let group = |member: &str, patient: &str| {
        json!({"resourceType": "CareTeam", "status": "active", "subject": {"reference": patient},
            "participant": [{"member": {"reference": member}}]})
    };
    for (what, of_housing) in [("person", true), ("team", true), ("nobody", false), ("identified", false)] {
        let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
        let theirs = key(&clinic.creates(&goal(&patient)).await);
        let actor = match what {
            "person" => json!({"reference": meant}),
            "team" => json!({"reference": key(&clinic.creates(&group(&meant, &patient)).await)}),
            "nobody" => json!({"reference": "Practitioner/who-knows"}),
            _ => json!({"identifier": {"system": "https://npi.example", "value": "1"}}),
        };
        let consent = clinic.creates(&but_not(&patient, actor)).await;
        assert!(!sees(&county, &patient, &theirs).await, "{what}: a system may be anybody");
        assert_eq!(sees(&housing, &patient, &theirs).await, of_housing, "{what}: who works elsewhere is not meant");
        assert!(!county.get("/fhir/Goal").await.is(200).keys().contains(&theirs), "{what}");
        let is_known = matches!(what, "person" | "team");
        assert_eq!(sees(&as_meant, &patient, &theirs).await, !is_known, "{what}: the one who is meant");
        assert!(sees(&as_other, &patient, &theirs).await, "{what}: who is known to be somebody else");
        assert_eq!(as_other.get("/fhir/Goal").await.is(200).keys(), std::slice::from_ref(&theirs), "{what}");
        clinic.revokes(&consent).await;
    }
}

on_both!(who_begins_to_work_somewhere_is_meant_from_then_on);
async fn who_begins_to_work_somewhere_is_meant_from_then_on(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county, housing) = (gw.system(CLINIC).await, gw.system(COUNTY).await, gw.system(HOUSING).await);
    let meant = employs(&housing, HOUSING).await;
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    let theirs = key(&clinic.creates(&goal(&patient)).await);
    clinic.creates(&but_not(&patient, json!({"reference": meant}))).await;
    let finds = async || county.get("/fhir/Goal").await.is(200).keys().contains(&theirs);
    assert!(sees(&county, &patient, &theirs).await && finds().await);
    let role = json!({"resourceType": "PractitionerRole", "active": true, "practitioner": {"reference": meant},
        "organization": {"reference": format!("Organization/{COUNTY}")}});
    county.creates(&role).await;
    assert!(!sees(&county, &patient, &theirs).await && !finds().await);
}

on_both!(a_provenance_names_authors_of_what_it_is_about);
async fn a_provenance_names_authors_of_what_it_is_about(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county, housing) = (gw.system(CLINIC).await, gw.system(COUNTY).await, gw.system(HOUSING).await);
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    let (written, other) = (key(&clinic.creates(&goal(&patient)).await), key(&clinic.creates(&goal(&patient)).await));
    let author = "Practitioner/the-author";
    let selector = json!({"data": [{"meaning": "authoredby", "reference": {"reference": author}}]});
    clinic.creates(&permit(&patient, COUNTY, selector)).await;
    let says = |target: &str| {
        json!({"resourceType": "Provenance", "target": [{"reference": target}], "recorded": crate::harness::NOW,
            "agent": [{"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                "code": "author"}]}, "who": {"reference": author}}]})
    };
    assert!(!sees(&county, &patient, &written).await);
    // Not everybody's word counts: neither who wrote it nor whose Patient it is.
    clinic.creates(&permit(&patient, HOUSING, json!({}))).await;
    housing.creates(&says(&other)).await;
    assert!(!sees(&county, &patient, &other).await);
    let mut provenance = clinic.creates(&says(&written)).await;
    assert!(sees(&county, &patient, &written).await);
    assert_eq!(county.get("/fhir/Goal").await.is(200).keys(), std::slice::from_ref(&written));
    let path = format!("/fhir/{}", key(&provenance));
    provenance["target"][0]["reference"] = json!(other);
    clinic.put(&path, &provenance).await.is(200);
    assert!(!sees(&county, &patient, &written).await && sees(&county, &patient, &other).await);
    clinic.delete(&path).await.is(204);
    assert!(!sees(&county, &patient, &other).await);
}

on_both!(what_a_plan_refers_to_goes_with_it);
async fn what_a_plan_refers_to_goes_with_it(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county, housing) = (gw.system(CLINIC).await, gw.system(COUNTY).await, gw.system(HOUSING).await);
    let patient = key(&clinic.creates(&json!({"resourceType": "Patient"})).await);
    let (first, second) = (key(&clinic.creates(&goal(&patient)).await), key(&clinic.creates(&goal(&patient)).await));
    let plan = |goal: &str| {
        json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": patient},
            "goal": [{"reference": goal}]})
    };
    let related = |plan: &Value| json!({"data": [{"meaning": "related", "reference": {"reference": key(plan)}}]});
    let mut own = clinic.creates(&plan(&first)).await;
    clinic.creates(&permit(&patient, COUNTY, related(&own))).await;
    assert!(sees(&county, &patient, &first).await && !sees(&county, &patient, &second).await);
    own["goal"][0]["reference"] = json!(second);
    clinic.put(&format!("/fhir/{}", key(&own)), &own).await.is(200);
    assert!(!sees(&county, &patient, &first).await && sees(&county, &patient, &second).await, "as the plan says now");
    // Somebody else's plan opens nothing of the clinic's.
    clinic.creates(&permit(&patient, HOUSING, json!({}))).await;
    let mine = housing.creates(&plan(&first)).await;
    clinic.creates(&permit(&patient, COUNTY, related(&mine))).await;
    assert!(!sees(&county, &patient, &first).await);
    county.get(&format!("/fhir/{}", key(&mine))).await.is(200);
}
