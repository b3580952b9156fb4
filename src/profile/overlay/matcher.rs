//! Schemas that a value meets or not: fixed values, patterns, codes, reference targets, and by these, slices.

use serde_json::{Map, Value, json};

use crate::profile::Profiles;
use crate::profile::binding::is_coded;
use crate::profile::facts::{Slicing, bare};
use crate::profile::found::shown;
use crate::profile::stride::{Stride, strides};
use crate::profile::table::capital;

use super::listed;
use super::spot::Seat;
use crate::profile::tree::{Tree, extension_url};

/// Whether a discriminator can be put as a schema.
enum Test {
    Schema(Value),
    /// It is not constrained there, and so tells nothing.
    Free,
    /// It is constrained by something that we cannot list or resolve.
    Unsayable,
}

/// FHIR's pattern (R4 elementdefinition.html#pattern): what is in it must be in the value; lists hold it somewhere.
pub fn pattern(wanted: &Value) -> Value {
    match wanted {
        Value::Object(object) => {
            let names: Vec<&String> = object.keys().collect();
            let members: Map<String, Value> = object.iter().map(|(name, part)| (name.clone(), pattern(part))).collect();
            json!({"type": "object", "required": names, "properties": members})
        }
        Value::Array(list) => {
            let each: Vec<Value> = list.iter().map(|item| json!({"contains": pattern(item)})).collect();
            json!({"type": "array", "allOf": each})
        }
        simple => json!({"const": simple}),
    }
}

/// A literal reference of the REST form must be of one of these types; any other form passes.
pub fn reference(targets: &[String]) -> Value {
    const ANY: &str = r"^(?:[A-Za-z][A-Za-z0-9+.-]*://.*/)?[A-Z][A-Za-z]*/[A-Za-z0-9.-]{1,64}(?:/_history/.*)?$";
    let these = format!(r"(?:^|/)(?:{})/[A-Za-z0-9.-]{{1,64}}(?:/_history/.*)?$", targets.join("|"));
    json!({"properties": {"reference": {"if": {"pattern": ANY}, "then": {"pattern": these}}}})
}

/// The schema that tells an item of the slice from others, or `None` when a schema cannot.
pub fn slice<'p>(profiles: &'p Profiles, slicing: Option<&Slicing>, slice: &Tree, seat: Seat<'p>) -> Option<Value> {
    if seat.kind.code == "Extension" {
        return extension_url(slice).map(|url| json!({"required": ["url"], "properties": {"url": {"const": url}}}));
    }
    let reach = Reach { profiles, seat };
    let mut all: Vec<Value> = Vec::new();
    for by in &slicing?.by {
        let test = match by.kind.as_str() {
            "value" | "pattern" => reach.at(slice, &steps(&by.path)?),
            "exists" => exists(slice, &steps(&by.path)?),
            "type" => reach.types(slice, &by.path),
            _ => Test::Unsayable,
        };
        match test {
            Test::Schema(schema) => all.push(schema),
            Test::Free => {}
            Test::Unsayable => return None,
        }
    }
    match all.len() {
        0 => None,
        1 => all.pop(),
        _ => Some(json!({"allOf": all})),
    }
}

/// Whether a schema tells the slice's items from others.
pub fn can_tell(profiles: &Profiles, slicing: Option<&Slicing>, tree: &Tree, seat: Seat) -> bool {
    slice(profiles, slicing, tree, seat).is_some()
}

/// What marks the slice, for the reader of a message.
pub fn hint(slice: &Tree) -> String {
    let own = slice.facts.pattern.as_ref().or(slice.facts.fixed.as_ref());
    let inner = || slice.children.iter().find_map(|(_, child)| child.facts.pattern.as_ref());
    match own.or_else(inner) {
        Some(wanted) => format!(" ({})", spelled(wanted)),
        None => extension_url(slice).map_or_else(String::new, |url| format!(" (`{}`)", shown(&url))),
    }
}

/// A fixed value or pattern in words: its codes, or its JSON when it is short.
pub fn spelled(wanted: &Value) -> String {
    let codings = wanted.get("coding").and_then(Value::as_array).map_or(std::slice::from_ref(wanted), Vec::as_slice);
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_string);
    let codes: Vec<String> = codings
        .iter()
        .filter_map(|coding| {
            Some(format!("`{}|{}`", text(coding, "system").unwrap_or_default(), text(coding, "code")?))
        })
        .collect();
    match (codes.is_empty(), wanted) {
        (false, _) => codes.join(" and "),
        (true, Value::String(text)) => format!("`{}`", shown(text)),
        (true, other) => format!("`{}`", shown(&other.to_string())),
    }
}

/// A path, as far as a schema can follow it.
fn steps(path: &str) -> Option<Vec<Stride>> {
    let mut found = strides(path)?;
    found.retain(|stride| !matches!(stride, Stride::OfType(_)));
    (!found.contains(&Stride::Resolve)).then_some(found)
}

/// An element of the base, from which discriminators are followed.
#[derive(Clone, Copy)]
struct Reach<'p> {
    profiles: &'p Profiles,
    seat: Seat<'p>,
}

impl<'p> Reach<'p> {
    fn at(self, tree: &Tree, steps: &[Stride]) -> Test {
        match steps.split_first() {
            None => self.itself(tree),
            Some((Stride::Extension(_), [])) => exists(tree, steps),
            Some((Stride::Extension(_), _)) => Test::Unsayable,
            Some((Stride::Child(name), rest)) => self.child(tree, name, rest),
            Some((Stride::OfType(_) | Stride::Resolve, _)) => Test::Unsayable,
        }
    }

    fn child(self, tree: &Tree, name: &str, rest: &[Stride]) -> Test {
        let own = tree.facts.pattern.as_ref().or(tree.facts.fixed.as_ref());
        if let Some(part) = own.and_then(|own| own.get(name)) {
            return Test::Schema(json!({"required": [name], "properties": {name: pattern(part)}}));
        }
        let (Some(spot), Some(child)) = (self.seat.inside(self.profiles), tree.child(name)) else {
            return Test::Free;
        };
        let Some(field) = spot.field(name) else { return Test::Unsayable };
        let mut shapes = Vec::new();
        for kind in &field.types {
            let stated = &child.facts.types;
            if !stated.is_empty() && !stated.iter().any(|stated| stated.code == kind.code) {
                continue;
            }
            match (Reach { seat: Seat { spot, field, kind }, ..self }).at(child, rest) {
                Test::Schema(schema) => {
                    let schema = if field.is_list { json!({"contains": schema}) } else { schema };
                    shapes.push(json!({"required": [kind.json], "properties": {kind.json.as_str(): schema}}));
                }
                other => return other,
            }
        }
        match shapes.len() {
            0 => Test::Free,
            1 => shapes.pop().map_or(Test::Free, Test::Schema),
            _ => Test::Schema(json!({"anyOf": shapes})),
        }
    }

    /// The value itself: fixed, patterned, bound, or made of children that are.
    fn itself(self, tree: &Tree) -> Test {
        let facts = &tree.facts;
        if let Some(fixed) = &facts.fixed {
            return Test::Schema(json!({"const": fixed}));
        }
        if let Some(wanted) = &facts.pattern {
            return Test::Schema(pattern(wanted));
        }
        if let Some(bound) = facts.binding.as_ref().filter(|bound| bound.strength == "required") {
            let url = bare(&bound.value_set);
            let set = self.profiles.set(url).filter(|_| is_coded(&self.seat.kind.code));
            // A set of which nothing is known tells no slice from others.
            let is_telling =
                set.is_some_and(|set| set.systems().next().is_some() && set.open().all(|open| open != "*"));
            return if is_telling { Test::Schema(json!({listed::NOT_OUTSIDE: url})) } else { Test::Unsayable };
        }
        let mut all = Vec::new();
        for (name, child) in &tree.children {
            let told = !child.children.is_empty() || child.facts.fixed.is_some() || child.facts.pattern.is_some();
            if let (true, Test::Schema(schema)) = (told, self.child(tree, name.trim_end_matches("[x]"), &[])) {
                all.push(schema);
            }
        }
        if all.is_empty() { Test::Free } else { Test::Schema(json!({"allOf": all})) }
    }

    /// Which member of a choice is used: `value` as `valueReference`. The type of a resource is no member's name.
    fn types(self, slice: &Tree, path: &str) -> Test {
        let field = self.seat.inside(self.profiles).and_then(|spot| spot.field(path)).filter(|field| field.is_choice);
        let (Some(child), Some(_)) = (slice.child(path), field) else { return Test::Unsayable };
        let own = child.facts.types.iter();
        let inner = child.slices.iter().flat_map(|(_, slice)| &slice.facts.types);
        let codes: Vec<&str> = if child.facts.types.is_empty() {
            inner.map(|kind| kind.code.as_str()).collect()
        } else {
            own.map(|kind| kind.code.as_str()).collect()
        };
        if codes.is_empty() {
            return Test::Free;
        }
        let shapes: Vec<Value> =
            codes.iter().map(|code| json!({"required": [format!("{path}{}", capital(code))]})).collect();
        Test::Schema(json!({"anyOf": shapes}))
    }
}

/// The extension that marks the slice is there, or must not be.
fn exists(slice: &Tree, steps: &[Stride]) -> Test {
    let (there, schema) = match steps {
        [Stride::Extension(url)] => {
            let extensions = slice.child("extension");
            let marked = extensions.into_iter().flat_map(|tree| &tree.slices).map(|(_, marked)| marked);
            let mut marked = marked.filter(|marked| extension_url(marked).as_deref() == Some(url));
            let Some(marked) = marked.next() else { return Test::Unsayable };
            let held = json!({"contains": {"required": ["url"], "properties": {"url": {"const": url}}}});
            (&marked.facts, json!({"required": ["extension"], "properties": {"extension": held}}))
        }
        [Stride::Child(name)] => match slice.child(name) {
            Some(child) => (&child.facts, json!({"required": [name]})),
            None => return Test::Free,
        },
        _ => return Test::Unsayable,
    };
    match (there.min.unwrap_or(0), there.max.as_deref()) {
        (_, Some("0")) => Test::Schema(json!({"not": schema})),
        (1.., _) => Test::Schema(schema),
        _ => Test::Free,
    }
}
