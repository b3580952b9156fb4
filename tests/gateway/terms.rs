//! `[validation]`: profiles that a partner's resources must or should fit, and what a rule weighs for whom.

use handoff::config::{Asked, Level, OfPartner};
use serde_json::{Value, json};

use crate::filing::{CLINIC, HOUSING, goal};
use crate::harness::{Answer, On, TestGateway, key, patient};
use crate::on_both;

const SMART: &str = "https://handoff.example/fhir/StructureDefinition/handoff-smart-goal";

fn goals(asked: Asked) -> std::collections::BTreeMap<String, std::collections::BTreeMap<String, Asked>> {
    [("Goal".to_string(), [(SMART.to_string(), asked)].into())].into()
}

fn severities(answer: &Answer, rule: &str) -> Vec<Value> {
    let issues = answer.body["issue"].as_array().unwrap().iter();
    issues.filter(|it| it["details"]["coding"][0]["code"] == rule).map(|it| it["severity"].clone()).collect()
}

on_both!(what_is_required_of_one_partner_is_recommended_to_others);
async fn what_is_required_of_one_partner_is_recommended_to_others(on: On) {
    let gw = TestGateway::exchange_with(on, |config| {
        config.validation.profiles = goals(Asked::Recommended);
        let own = OfPartner { profiles: goals(Asked::Required), ..OfPartner::default() };
        config.validation.partners.insert(HOUSING.to_string(), own);
    })
    .await;
    let (clinic, housing) = (gw.system(CLINIC).await, gw.system(HOUSING).await);
    let (ana, bea) = (key(&clinic.creates(&patient()).await), key(&housing.creates(&patient()).await));

    let refused = housing.post("/fhir/Goal", &goal(&bea)).await.is(422);
    assert!(refused.text.contains("handoff-smart-goal"), "{}", refused.text);
    let told = housing.post("/fhir/Goal/$validate", &goal(&bea)).await.is(200);
    assert!(severities(&told, "cardinality-min").contains(&json!("error")), "{}", told.text);
    let fits = json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "a home"},
        "subject": {"reference": bea}, "startDate": "2026-03-01", "addresses": [{"reference": "Condition/1"}],
        "target": [{"measure": {"text": "nights"}, "detailString": "none", "dueDate": "2026-09-01"}]});
    housing.post("/fhir/Goal", &fits).await.is(201);

    clinic.post("/fhir/Goal", &goal(&ana)).await.is(201);
    let told = clinic.post("/fhir/Goal/$validate", &goal(&ana)).await.is(200);
    let said = severities(&told, "cardinality-min");
    assert!(!said.is_empty() && said.iter().all(|severity| severity == "warning"), "{}", told.text);
}

on_both!(a_rule_weighs_what_the_exchange_says_and_shape_is_not_its_to_give_away);
async fn a_rule_weighs_what_the_exchange_says_and_shape_is_not_its_to_give_away(on: On) {
    let gw = TestGateway::exchange_with(on, |config| {
        config.validation.levels = ["con-5", "json-type"].map(|rule| (rule.to_string(), Level::Warning)).into();
        let strict = OfPartner { levels: [("con-5".to_string(), Level::Error)].into(), ..OfPartner::default() };
        config.validation.partners.insert(HOUSING.to_string(), strict);
    })
    .await;
    let (clinic, housing) = (gw.system(CLINIC).await, gw.system(HOUSING).await);
    let condition = |patient: &str| {
        let coded = |system: &str, code: &str| json!({"coding": [{"system": format!("http://terminology.hl7.org/CodeSystem/condition-{system}"), "code": code}]});
        json!({"resourceType": "Condition", "subject": {"reference": patient}, "code": {"text": "x"},
            "verificationStatus": coded("ver-status", "entered-in-error"), "clinicalStatus": coded("clinical", "active")})
    };
    let (ana, bea) = (key(&clinic.creates(&patient()).await), key(&housing.creates(&patient()).await));
    clinic.post("/fhir/Condition", &condition(&ana)).await.is(201);
    assert_eq!(housing.post("/fhir/Condition", &condition(&bea)).await.is(422).rules(), ["con-5"]);
    let mut shapeless = condition(&ana);
    shapeless["code"] = json!("x");
    assert!(clinic.post("/fhir/Condition", &shapeless).await.is(422).rules().contains(&"json-type".to_string()));
}
