//! A place in a resource: the JSON value, what stands beside a primitive under `_name`, and the type.
//!
//! Nothing is copied. Of a choice element the name is known without its type, as FHIRPath says it: `value` finds
//! `valueQuantity` and knows that it is a Quantity.

use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::model::{Content, Kind, Model, Shape};
use crate::fhir::element::choice_suffix;

#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    value: Option<&'a Value>,
    sibling: Option<&'a Value>,
    kind: Kind,
}

/// The same place, not the same content.
impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        let same =
            |one: Option<&Value>, other: Option<&Value>| one.map(std::ptr::from_ref) == other.map(std::ptr::from_ref);
        self.kind == other.kind && same(self.value, other.value) && same(self.sibling, other.sibling)
    }
}

/// The name of an element as an expression has it, and under which a primitive's id and extensions are.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    pub plain: Box<str>,
    pub sibling: Box<str>,
}

impl Name {
    pub fn new(name: &str) -> Name {
        Name { plain: name.into(), sibling: format!("_{name}").into() }
    }
}

/// Stops the visits when the visitor has seen enough.
pub type Flow = ControlFlow<()>;

/// Up to so many members, comparing names is cheaper than hashing one.
const SCANNED_MAX: usize = 12;

impl<'a> Node<'a> {
    pub fn resource(value: &'a Value, model: &Model) -> Node<'a> {
        Node { value: Some(value), sibling: None, kind: model.kind_of(value) }
    }

    /// `null`, which pads lists, is no value.
    pub fn new(value: Option<&'a Value>, sibling: Option<&'a Value>, kind: Kind) -> Node<'a> {
        let real = |value: &&Value| !value.is_null();
        Node { value: value.filter(real), sibling: sibling.filter(real), kind }
    }

    /// What a reference points at when only its type is known.
    pub fn typed(kind: Kind) -> Node<'a> {
        Node { value: None, sibling: None, kind }
    }

    pub fn value(self) -> Option<&'a Value> {
        self.value
    }

    pub fn sibling(self) -> Option<&'a Value> {
        self.sibling
    }

    pub fn kind(self) -> Kind {
        self.kind
    }

    /// Only its type is known.
    pub fn is_hollow(self) -> bool {
        self.value.is_none() && self.sibling.is_none()
    }

    /// A primitive that has a value, not only extensions.
    pub fn has_value(self) -> bool {
        matches!(self.value, Some(Value::Bool(_) | Value::Number(_) | Value::String(_)))
    }

    pub fn as_str(self) -> Option<&'a str> {
        self.value.and_then(Value::as_str)
    }

    fn object(self) -> Option<&'a Map<String, Value>> {
        match self.value {
            Some(Value::Object(object)) => Some(object),
            _ => None,
        }
    }

    /// Visits the elements of that name, in the order of the document.
    pub fn each(self, name: &Name, model: &Model, visit: &mut impl FnMut(Node<'a>) -> Flow) -> Flow {
        let Some(object) = self.object() else {
            // A primitive's id and extensions, which no primitive's definition hides.
            let beside = self.sibling.and_then(Value::as_object);
            return match beside.and_then(|beside| beside.get(&*name.plain)) {
                Some(value) => spread(Some(value), None, beside_kind(&name.plain, model), visit),
                None => Flow::Continue(()),
            };
        };
        let shape = model.shape(self.kind);
        match shape.field(&name.plain) {
            Some(field) => match &field.content {
                Content::One(kind) if model.shape(*kind).is_primitive => {
                    let (value, sibling) = pair(object, name);
                    spread(value, sibling, *kind, visit)
                }
                Content::One(kind) => spread(get(object, &name.plain), None, *kind, visit),
                Content::Resource => resources(get(object, &name.plain), model, visit),
                Content::Choice(choices) => {
                    for (json, kind) in chosen(object, choices) {
                        spread(object.get(json), sibling_of(object, json), kind, visit)?;
                    }
                    Flow::Continue(())
                }
            },
            None if shape.is_open => open(object, name, model, visit),
            None => Flow::Continue(()),
        }
    }

    /// Visits all elements below, one level, in the order of the document.
    pub fn children(self, model: &Model, visit: &mut impl FnMut(Node<'a>) -> Flow) -> Flow {
        if let Some(beside) = self.sibling.and_then(Value::as_object) {
            for (name, value) in beside {
                spread(Some(value), None, beside_kind(name, model), visit)?;
            }
        }
        let Some(object) = self.object() else { return Flow::Continue(()) };
        let shape = model.shape(self.kind);
        for (json, value) in object {
            if let Some(plain) = json.strip_prefix('_') {
                // Seen with its value, unless there is none.
                if !object.contains_key(plain) {
                    spread(None, Some(value), member_kind(shape, plain, model), visit)?;
                }
                continue;
            }
            if json == "resourceType" && !value.is_object() && (shape.is_resource || shape.field(json).is_none()) {
                continue;
            }
            if is_resource(value) {
                resources(Some(value), model, visit)?;
            } else {
                spread(Some(value), sibling_of(object, json), member_kind(shape, json, model), visit)?;
            }
        }
        Flow::Continue(())
    }
}

/// The members of a choice that are there; more than one is a mistake, and yet seen.
fn chosen<'s>(object: &Map<String, Value>, choices: &'s [(Box<str>, Kind)]) -> impl Iterator<Item = (&'s str, Kind)> {
    let found = object.keys().filter_map(move |key| {
        let key = key.strip_prefix('_').unwrap_or(key);
        choices.iter().find(|(json, _)| **json == *key).map(|(json, kind)| (&**json, *kind))
    });
    let mut last = None;
    found.filter(move |(json, _)| last.replace(*json) != Some(*json))
}

fn get<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if object.len() > SCANNED_MAX {
        return object.get(name);
    }
    object.iter().find(|(key, _)| key.as_str() == name).map(|(_, value)| value)
}

fn pair<'a>(object: &'a Map<String, Value>, name: &Name) -> (Option<&'a Value>, Option<&'a Value>) {
    if object.len() > SCANNED_MAX {
        return (object.get(&*name.plain), object.get(&*name.sibling));
    }
    let (mut value, mut sibling) = (None, None);
    for (key, member) in object {
        if **key == *name.plain {
            value = Some(member);
        } else if **key == *name.sibling {
            sibling = Some(member);
        }
    }
    (value, sibling)
}

fn sibling_of<'a>(object: &'a Map<String, Value>, json: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.strip_prefix('_') == Some(json)).map(|(_, value)| value)
}

/// A list item by item, each with what stands beside it.
fn spread<'a>(
    value: Option<&'a Value>,
    sibling: Option<&'a Value>,
    kind: Kind,
    visit: &mut impl FnMut(Node<'a>) -> Flow,
) -> Flow {
    let list = |value: Option<&'a Value>| match value {
        Some(Value::Array(list)) => Some(&list[..]),
        _ => None,
    };
    match (list(value), list(sibling)) {
        (None, None) => one(Node::new(value, sibling, kind), visit),
        (values, siblings) => {
            let (values, siblings) = (values.unwrap_or_default(), siblings.unwrap_or_default());
            for at in 0..values.len().max(siblings.len()) {
                one(Node::new(values.get(at), siblings.get(at), kind), visit)?;
            }
            Flow::Continue(())
        }
    }
}

fn one<'a>(node: Node<'a>, visit: &mut impl FnMut(Node<'a>) -> Flow) -> Flow {
    if node.is_hollow() { Flow::Continue(()) } else { visit(node) }
}

fn is_resource(value: &Value) -> bool {
    let first = match value {
        Value::Array(list) => list.first(),
        value => Some(value),
    };
    first.is_some_and(|first| first.get("resourceType").is_some_and(Value::is_string))
}

fn resources<'a>(value: Option<&'a Value>, model: &Model, visit: &mut impl FnMut(Node<'a>) -> Flow) -> Flow {
    let list = match value {
        Some(Value::Array(list)) => &list[..],
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    for value in list {
        one(Node::new(Some(value), None, model.kind_of(value)), visit)?;
    }
    Flow::Continue(())
}

/// Elements of something that has no definition: by their JSON names, a choice by what its name ends with.
fn open<'a>(
    object: &'a Map<String, Value>,
    name: &Name,
    model: &Model,
    visit: &mut impl FnMut(Node<'a>) -> Flow,
) -> Flow {
    let (value, sibling) = pair(object, name);
    if value.is_some_and(is_resource) {
        return resources(value, model, visit);
    }
    if value.is_some() || sibling.is_some() {
        return spread(value, sibling, beside_kind(&name.plain, model), visit);
    }
    for (key, value) in object {
        if let Some(suffix) = choice_suffix(key, &name.plain) {
            spread(Some(value), sibling_of(object, key), suffix_kind(suffix, model), visit)?;
        }
    }
    Flow::Continue(())
}

fn member_kind(shape: &Shape, json: &str, model: &Model) -> Kind {
    let own = shape.fields().iter().find_map(|field| match &field.content {
        Content::One(kind) => (*field.name == *json).then_some(*kind),
        Content::Choice(choices) => choices.iter().find(|(choice, _)| **choice == *json).map(|(_, kind)| *kind),
        Content::Resource => None,
    });
    own.unwrap_or_else(|| beside_kind(json, model))
}

/// What an element of that name is wherever it stands.
fn beside_kind(name: &str, model: &Model) -> Kind {
    match name {
        "extension" | "modifierExtension" => model.kind("Extension"),
        "id" => model.kind("string"),
        "meta" => model.kind("Meta"),
        _ => Kind::UNKNOWN,
    }
}

/// `DateTime` is the type `dateTime`, `Quantity` is `Quantity`.
fn suffix_kind(suffix: &str, model: &Model) -> Kind {
    match model.kind(suffix) {
        Kind::UNKNOWN => {
            let mut letters = suffix.chars();
            let first = letters.next().map(|first| first.to_ascii_lowercase());
            model.kind(&first.into_iter().chain(letters).collect::<String>())
        }
        kind => kind,
    }
}
