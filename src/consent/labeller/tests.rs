//! Labels as tables, by the lists that are shipped and by a few of our own.

use serde_json::{Value, json};

use super::*;
use crate::consent::sensitivity::Document;
use crate::fhir::Severity;

fn shipped() -> Lists {
    Lists::over_bundled(&[])
}

fn resource(value: Value) -> Resource {
    Resource::from_value(value).unwrap()
}

fn coded(system: &str, code: &str) -> Resource {
    resource(json!({"resourceType": "Condition", "code": {"coding": [{"system": system, "code": code}]}}))
}

fn noted(text: &str) -> Resource {
    resource(json!({"resourceType": "Condition", "note": [{"text": text}]}))
}

fn with_labels(mut resource: Resource, codes: &[&str]) -> Resource {
    let system = |code: &str| if rank(code).is_some() || code == "X" { CONFIDENTIALITY } else { ACT_CODE };
    resource.set_labels(codes.iter().map(|code| json!({"system": system(code), "code": code})).collect());
    resource
}

fn codes(mut resource: Resource, stored: Option<&Resource>) -> Vec<String> {
    let labelling = label(&mut resource, stored, &shipped(), &[]);
    let there: Vec<String> = resource.labels().iter().map(|label| label.code.to_string()).collect();
    assert_eq!(labelling.codes, there);
    there
}

const ICD: &str = "http://hl7.org/fhir/sid/icd-10-cm";
const SNOMED: &str = "http://snomed.info/sct";
const LOINC: &str = "http://loinc.org";
const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
const HCPCS: &str = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets";
const SDOHCC: &str = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes";

#[test]
fn the_shipped_lists_can_be_read_and_every_entry_says_where_it_comes_from() {
    let document = Document::bundled().unwrap();
    let lists = shipped();
    assert!(!lists.is_blind && lists.version().starts_with("handoff@"));
    assert!(lists.listed().iter().all(|line| line.count > 0 && line.source.len() > 5), "{:?}", lists.listed());
    assert_eq!(lists.listed().len(), Lists::of([document, document].into_iter()).listed().len() / 2);
}

#[test]
fn codes_ask_for_their_labels_and_nothing_found_is_normal() {
    for (system, code, expected) in [
        (ICD, "J45.909", &["N"][..]),
        (ICD, "F17.210", &["N"]),
        (ICD, "F11.20", &["R", "SUD", "OPIOIDUD"]),
        (ICD, "f1120", &["R", "SUD", "OPIOIDUD"]),
        ("urn:oid:2.16.840.1.113883.6.90", "F10.10", &["R", "SUD", "ETHUD"]),
        (ICD, "B20", &["R", "HIV"]),
        (ICD, "B2", &["N"]),
        (ICD, "T74.11XA", &["R", "SDV", "VIO"]),
        (ICD, "F32.1", &["R", "MH", "PSY"]),
        (ICD, "A54.9", &["R", "STD"]),
        (ICD, "D57.1", &["R", "SICKLE"]),
        (ICD, "Z33.2", &["R", "SEX", "PREGNANT"]),
        (ICD, "F64.0", &["R", "GENDER"]),
        (SNOMED, "86406008", &["R", "HIV"]),
        (SNOMED, "706893006", &["R", "SDV", "VIO"]),
        (LOINC, "76504-0", &["R", "SDV", "VIO"]),
        (LOINC, "44249-1", &["R", "MH"]),
        (LOINC, "8480-6", &["N"]),
        (RXNORM, "6813", &["R", "SUD", "OPIOIDUD"]),
        (RXNORM, "195085", &["R", "HIV"]),
        (HCPCS, "H0020", &["R", "SUD", "OPIOIDUD"]),
        (SDOHCC, "intimate-partner-violence", &["R", "SDV", "VIO"]),
        (SDOHCC, "food-insecurity", &["N"]),
        ("http://elsewhere.example", "B20", &["N"]),
    ] {
        let mut expected: Vec<&str> = expected.to_vec();
        let mut found = codes(coded(system, code), None);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{system} {code}");
    }
}

#[test]
fn codes_are_found_wherever_they_stand() {
    let hiv = json!({"coding": [{"system": ICD, "code": "B20"}]});
    for value in [
        json!({"resourceType": "MedicationRequest", "contained": [{"resourceType": "Condition", "code": hiv}]}),
        json!({"resourceType": "Condition", "extension": [{"url": "x", "valueCodeableConcept": hiv}]}),
        json!({"resourceType": "Claim", "diagnosis": [{"diagnosisCodeableConcept": hiv}]}),
        json!({"resourceType": "QuestionnaireResponse", "item": [{"linkId": "1", "answer": [
            {"valueCoding": {"system": ICD, "code": "B20"}}]}]}),
    ] {
        assert_eq!(codes(resource(value.clone()), None), ["R", "HIV"], "{value}");
    }
    for value in [
        json!({"resourceType": "QuestionnaireResponse", "item": [{"linkId": "/76501-6"}]}),
        json!({"resourceType": "QuestionnaireResponse", "item": [{"linkId": "95618-5"}]}),
    ] {
        assert_eq!(codes(resource(value.clone()), None)[0], "R", "{value}");
    }
    let form = json!({"resourceType": "QuestionnaireResponse", "questionnaire": "http://loinc.org/q/44249-1|2.7"});
    assert_eq!(codes(resource(form), None), ["R", "MH"]);
    // Labels are no content.
    let tagged = json!({"resourceType": "Goal", "meta": {"tag": [{"system": ICD, "code": "B20"}]}});
    assert_eq!(codes(resource(tagged), None), ["N"]);
}

#[test]
fn what_a_sender_says_is_kept_and_never_lowered() {
    let hiv = || coded(ICD, "B20");
    let asthma = || coded(ICD, "J45.909");
    for (sent, stored, expected) in [
        (with_labels(asthma(), &["R"]), None, &["R"][..]),
        (with_labels(asthma(), &["U"]), None, &["U"]),
        (with_labels(hiv(), &["N"]), None, &["N", "R", "HIV"]),
        (with_labels(hiv(), &["V"]), None, &["V", "HIV"]),
        (with_labels(hiv(), &["HIV"]), None, &["HIV", "R"]),
        // Its own sensitivity, without a confidentiality, is a sensitive finding too.
        (with_labels(asthma(), &["PSY"]), None, &["PSY", "R"]),
        (with_labels(asthma(), &["DEMO"]), None, &["DEMO", "N"]),
        // What is not known could be the highest: it stays the only one.
        (with_labels(hiv(), &["X"]), None, &["X", "HIV"]),
        // What the version before had stays; our own "nothing was found" goes when somebody says more.
        (asthma(), Some(with_labels(asthma(), &["R", "HIV"])), &["R", "HIV"]),
        (with_labels(asthma(), &["N"]), Some(with_labels(asthma(), &["V"])), &["N", "V"]),
        (hiv(), Some(labelled(asthma())), &["R", "HIV"]),
        (with_labels(asthma(), &["V"]), Some(labelled(asthma())), &["V"]),
        (with_labels(asthma(), &["L"]), Some(labelled(asthma())), &["L", "N"]),
        (asthma(), Some(labelled(hiv())), &["R", "HIV"]),
    ] {
        assert_eq!(codes(sent.clone(), stored.as_ref()), expected, "{:?}", sent.value());
    }
}

fn labelled(mut resource: Resource) -> Resource {
    label(&mut resource, None, &shipped(), &[]);
    resource
}

#[test]
fn labelling_what_is_labelled_changes_nothing() {
    for sent in [coded(ICD, "B20"), coded(ICD, "J45.909"), noted("domestic violence"), noted("a cough")] {
        let once = labelled(sent);
        let mut twice = once.clone();
        assert!(!label(&mut twice, Some(&once), &shipped(), &[]).is_changed);
        assert_eq!(once, twice);
    }
}

#[test]
fn words_alone_leave_it_unclassified_until_somebody_says_so() {
    let none: &[&str] = &[];
    let told = labelled(noted("a cough"));
    for (sent, stored, expected) in [
        (noted("a cough"), None, &["N"][..]),
        (noted("Fled her home: Domestic Violence"), None, none),
        (noted("víctima de violencia doméstica"), None, none),
        (resource(json!({"resourceType": "Goal", "text": {"div": "<div>VIH</div>"}})), None, none),
        (resource(json!({"resourceType": "Goal", "description": {"text": "stay off heroin"}})), None, none),
        // A code that says the same, a label, or a confidentiality of the sender's.
        (with_labels(noted("domestic violence"), &["N"]), None, &["N"]),
        (with_labels(noted("domestic violence"), &["SDV"]), None, &["SDV", "R"]),
        (with_labels(noted("cocaine"), &["ETH"]), None, &["ETH", "R"]),
        // Another code does not.
        (with_labels(noted("domestic violence"), &["HIV"]), None, &["HIV"]),
        // Our "nothing was found" is no longer true; a sender's earlier word must stay, and is raised.
        (noted("domestic violence"), Some(told.clone()), none),
        (with_note(&told, "domestic violence"), Some(told.clone()), none),
        (noted("domestic violence"), Some(with_labels(noted("a cough"), &["N"])), &["N", "R"]),
        // Mended.
        (noted("a cough"), Some(labelled(noted("domestic violence"))), &["N"]),
    ] {
        assert_eq!(codes(sent.clone(), stored.as_ref()), expected, "{}", sent.value());
    }
    let mut both = coded(ICD, "B20");
    both.set("note", json!([{"text": "HIV since 2019"}]));
    assert_eq!(codes(both, None), ["R", "HIV"]);
    let mut where_ = noted("domestic violence");
    let labelling = label(&mut where_, None, &shipped(), &[]);
    assert_eq!(
        (labelling.hinted_at, labelling.hints),
        (vec!["Condition.note[0].text".into()], vec!["SDV".into(), "VIO".into()])
    );
}

fn with_note(resource: &Resource, text: &str) -> Resource {
    let mut resource = resource.clone();
    resource.set("note", json!([{"text": text}]));
    resource
}

#[test]
fn what_comes_from_under_a_regime_is_labelled_with_it() {
    let mut goal = resource(json!({"resourceType": "Goal"}));
    let regimes = ["hipaa".to_string(), "part2".to_string()];
    assert_eq!(label(&mut goal, None, &shipped(), &regimes).codes, ["R", "42CFRPart2"]);
    let mut goal = resource(json!({"resourceType": "Goal"}));
    assert_eq!(label(&mut goal, None, &shipped(), &regimes[..1]).codes, ["N"]);
}

#[test]
fn a_later_document_replaces_a_list_and_adds_others() {
    let document = Document::read(&json!({
        "name": "county", "version": "3",
        "confidentiality": {"SEX": "V"},
        "lists": [
            {"id": "icd-hiv", "system": ICD, "labels": ["HIV"], "source": "s", "why": "w", "codes": []},
            {"id": "county-1", "system": "urn:county", "labels": ["SEX"], "source": "s", "why": "w", "codes": ["a"]}],
        "words": [{"id": "w", "labels": ["SEX"], "source": "s", "why": "w", "words": ["secret word"]}]
    }))
    .unwrap();
    let lists = Lists::over_bundled(&[document]);
    let codes = |mut resource: Resource| label(&mut resource, None, &lists, &[]).codes;
    assert_eq!(codes(coded(ICD, "B20")), ["N"]);
    assert_eq!(codes(coded(ICD, "A54")), ["R", "STD"]);
    assert_eq!(codes(coded("urn:county", "a")), ["V", "SEX"]);
    assert!(codes(noted("a Secret Word")).is_empty());
}

#[test]
fn every_problem_of_a_document_is_said_with_its_place() {
    let issues = Document::read(&json!({
        "version": "1", "extra": 1,
        "confidentiality": {"HIV": "Q", "NOPE": "R"},
        "lists": [
            {"id": "a", "system": "s", "labels": ["HIV", "XYZ"], "source": "s", "why": "w", "codes": [{"display": "x"}]},
            {"id": "a", "labels": [], "prefixes": ["F"]}],
        "words": [{"id": "w", "labels": ["HIV"], "source": "s", "why": "w", "words": ["--", 3]}]
    }))
    .unwrap_err();
    assert!(issues.iter().all(|issue| issue.severity == Severity::Error));
    let places: Vec<&str> = issues.iter().map(|issue| issue.expression.as_str()).collect();
    for place in [
        "extra",
        "name",
        "confidentiality.HIV",
        "confidentiality.NOPE",
        "lists[0].labels[1]",
        "lists[0].codes[0]",
        "lists[1].system",
        "lists[1].labels",
        "lists[1].prefixes[0]",
        "lists[1].why",
        "lists[1].source",
        "words[0].words[1]",
        "words[0].words[0]",
        "lists",
    ] {
        assert!(places.contains(&place), "{place} is not in {places:?}");
    }
    assert!(Document::read(&json!([])).is_err());
}

#[test]
fn what_is_no_list_of_labels_is_left_to_be_refused() {
    let mut odd = resource(json!({"resourceType": "Goal", "meta": {"security": {"system": "s", "code": "c"}}}));
    let before = odd.clone();
    assert_eq!(label(&mut odd, None, &shipped(), &[]), Labelling::default());
    assert_eq!(odd, before);
}
