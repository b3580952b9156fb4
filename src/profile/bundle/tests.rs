use serde_json::json;

use super::*;
use crate::fhir::Severity;

fn said(bundle: &Value) -> Vec<String> {
    let spelled = check(&Profiles::bundled(), bundle).into_iter().map(|issue| {
        let mark = match issue.severity {
            Severity::Error => "",
            Severity::Warning => "?",
            Severity::Information => "!",
        };
        format!("{mark}{}@{}", issue.rule, issue.expression.trim_start_matches("Bundle."))
    });
    spelled.collect()
}

fn bundle(kind: &str, entries: Value) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

fn entry(full_url: &str, kind: &str, id: &str) -> Value {
    json!({"fullUrl": full_url, "resource": {"resourceType": kind, "id": id}})
}

#[test]
fn an_entry_is_called_by_an_absolute_url_that_fits_its_resource() {
    let nameless = json!({"resource": {"resourceType": "Patient", "id": "7"}});
    let table = [
        ("collection", entry("https://ehr.example/fhir/Patient/7", "Patient", "7"), vec![]),
        ("collection", entry("urn:uuid:00000000-0000-4000-8000-000000000001", "Patient", "7"), vec![]),
        ("collection", entry("https://ehr.example/anything", "Patient", "7"), vec![]),
        (
            "collection",
            entry("https://ehr.example/fhir/Patient/8", "Patient", "7"),
            vec!["full-url-id@entry[0].fullUrl"],
        ),
        ("collection", entry("https://ehr.example/fhir/Group/7", "Patient", "7"), vec!["full-url-id@entry[0].fullUrl"]),
        ("collection", entry("Patient/7", "Patient", "7"), vec!["full-url-relative@entry[0].fullUrl"]),
        ("collection", nameless.clone(), vec!["full-url-missing@entry[0].fullUrl"]),
        ("transaction", nameless.clone(), vec![]),
        ("batch-response", nameless, vec![]),
    ];
    for (kind, entry, expected) in table {
        assert_eq!(said(&bundle(kind, json!([entry]))), expected, "{kind} {entry}");
    }
}

#[test]
fn what_a_post_creates_needs_no_id_yet() {
    let entry = |method: &str| {
        json!({"fullUrl": "https://ehr.example/fhir/Patient/7", "resource": {"resourceType": "Patient"},
               "request": {"method": method, "url": "Patient"}})
    };
    assert!(said(&bundle("transaction", json!([entry("POST")]))).is_empty());
    assert_eq!(said(&bundle("transaction", json!([entry("PUT")]))), ["full-url-id@entry[0].fullUrl"]);
}

#[test]
fn links_that_page_belong_to_searches_and_histories() {
    let linked = |kind: &str, relations: &[&str]| {
        let mut bundle = bundle(kind, json!([]));
        bundle["link"] =
            relations.iter().map(|it| json!({"relation": it, "url": "https://a.example/Patient"})).collect();
        said(&bundle)
    };
    assert!(linked("searchset", &["self", "first", "next"]).is_empty());
    assert_eq!(linked("searchset", &["self", "next", "next"]), ["link-twice@link[2].relation"]);
    assert_eq!(linked("collection", &["self", "next"]), ["link-relation@link[1].relation"]);
    assert_eq!(linked("collection", &["self", "self"]), ["link-twice@link[1].relation"]);
}

#[test]
fn a_searchset_says_what_was_asked_and_why_each_is_there() {
    let found = |kind: &str, id: &str, mode: Option<&str>| {
        let mut entry = entry(&format!("https://a.example/{kind}/{id}"), kind, id);
        if let Some(mode) = mode {
            entry["search"] = json!({"mode": mode});
        }
        entry
    };
    let searchset = |entries: Vec<Value>| {
        let mut bundle = bundle("searchset", json!(entries));
        bundle["link"] = json!([{"relation": "self", "url": "https://a.example/fhir/Patient?name=x"}]);
        said(&bundle)
    };
    assert!(searchset(vec![found("Patient", "1", Some("match")), found("Group", "2", Some("include"))]).is_empty());
    assert_eq!(searchset(vec![found("Group", "1", Some("match"))]), ["searchset-type@entry[0].resource"]);
    assert_eq!(searchset(vec![found("Patient", "1", Some("outcome"))]), ["searchset-type@entry[0].resource"]);
    assert_eq!(searchset(vec![found("Patient", "1", None)]), ["?searchset-mode@entry"]);
    assert_eq!(said(&bundle("searchset", json!([found("Patient", "1", Some("match"))]))), ["?searchset-self@link"]);
}

/// A document or message of a first entry and others, with what each points at.
fn closed(kind: &str, entries: &[(&str, &str, Value)]) -> Vec<String> {
    let entries = entries.iter().map(|(url, kind, members)| {
        let id = url.rsplit(['/', ':']).next().unwrap_or("");
        let mut entry = entry(url, kind, id);
        members.as_object().into_iter().flatten().for_each(|(name, value)| entry["resource"][name] = value.clone());
        entry
    });
    said(&bundle(kind, entries.collect()))
}

#[test]
fn a_document_holds_what_its_composition_points_at() {
    let subject = |reference: &str| json!({"subject": {"reference": reference}});
    let (first, patient) = ("https://a.example/Composition/1", "https://a.example/Patient/7");
    let document = |reference: &str| {
        closed("document", &[(first, "Composition", subject(reference)), (patient, "Patient", json!({}))])
    };
    assert!(document("Patient/7").is_empty());
    assert!(document("https://a.example/Patient/7").is_empty());
    let apart = "entry-apart@entry[1]";
    let outside = "reference-outside@entry[0].resource.subject";
    assert_eq!(document("Patient/8"), [outside, apart]);
    assert_eq!(document("https://b.example/Patient/7"), [outside, apart]);
    assert_eq!(document("Patient/7/_history/2"), [outside, apart]);
}

#[test]
fn other_references_of_a_document_may_lead_out() {
    let composition = json!({"subject": {"reference": "Patient/7"}});
    let patient = json!({"managingOrganization": {"reference": "Organization/9"}});
    let found = closed(
        "document",
        &[
            ("https://a.example/Composition/1", "Composition", composition),
            ("https://a.example/Patient/7", "Patient", patient),
        ],
    );
    assert_eq!(found, ["!reference-outside@entry[1].resource.managingOrganization"]);
}

#[test]
fn everything_in_a_document_or_message_is_led_to() {
    let back = json!({"subject": {"reference": "Patient/7"}});
    let provenance = json!({"target": [{"reference": "Patient/7"}]});
    let with = |kind: &str, first: &str, head: Value, extra: (&str, &str, Value)| {
        closed(
            kind,
            &[
                (&format!("https://a.example/{first}/1"), first, head),
                ("https://a.example/Patient/7", "Patient", json!({})),
                extra,
            ],
        )
    };
    let document = |extra| with("document", "Composition", json!({"subject": {"reference": "Patient/7"}}), extra);
    let message = |extra| with("message", "MessageHeader", json!({"focus": [{"reference": "Patient/7"}]}), extra);
    let goal = ("https://a.example/Goal/2", "Goal", back);
    assert_eq!(document(goal.clone()), ["?entry-apart@entry[2]"]);
    assert_eq!(message(goal), ["!entry-apart@entry[2]"]);
    assert!(document(("https://a.example/Provenance/2", "Provenance", provenance)).is_empty());
    let stranger = ("https://a.example/Goal/2", "Goal", json!({}));
    assert_eq!(document(stranger.clone()), ["entry-apart@entry[2]"]);
    assert_eq!(message(stranger), ["?entry-apart@entry[2]"]);
}

#[test]
fn a_urn_leads_to_an_entry_of_its_bundle_and_to_one_alone() {
    let (one, other) =
        ("urn:uuid:00000000-0000-4000-8000-000000000001", "urn:uuid:00000000-0000-4000-8000-000000000002");
    let goal = |reference: &str| json!({"fullUrl": other, "resource": {"resourceType": "Goal", "subject": {"reference": reference}}});
    let patient = entry(one, "Patient", "7");
    assert!(said(&bundle("collection", json!([patient, goal(one)]))).is_empty());
    let nobody = "urn:uuid:00000000-0000-4000-8000-000000000003";
    assert_eq!(
        said(&bundle("collection", json!([patient, goal(nobody)]))),
        ["?reference-outside@entry[1].resource.subject"]
    );
    assert_eq!(
        said(&bundle("collection", json!([patient, patient, goal(one)]))),
        ["reference-several@entry[2].resource.subject"]
    );
}

#[test]
fn a_reference_names_the_type_that_it_leads_to() {
    let goal = json!({"fullUrl": "https://a.example/x/Goal/1", "resource": {"resourceType": "Goal", "id": "1", "subject": {"reference": "Patient/7"}}});
    let entry = json!({"fullUrl": "https://a.example/x/Patient/7", "resource": {"resourceType": "Group", "id": "7"}});
    assert_eq!(
        said(&bundle("collection", json!([goal, entry]))),
        ["full-url-id@entry[1].fullUrl", "reference-target@entry[0].resource.subject"]
    );
}
