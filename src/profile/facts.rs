//! The facts of a definition, as they lie in `profiles/`.
//!
//! One JSON object a line, keys in the order written here. No prose: what an element is called, how often it may
//! occur, of which type, from which codes; an invariant's expression, not its sentence. A base definition lists
//! all its elements; a profile lists only those that differ from its base type.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fhir::search::Component;

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Structure {
    #[serde(flatten)]
    pub head: Head,
    pub elements: Vec<Element>,
}

/// What is known of a StructureDefinition before its elements are read.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub name: String,
    /// `primitive-type`, `complex-type`, `resource` or `logical`.
    pub kind: String,
    #[serde(rename = "type")]
    pub type_name: String,
    #[serde(rename = "abstract", default, skip_serializing_if = "is_false")]
    pub is_abstract: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// `constraint` for a profile or an extension; `specialization` or nothing for a base definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derivation: Option<String>,
    /// Read from a differential: the profile in `base` must hold too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub chained: bool,
    /// Of an extension: the elements that it is for, or the extensions by their urls; none named, anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contexts: Vec<String>,
    /// Of an extension: it changes the meaning of what is around it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub modifies: bool,
}

impl Head {
    pub fn is_profile(&self) -> bool {
        self.derivation.as_deref() == Some("constraint")
    }
}

/// One ElementDefinition. In a base, an absent `min` is 0 and an absent `max` is 1; in a profile, absent is unchanged.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Element {
    /// The element's id without its type: `activity.detail.status`, `category:SDOHCC`; empty for the root.
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<Type>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slicing: Option<Slicing>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub must_support: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_modifier: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_summary: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_value: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_value: Option<Value>,
}

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Type {
    pub code: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
}

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    pub strength: String,
    pub value_set: String,
}

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Slicing {
    #[serde(default)]
    pub by: Vec<Discriminator>,
    pub rules: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub ordered: bool,
}

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Discriminator {
    #[serde(rename = "type")]
    pub kind: String,
    pub path: String,
}

/// A FHIRPath invariant, kept for the engine that will run it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Constraint {
    pub key: String,
    pub severity: String,
    pub expression: String,
}

/// A value set, expanded as far as the code systems at hand allow.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct ValueSet {
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Each system's codes with their displays; an empty one is the system's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub codes: BTreeMap<String, BTreeMap<String, String>>,
    /// Systems all of whose codes are in it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub whole: BTreeSet<String>,
    /// Systems of which we cannot tell which codes are in it; `*` when not even the system is known.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub open: BTreeSet<String>,
}

/// A code system: its codes with their displays, and how they lie below each other.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CodeSystem {
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `fragment` or `example`, where there are more codes than these; `supplement`, which has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Whether `A` and `a` are one code.
    #[serde(default, skip_serializing_if = "is_false")]
    pub folds_case: bool,
    /// Each code with its display, which may be empty.
    pub codes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parents: BTreeMap<String, Vec<String>>,
    /// What else a code is called, as language and display.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub designations: BTreeMap<String, Vec<(String, String)>>,
    /// What filters ask of a code, by property: `status`, `notSelectable`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct SearchParameter {
    pub url: String,
    pub code: String,
    pub base: Vec<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub expression: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<String>,
    /// What a composite is made of, in the order of its value's parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparators: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifiers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chains: Vec<String>,
    /// Whether `a,b` and a repetition are meant to work, where the definition says so.
    #[serde(rename = "multipleOr", skip_serializing_if = "Option::is_none")]
    pub multiple_or: Option<bool>,
    #[serde(rename = "multipleAnd", skip_serializing_if = "Option::is_none")]
    pub multiple_and: Option<bool>,
}

/// Which parameters of which types lead into somebody's compartment (R4 compartmentdefinition.html).
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Compartment {
    pub url: String,
    /// The type whose instances have one: `Patient`.
    pub code: String,
    /// Type to codes of its parameters; types that never lie in it are left out.
    pub links: BTreeMap<String, Vec<String>>,
}

/// A canonical without its `|version`.
pub fn bare(canonical: &str) -> &str {
    canonical.split('|').next().unwrap_or(canonical)
}

fn is_false(flag: &bool) -> bool {
    !*flag
}
