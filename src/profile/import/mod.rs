//! From a published FHIR package to facts.
//!
//! A batch is what was read; a package is what can be used of it. Whatever could not be used is listed with the
//! reason. The caller does the reading and writing of files; nothing is ever written by a path from a package.

pub(super) mod chain;
mod codes;
mod compartment;
mod ids;
mod only;
mod parameter;
mod read;
mod structure;

use std::collections::BTreeMap;

use serde_json::Value;

use super::Profiles;
use super::compose::Expander;
use super::facts::bare;
use super::package::{CODE_SYSTEMS, COMPARTMENTS, Package, Refused, SEARCH_PARAMETERS, STRUCTURES, VALUE_SETS};

pub use read::{ENTRIES_MAX, FILE_BYTES_MAX, UNPACKED_BYTES_MAX};

/// Definitions as they were published, before anything is made of them.
#[derive(Debug, Default)]
pub struct Batch {
    /// Name and version from `package.json`, when there was one.
    pub id: Option<(String, String)>,
    pub(super) definitions: Vec<Value>,
    pub refused: Vec<Refused>,
}

impl Batch {
    fn of(&self, kind: &'static str) -> impl Iterator<Item = &Value> {
        self.definitions.iter().filter(move |definition| text(definition, "resourceType") == kind)
    }

    /// This and what another was read from, as one.
    pub fn join(&mut self, more: Batch) {
        self.definitions.extend(more.definitions);
        self.refused.extend(more.refused);
    }

    /// One package for each publisher, told by canonical URL; for a directory that has no `package.json`.
    pub fn split(self) -> Vec<Batch> {
        if self.id.is_some() {
            return vec![self];
        }
        let mut parts: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for definition in self.definitions {
            parts.entry(publisher(&definition)).or_default().push(definition);
        }
        let mut refused = Some(self.refused);
        let batches = parts.into_iter().map(|(name, definitions)| Batch {
            id: Some((name, version(&definitions))),
            definitions,
            refused: refused.take().unwrap_or_default(),
        });
        let mut batches: Vec<Batch> = batches.collect();
        // Profiles are put as differences from base types, and value sets from code systems: those come first.
        batches.sort_by_key(|batch| batch.id.as_ref().map_or(9, |(name, _)| rank(name)));
        batches
    }

    /// The facts of all that can be used; `known` lends base types, code systems and value sets.
    pub fn into_package(mut self, known: &Profiles) -> Package {
        let (name, version) = self.id.clone().unwrap_or_else(|| ("unnamed".into(), "0".into()));
        let mut package = Package::new(&name, &version);
        package.refused = std::mem::take(&mut self.refused);
        let of = |kind| self.of(kind);
        let mut bases = structure::Bases::new(known);
        let refuse = |definition: &Value, why: String| Refused { what: text(definition, "url").to_string(), why };
        let mut refused = Vec::new();
        let mut structures = Vec::new();
        // Base definitions before the profiles on them.
        for derived in [false, true] {
            for definition in of("StructureDefinition").filter(|it| (text(it, "derivation") == "constraint") == derived)
            {
                match structure::facts(definition, &mut bases) {
                    Ok(structure) => structures.push(structure),
                    Err(why) => refused.push(refuse(definition, why)),
                }
            }
        }
        for (at, why) in chain::endless(&structures, known).into_iter().rev() {
            let endless = structures.remove(at);
            refused.push(Refused { what: endless.head.url, why });
        }
        let mut systems = Vec::new();
        for definition in of("CodeSystem") {
            match codes::system(definition) {
                Ok(system) => systems.push(system),
                Err(why) => refused.push(refuse(definition, why)),
            }
        }
        let sets = Expander::new(known, &systems, of("ValueSet")).all();
        let kinds = bases.kinds();
        let named = parameter::Named::new(known, of("SearchParameter"));
        for definition in of("SearchParameter") {
            match parameter::facts(definition, &kinds, &named) {
                Ok(parameter) => package.add(SEARCH_PARAMETERS, &parameter),
                Err(why) => refused.push(refuse(definition, why)),
            }
        }
        for definition in of("CompartmentDefinition") {
            match compartment::facts(definition) {
                Ok(compartment) => package.add(COMPARTMENTS, &compartment),
                Err(why) => refused.push(refuse(definition, why)),
            }
        }
        structures.iter().for_each(|structure| package.add(STRUCTURES, structure));
        systems.iter().for_each(|system| package.add(CODE_SYSTEMS, system));
        sets.iter().for_each(|set| package.add(VALUE_SETS, set));
        package.refused.extend(refused);
        package
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Canonicals of HL7 carry the guide's realm and name: `http://hl7.org/fhir/us/core/…`; others, their host.
fn publisher(definition: &Value) -> String {
    /// Systems of others that are published with core.
    const WITH_CORE: [&str; 4] = ["http://hl7.org/fhir/", "http://dicom.nema.org/", "http://snomed.info/", "urn:"];
    let url = text(definition, "url");
    let guide = url.strip_prefix("http://hl7.org/fhir/").and_then(|rest| {
        let mut parts = rest.split('/');
        match (parts.next()?, parts.next()?, parts.next()) {
            (realm @ ("us" | "uv"), guide, Some(_)) => Some(format!("hl7.fhir.{realm}.{guide}")),
            _ => None,
        }
    });
    match guide {
        Some(guide) => guide,
        None if url.starts_with("http://terminology.hl7.org/") => "hl7.terminology.r4".into(),
        // Extensions left core after R4 and kept their canonicals.
        None if url.starts_with("http://hl7.org/") && text(definition, "version").starts_with("5.") => {
            "hl7.fhir.uv.extensions.r4".into()
        }
        None if WITH_CORE.iter().any(|prefix| url.starts_with(prefix)) => "hl7.fhir.r4.core".into(),
        None => {
            let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or("");
            let host: String =
                host.chars().filter(|letter| letter.is_ascii_alphanumeric() || ".-".contains(*letter)).collect();
            if host.trim_matches('.').is_empty() { "unnamed".into() } else { host.trim_matches('.').to_string() }
        }
    }
}

/// The version that most of the structures have, else most of all.
fn version(definitions: &[Value]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for definition in definitions {
        let weight = if text(definition, "resourceType") == "StructureDefinition" { 1_000 } else { 1 };
        *counts.entry(text(definition, "version")).or_default() += weight;
    }
    let most = counts.into_iter().filter(|(version, _)| !version.is_empty()).max_by_key(|(_, count)| *count);
    // It becomes part of a folder's name.
    let plain = |version: &str| -> String {
        version.chars().filter(|letter| letter.is_ascii_alphanumeric() || "._-+".contains(*letter)).take(100).collect()
    };
    most.map_or_else(|| "0".to_string(), |(version, _)| plain(version))
}

fn rank(name: &str) -> usize {
    let order =
        ["hl7.terminology.r4", "hl7.fhir.r4.core", "hl7.fhir.uv.extensions.r4", "hl7.fhir.uv.sdc", "hl7.fhir.us.core"];
    order.iter().position(|known| *known == name).unwrap_or(order.len())
}

/// `a|1.0` and `a` are the same definition here.
fn same_canonical(left: &str, right: &str) -> bool {
    bare(left) == bare(right)
}
