//! CodeSystem to facts: codes, displays, parents, and the few properties that filters ask for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{list, text};
use crate::profile::facts::CodeSystem;

/// Properties that are kept beside the parents, which `subsumedBy`, `parent` and `child` give too.
const KEPT: [&str; 5] = ["status", "inactive", "notSelectable", "partition", "class"];

/// # Errors
/// It has no codes of which anything could be said.
pub fn system(definition: &Value) -> Result<CodeSystem, String> {
    let content = text(definition, "content");
    if !matches!(content, "complete" | "fragment" | "example" | "supplement") {
        return Err(format!("its content is `{content}`: no codes are in it"));
    }
    let stated = |name: &str| definition.get(name).and_then(Value::as_str).map(str::to_string);
    let mut facts = CodeSystem {
        url: text(definition, "url").into(),
        version: stated("version"),
        name: stated("title").or_else(|| stated("name")),
        content: if definition.get("supplements").is_some() {
            Some("supplement".to_string())
        } else {
            (content != "complete").then(|| content.to_string())
        },
        folds_case: definition.get("caseSensitive").and_then(Value::as_bool) == Some(false),
        ..CodeSystem::default()
    };
    if content == "complete" && list(definition, "concept").is_empty() {
        return Err("it is said to be complete and has no codes".into());
    }
    gather(list(definition, "concept"), None, &mut facts);
    let codes: BTreeSet<String> = facts.codes.keys().cloned().collect();
    facts.parents.retain(|child, parents| {
        // What hangs below a code that is not there hangs nowhere.
        parents.retain(|parent| codes.contains(parent) && parent != child);
        parents.sort();
        parents.dedup();
        codes.contains(child) && !parents.is_empty()
    });
    Ok(facts)
}

fn gather(concepts: &[Value], parent: Option<&str>, into: &mut CodeSystem) {
    for concept in concepts {
        let code = text(concept, "code");
        let display = text(concept, "display");
        into.codes.insert(code.into(), display.into());
        if let Some(parent) = parent {
            hang(into, code, parent);
        }
        for property in list(concept, "property") {
            let name = text(property, "code");
            let value = property.as_object().into_iter().flatten().find(|(key, _)| key.starts_with("value"));
            let value = match value {
                Some((_, Value::String(value))) => value.clone(),
                Some((_, Value::Bool(value))) => value.to_string(),
                _ => continue,
            };
            match name {
                "subsumedBy" | "parent" => hang(into, code, &value),
                "child" => hang(into, &value, code),
                // Most codes are active; that need not be written each time.
                _ if value == "active" || value == "false" => {}
                "abstract" => keep(into, "notSelectable", code, value),
                name if KEPT.contains(&name) => keep(into, name, code, value),
                _ => {}
            }
        }
        let designations = list(concept, "designation").iter();
        let spoken = designations.filter(|it| text(it, "value") != display && is_name(it));
        let spoken: Vec<(String, String)> =
            spoken.map(|it| (text(it, "language").to_string(), text(it, "value").to_string())).collect();
        if !spoken.is_empty() {
            into.designations.insert(code.into(), spoken);
        }
        gather(list(concept, "concept"), Some(code), into);
    }
}

fn hang(into: &mut CodeSystem, child: &str, parent: &str) {
    into.parents.entry(child.into()).or_default().push(parent.into());
}

fn keep(into: &mut CodeSystem, name: &str, code: &str, value: String) {
    into.properties.entry(name.into()).or_default().insert(code.into(), value);
}

/// A designation may also be a definition or a label for machines.
fn is_name(designation: &Value) -> bool {
    let usage = designation.get("use").map_or("", |usage| text(usage, "code"));
    !matches!(usage, "definition" | "internal-label") && !text(designation, "value").is_empty()
}
