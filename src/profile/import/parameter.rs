//! SearchParameter to facts.

use serde_json::Value;

use super::{list, text};
use crate::profile::facts::SearchParameter;

/// # Errors
/// Why the parameter is of no use here.
pub fn facts(definition: &Value, kinds: &[String]) -> Result<SearchParameter, String> {
    let url = text(definition, "url");
    let name = url.rsplit('/').next().unwrap_or("");
    if name.starts_with("example") || name.contains("genetic") {
        return Err("is an example or of genomics".into());
    }
    let expression = text(definition, "expression");
    if expression.is_empty() {
        return Err("has no expression".into());
    }
    let strings = |name: &str| list(definition, name).iter().filter_map(Value::as_str).map(str::to_string);
    let base: Vec<String> = strings("base").filter(|kind| kinds.contains(kind)).collect();
    if base.is_empty() {
        return Err("is for types without a definition here".into());
    }
    Ok(SearchParameter {
        url: url.into(),
        code: text(definition, "code").into(),
        base,
        kind: text(definition, "type").into(),
        expression: expression.into(),
        target: strings("target").collect(),
    })
}
