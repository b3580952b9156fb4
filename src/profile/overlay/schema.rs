//! Writes the schema of a profile, and the rule of each of its parts.
//!
//! Every demand is its own entry of an `allOf`, whose pointer names its rule. FHIR's JSON has three shapes that a
//! schema must allow for: a choice is one of several members, a primitive may have only its `_` sibling, and a
//! list of primitives may hold `null`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::profile::Profiles;
use crate::profile::binding::is_coded;
use crate::profile::facts::{Structure, Type, bare};
use crate::profile::found::listed;
use crate::profile::primitive::Primitive;
use crate::profile::table::{Field, FieldType, Table};
use crate::profile::terminology::Set;
use crate::profile::walk::last;

use super::Rule;
use super::matcher;
use super::spot::{Spot, stated_type};
use super::tree::Tree;

/// A profile inside a profile inside a profile, and no further.
const NESTING_MAX: usize = 4;
const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";

pub struct Writer<'p> {
    pub profiles: &'p Profiles,
    rules: HashMap<String, Rule>,
    unsaid: Vec<String>,
    profile: String,
    nesting: usize,
}

impl<'p> Writer<'p> {
    pub fn write(
        profiles: &'p Profiles,
        table: &'p Table,
        structure: Structure,
    ) -> (Value, HashMap<String, Rule>, Vec<String>) {
        let profile = last(&structure.head.url).to_string();
        let mut writer = Writer { profiles, rules: HashMap::new(), unsaid: Vec::new(), profile, nesting: 0 };
        let tree = Tree::grow(structure.elements);
        let schema = writer.object(&tree, Spot { table, node: 0 }, "");
        (schema, writer.rules, writer.unsaid)
    }

    /// What is asked of an object.
    fn object(&mut self, tree: &Tree, spot: Spot<'p>, at: &str) -> Value {
        let mut all: Vec<Value> = Vec::new();
        let mut members = Map::new();
        for (name, child) in &tree.children {
            let Some(field) = spot.field(name.trim_end_matches("[x]")) else {
                self.unsaid.push(format!("`{name}` is no element of {}", spot.table.type_name));
                continue;
            };
            self.required(child, field, &mut all, at);
            let prohibited = child.facts.max.as_deref() == Some("0");
            for kind in &field.types {
                let pointer = format!("{at}/properties/{}", kind.json);
                let stated = stated_type(&child.facts, field, kind);
                if prohibited || stated.is_none() {
                    self.prohibit(field, kind, prohibited, child, &mut members, at);
                    continue;
                }
                let entries = self.member(child, spot, field, kind, &pointer);
                if !entries.is_empty() {
                    members.insert(kind.json.clone(), json!({"allOf": entries}));
                }
            }
        }
        let mut schema = Map::new();
        if !members.is_empty() {
            schema.insert("properties".into(), Value::Object(members));
        }
        if !all.is_empty() {
            schema.insert("allOf".into(), Value::Array(all));
        }
        Value::Object(schema)
    }

    /// The child must be there, in whichever shape.
    fn required(&mut self, child: &Tree, field: &Field, all: &mut Vec<Value>, at: &str) {
        let from_slices = child.slices.iter().any(|(_, slice)| !field.is_list && slice.facts.min.unwrap_or(0) > 0);
        let min = child.facts.min.unwrap_or(0).max(u32::from(from_slices));
        if min <= field.min || min == 0 {
            return;
        }
        let mut shapes = Vec::new();
        for kind in field.types.iter().filter(|kind| stated_type(&child.facts, field, kind).is_some()) {
            shapes.push(json!({"required": [kind.json]}));
            if kind.primitive.is_some() {
                shapes.push(json!({"required": [format!("_{}", kind.json)]}));
            }
        }
        let text = format!("`{}` is required by {}: expected at least {min}, found none", field.name, self.quoted());
        self.rule(&format!("{at}/allOf/{}", all.len()), "required", "cardinality-min", text, Some(field.name.clone()));
        all.push(json!({"anyOf": shapes}));
    }

    fn prohibit(
        &mut self,
        field: &Field,
        kind: &FieldType,
        whole: bool,
        child: &Tree,
        members: &mut Map<String, Value>,
        at: &str,
    ) {
        let expected = if whole {
            format!("`{}` is not used in {}: expected none", field.name, self.quoted())
        } else {
            let types = listed(child.facts.types.iter().map(|kind| kind.code.as_str()));
            format!("expected `{}` as {types} by {}, found {}", field.name, self.quoted(), kind.code)
        };
        let (code, name) = if whole { ("structure", "cardinality-max") } else { ("structure", "type") };
        for json in [kind.json.clone(), format!("_{}", kind.json)] {
            if json.starts_with('_') && kind.primitive.is_none() {
                continue;
            }
            self.rule(&format!("{at}/properties/{json}"), code, name, expected.clone(), None);
            if !whole {
                self.complete(&format!("{at}/properties/{json}"));
            }
            members.insert(json, Value::Bool(false));
        }
    }

    /// A member that is there: its length and slices if it is a list, and each of its values.
    fn member(&mut self, child: &Tree, spot: Spot<'p>, field: &'p Field, kind: &'p FieldType, at: &str) -> Vec<Value> {
        let mut entries: Vec<Value> = Vec::new();
        let next = |entries: &Vec<Value>| format!("{at}/allOf/{}", entries.len());
        if !field.is_list {
            let own = self.value(child, spot, field, kind, at, 0);
            entries.extend(own);
            for (_, slice) in &child.slices {
                if stated_type(&slice.facts, field, kind).is_some() {
                    let more = self.value(slice, spot, field, kind, at, entries.len());
                    entries.extend(more);
                }
            }
            return entries;
        }
        if let Some(min) = child.facts.min.filter(|min| *min > 1) {
            let text = format!("`{}` needs at least {min} by {}", field.name, self.quoted());
            self.rule(&next(&entries), "required", "cardinality-min", text, None);
            entries.push(json!({"minItems": min}));
        }
        if let Some(max) = child.facts.max.as_deref().and_then(|max| max.parse::<u32>().ok()) {
            let text = format!("`{}` may occur at most {max} by {}", field.name, self.quoted());
            self.rule(&next(&entries), "structure", "cardinality-max", text, None);
            entries.push(json!({"maxItems": max}));
        }
        let place = format!("{}/items/then", next(&entries));
        let each = self.value(child, spot, field, kind, &place, 0);
        if !each.is_empty() {
            entries.push(json!({"items": {"if": {"not": {"type": "null"}}, "then": {"allOf": each}}}));
        }
        self.slices(child, spot, field, kind, at, &mut entries);
        entries
    }

    fn slices(
        &mut self,
        child: &Tree,
        spot: Spot<'p>,
        field: &'p Field,
        kind: &'p FieldType,
        at: &str,
        entries: &mut Vec<Value>,
    ) {
        let mut tests: Vec<Value> = Vec::new();
        let mut all_told = true;
        for (name, slice) in &child.slices {
            let test = matcher::slice(self.profiles, child.facts.slicing.as_ref(), slice, spot, field, kind);
            let Some(test) = test else {
                all_told = false;
                self.unsaid.push(format!("slice `{}:{name}` cannot be told from others here", field.name));
                continue;
            };
            let hint = matcher::hint(slice);
            let min = slice.facts.min.unwrap_or(0);
            if min > 0 {
                let text = format!(
                    "`{}` needs at least {min} of `{name}`{hint} by {}, found fewer",
                    field.name,
                    self.quoted()
                );
                self.rule(&format!("{at}/allOf/{}", entries.len()), "required", "slice", text, None);
                self.complete(&format!("{at}/allOf/{}", entries.len()));
                entries.push(json!({"contains": test, "minContains": min}));
            }
            if let Some(max) = slice.facts.max.as_deref().and_then(|max| max.parse::<u32>().ok()) {
                let text = format!(
                    "`{}` may have at most {max} of `{name}`{hint} by {}, found more",
                    field.name,
                    self.quoted()
                );
                self.rule(&format!("{at}/allOf/{}", entries.len()), "structure", "slice", text, None);
                self.complete(&format!("{at}/allOf/{}", entries.len()));
                entries.push(json!({"contains": test, "minContains": 0, "maxContains": max}));
            }
            let place = format!("{at}/allOf/{}/items/then", entries.len());
            let then = self.value(slice, spot, field, kind, &place, 0);
            if !then.is_empty() {
                entries.push(json!({"items": {"if": test.clone(), "then": {"allOf": then}}}));
            }
            tests.push(test);
        }
        let closed = child.facts.slicing.as_ref().is_some_and(|slicing| slicing.rules == "closed");
        if closed && all_told {
            let names = listed(child.slices.iter().map(|(name, _)| name.as_str()));
            let text = format!("expected `{}` to be one of {names} by {}", field.name, self.quoted());
            self.rule(&format!("{at}/allOf/{}/items", entries.len()), "structure", "slice", text, None);
            entries.push(json!({"items": {"anyOf": tests}}));
        }
    }

    /// What is asked of one value; the rules are numbered from `from` under `at`'s `allOf`.
    fn value(
        &mut self,
        tree: &Tree,
        spot: Spot<'p>,
        field: &'p Field,
        kind: &'p FieldType,
        at: &str,
        from: usize,
    ) -> Vec<Value> {
        let mut entries: Vec<Value> = Vec::new();
        let facts = &tree.facts;
        let quotes = kind.primitive.is_some_and(Primitive::may_be_quoted);
        let by = self.quoted();
        let say = |writer: &mut Self, entries: &mut Vec<Value>, code, name, expected, schema: Value| {
            writer.rule(&format!("{at}/allOf/{}", from + entries.len()), code, name, expected, None);
            if let Some(rule) = writer.rules.get_mut(&format!("{at}/allOf/{}", from + entries.len())) {
                rule.quotes = quotes;
            }
            entries.push(schema);
        };
        if let Some(fixed) = &facts.fixed {
            let text = format!("expected {} by {by}", matcher::spelled(fixed));
            say(self, &mut entries, "value", "fixed", text, json!({"const": fixed}));
        }
        if let Some(pattern) = &facts.pattern {
            let text = format!("expected {} by {by}", matcher::spelled(pattern));
            say(self, &mut entries, "value", "pattern", text, matcher::pattern(pattern));
        }
        if let Some(binding) = facts.binding.as_ref().filter(|binding| binding.strength == "required") {
            let url = bare(&binding.value_set);
            match self.profiles.set(url).and_then(|set| matcher::binding(set, &kind.code)) {
                Some(schema) => {
                    for system in self.profiles.set(url).into_iter().flat_map(Set::open) {
                        self.unsaid.push(format!("`{}`: codes of `{system}` cannot be listed here", field.name));
                    }
                    say(self, &mut entries, "code-invalid", "binding", format!(" by {by}"), schema);
                    if let Some(rule) = self.rules.get_mut(&format!("{at}/allOf/{}", from + entries.len() - 1)) {
                        rule.set = Some(url.to_string());
                    }
                }
                None if !is_coded(&kind.code) => {}
                None => self.unsaid.push(format!("`{}`: `{url}` cannot be listed here", field.name)),
            }
        }
        if let Some(max) = facts.max_length {
            let text = format!("expected at most {max} characters by {by}");
            say(self, &mut entries, "value", "max-length", text, json!({"maxLength": max}));
        }
        for (bound, keyword) in [(&facts.min_value, "minimum"), (&facts.max_value, "maximum")] {
            if let Some(bound) = bound.as_ref().filter(|bound| bound.is_number()) {
                say(
                    self,
                    &mut entries,
                    "value",
                    "range",
                    format!("expected {keyword} {bound} by {by}"),
                    json!({keyword: bound}),
                );
            }
        }
        let stated = stated_type(facts, field, kind).flatten();
        if let Some(targets) = stated.filter(|_| kind.code == "Reference").and_then(|stated| self.targets(stated)) {
            let text = format!("expected a reference to {} by {by}", listed(targets.iter().map(String::as_str)));
            say(self, &mut entries, "value", "reference-target", text, matcher::reference(&targets));
        }
        if let Some(spot) = spot.inside(self.profiles, field, kind) {
            let place = format!("{at}/allOf/{}", from + entries.len());
            let children = self.object(tree, spot, &place);
            if children.as_object().is_some_and(|object| !object.is_empty()) {
                entries.push(children);
            }
            for url in stated.into_iter().flat_map(|stated| &stated.profiles).filter(|_| kind.code != "Extension") {
                let place = format!("{at}/allOf/{}", from + entries.len());
                if let Some(nested) = self.nested(url, spot, &place) {
                    entries.push(nested);
                }
            }
        }
        entries
    }

    /// A profile on a data type, such as one on Quantity.
    fn nested(&mut self, url: &str, spot: Spot<'p>, at: &str) -> Option<Value> {
        let structure =
            self.profiles.entry(bare(url)).filter(|entry| entry.head.is_profile()).and_then(|entry| entry.structure());
        let Some(structure) = structure.filter(|_| self.nesting < NESTING_MAX) else {
            self.unsaid.push(format!("profile `{url}` is not at hand"));
            return None;
        };
        self.nesting += 1;
        let tree = Tree::grow(structure.elements);
        let schema = self.object(&tree, spot, at);
        self.nesting -= 1;
        schema.as_object().is_some_and(|object| !object.is_empty()).then_some(schema)
    }

    /// The resource types a reference may point at; `None` when any, or when we cannot know.
    fn targets(&self, stated: &Type) -> Option<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        for url in &stated.targets {
            let url = bare(url);
            let name = match self.profiles.entry(url) {
                Some(entry) => entry.head.type_name.clone(),
                None => url.strip_prefix(CORE)?.to_string(),
            };
            if name == "Resource" {
                return None;
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
        (!names.is_empty()).then_some(names)
    }

    fn rule(&mut self, at: &str, code: &'static str, name: &'static str, expected: String, missing: Option<String>) {
        self.rules.insert(
            at.to_string(),
            Rule { code, name, expected, missing, quotes: false, set: None, is_complete: false },
        );
    }

    /// For a sentence that says itself what was found.
    fn complete(&mut self, at: &str) {
        if let Some(rule) = self.rules.get_mut(at) {
            rule.is_complete = true;
        }
    }

    fn quoted(&self) -> String {
        format!("`{}`", self.profile)
    }
}
