//! The same exchange in XML: what is sent, found and refused says the same in either format.
//!
//! Formats are made above the database, so that one database will do.

use handoff::fhir::xml;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, On, TestGateway, fixture, patient, start};

const XML: &str = "application/fhir+xml";

fn xml_patient(family: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<Patient xmlns=\"http://hl7.org/fhir\">\n <extension url=\"http://x\"><valueDecimal value=\"1.50\"/>\
         </extension>\n <active value=\"true\"/>\n <name><family value=\"{family}\"/><given value=\"B&#10;b\"/></name>\n</Patient>"
    )
}

/// An answer in XML, as the JSON that it says.
#[track_caller]
fn said(gw: &TestGateway, answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), "application/fhir+xml; charset=utf-8", "{}", answer.text);
    xml::resource(answer.text.as_bytes(), &gw.ctx.profiles).unwrap().into_value()
}

async fn get_xml(actor: &Actor, path: &str) -> Answer {
    actor.send(Method::GET, path, &[("accept", XML)], None).await
}

#[tokio::test]
async fn a_resource_sent_as_xml_is_the_one_that_json_shows() {
    let (gw, clinic) = start(On::Sqlite).await;
    let headers = [("content-type", XML), ("accept", XML)];
    let made = clinic.send(Method::POST, "/fhir/Patient", &headers, Some(xml_patient("Sample"))).await.is(201);
    let answered = said(&gw, &made);
    let path = made.header("location").split("/fhir/").nth(1).unwrap().to_string();
    let path = format!("/fhir/{}", path.split("/_history").next().unwrap());
    assert_eq!(made.header("etag"), "W/\"1\"");
    assert!(!made.header("last-modified").is_empty());

    let json = clinic.get(&path).await.is(200);
    assert_eq!(json.header("content-type"), "application/fhir+json; charset=utf-8");
    assert!(json.text.contains(r#""extension":[{"url":"http://x","valueDecimal":1.50}]"#), "{}", json.text);
    assert_eq!(json.body["name"], json!([{"family": "Sample", "given": ["B\nb"]}]));
    assert_eq!(json.body["active"], true);
    let read = get_xml(&clinic, &path).await.is(200);
    assert_eq!(said(&gw, &read).to_string(), json.text);
    assert_eq!(answered.to_string(), json.text);
    assert_eq!(read.header("etag"), "W/\"1\"");
    assert_eq!(read.header("content-length"), read.text.len().to_string());
    let head = clinic.send(Method::HEAD, &path, &[("accept", XML)], None).await.is(200);
    assert_eq!(head.header("content-type"), "application/fhir+xml; charset=utf-8");
    assert_eq!(head.header("content-length"), read.text.len().to_string());
    assert_eq!(head.text, "");

    // What was read is sent back, changed.
    let changed = read.text.replace("<active value=\"true\"/>", "<active value=\"false\"/>");
    let headers = [("content-type", "text/xml"), ("accept", ""), ("if-match", "W/\"1\"")];
    let updated = clinic.send(Method::PUT, &path, &headers, Some(changed)).await.is(200);
    assert_eq!(said(&gw, &updated)["active"], false, "who says nothing is answered as it speaks");
    assert_eq!(updated.header("etag"), "W/\"2\"");
    let version = get_xml(&clinic, &format!("{path}/_history/1")).await.is(200);
    assert_eq!(said(&gw, &version)["active"], true);
    let history = get_xml(&clinic, &format!("{path}/_history")).await.is(200);
    assert_eq!(said(&gw, &history)["entry"].as_array().unwrap().len(), 2);
    let known = [("accept", XML), ("if-none-match", "W/\"2\"")];
    assert_eq!(clinic.send(Method::GET, &path, &known, None).await.is(304).text, "");
    let headers = [("content-type", XML), ("prefer", "return=minimal")];
    assert_eq!(clinic.send(Method::POST, "/fhir/Patient", &headers, Some(xml_patient("A"))).await.is(201).text, "");
    assert_eq!(clinic.send(Method::DELETE, &path, &[("accept", XML)], None).await.is(204).text, "");
    let gone = get_xml(&clinic, &path).await.is(410);
    assert_eq!(said(&gw, &gone)["resourceType"], "OperationOutcome");
}

#[tokio::test]
async fn a_search_and_a_transaction_are_answered_as_xml() {
    let (gw, clinic) = start(On::Sqlite).await;
    let text = xml::text(&fixture("ana"), &gw.ctx.profiles, xml::Layout::default()).unwrap();
    let headers = [("content-type", "application/fhir+xml; charset=utf-8"), ("accept", XML)];
    let done = clinic.send(Method::POST, "/fhir", &headers, Some(text)).await.is(200);
    let done = said(&gw, &done);
    assert_eq!(done["type"], "transaction-response");
    assert!(
        done["entry"].as_array().unwrap().iter().all(|entry| entry["response"]["status"] == "201 Created"),
        "{done}"
    );

    for kind in ["Patient", "Task", "Consent", "CarePlan", "ServiceRequest", "Condition", "Organization"] {
        let path = format!("/fhir/{kind}?_count=5&_total=accurate");
        let json = clinic.get(&path).await.is(200);
        let found = get_xml(&clinic, &path).await.is(200);
        assert_eq!(said(&gw, &found), json.body, "{kind}");
        assert!(!json.keys().is_empty(), "{kind}");
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let search = |body: &str| Some(body.to_string());
    let found = clinic.send(Method::POST, "/fhir/Patient/_search", &form, search("_format=xml&_count=1")).await.is(200);
    assert_eq!(said(&gw, &found)["type"], "searchset");
    clinic.send(Method::POST, "/fhir/Patient/_search", &form, search("_format=html")).await.is(406);
    let events = gw.compliance("river-clinic").await;
    gw.tick().await;
    let log = get_xml(&events, "/fhir/AuditEvent").await.is(200);
    assert!(!said(&gw, &log)["entry"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_xml_is_said_at_its_place_and_nothing_is_stored() {
    let (gw, clinic) = start(On::Sqlite).await;
    let wrong = "<Patient xmlns=\"http://hl7.org/fhir\">\n<shoeSize value=\"44\"/>\n<active value=\"yes\"/></Patient>";
    let entity = "<!DOCTYPE p [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><Patient xmlns=\"http://hl7.org/fhir\">\
        <name><family value=\"&a;\"/></name></Patient>";
    for (body, status, rules) in [
        (wrong, 400, vec!["unknown-element", "format"]),
        (entity, 400, vec!["malformed"]),
        ("", 400, vec!["malformed"]),
        ("{\"resourceType\":\"Patient\"}", 400, vec!["malformed"]),
        ("<Goal xmlns=\"http://hl7.org/fhir\"/>", 400, vec!["identity"]),
        ("<Nonsense xmlns=\"http://hl7.org/fhir\"/>", 400, vec!["kind-unsupported"]),
        ("<Patient xmlns=\"http://hl7.org/fhir\"><gender value=\"x\"/></Patient>", 422, vec!["binding"]),
    ] {
        let headers = [("content-type", XML), ("accept", XML)];
        let refused = clinic.send(Method::POST, "/fhir/Patient", &headers, Some(body.into())).await.is(status);
        let outcome = said(&gw, &refused);
        let found: Vec<&str> = outcome["issue"]
            .as_array()
            .unwrap()
            .iter()
            .map(|issue| issue["details"]["coding"][0]["code"].as_str().unwrap())
            .collect();
        assert_eq!(found, rules, "{body}");
    }
    let headers = [("content-type", XML), ("accept", "application/fhir+json")];
    let refused = clinic.send(Method::POST, "/fhir/Patient", &headers, Some(wrong.into())).await.is(400).body;
    assert_eq!(refused["issue"][1]["expression"], json!(["Patient.active"]));
    assert_eq!(refused["issue"][1]["location"], json!(["line 3, column 1"]));
    assert_eq!(clinic.get("/fhir/Patient?_summary=count").await.is(200).body["total"], 0);

    // Who calls is asked first; what it sent is not even read.
    let stranger = gw.stranger().send(Method::POST, "/fhir/Patient", &headers, Some(entity.into())).await.is(401);
    assert_eq!(stranger.rules().len(), 1);
    let denied = gw.stranger().send(Method::GET, "/fhir/Patient/1", &[("accept", XML)], None).await.is(401);
    assert_eq!(said(&gw, &denied)["resourceType"], "OperationOutcome");
    for path in ["/fhir/Patient/nobody", "/fhir/Nonsense", "/fhir/a/b/c/d/e"] {
        let unknown = get_xml(&clinic, path).await.is(404);
        assert_eq!(said(&gw, &unknown)["resourceType"], "OperationOutcome", "{path}");
    }
    // A message about what XML cannot say gets through all the same.
    let odd = get_xml(&clinic, "/fhir/Patient?a%01b=1").await;
    assert!(odd.status == 406 || said(&gw, &odd).is_object(), "{}", odd.text);
    let strict = [("accept", XML), ("prefer", "handling=strict")];
    let odd = clinic.send(Method::GET, "/fhir/Patient?a%01b=1", &strict, None).await.is(400);
    assert_eq!(said(&gw, &odd)["resourceType"], "OperationOutcome");
}

#[tokio::test]
async fn the_limit_on_a_body_holds_for_xml_and_for_what_it_becomes() {
    let gw = TestGateway::start_with(On::Sqlite, |config| config.server.body_max_bytes = 2_000).await;
    gw.enrol("river-clinic", handoff::partner::Kind::Clinic, None).await;
    let clinic = gw.system("river-clinic").await;
    let headers = [("content-type", XML), ("accept", "application/fhir+json")];
    let large = xml_patient(&"x".repeat(2_000));
    // Quotes are one byte between XML's other quotes, and two in JSON.
    let swollen = xml_patient("A").replace("value=\"A\"", &format!("value='{}'", "\"".repeat(1_200)));
    for body in [large, swollen] {
        let refused = clinic.send(Method::POST, "/fhir/Patient", &headers, Some(body)).await.is(413);
        assert_eq!(refused.rules(), ["body-too-large"]);
    }
    clinic.send(Method::POST, "/fhir/Patient", &headers, Some(xml_patient("A"))).await.is(201);
}

#[tokio::test]
async fn format_beats_accept_and_pretty_only_adds_lines() {
    let (gw, clinic) = start(On::Sqlite).await;
    let headers = [("content-type", XML), ("accept", XML)];
    let made = clinic.send(Method::POST, "/fhir/Patient", &headers, Some(xml_patient("A"))).await.is(201);
    let path = format!("/fhir/Patient/{}", said(&gw, &made)["id"].as_str().unwrap());
    for (query, accept, is_xml) in [
        ("", "*/*", false),
        ("", "application/fhir+json, application/fhir+xml;q=0.9", false),
        ("", "application/fhir+json;q=0.8, text/xml;q=0.9", true),
        ("?_format=", XML, true),
        ("?_format=json", XML, false),
        ("?_format=application/fhir%2Bxml", "application/fhir+json", true),
        ("?_format=application/fhir+xml", "text/html", true),
        ("?_format=text/xml", "*/*", true),
        ("?_format=xml&_pretty=true", "*/*", true),
    ] {
        let answer = clinic.send(Method::GET, &format!("{path}{query}"), &[("accept", accept)], None).await.is(200);
        assert_eq!(answer.text.starts_with("<?xml"), is_xml, "{query} {accept}: {}", answer.text);
        assert_eq!(answer.header("content-length"), answer.text.len().to_string());
    }
    for (query, accept) in [("?_format=html", "*/*"), ("?_format=ttl", XML), ("", "text/html"), ("", "image/svg+xml")] {
        let refused = clinic.send(Method::GET, &format!("{path}{query}"), &[("accept", accept)], None).await.is(406);
        assert_eq!(refused.body["resourceType"], "OperationOutcome", "{query} {accept}: {}", refused.text);
        let headers = [("accept", accept)];
        let body = Some(patient().to_string());
        clinic.send(Method::POST, &format!("/fhir/Patient{query}"), &headers, body).await.is(406);
    }
    assert_eq!(clinic.get("/fhir/Patient?_summary=count").await.is(200).body["total"], 1, "and nothing was stored");

    let plain = clinic.get(&path).await.is(200);
    let pretty = clinic.get(&format!("{path}?_pretty=true")).await.is(200);
    assert_eq!(pretty.body, plain.body);
    assert!(pretty.text.contains("\n  \"id\": ") && pretty.text.contains("1.50"), "{}", pretty.text);
    assert_eq!(clinic.get(&format!("{path}?_pretty=false")).await.is(200).text, plain.text);
    let pretty = clinic.get(&format!("{path}?_pretty=true&_format=xml")).await.is(200);
    assert!(pretty.text.contains("\n  <active value=\"true\"/>\n"), "{}", pretty.text);
    assert_eq!(said(&gw, &pretty), plain.body);
}

#[tokio::test]
async fn what_needs_no_token_knows_the_formats_too() {
    let (gw, _clinic) = start(On::Sqlite).await;
    let stranger = gw.stranger();
    let statement = get_xml(&stranger, "/fhir/metadata").await.is(200);
    assert_eq!(said(&gw, &statement), stranger.get("/fhir/metadata").await.is(200).body);
    let smart = get_xml(&stranger, "/fhir/.well-known/smart-configuration").await.is(200);
    assert!(smart.body["token_endpoint"].is_string(), "is no FHIR: {}", smart.text);
    let keys = get_xml(&stranger, "/auth/jwks").await.is(200);
    assert!(keys.body["keys"].is_array());
}

#[tokio::test]
async fn what_xml_cannot_say_is_406_to_a_reader_and_stored_for_a_writer() {
    let (gw, clinic) = start(On::Sqlite).await;
    let mut odd = patient();
    odd["text"] = json!({"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a</div>"});
    let body = Some(odd.to_string());
    let made = clinic.send(Method::POST, "/fhir/Patient", &[("accept", XML)], body).await.is(201);
    assert_eq!(made.body["resourceType"], "Patient", "what was done is told as it can be");
    let path = format!("/fhir/Patient/{}", made.body["id"].as_str().unwrap());
    let refused = get_xml(&clinic, &path).await.is(406);
    let outcome = said(&gw, &refused);
    assert_eq!(outcome["issue"][0]["expression"], json!(["Patient.text.div"]));
    let refused = get_xml(&clinic, "/fhir/Patient").await.is(406);
    assert_eq!(said(&gw, &refused)["issue"][0]["expression"], json!(["Bundle.entry[0].resource.text.div"]));
    clinic.get(&path).await.is(200);
}
