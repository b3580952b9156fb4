//! Terminology over HTTP: what is bundled can be listed, checked and looked up, and what is not is said.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{On, start};
use crate::on_both;

const V3_ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const VER_STATUS: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
const STATUSES: &str = "http://hl7.org/fhir/ValueSet/observation-status";

fn parameter<'v>(answer: &'v Value, name: &str) -> Option<&'v Value> {
    let found = answer["parameter"].as_array()?.iter().find(|it| it["name"] == name)?;
    found.as_object()?.iter().find(|(key, _)| key.starts_with("value")).map(|(_, value)| value)
}

fn codes(answer: &Value) -> Vec<&str> {
    let contains = answer["expansion"]["contains"].as_array().map_or(&[][..], Vec::as_slice);
    contains.iter().map(|it| it["code"].as_str().unwrap()).collect()
}

fn asked(parameters: Value) -> Value {
    json!({"resourceType": "Parameters", "parameter": parameters})
}

on_both!(a_value_set_is_listed_filtered_and_paged);
async fn a_value_set_is_listed_filtered_and_paged(on: On) {
    let (_gw, clinic) = start(on).await;
    let expand = |more: &str| format!("/fhir/ValueSet/$expand?url={STATUSES}{more}");
    let all = clinic.get(&expand("")).await.is(200).body;
    assert_eq!((&all["resourceType"], &all["expansion"]["total"]), (&json!("ValueSet"), &json!(8)));
    assert_eq!(all["expansion"]["contains"][0]["display"], "Amended");
    assert!(all["expansion"]["extension"].is_null());
    for (more, total, expected) in [
        ("&filter=enter%20err", 1, &["entered-in-error"][..]),
        ("&filter=FINAL", 1, &["final"]),
        ("&filter=nonsense", 0, &[]),
        ("&offset=1&count=2", 8, &["cancelled", "corrected"]),
        ("&count=0", 8, &[]),
        ("&offset=99", 8, &[]),
    ] {
        let found = clinic.get(&expand(more)).await.is(200).body;
        assert_eq!((&found["expansion"]["total"], codes(&found)), (&json!(total), expected.to_vec()), "{more}");
    }
    // By POST, with Parameters.
    let body = asked(json!([{"name": "url", "valueUri": STATUSES}, {"name": "filter", "valueString": "final"}]));
    let found = clinic.post("/fhir/ValueSet/$expand", &body).await.is(200).body;
    assert_eq!(codes(&found), ["final"]);
}

on_both!(a_value_set_that_comes_along_is_expanded_and_what_cannot_be_listed_is_said);
async fn a_value_set_that_comes_along_is_expanded_and_what_cannot_be_listed_is_said(on: On) {
    let (_gw, clinic) = start(on).await;
    let expand = async |include: Value| {
        let set = json!({"resourceType": "ValueSet", "status": "active", "compose": {"include": include}});
        clinic.post("/fhir/ValueSet/$expand", &asked(json!([{"name": "valueSet", "resource": set}]))).await
    };
    let below =
        json!({"system": VER_STATUS, "filter": [{"property": "concept", "op": "is-a", "value": "unconfirmed"}]});
    let found = expand(json!([below])).await.is(200).body;
    assert_eq!(codes(&found), ["differential", "provisional", "unconfirmed"]);
    assert_eq!(found["expansion"]["parameter"][0]["name"], "used-codesystem");
    // Of SNOMED CT by hierarchy nothing can be listed here: with the rest the expansion is marked, alone it is refused.
    let disorders = json!({"system": "http://snomed.info/sct",
        "filter": [{"property": "concept", "op": "is-a", "value": "64572001"}]});
    let part = expand(json!([below, disorders])).await.is(200).body;
    assert_eq!(part["expansion"]["extension"][0]["valueBoolean"], true);
    assert!(
        part["expansion"]["parameter"]
            .as_array()
            .unwrap()
            .contains(&json!({"name": "not-listed", "valueUri": "http://snomed.info/sct"}))
    );
    let refused = expand(json!([disorders])).await.is(422);
    assert_eq!(refused.body["issue"][0]["code"], "too-costly");
    assert!(refused.text.contains("http://snomed.info/sct"), "{}", refused.text);
    let many: Vec<Value> = (0..101).map(|_| below.clone()).collect();
    assert_eq!(expand(json!(many)).await.is(422).body["issue"][0]["code"], "too-costly");
    let unknown = clinic.get("/fhir/ValueSet/$expand?url=http://nowhere.example/set").await.is(404);
    assert!(unknown.text.contains("http://nowhere.example/set"), "{}", unknown.text);
    assert_eq!(unknown.body["issue"][0]["code"], "not-found");
}

on_both!(a_code_is_checked_against_a_set_and_a_system);
async fn a_code_is_checked_against_a_set_and_a_system(on: On) {
    let (_gw, clinic) = start(on).await;
    let status = "http://hl7.org/fhir/observation-status";
    for (path, is_good) in [
        (format!("ValueSet/$validate-code?url={STATUSES}&system={status}&code=final"), true),
        (format!("ValueSet/$validate-code?url={STATUSES}&system={status}&code=final&display=final"), true),
        (format!("ValueSet/$validate-code?url={STATUSES}&system={status}&code=final&display=Ended"), false),
        (format!("ValueSet/$validate-code?url={STATUSES}&system={status}&code=finl"), false),
        (format!("ValueSet/$validate-code?url={STATUSES}&system={V3_ACT}&code=AMB"), false),
        (format!("ValueSet/$validate-code?url={STATUSES}&code=final&inferSystem=true"), true),
        (format!("ValueSet/$validate-code?url={STATUSES}&coding={status}%7Cfinal"), true),
        (format!("CodeSystem/$validate-code?url={V3_ACT}&code=AMB&display=ambulatory"), true),
        (format!("CodeSystem/$validate-code?url={V3_ACT}&code=AMBB"), false),
        ("CodeSystem/$validate-code?url=urn:ietf:bcp:47&code=en-US".to_string(), true),
        ("CodeSystem/$validate-code?url=urn:ietf:bcp:47&code=en_US".to_string(), false),
    ] {
        let found = clinic.get(&format!("/fhir/{path}")).await.is(200).body;
        assert_eq!(parameter(&found, "result"), Some(&json!(is_good)), "{path}: {found}");
        assert_eq!(parameter(&found, "message").is_some(), !is_good, "{path}: {found}");
    }
    let wrong = clinic.get(&format!("/fhir/ValueSet/$validate-code?url={STATUSES}&system={status}&code=finl")).await;
    assert!(parameter(&wrong.body, "message").unwrap().as_str().unwrap().contains("`final`"), "{}", wrong.text);
    // One good coding of a concept is enough, and its name comes back.
    let concept = json!({"coding": [{"system": V3_ACT, "code": "AMB"}, {"system": status, "code": "final"}]});
    let body = asked(
        json!([{"name": "url", "valueUri": STATUSES}, {"name": "codeableConcept", "valueCodeableConcept": concept}]),
    );
    let found = clinic.post("/fhir/ValueSet/$validate-code", &body).await.is(200).body;
    assert_eq!(
        (parameter(&found, "result"), parameter(&found, "display")),
        (Some(&json!(true)), Some(&json!("Final")))
    );
    // What nobody here can tell is no `false`.
    let unlisted = "http://hl7.org/fhir/us/core/ValueSet/us-core-condition-code";
    let path = format!("/fhir/ValueSet/$validate-code?url={unlisted}&system=http://snomed.info/sct&code=73211009");
    clinic.get(&path).await.is(422);
    clinic.get("/fhir/CodeSystem/$validate-code?url=http://snomed.info/sct&code=73211009").await.is(404);
}

on_both!(a_code_is_looked_up_and_put_above_or_below_another);
async fn a_code_is_looked_up_and_put_above_or_below_another(on: On) {
    let (_gw, clinic) = start(on).await;
    let found =
        clinic.get(&format!("/fhir/CodeSystem/$lookup?system={VER_STATUS}&code=provisional")).await.is(200).body;
    assert_eq!(parameter(&found, "display"), Some(&json!("Provisional")));
    let property = |name: &str| {
        let all = found["parameter"].as_array().unwrap().iter().filter(|it| it["name"] == "property");
        all.filter(|it| it["part"][0]["valueCode"] == name).map(|it| it["part"][1].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(property("parent"), [json!({"name": "value", "valueCode": "unconfirmed"})]);
    assert_eq!(property("inactive"), [json!({"name": "value", "valueBoolean": false})]);
    let one = clinic.get(&format!("/fhir/CodeSystem/$lookup?coding={VER_STATUS}%7Cprovisional&property=child")).await;
    assert!(!one.is(200).text.contains("\"property\""));
    let unknown = clinic.get(&format!("/fhir/CodeSystem/$lookup?system={VER_STATUS}&code=provisonal")).await.is(404);
    assert!(unknown.text.contains("`provisional`"), "{}", unknown.text);
    for (left, right, outcome) in [
        ("provisional", "provisional", "equivalent"),
        ("unconfirmed", "provisional", "subsumes"),
        ("provisional", "unconfirmed", "subsumed-by"),
        ("provisional", "confirmed", "not-subsumed"),
    ] {
        let path = format!("/fhir/CodeSystem/$subsumes?system={VER_STATUS}&codeA={left}&codeB={right}");
        let found = clinic.get(&path).await.is(200).body;
        assert_eq!(parameter(&found, "outcome"), Some(&json!(outcome)), "{left} {right}");
    }
    let coding = |code: &str| json!({"system": VER_STATUS, "code": code});
    let body = asked(json!([{"name": "codingA", "valueCoding": coding("unconfirmed")},
        {"name": "codingB", "valueCoding": coding("differential")}]));
    let found = clinic.post("/fhir/CodeSystem/$subsumes", &body).await.is(200).body;
    assert_eq!(parameter(&found, "outcome"), Some(&json!("subsumes")));
}

on_both!(a_question_that_cannot_be_read_is_refused_with_every_problem);
async fn a_question_that_cannot_be_read_is_refused_with_every_problem(on: On) {
    let (gw, clinic) = start(on).await;
    for (path, rules) in [
        ("ValueSet/$expand", &["parameter-value"][..]),
        ("ValueSet/$expand?url=x&nonsense=1&count=many", &["parameter-unknown", "parameter-value"]),
        ("ValueSet/$validate-code?url=x", &["parameter-value"]),
        ("CodeSystem/$validate-code?code=x", &["parameter-value"]),
        ("CodeSystem/$lookup", &["parameter-value", "parameter-value"]),
        ("CodeSystem/$subsumes?codingA=x%7Ca&codingB=y%7Cb", &["parameter-value"]),
    ] {
        let refused = clinic.get(&format!("/fhir/{path}")).await.is(400);
        assert_eq!(refused.rules(), rules, "{path}");
    }
    for path in ["Patient/$expand", "Patient/$validate-code", "ValueSet/$lookup", "ValueSet/$subsumes"] {
        clinic.get(&format!("/fhir/{path}")).await.is(405);
    }
    // Asking needs a token, and nobody stores a ValueSet.
    gw.stranger().get(&format!("/fhir/ValueSet/$expand?url={STATUSES}")).await.is(401);
    assert!(
        clinic.post("/fhir/ValueSet", &json!({"resourceType": "ValueSet", "status": "active"})).await.status >= 400
    );
    clinic.get("/fhir/ValueSet/none").await.is(404);
}

on_both!(terminology_is_answered_in_xml_and_every_question_is_in_the_log);
async fn terminology_is_answered_in_xml_and_every_question_is_in_the_log(on: On) {
    let (gw, clinic) = start(on).await;
    let xml = [("accept", "application/fhir+xml"), ("content-type", "application/fhir+xml")];
    let path = format!("/fhir/ValueSet/$expand?url={STATUSES}&count=1");
    let found = clinic.send(Method::GET, &path, &xml[..1], None).await.is(200);
    assert!(found.text.contains("<ValueSet") && found.text.contains("<code value=\"amended\"/>"), "{}", found.text);
    let sent = format!(
        "<Parameters xmlns=\"http://hl7.org/fhir\"><parameter><name value=\"valueSet\"/><resource><ValueSet>\
         <status value=\"active\"/><compose><include><system value=\"{VER_STATUS}\"/><concept><code value=\"refuted\"/>\
         </concept></include></compose></ValueSet></resource></parameter></Parameters>"
    );
    let found = clinic.send(Method::POST, "/fhir/ValueSet/$expand", &xml, Some(sent)).await.is(200);
    assert!(found.text.contains("<display value=\"Refuted\"/>"), "{}", found.text);
    let statement = gw.stranger().send(Method::GET, "/fhir/metadata?mode=terminology", &xml[..1], None).await.is(200);
    assert!(statement.text.contains("<TerminologyCapabilities"), "{}", &statement.text[..200]);
    let log = gw.compliance("river-clinic").await.get("/fhir/AuditEvent?_count=50").await.is(200);
    assert_eq!(log.text.matches("\"expand\"").count(), 2, "{}", log.text);
}

on_both!(what_is_wrong_with_a_code_is_told_to_its_writer);
async fn what_is_wrong_with_a_code_is_told_to_its_writer(on: On) {
    let (_gw, clinic) = start(on).await;
    let encounter = |class: &str| json!({"resourceType": "Encounter", "status": "planned", "class": {"system": V3_ACT, "code": class}});
    let refused = clinic.post("/fhir/Encounter/$validate", &encounter("AMBB")).await.is(200);
    assert!(refused.rules().contains(&"code-unknown".to_string()), "{}", refused.text);
    clinic.post("/fhir/Encounter", &encounter("AMBB")).await.is(422);
    let told = clinic.post("/fhir/Encounter/$validate", &encounter("AMB")).await.is(200);
    assert!(!told.rules().contains(&"code-unknown".to_string()), "{}", told.text);
}
