//! What replaces what, and what is left of the older one (consent.md R10).

use super::*;

fn recipient(reference: &str) -> Value {
    let role = json!({"coding": [{"system": crate::consent::rule::PARTICIPATION, "code": "IRCP"}]});
    json!([{"role": role, "reference": {"reference": reference}}])
}

/// A consent on the same policy, custodian and recipient as every other one here.
fn of_series(id: &str, recorded: &str, kind: &str, more: Value) -> Directive {
    let mut whole = json!({
        "organization": [{"reference": "Organization/clinic"}],
        "policy": [{"uri": "https://handoff.example/fhir/policy/sharing"}],
        "provision": {"type": kind, "actor": recipient("Organization/harbor")},
    });
    for (name, value) in more.as_object().unwrap() {
        match name.as_str() {
            "period" => whole["provision"]["period"] = value.clone(),
            "actor" => whole["provision"]["actor"] = value.clone(),
            name => whole[name] = value.clone(),
        }
    }
    Directive::read(&consent(id, recorded, whole))
}

const OLD: &str = "2026-01-15T15:00:05Z";
const NEW: &str = "2026-02-15T15:00:05Z";

#[test]
fn a_successor_silences_while_it_is_usable_and_takes_old_permits_for_good() {
    let row = observation("n", "Organization/clinic", "N");
    let general = Directive::read(&consent("general", OLD, json!({"provision": {"type": "permit"}})));
    for (successor, replaces, silences) in [
        (json!({}), true, true),
        (json!({"status": "inactive"}), true, false),
        (json!({"period": {"end": "2026-10-31"}}), true, false),
        (json!({"period": {"start": "2026-12-01"}}), false, false),
        (json!({"status": "draft"}), false, false),
        (json!({"status": "entered-in-error"}), false, false),
        (
            json!({"scope": {"coding": [{"system": crate::consent::directive::SCOPE, "code": "research"}]}}),
            false,
            false,
        ),
        (json!({"actor": recipient("Organization/clinic")}), false, false),
        (json!({"policy": []}), false, false),
        (json!({"organization": []}), false, false),
    ] {
        // An old permit, and a successor that says nothing for it.
        let mut narrow = successor.clone();
        narrow["policyRule"] = Value::Null;
        let permit = of_series("c1", OLD, "permit", json!({}));
        let mut elsewhere = consent("c2", NEW, json!({})).into_value();
        elsewhere.as_object_mut().unwrap().extend(
            json!({"organization": [{"reference": "Organization/clinic"}],
                "policy": [{"uri": "https://handoff.example/fhir/policy/sharing"}],
                "provision": {"type": "permit", "actor": recipient("Organization/harbor"),
                    "class": [{"system": crate::consent::rule::RESOURCE_TYPES, "code": "Goal"}]}})
            .as_object()
            .unwrap()
            .clone(),
        );
        for (name, value) in narrow.as_object().unwrap() {
            match name.as_str() {
                "period" | "actor" => elsewhere["provision"][name] = value.clone(),
                name => elsewhere[name] = value.clone(),
            }
        }
        let elsewhere = Directive::read(&resource(elsewhere));
        assert_eq!(is_released(vec![permit, elsewhere], &row), !replaces, "old permit beside {successor}");

        // An old deny, a successor that permits, and a general permit beside them.
        let deny = of_series("c1", OLD, "deny", json!({}));
        let permit = of_series("c2", NEW, "permit", successor.clone());
        assert_eq!(is_released(vec![deny, permit, general.clone()], &row), silences, "old deny beside {successor}");
    }
}

#[test]
fn of_one_instant_both_stand_and_the_deny_wins() {
    let row = observation("n", "Organization/clinic", "N");
    for (first, second) in [("permit", "deny"), ("deny", "permit")] {
        let both = vec![of_series("c1", OLD, first, json!({})), of_series("c2", OLD, second, json!({}))];
        assert!(!is_released(both, &row), "{first}, {second}");
    }
}

#[test]
fn in_a_long_series_the_latest_usable_one_speaks() {
    let row = observation("n", "Organization/clinic", "N");
    let series = |kinds: &[&str]| -> Vec<Directive> {
        let recorded = |place: usize| format!("2026-{:02}-15T15:00:05Z", place + 1);
        let each = kinds.iter().enumerate();
        each.map(|(place, kind)| of_series(&format!("c{place}"), &recorded(place), kind, json!({}))).collect()
    };
    assert!(is_released(series(&["deny", "permit", "deny", "permit"]), &row));
    assert!(!is_released(series(&["permit", "deny", "permit", "deny"]), &row));
}

#[test]
fn what_is_contained_is_compared_by_what_it_says() {
    let row = observation("n", "Organization/clinic", "N");
    let group = |key: &str| json!([{"resourceType": "Group", "id": "g", "member": [{"entity": {"reference": key}}]}]);
    let general = Directive::read(&consent("general", OLD, json!({"provision": {"type": "permit"}})));
    for (contained, replaced) in [("Organization/harbor", true), ("Organization/clinic", false)] {
        let deny = json!({"contained": group("Organization/harbor"), "actor": recipient("#g")});
        let permit = json!({"contained": group(contained), "actor": recipient("#g")});
        let both = [of_series("c1", OLD, "deny", deny), of_series("c2", NEW, "permit", permit), general.clone()];
        assert_eq!(is_released(both.into(), &row), replaced, "{contained}");
    }
}

#[test]
fn ten_thousand_of_one_series_are_settled_at_once() {
    let row = observation("n", "Organization/clinic", "N");
    let recorded = |at: usize| format!("2026-01-{:02}T{:02}:{:02}:00Z", 1 + at / 1440, at / 60 % 24, at % 60);
    let kind = |at: usize| if at.is_multiple_of(2) { "deny" } else { "permit" };
    let all: Vec<Directive> =
        (0..10_000).map(|at| of_series(&format!("c{at}"), &recorded(at), kind(at), json!({}))).collect();
    assert!(is_released(all[..10_000].to_vec(), &row));
    assert!(!is_released(all[..9_999].to_vec(), &row));
}
