//! How much of a resource is answered: `_summary` and `_elements` (FHIR R4 search.html#summary, #elements).

use serde_json::{Map, Value, json};

use super::element::choice_suffix;
use super::resource::Resource;

const TAGS: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const ELEMENTS_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq)]
pub enum View {
    Whole,
    /// These and what is mandatory.
    Elements(Vec<String>),
    /// What the definitions mark as summary.
    Summary,
    /// The narrative, id, meta and what is mandatory.
    Text,
    /// All but the narrative.
    Data,
}

/// What the definition of a type, or of an element with elements inside, says of these by their JSON names.
pub trait Outline {
    fn element(&self, json: &str) -> Option<Shown<'_>>;
}

pub struct Shown<'o> {
    pub summary: bool,
    /// A resource must have it.
    pub mandatory: bool,
    /// The elements inside; `None` for a primitive.
    pub inner: Option<Box<dyn Outline + 'o>>,
}

impl View {
    /// The value of `_summary`; `None` when it is none. `count` is a search's own matter.
    pub fn summary(value: &str) -> Option<View> {
        Some(match value {
            "true" => View::Summary,
            "text" => View::Text,
            "data" => View::Data,
            "false" | "count" => View::Whole,
            _ => return None,
        })
    }

    /// The value of `_elements`; a name may say its type, `Patient.name`.
    pub fn elements(value: &str) -> Option<View> {
        let names: Vec<String> = value.split(',').map(|name| name.trim().to_string()).collect();
        let fits = |name: &String| {
            !name.is_empty()
                && name.len() <= 64
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        };
        (names.len() <= ELEMENTS_MAX && names.iter().all(fits)).then_some(View::Elements(names))
    }

    /// The part of a resource that is answered, tagged as subsetted.
    pub fn of(&self, resource: Resource, outline: &dyn Outline) -> Resource {
        let kind = resource.kind().to_string();
        let Value::Object(whole) = resource.value() else { return resource };
        let taken: Map<String, Value> = match self {
            View::Whole => return resource,
            View::Data => whole.iter().filter(|(key, _)| *key != "text").map(own).collect(),
            View::Text => {
                let wanted = |key: &str| key == "text" || is_mandatory(key, outline);
                whole.iter().filter(|(key, _)| leads(key) || wanted(key)).map(own).collect()
            }
            View::Summary => summary(whole, outline, true),
            View::Elements(names) => {
                let names: Vec<&str> = names
                    .iter()
                    .filter_map(|name| match name.split_once('.') {
                        None => Some(name.as_str()),
                        // Deeper elements bring the one that they are in.
                        Some((first, rest)) if first == kind => rest.split('.').next(),
                        Some((first, _)) if first.starts_with(|letter: char| letter.is_ascii_uppercase()) => None,
                        Some((first, _)) => Some(first),
                    })
                    .collect();
                let wanted = |key: &str| names.iter().any(|name| is_named(key, name)) || is_mandatory(key, outline);
                whole.iter().filter(|(key, _)| leads(key) || wanted(key)).map(own).collect()
            }
        };
        tagged(taken)
    }
}

fn own((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

fn leads(key: &str) -> bool {
    matches!(key, "resourceType" | "id" | "meta")
}

/// Whether a JSON name is that element's: itself, its sibling for extensions, or one of its choices.
fn is_named(key: &str, name: &str) -> bool {
    let key = plain(key);
    key == name || choice_suffix(key, name).is_some()
}

fn plain(key: &str) -> &str {
    key.strip_prefix('_').unwrap_or(key)
}

fn is_mandatory(key: &str, outline: &dyn Outline) -> bool {
    outline.element(plain(key)).is_some_and(|shown| shown.mandatory)
}

fn summary(object: &Map<String, Value>, outline: &dyn Outline, root: bool) -> Map<String, Value> {
    let mut taken = Map::new();
    for (key, value) in object {
        let value = match outline.element(plain(key)).filter(|shown| shown.summary) {
            _ if root && leads(key) => value.clone(),
            None => continue,
            Some(Shown { inner: Some(inner), .. }) => part(value, inner.as_ref()),
            Some(_) => value.clone(),
        };
        if !matches!(&value, Value::Object(object) if object.is_empty()) {
            taken.insert(key.clone(), value);
        }
    }
    taken
}

fn part(value: &Value, outline: &dyn Outline) -> Value {
    match value {
        Value::Object(object) => Value::Object(summary(object, outline, false)),
        Value::Array(list) => list.iter().map(|item| part(item, outline)).collect(),
        other => other.clone(),
    }
}

/// A client must know that this is not all (FHIR R4 search.html#summary).
fn tagged(mut taken: Map<String, Value>) -> Resource {
    let tag = json!({"system": TAGS, "code": "SUBSETTED"});
    let mut meta = taken.get("meta").cloned().unwrap_or_else(|| json!({}));
    match meta.get_mut("tag").and_then(Value::as_array_mut) {
        Some(tags) if tags.contains(&tag) => {}
        Some(tags) => tags.push(tag),
        None => meta["tag"] = json!([tag]),
    }
    taken.insert("meta".to_string(), meta);
    Resource::from_value(Value::Object(taken)).unwrap_or_else(|| Resource::new("OperationOutcome"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `startDate` and `target.dueDate` are summary, `lifecycleStatus` is mandatory.
    struct GoalOutline;
    struct TargetOutline;

    impl Outline for GoalOutline {
        fn element(&self, json: &str) -> Option<Shown<'_>> {
            let inner = (json == "target").then(|| -> Box<dyn Outline> { Box::new(TargetOutline) });
            let (summary, mandatory) = (matches!(json, "startDate" | "target"), json == "lifecycleStatus");
            Some(Shown { summary, mandatory, inner })
        }
    }

    impl Outline for TargetOutline {
        fn element(&self, json: &str) -> Option<Shown<'_>> {
            Some(Shown { summary: json == "dueDate", mandatory: false, inner: None })
        }
    }

    #[test]
    fn a_view_keeps_what_was_asked_for_and_what_must_be_there() {
        let goal = json!({"resourceType": "Goal", "id": "1", "meta": {"versionId": "1"}, "text": {"status": "generated"},
            "lifecycleStatus": "active", "startDate": "2026", "_startDate": {"id": "x"}, "note": [{"text": "n"}],
            "target": [{"dueDate": "2027", "measure": {"text": "m"}}]});
        let elements = |text: &str| View::elements(text).unwrap();
        for (view, expected) in [
            (View::Whole, vec!["text", "lifecycleStatus", "startDate", "_startDate", "note", "target"]),
            (elements("start,Goal.note,Patient.text"), vec!["lifecycleStatus", "startDate", "_startDate", "note"]),
            (View::Summary, vec!["startDate", "_startDate", "target"]),
            (View::Text, vec!["text", "lifecycleStatus"]),
            (View::Data, vec!["lifecycleStatus", "startDate", "_startDate", "note", "target"]),
        ] {
            let resource = Resource::from_value(goal.clone()).unwrap();
            let shown = view.of(resource, &GoalOutline).into_value();
            let keys: Vec<&str> =
                shown.as_object().unwrap().keys().map(String::as_str).filter(|key| !leads(key)).collect();
            assert_eq!(keys, expected, "{view:?}");
            assert_eq!(shown["meta"]["tag"].is_array(), view != View::Whole);
        }
        assert_eq!(View::elements("a,$b"), None);
        let shown = View::Summary.of(Resource::from_value(goal).unwrap(), &GoalOutline).into_value();
        assert_eq!(shown["target"], json!([{"dueDate": "2027"}]));
    }
}
