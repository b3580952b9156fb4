//! The FHIRPath of patches: names, indexes, `where` with equalities, `first()`, `last()`, `single()`, `ofType()` and
//! `extension(url)` (FHIR R4 fhirpatch.html).
//!
//! It finds places, not values: what it finds is going to be changed. What is beyond it is refused by name.

use serde_json::Value;

use super::{STEPS_MAX, Shape};

/// Longest path that is read.
const LENGTH_MAX: usize = 2_000;

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
        if text.len() > LENGTH_MAX {
            return Err(format!("a path has at most {LENGTH_MAX} characters"));
        }
        let mut reader = Reader { rest: text };
        let mut steps = reader.steps()?;
        if !reader.rest.is_empty() {
            return Err(format!("expected `.` or `[` after {} characters", text.len() - reader.rest.len()));
        }
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

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn steps(&mut self) -> Result<Vec<Step>, String> {
        let mut steps = vec![self.step()?];
        loop {
            if self.take(".") {
                steps.push(self.step()?);
            } else if self.take("[") {
                let digits = self.while_in(|letter| letter.is_ascii_digit());
                let index = digits.parse().map_err(|_| "expected a number between `[` and `]`".to_string())?;
                self.expect("]")?;
                steps.push(Step::Index(index));
            } else {
                return Ok(steps);
            }
            if steps.len() > STEPS_MAX {
                return Err(format!("a path has at most {STEPS_MAX} steps"));
            }
        }
    }

    fn step(&mut self) -> Result<Step, String> {
        if self.take("`") {
            let name = self.while_in(|letter| letter != '`').to_string();
            self.expect("`")?;
            return Ok(Step::Name(name));
        }
        let name = self.while_in(|letter| letter.is_ascii_alphanumeric() || letter == '_').to_string();
        if name.is_empty() {
            return Err("expected the name of an element".to_string());
        }
        if !self.take("(") {
            return Ok(Step::Name(name));
        }
        let step = match name.as_str() {
            "first" => Step::First,
            "last" => Step::Last,
            "single" => Step::Single,
            "ofType" | "as" => Step::OfType(self.while_in(|letter| letter.is_ascii_alphanumeric()).to_string()),
            "extension" => match self.literal()? {
                Value::String(url) => Step::Extension(url),
                _ => return Err("`extension()` takes a url in quotes".to_string()),
            },
            "where" => Step::Where(self.criteria()?),
            _ => {
                let text = "a function that is not known to patches: expected `where`, `first`, `last`, `single`, `ofType` or `extension`";
                return Err(text.to_string());
            }
        };
        self.space();
        self.expect(")")?;
        Ok(step)
    }

    fn criteria(&mut self) -> Result<Vec<Criterion>, String> {
        let mut criteria = Vec::new();
        loop {
            criteria.push(self.criterion()?);
            if !self.take("and ") {
                return Ok(criteria);
            }
        }
    }

    fn criterion(&mut self) -> Result<Criterion, String> {
        self.space();
        let _ = self.take("$this.");
        let mut path = Vec::new();
        loop {
            if self.take("exists()") {
                self.space();
                return Ok(Criterion { path, equals: None });
            }
            if self.take("$this") {
                break;
            }
            path.push(self.step()?);
            while self.take("[") {
                let digits = self.while_in(|letter| letter.is_ascii_digit());
                path.push(Step::Index(
                    digits.parse().map_err(|_| "expected a number between `[` and `]`".to_string())?,
                ));
                self.expect("]")?;
            }
            if path.len() > STEPS_MAX {
                return Err(format!("a path has at most {STEPS_MAX} steps"));
            }
            if !self.take(".") {
                break;
            }
        }
        self.space();
        self.expect("=")?;
        self.space();
        let equals = Some(self.literal()?);
        self.space();
        Ok(Criterion { path, equals })
    }

    fn literal(&mut self) -> Result<Value, String> {
        if self.take("'") {
            let mut text = String::new();
            let mut letters = self.rest.char_indices();
            while let Some((at, letter)) = letters.next() {
                match letter {
                    '\'' => {
                        self.rest = &self.rest[at + 1..];
                        return Ok(Value::String(text));
                    }
                    '\\' => text.extend(letters.next().map(|(_, letter)| match letter {
                        'n' => '\n',
                        't' => '\t',
                        other => other,
                    })),
                    letter => text.push(letter),
                }
            }
            return Err("a text in quotes that does not end".to_string());
        }
        // A date is written `@2020-01-01` and held as text.
        if self.take("@") {
            let date = self.while_in(|letter| letter.is_ascii_alphanumeric() || "-:.+".contains(letter));
            return Ok(Value::String(date.to_string()));
        }
        let word = self.while_in(|letter| letter.is_ascii_alphanumeric() || "-.".contains(letter)).to_string();
        match serde_json::from_str(&word) {
            Ok(value @ (Value::Bool(_) | Value::Number(_))) => Ok(value),
            _ => Err("expected a text in quotes, a number, `true` or `false`".to_string()),
        }
    }

    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        if self.take(text) { Ok(()) } else { Err(format!("expected `{text}`")) }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn while_in(&mut self, fits: impl Fn(char) -> bool) -> &str {
        let end = self.rest.find(|letter| !fits(letter)).unwrap_or(self.rest.len());
        let (found, rest) = self.rest.split_at(end);
        self.rest = rest;
        found
    }
}
