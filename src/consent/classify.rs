//! What a resource speaks of, by its codes and by its words, in one walk.
//!
//! Codes are looked at anywhere but in `meta`, contained resources included; of a QuestionnaireResponse the questions
//! count as codes too, since an answer without its question says little. What codes say is found; what only words
//! say is a hint, and a hint asks for care, not for a label (issue 4: free text that looks sensitive is treated as unlabelled).

use serde_json::Value;

use super::sensitivity::{Lists, Mask};
use crate::fhir::Resource;

const LOINC: &str = "http://loinc.org";
/// LOINC's own questionnaires: `http://loinc.org/q/44249-1`.
const LOINC_QUESTIONNAIRE: &str = "http://loinc.org/q/";
/// Elements that hold what people write.
const TEXTS: [&str; 14] = [
    "text",
    "div",
    "display",
    "description",
    "title",
    "comment",
    "conclusion",
    "summary",
    "details",
    "note",
    "patientInstruction",
    "contentString",
    "valueString",
    "valueMarkdown",
];

/// What was found in a resource.
#[derive(Debug, Default, PartialEq)]
pub struct Findings {
    /// The labels that codes ask for.
    pub labels: Mask,
    /// What words speak of: of each, labels of which one says so.
    pub hints: Vec<Mask>,
}

pub fn classify(resource: &Resource, lists: &Lists) -> Findings {
    let mut found = Findings::default();
    let members = resource.value().as_object().into_iter().flatten().filter(|(name, _)| *name != "meta");
    members.for_each(|(name, value)| visit(name, value, lists, &mut found));
    found
}

/// The elements whose words give one of these hints, as FHIRPath.
pub fn places(resource: &Resource, lists: &Lists, hints: &[Mask]) -> Vec<String> {
    let mut places = Vec::new();
    let members = resource.value().as_object().into_iter().flatten().filter(|(name, _)| *name != "meta");
    for (name, value) in members {
        locate(&format!("{}.{name}", resource.kind()), name, value, lists, hints, &mut places);
    }
    places
}

fn visit(name: &str, value: &Value, lists: &Lists, found: &mut Findings) {
    match value {
        Value::Object(object) => {
            if let (Some(Value::String(system)), Some(Value::String(code))) = (object.get("system"), object.get("code"))
            {
                found.labels |= lists.of_code(system, code);
            }
            object.iter().for_each(|(name, child)| visit(name, child, lists, found));
        }
        Value::Array(list) => list.iter().for_each(|item| visit(name, item, lists, found)),
        Value::String(text) => match name {
            // Forms made from LOINC panels name their questions by code, some with a slash before it.
            "linkId" => found.labels |= lists.of_code(LOINC, text.rsplit('/').next().unwrap_or(text)),
            "questionnaire" => {
                let code = text.strip_prefix(LOINC_QUESTIONNAIRE).and_then(|rest| rest.split('|').next());
                found.labels |= code.map_or(0, |code| lists.of_code(LOINC, code));
            }
            name if TEXTS.contains(&name) => lists.words.find(text, name == "div", &mut found.hints),
            _ => {}
        },
        _ => {}
    }
}

fn locate(path: &str, name: &str, value: &Value, lists: &Lists, hints: &[Mask], places: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, child) in object {
                locate(&format!("{path}.{name}"), name, child, lists, hints, places);
            }
        }
        Value::Array(list) => {
            for (at, item) in list.iter().enumerate() {
                locate(&format!("{path}[{at}]"), name, item, lists, hints, places);
            }
        }
        Value::String(text) if TEXTS.contains(&name) => {
            let mut found = Vec::new();
            lists.words.find(text, name == "div", &mut found);
            if found.iter().any(|hint| hints.contains(hint)) {
                places.push(path.to_string());
            }
        }
        _ => {}
    }
}
