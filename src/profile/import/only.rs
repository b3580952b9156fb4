//! Of a large package, what some types need.
//!
//! HL7's npm package with the definitions of R4 is ten times what a server serves. Kept are the base definitions of
//! the types asked for, the search parameters on them, the value sets that their elements, or those of definitions at
//! hand, are bound to by more than an example, the code systems of those, and all compartments. Of `CodeSystem` and
//! `ValueSet` themselves kept are those of the package's own publisher: what others let travel with it is theirs.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Batch, list, publisher, text};
use crate::profile::Profiles;
use crate::profile::facts::bare;

/// A value set that spells out more codes than this is a copy of somebody's code system.
const SPELLED_MAX: usize = 10_000;

impl Batch {
    #[must_use]
    pub fn only(mut self, types: &[String], known: &Profiles) -> Batch {
        let name = self.id.as_ref().map_or("", |(name, _)| name).to_string();
        let elsewhere = |url: &str| known.is_held_beside(&name, url);
        let is_asked = |name: &str| types.iter().any(|kind| kind == name);
        let mut sets: BTreeSet<String> = known.bound_sets().collect();
        let mut structures = Vec::new();
        for definition in self.of("StructureDefinition") {
            if text(definition, "derivation") != "constraint" && is_asked(text(definition, "type")) {
                structures.push(text(definition, "url").to_string());
                sets.extend(bound(definition));
            }
        }
        let mut more: Vec<String> = sets.iter().cloned().collect();
        while let Some(url) = more.pop() {
            let included = self.of("ValueSet").filter(|set| text(set, "url") == url).flat_map(included);
            more.extend(included.filter(|url| sets.insert(url.clone())).collect::<Vec<_>>());
        }
        let systems: BTreeSet<String> =
            self.of("ValueSet").filter(|set| sets.contains(text(set, "url"))).flat_map(systems).collect();
        self.definitions.retain(|definition| {
            let url = text(definition, "url");
            match text(definition, "resourceType") {
                kind @ ("CodeSystem" | "ValueSet") if is_asked(kind) && publisher(definition) == name => {
                    !is_copy(definition)
                }
                "StructureDefinition" => structures.iter().any(|kept| kept == url),
                "SearchParameter" => list(definition, "base").iter().filter_map(Value::as_str).any(is_asked),
                "ValueSet" => sets.contains(url) && !elsewhere(url),
                "CodeSystem" => systems.contains(url) && !elsewhere(url),
                _ => true,
            }
        });
        // What was not even a definition was not asked for.
        self.refused.clear();
        self
    }
}

fn bound(structure: &Value) -> impl Iterator<Item = String> + '_ {
    let elements = structure.get("snapshot").map_or(&[][..], |snapshot| list(snapshot, "element"));
    let bindings = elements.iter().filter_map(|element| element.get("binding"));
    bindings
        .filter(|binding| matches!(text(binding, "strength"), "required" | "extensible" | "preferred"))
        .map(|binding| bare(text(binding, "valueSet")).to_string())
}

fn is_copy(definition: &Value) -> bool {
    includes(definition).iter().map(|include| list(include, "concept").len()).sum::<usize>() > SPELLED_MAX
}

fn includes(set: &Value) -> &[Value] {
    set.get("compose").map_or(&[], |compose| list(compose, "include"))
}

fn included(set: &Value) -> impl Iterator<Item = String> + '_ {
    let urls = includes(set).iter().flat_map(|include| list(include, "valueSet")).filter_map(Value::as_str);
    urls.map(|url| bare(url).to_string())
}

fn systems(set: &Value) -> impl Iterator<Item = String> + '_ {
    includes(set).iter().map(|include| text(include, "system").to_string())
}
