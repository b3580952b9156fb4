//! A type in short: what a reader may be shown of it, for `_summary` and `_elements` (FHIR R4 search.html#summary),
//! and what a writer must know to begin.

use serde_json::{Map, Value, json};

use crate::fhir::view;

use super::Profiles;
use super::table::{Field, FieldType, Table};
use super::terminology::Membership;

/// The elements of one object of a type.
#[derive(Clone, Copy, Debug)]
pub struct Outline<'p> {
    profiles: &'p Profiles,
    table: &'p Table,
    node: usize,
}

/// What its definition says of an element.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'p> {
    /// Its type: `code`, `CodeableConcept`, `BackboneElement`.
    pub kind: &'p str,
    pub summary: bool,
    /// Without it the resource would not be valid: `_elements` and `_summary` keep it.
    pub mandatory: bool,
    pub modifier: bool,
    pub list: bool,
    /// The value set that its codes must be of.
    pub codes: Option<&'p str>,
    pub is_choice: bool,
    pub primitive: bool,
    /// The elements inside; `None` for a primitive, and for another resource.
    pub inner: Option<Outline<'p>>,
}

/// Codes that an example has rather than others: what something is when it is new.
const USUAL: [&str; 6] = ["requested", "active", "current", "final", "order", "plan"];
/// Codes of a set that an example is chosen from.
const CHOSEN_MAX: usize = 200;
const ALLERGY_STATUS: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
/// Objects within objects of an example.
const DEPTH_MAX: usize = 8;

impl Profiles {
    /// Of a resource type or a data type.
    pub fn outline(&self, type_name: &str) -> Option<Outline<'_>> {
        Some(Outline { profiles: self, table: self.table(type_name)?, node: 0 })
    }

    /// A code of a value set as an example, with its system.
    pub fn usual(&self, value_set: &str) -> Option<(&str, &str)> {
        let codes = self.expansion(value_set, CHOSEN_MAX)?.codes;
        let usual = USUAL.iter().find_map(|usual| codes.iter().find(|(_, code)| code == usual));
        usual.or(codes.first()).copied()
    }

    /// The smallest resource of a type that its base definition lets pass: what is mandatory, and no more.
    pub fn smallest(&self, kind: &str) -> Option<Value> {
        let mut object = Map::from_iter([("resourceType".to_string(), json!(kind))]);
        object.extend(self.outline(kind)?.mandatory(0));
        // What an invariant asks for, where cardinality does not.
        let also = match kind {
            "AllergyIntolerance" => {
                json!({"clinicalStatus": {"coding": [{"system": ALLERGY_STATUS, "code": "active"}]}})
            }
            "CapabilityStatement" => json!({"software": {"name": "example"}, "rest": [{"mode": "server"}]}),
            "Consent" => json!({"policyRule": {"text": "example"}}),
            "Organization" => json!({"name": "example"}),
            _ => Value::Null,
        };
        object.extend(also.as_object().cloned().unwrap_or_default());
        Some(Value::Object(object))
    }
}

impl<'p> Outline<'p> {
    /// The element with this JSON name: `valueQuantity`, not `value[x]`.
    pub fn find(&self, json: &str) -> Option<Shown<'p>> {
        let (_, field, kind) = self.table.nodes.get(self.node)?.find(json)?;
        Some(self.shown(field, kind))
    }

    /// All elements by JSON name, in the order of the definition; a choice once for each of its types.
    pub fn fields(&self) -> impl Iterator<Item = (&'p str, Shown<'p>)> {
        let outline = *self;
        let fields = self.table.nodes.get(self.node).map_or(&[][..], |node| &node.fields);
        fields
            .iter()
            .flat_map(move |field| field.types.iter().map(move |kind| (kind.json.as_str(), outline.shown(field, kind))))
    }

    fn shown(&self, field: &'p Field, kind: &'p FieldType) -> Shown<'p> {
        let inner = match field.node {
            Some(node) => Some(Outline { node, ..*self }),
            None if kind.primitive.is_some() || kind.code == "Resource" => None,
            None => self.profiles.outline(&kind.code),
        };
        Shown {
            kind: &kind.code,
            summary: field.is_summary,
            mandatory: field.min > 0,
            modifier: field.is_modifier,
            list: field.is_list,
            codes: field.bound.as_ref().filter(|bound| bound.is_required()).map(|bound| bound.url.as_str()),
            is_choice: field.is_choice,
            primitive: kind.primitive.is_some(),
            inner,
        }
    }

    fn mandatory(&self, depth: usize) -> Map<String, Value> {
        let mut object = Map::new();
        let fields = self.table.nodes.get(self.node).map_or(&[][..], |node| &node.fields);
        for field in fields.iter().filter(|field| field.min > 0) {
            let Some(kind) = field.types.first() else { continue };
            let value = self.example(&self.shown(field, kind), &kind.targets, depth);
            object.insert(kind.json.clone(), if field.is_list { json!([value]) } else { value });
        }
        object
    }

    fn example(&self, shown: &Shown, targets: &[String], depth: usize) -> Value {
        let coded = || {
            let (system, code) = self.profiles.usual(shown.codes?)?;
            Some((system.to_string(), code.to_string()))
        };
        let coding = |(system, code): (String, String)| json!({"system": system, "code": code});
        match shown.kind {
            "boolean" => json!(false),
            "integer" | "positiveInt" | "unsignedInt" | "decimal" => json!(1),
            "date" => json!("2026-03-02"),
            "dateTime" | "instant" => json!("2026-03-02T12:00:00Z"),
            "time" => json!("12:00:00"),
            "base64Binary" => json!("AAAA"),
            "uri" | "url" | "canonical" => json!("urn:example:one"),
            "oid" => json!("urn:oid:1.2.3"),
            "uuid" => json!("urn:uuid:00000000-0000-4000-8000-000000000001"),
            "code" => coded().map_or_else(|| json!(self.worded(shown)), |(_, code)| json!(code)),
            "string" | "markdown" | "id" | "xhtml" => json!("example"),
            "Coding" => coded().map_or_else(|| json!({"code": "example"}), coding),
            "CodeableConcept" => {
                coded().map_or_else(|| json!({"text": "example"}), |one| json!({"coding": [coding(one)]}))
            }
            "Reference" => {
                let is_patient = targets.is_empty() || targets.iter().any(|target| target == "Patient");
                let target = if is_patient { "Patient" } else { targets.first().map_or("Patient", String::as_str) };
                json!({"reference": format!("{target}/example")})
            }
            "Attachment" => json!({"title": "example"}),
            "Identifier" | "ContactPoint" => json!({"value": "example"}),
            "Period" => json!({"start": "2026-03-02"}),
            "Resource" => json!({"resourceType": "Basic"}),
            _ => {
                let inner = shown.inner.filter(|_| depth < DEPTH_MAX).map(|inner| inner.mandatory(depth + 1));
                Value::Object(inner.unwrap_or_default())
            }
        }
    }

    /// A code of a set that is a grammar and no list.
    fn worded(&self, shown: &Shown) -> &'static str {
        let is_word = |word: &&str| {
            let set = shown.codes.and_then(|url| self.profiles.set(url));
            set.is_some_and(|set| set.judge_code(word) == Membership::Member)
        };
        ["application/fhir+json", "en"].into_iter().find(is_word).unwrap_or("example")
    }
}

impl view::Outline for Outline<'_> {
    fn element(&self, json: &str) -> Option<view::Shown<'_>> {
        let Shown { summary, mandatory, inner, .. } = self.find(json)?;
        let inner = inner.map(|inner| -> Box<dyn view::Outline> { Box::new(inner) });
        Some(view::Shown { summary, mandatory, inner })
    }
}
