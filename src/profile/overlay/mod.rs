//! What a profile asks beyond its base type, as one compiled JSON Schema.
//!
//! The schema holds only what differs from the base, which the walker has checked already. It is asked for a
//! verdict; only a resource that fails is examined again for its errors. Each part of the schema has a rule in a
//! table beside it, by JSON pointer, so that what is reported is our own sentence about an element and never the
//! schema's. What a schema cannot say (a slice known only by what its reference resolves to, a value set that
//! cannot be listed) is in `unsaid`.

mod matcher;
mod schema;
mod slices;
mod spot;
mod value;

use std::collections::HashMap;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::fhir::Issue;

use super::facts::Structure;
use super::found::{Findings, Place, describe, shown};
use super::table::Table;
use super::{Profiles, binding};

pub use matcher::can_tell;
pub use spot::{Seat, Spot, stated_type};

#[derive(Debug)]
pub struct Overlay {
    validator: Validator,
    rules: HashMap<String, Rule>,
    /// Parts of the profile that are not checked, and why.
    pub unsaid: Vec<String>,
    type_name: String,
}

/// What a part of the schema stands for.
#[derive(Clone, Debug)]
pub struct Rule {
    pub code: &'static str,
    pub name: &'static str,
    /// What was expected, and by which profile.
    pub expected: String,
    /// The child that is missing, when it is one.
    pub missing: Option<String>,
    /// The found value is a code or an address, which may be quoted.
    pub quotes: bool,
    /// The value set of a binding.
    pub set: Option<String>,
    /// The sentence already says what was found.
    pub is_complete: bool,
}

impl Rule {
    fn new(code: &'static str, name: &'static str, expected: String) -> Rule {
        Rule { code, name, expected, missing: None, quotes: false, set: None, is_complete: false }
    }

    fn missing(self, child: &str) -> Rule {
        Rule { missing: Some(child.to_string()), ..self }
    }

    fn quoting(self, quotes: bool) -> Rule {
        Rule { quotes, ..self }
    }

    fn of_set(self, url: &str) -> Rule {
        Rule { set: Some(url.to_string()), ..self }
    }

    fn complete(self) -> Rule {
        Rule { is_complete: true, ..self }
    }
}

impl Overlay {
    /// `None` when the type is not known here; then there is nothing to lay it over.
    pub fn compile(profiles: &Profiles, structure: Structure) -> Option<Overlay> {
        let table = profiles.table(&structure.head.type_name)?;
        let type_name = structure.head.type_name.clone();
        let (schema, rules, unsaid) = schema::Writer::write(profiles, table, structure);
        let options = jsonschema::draft202012::options().with_pattern_options(PatternOptions::regex());
        let validator = options.build(&schema).ok()?;
        Some(Overlay { validator, rules, unsaid, type_name })
    }

    pub fn holds(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }

    pub fn check<'r>(&self, profiles: &'r Profiles, value: &'r Value, at: &Place<'r>, findings: &mut Findings) {
        if self.validator.is_valid(value) {
            return;
        }
        for error in self.validator.iter_errors(value) {
            if findings.is_full() {
                findings.leave_out_error();
                continue;
            }
            let pointer = error.instance_path().to_string();
            let Some((rule, depth)) = self.rule(error.schema_path().as_str()) else { continue };
            let (place, found) = trace(at, profiles.table(&self.type_name), profiles, value, &pointer, depth);
            match &rule.missing {
                Some(name) => {
                    findings.add_missing(&place, name, Issue::error(rule.code, rule.name, rule.expected.clone()))
                }
                None if rule.is_complete => {
                    findings.add(&place, Issue::error(rule.code, rule.name, rule.expected.clone()))
                }
                None => {
                    let set = rule.set.as_deref().and_then(|url| Some((url, profiles.set(url)?)));
                    if let Some((url, set)) = set {
                        let text = binding::sentence(set, url, &rule.expected, found);
                        findings.add(&place, Issue::error(rule.code, rule.name, text));
                        continue;
                    }
                    let found = match found {
                        Value::String(text) if rule.quotes => format!("`{}`", shown(text)),
                        Value::Array(list) => list.len().to_string(),
                        found => describe(found),
                    };
                    findings
                        .add(&place, Issue::error(rule.code, rule.name, format!("{}, found {found}", rule.expected)));
                }
            }
        }
    }

    /// The rule of the innermost part that has one, and how deep in the resource it applies.
    fn rule(&self, path: &str) -> Option<(&Rule, usize)> {
        let mut path = path;
        loop {
            if let Some(rule) = self.rules.get(path) {
                return Some((rule, depth(path)));
            }
            path = path.rsplit_once('/')?.0;
        }
    }
}

/// How many steps down the resource a part of the schema stands.
fn depth(path: &str) -> usize {
    let mut parts = path.split('/');
    let mut depth = 0;
    while let Some(part) = parts.next() {
        match part {
            "properties" => {
                parts.next();
                depth += 1;
            }
            "items" => depth += 1,
            _ => {}
        }
    }
    depth
}

/// From a pointer into the JSON to a place, with element names as FHIRPath has them.
fn trace<'r>(
    at: &Place<'r>,
    table: Option<&'r Table>,
    profiles: &'r Profiles,
    value: &'r Value,
    pointer: &str,
    depth: usize,
) -> (Place<'r>, &'r Value) {
    let mut place = at.clone();
    let mut value = value;
    let mut around = table.map(|table| (table, 0));
    for segment in pointer.split('/').skip(1).take(depth) {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        match value {
            Value::Array(list) => {
                let item = segment.parse::<usize>().ok();
                place.set_item(item);
                let Some(inner) = item.and_then(|item| list.get(item)) else { break };
                value = inner;
            }
            Value::Object(object) => {
                let Some((index, (json, inner))) = object.iter().enumerate().find(|(_, (json, _))| **json == segment)
                else {
                    break;
                };
                let name = json.strip_prefix('_').unwrap_or(json);
                let known = around.and_then(|(table, node)| Some((table, table.nodes[node].find(name)?)));
                place.push(known.map_or(name, |(_, (_, field, _))| field.name.as_str()), index);
                around = known.and_then(|(table, (_, field, kind))| match field.node {
                    Some(node) => Some((table, node)),
                    None => profiles.table(&kind.code).map(|table| (table, 0)),
                });
                value = inner;
            }
            _ => break,
        }
    }
    (place, value)
}
