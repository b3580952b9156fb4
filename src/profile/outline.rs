//! What a reader may be shown of a type in short: for `_summary` and `_elements` (FHIR R4 search.html#summary).

use crate::fhir::view;

use super::Profiles;
use super::table::Table;

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
    pub summary: bool,
    /// Without it the resource would not be valid: `_elements` and `_summary` keep it.
    pub mandatory: bool,
    pub modifier: bool,
    /// The elements inside; `None` for a primitive, and for another resource.
    pub inner: Option<Outline<'p>>,
}

impl Profiles {
    /// Of a resource type or a data type.
    pub fn outline(&self, type_name: &str) -> Option<Outline<'_>> {
        Some(Outline { profiles: self, table: self.table(type_name)?, node: 0 })
    }
}

impl<'p> Outline<'p> {
    /// The element with this JSON name: `valueQuantity`, not `value[x]`.
    pub fn find(&self, json: &str) -> Option<Shown<'p>> {
        let (_, field, kind) = self.table.nodes.get(self.node)?.find(json)?;
        let inner = match field.node {
            Some(node) => Some(Outline { node, ..*self }),
            None if kind.primitive.is_some() || kind.code == "Resource" => None,
            None => self.profiles.outline(&kind.code),
        };
        Some(Shown { summary: field.is_summary, mandatory: field.min > 0, modifier: field.is_modifier, inner })
    }
}

impl view::Outline for Outline<'_> {
    fn element(&self, json: &str) -> Option<view::Shown<'_>> {
        let Shown { summary, mandatory, inner, .. } = self.find(json)?;
        let inner = inner.map(|inner| -> Box<dyn view::Outline> { Box::new(inner) });
        Some(view::Shown { summary, mandatory, inner })
    }
}
