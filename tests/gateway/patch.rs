//! Patches in all their formats: applied to what the caller sees, and judged as any update.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, On, fixture, key, patient, start};
use crate::on_both;

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const FHIR: &str = "application/fhir+json";

fn path(resource: &Value) -> String {
    format!("/fhir/{}", key(resource))
}

async fn patch(actor: &Actor, path: &str, media: &str, patch: &Value) -> Answer {
    actor.send(Method::PATCH, path, &[("content-type", media)], Some(patch.to_string())).await
}

fn operation(kind: &str, path: &str, more: Vec<Value>) -> Value {
    let mut parts = vec![json!({"name": "type", "valueCode": kind}), json!({"name": "path", "valueString": path})];
    parts.extend(more);
    json!({"name": "operation", "part": parts})
}

fn parameters(operations: Vec<Value>) -> Value {
    json!({"resourceType": "Parameters", "parameter": operations})
}

on_both!(a_patch_in_any_format_is_a_new_version);
async fn a_patch_in_any_format_is_a_new_version(on: On) {
    let (_gw, clinic) = start(on).await;
    let add = operation(
        "add",
        "Patient",
        vec![json!({"name": "name", "valueString": "gender"}), json!({"name": "value", "valueCode": "female"})],
    );
    let list = json!([{"op": "add", "path": "/gender", "value": "female"}]);
    let merge = json!({"gender": "female"});
    for (media, body) in [
        (JSON, &list),
        ("application/json-patch+json; charset=UTF-8", &list),
        (MERGE, &merge),
        // As fhirpy and the SMART client send them.
        ("application/json", &merge),
        ("application/json;charset=utf-8", &list),
        (FHIR, &parameters(vec![add.clone()])),
        ("application/fhir+json; fhirVersion=4.0", &parameters(vec![add.clone()])),
    ] {
        let made = clinic.creates(&patient()).await;
        let done = patch(&clinic, &path(&made), media, body).await.is(200);
        assert_eq!((&done.body["gender"], done.header("etag")), (&json!("female"), "W/\"2\""), "{media}");
        assert_eq!(done.body["name"], made["name"]);
        assert_eq!(clinic.get(&path(&made)).await.is(200).text, done.text);
        let history = clinic.get(&format!("{}/_history", path(&made))).await.is(200).body;
        assert_eq!(history["entry"].as_array().unwrap().len(), 2);
    }
    let made = clinic.creates(&patient()).await;
    let headers = [("content-type", MERGE), ("prefer", "return=minimal")];
    let silent = clinic.send(Method::PATCH, &path(&made), &headers, Some(merge.to_string())).await.is(200);
    assert_eq!((silent.text.as_str(), silent.header("etag")), ("", "W/\"2\""));
}

on_both!(the_definitions_say_what_repeats_and_what_is_a_choice);
async fn the_definitions_say_what_repeats_and_what_is_a_choice(on: On) {
    let (_gw, clinic) = start(on).await;
    let made = clinic.creates(&patient()).await;
    let name = |name: &str| json!({"name": "name", "valueString": name});
    let contact = json!({"name": "value", "part": [
        {"name": "relationship", "valueCodeableConcept": {"text": "sister"}}, {"name": "name", "valueHumanName": {"text": "Eva"}}]});
    let done = patch(
        &clinic,
        &path(&made),
        FHIR,
        &parameters(vec![
            operation("add", "Patient", vec![name("contact"), contact]),
            operation("add", "Patient", vec![name("deceased"), json!({"name": "value", "valueBoolean": false})]),
            operation("replace", "Patient.deceased", vec![json!({"name": "value", "valueDateTime": "2020-01-01"})]),
            operation("add", "Patient.name[0]", vec![name("given"), json!({"name": "value", "valueString": "Ana"})]),
            operation(
                "insert",
                "Patient.name[0].given",
                vec![json!({"name": "index", "valueInteger": 0}), json!({"name": "value", "valueString": "Bea"})],
            ),
            operation("delete", "Patient.name.where(use = 'old')", vec![]),
        ]),
    )
    .await
    .is(200)
    .body;
    assert_eq!(done["contact"], json!([{"relationship": [{"text": "sister"}], "name": {"text": "Eva"}}]));
    assert_eq!((&done["deceasedDateTime"], done.get("deceasedBoolean")), (&json!("2020-01-01"), None));
    assert_eq!(done["name"][0]["given"], json!(["Bea", "Ana"]));
}

on_both!(a_patch_names_the_version_that_it_was_made_for);
async fn a_patch_names_the_version_that_it_was_made_for(on: On) {
    let (gw, clinic) = start(on).await;
    let housing = gw.system("harbor-housing").await;
    let task = clinic.submits(&fixture("ana")).await.one("Task");
    let at = path(&task);
    let accept = |version: &str| json!([{"op": "test", "path": "/meta/versionId", "value": version}, {"op": "replace", "path": "/status", "value": "accepted"}]);
    let bare = json!([{"op": "replace", "path": "/status", "value": "accepted"}]);
    assert_eq!(patch(&housing, &at, JSON, &bare).await.is(428).rules(), ["if-match"]);
    assert_eq!(patch(&housing, &at, JSON, &accept("7")).await.is(412).rules(), ["stale"]);
    let stale = [("content-type", JSON), ("if-match", "W/\"7\"")];
    housing.send(Method::PATCH, &at, &stale, Some(bare.to_string())).await.is(412);
    assert_eq!(patch(&housing, &at, JSON, &accept("1")).await.is(200).body["status"], "accepted");
    let current = [("content-type", MERGE), ("if-match", "W/\"2\"")];
    let begun = housing.send(Method::PATCH, &at, &current, Some(json!({"status": "in-progress"}).to_string())).await;
    assert_eq!(begun.is(200).body["status"], "in-progress");
    // The steps and roles are those of any update.
    let third = [("content-type", MERGE), ("if-match", "W/\"3\"")];
    for (body, rule) in
        [(json!({"status": "requested"}), "task-transition"), (json!({"intent": "plan"}), "task-not-yours")]
    {
        let refused = housing.send(Method::PATCH, &at, &third, Some(body.to_string())).await.is(422);
        assert!(refused.rules().contains(&rule.to_string()), "{}", refused.text);
    }
}

on_both!(a_patch_changes_only_what_its_sender_may);
async fn a_patch_changes_only_what_its_sender_may(on: On) {
    let (gw, clinic) = start(on).await;
    let (housing, food) = (gw.system("harbor-housing").await, gw.system("corner-food-bank").await);
    let ana = clinic.submits(&fixture("ana")).await.one("Patient");
    let at = path(&ana);
    let body = json!({"active": false});
    let hidden = patch(&food, &at, MERGE, &body).await.is(404);
    let absent = patch(&food, "/fhir/Patient/nobody", MERGE, &body).await.is(404);
    assert_eq!(hidden.text.replace(ana["id"].as_str().unwrap(), "nobody"), absent.text);
    // A test tells nobody what it does not see.
    let test = json!([{"op": "test", "path": "/gender", "value": "female"}]);
    assert_eq!(patch(&food, &at, JSON, &test).await.is(404).text, hidden.text);
    assert_eq!(patch(&housing, &at, MERGE, &body).await.is(403).rules(), ["not-yours"]);
    assert_eq!(clinic.get(&at).await.is(200).body, ana);
    // What is the server's stays, whatever a patch says.
    let meta = json!({"active": false, "meta": {"versionId": "9", "lastUpdated": "2001-01-01T00:00:00Z"}});
    let done = patch(&clinic, &at, MERGE, &meta).await.is(200).body;
    assert_eq!(
        (&done["meta"]["versionId"], &done["meta"]["source"]),
        (&json!("2"), &json!("Organization/river-clinic"))
    );
    clinic.delete(&at).await.is(204);
    patch(&clinic, &at, MERGE, &body).await.is(410);
    patch(&housing, &at, MERGE, &body).await.is(404);
}

on_both!(a_patch_needs_the_scope_to_update_and_is_no_way_to_read);
async fn a_patch_needs_the_scope_to_update_and_is_no_way_to_read(on: On) {
    let (gw, clinic) = start(on).await;
    let made = clinic.creates(&patient()).await;
    for (scope, status) in [
        ("system/Patient.crds", 403),
        ("system/Goal.cruds", 403),
        ("system/Patient.u", 200),
        ("system/Patient.ru", 200),
    ] {
        let id = scope.replace(['/', '.'], "-");
        gw.client(&id, "river-clinic", scope).await;
        let done = patch(&gw.signed_in(&id).await, &path(&made), MERGE, &json!({"active": true})).await.is(status);
        if status == 200 {
            assert_eq!(done.text.is_empty(), scope == "system/Patient.u", "{scope}");
        }
    }
    patch(&clinic, "/fhir/AuditEvent/1", MERGE, &json!({})).await.is(405);
    patch(&clinic, "/fhir/Nonsense/1", MERGE, &json!({})).await.is(404);
}

on_both!(what_cannot_be_read_or_does_not_fit_changes_nothing);
async fn what_cannot_be_read_or_does_not_fit_changes_nothing(on: On) {
    let (_gw, clinic) = start(on).await;
    let made = clinic.creates(&patient()).await;
    let at = path(&made);
    for (media, body, status, rule) in [
        (JSON, r#"{"op":"add"}"#, 400, "patch-malformed"),
        (JSON, r#"[{"op":"add","path":"gender","value":1},{"op":"fly","path":"/x"}]"#, 400, "patch-malformed"),
        (JSON, "[", 400, "malformed"),
        (JSON, "", 400, "malformed"),
        (MERGE, "[]", 400, "patch-malformed"),
        (MERGE, r#"{"active":true,"active":false}"#, 400, "malformed"),
        (FHIR, r#"{"resourceType":"Patient"}"#, 400, "patch-malformed"),
        (FHIR, r#"{"resourceType":"Parameters","parameter":[{"name":"operation"}]}"#, 400, "patch-malformed"),
        (FHIR, r#"{"resourceType":"Parameters","parameter":7}"#, 400, "patch-malformed"),
        ("text/plain", "[]", 415, "content-type"),
        ("application/fhir+xml", "<Parameters/>", 400, "namespace"),
        (JSON, r#"[{"op":"test","path":"/active","value":true}]"#, 422, "patch-test"),
        (JSON, r#"[{"op":"remove","path":"/gender"}]"#, 422, "patch-unfit"),
        (JSON, r#"[{"op":"add","path":"/gender","value":"f"}]"#, 422, "binding"),
        (JSON, r#"[{"op":"add","path":"/nonsense","value":"f"}]"#, 422, "unknown-element"),
        (JSON, r#"[{"op":"replace","path":"/id","value":"f"}]"#, 422, "identity"),
        (MERGE, r#"{"resourceType":"Group"}"#, 422, "identity"),
        (MERGE, r#"{"id":null}"#, 422, "identity"),
    ] {
        let refused = clinic.send(Method::PATCH, &at, &[("content-type", media)], Some(body.to_string())).await;
        assert_eq!(refused.status, status, "{body}: {}", refused.text);
        assert_eq!(refused.rules().first().map(String::as_str), Some(rule), "{body}: {}", refused.text);
        assert_eq!(refused.header("accept-patch").contains(JSON), status == 415, "{body}");
    }
    let none = clinic.send(Method::PATCH, &at, &[], None).await;
    assert_eq!(none.status, 415, "{}", none.text);
    assert_eq!(clinic.get(&at).await.is(200).body, made);
}

on_both!(a_bundle_carries_patches_as_binaries_and_parameters);
async fn a_bundle_carries_patches_as_binaries_and_parameters(on: On) {
    let (_gw, clinic) = start(on).await;
    let (one, two) = (clinic.creates(&patient()).await, clinic.creates(&patient()).await);
    // [{"op":"add","path":"/gender","value":"female"}]
    let data = "W3sib3AiOiJhZGQiLCJwYXRoIjoiL2dlbmRlciIsInZhbHVlIjoiZmVtYWxlIn1d";
    let binary = json!({"resourceType": "Binary", "contentType": JSON, "data": data});
    let replace = operation("replace", "Patient.name[0].family", vec![json!({"name": "value", "valueString": "New"})]);
    let entry = |resource: &Value, url: String, more: Value| {
        let mut request = json!({"method": "PATCH", "url": url});
        more.as_object().unwrap().iter().for_each(|(name, value)| request[name] = value.clone());
        json!({"resource": resource, "request": request})
    };
    let changes = parameters(vec![replace]);
    let bundle = |kind: &str, entries: Vec<Value>| json!({"resourceType": "Bundle", "type": kind, "entry": entries});
    for kind in ["transaction", "batch"] {
        let version = if kind == "transaction" { "W/\"1\"" } else { "W/\"2\"" };
        let entries =
            vec![entry(&binary, key(&one), json!({"ifMatch": version})), entry(&changes, key(&two), json!({}))];
        let done = clinic.post("/fhir", &bundle(kind, entries)).await.is(200).body;
        assert_eq!(done["entry"][0]["resource"]["gender"], "female", "{done}");
        assert_eq!(done["entry"][1]["resource"]["name"][0]["family"], "New");
    }
    for (bad, status) in [
        (entry(&binary, key(&one), json!({"ifMatch": "W/\"1\""})), 412),
        (entry(&patient(), key(&one), json!({})), 400),
        (entry(&json!({"resourceType": "Binary", "contentType": JSON, "data": "%"}), key(&one), json!({})), 400),
        (
            entry(&json!({"resourceType": "Binary", "contentType": "text/plain", "data": data}), key(&one), json!({})),
            400,
        ),
        (entry(&binary, "Patient/nobody".into(), json!({})), 404),
        (entry(&binary, "Patient".into(), json!({})), 400),
    ] {
        let refused = clinic
            .post("/fhir", &bundle("transaction", vec![entry(&changes, key(&two), json!({})), bad.clone()]))
            .await;
        assert_eq!(refused.status, status, "{bad}: {}", refused.text);
        assert!(refused.text.contains("Bundle.entry[1]"), "{bad}: {}", refused.text);
    }
    assert_eq!(clinic.get(&path(&two)).await.is(200).body["meta"]["versionId"], "3");
}

on_both!(a_patch_tells_nothing_of_what_its_sender_may_not_change);
async fn a_patch_tells_nothing_of_what_its_sender_may_not_change(on: On) {
    let (gw, clinic) = start(on).await;
    let sent = clinic.submits(&fixture("ana")).await;
    let county = gw.system("county-social-service").await;
    let at = format!("/fhir/{}", sent.key("Goal"));
    county.get(&at).await.is(200);
    let status = sent.one("Goal")["lifecycleStatus"].as_str().unwrap().to_string();
    let mut answers = Vec::new();
    for guess in [status.as_str(), "rejected"] {
        let patch = json!([{"op": "test", "path": "/lifecycleStatus", "value": guess}]).to_string();
        let answer = county.send(Method::PATCH, &at, &[("content-type", JSON)], Some(patch)).await.is(403);
        answers.push(answer.text);
    }
    assert_eq!(answers[0], answers[1], "a right guess and a wrong one look the same");
    let control = json!([{"op": "add", "path": "/description/text", "value": "a\u{1}b"}]).to_string();
    let refused = clinic.send(Method::PATCH, &at, &[("content-type", JSON)], Some(control)).await.is(422);
    assert!(refused.text.contains("control characters"), "{}", refused.text);
}
