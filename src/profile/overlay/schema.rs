//! Writes the schema of a profile, and the rule of each of its parts.
//!
//! Every demand is its own entry of an `allOf`, whose pointer names its rule. FHIR's JSON has three shapes that a
//! schema must allow for: a choice is one of several members, a primitive may have only its `_` sibling, and a
//! list of primitives may hold `null`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::profile::Profiles;
use crate::profile::facts::Structure;
use crate::profile::found::listed;
use crate::profile::table::{Field, Table};
use crate::profile::walk::last;

use super::Rule;
use super::spot::{Seat, Spot, stated_type};
use crate::profile::tree::Tree;

pub struct Writer<'p> {
    pub profiles: &'p Profiles,
    pub unsaid: Vec<String>,
    /// Profiles that the writer is inside of.
    pub nesting: usize,
    rules: HashMap<String, Rule>,
    profile: String,
    /// Which of the two schemas this is: of advice, or of what must be.
    advises: bool,
}

/// What is asked of one value: the entries of the `allOf` at a pointer.
pub struct Demands {
    at: String,
    pub list: Vec<Value>,
}

impl Demands {
    pub fn at(place: impl Into<String>) -> Demands {
        Demands { at: place.into(), list: Vec::new() }
    }

    /// The pointer of the next demand.
    pub fn next(&self) -> String {
        format!("{}/allOf/{}", self.at, self.list.len())
    }
}

impl<'p> Writer<'p> {
    pub fn write(
        profiles: &'p Profiles,
        table: &'p Table,
        structure: Structure,
        advises: bool,
    ) -> (Value, HashMap<String, Rule>, Vec<String>) {
        let profile = last(&structure.head.url).to_string();
        let mut writer = Writer { profiles, rules: HashMap::new(), unsaid: Vec::new(), profile, nesting: 0, advises };
        let tree = Tree::grow(structure.elements);
        let schema = writer.object(&tree, Spot { table, node: 0 }, "");
        (schema, writer.rules, writer.unsaid)
    }

    /// What is asked of an object.
    pub fn object(&mut self, tree: &Tree, spot: Spot<'p>, at: &str) -> Value {
        let mut demands = Demands::at(at);
        let mut members = Map::new();
        for (name, child) in &tree.children {
            let Some(field) = spot.field(name.trim_end_matches("[x]")) else {
                self.unsaid.push(format!("`{name}` is no element of {}", spot.table.type_name));
                continue;
            };
            self.required(child, field, &mut demands);
            for kind in &field.types {
                let seat = Seat { spot, field, kind };
                if child.is_prohibited() || stated_type(&child.facts, field, kind).is_none() {
                    self.prohibit(child, seat, &mut members, at);
                    continue;
                }
                let mut inside = Demands::at(format!("{at}/properties/{}", kind.json));
                self.member(child, seat, &mut inside);
                if !inside.list.is_empty() {
                    members.insert(kind.json.clone(), json!({"allOf": inside.list}));
                }
            }
        }
        let mut schema = Map::new();
        if !members.is_empty() {
            schema.insert("properties".into(), Value::Object(members));
        }
        if !demands.list.is_empty() {
            schema.insert("allOf".into(), Value::Array(demands.list));
        }
        Value::Object(schema)
    }

    /// The child must be there, in whichever shape.
    fn required(&mut self, child: &Tree, field: &Field, demands: &mut Demands) {
        let in_slices = child.slices.iter().any(|(_, slice)| slice.facts.min.unwrap_or(0) > 0);
        let min = child.facts.min.unwrap_or(0).max(u32::from(in_slices));
        if min <= field.min {
            return;
        }
        let mut shapes = Vec::new();
        for kind in field.types.iter().filter(|kind| stated_type(&child.facts, field, kind).is_some()) {
            shapes.push(json!({"required": [kind.json]}));
            if kind.primitive.is_some() {
                shapes.push(json!({"required": [format!("_{}", kind.json)]}));
            }
        }
        let text = format!("`{}` is required by {}: expected at least {min}, found none", field.name, self.by());
        let rule = Rule::new("required", "cardinality-min", text).missing(&field.name);
        self.demand(demands, rule, json!({"anyOf": shapes}));
    }

    fn prohibit(&mut self, child: &Tree, seat: Seat<'p>, members: &mut Map<String, Value>, at: &str) {
        let Seat { field, kind, .. } = seat;
        if self.advises {
            return;
        }
        let rule = if child.is_prohibited() {
            let text = format!("`{}` is not used in {}: expected none", field.name, self.by());
            Rule::new("structure", "cardinality-max", text)
        } else {
            let types = listed(child.facts.types.iter().map(|kind| kind.code.as_str()));
            let text = format!("expected `{}` as {types} by {}, found {}", field.name, self.by(), kind.code);
            Rule::new("structure", "type", text).complete()
        };
        let sibling = kind.primitive.map(|_| format!("_{}", kind.json));
        for json in [Some(kind.json.clone()), sibling].into_iter().flatten() {
            self.rules.insert(format!("{at}/properties/{json}"), rule.clone());
            members.insert(json, Value::Bool(false));
        }
    }

    /// A member that is there: its length and slices if it is a list, and each of its values.
    fn member(&mut self, child: &Tree, seat: Seat<'p>, demands: &mut Demands) {
        let name = &seat.field.name;
        if !seat.field.is_list {
            self.value(child, seat, demands);
            for (_, slice) in &child.slices {
                if stated_type(&slice.facts, seat.field, seat.kind).is_some() {
                    self.value(slice, seat, demands);
                }
            }
            return;
        }
        if let Some(min) = child.facts.min.filter(|min| *min > 1) {
            let text = format!("`{name}` needs at least {min} by {}", self.by());
            self.demand(demands, Rule::new("required", "cardinality-min", text), json!({"minItems": min}));
        }
        if let Some(max) = child.max() {
            let text = format!("`{name}` may occur at most {max} by {}", self.by());
            self.demand(demands, Rule::new("structure", "cardinality-max", text), json!({"maxItems": max}));
        }
        let mut each = Demands::at(format!("{}/items/then", demands.next()));
        self.value(child, seat, &mut each);
        if !each.list.is_empty() {
            demands.list.push(json!({"items": {"if": {"not": {"type": "null"}}, "then": {"allOf": each.list}}}));
        }
        self.slices(child, seat, demands);
    }

    pub fn demand(&mut self, demands: &mut Demands, rule: Rule, schema: Value) {
        if rule.advises != self.advises {
            return;
        }
        self.rules.insert(demands.next(), rule);
        demands.list.push(schema);
    }

    /// A rule for a part that is no entry of its own.
    pub fn rule_at(&mut self, at: String, rule: Rule) {
        self.rules.insert(at, rule);
    }

    pub fn is_strict(&self) -> bool {
        !self.advises
    }

    /// The profile, as messages name it.
    pub fn by(&self) -> String {
        format!("`{}`", self.profile)
    }
}
