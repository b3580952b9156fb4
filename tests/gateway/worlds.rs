//! Two exchanges that one partner must not be able to tell apart: in the crowded one there is more that is hidden
//! from it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, On, TestGateway, key};
use crate::reach::{class, permit};
use handoff::partner::Kind;

pub struct World {
    pub gw: TestGateway,
    pub county: Actor,
}

pub const COUNTY: &str = "county-social-service";

pub async fn person(clinic: &Actor) -> String {
    key(&clinic.creates(&json!({"resourceType": "Patient"})).await)
}

pub fn goal(subject: &str, status: &str) -> Value {
    json!({"resourceType": "Goal", "lifecycleStatus": status, "description": {"text": "x"},
        "subject": {"reference": subject}})
}

/// Puts a resource under a name that both worlds share.
pub async fn put(actor: &Actor, mut resource: Value, name: &str) -> Value {
    resource["id"] = json!(format!("river-clinic-{name}"));
    let answer = actor.send(Method::PUT, &format!("/fhir/{}", key(&resource)), &[], Some(resource.to_string())).await;
    assert!(answer.status < 300, "{}", answer.text);
    answer.body
}

/// One person whose Patient, Goals and Practitioner the county sees, in versions; hidden are another person, this
/// one's Conditions, and what was deleted.
pub async fn world(on: On, crowded: bool) -> World {
    let gw = TestGateway::start_with(on, |config| {
        config.ids.client_assigned = true;
        config.export.page_rows = 3;
    })
    .await;
    gw.enrol("river-clinic", Kind::Clinic, None).await;
    gw.enrol(COUNTY, Kind::SocialService, None).await;
    let clinic = gw.system("river-clinic").await;
    let practitioner = json!({"resourceType": "Practitioner", "active": true});
    put(&clinic, practitioner, "p").await;
    put(&clinic, json!({"resourceType": "Patient"}), "seen").await;
    put(&clinic, permit("Patient/river-clinic-seen", COUNTY, class(&["Goal", "Patient"])), "c").await;
    if crowded {
        put(&clinic, json!({"resourceType": "Patient"}), "hidden").await;
    }
    for at in 0..5 {
        let mut seen = goal("Patient/river-clinic-seen", "active");
        if at == 2 {
            seen["expressedBy"] = json!({"reference": "Practitioner/river-clinic-p"});
        }
        put(&clinic, seen.clone(), &format!("g{at}")).await;
        if crowded {
            let hidden = put(&clinic, goal("Patient/river-clinic-hidden", "active"), &format!("h{at}")).await;
            put(&clinic, hidden, &format!("h{at}")).await;
            let condition = json!({"resourceType": "Condition", "subject": {"reference": "Patient/river-clinic-seen"}});
            put(&clinic, condition, &format!("k{at}")).await;
            let gone = put(&clinic, goal("Patient/river-clinic-seen", "active"), &format!("x{at}")).await;
            clinic.delete(&format!("/fhir/{}", key(&gone))).await.is(204);
        }
        gw.advance_secs(1);
        seen["lifecycleStatus"] = json!("completed");
        put(&clinic, seen, &format!("g{at}")).await;
        gw.advance_secs(1);
    }
    let county = gw.system(COUNTY).await;
    World { gw, county }
}

/// Every page from an address on, without what may differ: the host, and the bytes, but not the length, of page
/// tokens.
pub async fn pages(world: &World, query: &str) -> Vec<String> {
    let (mut said, mut address) = (Vec::new(), Some(format!("/fhir/{query}")));
    while let Some(at) = address {
        let page = world.county.get(&at).await.is(200);
        address = next(&page.body);
        let token = address.as_deref().and_then(|next| next.split_once("_page=")).map_or("", |(_, token)| token);
        let text = if token.is_empty() { page.text } else { page.text.replace(token, &"#".repeat(token.len())) };
        said.push(text.replace(&world.gw.address, ""));
    }
    said
}

pub fn next(bundle: &Value) -> Option<String> {
    let links = bundle["link"].as_array().cloned().unwrap_or_default();
    links.iter().find(|link| link["relation"] == "next").map(|link| link["url"].as_str().unwrap().to_string())
}
