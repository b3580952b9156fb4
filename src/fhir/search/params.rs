//! The one table of search parameters: it drives extraction, search and the CapabilityStatement.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::path::Path;

/// FHIR R4 search.html#ptypes, those that can be searched here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamKind {
    Token,
    Reference,
    Date,
    Text,
    Uri,
    Number,
    Quantity,
    /// Several values of one element together: `code$value`.
    Composite,
    /// Read in its own way: `near`.
    Special,
}

impl ParamKind {
    pub fn named(name: &str) -> Option<ParamKind> {
        Some(match name {
            "token" => ParamKind::Token,
            "reference" => ParamKind::Reference,
            "date" => ParamKind::Date,
            "string" => ParamKind::Text,
            "uri" => ParamKind::Uri,
            "number" => ParamKind::Number,
            "quantity" => ParamKind::Quantity,
            "composite" => ParamKind::Composite,
            "special" => ParamKind::Special,
            _ => return None,
        })
    }

    /// Whether its values have an index table of their own.
    pub fn is_indexed(self) -> bool {
        !matches!(self, ParamKind::Composite | ParamKind::Special)
    }

    pub const ALL: [ParamKind; 9] = [
        ParamKind::Token,
        ParamKind::Reference,
        ParamKind::Date,
        ParamKind::Text,
        ParamKind::Uri,
        ParamKind::Number,
        ParamKind::Quantity,
        ParamKind::Composite,
        ParamKind::Special,
    ];

    /// A value, for the documentation.
    pub fn example(self) -> &'static str {
        match self {
            ParamKind::Token => "http://loinc.org|8867-4",
            ParamKind::Reference => "Patient/7",
            ParamKind::Date => "ge2026-03-02",
            ParamKind::Text => "smith",
            ParamKind::Uri => "http://example.org/one",
            ParamKind::Number => "gt5",
            ParamKind::Quantity => "5.4|http://unitsofmeasure.org|mg",
            ParamKind::Composite => "http://loinc.org|8867-4$gt60",
            ParamKind::Special => "42.25|-83.69|11.2|km",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            ParamKind::Token => "token",
            ParamKind::Reference => "reference",
            ParamKind::Date => "date",
            ParamKind::Text => "string",
            ParamKind::Uri => "uri",
            ParamKind::Number => "number",
            ParamKind::Quantity => "quantity",
            ParamKind::Composite => "composite",
            ParamKind::Special => "special",
        }
    }
}

impl Part {
    fn of(component: &Component) -> Option<Part> {
        let paths = Path::within(&component.expression).ok()?;
        Some(Part { kind: ParamKind::named(&component.kind).filter(|kind| kind.is_indexed())?, paths })
    }
}

impl Param {
    /// Whether a reference of this parameter may point at that type.
    pub fn points_at(&self, kind: &str) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|target| target == kind || target == "Resource")
    }
}

/// One parameter of one type.
#[derive(Clone, Debug)]
pub struct Param {
    pub code: String,
    pub kind: ParamKind,
    pub url: String,
    pub targets: Vec<String>,
    pub paths: Vec<Path>,
    /// Of a composite only, in the order of its value's parts.
    pub components: Vec<Component>,
    /// The components, compiled; two, or the parameter is not searched.
    pub parts: Vec<Part>,
}

/// A component of a composite: the kind of its values, and where they stand from the composite's element on.
#[derive(Clone, Debug)]
pub struct Part {
    pub kind: ParamKind,
    pub paths: Vec<Path>,
}

/// One part of a composite (FHIR R4 search.html#combining).
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Component {
    /// The parameter whose kind of value the part is, by URL and by code.
    #[serde(rename = "definition")]
    pub url: String,
    pub code: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// From the composite's element on: `value.as(Quantity)`; read it with [`Path::within`].
    pub expression: String,
}

/// A search parameter as its package defines it.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'a> {
    pub url: &'a str,
    pub code: &'a str,
    pub bases: &'a [String],
    pub kind: &'a str,
    pub expression: &'a str,
    pub targets: &'a [String],
    pub components: &'a [Component],
}

/// All parameters by resource type.
#[derive(Debug, Default)]
pub struct Params {
    by_type: HashMap<String, BTreeMap<String, Param>>,
    /// Parameters that exist but cannot be searched here: expressions beyond our subset.
    pub left_out: Vec<String>,
}

impl Params {
    /// Adds what a package says of a parameter; a later one replaces the same code of the same type, so that a
    /// guide's parameter wins over the base one.
    pub fn add(&mut self, fact: &Fact) {
        for base in fact.bases {
            let paths = Path::compile(base, fact.expression);
            let parts: Option<Vec<Part>> = fact.components.iter().map(Part::of).collect();
            let is_whole = |kind| kind != ParamKind::Composite || parts.as_ref().is_some_and(|parts| parts.len() == 2);
            match (ParamKind::named(fact.kind), paths) {
                (Some(kind), Ok(paths)) if !paths.is_empty() && is_whole(kind) => {
                    let (code, url, targets) = (fact.code.to_string(), fact.url.to_string(), fact.targets.to_vec());
                    let components = fact.components.to_vec();
                    let parts = parts.unwrap_or_default();
                    let param = Param { code: code.clone(), kind, url, targets, paths, components, parts };
                    self.by_type.entry(base.clone()).or_default().insert(code, param);
                }
                // `_id` and `_lastUpdated` are columns; the rest of what has no path is not searchable.
                _ => self.left_out.push(format!("{base}.{}", fact.code)),
            }
        }
    }

    pub fn of(&self, kind: &str) -> impl Iterator<Item = &Param> {
        let own = self.by_type.get(kind).into_iter().flat_map(BTreeMap::values);
        own.chain(self.by_type.get("Resource").into_iter().flat_map(BTreeMap::values))
    }

    pub fn find(&self, kind: &str, code: &str) -> Option<&Param> {
        let own = self.by_type.get(kind).and_then(|params| params.get(code));
        own.or_else(|| self.by_type.get("Resource").and_then(|params| params.get(code)))
    }
}
