//! FHIR XML: the same resources in the other spelling (FHIR R4 xml.html), read into JSON and written from it.
//!
//! Nothing else in the house knows XML: a body becomes JSON before it is looked at, an answer becomes XML when it is
//! finished. XML does not say by itself what is a list, a number or a choice, so both directions ask the
//! definitions, as [`Shapes`]. Content survives both ways: the zeros of `1.50`, line breaks in a string, ids and
//! extensions of primitives, the order of repetitions. What one of the two spellings cannot say is an issue at its
//! element, never left out.
//!
//! Reading is for what strangers send: UTF-8 without a DOCTYPE, no entity but XML's own five, bounded depth,
//! attributes and namespaces, and one pass over the text.

mod chars;
mod member;
mod narrative;
mod problems;
mod read;
mod scope;
mod tag;
mod write;

pub use read::resource;
pub use write::{Layout, text};

/// The namespace of every element but those of a narrative.
pub const FHIR: &str = "http://hl7.org/fhir";
/// The namespace of a narrative.
pub const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// Which fields an object has: a type, or a backbone element within it. Made and understood by a [`Shapes`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape<'a> {
    pub type_name: &'a str,
    pub node: usize,
    pub is_resource: bool,
}

impl Shape<'static> {
    /// What a primitive has besides its value: an id and extensions.
    pub const ELEMENT: Shape<'static> = Shape { type_name: "Element", node: 0, is_resource: false };
}

/// One field under one of its names: a choice is found by the name that says its type.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Without a choice's type, as FHIRPath says it.
    pub name: &'a str,
    pub json: &'a str,
    /// The place among its object's fields.
    pub order: usize,
    pub is_list: bool,
    /// An attribute in XML: the id of an element, the url of an extension (R4 xml.html).
    pub is_attribute: bool,
    pub content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    Boolean,
    Number,
    Text,
    Xhtml,
    /// Any resource, which says its own type.
    Resource,
    Object(Shape<'a>),
}

/// What the definitions know and XML does not say.
pub trait Shapes {
    /// A resource type; `None` for the abstract, and without a definition.
    fn resource(&self, kind: &str) -> Option<Shape<'_>>;

    fn field<'a>(&'a self, of: Shape<'a>, json: &str) -> Option<Field<'a>>;

    /// The end of a sentence about a name that is no field: what was perhaps meant, or what may stand there.
    fn expected(&self, of: Shape, json: &str) -> String;
}
