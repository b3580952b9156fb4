//! What a profile asks of one value: fixed, patterned, bound, pointing somewhere, and of its children.

use serde_json::json;

use crate::profile::binding::{Bound, is_coded};
use crate::profile::facts::{Element, Type, bare};
use crate::profile::found::listed;
use crate::profile::primitive::Primitive;

use super::Rule;
use super::listed;
use super::matcher;
use super::schema::{Demands, Writer};
use super::spot::{Seat, Spot, stated_type};
use crate::profile::tree::Tree;

/// A profile inside a profile inside a profile, and no further.
const NESTING_MAX: usize = 4;
const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";

impl<'p> Writer<'p> {
    pub fn value(&mut self, tree: &Tree, seat: Seat<'p>, demands: &mut Demands) {
        let facts = &tree.facts;
        let by = self.by();
        let quotes = seat.kind.primitive.is_some_and(Primitive::may_be_quoted);
        if let Some(fixed) = &facts.fixed {
            let text = format!("expected {} by {by}", matcher::spelled(fixed));
            self.demand(demands, Rule::new("value", "fixed", text).quoting(quotes), json!({"const": fixed}));
        }
        if let Some(pattern) = &facts.pattern {
            let text = format!("expected {} by {by}", matcher::spelled(pattern));
            self.demand(demands, Rule::new("value", "pattern", text).quoting(quotes), matcher::pattern(pattern));
        }
        self.bound(facts, seat, demands);
        if let Some(max) = facts.max_length {
            let text = format!("expected at most {max} characters by {by}");
            self.demand(demands, Rule::new("value", "max-length", text), json!({"maxLength": max}));
        }
        for (bound, keyword) in [(&facts.min_value, "minimum"), (&facts.max_value, "maximum")] {
            if let Some(bound) = bound.as_ref().filter(|bound| bound.is_number()) {
                let text = format!("expected {keyword} {bound} by {by}");
                self.demand(demands, Rule::new("value", "range", text), json!({keyword: bound}));
            }
        }
        let stated = stated_type(facts, seat.field, seat.kind).flatten();
        let pointing = stated.filter(|_| seat.kind.code == "Reference");
        if let Some(targets) = pointing.and_then(|stated| self.targets(stated)) {
            let text = format!("expected a reference to {} by {by}", listed(targets.iter().map(String::as_str)));
            self.demand(demands, Rule::new("value", "reference-target", text), matcher::reference(&targets));
        }
        if let Some(spot) = seat.inside(self.profiles) {
            self.children(tree, spot, demands);
            // An extension's own definition is applied by the walk, wherever the extension is.
            for url in stated.into_iter().flat_map(|stated| &stated.profiles).filter(|_| seat.kind.code != "Extension")
            {
                self.nested(url, spot, demands);
            }
        }
    }

    /// A required binding refuses what is certainly not in its set; all else that is not, is advice.
    fn bound(&mut self, facts: &Element, seat: Seat<'p>, demands: &mut Demands) {
        let bound = facts.binding.as_ref().filter(|_| is_coded(&seat.kind.code)).and_then(Bound::of);
        let Some(bound) = bound else { return };
        let (name, url) = (&seat.field.name, bound.url.as_str());
        if bound.is_required() {
            match self.profiles.set(url) {
                Some(set) => {
                    let open = set.open().map(|system| format!("`{name}`: codes of `{system}` cannot be listed here"));
                    self.unsaid.extend(open);
                }
                None => self.unsaid.push(format!("`{name}`: `{url}` cannot be listed here")),
            }
        }
        let rule = Rule::new("code-invalid", "binding", format!(" by {}", self.by())).bound(bound.clone());
        if bound.is_required() {
            self.demand(demands, rule.clone(), json!({listed::NOT_OUTSIDE: url}));
        }
        self.demand(demands, rule.advising(), json!({listed::INSIDE: url}));
    }

    fn children(&mut self, tree: &Tree, spot: Spot<'p>, demands: &mut Demands) {
        let schema = self.object(tree, spot, &demands.next());
        if schema.as_object().is_some_and(|object| !object.is_empty()) {
            demands.list.push(schema);
        }
    }

    /// A profile on a data type, such as one on Quantity.
    fn nested(&mut self, url: &str, spot: Spot<'p>, demands: &mut Demands) {
        let entry = self.profiles.entry(bare(url)).filter(|entry| entry.head.is_profile());
        match entry.and_then(|entry| entry.structure()).filter(|_| self.nesting < NESTING_MAX) {
            Some(structure) => {
                self.nesting += 1;
                self.children(&Tree::grow(structure.elements), spot, demands);
                self.nesting -= 1;
            }
            None => self.unsaid.push(format!("profile `{url}` is not at hand")),
        }
    }

    /// The resource types a reference may point at; `None` when any, or when we cannot know.
    fn targets(&self, stated: &Type) -> Option<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        for url in &stated.targets {
            let url = bare(url);
            let name = match self.profiles.entry(url) {
                Some(entry) => entry.head.type_name.clone(),
                None => url.strip_prefix(CORE)?.to_string(),
            };
            if name == "Resource" {
                return None;
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
        (!names.is_empty()).then_some(names)
    }
}
