//! CompartmentDefinition to facts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{list, text};
use crate::profile::facts::Compartment;

/// # Errors
/// Why the definition is of no use here.
pub fn facts(definition: &Value) -> Result<Compartment, String> {
    if text(definition, "url").rsplit('/').next().is_some_and(|name| name.starts_with("example")) {
        return Err("is an example".into());
    }
    let mut links: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for linked in list(definition, "resource") {
        let params: Vec<String> = list(linked, "param").iter().filter_map(Value::as_str).map(str::to_string).collect();
        if !params.is_empty() {
            links.insert(text(linked, "code").into(), params);
        }
    }
    Ok(Compartment { url: text(definition, "url").into(), code: text(definition, "code").into(), links })
}
