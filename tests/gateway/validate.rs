//! What a developer is told about a resource: every problem, at its element, in the line that was sent.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{On, start};
use crate::on_both;

on_both!(issues_name_the_line_and_column_of_what_was_sent);
async fn issues_name_the_line_and_column_of_what_was_sent(on: On) {
    let (_gw, clinic) = start(on).await;
    let sent = "{\"resourceType\": \"Patient\",\n  \"gender\": \"women\",\n  \"name\": [\n    {\"family\": 7}\n  ]}";
    for path in ["/fhir/Patient", "/fhir/Patient/$validate"] {
        let answer = clinic.send(Method::POST, path, &[], Some(sent.to_string())).await;
        let told = |at: usize| {
            let issue = &answer.body["issue"][at];
            format!("{} {}", issue["expression"][0].as_str().unwrap(), issue["location"][0].as_str().unwrap())
        };
        assert_eq!(told(0), "Patient.gender line 2, column 13", "{}", answer.text);
        assert_eq!(told(1), "Patient.name[0].family line 4, column 16", "{}", answer.text);
    }
    let bundle = format!(
        "{{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{{\n\"resource\":{sent},\n\
        \"request\":{{\"method\":\"POST\",\"url\":\"Patient\"}}}}]}}"
    );
    let answer = clinic.send(Method::POST, "/fhir", &[], Some(bundle)).await.is(422);
    assert_eq!(answer.body["issue"][0]["location"][0], "line 3, column 13", "{}", answer.text);
}

on_both!(a_line_is_named_only_where_the_text_is_known);
async fn a_line_is_named_only_where_the_text_is_known(on: On) {
    let (_gw, clinic) = start(on).await;
    let xml = "<Patient xmlns=\"http://hl7.org/fhir\">\n<gender value=\"women\"/></Patient>";
    let headers = [("content-type", "application/fhir+xml"), ("accept", "application/fhir+json")];
    let answer = clinic.send(Method::POST, "/fhir/Patient", &headers, Some(xml.to_string())).await.is(422);
    assert_eq!(answer.body["issue"][0]["expression"][0], "Patient.gender");
    assert!(answer.body["issue"][0].get("location").is_none(), "{}", answer.text);
}

const SDOHCC: &str = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition";

on_both!(what_a_reference_leads_to_in_the_same_transaction_must_fit_the_profile);
async fn what_a_reference_leads_to_in_the_same_transaction_must_fit_the_profile(on: On) {
    let (_gw, clinic) = start(on).await;
    let task = json!({
        "resourceType": "Task", "meta": {"profile": [format!("{SDOHCC}/SDOHCC-TaskForReferralManagement")]},
        "status": "requested", "intent": "order", "authoredOn": "2026-11-22T10:00:00Z",
        "code": {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]},
        "focus": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000002"},
        "for": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
        "requester": {"reference": "Organization/river-clinic"},
    });
    let request = json!({
        "resourceType": "ServiceRequest", "status": "active", "intent": "order", "authoredOn": "2026-11-22",
        "requester": {"reference": "Organization/river-clinic"},
        "category": [{"coding": [{"system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "code": "sdoh"}]}],
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "467771000124109"}]},
        "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
    });
    let bundle = |name: Value| {
        let of = |at: u32, resource: &Value| {
            json!({"fullUrl": format!("urn:uuid:00000000-0000-4000-8000-00000000000{at}"), "resource": resource,
                "request": {"method": "POST", "url": resource["resourceType"]}})
        };
        let patient = json!({"resourceType": "Patient", "gender": "female", "name": [name],
            "identifier": [{"system": "https://clinic.example/mrn", "value": "7"}]});
        json!({"resourceType": "Bundle", "type": "transaction",
            "entry": [of(1, &patient), of(2, &request), of(3, &task)]})
    };
    let refused = clinic.post("/fhir", &bundle(json!({"use": "official"}))).await.is(422);
    assert_eq!(refused.rules()[0], "reference-profile", "{}", refused.text);
    let expressions: Vec<&str> =
        refused.body["issue"].as_array().unwrap().iter().filter_map(|issue| issue["expression"][0].as_str()).collect();
    assert!(expressions.contains(&"Bundle.entry[2].resource.for"), "{}", refused.text);
    assert!(refused.text.contains("`Patient.name[0]`"), "it says why: {}", refused.text);
    clinic.post("/fhir", &bundle(json!({"family": "Gomez"}))).await.is(200);
}

on_both!(who_asks_how_a_resource_fits_hears_what_a_profile_supports_and_a_write_does_not);
async fn who_asks_how_a_resource_fits_hears_what_a_profile_supports_and_a_write_does_not(on: On) {
    let (_gw, clinic) = start(on).await;
    let patient = json!({"resourceType": "Patient", "gender": "female",
        "meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]},
        "identifier": [{"system": "https://clinic.example/mrn", "value": "7"}], "name": [{"family": "Gomez"}]});
    let said = clinic.post("/fhir/Patient/$validate", &patient).await.is(200);
    let of = |rule: &str| -> Vec<String> {
        let issues = said.body["issue"].as_array().unwrap().iter();
        let found = issues.filter(|issue| issue["details"]["coding"][0]["code"] == rule);
        found.map(|issue| issue["expression"][0].as_str().unwrap().to_string()).collect()
    };
    let absent = of("must-support");
    assert!(absent.contains(&"Patient.birthDate".to_string()) && absent.contains(&"Patient.name.given".to_string()));
    assert!(!absent.contains(&"Patient.gender".to_string()) && !absent.contains(&"Patient.address.city".to_string()));
    assert_eq!(of("dom-6"), ["Patient"]);
    assert_eq!(clinic.post("/fhir/Patient", &patient).await.is(201).header("x-handoff-note"), "");
}
