//! A cursor over one JSON element, so that the other rooms ask by name and never dig.
//!
//! A missing element is an empty cursor, not an error: FHIR leaves out what it does not say.

use serde_json::{Map, Value};

use super::reference::Reference;
use super::time::{Interval, Zone};

/// One element of a resource, or nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Element<'a>(Option<&'a Value>);

/// A code in a system (FHIR R4 datatypes.html#Coding); an absent part is an empty string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Coding<'a> {
    pub system: &'a str,
    pub code: &'a str,
}

/// The types that R4 allows behind a choice element, as their names end the JSON key.
const SUFFIXES: [&str; 44] = [
    "Address",
    "Age",
    "Annotation",
    "Attachment",
    "Base64Binary",
    "Boolean",
    "Canonical",
    "Code",
    "CodeableConcept",
    "Coding",
    "ContactPoint",
    "Count",
    "Date",
    "DateTime",
    "Decimal",
    "Distance",
    "Dosage",
    "Duration",
    "Expression",
    "HumanName",
    "Id",
    "Identifier",
    "Instant",
    "Integer",
    "Markdown",
    "Meta",
    "Money",
    "Oid",
    "Period",
    "PositiveInt",
    "Quantity",
    "Range",
    "Ratio",
    "Reference",
    "SampledData",
    "Signature",
    "String",
    "Time",
    "Timing",
    "UnsignedInt",
    "Uri",
    "Url",
    "UsageContext",
    "Uuid",
];

/// The type that the JSON name of a choice element ends with: `onsetDateTime` is an `onset` that is a `DateTime`.
pub fn choice_suffix<'k>(key: &'k str, name: &str) -> Option<&'k str> {
    key.strip_prefix(name).filter(|suffix| SUFFIXES.contains(suffix))
}

impl<'a> Element<'a> {
    pub fn new(value: &'a Value) -> Self {
        Element(Some(value))
    }

    pub fn none() -> Self {
        Element(None)
    }

    pub fn exists(self) -> bool {
        self.0.is_some_and(|value| !value.is_null())
    }

    /// The JSON itself, for the few who must look at all of it.
    pub fn value(self) -> Option<&'a Value> {
        self.0
    }

    pub fn object(self) -> Option<&'a Map<String, Value>> {
        self.0.and_then(Value::as_object)
    }

    /// The child of that name. Of a list, the first.
    pub fn get(self, name: &str) -> Element<'a> {
        let child = self.object().and_then(|object| object.get(name));
        match child {
            Some(Value::Array(list)) => Element(list.first()),
            child => Element(child),
        }
    }

    /// All children of that name: a list's items, a single one as a list of one.
    pub fn each(self, name: &str) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let child = self.object().and_then(|object| object.get(name));
        let items: &'a [Value] = match child {
            Some(Value::Array(list)) => list,
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        items.iter().map(Element::new)
    }

    /// Everything at a dotted path, through lists: `participant.member`.
    pub fn all(self, path: &str) -> Vec<Element<'a>> {
        let mut found = vec![self];
        for name in path.split('.') {
            found = found.into_iter().flat_map(|element| element.each(name)).collect();
        }
        found
    }

    pub fn as_str(self) -> Option<&'a str> {
        self.0.and_then(Value::as_str)
    }

    pub fn as_bool(self) -> Option<bool> {
        self.0.and_then(Value::as_bool)
    }

    pub fn text(self, name: &str) -> Option<&'a str> {
        self.get(name).as_str()
    }

    pub fn flag(self, name: &str) -> Option<bool> {
        self.get(name).as_bool()
    }

    /// This element as a Coding.
    pub fn coding(self) -> Coding<'a> {
        Coding { system: self.text("system").unwrap_or(""), code: self.text("code").unwrap_or("") }
    }

    /// The codings of the CodeableConcepts at that name.
    pub fn concepts(self, name: &str) -> Vec<Coding<'a>> {
        self.each(name).flat_map(|concept| concept.each("coding")).map(Element::coding).collect()
    }

    /// The Codings at that name.
    pub fn codings(self, name: &str) -> Vec<Coding<'a>> {
        self.each(name).map(Element::coding).collect()
    }

    /// The Reference at that name, when it has a literal `reference`.
    pub fn reference(self, name: &str) -> Option<Reference<'a>> {
        self.get(name).text("reference").map(Reference::parse)
    }

    pub fn references(self, name: &str) -> Vec<Reference<'a>> {
        self.each(name).filter_map(|item| item.text("reference")).map(Reference::parse).collect()
    }

    /// The Period at that name; `None` when it is absent or unreadable.
    pub fn period(self, name: &str, zone: &Zone) -> Option<Interval> {
        let period = self.get(name);
        period.object()?;
        Interval::of_period(period.text("start"), period.text("end"), zone)
    }

    /// Visits this element and all that is below it.
    pub fn walk(self, visit: &mut impl FnMut(Element<'a>)) {
        visit(self);
        match self.0 {
            Some(Value::Object(object)) => object.values().for_each(|child| Element::new(child).walk(visit)),
            Some(Value::Array(list)) => list.iter().for_each(|child| Element::new(child).walk(visit)),
            _ => {}
        }
    }
}
