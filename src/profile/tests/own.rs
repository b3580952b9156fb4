//! The exchange's own profiles, and what a configuration asks of whom.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{errors, profiles};
use crate::config::{Level, Terms};
use crate::fhir::{Outcome, Resource, Severity};
use crate::profile::Against;

const OWN: &str = "https://handoff.example/fhir/StructureDefinition";

fn by(profile: &str, value: Value) -> Vec<String> {
    let asked = [format!("{OWN}/{profile}")];
    let found = profiles().examine(&Resource::from_value(value).unwrap(), &Against::of(&asked));
    errors(&found).into_iter().map(|(place, rule)| format!("{place} {rule}")).collect()
}

fn under(value: &Value, terms: &Terms) -> Outcome {
    profiles().examine(&Resource::from_value(value.clone()).unwrap(), &Against { terms, ..Against::default() })
}

fn goal() -> Value {
    json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "a home"},
        "subject": {"reference": "Patient/1"}, "startDate": "2026-03-01", "addresses": [{"reference": "Condition/1"}],
        "target": [{"measure": {"text": "nights in shelter"}, "detailString": "none", "dueDate": "2026-09-01"}]})
}

#[test]
fn a_smart_goal_is_measured_by_when_and_for_what() {
    assert!(by("handoff-smart-goal", goal()).is_empty());
    type Change = fn(&mut Value);
    let table: [(Change, &str); 6] = [
        (|goal| drop(goal.as_object_mut().unwrap().remove("target")), "Goal.target cardinality-min"),
        (
            |goal| drop(goal["target"][0].as_object_mut().unwrap().remove("dueDate")),
            "Goal.target[0].due cardinality-min",
        ),
        (
            |goal| drop(goal["target"][0].as_object_mut().unwrap().remove("measure")),
            "Goal.target[0].measure cardinality-min",
        ),
        (
            |goal| drop(goal["target"][0].as_object_mut().unwrap().remove("detailString")),
            "Goal.target[0].detail cardinality-min",
        ),
        (|goal| drop(goal.as_object_mut().unwrap().remove("addresses")), "Goal.addresses cardinality-min"),
        (|goal| drop(goal.as_object_mut().unwrap().remove("startDate")), "Goal.start cardinality-min"),
    ];
    for (change, expected) in table {
        let mut goal = goal();
        change(&mut goal);
        let found = by("handoff-smart-goal", goal);
        // Without a measure, R4's own `gol-1` is broken as well.
        let others = found.iter().filter(|one| *one != expected && !one.ends_with(" gol-1")).count();
        assert!(found.contains(&expected.to_string()) && others == 0, "{found:?}");
    }
}

#[test]
fn a_plan_says_who_does_what_by_when() {
    let plan = |activity: Value| {
        json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": "Patient/1"},
            "period": {"start": "2026-03-01"}, "goal": [{"reference": "Goal/1"}], "activity": [activity]})
    };
    let detail = json!({"status": "in-progress", "scheduledPeriod": {"end": "2026-04-01"}, "performer": [{"reference": "Practitioner/1"}]});
    assert!(by("handoff-plan", plan(json!({"detail": detail}))).is_empty());
    assert!(by("handoff-plan", plan(json!({"reference": {"reference": "Task/1"}}))).is_empty());
    let bare = plan(json!({"detail": {"status": "in-progress"}}));
    let mut found = by("handoff-plan", bare);
    found.sort();
    assert_eq!(
        found,
        [
            "CarePlan.activity[0].detail.performer cardinality-min",
            "CarePlan.activity[0].detail.scheduled cardinality-min",
        ]
    );
}

#[test]
fn a_computable_consent_says_whose_since_when_and_for_whom() {
    let consent = json!({"resourceType": "Consent", "status": "active", "dateTime": "2026-03-01",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]},
        "patient": {"reference": "Patient/1"}, "sourceAttachment": {"title": "signed"},
        "provision": {"type": "permit", "actor": [{
            "role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]},
            "reference": {"reference": "Organization/1"}}]}});
    assert!(by("handoff-consent", consent.clone()).is_empty(), "{:?}", by("handoff-consent", consent.clone()));
    for name in ["patient", "dateTime", "provision"] {
        let mut without = consent.clone();
        without.as_object_mut().unwrap().remove(name);
        let found = by("handoff-consent", without);
        assert!(found.contains(&format!("Consent.{name} cardinality-min")), "{name}: {found:?}");
    }
    let mut other = consent;
    other["scope"]["coding"][0]["code"] = json!("research");
    let found = by("handoff-consent", other);
    assert!(found.contains(&"Consent.scope pattern".to_string()), "{found:?}");
}

#[test]
fn what_is_required_refuses_and_what_is_recommended_warns() {
    let mut loose = goal();
    loose.as_object_mut().unwrap().remove("addresses");
    let url = vec![format!("{OWN}/handoff-smart-goal")];
    let required = Terms { required: url.clone(), ..Terms::none() };
    let recommended = Terms { recommended: url, ..Terms::none() };
    assert!(!under(&loose, &Terms::none()).has_errors());
    assert!(under(&loose, &required).has_errors());
    let said = under(&loose, &recommended);
    let place = "Goal.addresses";
    assert!(!said.has_errors());
    assert!(said.0.iter().any(|issue| issue.severity == Severity::Warning && issue.expression == place), "{said:?}");
    assert!(!under(&goal(), &recommended).0.iter().any(|issue| issue.severity != Severity::Information));
}

#[test]
fn a_level_changes_what_a_rule_weighs_and_never_the_shape() {
    let levels = |level: Level| Terms {
        levels: BTreeMap::from(["answer-type", "json-type", "binding"].map(|rule| (rule.to_string(), level))),
        ..Terms::none()
    };
    let response = json!({"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "#f",
        "contained": [{"resourceType": "Questionnaire", "id": "f", "status": "active", "item": [{"linkId": "1", "type": "boolean"}]}],
        "item": [{"linkId": "1", "answer": [{"valueString": "yes"}]}]});
    assert!(under(&response, &Terms::none()).has_errors());
    assert!(!under(&response, &levels(Level::Warning)).has_errors());
    assert!(!under(&response, &levels(Level::Off)).0.iter().any(|issue| issue.rule == "answer-type"));
    for wrong in
        [json!({"resourceType": "Goal", "lifecycleStatus": 1}), json!({"resourceType": "Patient", "gender": "none"})]
    {
        assert!(under(&wrong, &levels(Level::Off)).has_errors(), "{wrong}");
    }
}
