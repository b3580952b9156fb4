//! Is this resource what it says it is?
//!
//! Definitions lie in packages as facts (`profiles/`), some compiled in, some imported. A resource is walked along
//! its base definition as a table; each profile it claims is a compiled schema of what differs from the base. All
//! problems come out at once, in document order. Invariants in FHIRPath are kept as facts and not yet run, except
//! for the few in `invariant`. Nothing here does I/O or knows the time.

mod answers;
mod around;
mod beyond;
mod binding;
mod bundle;
mod bundled;
mod check;
mod claims;
mod codes;
mod coding;
mod compare;
mod compose;
mod extension;
mod facts;
mod filter;
mod found;
mod grammar;
pub mod import;
mod invariant;
mod member;
mod model;
mod narrative;
mod outline;
mod overlay;
mod package;
mod pattern;
mod pointing;
mod primitive;
mod questionnaire;
mod shape;
mod stride;
mod support;
mod system;
mod table;
mod terminology;
mod terms;
mod tree;
mod walk;
mod whole;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

pub use answers::Unanswered;
pub use around::{AtHand, Nothing};
pub use check::{Against, Valid};
pub use codes::Expansion;
pub use facts::SearchParameter;
pub use outline::{Outline, Shown};
pub use package::{Package, Refused};
pub use walk::Judged;
pub use whole::{Forms, forms_of};

use crate::fhir::fhirpath::Model;
use crate::fhir::offer;
use beyond::Beyond;
use facts::{CodeSystem, Compartment, ValueSet, bare};
use overlay::Overlay;
use package::Entry;
use table::Table;
use terminology::Set;

/// All definitions at hand. Made once and shared.
#[derive(Debug, Default)]
pub struct Profiles {
    packages: Vec<Package>,
    /// Canonical URL to package and line.
    structures: HashMap<String, (usize, usize)>,
    /// Type name to package and line of its base definition.
    types: HashMap<String, (usize, usize)>,
    sets: HashMap<String, (usize, usize)>,
    systems: HashMap<String, (usize, usize)>,
    kinds: Vec<String>,
    parameters: Vec<SearchParameter>,
    compartments: BTreeMap<String, Compartment>,
    model: OnceLock<Model>,
}

/// A line of `handoff profiles list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub package: String,
    pub version: String,
    pub url: String,
    pub kind: String,
    pub type_name: String,
}

impl Profiles {
    /// The definitions in the binary.
    pub fn bundled() -> Profiles {
        bundled::packages().into_iter().fold(Profiles::default(), Profiles::with)
    }

    /// These and a package's; of two definitions with one URL the later counts.
    #[must_use]
    pub fn with(mut self, package: Package) -> Profiles {
        let at = self.packages.len();
        for (line, entry) in package.structures.iter().enumerate() {
            let head = &entry.head;
            self.structures.insert(head.url.clone(), (at, line));
            if !head.is_profile() {
                self.types.insert(head.type_name.clone(), (at, line));
                let is_served = head.kind == "resource" && !head.is_abstract && !offer::is_unserved(&head.type_name);
                if is_served && !self.kinds.contains(&head.type_name) {
                    self.kinds.push(head.type_name.clone());
                }
            }
        }
        for (line, set) in package.value_sets.iter().enumerate() {
            self.sets.insert(set.line.url.clone(), (at, line));
        }
        for (line, system) in package.code_systems.iter().enumerate() {
            self.systems.insert(system.line.url.clone(), (at, line));
        }
        self.kinds.sort();
        let more: BTreeMap<String, SearchParameter> =
            package.search_parameters().map(|parameter| (parameter.url.clone(), parameter)).collect();
        self.parameters.retain(|known| !more.contains_key(&known.url));
        self.parameters.extend(more.into_values());
        self.compartments.extend(package.compartments().map(|it| (it.code.clone(), it)));
        self.packages.push(package);
        // What was made with fewer definitions at hand may have to be made again.
        for package in &mut self.packages {
            package.forget();
        }
        self.model = OnceLock::new();
        self
    }

    /// Resource types with a definition, sorted, without the abstract ones.
    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }

    pub fn knows(&self, kind: &str) -> bool {
        self.kinds.binary_search_by(|known| known.as_str().cmp(kind)).is_ok()
    }

    /// Whether a profile, or another structure, is at hand; with `|version` in that version.
    pub fn has(&self, canonical: &str) -> bool {
        let held = self.entry(bare(canonical));
        let version = canonical.split_once('|').map(|(_, version)| version);
        held.is_some_and(|entry| version.is_none_or(|version| entry.head.version.as_deref() == Some(version)))
    }

    pub fn list(&self) -> Vec<Listed> {
        let lines = self.packages.iter().flat_map(|package| {
            package.structures.iter().map(|entry| Listed {
                package: format!("{}@{}", package.name, package.version),
                version: entry.head.version.clone().unwrap_or_default(),
                url: entry.head.url.clone(),
                kind: entry.head.kind.clone(),
                type_name: entry.head.type_name.clone(),
            })
        });
        lines.collect()
    }

    pub fn search_parameters(&self) -> &[SearchParameter] {
        &self.parameters
    }

    /// Which parameters of which types lead into the compartment of such a resource: of `Patient`, `Device`,
    /// `Encounter`, `Practitioner` and `RelatedPerson` (R4 compartmentdefinition.html).
    pub fn compartment(&self, code: &str) -> Option<&BTreeMap<String, Vec<String>>> {
        self.compartments.get(code).map(|compartment| &compartment.links)
    }

    /// The types that have compartments, each with what defines it.
    pub fn compartments(&self) -> impl Iterator<Item = (&str, &str)> {
        self.compartments.values().map(|compartment| (compartment.code.as_str(), compartment.url.as_str()))
    }

    /// What of a profile is not checked here, and why; empty for an unknown one.
    pub fn unsaid(&self, url: &str) -> Vec<&str> {
        let Some(entry) = self.entry(bare(url)) else { return Vec::new() };
        let in_schema = self.overlay(entry).into_iter().flat_map(|overlay| &overlay.unsaid);
        in_schema.chain(self.beyond(entry).into_iter().flat_map(|beyond| &beyond.unsaid)).map(String::as_str).collect()
    }

    /// The value sets that elements are bound to by more than an example.
    fn bound_sets(&self) -> impl Iterator<Item = String> + '_ {
        let structures = self.packages.iter().flat_map(|package| &package.structures).filter_map(Entry::structure);
        let elements = structures.flat_map(|structure| structure.elements);
        let bound = elements.filter_map(|element| element.binding).filter(|binding| binding.strength != "example");
        bound.map(|binding| bare(&binding.value_set).to_string())
    }

    /// Whether another package than this has the value set or the code system.
    fn is_held_beside(&self, package: &str, url: &str) -> bool {
        let beside = self.packages.iter().filter(|held| held.name != package);
        beside.into_iter().any(|held| {
            held.value_sets.iter().any(|set| set.line.url == url)
                || held.code_systems.iter().any(|system| system.line.url == url)
        })
    }

    fn entry(&self, url: &str) -> Option<&Entry> {
        let (package, line) = *self.structures.get(url)?;
        self.packages.get(package)?.structures.get(line)
    }

    fn table(&self, type_name: &str) -> Option<&Table> {
        let (package, line) = *self.types.get(type_name)?;
        let entry = self.packages.get(package)?.structures.get(line)?;
        let built = entry.table.get_or_init(|| {
            let mut table = Table::build(&entry.structure()?);
            table.inherit(self.above(entry).filter_map(Entry::structure));
            Some(table)
        });
        built.as_ref()
    }

    /// The definitions that a type is a specialization of, from near to far; a bad one may go round in circles.
    fn above<'p>(&'p self, entry: &'p Entry) -> impl Iterator<Item = &'p Entry> {
        const ABOVE_MAX: usize = 8;
        let next = |entry: &&'p Entry| {
            let (package, line) = *self.types.get(entry.head.base.as_deref()?.rsplit('/').next()?)?;
            self.packages.get(package)?.structures.get(line)
        };
        std::iter::successors(next(&entry), next).take(ABOVE_MAX)
    }

    /// Of a profile only: a base definition has nothing beyond itself.
    fn overlay<'p>(&'p self, entry: &'p Entry) -> Option<&'p Overlay> {
        if !entry.head.is_profile() {
            return None;
        }
        entry.overlay.get_or_init(|| Overlay::compile(self, entry.structure()?)).as_ref()
    }

    /// Of a profile only, too.
    fn beyond<'p>(&'p self, entry: &'p Entry) -> Option<&'p Beyond> {
        if !entry.head.is_profile() {
            return None;
        }
        let compiled = entry.beyond.get_or_init(|| {
            let table = self.table(&entry.head.type_name)?;
            Some(Beyond::compile(self, table, entry.structure()?))
        });
        compiled.as_ref()
    }

    fn set(&self, url: &str) -> Option<&Arc<Set>> {
        let (package, line) = *self.sets.get(url)?;
        let held = self.packages.get(package)?.value_sets.get(line)?;
        held.set.get_or_init(|| held.line.read().map(|facts| Arc::new(Set::new(facts, self)))).as_ref()
    }

    /// A value set as it lies in its package, for what is made of it once.
    fn value_set(&self, url: &str) -> Option<ValueSet> {
        let (package, line) = *self.sets.get(url)?;
        self.packages.get(package)?.value_sets.get(line)?.line.read()
    }

    fn code_system(&self, url: &str) -> Option<&Arc<CodeSystem>> {
        let (package, line) = *self.systems.get(url)?;
        let held = self.packages.get(package)?.code_systems.get(line)?;
        held.system.get_or_init(|| held.line.read().map(Arc::new)).as_ref()
    }
}
