//! A base definition as a table: for each object, its fields by JSON name.

use std::collections::HashMap;

use super::binding::Bound;
use super::facts::{Element, Structure, bare};
use super::invariant::Invariant;
use super::primitive::Primitive;

const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";

#[derive(Debug)]
pub struct Table {
    pub type_name: String,
    pub nodes: Vec<Node>,
}

/// The fields of one object: the type itself (node 0), or a backbone element inside it.
#[derive(Debug, Default)]
pub struct Node {
    pub fields: Vec<Field>,
    /// What must hold of the object itself.
    pub invariants: Vec<Invariant>,
    /// JSON name to field and type.
    names: HashMap<Box<str>, (usize, usize)>,
}

#[derive(Debug)]
pub struct Field {
    /// Without `[x]`.
    pub name: String,
    pub is_choice: bool,
    pub is_list: bool,
    pub min: u32,
    pub max: u32,
    pub is_summary: bool,
    pub is_modifier: bool,
    pub types: Vec<FieldType>,
    pub bound: Option<Bound>,
    /// The node of its own fields, when they are defined in place.
    pub node: Option<usize>,
    /// What must hold of each of its values, where they have no node.
    pub invariants: Vec<Invariant>,
}

#[derive(Debug)]
pub struct FieldType {
    pub code: String,
    pub json: String,
    pub primitive: Option<Primitive>,
    /// Resource types a reference may point at; empty for any.
    pub targets: Vec<String>,
}

impl Node {
    pub fn find(&self, json: &str) -> Option<(usize, &Field, &FieldType)> {
        let (field, kind) = *self.names.get(json)?;
        Some((field, &self.fields[field], &self.fields[field].types[kind]))
    }

    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Table {
    /// What must hold of each of these types as a whole, must hold of this one.
    pub fn inherit(&mut self, above: impl IntoIterator<Item = Structure>) {
        for structure in above {
            let root = structure.elements.iter().find(|element| element.id.is_empty());
            let stated = root.map_or_else(Vec::new, |root| compiled(root, &structure.head.type_name));
            self.nodes[0].invariants.extend(stated);
        }
    }

    pub fn build(structure: &Structure) -> Table {
        let mut table = Table { type_name: structure.head.type_name.clone(), nodes: vec![Node::default()] };
        let mut at: HashMap<&str, usize> = HashMap::from([("", 0)]);
        table.inherit([structure.clone()]);
        let compile = |element: &Element| compiled(element, &structure.head.type_name);
        for element in structure.elements.iter().filter(|element| !element.id.is_empty() && !element.id.contains(':')) {
            let (parent, name) = element.id.rsplit_once('.').unwrap_or(("", &element.id));
            let Some(parent) = at.get(parent).copied() else { continue };
            let has_children = structure.elements.iter().any(|other| is_child(&other.id, &element.id));
            // An element that repeats another's content has its node: content references point upwards.
            let shared = element.content_reference.as_deref().and_then(|reference| {
                let (_, path) = reference.split_once('#')?;
                at.get(path.split_once('.')?.1).copied()
            });
            let node = shared.or_else(|| {
                has_children.then(|| {
                    table.nodes.push(Node::default());
                    table.nodes.len() - 1
                })
            });
            if let Some(node) = node {
                at.insert(&element.id, node);
            }
            let is_choice = name.ends_with("[x]");
            let name = name.trim_end_matches("[x]");
            let mut types: Vec<FieldType> = element
                .types
                .iter()
                .map(|kind| FieldType {
                    json: if is_choice { format!("{name}{}", capital(&kind.code)) } else { name.to_string() },
                    primitive: Primitive::named(&kind.code),
                    targets: targets(&kind.targets),
                    code: kind.code.clone(),
                })
                .collect();
            if types.is_empty() {
                types.push(FieldType {
                    code: "BackboneElement".into(),
                    json: name.into(),
                    primitive: None,
                    targets: vec![],
                });
            }
            let max = element.max.as_deref().map_or(1, |max| max.parse().unwrap_or(u32::MAX));
            let mut invariants = compile(element);
            if let Some(node) = node.filter(|_| shared.is_none()) {
                table.nodes[node].invariants = std::mem::take(&mut invariants);
            }
            let owner = &mut table.nodes[parent];
            for (index, kind) in types.iter().enumerate() {
                owner.names.insert(kind.json.clone().into(), (owner.fields.len(), index));
            }
            owner.fields.push(Field {
                name: name.to_string(),
                is_choice,
                is_list: max > 1,
                min: element.min.unwrap_or(0),
                max,
                is_summary: element.is_summary,
                is_modifier: element.is_modifier,
                types,
                invariants,
                bound: element.binding.as_ref().and_then(Bound::of),
                node,
            });
        }
        table
    }
}

/// HL7's own expressions can all be read; a test holds us to that.
fn compiled(element: &Element, by: &str) -> Vec<Invariant> {
    element.constraints.iter().filter_map(|stated| Invariant::compile(stated, by)?.ok()).collect()
}

fn is_child(id: &str, parent: &str) -> bool {
    id.strip_prefix(parent).is_some_and(|rest| rest.starts_with('.'))
}

/// Base definitions point at base types only, so that the canonical's end is the type.
fn targets(canonicals: &[String]) -> Vec<String> {
    let names: Vec<String> =
        canonicals.iter().filter_map(|url| bare(url).strip_prefix(CORE)).map(str::to_string).collect();
    if names.iter().any(|name| name == "Resource") { vec![] } else { names }
}

pub fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}
