//! A release that takes away a part: labels inside, the least that a purpose needs, of whom nothing is said.

use handoff::partner::Kind;
use serde_json::{Value, json};

use crate::harness::{Actor, On, Receiver, TestGateway, fixture, key};
use crate::on_both;
use crate::reach::permit;

pub const INLINE: &str = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label";
pub const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
pub const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// An extension that labels the element that it stands in.
pub fn labelled(system: &str, code: &str) -> Value {
    json!([{"url": INLINE, "valueCoding": {"system": system, "code": code}}])
}

pub fn normal() -> Value {
    json!({"security": [{"system": CONFIDENTIALITY, "code": "N"}]})
}

pub async fn person(actor: &Actor) -> String {
    key(&actor.creates(&json!({"resourceType": "Patient", "meta": normal()})).await)
}

/// A permit on what is normal, for one agency.
pub fn permits_normal(patient: &str, partner: &str) -> Value {
    permit(patient, partner, json!({"securityLabel": [{"system": CONFIDENTIALITY, "code": "N"}]}))
}

/// A Goal of a person with a note and a start that only a treating clinic should see, and a contained Observation.
fn goal(subject: &str) -> Value {
    json!({"resourceType": "Goal", "meta": normal(), "lifecycleStatus": "active", "description": {"text": "a home"},
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">sober since May</div>"},
        "contained": [{"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "sober"},
            "subject": {"reference": subject}, "meta": {"tag": [{"system": "urn:x", "code": "t"}]}}],
        "startDate": "2026-01-01", "_startDate": {"extension": labelled(ACT_CODE, "SUD")},
        "note": [{"text": "wants a garden"}, {"text": "sober since May", "extension": labelled(CONFIDENTIALITY, "R")}],
        "addresses": [{"reference": "#o", "display": "sober"}],
        "subject": {"reference": subject}})
}

on_both!(an_element_labelled_inside_leaves_with_no_trace);
async fn an_element_labelled_inside_leaves_with_no_trace(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system("county-social-service").await);
    let ana = person(&clinic).await;
    let made = clinic.creates(&goal(&ana)).await;
    let path = format!("/fhir/{}", key(&made));
    clinic.creates(&permits_normal(&ana, "county-social-service")).await;
    let sees = county.get(&path).await.is(200).body;
    assert_eq!(sees["note"], json!([{"text": "wants a garden"}]));
    assert_eq!(sees["startDate"], "2026-01-01", "what is sensitive and normal the permit covers");
    assert!(sees.get("text").is_none(), "the narrative goes: {sees}");
    let codes = |value: &Value| value.as_array().unwrap().iter().map(|one| one["code"].clone()).collect::<Vec<_>>();
    assert!(codes(&sees["meta"]["security"]).contains(&json!("REDACTED")), "{sees}");
    assert_eq!(codes(&sees["meta"]["tag"]), ["SUBSETTED"]);
    // A deny on the sensitivity takes the other element; who brought it in reads the whole.
    let deny = json!({"provision": [{"type": "deny", "securityLabel": [{"system": ACT_CODE, "code": "SUD"}]},
        {"type": "deny", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Observation"}]}],
        "securityLabel": [{"system": CONFIDENTIALITY, "code": "N"}]});
    let ben = person(&clinic).await;
    let made = clinic.creates(&goal(&ben)).await;
    clinic.creates(&permit(&ben, "county-social-service", deny)).await;
    for (actor, whole) in [(&county, false), (&clinic, true)] {
        let direct = actor.get(&format!("/fhir/{}", key(&made))).await.is(200).text;
        let found = actor.get(&format!("/fhir/Goal?patient={ben}")).await.is(200).text;
        let told = actor.get(&format!("/fhir/{ben}/$everything")).await.is(200).text;
        let past = actor.get(&format!("/fhir/{}/_history", key(&made))).await.is(200).text;
        let old = actor.get(&format!("/fhir/{}/_history/1", key(&made))).await.is(200).text;
        for text in [direct, found, told, past, old] {
            for trace in ["sober", "May", "2026-01-01", "_startDate", "\"#o\"", "xhtml"] {
                assert_eq!(text.contains(trace), whole, "{trace} in {text}");
            }
        }
    }
    // What is labelled inside is not found by it either.
    assert!(county.get("/fhir/Goal?start-date=2026-01-01").await.is(200).keys().is_empty());
}

on_both!(a_contained_resource_that_a_rule_denies_goes_with_its_references);
async fn a_contained_resource_that_a_rule_denies_goes_with_its_references(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system("county-social-service").await);
    let ana = person(&clinic).await;
    let made = clinic.creates(&goal(&ana)).await;
    let deny =
        json!([{"type": "deny", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Observation"}]}]);
    clinic.creates(&permit(&ana, "county-social-service", json!({"provision": deny}))).await;
    let sees = county.get(&format!("/fhir/{}", key(&made))).await.is(200).body;
    assert!(sees.get("contained").is_none() && sees["addresses"][0].get("reference").is_none(), "{sees}");
    assert!(!sees["addresses"].to_string().contains("sober"), "{sees}");
    assert_eq!(sees["note"][1]["text"], "sober since May", "a permit without labels covers what is labelled");
}

on_both!(a_recipient_gets_the_least_that_its_purpose_needs);
async fn a_recipient_gets_the_least_that_its_purpose_needs(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    gw.enrol("hill-homes", Kind::Landlord, None).await;
    gw.enrol("lake-clinic", Kind::Clinic, None).await;
    let clinic = gw.system("river-clinic").await;
    let ana = key(&clinic
        .creates(&json!({"resourceType": "Patient", "active": true, "name": [{"family": "Sample"}], "birthDate": "1990-01-01",
            "maritalStatus": {"text": "widowed"}, "telecom": [{"system": "phone", "value": "+1 555 010 1001"}],
            "address": [{"city": "Rivertown"}]}))
        .await);
    let observation = key(&clinic
        .creates(&json!({"resourceType": "Observation", "status": "final", "code": {"text": "tired"}, "note": [{"text": "n"}],
            "subject": {"reference": ana}, "valueString": "very"}))
        .await);
    let purpose = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"});
    for (partner, of_person, of_finding) in [
        ("lake-clinic", &["maritalStatus", "birthDate", "telecom"][..], &["code", "valueString", "note"][..]),
        ("harbor-housing", &["birthDate", "telecom", "address"], &["code", "valueString"]),
        ("corner-food-bank", &["telecom", "address"], &["code"]),
        ("hill-homes", &["telecom"], &[]),
    ] {
        clinic.creates(&permit(&ana, partner, json!({"purpose": [purpose]}))).await;
        let actor = gw.system(partner).await;
        let person = actor.get(&format!("/fhir/{ana}")).await.is(200).body;
        for name in ["maritalStatus", "birthDate", "telecom", "address"] {
            let expected = of_person.contains(&name) || partner == "lake-clinic";
            assert_eq!(person.get(name).is_some(), expected, "{partner} {name}: {person}");
        }
        let finding = actor.get(&format!("/fhir/{observation}")).await.is(200).body;
        for name in ["code", "valueString", "note"] {
            assert_eq!(
                finding.get(name).is_some_and(|value| value.get("extension").is_none()),
                of_finding.contains(&name),
                "{partner} {name}: {finding}"
            );
        }
        if partner == "hill-homes" {
            assert_eq!(
                finding["code"]["extension"][0]["valueCode"], "masked",
                "a mandatory element says why it is not there"
            );
            let profiles = handoff::profile::Profiles::bundled();
            let finding = handoff::fhir::Resource::from_value(finding).unwrap();
            assert!(
                profiles.check(&finding, &handoff::profile::Against::default()).is_ok(),
                "a redacted copy is valid"
            );
        }
    }
}

/// A shelter with a Location, someone who works there, and a clinic that refers to both.
async fn shelter(gw: &TestGateway) -> (Actor, String, String) {
    gw.enrol("safe-house", Kind::VictimService, None).await;
    let shelter = gw.system("safe-house").await;
    let location = json!({"resourceType": "Location", "name": "The den", "address": {"city": "Hidden Falls"}});
    let location = key(&shelter.creates(&location).await);
    let worker = key(&shelter.creates(&json!({"resourceType": "Practitioner", "name": [{"family": "Warden"}]})).await);
    (shelter, location, worker)
}

on_both!(a_shelters_places_and_people_are_masked_wherever_they_are_named);
async fn a_shelters_places_and_people_are_masked_wherever_they_are_named(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (shelter, location, worker) = shelter(&gw).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system("county-social-service").await);
    let ana = person(&clinic).await;
    clinic.creates(&permit(&ana, "county-social-service", json!({}))).await;
    let class = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"});
    let encounter = json!({"resourceType": "Encounter", "status": "finished", "class": class, "subject": {"reference": ana},
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">The den</div>"},
        "contained": [{"resourceType": "Location", "id": "l", "name": "The den",
            "managingOrganization": {"reference": "Organization/safe-house"}}],
        "participant": [{"individual": {"reference": worker, "display": "Warden"}}],
        "location": [{"location": {"reference": location, "display": "The den"}}, {"location": {"reference": "#l"}}],
        "extension": [{"url": "https://x.example/at", "valueReference": {"reference": location, "identifier": {"value": "den-1"}}},
            {"url": "https://x.example/url", "valueUri": format!("https://x.example/fhir/{location}")}]});
    let encounter = key(&clinic.creates(&encounter).await);
    let role = json!({"resourceType": "PractitionerRole", "active": true, "location": [{"reference": location, "display": "The den"}]});
    let role = key(&clinic.creates(&role).await);
    for path in [
        encounter.clone(),
        format!("{encounter}/_history"),
        format!("Encounter?patient={ana}"),
        format!("{ana}/$everything"),
        role.clone(),
        format!("PractitionerRole?_id={}", role.split_once('/').unwrap().1),
        format!("PractitionerRole?_id={}&_include=*", role.split_once('/').unwrap().1),
    ] {
        let text = county.get(&format!("/fhir/{path}")).await.is(200).text;
        for trace in ["The den", "den-1", "Warden", location.as_str(), worker.as_str(), "\"#l\"", "Hidden Falls"] {
            assert!(!text.contains(trace), "{trace} in {path}: {text}");
        }
        assert!(text.contains("REDACTED") && text.contains("masked"), "{text}");
        // Who wrote it, and who is meant, read what they know.
        assert!(clinic.get(&format!("/fhir/{path}")).await.is(200).text.contains(&location));
    }
    let own = shelter.get(&format!("/fhir/{role}")).await.is(200).text;
    assert!(own.contains("The den") && !own.contains("REDACTED"), "{own}");
    county.get(&format!("/fhir/{location}")).await.is(404);
}

on_both!(nothing_is_found_by_the_place_that_is_masked_in_it);
async fn nothing_is_found_by_the_place_that_is_masked_in_it(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (_shelter, _, worker) = shelter(&gw).await;
    let (clinic, county) = (gw.system("river-clinic").await, gw.system("county-social-service").await);
    let ana = person(&clinic).await;
    clinic.creates(&permit(&ana, "county-social-service", json!({}))).await;
    let open = key(&clinic.creates(&json!({"resourceType": "Practitioner", "name": [{"family": "Reed"}]})).await);
    let class = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"});
    let encounter = |who: &str| {
        json!({"resourceType": "Encounter", "status": "finished", "class": class,
        "subject": {"reference": ana}, "participant": [{"individual": {"reference": who}}]})
    };
    let masked = key(&clinic.creates(&encounter(&worker)).await);
    let absent = key(&clinic.creates(&encounter("Practitioner/nobody")).await);
    let known = key(&clinic.creates(&encounter(&open)).await);
    let id = worker.split_once('/').unwrap().1;
    for (query, of_county, of_clinic) in [
        (format!("Encounter?participant={worker}"), vec![], vec![&masked]),
        (format!("Encounter?participant:Practitioner={id}"), vec![], vec![&masked]),
        (format!("Encounter?participant={id}"), vec![], vec![&masked]),
        ("Encounter?participant=Practitioner/nobody".to_string(), vec![], vec![&absent]),
        (format!("Encounter?participant={open}"), vec![&known], vec![&known]),
        (format!("Encounter?participant={worker},{open}&_sort=_id"), vec![&known], vec![&masked, &known]),
        (format!("Encounter?patient={ana}&participant={worker}"), vec![], vec![&masked]),
        (format!("Practitioner/{id}/Encounter"), vec![], vec![&masked]),
        ("Encounter?participant.name=warden".to_string(), vec![], vec![]),
        (format!("Patient?_has:Encounter:patient:participant={worker}"), vec![], vec![&ana]),
        (format!("Patient?_has:Encounter:patient:participant={open}"), vec![&ana], vec![&ana]),
    ] {
        for (who, expected) in [(&county, of_county), (&clinic, of_clinic)] {
            let found = who.get(&format!("/fhir/{query}")).await.is(200);
            assert_eq!(found.keys().iter().collect::<Vec<_>>(), expected, "{query}");
            assert_eq!(found.body["total"], expected.len(), "{query}");
        }
    }
    let along = county.get(&format!("/fhir/Encounter?patient={ana}&_include=Encounter:participant")).await.is(200);
    assert!(along.text.contains(&open) && !along.text.contains(&worker), "{}", along.text);
}

on_both!(a_shelters_entry_says_no_more_than_that_it_is_there);
async fn a_shelters_entry_says_no_more_than_that_it_is_there(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let (shelter, ..) = shelter(&gw).await;
    let branch = json!({"resourceType": "Organization", "active": true, "name": "Safe house, north", "address": [{"city": "Hidden Falls"}],
        "telecom": [{"system": "phone", "value": "+1 555 010 7777"}], "contact": [{"name": {"family": "Warden"}}]});
    let branch = key(&shelter.creates(&branch).await);
    let county = gw.system("county-social-service").await;
    for path in [branch.clone(), format!("{branch}/_history"), "Organization?name=safe".into()] {
        let sees = county.get(&format!("/fhir/{path}")).await.is(200).text;
        for trace in ["Hidden Falls", "7777", "Warden"] {
            assert!(!sees.contains(trace), "{trace} in {path}: {sees}");
        }
        assert!(sees.contains("Safe house, north"));
        assert!(shelter.get(&format!("/fhir/{path}")).await.is(200).text.contains("Hidden Falls"));
    }
    let clinics = county.get("/fhir/Organization/river-clinic").await.is(200).text;
    assert!(!clinics.contains("REDACTED"), "what needs no redaction leaves as it was");
}

on_both!(what_is_delivered_and_exported_is_redacted_alike);
async fn what_is_delivered_and_exported_is_redacted_alike(on: On) {
    let receiver = Receiver::start().await;
    let gw = TestGateway::exchange(on, Some(&receiver.base)).await;
    let clinic = gw.system("river-clinic").await;
    let mut bundle = fixture("ana");
    for entry in bundle["entry"].as_array_mut().unwrap() {
        if entry["resource"]["resourceType"] == "Patient" {
            entry["resource"]["maritalStatus"] = json!({"text": "widowed"});
        }
        if entry["resource"]["resourceType"] == "Consent" {
            entry["resource"]["provision"]["provision"] =
                json!([{"type": "deny", "securityLabel": [{"system": ACT_CODE, "code": "SDV"}]}]);
        }
        if entry["resource"]["resourceType"] == "ServiceRequest" {
            entry["resource"]["meta"]["security"] = normal()["security"].clone();
            entry["resource"]["note"] = json!([{"text": "fled from home", "extension": labelled(ACT_CODE, "SDV")}]);
        }
        for kind in ["Patient", "Task", "CarePlan", "Goal"] {
            if entry["resource"]["resourceType"] == kind {
                entry["resource"]["meta"]["security"] = normal()["security"].clone();
            }
        }
    }
    let sent = clinic.submits(&bundle).await;
    gw.deliver_due().await;
    let text = receiver.received().iter().map(Value::to_string).collect::<String>();
    assert!(text.contains("ServiceRequest") && text.contains("Patient"), "{text}");
    assert!(!text.contains("fled") && !text.contains("widowed"), "{text}");
    let housing = gw.system("harbor-housing").await;
    let request = housing.get(&format!("/fhir/{}", sent.key("ServiceRequest"))).await.is(200).text;
    assert!(!request.contains("fled") && request.contains("REDACTED"), "{request}");
    assert!(clinic.get(&format!("/fhir/{}", sent.key("ServiceRequest"))).await.is(200).text.contains("fled"));
}
