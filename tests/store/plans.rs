//! No search that US Core or SDOHCC asks for walks a table: the plan that each database makes of it names an index for
//! every step.

use handoff::consent::Condition;
use handoff::store::Follow;

use crate::on_both;
use crate::suite::{Exchange, own, shared};

/// Every search parameter combination of ../shared/reference/search-requirements.md that is SHALL or SHOULD, with the
/// includes that go with them. `ID` is a person.
const SEARCHES: [&str; 77] = [
    "AllergyIntolerance?patient=ID&clinical-status=active",
    "CarePlan?patient=ID&category=assess-plan&_revinclude=Provenance:target",
    "CarePlan?patient=ID&category=assess-plan&status=active&date=ge2026",
    "CareTeam?patient=ID&status=active",
    "CareTeam?patient=ID&role=http://snomed.info/sct|17561000",
    "Condition?patient=ID&category=problem-list-item&clinical-status=active",
    "Condition?patient=ID&category=encounter-diagnosis&encounter=Encounter/1",
    "Condition?patient=ID&code=http://x|1",
    "Condition?patient=ID&onset-date=ge2026&abatement-date=le2027",
    "Condition?patient=ID&recorded-date=2026&asserted-date=2026",
    "Condition?patient=ID&_lastUpdated=ge2026-01-01T00:00:00Z",
    "Coverage?patient=ID",
    "Device?patient=ID&type=x&status=active",
    "DiagnosticReport?patient=ID&category=LAB&date=ge2026",
    "DiagnosticReport?patient=ID&code=x&date=lt2027",
    "DocumentReference?patient=ID&type=x&period=2026",
    "DocumentReference?patient=ID&category=clinical-note&date=ge2026",
    "Encounter?patient=ID&date=ge2026",
    "Encounter?patient=ID&class=AMB&status=finished&type=x",
    "Encounter?patient=ID&location=Location/1&discharge-disposition=home",
    "Encounter?identifier=http://x|1",
    "Encounter?_id=1",
    "Goal?patient=ID&target-date=ge2026",
    "Goal?patient=ID&description=x&lifecycle-status=active",
    "Goal?patient=ID&achievement-status=in-progress&category=x",
    "Immunization?patient=ID&date=ge2026&status=completed",
    "Location?name=pier",
    "Location?address=main&address-city=boston&address-state=MA&address-postalcode=02101",
    "Medication?_id=1",
    "MedicationDispense?patient=ID&status=completed&type=x",
    "MedicationRequest?patient=ID&intent=order&status=active&_include=MedicationRequest:medication",
    "MedicationRequest?patient=ID&intent=order&encounter=Encounter/1&authoredon=ge2026",
    "Observation?patient=ID&category=survey&date=ge2026",
    "Observation?patient=ID&code=x&date=ge2026&date=le2027",
    "Observation?patient=ID&category=laboratory&status=final&_lastUpdated=ge2026",
    "Organization?name=harbor",
    "Organization?address=main",
    "Patient?_id=ID",
    "Patient?identifier=http://x|1",
    "Patient?name=alder",
    "Patient?birthdate=1990-05-17&family=alder",
    "Patient?birthdate=1990-05-17&name=alder",
    "Patient?gender=female&name=alder",
    "Patient?family=alder&gender=female",
    "Patient?death-date=2026&family=alder",
    "Practitioner?name=reed",
    "Practitioner?identifier=http://x|1",
    "PractitionerRole?specialty=x&practitioner.name=reed",
    "PractitionerRole?practitioner.identifier=http://x|1&_include=PractitionerRole:endpoint",
    "PractitionerRole?organization=Organization/1&_include=PractitionerRole:practitioner",
    "Procedure?patient=ID&date=ge2026&code=x",
    "Procedure?patient=ID&status=completed",
    "Provenance?target=Observation/1",
    "QuestionnaireResponse?patient=ID&authored=ge2026&status=completed",
    "QuestionnaireResponse?patient=ID&questionnaire=http://x/q",
    "Questionnaire?url=http://x/q&version=1",
    "RelatedPerson?patient=ID&name=alder",
    "ServiceRequest?patient=ID&category=x&authored=ge2026",
    "ServiceRequest?patient=ID&code=x&status=active",
    "ServiceRequest?_id=1&_include=ServiceRequest:patient",
    "ServiceRequest?requester=Practitioner/1&intent=order",
    "ServiceRequest?performer=Organization/1&occurrence=ge2026",
    "ServiceRequest?supporting-info=Observation/1",
    "Specimen?patient=ID",
    "Specimen?_id=1",
    "Task?owner=Organization/1&status=requested",
    "Task?requester=Organization/1&code=x",
    "Task?patient=ID&status=requested",
    "Task?focus=ServiceRequest/1&_include=Task:focus",
    "Task?output=Observation/1",
    "Task?owner=Organization/1&_sort=-_lastUpdated",
    "HealthcareService?location=Location/1&_include=HealthcareService:location",
    "Group?member=Patient/1",
    "Consent?source-reference=DocumentReference/1&_include=Consent:source-reference:DocumentReference",
    "Patient?_has:Observation:patient:performer=Practitioner/1",
    "Condition?patient=ID&patient.family=alder",
    "Goal?patient=ID&patient._has:Observation:patient:code=x",
];

on_both!(every_step_of_a_search_names_an_index);
async fn every_step_of_a_search_names_an_index(exchange: Exchange) {
    let reach = shared("river-clinic", "ana", Condition::Always);
    for search in SEARCHES {
        let (kind, query) = search.split_once('?').unwrap();
        let query = exchange.query_of(kind, &query.replace("ID", "ana"));
        for reach in [&own("river-clinic"), &reach] {
            for steps in exchange.store.plans(&query, reach).await.unwrap() {
                let walks: Vec<&String> = steps.iter().filter(|step| is_walk(step)).collect();
                assert!(walks.is_empty(), "{search}: {walks:?} in {steps:#?}");
            }
        }
    }
}

on_both!(what_comes_along_is_found_by_indexes_too);
async fn what_comes_along_is_found_by_indexes_too(exchange: Exchange) {
    let text = |text: &str| text.to_string();
    let of = [(1, text("CarePlan"), text("a")), (2, text("CarePlan"), text("b"))];
    let kinds = [text("Patient"), text("Organization"), text("Provenance"), text("Goal")];
    let reach = shared("river-clinic", "ana", Condition::Always);
    for follow in [
        Follow::From { params: vec![text("subject"), text("goal")], target: None },
        Follow::From { params: vec![text("subject")], target: Some(text("Patient")) },
        Follow::To { links: vec![(text("Provenance"), text("target")), (text("Goal"), text("patient"))] },
    ] {
        for reach in [&own("river-clinic"), &reach] {
            let steps = exchange.store.include_plan(&follow, &of, &kinds, reach).await.unwrap();
            let walks: Vec<&String> = steps.iter().filter(|step| is_walk(step)).collect();
            assert!(walks.is_empty(), "{follow:?}: {walks:?} in {steps:#?}");
        }
    }
}

/// A step that reads a whole table, not a subquery's few rows.
fn is_walk(step: &str) -> bool {
    let tables = ["r", "x", "f", "l", "g", "resource", "further_patient"];
    let of_sqlite = step.strip_prefix("SCAN ").is_some_and(|rest| tables.contains(&rest.split(' ').next().unwrap()));
    // A chain that is tested row by row leads to one resource, not through all of its type.
    let of_type = step.contains(" EXISTS ") && step.contains("resource") && step.ends_with("(kind=?)");
    of_sqlite || of_type || step.contains("Seq Scan on")
}
