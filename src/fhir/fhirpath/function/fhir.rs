//! FHIR's additions (R4 fhirpath.html#functions): extensions, references, terminology, conformance.

use std::ops::ControlFlow;

use serde_json::Value;

use super::super::catalogue::Function;
use super::super::evaluate::{Found, Frame, Run};
use super::super::item::{Item, Items};
use super::super::model::Kind;
use super::super::node::{Name, Node};
use super::super::scope::{Coded, Failure, Resolved};
use super::super::tree::Call;
use crate::fhir::Reference;

const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";

impl<'a> Run<'a> {
    pub fn fhir(&self, call: &'a Call, on: Items<'a>, frame: &Frame<'_, 'a>) -> Found<'a> {
        match call.function {
            Function::Extension => match self.text_arg(call, 0, frame)? {
                Some(url) => Ok(self.extensions(&on, &url)),
                None => Ok(Items::None),
            },
            Function::HasExtension => match self.text_arg(call, 0, frame)? {
                Some(url) => Ok(Items::One(Item::Boolean(!self.extensions(&on, &url).is_empty()))),
                None => Ok(Items::None),
            },
            Function::HasValue => {
                let has = matches!(on.as_slice(), [item] if item.as_node().is_none_or(Node::has_value));
                Ok(Items::One(Item::Boolean(has)))
            }
            Function::GetValue => match on.as_slice() {
                [Item::Node(node)] if node.has_value() => Ok(self.value_of(*node).into()),
                _ => Ok(Items::None),
            },
            Function::Resolve => self.resolve(&on),
            Function::ConformsTo => match (self.only(&on, "one element")?, self.text_arg(call, 0, frame)?) {
                (Some(item), Some(profile)) => Ok(Items::One(Item::Boolean(self.conforms(item, &profile)?))),
                _ => Ok(Items::None),
            },
            Function::MemberOf => match (self.only(&on, "one code")?, self.text_arg(call, 0, frame)?) {
                (Some(item), Some(set)) => Ok(Items::One(Item::Boolean(self.is_member(item, &set)?))),
                _ => Ok(Items::None),
            },
            Function::Subsumes | Function::SubsumedBy => {
                let other = self.arg(call, 0, frame)?;
                let (one, two) = (self.only(&on, "one code")?, self.only(&other, "one code")?);
                let (Some(one), Some(two)) = (one, two) else { return Ok(Items::None) };
                let (general, special) = if call.function == Function::Subsumes { (one, two) } else { (two, one) };
                Ok(Items::One(Item::Boolean(self.subsumes(general, special)?)))
            }
            // What a narrative may hold is the format of its type, and checked as such (`profile/primitive`).
            Function::HtmlChecks => Ok(on.iter().map(|_| Item::Boolean(true)).collect()),
            function => Err(Failure::Unknown(format!("`{}()` is not answered here", function.name()))),
        }
    }

    fn extensions(&self, on: &Items<'a>, url: &str) -> Items<'a> {
        let name = Name::new("extension");
        let mut found = Items::None;
        for node in on.iter().filter_map(Item::as_node) {
            let _ = node.each(&name, self.model(), &mut |extension| {
                if extension.value().and_then(|value| value.get("url")).and_then(Value::as_str) == Some(url) {
                    found.push(Item::Node(extension));
                }
                ControlFlow::Continue(())
            });
        }
        found
    }

    fn resolve(&self, on: &Items<'a>) -> Found<'a> {
        let mut found = Items::None;
        for item in on.iter() {
            let stated = |name: &str| {
                item.as_node().and_then(Node::value).and_then(|value| value.get(name)).and_then(Value::as_str)
            };
            let text = match (self.simple(item), stated("reference")) {
                (Item::Text(text), _) => text,
                (_, Some(text)) => text.into(),
                (_, None) => match stated("type") {
                    Some(kind) => {
                        found.push(Item::Node(Node::typed(self.scope.kind(kind))));
                        continue;
                    }
                    None => continue,
                },
            };
            self.pay(1)?;
            if let Some(node) = self.target(&text, stated("type"))? {
                found.push(Item::Node(node));
            }
        }
        Ok(found)
    }

    /// Inside the resource first, then in the Bundle, then around; or else only what type it must have.
    fn target(&self, text: &str, stated: Option<&str>) -> Result<Option<Node<'a>>, Failure> {
        if let Some(id) = text.strip_prefix('#') {
            return self.contained(id);
        }
        if let Some(node) = self.entry(text)? {
            return Ok(Some(node));
        }
        let around = self.scope.surroundings.map_or(Resolved::Unknown, |surroundings| surroundings.resolve(text));
        Ok(match around {
            Resolved::Node(node) => Some(node),
            Resolved::Kind(kind) => Some(Node::typed(self.scope.kind(&kind))),
            Resolved::Nowhere => None,
            Resolved::Unknown => {
                let kind = match Reference::parse(text) {
                    Reference::Relative { kind, .. } | Reference::Absolute { kind, .. } => self.scope.kind(kind),
                    _ => stated.map_or(Kind::UNKNOWN, |kind| self.scope.kind(kind)),
                };
                Some(Node::typed(kind))
            }
        })
    }

    fn contained(&self, id: &str) -> Result<Option<Node<'a>>, Failure> {
        let container = self.scope.root;
        if id.is_empty() {
            return Ok(Some(container));
        }
        let list = container.value().and_then(|value| value.get("contained")).and_then(Value::as_array);
        self.pay(list.map_or(0, Vec::len))?;
        let held = list.into_iter().flatten().find(|held| held.get("id").and_then(Value::as_str) == Some(id));
        Ok(held.map(|held| Node::resource(held, self.model())))
    }

    fn entry(&self, text: &str) -> Result<Option<Node<'a>>, Failure> {
        let bundle = self.scope.root.value();
        let Some(entries) = bundle.and_then(|value| value.get("entry")).and_then(Value::as_array) else {
            return Ok(None);
        };
        self.pay(entries.len())?;
        let is_relative = matches!(Reference::parse(text), Reference::Relative { .. });
        let found = entries.iter().find(|entry| {
            let url = entry.get("fullUrl").and_then(Value::as_str).unwrap_or("");
            url == text || (is_relative && url.strip_suffix(text).is_some_and(|base| base.ends_with('/')))
        });
        Ok(found.and_then(|entry| entry.get("resource")).map(|resource| Node::resource(resource, self.model())))
    }

    fn conforms(&self, item: &Item<'a>, profile: &str) -> Result<bool, Failure> {
        let Some(node) = item.as_node() else { return Ok(false) };
        if let Some(answer) = self.scope.surroundings.and_then(|around| around.conforms_to(node, profile)) {
            return Ok(answer);
        }
        // Of a base definition the type alone may say no.
        let base = profile.strip_prefix(CORE).map(|name| self.scope.kind(name)).filter(|kind| *kind != Kind::UNKNOWN);
        match base {
            Some(base) if !self.model().is(node.kind(), base) => Ok(false),
            _ => Err(Failure::Unknown(format!("`{profile}` has no definition that could be checked here"))),
        }
    }

    fn is_member(&self, item: &Item<'a>, value_set: &str) -> Result<bool, Failure> {
        let simple = self.simple(item);
        let codes = codes(item, &simple);
        let mut unknown = codes.is_empty();
        for coded in codes {
            match self.scope.surroundings.and_then(|around| around.member_of(coded, value_set)) {
                Some(true) => return Ok(true),
                Some(false) => {}
                None => unknown = true,
            }
        }
        if unknown { Err(Failure::Unknown(format!("`{value_set}` cannot be listed here"))) } else { Ok(false) }
    }

    fn subsumes(&self, general: &Item<'a>, special: &Item<'a>) -> Result<bool, Failure> {
        let (simple_general, simple_special) = (self.simple(general), self.simple(special));
        let (generals, specials) = (codes(general, &simple_general), codes(special, &simple_special));
        let mut unknown = false;
        for general in &generals {
            for special in &specials {
                self.pay(1)?;
                if general == special {
                    return Ok(true);
                }
                let (Some(system), true) = (general.system, general.system == special.system) else { continue };
                match self.scope.surroundings.and_then(|around| around.subsumes(system, general.code, special.code)) {
                    Some(true) => return Ok(true),
                    Some(false) => {}
                    None => unknown = true,
                }
            }
        }
        if unknown { Err(Failure::Unknown("the code system cannot be asked here".into())) } else { Ok(false) }
    }
}

/// A code, a Coding or the codings of a CodeableConcept.
fn codes<'f>(item: &'f Item<'_>, simple: &'f Item<'_>) -> Vec<Coded<'f>> {
    if let Item::Text(code) = simple {
        return vec![Coded { system: None, code }];
    }
    let coding = |value: &'f Value| {
        let code = value.get("code").and_then(Value::as_str)?;
        Some(Coded { system: value.get("system").and_then(Value::as_str), code })
    };
    let value = item.as_node().and_then(Node::value);
    match value.and_then(|value| value.get("coding")) {
        Some(Value::Array(list)) => list.iter().filter_map(coding).collect(),
        _ => value.and_then(coding).into_iter().collect(),
    }
}
