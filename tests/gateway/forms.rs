//! A QuestionnaireResponse is compared with the form that it answers: one on file, or one that comes with it.

use serde_json::{Value, json};

use crate::harness::{On, key, patient, start};
use crate::on_both;

const URL: &str = "https://forms.example/Questionnaire/housing,1";

fn form(version: &str, kind: &str) -> Value {
    json!({"resourceType": "Questionnaire", "status": "active", "url": URL, "version": version,
        "item": [{"linkId": "1", "type": "group", "item": [{"linkId": "1.1", "type": kind, "required": true}]}]})
}

fn response(patient: &str, canonical: &str, answer: Value) -> Value {
    json!({"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": canonical,
        "subject": {"reference": patient},
        "item": [{"linkId": "1", "item": [{"linkId": "1.1", "answer": [answer]}]}]})
}

on_both!(a_response_is_compared_with_the_form_on_file);
async fn a_response_is_compared_with_the_form_on_file(on: On) {
    let (gw, clinic) = start(on).await;
    let ana = key(&clinic.creates(&patient()).await);
    let fits = response(&ana, URL, json!({"valueBoolean": true}));
    let unknown = clinic.post("/fhir/QuestionnaireResponse", &fits).await.is(201);
    let notes = clinic.post("/fhir/QuestionnaireResponse/$validate", &fits).await.is(200);
    assert!(notes.rules().contains(&"questionnaire-unknown".to_string()), "{}", notes.text);
    assert_eq!(unknown.body["resourceType"], "QuestionnaireResponse", "a form that is not at hand refuses nobody");

    // Forms are the directory's: another partner's counts.
    gw.system("harbor-housing").await.creates(&form("1", "boolean")).await;
    clinic.post("/fhir/QuestionnaireResponse", &fits).await.is(201);
    let wrong = response(&ana, URL, json!({"valueString": "yes"}));
    let refused = clinic.post("/fhir/QuestionnaireResponse", &wrong).await.is(422);
    let place = "QuestionnaireResponse.item[0].item[0].answer[0].value";
    assert_eq!(
        (refused.rules(), &refused.body["issue"][0]["expression"]),
        (vec!["answer-type".into()], &json!([place]))
    );
    let told = clinic.post("/fhir/QuestionnaireResponse/$validate", &wrong).await.is(200);
    assert!(told.rules().contains(&"answer-type".to_string()), "{}", told.text);
}

on_both!(a_version_that_is_named_is_the_one_that_counts);
async fn a_version_that_is_named_is_the_one_that_counts(on: On) {
    let (_gw, clinic) = start(on).await;
    let ana = key(&clinic.creates(&patient()).await);
    clinic.creates(&form("1", "boolean")).await;
    clinic.creates(&form("2", "string")).await;
    let answered = |version: &str| response(&ana, &format!("{URL}|{version}"), json!({"valueString": "yes"}));
    clinic.post("/fhir/QuestionnaireResponse", &answered("1")).await.is(422);
    clinic.post("/fhir/QuestionnaireResponse", &answered("2")).await.is(201);
    clinic.post("/fhir/QuestionnaireResponse", &answered("3")).await.is(201);
}

on_both!(a_form_may_come_with_its_first_response);
async fn a_form_may_come_with_its_first_response(on: On) {
    let (_gw, clinic) = start(on).await;
    let ana = key(&clinic.creates(&patient()).await);
    let bundle = |answer: Value| {
        let entry = |resource: Value| json!({"request": {"method": "POST", "url": resource["resourceType"]}, "resource": resource});
        json!({"resourceType": "Bundle", "type": "transaction",
            "entry": [entry(response(&ana, URL, answer)), entry(form("1", "integer"))]})
    };
    let refused = clinic.post("/fhir", &bundle(json!({"valueString": "two"}))).await.is(422);
    assert_eq!(refused.rules(), ["answer-type"]);
    let place = "Bundle.entry[0].resource.item[0].item[0].answer[0].value";
    assert_eq!(refused.body["issue"][0]["expression"], json!([place]));
    clinic.post("/fhir", &bundle(json!({"valueInteger": 2}))).await.is(200);
}
