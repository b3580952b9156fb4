//! What tells an item of a slice from others, where a schema could not (R4 profiling.html#discriminator).

use std::borrow::Cow;

use serde_json::Value;

use crate::fhir::element::choice_suffix;
use crate::profile::Profiles;
use crate::profile::around::{Around, Led};
use crate::profile::facts::{Slicing, bare};
use crate::profile::stride::{Stride, strides};
use crate::profile::table::capital;
use crate::profile::terminology::Membership;
use crate::profile::tree::{Tree, extension_url};
use crate::profile::walk::Walk;
use crate::profile::{binding, pattern};

/// Tests that an item must meet, each at a path from it.
#[derive(Debug, Default)]
pub struct Told(Vec<(Vec<Stride>, Test)>);

#[derive(Debug)]
enum Test {
    Fixed(Value),
    Pattern(Value),
    Codes(String),
    There(bool),
    Kinds(Vec<String>),
    Profiles(Vec<String>),
}

/// What a path leads to.
struct Reached<'a, 'w> {
    value: &'a Value,
    /// The member's name in JSON, which tells the type of a choice.
    key: Option<&'a str>,
    /// Where it stands, when a reference was followed.
    at: Option<Cow<'w, Around<'a>>>,
}

impl Told {
    /// `None` when nothing tells the slice from others, or what does cannot be read.
    pub fn compile(profiles: &Profiles, slicing: &Slicing, slice: &Tree) -> Option<Told> {
        let mut told = Told::default();
        for by in &slicing.by {
            let path = strides(&by.path)?;
            match by.kind.as_str() {
                "value" | "pattern" => value(slice, &path, &mut Vec::new(), &mut told),
                "exists" => {
                    if let Some(there) = child(slice, &path).and_then(is_there) {
                        told.0.push((path, Test::There(there)));
                    }
                }
                "type" => {
                    let kinds = kinds(profiles, slice, &path)?;
                    told.0.push((path, Test::Kinds(kinds)));
                }
                "profile" => {
                    let wanted = wanted(slice, &path)?;
                    told.0.push((path, Test::Profiles(wanted)));
                }
                _ => return None,
            }
        }
        (!told.0.is_empty()).then_some(told)
    }

    /// An extension is told by its url.
    pub fn by_url(url: String) -> Told {
        Told(vec![(vec![Stride::Child("url".into())], Test::Fixed(Value::String(url)))])
    }

    /// Both: of a slice within a slice.
    pub fn and(mut self, more: Told) -> Told {
        self.0.extend(more.0);
        self
    }

    /// Whether the item is of the slice; `None` where it leads to what is not at hand.
    pub fn tells<'a>(&self, walk: &Walk<'a>, item: &'a Value, key: Option<&'a str>) -> Option<bool> {
        let mut known = Some(true);
        for (path, test) in &self.0 {
            match test.holds(walk, path, Reached { value: item, key, at: None }) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => known = None,
            }
        }
        known
    }
}

impl Test {
    fn holds<'a>(&self, walk: &Walk<'a>, path: &[Stride], from: Reached<'a, '_>) -> Option<bool> {
        let mut found = Vec::new();
        let whole = reach(walk, path, from, &mut found);
        if let Test::There(there) = self {
            return Some(found.is_empty() != *there);
        }
        let mut known = whole.then_some(false);
        for reached in &found {
            match self.meets(walk, reached) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => known = None,
            }
        }
        known
    }

    fn meets<'a>(&self, walk: &Walk<'a>, reached: &Reached<'a, '_>) -> Option<bool> {
        match self {
            Test::Fixed(fixed) => Some(reached.value == fixed),
            Test::Pattern(wanted) => Some(pattern::holds(wanted, reached.value)),
            Test::Codes(url) => match binding::judge(walk.profiles.set(url)?, reached.value) {
                Membership::Member => Some(true),
                Membership::Stranger => Some(false),
                Membership::Unknown => None,
            },
            Test::There(there) => Some(*there),
            Test::Kinds(kinds) => Some(match reached.value.get("resourceType").and_then(Value::as_str) {
                Some(kind) => kinds.iter().any(|known| known == kind),
                None => {
                    let key = reached.key.unwrap_or("");
                    kinds.iter().any(|kind| key.ends_with(capital(kind).as_str()))
                }
            }),
            Test::Profiles(wanted) => {
                let around = reached.at.as_deref();
                let judged: Vec<Option<bool>> =
                    wanted.iter().map(|url| walk.conforms(reached.value, url, around)).collect();
                let some = [Some(true), None].into_iter().find(|known| judged.contains(known));
                some.unwrap_or(Some(false))
            }
        }
    }
}

/// Gathers what the path leads to; `false` when a part of it could not be followed.
fn reach<'a, 'w>(walk: &Walk<'a>, path: &[Stride], from: Reached<'a, 'w>, found: &mut Vec<Reached<'a, 'w>>) -> bool {
    let Some((stride, rest)) = path.split_first() else {
        found.push(from);
        return true;
    };
    let each = |value: &'a Value| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    match stride {
        Stride::Child(name) => {
            let members = from.value.as_object().into_iter().flatten();
            let named = members.filter(|(key, _)| *key == name || choice_suffix(key, name).is_some());
            let inside = named.flat_map(|(key, value)| each(value).iter().map(move |value| (key, value)));
            let mut whole = true;
            for (key, value) in inside {
                whole &= reach(walk, rest, Reached { value, key: Some(key), at: from.at.clone() }, found);
            }
            whole
        }
        Stride::Extension(url) => {
            let extensions = from.value.get("extension").map_or(&[][..], each).iter();
            let named = extensions.filter(|held| held.get("url").and_then(Value::as_str) == Some(url));
            let mut whole = true;
            for value in named {
                whole &= reach(walk, rest, Reached { value, key: None, at: from.at.clone() }, found);
            }
            whole
        }
        Stride::OfType(kind) => match from.key {
            Some(key) if !key.ends_with(capital(kind).as_str()) => true,
            _ => reach(walk, rest, from, found),
        },
        Stride::Resolve => {
            let Some(reference) = from.value.get("reference").and_then(Value::as_str) else { return false };
            match from.at.as_deref().unwrap_or(&walk.around).resolve(reference) {
                Led::To(around) => {
                    let at: Option<Cow<Around>> = Some(Cow::Owned(around));
                    let value = at.as_ref().map_or(from.value, |around| around.resource());
                    reach(walk, rest, Reached { value, key: None, at }, found)
                }
                Led::Nowhere | Led::Unknown => false,
            }
        }
    }
}

/// Fixed values, patterns and codes at the path and below it.
fn value(tree: &Tree, path: &[Stride], walked: &mut Vec<Stride>, told: &mut Told) {
    let own = tree.facts.fixed.as_ref().or(tree.facts.pattern.as_ref());
    match path.split_first() {
        Some((Stride::Child(name), rest)) => {
            if let Some(part) = own.and_then(|own| own.get(name)) {
                walked.push(Stride::Child(name.clone()));
                inside(part, rest, walked, told);
                walked.pop();
            } else if let Some(child) = tree.child(name) {
                walked.push(Stride::Child(name.clone()));
                value(child, rest, walked, told);
                walked.pop();
            }
        }
        Some((Stride::Extension(url), rest)) => {
            let slices = tree.child("extension").into_iter().flat_map(|list| &list.slices);
            let mut named = slices.filter(|(_, slice)| extension_url(slice).as_deref() == Some(url));
            if let Some((_, slice)) = named.next() {
                walked.push(Stride::Extension(url.clone()));
                value(slice, rest, walked, told);
                walked.pop();
            }
        }
        Some((Stride::OfType(_), rest)) => value(tree, rest, walked, told),
        Some((Stride::Resolve, _)) => {}
        None => {
            if let Some(fixed) = &tree.facts.fixed {
                told.0.push((walked.clone(), Test::Fixed(fixed.clone())));
            } else if let Some(wanted) = &tree.facts.pattern {
                told.0.push((walked.clone(), Test::Pattern(wanted.clone())));
            } else if let Some(bound) = tree.facts.binding.as_ref().filter(|bound| bound.strength == "required") {
                told.0.push((walked.clone(), Test::Codes(bare(&bound.value_set).to_string())));
            } else {
                for (name, child) in &tree.children {
                    walked.push(Stride::Child(name.trim_end_matches("[x]").to_string()));
                    value(child, &[], walked, told);
                    walked.pop();
                }
            }
        }
    }
}

/// The rest of a path inside a fixed value or a pattern.
fn inside(part: &Value, path: &[Stride], walked: &mut Vec<Stride>, told: &mut Told) {
    match path.split_first() {
        None => told.0.push((walked.clone(), Test::Pattern(part.clone()))),
        Some((Stride::Child(name), rest)) => {
            let parts = part.as_array().map_or(std::slice::from_ref(part), Vec::as_slice);
            if let Some(part) = parts.iter().find_map(|part| part.get(name)) {
                walked.push(Stride::Child(name.clone()));
                inside(part, rest, walked, told);
                walked.pop();
            }
        }
        Some(_) => {}
    }
}

/// The tree at a path.
fn child<'t>(tree: &'t Tree, path: &[Stride]) -> Option<&'t Tree> {
    path.iter().try_fold(tree, |tree, stride| match stride {
        Stride::Child(name) => tree.child(name),
        Stride::Extension(url) => {
            let mut slices = tree.child("extension")?.slices.iter();
            slices.find(|(_, slice)| extension_url(slice).as_deref() == Some(url)).map(|(_, slice)| slice)
        }
        Stride::OfType(_) => Some(tree),
        Stride::Resolve => None,
    })
}

fn is_there(tree: &Tree) -> Option<bool> {
    match (tree.facts.min.unwrap_or(0), tree.facts.max.as_deref()) {
        (_, Some("0")) => Some(false),
        (1.., _) => Some(true),
        _ => None,
    }
}

fn kinds(profiles: &Profiles, slice: &Tree, path: &[Stride]) -> Option<Vec<String>> {
    let resolved = path.last() == Some(&Stride::Resolve);
    let tree = child(slice, if resolved { &path[..path.len() - 1] } else { path })?;
    let within = tree.slices.iter().flat_map(|(_, slice)| &slice.facts.types);
    let types = tree.facts.types.iter().chain(within);
    let found: Vec<String> = if resolved {
        let targets = types.flat_map(|kind| &kind.targets);
        targets.filter_map(|url| Some(profiles.entry(bare(url))?.head.type_name.clone())).collect()
    } else {
        types.map(|kind| kind.code.clone()).collect()
    };
    (!found.is_empty()).then_some(found)
}

fn wanted(slice: &Tree, path: &[Stride]) -> Option<Vec<String>> {
    let resolved = path.last() == Some(&Stride::Resolve);
    let tree = child(slice, if resolved { &path[..path.len() - 1] } else { path })?;
    let types = tree.facts.types.iter();
    let found: Vec<String> = types
        .flat_map(|kind| if resolved { &kind.targets } else { &kind.profiles })
        .map(|url| bare(url).to_string())
        .collect();
    (!found.is_empty()).then_some(found)
}
