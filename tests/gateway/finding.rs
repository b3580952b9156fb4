//! Orders, modifiers, composites, several types and compartments: what search finds beyond a type's plain values.

use std::collections::BTreeSet;

use handoff::gateway;
use handoff::serve::PackageDocument;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, On, TestGateway, key, start};
use crate::on_both;
use crate::reach::{class, permit};

async fn keys(actor: &Actor, path: &str) -> Vec<String> {
    let answer = actor.get(path).await.is(200);
    assert!(!answer.text.contains("parameter-unknown"), "{path}: {}", answer.text);
    answer.keys()
}

fn id(key: &str) -> &str {
    key.split_once('/').unwrap().1
}

async fn person(clinic: &Actor) -> String {
    key(&clinic.creates(&json!({"resourceType": "Patient"})).await)
}

on_both!(rows_come_in_the_order_that_is_asked_for_page_by_page);
async fn rows_come_in_the_order_that_is_asked_for_page_by_page(on: On) {
    let (gw, clinic) = start(on).await;
    let patient = person(&clinic).await;
    let mut goals = Vec::new();
    for (name, start, status) in [
        ("a", Some("2026-01-03"), "active"),
        ("b", Some("2026-01-01"), "proposed"),
        ("c", None, "active"),
        ("d", Some("2026-01-03"), "completed"),
        ("e", None, "completed"),
        ("f", Some("2026-01-02"), "active"),
    ] {
        let mut goal = json!({"resourceType": "Goal", "lifecycleStatus": status, "description": {"text": name},
            "subject": {"reference": patient}});
        if let Some(start) = start {
            goal["startDate"] = json!(start);
        }
        goals.push((name, key(&clinic.creates(&goal).await)));
        gw.advance_secs(1);
    }
    let names = |keys: &[String]| -> String {
        keys.iter().map(|key| goals.iter().find(|(_, known)| known == key).unwrap().0).collect()
    };
    for (order, expected) in [
        ("start-date,_lastUpdated", "bfadce"),
        ("-start-date,_lastUpdated", "adfbce"),
        ("lifecycle-status,-start-date,-_lastUpdated", "afcdeb"),
        ("-lifecycle-status,start-date,_lastUpdated", "bdefac"),
        ("_lastUpdated", "abcdef"),
        ("-_lastUpdated", "fedcba"),
        ("_id", "abcdef"),
        ("-_id", "fedcba"),
    ] {
        let whole = keys(&clinic, &format!("/fhir/Goal?_sort={order}")).await;
        assert_eq!(names(&whole), expected, "{order}");
        for patient in ["", &format!("patient={}&", id(&patient))] {
            let mut address = Some(format!("/fhir/Goal?{patient}_sort={order}&_count=2"));
            let mut seen = Vec::new();
            while let Some(at) = address.filter(|_| seen.len() < 20) {
                let page = clinic.get(&at).await.is(200);
                seen.extend(page.keys());
                let links = page.body["link"].as_array().unwrap().clone();
                let next = links.iter().find(|link| link["relation"] == "next");
                address = next.map(|link| link["url"].as_str().unwrap().to_string());
            }
            assert_eq!(names(&seen), expected, "{order} by pages");
        }
    }
    let strict = [("prefer", "handling=strict")];
    for order in ["nothing", "patient.name", "code-value-quantity"] {
        let answer = clinic.send(Method::GET, &format!("/fhir/Observation?_sort={order}"), &strict, None).await;
        assert_eq!(answer.is(400).rules(), ["parameter-unknown"], "{order}");
    }
    let page = clinic.get("/fhir/Goal?_sort=start-date&_count=2").await.is(200);
    let next = page.body["link"][1]["url"].as_str().unwrap().replace("start-date", "start-date,_id");
    assert_eq!(clinic.get(&next).await.is(400).rules(), ["page-token"], "a page of one order is none of another");
    let next = page.body["link"][1]["url"].as_str().unwrap().replace("start-date", "description");
    assert_eq!(clinic.get(&next).await.is(400).rules(), ["page-token"], "nor of another with as many keys");
}

on_both!(modifiers_look_beside_the_code);
async fn modifiers_look_beside_the_code(on: On) {
    let (_gw, clinic) = start(on).await;
    let patient = person(&clinic).await;
    let coded = |system: &str, code: &str, display: &str| {
        json!({"resourceType": "Observation", "status": "final", "subject": {"reference": patient},
            "code": {"coding": [{"system": system, "code": code, "display": display}]}})
    };
    let food = key(&clinic.creates(&coded("http://x", "food", "Food insecurity")).await);
    let home = key(&clinic.creates(&coded("http://x", "home", "Homelessness")).await);
    let typed = json!({"resourceType": "Patient", "identifier": [{"system": "http://id", "value": "77",
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}], "text": "Record"}}],
        "managingOrganization": {"identifier": {"system": "http://npi", "value": "5"}}});
    let typed = key(&clinic.creates(&typed).await);
    let level = json!({"resourceType": "Location", "name": "Pier", "status": "active", "type": [{"coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "ER"}]}],
        "position": {"latitude": 42.36, "longitude": -71.06}});
    let pier = key(&clinic.creates(&level).await);
    let again = json!({"resourceType": "Condition", "subject": {"reference": patient}, "code": {"text": "x"},
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "relapse"}]}});
    let again = key(&clinic.creates(&again).await);
    let form = json!({"resourceType": "Questionnaire", "status": "active", "url": "http://forms.example/a/b/housing"});
    let form = key(&clinic.creates(&form).await);
    let filled = json!({"resourceType": "QuestionnaireResponse", "status": "completed", "subject": {"reference": patient},
        "questionnaire": "http://forms.example/a/b/housing|1.0"});
    let filled = key(&clinic.creates(&filled).await);
    let none: &[&String] = &[];
    let status = "http://hl7.org/fhir/ValueSet/observation-status";
    for (query, expected) in [
        ("Observation?code:text=food", &[&food][..]),
        ("Observation?code:text=insecurity", none),
        ("Observation?code:text=FOOD,home", &[&food, &home]),
        ("Observation?code:not=http://x%7Cfood", &[&home]),
        (&format!("Observation?status:in={status}"), &[&food, &home]),
        (&format!("Observation?status:not-in={status}"), none),
        ("Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203%7CMR%7C77", &[&typed]),
        ("Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203%7CSS%7C77", none),
        ("Patient?identifier:text=rec", &[&typed]),
        ("Patient?organization:identifier=http://npi%7C5", &[&typed]),
        ("Patient?organization:identifier=6", none),
        ("Questionnaire?url:below=http://forms.example/a/", &[&form]),
        ("Questionnaire?url:below=http://forms.example/b/", none),
        ("Questionnaire?url:above=http://forms.example/a/b/housing/2", &[&form]),
        ("QuestionnaireResponse?questionnaire=http://forms.example/a/b/housing", &[&filled]),
        ("QuestionnaireResponse?questionnaire=http://forms.example/a/b/housing%7C1.0", &[&filled]),
        ("QuestionnaireResponse?questionnaire=http://forms.example/a/b/housing%7C2.0", none),
        ("Observation?status:below=http://hl7.org/fhir/observation-status%7Camended", none),
        (
            "Condition?clinical-status:below=http://terminology.hl7.org/CodeSystem/condition-clinical%7Cactive",
            &[&again],
        ),
        ("Condition?clinical-status:below=http://terminology.hl7.org/CodeSystem/condition-clinical%7Cinactive", none),
        (
            "Condition?clinical-status:above=http://terminology.hl7.org/CodeSystem/condition-clinical%7Crelapse",
            &[&again],
        ),
        ("Condition?clinical-status=active", none),
        ("Location?near=42.3%7C-71.0%7C20%7Ckm", &[&pier]),
        ("Location?near=42.3%7C-71.0%7C1%7Ckm", none),
        ("Location?near=42.3%7C-71.0", &[&pier]),
    ] {
        let found: BTreeSet<String> = keys(&clinic, &format!("/fhir/{query}")).await.into_iter().collect();
        assert_eq!(found, expected.iter().map(|key| (*key).clone()).collect(), "{query}");
    }
    for (query, rule) in [
        ("Observation?code:in=http://nowhere.example/vs", "codes-unknown"),
        ("Observation?code:below=http://snomed.info/sct%7C1", "codes-unknown"),
        ("Observation?code:below=1", "parameter-value"),
        ("Patient?identifier:of-type=77", "parameter-value"),
        ("Location?near=somewhere", "parameter-value"),
        ("Location?near=42%7C-71%7C-1%7Ckm", "parameter-value"),
    ] {
        assert_eq!(clinic.get(&format!("/fhir/{query}")).await.is(400).rules(), [rule], "{query}");
    }
}

on_both!(composites_hold_on_values_that_stand_together);
async fn composites_hold_on_values_that_stand_together(on: On) {
    let (_gw, clinic) = start(on).await;
    let patient = person(&clinic).await;
    let mmhg = |value: f64| json!({"value": value, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"});
    let part = |code: &str, value: f64| json!({"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": mmhg(value)});
    let mut pressure = json!({"resourceType": "Observation", "status": "final", "subject": {"reference": patient},
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]}, "effectiveDateTime": "2026-03-01",
        "component": [part("8480-6", 150.0), part("8462-4", 60.0)]});
    let high = key(&clinic.creates(&pressure).await);
    pressure["component"] = json!([part("8480-6", 60.0), part("8462-4", 150.0)]);
    let odd = key(&clinic.creates(&pressure).await);
    let single = json!({"resourceType": "Observation", "status": "final", "subject": {"reference": patient},
        "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}, "valueQuantity": mmhg(150.0),
        "effectiveDateTime": "2026-03-02"});
    let single = key(&clinic.creates(&single).await);
    for (query, expected) in [
        ("component-code-value-quantity=8480-6$gt140", vec![&high]),
        (
            "component-code-value-quantity=http://loinc.org%7C8480-6$lt100%7Chttp://unitsofmeasure.org%7Cmm[Hg]",
            vec![&odd],
        ),
        ("code-value-quantity=8480-6$150", vec![&single]),
        ("code-value-quantity=8480-6$150,8480-6$60", vec![&single]),
        ("combo-code-value-quantity=8480-6$gt140", vec![&high, &single]),
        ("code-value-quantity=8462-4$150", vec![]),
    ] {
        let found: BTreeSet<String> = keys(&clinic, &format!("/fhir/Observation?{query}")).await.into_iter().collect();
        assert_eq!(found, expected.into_iter().cloned().collect(), "{query}");
    }
    for query in ["code-value-quantity=8480-6", "code-value-quantity=8480-6$high", "code-value-quantity=a$1$2"] {
        clinic.get(&format!("/fhir/Observation?{query}")).await.is(400);
    }
}

on_both!(several_types_and_compartments_are_searched_at_once);
async fn several_types_and_compartments_are_searched_at_once(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    let (ana, ben) = (person(&clinic).await, person(&clinic).await);
    let goal = |patient: &str| {
        json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"},
            "subject": {"reference": patient}})
    };
    let plan = |patient: &str| json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": patient}});
    let (goal_a, goal_b) = (key(&clinic.creates(&goal(&ana)).await), key(&clinic.creates(&goal(&ben)).await));
    let plan_a = key(&clinic.creates(&plan(&ana)).await);
    let (a, b) = (id(&ana), id(&ben));
    let set = |keys: &[&String]| keys.iter().map(|key| (*key).clone()).collect::<BTreeSet<String>>();
    let partner = "Organization/river-clinic";
    for (path, expected) in [
        ("/fhir?_type=Goal,CarePlan".to_string(), set(&[&goal_a, &goal_b, &plan_a])),
        (format!("/fhir?_type=Goal,CarePlan&patient={a}"), set(&[&goal_a, &plan_a])),
        (format!("/fhir/?_type=Goal&subject=Patient/{b}"), set(&[&goal_b])),
        (format!("/fhir?_type=Goal,CarePlan&_source={partner}&_lastUpdated=ge2026"), set(&[&goal_a, &goal_b, &plan_a])),
        (format!("/fhir/Patient/{a}/Goal"), set(&[&goal_a])),
        (format!("/fhir/Patient/{a}/Goal?lifecycle-status=proposed"), set(&[])),
        (format!("/fhir/Patient/{a}/*"), set(&[&ana, &goal_a, &plan_a])),
        (format!("/fhir/Patient/{a}/*?_type=CarePlan,Patient"), set(&[&ana, &plan_a])),
        ("/fhir/Patient/nobody/Goal".to_string(), set(&[])),
    ] {
        let answer = clinic.get(&path).await.is(200);
        assert!(!answer.text.contains("parameter-unknown"), "{path}: {}", answer.text);
        assert_eq!(answer.keys().into_iter().collect::<BTreeSet<String>>(), expected, "{path}");
        let link = answer.body["link"][0]["url"].as_str().unwrap().replace("%2C", ",").replace("%2F", "/");
        assert!(
            link.ends_with(path.trim_start_matches("/fhir").trim_start_matches('/')) || path.contains("/?"),
            "{link}"
        );
    }
    let by_pages = clinic.get("/fhir?_type=Goal,CarePlan&_count=2").await.is(200);
    let next = by_pages.body["link"][1]["url"].as_str().unwrap().to_string();
    let mut seen = by_pages.keys();
    seen.extend(keys(&clinic, &next).await);
    assert_eq!(seen.into_iter().collect::<BTreeSet<String>>(), set(&[&goal_a, &goal_b, &plan_a]));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let posted = clinic.send(Method::POST, "/fhir/_search", &form, Some("_type=Goal".to_string())).await.is(200);
    assert_eq!(posted.keys().len(), 2);
    for (path, status) in [
        ("/fhir?_type=Goal,Nothing", 400),
        ("/fhir/Goal/1/CarePlan", 404),
        (&format!("/fhir/Patient/{a}/Nothing"), 404),
        ("/fhir?_type=Goal,CarePlan&lifecycle-status=active", 200),
    ] {
        clinic.get(path).await.is(status);
    }

    // What housing may see of ana, and nothing of ben.
    let housing = gw.system("harbor-housing").await;
    clinic.creates(&permit(&ana, "harbor-housing", class(&["Goal"]))).await;
    for (path, expected) in [
        ("/fhir?_type=Goal,CarePlan".to_string(), set(&[&goal_a])),
        (format!("/fhir/Patient/{a}/*"), set(&[&goal_a])),
        (format!("/fhir/Patient/{a}/CarePlan"), set(&[])),
        (format!("/fhir/Patient/{b}/*"), set(&[])),
    ] {
        let answer =
            housing.get(&format!("{path}{}_total=accurate", if path.contains('?') { "&" } else { "?" })).await.is(200);
        assert_eq!(answer.keys().into_iter().collect::<BTreeSet<String>>(), expected, "{path}");
        assert_eq!(answer.body["total"], expected.len(), "{path}");
    }
}

on_both!(a_view_of_a_resource_says_that_it_is_not_all);
async fn a_view_of_a_resource_says_that_it_is_not_all(on: On) {
    let (_gw, clinic) = start(on).await;
    let patient = json!({"resourceType": "Patient", "active": true, "name": [{"family": "Alder"}], "birthDate": "1990",
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},
        "contact": [{"name": {"family": "Other"}}], "communication": [{"language": {"text": "en"}}]});
    let patient = key(&clinic.creates(&patient).await);
    let members = |body: &Value| -> BTreeSet<String> {
        let skipped = ["resourceType", "id", "meta"];
        body.as_object().unwrap().keys().filter(|key| !skipped.contains(&key.as_str())).cloned().collect()
    };
    let set = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<BTreeSet<String>>();
    for (query, expected) in [
        ("_elements=birthDate", set(&["birthDate"])),
        ("_elements=Patient.birthDate,name", set(&["birthDate", "name"])),
        ("_summary=true", set(&["active", "name", "birthDate"])),
        ("_summary=text", set(&["text"])),
        ("_summary=data", set(&["active", "name", "birthDate", "contact", "communication"])),
        ("_summary=false", set(&["text", "active", "name", "birthDate", "contact", "communication"])),
    ] {
        for path in [format!("/fhir/Patient?{query}"), format!("/fhir/{patient}?{query}")] {
            let answer = clinic.get(&path).await.is(200);
            let body = if path.contains("Patient?") { &answer.body["entry"][0]["resource"] } else { &answer.body };
            assert_eq!(members(body), expected, "{path}");
            let tag = &body["meta"]["tag"][0]["code"];
            assert_eq!(tag == "SUBSETTED", query != "_summary=false", "{path}");
        }
    }
    for query in ["_summary=some", "_elements=", "_elements=a$b"] {
        clinic.get(&format!("/fhir/Patient?{query}")).await.is(400);
        clinic.get(&format!("/fhir/{patient}?{query}")).await.is(400);
    }
}

on_both!(a_parameter_that_came_later_finds_what_was_there_before);
async fn a_parameter_that_came_later_finds_what_was_there_before(on: On) {
    let (gw, clinic) = start(on).await;
    let patient = person(&clinic).await;
    let goal = json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "a home"},
        "subject": {"reference": patient}});
    let goal = key(&clinic.creates(&goal).await);
    let all = 6; // four Organizations, a Patient, a Goal
    assert_eq!(gateway::reindex(&gw.ctx).await.unwrap(), all, "the first time nobody knows how the rows were made");
    assert_eq!(gateway::reindex(&gw.ctx).await.unwrap(), 0);

    let parameter = json!({"url": "http://guide.example/words", "code": "words", "base": ["Goal"], "type": "string",
        "expression": "Goal.description.text"});
    let package = PackageDocument {
        name: "guide.example".into(),
        version: "1".into(),
        files: vec![("searchparameters.ndjson".into(), format!("{parameter}\n"))],
    };
    let mut tx = gw.ctx.store.begin().await.unwrap();
    let document = serde_json::to_string(&package).unwrap();
    tx.register("package", "guide.example@1", &document, true).await.unwrap();
    tx.commit().await.unwrap();
    let node = gw.another_node().await;
    let clinic = node.system("river-clinic").await;
    assert_eq!(keys(&clinic, "/fhir/Goal?words=a%20h").await, Vec::<String>::new());
    assert_eq!(gateway::reindex(&node.ctx).await.unwrap(), all);
    assert_eq!(keys(&clinic, "/fhir/Goal?words=a%20h").await, [goal]);
    assert_eq!(keys(&clinic, "/fhir/Goal?words:contains=house").await, Vec::<String>::new());
}
