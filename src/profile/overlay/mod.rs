//! What a profile asks beyond its base type, as one compiled JSON Schema.
//!
//! The schema holds only what differs from the base, which the walker has checked already. It is asked for a
//! verdict; only a resource that fails is examined again for its errors. Each part of the schema has a rule in a
//! table beside it, by JSON pointer, so that what is reported is our own sentence about an element and never the
//! schema's. What a schema cannot say (a slice known only by what its reference resolves to, a value set that
//! cannot be listed) is in `unsaid`.

mod listed;
mod matcher;
mod schema;
mod slices;
mod spot;
mod value;

use std::collections::HashMap;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::fhir::Issue;

use super::Profiles;
use super::binding::Bound;
use super::facts::Structure;
use super::found::{Findings, Place, describe, shown};
use super::table::Table;

pub use matcher::can_tell;
pub use spot::{Seat, Spot, stated_type};

#[derive(Debug)]
pub struct Overlay {
    strict: Layer,
    /// What is worth a word and refuses nothing: bindings that are weak, or to sets that cannot be listed.
    advice: Option<Layer>,
    /// Parts of the profile that are not checked, and why.
    pub unsaid: Vec<String>,
    type_name: String,
}

#[derive(Debug)]
struct Layer {
    validator: Validator,
    rules: HashMap<String, Rule>,
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
    /// What the element is bound to.
    pub bound: Option<Bound>,
    /// It stands in the schema of advice.
    pub advises: bool,
    /// The sentence already says what was found.
    pub is_complete: bool,
}

impl Rule {
    fn new(code: &'static str, name: &'static str, expected: String) -> Rule {
        Rule { code, name, expected, missing: None, quotes: false, bound: None, advises: false, is_complete: false }
    }

    fn missing(self, child: &str) -> Rule {
        Rule { missing: Some(child.to_string()), ..self }
    }

    fn quoting(self, quotes: bool) -> Rule {
        Rule { quotes, ..self }
    }

    fn bound(self, bound: Bound) -> Rule {
        Rule { bound: Some(bound), ..self }
    }

    fn advising(self) -> Rule {
        Rule { advises: true, ..self }
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
        let (advice, rules, _) = schema::Writer::write(profiles, table, structure.clone(), true);
        let advice = if rules.is_empty() { None } else { Some(Layer::compile(profiles, &advice, rules)?) };
        let (schema, rules, unsaid) = schema::Writer::write(profiles, table, structure, false);
        Some(Overlay { strict: Layer::compile(profiles, &schema, rules)?, advice, unsaid, type_name })
    }

    pub fn holds(&self, value: &Value) -> bool {
        self.strict.validator.is_valid(value)
    }

    pub fn check<'r>(&self, profiles: &'r Profiles, value: &'r Value, at: &Place<'r>, findings: &mut Findings) {
        for layer in [Some(&self.strict), self.advice.as_ref()].into_iter().flatten() {
            if !layer.validator.is_valid(value) {
                self.report(layer, profiles, value, at, findings);
            }
        }
    }

    fn report<'r>(
        &self,
        layer: &Layer,
        profiles: &'r Profiles,
        value: &'r Value,
        at: &Place<'r>,
        findings: &mut Findings,
    ) {
        for error in layer.validator.iter_errors(value) {
            if findings.is_full() {
                findings.leave_out_error();
                continue;
            }
            let pointer = error.instance_path().to_string();
            let Some((rule, depth)) = layer.rule(error.schema_path().as_str()) else { continue };
            let (place, found) = trace(at, profiles.table(&self.type_name), profiles, value, &pointer, depth);
            match &rule.missing {
                Some(name) => {
                    findings.add_missing(&place, name, Issue::error(rule.code, rule.name, rule.expected.clone()))
                }
                None if rule.is_complete => {
                    findings.add(&place, Issue::error(rule.code, rule.name, rule.expected.clone()))
                }
                None => {
                    if let Some(bound) = &rule.bound {
                        let issue = bound.issue(profiles, found, &rule.expected);
                        issue.into_iter().for_each(|issue| findings.add(&place, issue));
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
}

impl Layer {
    fn compile(profiles: &Profiles, schema: &Value, rules: HashMap<String, Rule>) -> Option<Layer> {
        let options = jsonschema::draft202012::options().with_pattern_options(PatternOptions::regex());
        let validator = listed::with_sets(options, profiles, schema).build(schema).ok()?;
        Some(Layer { validator, rules })
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
