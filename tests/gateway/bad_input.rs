//! What cannot be read or breaks a rule is refused in words, leaves nothing behind and harms nobody else.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, On, TestGateway, key, patient, start};
use crate::on_both;

fn goal(subject: &str) -> Value {
    json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "A home"},
        "subject": {"reference": subject}})
}

/// How many resources of a type the clinic sees: the server still answers, and nothing was stored beside these.
async fn count(clinic: &Actor, kind: &str) -> i64 {
    clinic.get(&format!("/fhir/{kind}?_summary=count")).await.is(200).body["total"].as_i64().unwrap()
}

impl Answer {
    /// An OperationOutcome whose first issue has this rule, and says something.
    #[track_caller]
    fn refuses(self, status: u16, rule: &str) -> Answer {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.body["resourceType"], "OperationOutcome", "{}", self.text);
        assert_eq!(self.rules().first().map(String::as_str), Some(rule), "{}", self.text);
        let issues = self.body["issue"].as_array().unwrap();
        assert!(issues.iter().all(|issue| issue["details"]["text"].as_str().is_some_and(|text| !text.is_empty())));
        self
    }

    fn expressions(&self) -> Vec<&str> {
        let issues = self.body["issue"].as_array().map_or(&[][..], Vec::as_slice);
        issues.iter().map(|issue| issue["expression"][0].as_str().unwrap_or("")).collect()
    }
}

on_both!(what_is_not_well_formed_is_refused_and_nothing_is_stored);
async fn what_is_not_well_formed_is_refused_and_nothing_is_stored(on: On) {
    let (_gw, clinic) = start(on).await;
    let deep = format!(
        r#"{{"resourceType":"Patient","extension":{}{{"url":"x"}}{}}}"#,
        r#"[{"url":"x","extension":"#.repeat(100),
        "}]".repeat(100)
    );
    for (body, status, rule) in [
        ("", 400, "malformed"),
        ("   ", 400, "malformed"),
        ("hello", 400, "malformed"),
        (r#"{"resourceType":"Patient""#, 400, "malformed"),
        (r#"{"resourceType":"Patient"} {}"#, 400, "malformed"),
        (r#"["Patient"]"#, 400, "malformed"),
        (r#"{"active":true}"#, 400, "malformed"),
        (r#"{"resourceType":7}"#, 400, "malformed"),
        (r#"{"resourceType":"Patient","active":true,"active":false}"#, 400, "malformed"),
        (r#"{"resourceType":"Patient","name":[{"family":"a\u0000b"}]}"#, 400, "malformed"),
        (r#"{"resourceType":"Patient","name":[{"family":"\ud800"}]}"#, 400, "malformed"),
        (r#"{"resourceType":"Goal"}"#, 400, "identity"),
        (deep.as_str(), 400, "malformed"),
    ] {
        let sent = clinic.send(Method::POST, "/fhir/Patient", &[], Some(body.to_string())).await;
        assert_eq!(sent.status, status, "{body:.80}: {}", sent.text);
        sent.refuses(status, rule);
        assert_eq!(count(&clinic, "Patient").await, 0, "{body:.80}");
    }
    let latin = "{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"\u{e9}\"}]}".replace('\u{e9}', "e\u{301}");
    clinic.send(Method::POST, "/fhir/Patient", &[], Some(latin)).await.is(201);
    assert_eq!(count(&clinic, "Patient").await, 1, "a good one goes in");
}

on_both!(a_number_out_of_range_is_refused_at_its_element);
async fn a_number_out_of_range_is_refused_at_its_element(on: On) {
    let (_gw, clinic) = start(on).await;
    for number in ["99999999999", "1e400", "1.5", "-99999999999", "9223372036854775808"] {
        let body = format!(r#"{{"resourceType":"Patient","multipleBirthInteger":{number}}}"#);
        let refused = clinic.send(Method::POST, "/fhir/Patient", &[], Some(body)).await.is(422);
        assert!(refused.expressions()[0].starts_with("Patient.multipleBirth"), "{number}: {}", refused.text);
    }
    assert_eq!(count(&clinic, "Patient").await, 0);
    let body = r#"{"resourceType":"Patient","multipleBirthInteger":2}"#.to_string();
    clinic.send(Method::POST, "/fhir/Patient", &[], Some(body)).await.is(201);
}

on_both!(a_decimal_beyond_every_float_breaks_nothing);
async fn a_decimal_beyond_every_float_breaks_nothing(on: On) {
    let (_gw, clinic) = start(on).await;
    let subject = key(&clinic.creates(&patient()).await);
    let body = format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"subject":{{"reference":"{subject}"}},
        "valueQuantity":{{"value":1e400,"code":"mg"}}}}"#
    );
    let sent = clinic.send(Method::POST, "/fhir/Observation", &[], Some(body)).await;
    assert!(matches!(sent.status, 201 | 422), "{}", sent.text);
    clinic.get("/fhir/Observation?value-quantity=gt5").await.is(200);
    clinic.get("/fhir/Observation?value-quantity=1e400").await.refuses(400, "parameter-value");
}

on_both!(a_body_over_the_limit_is_refused);
async fn a_body_over_the_limit_is_refused(on: On) {
    let gw = TestGateway::start_with(on, |config| config.server.body_max_bytes = 2_000).await;
    gw.enrol("river-clinic", handoff::partner::Kind::Clinic, None).await;
    let clinic = gw.system("river-clinic").await;
    let mut large = patient();
    large["name"][0]["family"] = json!("x".repeat(2_000));
    clinic.post("/fhir/Patient", &large).await.refuses(413, "body-too-large");
    clinic.post("/fhir", &large).await.refuses(413, "body-too-large");
    clinic.put("/fhir/Patient/1", &large).await.refuses(413, "body-too-large");
    let form = format!("name={}", "x".repeat(2_000));
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    clinic.send(Method::POST, "/fhir/Patient/_search", &headers, Some(form)).await.refuses(413, "body-too-large");
    assert_eq!(count(&clinic, "Patient").await, 0);
    clinic.creates(&patient()).await;
}

// A client that sends all of it before it listens must get the answer too, not a broken connection.
on_both!(sixty_megabytes_are_refused_with_an_answer);
async fn sixty_megabytes_are_refused_with_an_answer(on: On) {
    let (_gw, clinic) = start(on).await;
    let mut large = patient();
    large["name"][0]["family"] = json!("x".repeat(60 << 20));
    clinic.post("/fhir/Patient", &large).await.refuses(413, "body-too-large");
    assert_eq!(count(&clinic, "Patient").await, 0);
}

on_both!(an_address_that_names_nothing_is_404_in_words);
async fn an_address_that_names_nothing_is_404_in_words(on: On) {
    let (_gw, clinic) = start(on).await;
    let long = format!("/fhir/Patient/{}", "a".repeat(65));
    for (path, rule) in [
        ("/fhir/Nonsense", "not-supported"),
        ("/fhir/Nonsense/1", "not-supported"),
        ("/fhir/Nonsense/1/_history", "not-supported"),
        ("/fhir/patient/1", "not-supported"),
        ("/fhir/Patient/nobody", "not-found"),
        ("/fhir/Patient/nobody/_history", "not-found"),
        ("/fhir/Patient/nobody/_history/1", "not-found"),
        ("/fhir/Patient/nobody/_history/x", "not-found"),
        ("/fhir/Patient/a%2Fb", "not-found"),
        ("/fhir/Patient/a%20b", "not-found"),
        ("/fhir/Patient/a'b", "not-found"),
        ("/fhir/Patient/%00", "not-found"),
        ("/fhir/Patient/%F0%9F%8F%A0", "not-found"),
        (long.as_str(), "not-found"),
        ("/fhir/Patient/a/b", "not-supported"),
        ("/fhir/Goal/a/CarePlan", "no-compartment"),
        ("/fhir/Patient/a/b/c", "no-such-address"),
        ("/elsewhere", "no-such-address"),
    ] {
        let answer = clinic.get(path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
        answer.refuses(404, rule);
    }
    clinic.post("/fhir/Nonsense", &json!({"resourceType": "Nonsense"})).await.refuses(404, "not-supported");
    let answer = clinic.get("/fhir/Patient/%FF").await;
    assert!(matches!(answer.status, 400 | 404), "{}", answer.text);
    assert_eq!(answer.body["resourceType"], "OperationOutcome", "{}", answer.text);
    for (method, path) in [(Method::PATCH, "/fhir/Patient"), (Method::DELETE, "/fhir/Patient")] {
        clinic.send(method, path, &[], None).await.refuses(405, "no-such-interaction");
    }
}

on_both!(a_nul_in_the_address_or_a_parameter_is_no_fault);
async fn a_nul_in_the_address_or_a_parameter_is_no_fault(on: On) {
    let (_gw, clinic) = start(on).await;
    for path in ["/fhir/Patient/a%00b", "/fhir/Patient/a%00b/_history/1", "/fhir/Patient/a%00b/_history"] {
        clinic.get(path).await.refuses(404, "not-found");
    }
    for query in ["name=a%00", "identifier=a%00", "identifier=x%00|y", "organization=a%00b", "link=x%00", "patient=%00"]
    {
        let answer = clinic.get(&format!("/fhir/Patient?{query}")).await;
        assert!(matches!(answer.status, 200 | 400), "{query}: {}", answer.text);
    }
    clinic.delete("/fhir/Patient/a%00b").await.refuses(404, "not-found");
}

on_both!(a_reference_to_the_hidden_and_to_the_absent_is_refused_alike);
async fn a_reference_to_the_hidden_and_to_the_absent_is_refused_alike(on: On) {
    let (gw, clinic) = start(on).await;
    let stranger = gw.system("corner-food-bank").await;
    let hidden = key(&clinic.creates(&patient()).await);
    let absent = format!("{}0", &hidden[..hidden.len() - 1]).replace("Patient/0", "Patient/f");
    let refused = stranger.post("/fhir/Goal", &goal(&hidden)).await.refuses(422, "reference-unresolved");
    assert_eq!(refused.expressions(), ["Goal.subject"]);
    let nothing = stranger.post("/fhir/Goal", &goal(&absent)).await.refuses(422, "reference-unresolved");
    assert_eq!(refused.text, nothing.text, "the same words");
    stranger.post("/fhir/Goal", &goal("urn:uuid:6c2b1f0e-0000-4000-8000-000000000001")).await.is(422);
    assert_eq!(count(&stranger, "Goal").await, 0);
    clinic.creates(&goal(&hidden)).await;
}

on_both!(a_write_to_another_place_or_version_is_refused);
async fn a_write_to_another_place_or_version_is_refused(on: On) {
    let (_gw, clinic) = start(on).await;
    let stored = clinic.creates(&patient()).await;
    let path = format!("/fhir/{}", key(&stored));
    let mut other = stored.clone();
    other["id"] = json!("another");
    clinic.put(&path, &other).await.refuses(400, "identity");
    other.as_object_mut().unwrap().remove("id");
    clinic.put(&path, &other).await.refuses(400, "identity");
    let id = stored["id"].as_str().unwrap();
    let goal = json!({"resourceType": "Goal", "id": id});
    clinic.put(&path, &goal).await.refuses(400, "identity");

    for tag in ["W/\"7\"", "\"7\"", "7", "banana", ""] {
        let sent = clinic.send(Method::PUT, &path, &[("if-match", tag)], Some(stored.to_string())).await;
        sent.refuses(412, "stale");
        clinic.send(Method::DELETE, &path, &[("if-match", tag)], None).await.refuses(412, "stale");
    }
    assert_eq!(clinic.get(&path).await.is(200).body["meta"]["versionId"], "1");
    for tag in ["W/\"1\"", "\"2\"", "3"] {
        clinic.send(Method::PUT, &path, &[("if-match", tag)], Some(stored.to_string())).await.is(200);
    }
}

on_both!(a_body_in_another_format_is_refused);
async fn a_body_in_another_format_is_refused(on: On) {
    let (_gw, clinic) = start(on).await;
    for kind in
        ["text/plain", "application/fhir+xml; charset=latin1", "text/turtle", "application/x-www-form-urlencoded"]
    {
        let headers = [("content-type", kind)];
        let body = Some(patient().to_string());
        clinic.send(Method::POST, "/fhir/Patient", &headers, body.clone()).await.refuses(415, "content-type");
        clinic.send(Method::POST, "/fhir", &headers, body).await.refuses(415, "content-type");
    }
    for kind in ["application/xml", "text/xml", "application/fhir+xml"] {
        let headers = [("content-type", kind), ("accept", "*/*")];
        let body = Some(patient().to_string());
        clinic.send(Method::POST, "/fhir/Patient", &headers, body).await.refuses(400, "malformed");
    }
    assert_eq!(count(&clinic, "Patient").await, 0);
    for kind in ["application/json", "application/fhir+json; charset=UTF-8; fhirVersion=4.0"] {
        clinic
            .send(Method::POST, "/fhir/Patient", &[("content-type", kind)], Some(patient().to_string()))
            .await
            .is(201);
    }
}

on_both!(all_problems_of_a_resource_are_told_at_once_in_its_order);
async fn all_problems_of_a_resource_are_told_at_once_in_its_order(on: On) {
    let (_gw, clinic) = start(on).await;
    let body = json!({"resourceType": "Patient", "active": "yes", "name": [{"use": "nickname!", "family": 7}],
        "gender": "f", "birthDate": "1991-02-30", "shoeSize": 44, "contact": [{"gender": "x"}]});
    let refused = clinic.post("/fhir/Patient", &body).await.is(422);
    let places = refused.expressions();
    let expected = [
        "Patient.active",
        "Patient.name[0].use",
        "Patient.name[0].family",
        "Patient.gender",
        "Patient.birthDate",
        "Patient.shoeSize",
        "Patient.contact[0]",
    ];
    let mut last = 0;
    for place in expected {
        let at = places.iter().position(|found| found.starts_with(place));
        let at = at.unwrap_or_else(|| panic!("{place} is not named: {places:?}"));
        assert!(at >= last, "{place} is out of order: {places:?}");
        last = at;
    }
    assert!(!refused.text.contains("1991"), "quotes no patient's data: {}", refused.text);
    assert_eq!(count(&clinic, "Patient").await, 0);
}

on_both!(what_would_be_passed_over_in_silence_is_refused);
async fn what_would_be_passed_over_in_silence_is_refused(on: On) {
    let (_gw, clinic) = start(on).await;
    let made = clinic.creates(&json!({"resourceType": "Patient", "active": true})).await;
    let at = format!("/fhir/Patient/{}", made["id"].as_str().unwrap());
    for headers in [
        vec![("if-match", "W/\"1\""), ("if-match", "W/\"9\"")],
        vec![("x-purpose-of-use", "TREAT"), ("x-purpose-of-use", "NOPE")],
        vec![("if-match", "W/\"\u{e9}\"")],
    ] {
        let client = reqwest::Client::new();
        let mut asked = client.put(format!("{}{at}", clinic.base())).body(made.to_string());
        for (name, value) in headers {
            asked = asked.header(name, value);
        }
        // Without its token: what cannot be read is refused before anybody is asked who it is.
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 400);
    }
    let packed = clinic.send(Method::PUT, &at, &[("content-encoding", "gzip")], Some(made.to_string())).await;
    assert_eq!(packed.is(415).rules(), ["content-encoding"]);
    let json = [("content-type", "application/json")];
    let form = clinic.send(Method::POST, "/fhir/Patient/_search", &json, Some("{\"name\":\"x\"}".into())).await;
    assert_eq!(form.is(415).rules(), ["content-type"]);
    for version in ["+1", "01", "1.0"] {
        clinic.get(&format!("{at}/_history/{version}")).await.is(404);
    }
    let many = (0..64).map(|at| format!("c{at}")).collect::<Vec<String>>().join(",");
    let query = vec![format!("code={many}"); 16].join("&");
    assert_eq!(clinic.get(&format!("/fhir/Observation?{query}")).await.is(400).rules(), ["query-too-long"]);
    clinic.get(&format!("/fhir/Patient?_profile:above=http://x/{}", "a/".repeat(2_000))).await.is(200);
}
