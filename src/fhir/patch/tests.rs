use serde_json::json;

use super::*;

/// The few elements that the tables below speak of.
fn shape(path: &[&str]) -> Option<Member> {
    let repeats = matches!(
        path,
        [_, "name" | "identifier" | "telecom" | "contact" | "extension" | "component"]
            | [_, "name", "given" | "extension"]
            | [_, "contact", "telecom" | "relationship"]
    );
    let typed = |name: &&str| name.starts_with("value") || name.starts_with("deceased");
    let is_choice = path.last().is_some_and(typed) && !path.contains(&"identifier");
    Some(Member { repeats, is_choice })
}

fn person() -> Value {
    json!({"resourceType": "Patient", "id": "p", "meta": {"versionId": "3"}, "active": true,
        "name": [{"family": "Sample", "given": ["Ana", "Bea"]}, {"use": "old", "family": "Older"}],
        "identifier": [{"system": "a", "value": "1"}, {"system": "b", "value": "2"}],
        "deceasedBoolean": false, "multipleBirthInteger": 2, "birthDate": "1970-01-01"})
}

fn patched(media: &str, patch: &Value) -> Result<Value, String> {
    let patch = Patch::read(media, patch.to_string().as_bytes()).unwrap();
    let patch = patch.map_err(|issues| format!("400 {}", issues[0].text))?;
    let to = Resource::from_value(person()).unwrap();
    match patch.apply(&to, &shape) {
        Ok(resource) => Ok(resource.into_value()),
        Err(Unfit::Version(issue)) => Err(format!("412 {}", issue.text)),
        Err(Unfit::Content(issue)) => Err(format!("422 {}", issue.text)),
    }
}

fn json_patch(operations: Value) -> Result<Value, String> {
    patched("application/json-patch+json", &operations)
}

#[test]
fn every_operation_of_a_json_patch_does_what_rfc_6902_says() {
    let cases = [
        (json!([{"op": "add", "path": "/gender", "value": "female"}]), "/gender", json!("female")),
        (json!([{"op": "add", "path": "/name/0/given/1", "value": "X"}]), "/name/0/given", json!(["Ana", "X", "Bea"])),
        (json!([{"op": "add", "path": "/name/0/given/-", "value": "X"}]), "/name/0/given/2", json!("X")),
        (json!([{"op": "remove", "path": "/name/1"}]), "/name/1", Value::Null),
        (json!([{"op": "replace", "path": "/name/1/family", "value": "New"}]), "/name/1/family", json!("New")),
        (json!([{"op": "move", "from": "/name/1", "path": "/name/0"}]), "/name/0/family", json!("Older")),
        (json!([{"op": "copy", "from": "/name/1/family", "path": "/name/0/family"}]), "/name/0/family", json!("Older")),
        (
            json!([{"op": "test", "path": "/multipleBirthInteger", "value": 2.0}, {"op": "add", "path": "/gender", "value": "other"}]),
            "/gender",
            json!("other"),
        ),
        (
            json!([{"op": "test", "path": "/name/1", "value": {"family": "Older", "use": "old"}}]),
            "/active",
            json!(true),
        ),
        // The last item takes its list along, unless something follows it.
        (
            json!([{"op": "remove", "path": "/identifier/0"}, {"op": "remove", "path": "/identifier/0"}]),
            "/identifier",
            Value::Null,
        ),
        (json!([{"op": "add", "path": "/x~1y~0z", "value": 1, "unknown": true}]), "/x~1y~0z", json!(1)),
    ];
    for (patch, place, expected) in cases {
        let done = json_patch(patch.clone()).unwrap_or_else(|said| panic!("{patch}: {said}"));
        assert_eq!(done.pointer(place).cloned().unwrap_or(Value::Null), expected, "{patch}");
    }
}

#[test]
fn the_order_of_keys_and_the_text_of_numbers_stay() {
    let sent = r#"{"resourceType":"Observation","id":"o","z":1.50,"b":{"y":1,"x":2},"a":3}"#;
    let to = read::resource(sent.as_bytes()).unwrap();
    let patch = br#"[{"op":"remove","path":"/b/y"},{"op":"test","path":"/z","value":1.5}]"#;
    let patch = Patch::read("application/json-patch+json", patch).unwrap().unwrap();
    let done = patch.apply(&to, &shape).unwrap();
    assert_eq!(done.value().to_string(), sent.replace(r#""y":1,"#, ""));
}

#[test]
fn a_json_patch_that_cannot_be_read_is_told_all_at_once() {
    let patch = br#"[{"op":"add","path":"/a"},{"op":"fly","path":"/a"},{"op":"remove","path":"a"},7,
        {"op":"move","from":"/a","path":"/a/b"},{"op":"remove","path":"/a~2"},{"op":"copy","path":"/a"}]"#;
    let issues = Patch::read("application/json-patch+json", patch).unwrap().unwrap_err();
    let places: Vec<&str> = issues.iter().filter_map(|issue| issue.location.as_deref()).collect();
    assert_eq!(places, ["/0/value", "/1/op", "/2/path", "/3", "/4/from", "/5/path", "/6/from"]);
    for (media, text) in [
        ("application/json-patch+json", "{}"),
        ("application/merge-patch+json", "[]"),
        ("application/json", "7"),
        ("application/fhir+json", r#"{"resourceType":"Patient"}"#),
        ("application/json-patch+json", "["),
    ] {
        assert!(Patch::read(media, text.as_bytes()).unwrap().is_err(), "{media} {text}");
    }
    assert!(Patch::read("text/plain", b"[]").is_none());
}

#[test]
fn what_does_not_fit_says_which_operation_and_why() {
    for (patch, said) in [
        (json!([{"op": "test", "path": "/meta/versionId", "value": "2"}]), "412 operation 0, `/meta/versionId`"),
        (json!([{"op": "test", "path": "/active", "value": false}]), "422 operation 0, `/active`: another value"),
        (json!([{"op": "test", "path": "/gender", "value": null}]), "nothing is there"),
        (json!([{"op": "remove", "path": "/gender"}]), "nothing is there"),
        (json!([{"op": "replace", "path": "/gender", "value": 1}]), "nothing is there"),
        (json!([{"op": "add", "path": "/photo/-", "value": {}}]), "add that first"),
        (json!([{"op": "add", "path": "/name/7", "value": {}}]), "the list has 2 items"),
        (json!([{"op": "add", "path": "/name/01", "value": {}}]), "the list has 2 items"),
        (json!([{"op": "add", "path": "/active/x", "value": 1}]), "neither an object nor a list"),
        (json!([{"op": "remove", "path": ""}]), "DELETE"),
        (json!([{"op": "replace", "path": "/id", "value": "q"}]), "leaves `resourceType` and `id`"),
        (json!([{"op": "replace", "path": "/resourceType", "value": "Group"}]), "leaves `resourceType` and `id`"),
        (json!([{"op": "add", "path": "", "value": 7}]), "leaves `resourceType` and `id`"),
        (json!([{"op": "test", "path": "/active", "value": true}, {"op": "remove", "path": "/x"}]), "operation 1"),
    ] {
        let refused = json_patch(patch.clone()).unwrap_err();
        assert!(refused.contains(said), "{patch}: {refused}");
    }
}

#[test]
fn a_patch_cannot_grow_without_bounds() {
    let doubling: Vec<Value> = (0..60).map(|at| json!({"op": "copy", "from": "", "path": format!("/x{at}")})).collect();
    assert!(json_patch(json!(doubling)).unwrap_err().contains("at most 1000000 characters"));
    let deeper: Vec<Value> = (0..60).map(|_| json!({"op": "copy", "from": "/name", "path": "/name/0/x"})).collect();
    assert!(json_patch(json!(deeper)).unwrap_err().contains("levels"));
    let many = vec![json!({"op": "remove", "path": "/active"}); OPERATIONS_MAX + 1];
    assert!(json_patch(json!(many)).unwrap_err().contains("at most 1000 operations"));
    let long = "/x".repeat(STEPS_MAX + 1);
    assert!(json_patch(json!([{"op": "remove", "path": long}])).unwrap_err().starts_with("400"));
}

#[test]
fn only_a_test_at_the_beginning_names_the_version() {
    let test = json!({"op": "test", "path": "/meta/versionId", "value": "3"});
    let write = json!({"op": "add", "path": "/meta/versionId", "value": "3"});
    for (patch, names) in [
        (json!([test, write]), true),
        (json!([{"op": "test", "path": "/active", "value": true}, test]), true),
        (json!([write, test]), false),
        (json!([]), false),
    ] {
        let read = Patch::read("application/json-patch+json", patch.to_string().as_bytes()).unwrap().unwrap();
        assert_eq!(read.names_version(), names, "{patch}");
    }
}

#[test]
fn a_merge_patch_replaces_what_it_names_and_removes_with_null() {
    let patch =
        json!({"active": null, "gender": "female", "meta": {"tag": [{"code": "x"}]}, "name": [{"family": "One"}]});
    for media in ["application/merge-patch+json", "application/json"] {
        let done = patched(media, &patch).unwrap();
        assert_eq!((&done["gender"], done.get("active")), (&json!("female"), None));
        assert_eq!((&done["meta"]["versionId"], &done["meta"]["tag"][0]["code"]), (&json!("3"), &json!("x")));
        assert_eq!(done["name"], json!([{"family": "One"}]));
    }
    assert!(patched("application/merge-patch+json", &json!({"id": null})).unwrap_err().starts_with("422"));
}

fn operation(parts: Value) -> Value {
    let parts: Vec<Value> = parts
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| match (name.as_str(), value) {
            ("type", kind) => json!({"name": name, "valueCode": kind}),
            ("path" | "name", text) => json!({"name": name, "valueString": text}),
            ("value", given) => {
                let mut part = json!({"name": "value"});
                given.as_object().unwrap().iter().for_each(|(key, value)| part[key] = value.clone());
                part
            }
            (_, number) => json!({"name": name, "valueInteger": number}),
        })
        .collect();
    json!({"name": "operation", "part": parts})
}

fn fhir_patch(operations: Vec<Value>) -> Result<Value, String> {
    let operations: Vec<Value> = operations.into_iter().map(operation).collect();
    patched("application/fhir+json", &json!({"resourceType": "Parameters", "parameter": operations}))
}

#[test]
fn every_operation_of_a_fhirpath_patch_does_what_r4_says() {
    let human = json!({"valueHumanName": {"family": "New"}});
    let cases = [
        (
            json!({"type": "add", "path": "Patient", "name": "gender", "value": {"valueCode": "other"}}),
            "/gender",
            json!("other"),
        ),
        (json!({"type": "add", "path": "Patient", "name": "name", "value": human}), "/name/2/family", json!("New")),
        (
            json!({"type": "add", "path": "Patient", "name": "telecom", "value": {"valueContactPoint": {"value": "1"}}}),
            "/telecom",
            json!([{"value": "1"}]),
        ),
        (
            json!({"type": "add", "path": "Patient.name.first()", "name": "given", "value": {"valueString": "C"}}),
            "/name/0/given/2",
            json!("C"),
        ),
        (
            json!({"type": "insert", "path": "Patient.identifier", "index": 1, "value": {"valueIdentifier": {"value": "x"}}}),
            "/identifier/1/value",
            json!("x"),
        ),
        (
            json!({"type": "insert", "path": "Patient.telecom", "index": 0, "value": {"valueContactPoint": {"value": "x"}}}),
            "/telecom/0/value",
            json!("x"),
        ),
        (json!({"type": "delete", "path": "Patient.birthDate"}), "/birthDate", Value::Null),
        (
            json!({"type": "delete", "path": "Patient.identifier.where(system = 'a')"}),
            "/identifier",
            json!([{"system": "b", "value": "2"}]),
        ),
        (json!({"type": "delete", "path": "Patient.gender"}), "/active", json!(true)),
        (
            json!({"type": "replace", "path": "Patient.birthDate", "value": {"valueDate": "1971"}}),
            "/birthDate",
            json!("1971"),
        ),
        (
            json!({"type": "replace", "path": "Patient.identifier.where(system='b' and value='2').value", "value": {"valueString": "9"}}),
            "/identifier/1/value",
            json!("9"),
        ),
        (
            json!({"type": "replace", "path": "Patient.name[0].given[1]", "value": {"valueString": "Z"}}),
            "/name/0/given/1",
            json!("Z"),
        ),
        (
            json!({"type": "replace", "path": "name.last().family", "value": {"valueString": "Z"}}),
            "/name/1/family",
            json!("Z"),
        ),
        (
            json!({"type": "replace", "path": "Patient.deceased", "value": {"valueDateTime": "2020"}}),
            "/deceasedDateTime",
            json!("2020"),
        ),
        (json!({"type": "delete", "path": "Patient.deceased.ofType(Boolean)"}), "/deceasedBoolean", Value::Null),
        (
            json!({"type": "move", "path": "Patient.identifier", "source": 1, "destination": 0}),
            "/identifier/0/value",
            json!("2"),
        ),
        (
            json!({"type": "add", "path": "Patient", "name": "contact", "value": {"part": [
            {"name": "name", "valueHumanName": {"text": "kin"}}, {"name": "telecom", "valueContactPoint": {"value": "1"}}]}}),
            "/contact/0",
            json!({"name": {"text": "kin"}, "telecom": [{"value": "1"}]}),
        ),
    ];
    for (patch, place, expected) in cases {
        let done = fhir_patch(vec![patch.clone()]).unwrap_or_else(|said| panic!("{patch}: {said}"));
        assert_eq!(done.pointer(place).cloned().unwrap_or(Value::Null), expected, "{patch}");
    }
    let extension = json!({"valueExtension": {"url": "http://x/y", "valueCode": "z"}});
    let done = fhir_patch(vec![
        json!({"type": "add", "path": "Patient", "name": "extension", "value": extension}),
        json!({"type": "replace", "path": "Patient.extension('http://x/y').value", "value": {"valueString": "w"}}),
    ]);
    assert_eq!(done.unwrap()["extension"], json!([{"url": "http://x/y", "valueString": "w"}]));
}

#[test]
fn what_a_fhirpath_patch_cannot_do_is_said() {
    for (patch, said) in [
        (json!({"type": "add", "path": "Group", "name": "x", "value": {"valueCode": "y"}}), "starts at `Patient`"),
        (json!({"type": "add", "path": "Patient", "name": "active", "value": {"valueBoolean": true}}), "replace it"),
        (json!({"type": "add", "path": "Patient.name", "name": "text", "value": {"valueString": "x"}}), "leads to 2"),
        (
            json!({"type": "add", "path": "Patient.photo", "name": "x", "value": {"valueString": "x"}}),
            "leads to nothing",
        ),
        (json!({"type": "add", "path": "Patient", "name": "deceased", "value": {"valueBoolean": true}}), "replace it"),
        (json!({"type": "insert", "path": "Patient.name", "index": 5, "value": {"valueHumanName": {}}}), "has 2 items"),
        (
            json!({"type": "insert", "path": "Patient.gender", "index": 0, "value": {"valueCode": "x"}}),
            "does not repeat",
        ),
        (json!({"type": "delete", "path": "Patient.name"}), "only a single element"),
        (json!({"type": "delete", "path": "Patient"}), "DELETE"),
        (json!({"type": "replace", "path": "Patient.gender", "value": {"valueCode": "x"}}), "leads to nothing"),
        (json!({"type": "move", "path": "Patient.name", "source": 0, "destination": 2}), "has 2 items"),
        (
            json!({"type": "replace", "path": "Patient.name.single().family", "value": {"valueString": "x"}}),
            "`single()` found 2",
        ),
        (
            json!({"type": "replace", "path": "Patient.id", "value": {"valueString": "x"}}),
            "leaves `resourceType` and `id`",
        ),
        (json!({"type": "fly", "path": "Patient"}), "400 expected a part `type`"),
        (json!({"type": "add", "path": "Patient"}), "400 expected a part `name`"),
        (json!({"type": "delete", "path": "Patient.name.resolve()"}), "400 `path`: a function"),
        (json!({"type": "delete", "path": "Patient..name"}), "400 `path`: expected the name"),
        (json!({"type": "delete", "path": "Patient.name["}), "400 `path`: expected a number"),
        (json!({"type": "delete", "path": "Patient.name.where(use = 'x"}), "400 `path`: a text in quotes"),
        (json!({"type": "delete", "path": "Patient.name | Patient.id"}), "400 `path`: expected `.` or `[`"),
        (json!({"type": "delete", "path": ""}), "400 `path`"),
        (json!({"type": "delete", "path": "a.".repeat(200) + "a"}), "400 `path`: a path has at most 64 steps"),
    ] {
        let refused = fhir_patch(vec![patch.clone()]).unwrap_err();
        assert!(refused.contains(said), "{patch}: {refused}");
    }
}

#[test]
fn what_is_beside_a_primitive_goes_where_it_goes() {
    let to = json!({"resourceType": "Patient", "id": "p", "birthDate": "1970", "_birthDate": {"id": "b"},
        "name": [{"given": ["A", "B"], "_given": [null, {"id": "second"}]}]});
    let to = Resource::from_value(to).unwrap();
    let run = |patch: Value| {
        let patch = json!({"resourceType": "Parameters", "parameter": [operation(patch)]});
        let patch = Patch::read("application/fhir+json", patch.to_string().as_bytes()).unwrap().unwrap();
        patch.apply(&to, &shape).unwrap().into_value()
    };
    let done = run(json!({"type": "move", "path": "Patient.name[0].given", "source": 1, "destination": 0}));
    assert_eq!(done["name"][0], json!({"given": ["B", "A"], "_given": [{"id": "second"}, null]}));
    let done = run(json!({"type": "delete", "path": "Patient.name[0].given[0]"}));
    assert_eq!(done["name"][0], json!({"given": ["B"], "_given": [{"id": "second"}]}));
    assert_eq!(run(json!({"type": "delete", "path": "Patient.birthDate"})).get("_birthDate"), None);
}

#[test]
fn no_path_makes_the_reader_fall_over() {
    let letters = [
        "Patient", ".", "name", "[", "]", "0", "(", ")", "where(", "'", "\\", "`", "$this", " and ", "=", "é", "@",
        "exists()",
    ];
    let mut state = 7_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..(state >> 60) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(letters[(state >> 33) as usize % letters.len()]);
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if let Ok(path) = path::Path::read(&text) {
            let _ = path.find(&person(), &shape);
        }
    }
}
