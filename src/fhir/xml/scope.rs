//! Which namespace a prefix means, here and now (Namespaces in XML 1.0).

use super::tag::Tag;
use super::{FHIR, XHTML, chars};

/// Most declarations that are in force at once: looking one up goes through them.
const BINDINGS_MAX: usize = 32;
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// No declaration is in force.
    None,
    Fhir,
    Xhtml,
    /// `xsi:schemaLocation` and its like, which say nothing about the resource.
    Instance,
    Other,
}

#[derive(Clone, Debug, Default)]
pub struct Scope<'x> {
    bindings: Vec<(&'x str, Namespace, usize)>,
    level: usize,
}

impl<'x> Scope<'x> {
    /// Takes in what a start tag declares.
    ///
    /// # Errors
    /// Too many declarations, or one that is unreadable.
    pub fn enter(&mut self, tag: &Tag<'x>) -> Result<(), &'static str> {
        self.level += 1;
        for attribute in tag.attributes.iter().filter(|attribute| attribute.is_binding()) {
            if self.bindings.len() == BINDINGS_MAX {
                return Err("expected at most 32 namespace declarations around an element");
            }
            let prefix = if attribute.prefix.is_empty() { "" } else { attribute.local };
            let namespace = match chars::decode(attribute.value)?.as_ref() {
                "" if prefix.is_empty() => Namespace::None,
                FHIR => Namespace::Fhir,
                XHTML => Namespace::Xhtml,
                XSI => Namespace::Instance,
                _ => Namespace::Other,
            };
            self.bindings.push((prefix, namespace, self.level));
        }
        Ok(())
    }

    /// Forgets what the innermost start tag declared.
    pub fn leave(&mut self) {
        while self.bindings.last().is_some_and(|(_, _, level)| *level == self.level) {
            self.bindings.pop();
        }
        self.level = self.level.saturating_sub(1);
    }

    /// Of an element: without a prefix, the default namespace.
    ///
    /// # Errors
    /// A prefix that nothing declares.
    pub fn namespace(&self, prefix: &str) -> Result<Namespace, &'static str> {
        match self.bindings.iter().rev().find(|(known, _, _)| *known == prefix) {
            Some((_, namespace, _)) => Ok(*namespace),
            None if prefix.is_empty() => Ok(Namespace::None),
            None if prefix == "xml" => Ok(Namespace::Other),
            None => Err("expected a declaration of each namespace prefix"),
        }
    }
}
