//! A decision says which rule of which version of which consent decided, and by which rule of consent.md.

use super::*;
use crate::consent::label::ACT_CODE;

fn told(provision: Value, resource: &Resource) -> Vec<(String, String, &'static str)> {
    let world = world();
    let mut made = consent("c1", "2026-01-15T15:00:05Z", json!({"provision": provision})).into_value();
    made["meta"]["versionId"] = json!("7");
    let directive = Directive::read(&super::resource(made));
    let people = People::of(vec![directive], &world, &Policy::deny());
    let asked = question(&world, "Organization/harbor", &["TREAT"]);
    let decision = decide(&people, &world, &asked, &Facts::of(resource, &world));
    let one = |reason: &Reason| {
        assert_eq!(reason.consent(), Some("Consent/c1/_history/7"));
        (reason.effect().name().to_string(), reason.path().unwrap().to_string(), reason.rule())
    };
    decision.reasons().iter().map(one).collect()
}

#[test]
fn the_deepest_rule_that_decides_is_named() {
    let row = observation("n", "Organization/clinic", "N");
    let of = |kind: &str, more: Value| {
        let mut rule = json!({"type": kind});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    };
    let goals = || json!({"class": [{"system": crate::consent::rule::RESOURCE_TYPES, "code": "Goal"}]});
    let unknown = || json!({"securityLabel": [{"system": "urn:unknown", "code": "x"}]});
    let all = || json!({});
    for (provision, expected) in [
        (of("permit", all()), vec![("permit", "provision", "R2")]),
        (of("deny", all()), vec![("deny", "provision", "R2")]),
        // A nested permit adds to the one above it, and is the one that decided.
        (of("permit", json!({"provision": [of("permit", all())]})), vec![("permit", "provision.provision[0]", "R4")]),
        // What does not apply is not named.
        (of("permit", json!({"provision": [of("deny", goals())]})), vec![("permit", "provision", "R2")]),
        (
            of("permit", json!({"provision": [of("deny", goals()), of("deny", all())]})),
            vec![("deny", "provision.provision[1]", "R4")],
        ),
        // Neighbours are all named, and of each branch the deepest.
        (
            of(
                "deny",
                json!({"provision": [of("deny", json!({"provision": [of("deny", all())]})), of("deny", all())]}),
            ),
            vec![("deny", "provision.provision[0].provision[0]", "R4"), ("deny", "provision.provision[1]", "R4")],
        ),
        (
            of(
                "permit",
                json!({"provision": [
                    of("deny", json!({"provision": [of("permit", all())]})),
                    of("permit", goals()),
                ]}),
            ),
            vec![("permit", "provision.provision[0].provision[0]", "R4")],
        ),
        // For want of understanding.
        (of("permit", json!({"provision": [of("deny", unknown())]})), vec![("deny", "provision.provision[0]", "R13")]),
        (of("permit", unknown()), vec![("indeterminate", "provision", "R13")]),
    ] {
        let found = told(provision.clone(), &row);
        let found: Vec<(&str, &str, &str)> =
            found.iter().map(|(effect, path, rule)| (effect.as_str(), path.as_str(), *rule)).collect();
        assert_eq!(found, expected, "{provision}");
    }
}

#[test]
fn a_purpose_or_an_actor_that_is_not_understood_meets_no_need_of_the_law() {
    let mut world = world();
    let kinds = |codes: &[(&str, &str)]| -> Value {
        codes.iter().map(|(system, code)| json!({"coding": [{"system": system, "code": code}]})).collect()
    };
    world
        .add(resource(json!({"resourceType": "Organization", "id": "programme", "type": kinds(&[(REGIME, "part2")])})));
    world.add(resource(json!({"resourceType": "CareTeam", "id": "t", "status": "active",
        "subject": {"reference": "Patient/ana"}, "participant": [{"member": {"reference": "Organization/clinic"}}]})));
    let row = observation("n", "Organization/programme", "N");
    let purpose =
        |codes: &[&str]| -> Value { codes.iter().map(|code| json!({"system": ACT_REASON, "code": code})).collect() };
    let actor = |role: &str, key: &str| {
        let role = json!({"coding": [{"system": crate::consent::rule::PARTICIPATION, "code": role}]});
        json!({"role": role, "reference": {"reference": key}})
    };
    let (clinic, holder) = (actor("IRCP", "Organization/clinic"), actor("CST", "Organization/programme"));
    let unknown = actor("NEW", "Organization/x");
    for (asked, provision, expected) in [
        ("HLEGAL", json!({"purpose": purpose(&["HLEGAL"]), "actor": [clinic]}), true),
        ("HLEGAL", json!({"purpose": purpose(&["HLEGAL", "NEW"]), "actor": [clinic]}), false),
        ("HLEGAL", json!({"purpose": purpose(&["HLEGAL", "TREAT"]), "actor": [clinic]}), false),
        // "My treating providers": nobody is named, and a team is on file.
        ("TREAT", json!({"purpose": purpose(&["TREAT"]), "actor": [holder]}), true),
        ("TREAT", json!({"purpose": purpose(&["TREAT"]), "actor": [holder, unknown]}), false),
        // Without an end all purposes lie within treatment, payment and operations.
        ("TREAT", json!({"purpose": purpose(&["TREAT", "NEW"]), "actor": [clinic]}), false),
        ("TREAT", json!({"purpose": purpose(&["TREAT", "NEW"]), "actor": [clinic], "period": {"end": "2027"}}), true),
        ("TREAT", json!({"purpose": purpose(&["TREAT", "HRESCH"]), "actor": [clinic]}), false),
    ] {
        let mut provision = provision;
        provision["type"] = json!("permit");
        let directive = Directive::read(&consent(
            "c1",
            "2026-01-15T15:00:05Z",
            json!({
                "provision": provision, "sourceAttachment": {"title": "signed"},
                "organization": [{"reference": "Organization/programme"}],
                "policy": [{"uri": "https://handoff.example/fhir/policy/42cfr-part2"}, {"uri": ACT_CODE}],
            }),
        ));
        let people = People::of(vec![directive], &world, &Policy::deny());
        let asked = question(&world, "Organization/clinic", &[asked]);
        let decision = decide(&people, &world, &asked, &Facts::of(&row, &world));
        assert_eq!(decision.permits(), expected, "{provision} {:?}", decision.reasons());
    }
}
