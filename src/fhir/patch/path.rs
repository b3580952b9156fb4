//! The FHIRPath of patches: names, indexes, `where` with equalities, `first()`, `last()`, `single()`, `ofType()` and
//! `extension(url)` (FHIR R4 fhirpatch.html).
//!
//! It finds places, not values: what it finds is going to be changed. What is beyond it is refused by name.

mod read;

use serde_json::Value;

use super::Shape;
use read::Reader;

#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The type that it starts at, when it names one.
    root: Option<String>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
    First,
    Last,
    Single,
    OfType(String),
    Extension(String),
    Where(Vec<Criterion>),
}

/// `system = 'phone'`, or `system.exists()` when there is nothing to compare with.
#[derive(Clone, Debug, PartialEq)]
struct Criterion {
    path: Vec<Step>,
    equals: Option<Value>,
}

/// Where an element is: JSON names and places in lists.
pub type Place = Vec<At>;

#[derive(Clone, Debug, PartialEq)]
pub enum At {
    Key(String),
    Item(usize),
}

impl Path {
    /// # Errors
    /// What was expected, and where.
    pub fn read(text: &str) -> Result<Path, String> {
        let mut steps = Reader::all(text)?;
        let root = match steps.first() {
            Some(Step::Name(name)) if name.starts_with(|first: char| first.is_ascii_uppercase()) => Some(name.clone()),
            _ => None,
        };
        if root.is_some() {
            steps.remove(0);
        }
        Ok(Path { root, steps })
    }

    /// Everything that it leads to.
    ///
    /// # Errors
    /// That it starts at another type, or asks for one of several with `single()`.
    pub fn find(&self, resource: &Value, shape: &Shape) -> Result<Vec<Place>, String> {
        self.starts_at(resource)?;
        walk(&self.steps, resource, shape)
    }

    /// The last name alone and the path before it, for what is about a list: it may not be there yet.
    ///
    /// # Errors
    /// That it does not end in a name.
    pub fn list(&self) -> Result<(Path, &str), String> {
        match self.steps.split_last() {
            Some((Step::Name(name), above)) => Ok((Path { root: self.root.clone(), steps: above.to_vec() }, name)),
            _ => Err("expected the path of a list, which ends in its name".to_string()),
        }
    }

    fn starts_at(&self, resource: &Value) -> Result<(), String> {
        let kind = resource["resourceType"].as_str().unwrap_or("");
        match self.root.as_deref() {
            None | Some("Resource" | "DomainResource") => Ok(()),
            Some(root) if root == kind => Ok(()),
            Some(_) => Err(format!("expected a path that starts at `{kind}`")),
        }
    }
}

/// The element at a place.
pub fn at<'v>(place: &[At], from: &'v Value) -> Option<&'v Value> {
    place.iter().try_fold(from, |value, step| match step {
        At::Key(name) => value.get(name),
        At::Item(index) => value.get(index),
    })
}

pub fn at_mut<'v>(place: &[At], from: &'v mut Value) -> Option<&'v mut Value> {
    place.iter().try_fold(from, |value, step| match step {
        At::Key(name) => value.get_mut(name),
        At::Item(index) => value.get_mut(index),
    })
}

/// A place as the definitions know it: the type, and names alone.
pub fn names<'p>(resource: &'p Value, place: &'p [At]) -> Vec<&'p str> {
    let kind = resource["resourceType"].as_str().unwrap_or("");
    let keys = place.iter().filter_map(|step| match step {
        At::Key(name) => Some(name.as_str()),
        At::Item(_) => None,
    });
    std::iter::once(kind).chain(keys).collect()
}

fn walk(steps: &[Step], resource: &Value, shape: &Shape) -> Result<Vec<Place>, String> {
    let mut found: Vec<Place> = vec![Vec::new()];
    for step in steps {
        found = match step {
            Step::Name(name) => found.iter().flat_map(|place| below(resource, place, name, shape)).collect(),
            Step::Index(index) => found.into_iter().nth(*index).into_iter().collect(),
            Step::First => found.into_iter().next().into_iter().collect(),
            Step::Last => found.into_iter().next_back().into_iter().collect(),
            Step::Single if found.len() > 1 => return Err(format!("`single()` found {}", found.len())),
            Step::Single => found,
            Step::OfType(kind) => {
                let fits = |place: &Place| match place.iter().rev().find(|step| matches!(step, At::Key(_))) {
                    Some(At::Key(name)) => name.to_ascii_lowercase().ends_with(&kind.to_ascii_lowercase()),
                    _ => false,
                };
                found.into_iter().filter(fits).collect()
            }
            Step::Extension(url) => {
                let inside = found.iter().flat_map(|place| below(resource, place, "extension", shape));
                inside.filter(|place| at(place, resource).is_some_and(|one| one["url"] == url.as_str())).collect()
            }
            Step::Where(criteria) => {
                let mut kept = Vec::new();
                for place in found {
                    if all_hold(criteria, resource, &place, shape)? {
                        kept.push(place);
                    }
                }
                kept
            }
        };
    }
    Ok(found)
}

fn all_hold(criteria: &[Criterion], resource: &Value, place: &Place, shape: &Shape) -> Result<bool, String> {
    for criterion in criteria {
        let mut found = vec![place.clone()];
        for step in &criterion.path {
            found = match step {
                Step::Name(name) => found.iter().flat_map(|place| below(resource, place, name, shape)).collect(),
                Step::Index(index) => found.into_iter().nth(*index).into_iter().collect(),
                Step::First => found.into_iter().next().into_iter().collect(),
                Step::Last => found.into_iter().next_back().into_iter().collect(),
                _ => return Err("expected names, indexes, `first()` or `last()` inside `where`".to_string()),
            };
        }
        let holds = match &criterion.equals {
            None => !found.is_empty(),
            // FHIRPath: of several values none equals one.
            Some(wanted) => found.len() == 1 && at(&found[0], resource) == Some(wanted),
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The elements of one name below a place; a choice goes by its name without the type.
fn below(resource: &Value, place: &Place, name: &str, shape: &Shape) -> Vec<Place> {
    let Some(Value::Object(object)) = at(place, resource) else { return Vec::new() };
    let is_choice = |key: &str| {
        let typed =
            key.strip_prefix(name).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()));
        typed && {
            let mut path = names(resource, place);
            path.push(name);
            shape(&path).is_some_and(|member| member.is_choice)
        }
    };
    let key = match object.get_key_value(name) {
        Some((key, _)) => Some(key),
        None => object.keys().find(|key| is_choice(key)),
    };
    let Some(key) = key else { return Vec::new() };
    let mut here = place.clone();
    here.push(At::Key(key.clone()));
    match &object[key] {
        Value::Array(list) => (0..list.len())
            .map(|index| {
                let mut item = here.clone();
                item.push(At::Item(index));
                item
            })
            .collect(),
        _ => vec![here],
    }
}
