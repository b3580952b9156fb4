//! FHIRPath Patch: operations in a `Parameters` (FHIR R4 fhirpatch.html).
//!
//! Where an element repeats, or is a choice, is asked of the definitions; where they do not know it, what is there
//! says so. A primitive's `_name` goes where the primitive goes.

mod read;

use serde_json::{Map, Value};

use super::path::{At, Path, Place, at, at_mut, names};
use super::{DEPTH_MAX, Member, Shape, fits};
use crate::fhir::Issue;

pub use read::read;

/// One operation, with its place among the parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    index: usize,
    deed: Deed,
}

#[derive(Clone, Debug, PartialEq)]
enum Deed {
    Add { path: Path, name: String, value: Given },
    Insert { path: Path, index: usize, value: Given },
    Delete { path: Path },
    Replace { path: Path, value: Given },
    Move { path: Path, source: usize, destination: usize },
}

/// A value as it was sent: of a type that its name ends with, or in parts where the type has no name.
#[derive(Clone, Debug, PartialEq)]
enum Given {
    Typed(String, Value),
    Parts(Vec<(String, Given)>),
}

/// # Errors
/// The first operation that does not fit.
pub fn apply(operations: &[Operation], to: &mut Value, shape: &Shape) -> Result<(), Issue> {
    for operation in operations {
        one(&operation.deed, to, shape).map_err(|text| {
            let text = format!("operation {}: {text}", operation.index);
            Issue::error("business-rule", "patch-unfit", text).at(place(operation.index))
        })?;
    }
    Ok(())
}

fn one(deed: &Deed, to: &mut Value, shape: &Shape) -> Result<(), String> {
    match deed {
        Deed::Add { path, name, value } => {
            let holder = exactly_one(path.find(to, shape)?)?;
            let (key, repeats) = key_of(to, &holder, name, value, shape)?;
            let value = built(to, &holder, &key, value, shape)?;
            let object = object_at(&holder, to)?;
            match object.get_mut(&key) {
                Some(Value::Array(list)) => list.push(value),
                Some(_) => return Err("the element is there already and does not repeat: replace it".to_string()),
                None => {
                    object.insert(key, if repeats { Value::Array(vec![value]) } else { value });
                }
            }
            Ok(())
        }
        Deed::Insert { path, index, value } => {
            let (above, name) = path.list()?;
            let holder = exactly_one(above.find(to, shape)?)?;
            let (key, repeats) = key_of(to, &holder, name, value, shape)?;
            let value = built(to, &holder, &key, value, shape)?;
            let object = object_at(&holder, to)?;
            if !repeats && !object.get(&key).is_some_and(Value::is_array) {
                return Err("the element does not repeat: add or replace it".to_string());
            }
            let (list, beside) = lists(object, &key)?;
            if *index > list.len() {
                return Err(format!("the list has {} items", list.len()));
            }
            list.insert(*index, value);
            if let Some(beside) = beside.filter(|beside| *index <= beside.len()) {
                beside.insert(*index, Value::Null);
            }
            Ok(())
        }
        Deed::Delete { path } => match path.find(to, shape)?.as_slice() {
            // R4: what is not there needs no deletion.
            [] => Ok(()),
            [place] => delete(place, to),
            several => Err(format!("only a single element can be deleted, the path leads to {}", several.len())),
        },
        Deed::Replace { path, value } => {
            let place = exactly_one(path.find(to, shape)?)?;
            replace(&place, value, to, shape)
        }
        Deed::Move { path, source, destination } => {
            let (above, name) = path.list()?;
            let holder = exactly_one(above.find(to, shape)?)?;
            let object = object_at(&holder, to)?;
            if !object.get(name).is_some_and(Value::is_array) {
                return Err("expected the path of a list".to_string());
            }
            let (list, beside) = lists(object, name)?;
            if *source >= list.len() || *destination >= list.len() {
                return Err(format!("the list has {} items", list.len()));
            }
            let item = list.remove(*source);
            list.insert(*destination, item);
            if let Some(beside) = beside.filter(|beside| *source < beside.len() && *destination < beside.len()) {
                let item = beside.remove(*source);
                beside.insert(*destination, item);
            }
            Ok(())
        }
    }
}

fn delete(place: &[At], to: &mut Value) -> Result<(), String> {
    match place {
        [holder @ .., At::Key(name), At::Item(index)] => {
            let object = object_at(holder, to)?;
            let (list, beside) = lists(object, name)?;
            list.remove(*index);
            if let Some(beside) = beside.filter(|beside| *index < beside.len()) {
                beside.remove(*index);
            }
            // FHIR has no empty lists.
            if list.is_empty() {
                object.shift_remove(name);
                object.shift_remove(&format!("_{name}"));
            }
            Ok(())
        }
        [holder @ .., At::Key(name)] => {
            let object = object_at(holder, to)?;
            object.shift_remove(name);
            object.shift_remove(&format!("_{name}"));
            Ok(())
        }
        _ => Err("a resource is deleted with DELETE".to_string()),
    }
}

fn replace(place: &Place, value: &Given, to: &mut Value, shape: &Shape) -> Result<(), String> {
    match place.as_slice() {
        [holder @ .., At::Key(name), At::Item(index)] => {
            let value = built(to, holder, name, value, shape)?;
            let (list, beside) = lists(object_at(holder, to)?, name)?;
            list[*index] = value;
            if let Some(beside) = beside.and_then(|beside| beside.get_mut(*index)) {
                *beside = Value::Null;
            }
            Ok(())
        }
        [holder @ .., At::Key(name)] => {
            let key = renamed(to, holder, name, value, shape);
            let value = built(to, holder, &key, value, shape)?;
            let object = object_at(holder, to)?;
            let at = object.keys().position(|known| known == name).unwrap_or(object.len());
            object.shift_remove(name);
            object.shift_insert(at, key, value);
            object.shift_remove(&format!("_{name}"));
            Ok(())
        }
        _ => Err("a resource is replaced with PUT".to_string()),
    }
}

/// The JSON name of a choice whose value becomes one of another type.
fn renamed(to: &Value, holder: &[At], name: &str, value: &Given, shape: &Shape) -> String {
    let Given::Typed(kind, _) = value else { return name.to_string() };
    let known = |candidate: &str| {
        let mut path = names(to, holder);
        path.push(candidate);
        shape(&path)
    };
    if !known(name).is_some_and(|member| member.is_choice) {
        return name.to_string();
    }
    // `valueQuantity` is `value` and a type: the shortest beginning that is a choice.
    let ends = name.char_indices().filter(|(at, letter)| *at > 0 && letter.is_ascii_uppercase()).map(|(at, _)| at);
    let mut stems = ends.map(|at| &name[..at]).filter(|stem| known(stem).is_some_and(|member| member.is_choice));
    stems.next().map_or_else(|| name.to_string(), |stem| format!("{stem}{kind}"))
}

/// The JSON name of an element that is put below a place, and whether it is a list there.
fn key_of(to: &Value, holder: &[At], name: &str, value: &Given, shape: &Shape) -> Result<(String, bool), String> {
    let mut path = names(to, holder);
    path.push(name);
    let there = at(holder, to).and_then(|value| value.get(name));
    let member = shape(&path).unwrap_or(Member { repeats: there.is_some_and(Value::is_array), is_choice: false });
    if !member.is_choice {
        return Ok((name.to_string(), member.repeats));
    }
    let Some(Value::Object(object)) = at(holder, to) else { return Err(not_an_object()) };
    let typed = |key: &&String| {
        key.strip_prefix(name).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))
    };
    match value {
        _ if object.keys().any(|key| typed(&key)) => {
            Err("the element is there already and does not repeat: replace it".to_string())
        }
        // A JSON name that says its type already.
        Given::Typed(kind, _) if name.ends_with(kind.as_str()) && name.len() > kind.len() => {
            Ok((name.to_string(), false))
        }
        Given::Typed(kind, _) => Ok((format!("{name}{kind}"), false)),
        Given::Parts(_) => Err("an element of several types needs a value of one of them".to_string()),
    }
}

/// The JSON of a value that was given, to stand below a place under a name.
fn built(to: &Value, holder: &[At], key: &str, given: &Given, shape: &Shape) -> Result<Value, String> {
    let mut path: Vec<&str> = names(to, holder);
    path.push(key);
    let value = assembled(&path, given, shape)?;
    if fits(holder.len() + 2, &value) {
        return Ok(value);
    }
    Err(format!("the resource would be nested deeper than {DEPTH_MAX} levels"))
}

fn assembled(path: &[&str], given: &Given, shape: &Shape) -> Result<Value, String> {
    let parts = match given {
        Given::Typed(_, value) => return Ok(value.clone()),
        Given::Parts(parts) => parts,
    };
    let mut object = Map::new();
    for (name, given) in parts {
        let mut inside = path.to_vec();
        inside.push(name);
        let member = shape(&inside).unwrap_or(Member { repeats: false, is_choice: false });
        let key = match given {
            Given::Typed(kind, _) if member.is_choice && !name.ends_with(kind.as_str()) => format!("{name}{kind}"),
            _ => name.clone(),
        };
        let value = assembled(&inside, given, shape)?;
        match object.get_mut(&key) {
            Some(Value::Array(list)) => list.push(value),
            Some(_) => return Err("a part that does not repeat is there twice".to_string()),
            None => {
                object.insert(key, if member.repeats { Value::Array(vec![value]) } else { value });
            }
        }
    }
    Ok(Value::Object(object))
}

/// A list, made if it is not there, and the one beside it for primitives.
fn lists<'v>(
    object: &'v mut Map<String, Value>,
    name: &str,
) -> Result<(&'v mut Vec<Value>, Option<&'v mut Vec<Value>>), String> {
    object.entry(name).or_insert_with(|| Value::Array(Vec::new()));
    let (mut list, mut beside) = (None, None);
    for (key, value) in object.iter_mut() {
        if key == name {
            list = value.as_array_mut();
        } else if key.strip_prefix('_') == Some(name) {
            beside = value.as_array_mut();
        }
    }
    Ok((list.ok_or("the element does not repeat")?, beside))
}

fn object_at<'v>(place: &[At], to: &'v mut Value) -> Result<&'v mut Map<String, Value>, String> {
    at_mut(place, to).and_then(Value::as_object_mut).ok_or_else(not_an_object)
}

fn not_an_object() -> String {
    "the path leads to a value that nothing can be put into".to_string()
}

fn exactly_one(mut found: Vec<Place>) -> Result<Place, String> {
    match (found.len(), found.pop()) {
        (1, Some(place)) => Ok(place),
        (0, _) => Err("the path leads to nothing".to_string()),
        (several, _) => Err(format!("the path leads to {several} elements, expected one")),
    }
}

fn place(index: usize) -> String {
    format!("Parameters.parameter[{index}]")
}
