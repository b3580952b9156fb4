//! SearchParameter to facts.

use std::collections::HashMap;

use serde_json::Value;

use super::{list, text};
use crate::fhir::search::Component;
use crate::profile::Profiles;
use crate::profile::facts::{SearchParameter, bare};

/// Code and type of every parameter at hand by URL: a composite names its parts so.
pub struct Named<'a>(HashMap<&'a str, (&'a str, &'a str)>);

impl<'a> Named<'a> {
    pub fn new(known: &'a Profiles, definitions: impl Iterator<Item = &'a Value>) -> Named<'a> {
        let known = known.search_parameters().iter().map(|it| (it.url.as_str(), (it.code.as_str(), it.kind.as_str())));
        let here = definitions.map(|it| (text(it, "url"), (text(it, "code"), text(it, "type"))));
        Named(known.chain(here).collect())
    }
}

/// # Errors
/// Why the parameter is of no use here.
pub fn facts(definition: &Value, kinds: &[String], named: &Named) -> Result<SearchParameter, String> {
    let url = text(definition, "url");
    if url.rsplit('/').next().is_some_and(|name| name.starts_with("example")) {
        return Err("is an example".into());
    }
    let expression = text(definition, "expression");
    if expression.is_empty() {
        return Err("has no expression".into());
    }
    let strings = |name: &str| list(definition, name).iter().filter_map(Value::as_str).map(str::to_string);
    let flag = |name: &str| definition.get(name).and_then(Value::as_bool);
    let base: Vec<String> = strings("base").filter(|kind| kinds.contains(kind)).collect();
    if base.is_empty() {
        return Err("is for types without a definition here".into());
    }
    let components: Option<Vec<Component>> =
        list(definition, "component").iter().map(|part| component(part, named)).collect();
    Ok(SearchParameter {
        url: url.into(),
        code: text(definition, "code").into(),
        base,
        kind: text(definition, "type").into(),
        expression: expression.into(),
        target: strings("target").collect(),
        components: components.ok_or("is made of a parameter that is not at hand")?,
        comparators: strings("comparator").collect(),
        modifiers: strings("modifier").collect(),
        chains: strings("chain").collect(),
        multiple_or: flag("multipleOr"),
        multiple_and: flag("multipleAnd"),
    })
}

fn component(part: &Value, named: &Named) -> Option<Component> {
    let url = bare(text(part, "definition"));
    let (code, kind) = named.0.get(url)?;
    Some(Component {
        url: url.into(),
        code: (*code).into(),
        kind: (*kind).into(),
        expression: text(part, "expression").into(),
    })
}
