//! CodeSystem and ValueSet to facts: value sets are expanded here, once.
//!
//! A published expansion counts if it is whole. Otherwise the composition is expanded from the code systems at
//! hand. What cannot be listed stays open and is named.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{list, text};
use crate::profile::Profiles;
use crate::profile::facts::{CodeSystem, ValueSet, bare};

/// Value sets that include value sets, and no deeper.
const NESTING_MAX: usize = 12;

/// # Errors
/// Its codes are not all in it.
pub fn system(definition: &Value) -> Result<CodeSystem, String> {
    if text(definition, "content") != "complete" {
        return Err(format!(
            "its content is `{}`: only complete code systems can be listed",
            text(definition, "content")
        ));
    }
    let mut facts = CodeSystem {
        url: text(definition, "url").into(),
        version: definition.get("version").and_then(Value::as_str).map(str::to_string),
        ..CodeSystem::default()
    };
    gather(list(definition, "concept"), None, &mut facts);
    facts.codes.sort();
    facts.codes.dedup();
    Ok(facts)
}

fn gather(concepts: &[Value], parent: Option<&str>, into: &mut CodeSystem) {
    for concept in concepts {
        let code = text(concept, "code");
        into.codes.push(code.into());
        if let Some(parent) = parent {
            into.parents.insert(code.into(), parent.into());
        }
        gather(list(concept, "concept"), Some(code), into);
    }
}

type Codes = BTreeMap<String, BTreeSet<String>>;

#[derive(Clone, Default)]
struct Expansion {
    codes: Codes,
    open: BTreeSet<String>,
}

pub struct Expander<'a> {
    known: &'a Profiles,
    systems: HashMap<&'a str, &'a CodeSystem>,
    sets: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Expander<'a> {
    pub fn new(known: &'a Profiles, systems: &'a [CodeSystem], sets: impl Iterator<Item = &'a Value>) -> Expander<'a> {
        Expander {
            known,
            systems: systems.iter().map(|system| (system.url.as_str(), system)).collect(),
            sets: sets.map(|set| (text(set, "url"), set)).collect(),
        }
    }

    pub fn all(&self) -> Vec<ValueSet> {
        let expanded = self.sets.iter().map(|(url, definition)| {
            let expansion = self.expand(definition, 0);
            ValueSet {
                url: (*url).to_string(),
                version: definition.get("version").and_then(Value::as_str).map(str::to_string),
                codes: expansion
                    .codes
                    .into_iter()
                    .map(|(system, codes)| (system, codes.into_iter().collect()))
                    .collect(),
                open: expansion.open.into_iter().collect(),
            }
        });
        expanded.collect()
    }

    fn expand(&self, definition: &Value, nesting: usize) -> Expansion {
        if let Some(published) = definition.get("expansion").and_then(published) {
            return published;
        }
        let mut whole = Expansion::default();
        let Some(compose) = definition.get("compose") else {
            whole.open.insert("*".into());
            return whole;
        };
        for include in list(compose, "include") {
            let part = self.include(include, nesting);
            part.codes.into_iter().for_each(|(system, codes)| whole.codes.entry(system).or_default().extend(codes));
            whole.open.extend(part.open);
        }
        for exclude in list(compose, "exclude") {
            for (system, codes) in self.include(exclude, nesting).codes {
                if let Some(kept) = whole.codes.get_mut(&system) {
                    kept.retain(|code| !codes.contains(code));
                }
            }
        }
        whole.codes.retain(|_, codes| !codes.is_empty());
        whole
    }

    /// A system's codes and value sets in one include are met together (R4 valueset.html#compositions).
    fn include(&self, include: &Value, nesting: usize) -> Expansion {
        let system = text(include, "system");
        let mut parts: Vec<Expansion> = Vec::new();
        if !system.is_empty() {
            parts.push(self.of_system(system, include));
        }
        for url in list(include, "valueSet").iter().filter_map(Value::as_str) {
            parts.push(self.of_set(bare(url), nesting));
        }
        parts.into_iter().reduce(meet).unwrap_or_default()
    }

    fn of_set(&self, url: &str, nesting: usize) -> Expansion {
        match self.sets.get(url) {
            Some(definition) if nesting < NESTING_MAX => self.expand(definition, nesting + 1),
            _ => match self.known.value_set(url) {
                Some(set) => Expansion {
                    codes: set.codes.into_iter().map(|(system, codes)| (system, codes.into_iter().collect())).collect(),
                    open: set.open.into_iter().collect(),
                },
                None => Expansion { open: BTreeSet::from(["*".to_string()]), ..Expansion::default() },
            },
        }
    }

    fn of_system(&self, url: &str, include: &Value) -> Expansion {
        let concepts = list(include, "concept");
        let codes: Option<BTreeSet<String>> = if concepts.is_empty() {
            let held = self.systems.get(url).copied().or_else(|| self.known.code_system(url));
            held.and_then(|system| {
                let all: BTreeSet<String> = system.codes.iter().cloned().collect();
                list(include, "filter").iter().try_fold(all, |codes, filter| filtered(codes, filter, system))
            })
        } else {
            Some(concepts.iter().map(|concept| text(concept, "code").to_string()).collect())
        };
        match codes {
            Some(codes) => Expansion { codes: Codes::from([(url.to_string(), codes)]), ..Expansion::default() },
            None => Expansion { open: BTreeSet::from([url.to_string()]), ..Expansion::default() },
        }
    }
}

/// The published expansion, when all of it is there.
fn published(expansion: &Value) -> Option<Expansion> {
    fn gather(contains: &[Value], codes: &mut Codes) -> u64 {
        let mut count = 0;
        for item in contains {
            count += 1 + gather(list(item, "contains"), codes);
            if item.get("abstract").and_then(Value::as_bool) != Some(true) && !text(item, "code").is_empty() {
                codes.entry(text(item, "system").into()).or_default().insert(text(item, "code").into());
            }
        }
        count
    }
    let mut codes = Codes::new();
    let count = gather(list(expansion, "contains"), &mut codes);
    let whole = expansion.get("total").and_then(Value::as_u64).is_none_or(|total| total <= count);
    (whole && count > 0).then(|| Expansion { codes, open: BTreeSet::new() })
}

/// `None` for a filter that needs more than the hierarchy.
fn filtered(codes: BTreeSet<String>, filter: &Value, system: &CodeSystem) -> Option<BTreeSet<String>> {
    let root = text(filter, "value");
    let below = |code: &str| {
        let mut at = code;
        // As many strides as there are codes: a cycle in a bad hierarchy ends.
        for _ in 0..system.codes.len() {
            match system.parents.get(at) {
                Some(parent) if parent == root => return true,
                Some(parent) => at = parent,
                None => return false,
            }
        }
        false
    };
    match (text(filter, "property"), text(filter, "op")) {
        ("concept", "is-a") => Some(codes.into_iter().filter(|code| code == root || below(code)).collect()),
        ("concept", "descendent-of") => Some(codes.into_iter().filter(|code| below(code)).collect()),
        ("concept", "is-not-a") => Some(codes.into_iter().filter(|code| code != root && !below(code)).collect()),
        _ => None,
    }
}

fn meet(left: Expansion, right: Expansion) -> Expansion {
    let mut met = Expansion::default();
    let holds = |side: &Expansion, system: &str| side.open.contains(system) || side.open.contains("*");
    for (one, other) in [(&left, &right), (&right, &left)] {
        for (system, codes) in &one.codes {
            let both = codes.iter().filter(|code| other.codes.get(system).is_some_and(|codes| codes.contains(*code)));
            met.codes.entry(system.clone()).or_default().extend(both.cloned());
            if holds(other, system) {
                met.open.insert(system.clone());
            }
        }
        met.open.extend(one.open.iter().filter(|system| holds(other, system)).cloned());
    }
    met.codes.retain(|_, codes| !codes.is_empty());
    met
}
