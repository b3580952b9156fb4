//! What decisions look up: people, organisations, roles, groups, teams, provenances, encounters.
//!
//! A set of resources by reference key. It knows how they hang together and no rule of consent; which of them may
//! be believed (rules.md 20) is settled by whoever puts them in. A request lays its few resources over the ones that
//! the exchange keeps at hand, without copying them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::fhir::{Element, Resource};

pub const PARTNER_KIND: &str = "https://handoff.example/fhir/CodeSystem/partner-kind";
pub const REGIME: &str = "https://handoff.example/fhir/CodeSystem/regime";

#[derive(Clone, Debug, Default)]
pub struct World {
    below: Option<Arc<World>>,
    resources: HashMap<String, Resource>,
    keys: BTreeMap<String, BTreeSet<String>>,
    /// Organisations by system and code of their `type`.
    typed: HashMap<(String, String), BTreeSet<String>>,
    /// Target of a Provenance to the agents of type author.
    authors: HashMap<String, Vec<String>>,
    /// What consents name by its key and nothing else is looked up in, with whose word it is where that is one partner's
    /// alone: `Organization/x`.
    mentioned: HashMap<String, (Resource, Option<String>)>,
}

impl World {
    pub fn new(resources: Vec<Resource>) -> World {
        let mut world = World::default();
        world.extend(resources);
        world
    }

    /// An empty one over another: what is added hides what is below.
    pub fn over(below: Arc<World>) -> World {
        World { below: Some(below), ..World::default() }
    }

    pub fn extend(&mut self, resources: Vec<Resource>) {
        resources.into_iter().for_each(|resource| self.add(resource));
    }

    /// Adds one, or replaces the one of the same key.
    pub fn add(&mut self, resource: Resource) {
        let key = resource.key();
        match resource.kind() {
            "Provenance" => self.note_authors(&resource),
            "Organization" => self.note_types(&key, &resource),
            _ => {}
        }
        self.keys.entry(resource.kind().to_string()).or_default().insert(key.clone());
        self.resources.insert(key, resource);
    }

    /// Adds what a consent names, for who asks what it refers to; without a writer it is believed.
    pub fn mention(&mut self, resource: Resource, writer: Option<String>) {
        self.mentioned.insert(resource.key(), (resource, writer));
    }

    pub fn mentioned(&self, key: &str) -> Option<&Resource> {
        self.mentioned.get(key).map(|(resource, _)| resource)
    }

    /// Whose word a resource is, where it is one partner's alone.
    pub fn writer_of(&self, key: &str) -> Option<String> {
        self.mentioned.get(key).and_then(|(_, writer)| writer.clone())
    }

    pub fn get(&self, key: &str) -> Option<&Resource> {
        self.resources.get(key).or_else(|| self.below.as_ref()?.get(key))
    }

    pub fn of_kind<'w>(&'w self, kind: &'w str) -> Box<dyn Iterator<Item = &'w Resource> + 'w> {
        let own = self.keys.get(kind).into_iter().flatten().filter_map(|key| self.resources.get(key));
        match &self.below {
            None => Box::new(own),
            Some(below) => Box::new(own.chain(below.of_kind(kind).filter(|found| !self.hides(&found.key())))),
        }
    }

    pub fn authors_by_provenance(&self, key: &str) -> Vec<String> {
        let mut found = self.authors.get(key).cloned().unwrap_or_default();
        found.extend(self.below.iter().flat_map(|below| below.authors_by_provenance(key)));
        found
    }

    fn hides(&self, key: &str) -> bool {
        self.resources.contains_key(key)
    }

    /// The records that are one patient with this one: joined by `replaced-by` or `replaces`, in either direction.
    pub fn same_patient(&self, patient: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::from([patient.to_string()]);
        loop {
            let before = found.len();
            for record in self.of_kind("Patient") {
                let key = record.key();
                for other in joined(record.root()) {
                    if found.contains(&key) || found.contains(&other) {
                        found.extend([key.clone(), other]);
                    }
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }

    /// The organisations above it, nearest first.
    pub fn parents(&self, organization: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut current = organization.to_string();
        while let Some(parent) = self.get(&current).and_then(|own| own.root().reference("partOf")) {
            let parent = parent.key();
            // Two organisations that are part of each other have no top; the walk ends where it began.
            if parent == organization || found.contains(&parent) {
                break;
            }
            found.push(parent.clone());
            current = parent;
        }
        found
    }

    /// The organisation and all below it.
    pub fn with_all_below(&self, organization: &str) -> BTreeSet<String> {
        let below = self.of_kind("Organization").map(Resource::key);
        let mut found: BTreeSet<String> =
            below.filter(|key| self.parents(key).iter().any(|parent| parent == organization)).collect();
        found.insert(organization.to_string());
        found
    }

    /// The organisation's own codes of that system in `type`: its kind, its regimes.
    pub fn organization_codes(&self, organization: &str, system: &str) -> BTreeSet<String> {
        let codings = self.get(organization).map(|own| own.root().concepts("type")).unwrap_or_default();
        codings.into_iter().filter(|coding| coding.system == system).map(|coding| coding.code.to_string()).collect()
    }

    /// The organisations that have this code.
    pub fn organizations_with(&self, system: &str, code: &str) -> BTreeSet<String> {
        let mut found = self.typed.get(&(system.to_string(), code.to_string())).cloned().unwrap_or_default();
        if let Some(below) = &self.below {
            found.extend(below.organizations_with(system, code).into_iter().filter(|key| !self.hides(key)));
        }
        found
    }

    /// The organisations known under this identifier.
    pub fn organizations_identified(&self, identifier: &(String, String)) -> BTreeSet<String> {
        let found = self.of_kind("Organization").filter(|own| identifiers(own.root()).contains(identifier));
        found.map(Resource::key).collect()
    }

    fn note_types(&mut self, key: &str, organization: &Resource) {
        self.typed.values_mut().for_each(|keys| {
            keys.remove(key);
        });
        for coding in organization.root().concepts("type") {
            let code = (coding.system.to_string(), coding.code.to_string());
            self.typed.entry(code).or_default().insert(key.to_string());
        }
    }

    fn note_authors(&mut self, provenance: &Resource) {
        let root = provenance.root();
        let is_author = |agent: &Element| {
            agent.concepts("type").iter().any(|coding| coding.code == "author" || coding.code == "AUT")
        };
        let names: Vec<String> = root
            .each("agent")
            .filter(is_author)
            .filter_map(|agent| agent.reference("who"))
            .map(|who| who.key())
            .collect();
        for target in root.references("target") {
            self.authors.entry(target.key()).or_default().extend(names.iter().cloned());
        }
    }
}

/// The identifiers of a resource as (system, value).
pub fn identifiers(root: Element) -> BTreeSet<(String, String)> {
    root.each("identifier").filter_map(identifier).collect()
}

/// One Identifier, when it has a value.
pub fn identifier(element: Element) -> Option<(String, String)> {
    Some((element.text("system").unwrap_or("").to_string(), element.text("value")?.to_string()))
}

fn joined(patient: Element) -> Vec<String> {
    let one = |link: &Element| matches!(link.text("type"), Some("replaced-by" | "replaces"));
    patient.each("link").filter(one).filter_map(|link| link.reference("other")).map(|other| other.key()).collect()
}
