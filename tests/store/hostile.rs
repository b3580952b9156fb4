//! Consents that nobody would sign: whatever is sent, reading and deciding end soon, never panic, and what is not
//! understood opens nothing (R13; issue 4, bad input).
//!
//!     HANDOFF_HOSTILE=200000 cargo test --test store hostile::

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use handoff::consent::Directive;
use handoff::fhir::Resource;
use serde_json::{Value, json};

use crate::agree::{asked_for, pose};
use crate::stories::{Chance, story};

/// What is put in the place of something.
fn junk(chance: &mut Chance) -> Value {
    let known = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("#"),
        json!("2026-02-30"),
        json!("9999-12-31T23:59:59.999999999+14:00"),
        json!("-0001"),
        json!("é\u{1f9d1}026-01"),
        json!([]),
        json!({}),
        json!([[["x"]]]),
        json!({"coding": "x"}),
        json!({"coding": [{"system": 7, "code": []}]}),
        json!({"reference": "#outer"}),
        json!({"reference": {"reference": "Patient/ana"}}),
        json!({"start": "2027-01-01", "end": "2026-01-01"}),
        json!([{"type": "permit"}, "permit", {"type": ["permit"]}]),
    ];
    known[chance.below(known.len())].clone()
}

/// Some place inside a value.
fn place<'v>(value: &'v mut Value, chance: &mut Chance) -> &'v mut Value {
    let count = match value {
        Value::Object(object) => object.len(),
        Value::Array(list) => list.len(),
        _ => 0,
    };
    if count == 0 || chance.one_in(4) {
        return value;
    }
    let at = chance.below(count);
    match value {
        Value::Object(object) => place(object.values_mut().nth(at).unwrap(), chance),
        Value::Array(list) => place(&mut list[at], chance),
        _ => unreachable!(),
    }
}

fn shown(case: &Value) -> BTreeSet<String> {
    let posed = pose(case);
    let permitted = posed.facts.iter().filter(|facts| posed.residuals.decide(facts).permits());
    permitted.map(|facts| facts.key().to_string()).collect()
}

#[test]
fn whatever_is_sent_is_read_and_decided() {
    for seed in 0..asked_for("HANDOFF_HOSTILE", 3_000) {
        let mut chance = Chance::new(seed ^ 0xbad);
        let mut case = story(seed, "");
        for _ in 0..1 + chance.below(4) {
            // Consents and what they are decided with alike.
            let whole = ["consents", "consents", "world"][chance.below(3)];
            let Some(one) = case[whole].as_array_mut().filter(|all| !all.is_empty()) else { continue };
            let at = chance.below(one.len());
            let found = place(&mut one[at], &mut chance);
            match (found, chance.below(4)) {
                (Value::Object(object), 0) => {
                    let name = ["modifierExtension", "provision", "actor", "mood", "period"][chance.below(5)];
                    object.insert(name.into(), junk(&mut chance));
                }
                (Value::Array(list), 0) => list.push(junk(&mut chance)),
                (found, _) => *found = junk(&mut chance),
            }
            // What is no resource never gets here.
            if Resource::from_value(one[at].clone()).is_none() {
                one[at] = json!({"resourceType": "Consent", "id": "c0"});
            }
        }
        let began = Instant::now();
        let posed = pose(&case);
        for facts in &posed.facts {
            let decision = posed.residuals.decide(facts);
            assert!(!decision.reasons().is_empty());
            for patient in facts.patients().iter().filter(|_| facts.patients().len() == 1) {
                let condition = posed.residuals.get(patient).unwrap().condition();
                assert_eq!(condition.holds(facts), decision.permits(), "story {seed}\n{case:#}");
            }
        }
        for consent in case["consents"].as_array().unwrap() {
            let consent = Resource::from_value(consent.clone()).unwrap();
            let _ = (Directive::problems(&consent, &handoff::consent::Regimes::bundled()), Directive::read(&consent));
        }
        assert!(began.elapsed() < Duration::from_secs(5), "story {seed}");
    }
}

/// One value of one selector somewhere in a consent, made into something that nobody knows.
///
/// Not of a nested permit with rules below it: it matches nowhere then, and "a rule below a nested rule applies only
/// where that nested rule applies" (R4), a deny too.
fn blur(rule: &mut Value, is_nested: bool, chance: &mut Chance) -> bool {
    let nested = rule["provision"].as_array().map_or(0, Vec::len);
    if nested > 0 && chance.one_in(2) {
        let at = chance.below(nested);
        return blur(&mut rule["provision"][at], true, chance);
    }
    if nested > 0 && is_nested && rule["type"] == "permit" {
        return false;
    }
    let names = ["actor", "action", "purpose", "securityLabel", "class", "code", "data", "dataPeriod"];
    let present: Vec<&str> = names.into_iter().filter(|name| rule.get(name).is_some()).collect();
    if present.is_empty() || chance.one_in(5) {
        rule["modifierExtension"] = json!([{"url": "urn:unknown"}]);
        return true;
    }
    let name = present[chance.below(present.len())];
    match &mut rule[name] {
        Value::Array(list) => {
            let at = chance.below(list.len());
            list[at] = match chance.below(3) {
                0 => json!({"system": "urn:unknown", "code": "x"}),
                1 => json!("x"),
                _ => json!({"coding": [{"system": "urn:unknown", "code": "x"}], "meaning": "aura", "role": 7}),
            };
        }
        period => *period = json!({"start": "soon"}),
    }
    // A concept with a system and a code is understood as such, whatever the system.
    name != "code"
}

#[test]
fn what_is_not_understood_never_opens_anything() {
    let (mut narrowed, mut compared) = (0, 0);
    for seed in 0..asked_for("HANDOFF_HOSTILE", 3_000) {
        let mut chance = Chance::new(seed ^ 0xb1e);
        let mut case = story(seed, "");
        // One consent by itself, under a closed default: what a garbled one no longer replaces is another question.
        case["policy"]["default"] = json!("deny");
        case["consents"].as_array_mut().unwrap().truncate(1);
        if case["consents"][0].is_null() || case["request"].get("emergency").is_some() {
            continue;
        }
        let before = shown(&case);
        let whole = case.clone();
        if blur(&mut case["consents"][0]["provision"], false, &mut chance) {
            let after = shown(&case);
            assert!(after.is_subset(&before), "story {seed}: {after:?}, before {before:?}\n{whole:#}\n{case:#}");
            compared += 1;
            narrowed += usize::from(after != before);
        }
    }
    assert!(narrowed > compared / 100, "{narrowed} of {compared} were narrowed");
}

fn timed(consent: Value) -> (Directive, bool) {
    let mut case = story(1, "");
    let mut made = json!({
        "resourceType": "Consent", "id": "c0", "status": "active", "meta": {"lastUpdated": "2026-01-15T15:00:05Z"},
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "patient": {"reference": "Patient/ana"}, "performer": [{"reference": "Patient/ana"}],
    });
    made.as_object_mut().unwrap().extend(consent.as_object().unwrap().clone());
    case["request"] = json!({"organization": "Organization/harbor", "purpose": ["TREAT"], "action": "access"});
    case["policy"] = json!({"default": "deny"});
    case["resources"] = json!([{"resourceType": "Goal", "id": "g", "subject": {"reference": "Patient/ana"},
        "meta": {"source": "Organization/clinic"}}]);
    case["consents"] = json!([made]);
    let began = Instant::now();
    let shows = !shown(&case).is_empty();
    let directive = Directive::read(&Resource::from_value(made).unwrap());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    (directive, shows)
}

#[test]
fn nesting_beyond_what_is_read_opens_nothing_and_is_said() {
    // JSON from outside is at most 100 deep, and a provision takes two of them.
    for levels in [15, 16, 17, 48] {
        let deep =
            (1..levels).fold(json!({"type": "permit"}), |inner, _| json!({"type": "permit", "provision": [inner]}));
        let (directive, shows) = timed(json!({"provision": deep}));
        assert!(shows, "the root says so, and nothing below takes it away");
        assert_eq!(directive.unenforced().is_empty(), levels <= 16, "{levels}");

        // The only permit lies too deep.
        let deep =
            (1..levels).fold(json!({"type": "permit"}), |inner, _| json!({"type": "deny", "provision": [inner]}));
        assert_eq!(timed(json!({"provision": deep})).1, levels <= 16, "{levels}");

        // A permit that might be taken away below what is read.
        let deep = (2..levels).fold(
            json!({"type": "permit", "provision": [{"type": "deny"}]}),
            |inner, _| json!({"type": "deny", "provision": [inner]}),
        );
        assert!(!timed(json!({"provision": deep})).1, "{levels}");
    }
}

#[test]
fn ten_thousand_provisions_are_decided() {
    let rule = |place: usize| {
        json!({"type": if place.is_multiple_of(2) { "permit" } else { "deny" }, "code": [
        {"coding": [{"system": "urn:s", "code": format!("c{place}")}]}]})
    };
    let many: Vec<Value> = (0..10_000).map(rule).collect();
    assert!(timed(json!({"provision": {"type": "permit", "provision": many}})).1);
    let all: Vec<Value> = (0..10_000).map(|_| json!({"type": "permit"})).collect();
    assert!(timed(json!({"provision": {"type": "deny", "provision": all}})).1);
    let all: Vec<Value> = (0..10_000).map(|_| json!({"type": "deny"})).collect();
    assert!(!timed(json!({"provision": {"type": "permit", "provision": all}})).1);
}

#[test]
fn what_is_contained_may_go_round_in_circles() {
    let group = |id: &str, held: &[&str]| {
        let members: Vec<Value> = held.iter().map(|key| json!({"entity": {"reference": key}})).collect();
        json!({"resourceType": "Group", "id": id, "member": members})
    };
    let recipient = |key: &str| {
        let role = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]});
        json!([{"role": role, "reference": {"reference": key}}])
    };
    for (held, shows) in [(&["#b"][..], false), (&["#b", "Organization/harbor"], true), (&["#a", "#a"], false)] {
        let contained = json!([group("a", held), group("b", &["#a", "#b", "#nobody"])]);
        let provision = json!({"type": "permit", "actor": recipient("#b")});
        assert_eq!(timed(json!({"contained": contained, "provision": provision})).1, shows, "{held:?}");
    }
    // A long way round: each group holds the next one.
    let long: Vec<Value> = (0..5_000).map(|at| group(&format!("g{at}"), &[format!("#g{}", at + 1).as_str()])).collect();
    assert!(!timed(json!({"contained": long, "provision": {"type": "permit", "actor": recipient("#g0")}})).1);
}
