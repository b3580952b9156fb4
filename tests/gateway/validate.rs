//! What a developer is told about a resource: every problem, at its element, in the line that was sent.

use reqwest::Method;

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
