//! `is`, `as`, `ofType()` and `type()` (N1, 6.3 and 10.2; R4 fhirpath.html#types).
//!
//! A name without a namespace is FHIR's for what stands in a resource, FHIRPath's for its own values.

use super::evaluate::{Found, Frame, Run};
use super::item::{Item, Items, TypeInfo};
use super::model::{Kind, System};
use super::node::Node;
use super::scope::Failure;
use super::tree::{Test, TypeName, Typed};

impl<'a> Run<'a> {
    pub fn typed(&self, typed: &'a Typed, frame: &Frame<'_, 'a>) -> Found<'a> {
        let items = self.items(&typed.on, frame)?;
        let name = &typed.type_name;
        let is_system = name.namespace.as_deref() == Some("System") || System::named(&name.name).is_some();
        if !is_system && self.model().kind(&name.name) == Kind::UNKNOWN {
            return Err(Failure::Wrong(format!("`{}` is no type that is known here", name.name)));
        }
        match typed.test {
            Test::Is | Test::IsOperator => match self.only(&items, "one item to test the type of")? {
                Some(item) => Ok(Items::One(Item::Boolean(self.is_of(item, name, typed.test == Test::IsOperator)?))),
                None => Ok(Items::None),
            },
            Test::As if self.scope.is_strict && items.len() > 1 => {
                Err(Failure::Wrong(format!("expected one item before `as`, found {}", items.len())))
            }
            Test::As | Test::OfType => {
                let mut kept = Items::None;
                for item in items.into_vec() {
                    if self.is_exactly(&item, name)? {
                        kept.push(item);
                    }
                }
                Ok(kept)
            }
        }
    }

    fn is_of(&self, item: &Item<'a>, name: &TypeName, loosely: bool) -> Result<bool, Failure> {
        match item {
            Item::Node(node) => {
                let is_fhir = name.namespace.as_deref() != Some("System") && self.is_kind(*node, &name.name)?;
                Ok(is_fhir || (loosely && name.namespace.is_none() && self.is_value(*node, &name.name)))
            }
            item => Ok(is_own(item, name)),
        }
    }

    /// A primitive is taken only by its own name: a `code` is not given out as a `string`, though it is one.
    fn is_exactly(&self, item: &Item<'a>, name: &TypeName) -> Result<bool, Failure> {
        match item {
            Item::Node(_) if name.namespace.as_deref() == Some("System") => Ok(false),
            Item::Node(node) if self.model().shape(node.kind()).is_primitive => {
                Ok(*self.model().shape(node.kind()).name == *name.name)
            }
            Item::Node(node) => self.is_kind(*node, &name.name),
            item => Ok(is_own(item, name)),
        }
    }

    fn is_kind(&self, node: Node<'a>, name: &str) -> Result<bool, Failure> {
        if node.kind() == Kind::UNKNOWN && node.is_hollow() {
            return Err(Failure::Unknown("the reference leads to a resource of unknown type".into()));
        }
        Ok(self.model().is_named(node.kind(), name))
    }

    fn is_value(&self, node: Node<'a>, name: &str) -> bool {
        let shape = self.model().shape(node.kind());
        shape.is_primitive && shape.system.is_some_and(|system| system.name() == name)
    }

    pub fn type_info(&self, item: &Item<'a>) -> Item<'a> {
        let (namespace, name) = match item {
            Item::Node(node) => ("FHIR", self.model().name(node.kind()).to_string()),
            item => ("System", item.system().map_or("TypeInfo", System::name).to_string()),
        };
        Item::Type(Box::new(TypeInfo { namespace, name }))
    }
}

fn is_own(item: &Item, name: &TypeName) -> bool {
    name.namespace.as_deref() != Some("FHIR") && item.system().is_some_and(|system| system.name() == &*name.name)
}
