//! The operations of a `Parameters`, read with all that is wrong with them.

use serde_json::{Map, Value};

use super::super::OPERATIONS_MAX;
use super::super::path::Path;
use super::{Deed, Given, Operation, place};
use crate::fhir::{Element, Issue};

/// # Errors
/// Every parameter that is no operation, and every part that is missing or not as it should be.
pub fn read(parameters: &Value) -> Result<Vec<Operation>, Vec<Issue>> {
    let list = match parameters.get("parameter") {
        Some(Value::Array(list)) => list.as_slice(),
        None => &[],
        Some(_) => return Err(vec![malformed("expected a list", "Parameters.parameter".to_string())]),
    };
    if list.len() > OPERATIONS_MAX {
        let text = format!("a patch has at most {OPERATIONS_MAX} operations, found {}", list.len());
        return Err(vec![Issue::error("too-costly", "patch-too-long", text).at("Parameters.parameter")]);
    }
    let (mut operations, mut issues) = (Vec::with_capacity(list.len()), Vec::new());
    for (index, parameter) in list.iter().enumerate() {
        match operation(index, parameter, &mut issues) {
            Some(deed) => operations.push(Operation { index, deed }),
            None if issues.is_empty() => issues.push(malformed("expected an operation", place(index))),
            None => {}
        }
    }
    if issues.is_empty() { Ok(operations) } else { Err(issues) }
}

/// `None` with at least one issue more.
fn operation(index: usize, parameter: &Value, issues: &mut Vec<Issue>) -> Option<Deed> {
    let here = place(index);
    if Element::new(parameter).text("name") != Some("operation") {
        issues.push(malformed("`name`: expected `operation`", here));
        return None;
    }
    let (mut kind, mut path, mut name, mut value) = (None, None, None, None);
    let mut numbers = [("index", None), ("source", None), ("destination", None)];
    let before = issues.len();
    for (at, part) in Element::new(parameter).each("part").enumerate() {
        let inside = format!("{here}.part[{at}]");
        let text = |name: &str| part.text(name).map(str::to_string);
        let part_name = part.text("name").unwrap_or("");
        match part_name {
            "type" => kind = text("valueCode").or_else(|| text("valueString")),
            "name" => name = text("valueString").or_else(|| text("valueCode")).or_else(|| text("valueId")),
            "path" => match Path::read(part.text("valueString").unwrap_or("")) {
                Ok(found) => path = Some(found),
                Err(said) => issues.push(malformed(format!("`path`: {said}"), inside)),
            },
            "value" => match part.value().and_then(Value::as_object).map(given) {
                Some(Ok(found)) => value = Some(found),
                Some(Err(said)) => issues.push(malformed(format!("`value`: {said}"), inside)),
                None => issues.push(malformed("`value`: expected an object", inside)),
            },
            "index" | "source" | "destination" => {
                let number = ["valueInteger", "valueUnsignedInt", "valuePositiveInt"].into_iter();
                let number = number.filter_map(|name| part.get(name).value()?.as_u64()).next();
                match number {
                    Some(number) => numbers
                        .iter_mut()
                        .filter(|(name, _)| *name == part_name)
                        .for_each(|(_, held)| *held = Some(number as usize)),
                    None => issues.push(malformed(format!("`{part_name}`: expected a `valueInteger` of 0 or more"), inside)),
                }
            }
            _ => issues.push(malformed("a part that is not known: expected `type`, `path`, `name`, `value`, `index`, `source` or `destination`", inside)),
        }
    }
    if issues.len() > before {
        return None;
    }
    let [index, source, destination] = numbers.map(|(_, number)| number);
    let mut missing = |what: &str| issues.push(malformed(format!("expected a part `{what}`"), here.clone()));
    let Some(path) = path else {
        missing("path");
        return None;
    };
    let kind = kind.unwrap_or_default();
    let needs: &[(&str, bool)] = match kind.as_str() {
        "add" => &[("name", name.is_some()), ("value", value.is_some())],
        "insert" => &[("index", index.is_some()), ("value", value.is_some())],
        "delete" => &[],
        "replace" => &[("value", value.is_some())],
        "move" => &[("source", source.is_some()), ("destination", destination.is_some())],
        _ => &[("type` of `add`, `insert`, `delete`, `replace` or `move", false)],
    };
    needs.iter().filter(|(_, there)| !there).for_each(|(what, _)| missing(what));
    match (kind.as_str(), name, value) {
        ("add", Some(name), Some(value)) => Some(Deed::Add { path, name, value }),
        ("insert", _, Some(value)) => Some(Deed::Insert { path, index: index?, value }),
        ("delete", ..) => Some(Deed::Delete { path }),
        ("replace", _, Some(value)) => Some(Deed::Replace { path, value }),
        ("move", ..) => Some(Deed::Move { path, source: source?, destination: destination? }),
        _ => None,
    }
}

fn given(part: &Map<String, Value>) -> Result<Given, String> {
    if let Some(parts) = part.get("part") {
        let parts = parts.as_array().ok_or("expected a list of parts")?;
        let mut found = Vec::with_capacity(parts.len());
        for part in parts {
            let (Some(part), Some(name)) = (part.as_object(), part["name"].as_str()) else {
                return Err("expected a `name` in each part".to_string());
            };
            found.push((name.to_string(), given(part)?));
        }
        return Ok(Given::Parts(found));
    }
    if let Some(resource) = part.get("resource") {
        return Ok(Given::Typed(String::new(), resource.clone()));
    }
    if part.keys().any(|name| name.starts_with("_value")) {
        return Err("extensions of a primitive are added as `extension` of their own".to_string());
    }
    let mut values = part.iter().filter_map(|(name, value)| Some((name.strip_prefix("value")?, value)));
    match (values.next(), values.next()) {
        (Some((kind, value)), None) => Ok(Given::Typed(kind.to_string(), value.clone())),
        _ => Err("expected one `value[x]`, or parts".to_string()),
    }
}

fn malformed(text: impl Into<String>, expression: String) -> Issue {
    Issue::error("structure", "patch-malformed", text).at(expression)
}
