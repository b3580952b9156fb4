//! What is taken out and what stays, element by element.

use serde_json::json;

use super::super::parts::{INLINE, Inside};
use super::*;
use crate::fhir::view::Shown;

/// `status`, `subject` and `code` are mandatory, in whatever type.
struct Mandatory;

impl Outline for Mandatory {
    fn element(&self, json: &str) -> Option<Shown<'_>> {
        Some(Shown { summary: false, mandatory: matches!(json, "status" | "subject" | "code" | "input"), inner: None })
    }
}

fn label(code: &str) -> Value {
    json!([{"url": INLINE, "valueCoding": {"system": "s", "code": code}}])
}

fn resource(value: Value) -> Resource {
    Resource::from_value(value).unwrap()
}

/// With the parts labelled `hidden` withheld, for coordination by a housing agency where `least` is asked for.
fn redacted(value: Value, masks: &Masks, least: bool) -> (Value, bool) {
    let regimes = Regimes::bundled();
    let outline = |_: &str| Some(Box::new(Mandatory) as Box<dyn Outline>);
    let to =
        Handling { kind: "housing", regimes: &regimes, masks, discretion: None, pseudonym: None, outline: &outline };
    let resource = resource(value);
    let hidden = ("s".to_string(), "hidden".to_string());
    let parts = Inside::of(resource.root()).parts.into_iter();
    let withheld: Vec<Way> = parts.filter(|part| part.labels.contains(&hidden)).map(|part| part.way).collect();
    let purposes = BTreeSet::from(["COC".to_string()]);
    let (resource, changed) = redact(resource, &withheld, least.then_some(&purposes), &to);
    let mut value = resource.into_value();
    if changed {
        assert_eq!(value["meta"]["security"][0]["code"], "REDACTED");
        assert_eq!(value["meta"]["tag"][0]["code"], "SUBSETTED");
        assert!(value.get("text").is_none(), "the narrative tells what the elements tell");
        value.as_object_mut().unwrap().shift_remove("meta");
    }
    (value, changed)
}

#[test]
fn a_labelled_element_goes_with_its_sibling() {
    let masked = json!({"extension": [{"url": ABSENT, "valueCode": "masked"}]});
    for (stored, expected) in [
        (
            json!({"birthDate": "1990-01-01", "_birthDate": {"extension": label("hidden")}, "gender": "female"}),
            json!({"gender": "female"}),
        ),
        (
            json!({"note": [{"text": "a"}, {"extension": label("hidden"), "text": "b"}, {"text": "c"}]}),
            json!({"note": [{"text": "a"}, {"text": "c"}]}),
        ),
        (json!({"note": [{"extension": label("hidden"), "text": "b"}]}), json!({})),
        (
            json!({"name": [{"given": ["A", "B"], "_given": [null, {"extension": label("hidden")}]}]}),
            json!({"name": [{"given": ["A"], "_given": [null]}]}),
        ),
        (json!({"name": [{"given": ["A"], "_given": [{"extension": label("hidden")}]}]}), json!({})),
        (json!({"status": "final", "_status": {"extension": label("hidden")}}), json!({"_status": masked})),
        (json!({"code": {"text": "c", "extension": label("hidden")}}), json!({"code": masked})),
        (json!({"input": [{"valueString": "c", "extension": label("hidden")}]}), json!({"input": [masked]})),
        (
            json!({"a": {"extension": label("hidden"), "b": {"extension": label("hidden")}}, "note": [{"text": "x"}]}),
            json!({"note": [{"text": "x"}]}),
        ),
    ] {
        let whole = |more: Value| {
            let mut whole = json!({"resourceType": "Basic", "text": {"div": "<div>told</div>"}});
            whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            whole
        };
        let (value, changed) = redacted(whole(stored.clone()), &Masks::default(), false);
        let mut expected = whole(expected);
        expected.as_object_mut().unwrap().shift_remove("text");
        assert_eq!((value, changed), (expected, true), "{stored}");
    }
}

#[test]
fn what_is_labelled_otherwise_or_not_at_all_stays_as_it_was() {
    for stored in [
        json!({"resourceType": "Basic", "text": {"div": "told"}, "note": [{"text": "b"}]}),
        json!({"resourceType": "Basic", "text": {"div": "told"}, "note": [{"extension": label("open"), "text": "b"}]}),
        json!({"resourceType": "Goal", "note": [{"text": "b"}], "extension": [{"url": "x", "valueString": "y"}]}),
    ] {
        assert_eq!(redacted(stored.clone(), &Masks::default(), true), (stored, false));
    }
}

#[test]
fn what_is_contained_goes_with_every_reference_to_it() {
    let stored = json!({"resourceType": "Basic", "subject": {"reference": "#p", "display": "Ana"},
        "extension": [{"url": "x", "valueReference": {"reference": "#p"}}, {"url": "y", "valueUri": "#p"}],
        "contained": [{"resourceType": "Basic", "id": "p", "meta": {"security": [{"system": "s", "code": "hidden"}]},
            "author": {"reference": "#q"}}, {"resourceType": "Basic", "id": "q"}, {"resourceType": "Basic", "id": "r"}],
        "author": {"reference": "#r"}});
    let (value, _) = redacted(stored, &Masks::default(), false);
    let masked = absent();
    assert_eq!(
        value,
        json!({"resourceType": "Basic", "subject": masked,
            "extension": [{"url": "x", "valueReference": masked}, {"url": "y", "_valueUri": masked}],
            "contained": [{"resourceType": "Basic", "id": "r"}], "author": {"reference": "#r"}}),
        "what only the hidden one pointed at goes with it"
    );
}

#[test]
fn a_masked_entry_leaves_no_trace() {
    let masks = Masks {
        entries: BTreeSet::from(["Location/den".to_string()]),
        people: BTreeSet::from(["Patient/eve".to_string()]),
        partners: BTreeSet::from(["Organization/safe-house".to_string()]),
        kinds: BTreeSet::from(["Location".to_string()]),
        face: None,
    };
    let stored = json!({"resourceType": "Encounter", "status": "finished",
        "subject": {"reference": "Patient/eve", "display": "Eve", "identifier": {"value": "7"}},
        "location": [{"location": {"reference": "Location/den", "display": "The den"}}, {"location": {"reference": "Location/open"}}],
        "extension": [{"url": "x", "valueReference": {"reference": "https://here.example/fhir/Location/den/_history/2"}},
            {"url": "y", "valueUrl": "https://here.example/fhir/Location/den"}],
        "contained": [{"resourceType": "Location", "id": "c", "address": {"city": "Rivertown"},
            "managingOrganization": {"reference": "Organization/safe-house"}}],
        "hospitalization": {"destination": {"reference": "#c", "display": "The den"}}});
    let (value, changed) = redacted(stored, &masks, false);
    let text = value.to_string();
    assert!(changed);
    for trace in ["den", "Rivertown", "Eve", "\"7\"", "contained", "safe-house"] {
        assert!(!text.contains(trace), "{trace} in {text}");
    }
    assert_eq!(value["subject"], json!({"reference": "Patient/eve"}));
    assert_eq!(value["location"][0]["location"], absent());
    assert_eq!(value["location"][1]["location"], json!({"reference": "Location/open"}));
}

#[test]
fn a_purpose_gets_the_least_that_it_needs() {
    let stored = json!({"resourceType": "Patient", "id": "1", "implicitRules": "x", "name": [{"family": "A"}],
        "deceasedBoolean": false, "photo": [{"title": "face"}], "maritalStatus": {"text": "m"},
        "_birthDate": {"extension": []}, "extension": [{"url": "race"}], "modifierExtension": [{"url": "m"}]});
    let (value, changed) = redacted(stored, &Masks::default(), true);
    assert!(changed);
    assert_eq!(
        value,
        json!({"resourceType": "Patient", "id": "1", "implicitRules": "x", "name": [{"family": "A"}],
            "deceasedBoolean": false, "_birthDate": {"extension": []}, "modifierExtension": [{"url": "m"}]})
    );
}
