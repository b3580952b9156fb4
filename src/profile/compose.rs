//! What a ValueSet comes to: its composition, expanded from the code systems at hand.
//!
//! Where they leave something open, a published expansion counts if it is whole. What cannot be listed stays open
//! and is named. The importer expands every set once; a ValueSet that comes with a request is expanded there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::Profiles;
use super::facts::{CodeSystem, ValueSet, bare};
use super::filter;

/// Parts of a composition that comes with a request.
pub const PARTS_MAX: usize = 100;
/// Value sets that include value sets, and no deeper.
const NESTING_MAX: usize = 12;
/// Publishers cut expansions at round numbers without saying so.
const CUT_AT: u64 = 1_000;

/// Each system's codes with the displays that differ from the system's own.
type Codes = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Clone, Default)]
struct Expansion {
    codes: Codes,
    whole: BTreeSet<String>,
    open: BTreeSet<String>,
}

pub struct Expander<'a> {
    known: &'a Profiles,
    systems: HashMap<&'a str, &'a CodeSystem>,
    sets: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Expander<'a> {
    /// `systems` and `sets` come before those that are known.
    pub fn new(known: &'a Profiles, systems: &'a [CodeSystem], sets: impl Iterator<Item = &'a Value>) -> Expander<'a> {
        Expander {
            known,
            systems: systems.iter().map(|system| (system.url.as_str(), system)).collect(),
            sets: sets.map(|set| (text(set, "url"), set)).collect(),
        }
    }

    pub fn all(&self) -> Vec<ValueSet> {
        self.sets.values().map(|definition| self.facts(definition)).collect()
    }

    pub fn facts(&self, definition: &Value) -> ValueSet {
        let expansion = self.expand(definition, 0);
        let stated = |name: &str| definition.get(name).and_then(Value::as_str).map(str::to_string);
        ValueSet {
            url: text(definition, "url").to_string(),
            version: stated("version"),
            name: stated("title").or_else(|| stated("name")),
            codes: expansion.codes,
            whole: expansion.whole,
            open: expansion.open,
        }
    }

    fn held(&self, url: &str) -> Option<&CodeSystem> {
        self.systems.get(url).copied().or_else(|| self.known.code_system(url).map(AsRef::as_ref))
    }

    fn expand(&self, definition: &Value, nesting: usize) -> Expansion {
        let composed = definition.get("compose").map(|compose| self.composed(compose, nesting));
        if let Some(composed) = composed.as_ref().filter(|composed| self.is_listed(composed)) {
            return composed.clone();
        }
        let published = definition.get("expansion").and_then(|expansion| self.published(expansion));
        let nothing = || Expansion { open: BTreeSet::from(["*".to_string()]), ..Expansion::default() };
        published.or(composed).unwrap_or_else(nothing)
    }

    /// Every code is known.
    fn is_listed(&self, expansion: &Expansion) -> bool {
        let is_held = |url: &String| self.held(url).is_some_and(CodeSystem::is_complete);
        expansion.open.is_empty() && expansion.whole.iter().all(is_held)
    }

    fn composed(&self, compose: &Value, nesting: usize) -> Expansion {
        let mut all = Expansion::default();
        for include in list(compose, "include") {
            let part = self.include(include, nesting);
            for (system, codes) in part.codes {
                all.codes.entry(system).or_default().extend(codes);
            }
            all.whole.extend(part.whole);
            all.open.extend(part.open);
        }
        for exclude in list(compose, "exclude") {
            self.exclude(&mut all, self.include(exclude, nesting));
        }
        all.codes.retain(|system, codes| !codes.is_empty() && !all.whole.contains(system));
        all
    }

    fn exclude(&self, all: &mut Expansion, part: Expansion) {
        for (system, codes) in &part.codes {
            if all.whole.contains(system) {
                self.unfold(all, system);
            }
            if let Some(kept) = all.codes.get_mut(system) {
                kept.retain(|code, _| !codes.contains_key(code));
            }
        }
        for system in &part.whole {
            all.codes.remove(system);
            all.whole.remove(system);
            all.open.remove(system);
        }
        // Which of these codes are left out, nobody here can tell.
        if part.open.contains("*") && !(all.codes.is_empty() && all.whole.is_empty()) {
            *all = Expansion { open: BTreeSet::from(["*".to_string()]), ..Expansion::default() };
        }
        for system in part.open {
            let had_codes = all.codes.remove(&system).is_some();
            if all.whole.remove(&system) || had_codes {
                all.open.insert(system);
            }
        }
    }

    /// All codes of a system, one by one, because some of them are left out.
    fn unfold(&self, all: &mut Expansion, system: &str) {
        all.whole.remove(system);
        match self.held(system).filter(|held| held.is_complete()) {
            Some(held) => {
                let codes = held.codes.keys().map(|code| (code.clone(), String::new()));
                all.codes.entry(system.to_string()).or_default().extend(codes);
            }
            None => {
                all.open.insert(system.to_string());
            }
        }
    }

    /// A system's codes and value sets in one include are met together (R4 valueset.html#compositions).
    fn include(&self, include: &Value, nesting: usize) -> Expansion {
        let system = bare(text(include, "system"));
        let mut parts: Vec<Expansion> = Vec::new();
        if !system.is_empty() {
            parts.push(self.of_system(system, include));
        }
        for url in list(include, "valueSet").iter().filter_map(Value::as_str) {
            parts.push(self.of_set(bare(url), nesting));
        }
        parts.into_iter().reduce(|left, right| self.meet(left, right)).unwrap_or_default()
    }

    fn of_set(&self, url: &str, nesting: usize) -> Expansion {
        match self.sets.get(url) {
            Some(definition) if nesting < NESTING_MAX => self.expand(definition, nesting + 1),
            _ => match self.known.value_set(url) {
                Some(set) => Expansion { codes: set.codes, whole: set.whole, open: set.open },
                None => Expansion { open: BTreeSet::from(["*".to_string()]), ..Expansion::default() },
            },
        }
    }

    fn of_system(&self, url: &str, include: &Value) -> Expansion {
        let (concepts, filters) = (list(include, "concept"), list(include, "filter"));
        let one = || BTreeSet::from([url.to_string()]);
        if !concepts.is_empty() {
            let codes = concepts.iter().map(|concept| self.named(url, concept)).collect();
            return Expansion { codes: Codes::from([(url.to_string(), codes)]), ..Expansion::default() };
        }
        if filters.is_empty() {
            return Expansion { whole: one(), ..Expansion::default() };
        }
        let Some(system) = self.held(url).filter(|held| !held.is_supplement()) else {
            return Expansion { open: one(), ..Expansion::default() };
        };
        match filter::select(system, filters) {
            Some(codes) => {
                let codes = codes.into_iter().map(|code| (code.to_string(), String::new())).collect();
                let open = if system.is_complete() { BTreeSet::new() } else { one() };
                Expansion { codes: Codes::from([(url.to_string(), codes)]), open, ..Expansion::default() }
            }
            None => Expansion { open: one(), ..Expansion::default() },
        }
    }

    /// A code with its display, unless that is the system's own.
    fn named(&self, url: &str, concept: &Value) -> (String, String) {
        let (code, display) = (text(concept, "code"), text(concept, "display"));
        let own = self.held(url).and_then(|held| held.find(code)).map_or("", |(_, display)| display);
        (code.to_string(), if display == own { String::new() } else { display.to_string() })
    }

    /// The published expansion, when all of it is there.
    fn published(&self, expansion: &Value) -> Option<Expansion> {
        let mut codes = Codes::new();
        let count = self.gather(list(expansion, "contains"), &mut codes);
        let whole = match expansion.get("total").and_then(Value::as_u64) {
            Some(total) => total <= count && !count.is_multiple_of(CUT_AT),
            None => !count.is_multiple_of(CUT_AT),
        };
        (whole && count > 0).then(|| Expansion { codes, ..Expansion::default() })
    }

    fn gather(&self, contains: &[Value], codes: &mut Codes) -> u64 {
        let mut count = 0;
        for item in contains {
            count += 1 + self.gather(list(item, "contains"), codes);
            let system = text(item, "system");
            if item.get("abstract").and_then(Value::as_bool) != Some(true) && !text(item, "code").is_empty() {
                let (code, display) = self.named(system, item);
                codes.entry(system.into()).or_default().insert(code, display);
            }
        }
        count
    }

    /// What is in both.
    fn meet(&self, left: Expansion, right: Expansion) -> Expansion {
        let mut met = Expansion::default();
        let is_open = |side: &Expansion, system: &str| side.open.contains(system) || side.open.contains("*");
        for (one, other) in [(&left, &right), (&right, &left)] {
            for (system, codes) in &one.codes {
                let in_system = |code: &str| self.held(system).is_none_or(|held| !held.is_complete() || held.has(code));
                let both = codes.iter().filter(|(code, _)| {
                    other.codes.get(system).is_some_and(|codes| codes.contains_key(*code))
                        || other.whole.contains(system) && in_system(code)
                });
                let both = both.map(|(code, display)| (code.clone(), display.clone()));
                met.codes.entry(system.clone()).or_default().extend(both);
                if is_open(other, system) {
                    met.open.insert(system.clone());
                }
            }
            for system in &one.whole {
                if other.whole.contains(system) {
                    met.whole.insert(system.clone());
                } else if is_open(other, system) {
                    met.open.insert(system.clone());
                }
            }
            met.open.extend(one.open.iter().filter(|system| is_open(other, system)).cloned());
        }
        met.codes.retain(|_, codes| !codes.is_empty());
        met
    }
}

/// What a ValueSet includes and excludes.
pub fn parts(definition: &Value) -> usize {
    let compose = definition.get("compose");
    compose.map_or(0, |compose| list(compose, "include").len() + list(compose, "exclude").len())
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
