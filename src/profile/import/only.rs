//! Of a large package, what some types need.
//!
//! HL7's npm package with the definitions of R4 is ten times what a server serves. Kept are the base definitions of
//! the types asked for, the search parameters on them, the value sets that their elements are bound to with more
//! than a suggestion, the code systems of those, and all compartments.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Batch, list, text};
use crate::profile::facts::bare;

impl Batch {
    #[must_use]
    pub fn only(mut self, types: &[String]) -> Batch {
        let is_asked = |name: &str| types.iter().any(|kind| kind == name);
        let mut sets: BTreeSet<String> = BTreeSet::new();
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
                "StructureDefinition" => structures.iter().any(|kept| kept == url),
                "SearchParameter" => list(definition, "base").iter().filter_map(Value::as_str).any(is_asked),
                "ValueSet" => sets.contains(url),
                "CodeSystem" => systems.contains(url),
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
        .filter(|binding| matches!(text(binding, "strength"), "required" | "extensible"))
        .map(|binding| bare(text(binding, "valueSet")).to_string())
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
