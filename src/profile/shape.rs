//! The definitions as the XML converter asks for them (`fhir/xml`): order, lists, attributes, kinds of values.

use crate::fhir::offer;
use crate::fhir::xml::{Content, Field, Shape, Shapes};

use super::Profiles;
use super::found::listed;
use super::primitive::Primitive;
use super::walk::nearest;

/// Most names that a message lists.
const LISTED_MAX: usize = 16;

impl Shapes for Profiles {
    fn resource(&self, kind: &str) -> Option<Shape<'_>> {
        let table = self.table(kind).filter(|_| self.knows(kind) || offer::is_unserved(kind))?;
        Some(Shape { type_name: &table.type_name, node: 0, is_resource: true })
    }

    fn field<'a>(&'a self, of: Shape<'a>, json: &str) -> Option<Field<'a>> {
        let (order, field, kind) = self.table(of.type_name)?.nodes.get(of.node)?.find(json)?;
        let content = match (kind.primitive, kind.code.as_str()) {
            (Some(Primitive::Boolean), _) => Content::Boolean,
            (Some(Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt | Primitive::Decimal), _) => {
                Content::Number
            }
            (Some(Primitive::Xhtml), _) => Content::Xhtml,
            (Some(_), _) => Content::Text,
            (None, "Resource") => Content::Resource,
            (None, code) => Content::Object(match field.node {
                Some(node) => Shape { type_name: of.type_name, node, is_resource: false },
                None => Shape { type_name: code, node: 0, is_resource: false },
            }),
        };
        // What R4 represents as attributes (`ElementDefinition.representation`): these two, and a primitive's value.
        let is_attribute = match json {
            "id" => !of.is_resource,
            "url" => of.type_name == "Extension",
            _ => false,
        };
        Some(Field { name: &field.name, json: &kind.json, order, is_list: field.is_list, is_attribute, content })
    }

    fn expected(&self, of: Shape, json: &str) -> String {
        let Some(node) = self.table(of.type_name).and_then(|table| table.nodes.get(of.node)) else {
            return String::new();
        };
        let near = nearest(node, json);
        if near.is_empty() && node.fields.len() <= LISTED_MAX {
            return format!("; expected {}", listed(node.fields.iter().map(|field| field.name.as_str())));
        }
        near
    }
}
