//! What a write tells (reference: consent.md, section 7): conditions, ids, entries, references, checks. Each probe is
//! named by its number there.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, On};
use crate::on_both;
use crate::two_worlds::{Ask, CLINIC, COUNTY, HIDDEN, Pair, SEEN, Two, about, normal};

const MERGE: (&str, &str) = ("content-type", "application/merge-patch+json");

/// Identifiers that hidden resources of a type bear, and how each is asked for.
const IDENTIFIERS: [(&str, &str); 12] = [
    ("Patient", "Cedar"),
    ("Patient", "Doe"),
    ("Patient", "narrowed"),
    ("Patient", "revoked"),
    ("Goal", "hid-0"),
    ("Goal", "hid-label"),
    ("Goal", "hid-bare"),
    ("Goal", "hid-instance"),
    ("Goal", "hid-rank"),
    ("Condition", "hid-cond"),
    ("RelatedPerson", "hid-rel"),
    ("ServiceRequest", "hid-sr"),
];

/// What a county would write of that type: about somebody whom it sees.
fn own(kind: &str, identifier: &str) -> Value {
    let mut resource = match kind {
        "Patient" => json!({"resourceType": "Patient"}),
        kind => about(kind, SEEN),
    };
    resource["identifier"] = json!([{"system": "http://id", "value": identifier}]);
    normal(resource)
}

/// A body for the address of something hidden.
fn guess(key: &str) -> Value {
    let (kind, id) = key.split_once('/').unwrap();
    let mut body = match kind {
        "Patient" | "Practitioner" | "PractitionerRole" | "Location" => json!({"resourceType": kind}),
        "Group" => json!({"resourceType": kind, "type": "person", "actual": true}),
        "Consent" => crate::reach::permit(SEEN, COUNTY, json!({})),
        kind => normal(about(kind, SEEN)),
    };
    body["id"] = json!(id);
    body
}

async fn changes(county: &Pair, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    county.send(method, path, headers, Some(body.to_string())).await
}

on_both!(h18_conditional_create);
async fn h18_conditional_create(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for (kind, value) in IDENTIFIERS {
        for criteria in [format!("identifier=http://id|{value}"), format!("identifier={value}")] {
            let path = format!("/fhir/{kind}");
            let unless = [("if-none-exist", criteria.as_str())];
            let made = changes(&county, Method::POST, &path, &unless, &own(kind, value)).await;
            // The second one finds the first one's, and nothing else.
            assert!(matches!(made.status, 200 | 201), "{kind} {value}: {}", made.text);
            assert!(!made.header("location").contains("hid"), "{}", made.header("location"));
        }
    }
    for criteria in
        ["_id=river-clinic-hid-0", "_id=river-clinic-hid-label", "patient=river-clinic-hid", "patient.family=cedar"]
    {
        let made =
            changes(&county, Method::POST, "/fhir/Goal", &[("if-none-exist", criteria)], &own("Goal", criteria)).await;
        assert_eq!(made.status, 201, "{criteria}: {}", made.text);
    }
    let there = [("if-none-exist", "_id=river-clinic-g0")];
    changes(&county, Method::POST, "/fhir/Goal", &there, &own("Goal", "x")).await.is(200);
}

on_both!(h19_conditional_changes);
async fn h19_conditional_changes(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let mut criteria: Vec<(String, String)> =
        IDENTIFIERS.iter().map(|(kind, value)| (kind.to_string(), format!("identifier=http://id%7C{value}"))).collect();
    for (kind, query) in [
        ("Goal", "_id=river-clinic-hid-0"),
        ("Goal", "patient=river-clinic-hid"),
        ("Observation", "encounter.patient=river-clinic-hid"),
        ("Patient", "family=cedar"),
        ("Patient", "_has:Condition:patient:identifier=http://id%7Chid-cond"),
        ("Task", "status=requested"),
        ("Practitioner", "family=reed&_id=night-shelter-hid"),
        ("Consent", "patient=river-clinic-hid"),
    ] {
        criteria.push((kind.into(), query.into()));
    }
    for (kind, query) in &criteria {
        let path = format!("/fhir/{kind}?{query}");
        let patch = json!({"language": "en"});
        changes(&county, Method::PATCH, &path, &[MERGE], &patch).await.is(404);
        changes(&county, Method::PATCH, &path, &[MERGE, ("if-match", "W/\"1\"")], &patch).await.is(404);
        county.send(Method::DELETE, &path, &[], None).await.is(204);
        county.send(Method::DELETE, &path, &[("if-match", "W/\"1\"")], None).await.is(204);
        if matches!(kind.as_str(), "Goal" | "Condition" | "RelatedPerson") {
            let body = own(kind, "new");
            changes(&county, Method::PUT, &path, &[("if-match", "W/\"1\"")], &body).await.is(412);
            let made = changes(&county, Method::PUT, &path, &[], &body).await.is(201);
            assert!(!made.header("location").contains("hid"));
            let named = guess(&format!("{kind}/river-clinic-hid-cond"));
            changes(&county, Method::PUT, &path, &[], &named).await;
        }
    }
    // Of several, only those that it sees count: four of the clinic's that match, and its own.
    let several =
        changes(&county, Method::PATCH, &format!("/fhir/Goal?patient={SEEN}"), &[MERGE], &json!({"language": "en"}))
            .await;
    assert_eq!(several.status, 412, "{}", several.text);
    // One seen, many hidden: nothing says "several".
    let one = "/fhir/Observation?patient=river-clinic-seen&status=final";
    changes(&county, Method::PATCH, one, &[MERGE], &json!({"language": "en"})).await.is(403);
}

on_both!(h20_put_patch_and_delete_by_id);
async fn h20_put_patch_and_delete_by_id(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for hidden in HIDDEN {
        let path = format!("/fhir/{hidden}");
        for headers in [
            &[][..],
            &[("if-match", "W/\"1\"")],
            &[("if-match", "W/\"9\"")],
            &[("if-match", "*")],
            &[("if-none-match", "*")],
        ] {
            changes(&county, Method::PUT, &path, headers, &guess(hidden)).await.is(404);
            county.send(Method::DELETE, &path, headers, None).await.is(404);
            let with_media: Vec<(&str, &str)> = headers.iter().copied().chain([MERGE]).collect();
            changes(&county, Method::PATCH, &path, &with_media, &json!({"language": "en"})).await.is(404);
        }
        // Bodies that could not be stored anyway, and that are not for this address.
        let id = hidden.split_once('/').unwrap().1;
        for body in [
            json!({"resourceType": "Goal", "id": id}),
            json!({"resourceType": "Patient", "id": id, "gender": "x"}),
            json!({"resourceType": "Patient", "id": "other"}),
        ] {
            changes(&county, Method::PUT, &path, &[], &body).await;
        }
        let test = json!([{"op": "test", "path": "/id", "value": id}]);
        let media = [("content-type", "application/json-patch+json")];
        changes(&county, Method::PATCH, &path, &media, &test).await.is(404);
        for operation in ["$meta-add", "$meta-delete"] {
            let sent = json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "x"}]}}]});
            changes(&county, Method::POST, &format!("{path}/{operation}"), &[], &sent).await.is(404);
        }
    }
    // Under its own prefix a new one is made, in both.
    changes(
        &county,
        Method::PUT,
        "/fhir/Goal/county-social-service-hid",
        &[],
        &guess("Goal/county-social-service-hid"),
    )
    .await
    .is(201);
}

fn bundle(kind: &str, entries: Vec<Value>) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

fn asks(method: &str, url: &str) -> Value {
    json!({"request": {"method": method, "url": url}})
}

on_both!(h21_batches_and_transactions);
async fn h21_batches_and_transactions(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let mut entries = Vec::new();
    for hidden in HIDDEN {
        for url in
            [hidden.to_string(), format!("{hidden}/_history"), format!("{hidden}/_history/1"), format!("{hidden}?x=1")]
        {
            entries.push(asks("GET", &url));
            entries.push(asks("HEAD", &url));
        }
        entries.push(asks("DELETE", hidden));
        let mut put = asks("PUT", hidden);
        put["resource"] = guess(hidden);
        entries.push(put);
        let mut conditional = asks("GET", hidden);
        conditional["request"]["ifNoneMatch"] = json!("W/\"1\"");
        entries.push(conditional);
    }
    for query in [
        "Goal?_total=accurate",
        "Condition",
        "Goal?patient=river-clinic-hid",
        "Patient?_revinclude=*",
        "CarePlan?_include=*",
    ] {
        entries.push(asks("GET", query));
    }
    for kind in ["batch", "transaction"] {
        let reads =
            entries.iter().filter(|entry| kind == "batch" || entry["request"]["method"] == "GET").cloned().collect();
        let answer = county.post("/fhir", &bundle(kind, reads)).await.is(200);
        let at = |index: usize| answer.body["entry"][index]["response"]["status"].as_str().unwrap().to_string();
        assert!(at(0).starts_with("404"), "{}", at(0));
    }
    for hidden in HIDDEN {
        let mut make = asks("POST", "Goal");
        make["resource"] = own("Goal", hidden);
        for method in ["DELETE", "PUT", "PATCH"] {
            let mut touch = asks(method, hidden);
            match method {
                "PUT" => touch["resource"] = guess(hidden),
                "PATCH" => {
                    touch["resource"] = json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
                        {"name": "type", "valueCode": "add"}, {"name": "path", "valueString": hidden.split('/').next().unwrap()},
                        {"name": "name", "valueString": "language"}, {"name": "value", "valueCode": "en"}]}]});
                }
                _ => {}
            }
            county.post("/fhir", &bundle("transaction", vec![make.clone(), touch])).await.is(404);
        }
    }
    for (kind, value) in IDENTIFIERS {
        let mut make = asks("POST", kind);
        make["resource"] = own(kind, value);
        make["request"]["ifNoneExist"] = json!(format!("identifier=http://id|{value}"));
        make["fullUrl"] = json!("urn:uuid:00000000-0000-4000-8000-000000000001");
        let goal = json!({"resource": normal(about("Goal", SEEN)), "request": {"method": "POST", "url": "Goal"}});
        let made = county.post("/fhir", &bundle("transaction", vec![make, goal])).await.is(200);
        assert_eq!(made.body["entry"][0]["response"]["status"], "201 Created", "{kind} {value}");
    }
}

on_both!(h22_versions_in_a_bundle);
async fn h22_versions_in_a_bundle(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for kind in ["batch", "transaction"] {
        for hidden in HIDDEN {
            for version in ["W/\"1\"", "W/\"7\""] {
                let mut put = asks("PUT", hidden);
                put["resource"] = guess(hidden);
                put["request"]["ifMatch"] = json!(version);
                let mut delete = asks("DELETE", hidden);
                delete["request"]["ifMatch"] = json!(version);
                for entry in [put, delete] {
                    let answer = county.post("/fhir", &bundle(kind, vec![entry])).await;
                    let status = answer.body["entry"][0]["response"]["status"].as_str().unwrap_or("404").to_string();
                    assert!(status.starts_with("404"), "{hidden}: {}", answer.text);
                }
            }
        }
    }
}

on_both!(h23_references);
async fn h23_references(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for hidden in HIDDEN {
        let versioned = format!("{hidden}/_history/1");
        let absolute = format!("https://exchange.example/fhir/{hidden}");
        for target in [hidden, &versioned, &absolute] {
            let reference = json!({"reference": target});
            let mut goal = own("Goal", "new");
            goal["addresses"] = json!([reference]);
            goal["expressedBy"] = reference.clone();
            county.post("/fhir/Goal", &goal).await;
            let mut about_it = own("Goal", "new");
            about_it["subject"] = reference.clone();
            county.post("/fhir/Goal", &about_it).await;
            let mut task = normal(about("Task", SEEN));
            task["focus"] = reference.clone();
            task["owner"] = reference.clone();
            county.post("/fhir/Task", &task).await;
            let mut owned = normal(about("Task", SEEN));
            owned["owner"] = reference.clone();
            owned["basedOn"] = json!([reference]);
            county.post("/fhir/Task", &owned).await;
            let mut team = normal(about("CareTeam", SEEN));
            team["participant"] = json!([{"member": reference}]);
            county.post("/fhir/CareTeam", &team).await;
            let mut group = json!({"resourceType": "Group", "type": "person", "actual": true});
            group["member"] = json!([{"entity": reference}]);
            county.post("/fhir/Group", &group).await;
            let mut provenance = about("Provenance", target);
            provenance["entity"] = json!([{"role": "source", "what": reference}]);
            county.post("/fhir/Provenance", &provenance).await;
            let patient = json!({"resourceType": "Patient", "link": [{"type": "seealso", "other": reference}],
                "managingOrganization": reference});
            county.post("/fhir/Patient", &patient).await;
            let mut observed = normal(about("Observation", SEEN));
            observed["performer"] = json!([reference]);
            observed["focus"] = json!([reference]);
            county.post("/fhir/Observation", &observed).await;
            let role = json!({"resourceType": "PractitionerRole", "practitioner": reference, "organization": reference, "location": [reference]});
            county.post("/fhir/PractitionerRole", &role).await;
        }
        let mut consent = crate::reach::permit(
            SEEN,
            COUNTY,
            json!({"data": [{"meaning": "instance", "reference": {"reference": hidden}}]}),
        );
        county.post("/fhir/Consent", &consent).await;
        consent["patient"] = json!({"reference": hidden});
        county.post("/fhir/Consent", &consent).await.is(422);
    }
    for (kind, value) in IDENTIFIERS {
        let searched = format!("{kind}?identifier=http://id|{value}");
        let mut goal = own("Goal", "new");
        goal["addresses"] = json!([{"reference": searched}]);
        let made = json!({"resource": goal, "request": {"method": "POST", "url": "Goal"}});
        county.post("/fhir", &bundle("transaction", vec![made])).await.is(422);
    }
    // And what came of it all, as the county finds it.
    for path in [
        "/fhir/Goal?_count=20",
        "/fhir/Task?_count=20",
        "/fhir/_history?_count=50",
        "/fhir/Patient/river-clinic-seen/$everything?_count=40",
    ] {
        county.pages(path).await;
    }
}

on_both!(h24_identifiers_that_somebody_else_has);
async fn h24_identifiers_that_somebody_else_has(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for (kind, value) in IDENTIFIERS {
        county.post(&format!("/fhir/{kind}"), &own(kind, value)).await.is(201);
        county.post(&format!("/fhir/{kind}"), &own(kind, value)).await.is(201);
    }
    for value in ["Cedar", "Doe"] {
        let found = county.found(&format!("/fhir/Patient?identifier=http://id%7C{value}")).await;
        assert_eq!(found.len(), 2, "its own: {found:?}");
    }
}

on_both!(h29_validation);
async fn h29_validation(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for hidden in HIDDEN {
        let kind = hidden.split('/').next().unwrap();
        county.post(&format!("/fhir/{kind}/$validate"), &guess(hidden)).await.is(200);
        county.post(&format!("/fhir/{kind}/$validate?profile=http://x/{hidden}"), &guess(hidden)).await.is(200);
        let mut goal = own("Goal", "new");
        goal["subject"] = json!({"reference": hidden});
        goal["addresses"] = json!([{"reference": hidden}]);
        county.post("/fhir/Goal/$validate", &goal).await.is(200);
        // Wrong in itself as well, so that all is said at once.
        goal["lifecycleStatus"] = json!("none");
        county.post("/fhir/Goal/$validate", &goal).await.is(200);
        county.post("/fhir/Goal", &goal).await.is(422);
        let at_instance = json!({"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": guess(hidden)}, {"name": "mode", "valueCode": "update"}]});
        county.post(&format!("/fhir/{hidden}/$validate"), &at_instance).await;
        let profiled = json!({"resourceType": "Condition", "subject": {"reference": hidden},
            "meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-condition-problems-health-concerns"]}});
        county.post("/fhir/Condition/$validate", &profiled).await.is(200);
        county.post("/fhir/Condition", &profiled).await.is(422);
    }
}

on_both!(h35_new_addresses);
async fn h35_new_addresses(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    // Each world has written another number of things by now: no address may tell how many.
    let made = county.post("/fhir/Goal", &own("Goal", "new")).await.is(201);
    assert!(made.header("location").ends_with("/_history/1"), "{}", made.header("location"));
    // The ids of a running server are drawn: two at one moment do not follow each other.
    let ids = handoff::gateway::Ids::Random;
    let at = handoff::fhir::Instant(1_700_000_000_000_000);
    let drawn: std::collections::BTreeSet<String> = (0..1_000).map(|_| ids.in_bucket(7, at)).collect();
    assert_eq!(drawn.len(), 1_000);
    let tails = |text: &String| u64::from_str_radix(&text.replace('-', "")[20..], 16).unwrap();
    let mut numbers: Vec<u64> = drawn.iter().map(tails).collect();
    numbers.sort_unstable();
    assert!(numbers.windows(2).filter(|two| two[1] - two[0] < 1_000).count() < 5, "they count");
    let unlinkable = [ids.unlinkable(), ids.unlinkable()];
    assert!(unlinkable.iter().all(|id| id.as_bytes()[14] == b'4') && unlinkable[0] != unlinkable[1]);
}

on_both!(h44_what_comes_back_of_a_referral);
async fn h44_what_comes_back_of_a_referral(on: On) {
    let two = Two::start(on).await;
    let (county, housing) = (two.county().await, two.of(crate::two_worlds::HOUSING).await);
    // The county refers somebody of its own to the housing agency, which records what it did. Of its records one is
    // shared with the county; another, in the full world alone, is not.
    let mut patient = normal(json!({"resourceType": "Patient", "name": [{"family": "Dale"}]}));
    patient["id"] = json!("county-social-service-dale");
    let dale = "Patient/county-social-service-dale";
    county.put(&format!("/fhir/{dale}"), &patient).await.is(201);
    let mut consent = crate::reach::permit(dale, crate::two_worlds::HOUSING, json!({}));
    consent["organization"] = json!([{"reference": format!("Organization/{COUNTY}")}]);
    county.post("/fhir/Consent", &consent).await.is(201);
    let mut task = about("Task", dale);
    task["id"] = json!("county-social-service-task");
    task["requester"] = json!({"reference": format!("Organization/{COUNTY}")});
    task["owner"] = json!({"reference": "Organization/harbor-housing"});
    let path = "/fhir/Task/county-social-service-task";
    county.put(path, &task).await.is(201);
    let hidden = "Observation/harbor-housing-hid-note";
    let keeper = two.full.gw.system(crate::two_worlds::HOUSING).await;
    let mut note = about("Observation", dale);
    note["code"] = json!({"text": "hidden"});
    crate::two_worlds::put(&keeper, "harbor-housing-hid-note", note).await;
    county.get(&format!("/fhir/{hidden}")).await.is(404);
    for status in ["accepted", "in-progress", "completed"] {
        let mut now = housing.get(path).await.is(200).body;
        let tag = format!("W/\"{}\"", now["meta"]["versionId"].as_str().unwrap());
        now["status"] = json!(status);
        if status == "completed" {
            now["output"] = json!([{"type": {"text": "note"}, "valueReference": {"reference": hidden}}]);
        }
        changes(&housing, Method::PUT, path, &[("if-match", &tag)], &now).await.is(200);
        county.get(path).await.is(200);
    }
    for query in [
        "Task?_include=*",
        "Task?_include=Task:focus&_include=Task:subject",
        "Task/county-social-service-task/_history",
        "Patient/county-social-service-dale/$everything",
        "Observation?patient=county-social-service-dale",
        "Patient?_has:Observation:patient:status=final",
    ] {
        county.pages(&format!("/fhir/{query}")).await;
    }
    assert_eq!(county.get(path).await.is(200).body["status"], "completed");
}

on_both!(nothing_that_is_hidden_was_changed_by_the_probes);
async fn nothing_that_is_hidden_was_changed_by_the_probes(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let clinic = two.full.gw.system(CLINIC).await;
    let before = clinic.get("/fhir/_history?_count=100").await.is(200).text;
    let paths = HIDDEN.iter().map(|hidden| Ask(Method::DELETE, format!("/fhir/{hidden}"), Vec::new()));
    for answer in county.all(paths.collect()).await {
        answer.is(404);
    }
    for kind in ["Goal", "Patient", "Condition", "Task", "Consent"] {
        county
            .send(
                Method::DELETE,
                &format!("/fhir/{kind}?_lastUpdated=gt2020-01-01&_id:not=county-social-service-own"),
                &[],
                None,
            )
            .await;
        county.send(Method::DELETE, &format!("/fhir/{kind}?_id=river-clinic-hid"), &[], None).await;
    }
    assert_eq!(clinic.get("/fhir/_history?_count=100").await.is(200).text, before);
}
