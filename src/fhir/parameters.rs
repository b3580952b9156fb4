//! A Parameters resource as the input of an operation (FHIR R4 parameters.html): the same pairs that an address has.

use serde_json::{Value, json};

use super::element::Element;
use super::outcome::Issue;
use super::resource::Resource;

/// Most parameters of one operation.
const PAIRS_MAX: usize = 1_000;

/// The parameters as name and text: primitives as they are, references by what they point at, codes as a search has
/// them.
///
/// # Errors
/// That it is no Parameters, and every parameter whose value cannot be a text.
pub fn pairs(parameters: &Resource) -> Result<Vec<(String, String)>, Vec<Issue>> {
    let found = each(parameters)?;
    let (mut pairs, mut issues) = (Vec::new(), Vec::new());
    for (at, parameter) in found.into_iter().enumerate() {
        match (parameter.text("name"), value(parameter).and_then(|(kind, value)| text(kind, value))) {
            (Some(name), Some(text)) => pairs.push((name.to_string(), text)),
            _ => {
                let place = format!("Parameters.parameter[{at}]");
                let text = format!("`{place}`: expected a `name` and a value that this operation takes");
                issues.push(Issue::error("value", "parameter-value", text).at(place));
            }
        }
    }
    if issues.is_empty() { Ok(pairs) } else { Err(issues) }
}

/// The `meta` of `$meta-add` and `$meta-delete`.
///
/// # Errors
/// That it is no Parameters with one.
pub fn meta(parameters: &Resource) -> Result<Value, Vec<Issue>> {
    let found = each(parameters)?;
    let meta = found.into_iter().find(|one| one.text("name") == Some("meta"));
    let value = meta.and_then(|one| one.get("valueMeta").value()).filter(|value| value.is_object());
    value.cloned().ok_or_else(|| {
        let text = "expected a parameter `meta` with a `valueMeta`";
        vec![Issue::error("required", "parameter-value", text).at("Parameters.parameter")]
    })
}

/// The answer of an operation that gives a Meta.
pub fn of_meta(meta: &Value) -> Value {
    json!({"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": meta}]})
}

pub(super) fn each(parameters: &Resource) -> Result<Vec<Element<'_>>, Vec<Issue>> {
    if parameters.kind() != "Parameters" {
        return Err(vec![Issue::structure("expected a Parameters as the body").at("resourceType")]);
    }
    let found: Vec<Element> = parameters.root().each("parameter").collect();
    if found.len() > PAIRS_MAX {
        let text = format!("an operation has at most {PAIRS_MAX} parameters, found {}", found.len());
        return Err(vec![Issue::error("too-costly", "query-too-long", text).at("Parameters.parameter")]);
    }
    Ok(found)
}

pub(super) fn value(parameter: Element<'_>) -> Option<(&str, Element<'_>)> {
    let (name, value) = parameter.object()?.iter().find(|(name, _)| name.starts_with("value"))?;
    Some((name.strip_prefix("value")?, Element::new(value)))
}

pub(super) fn text(kind: &str, value: Element) -> Option<String> {
    match kind {
        "Reference" => value.text("reference").map(str::to_string),
        "Coding" => Some(token(value)),
        "CodeableConcept" => {
            let codes: Vec<String> = value.each("coding").map(token).collect();
            (!codes.is_empty()).then(|| codes.join(","))
        }
        _ => match value.value()? {
            Value::String(text) => Some(text.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        },
    }
}

/// `system|code`, escaped as a search wants it.
fn token(coding: Element) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace(',', "\\,").replace('|', "\\|");
    let code = escaped(coding.text("code").unwrap_or(""));
    coding.text("system").map_or(code.clone(), |system| format!("{}|{code}", escaped(system)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: Value) -> Result<Vec<(String, String)>, Vec<Issue>> {
        let body = json!({"resourceType": "Parameters", "parameter": parameters});
        pairs(&Resource::from_value(body).unwrap())
    }

    #[test]
    fn a_parameter_is_read_as_an_address_would_have_it() {
        let found = read(json!([
            {"name": "patient", "valueReference": {"reference": "Patient/7"}},
            {"name": "type", "valueCodeableConcept": {"coding": [{"system": "s", "code": "a,b"}, {"code": "c"}]}},
            {"name": "on-demand", "valueBoolean": true},
            {"name": "_count", "valueInteger": 5}]));
        let words: Vec<String> = found.unwrap().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(words, ["patient=Patient/7", r"type=s|a\,b,c", "on-demand=true", "_count=5"]);
    }

    #[test]
    fn what_is_no_value_is_located() {
        let issues = read(json!([{"name": "a", "valueString": "x"}, {"name": "b"}, {"valueString": "x"}])).unwrap_err();
        let places: Vec<&str> = issues.iter().map(|issue| issue.expression.as_str()).collect();
        assert_eq!(places, ["Parameters.parameter[1]", "Parameters.parameter[2]"]);
        assert!(pairs(&Resource::new("Patient")).is_err());
    }
}
