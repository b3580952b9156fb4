//! A resource along the parts of a profile that ask more than its schema.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::fhir::Issue;
use crate::fhir::fhirpath::Node;
use crate::profile::around::Led;
use crate::profile::found::listed;
use crate::profile::walk::{Walk, last};

use super::limit;
use super::{Beyond, Member, Part, Slice, Target};

impl<'a> Walk<'a> {
    /// The walk stands at the value.
    pub fn beyond(&mut self, beyond: &'a Beyond, value: &'a Value) {
        self.held(&beyond.root, value);
        self.part(&beyond.root, value, &beyond.by);
    }

    fn held(&mut self, part: &'a Part, value: &'a Value) {
        if !part.invariants.is_empty() {
            let model = self.profiles.model();
            // Of a resource inside, the profile around knows no more than that it is one.
            let node = match part.of.type_name.as_str() {
                "Resource" => Node::resource(value, model),
                type_name => Node::new(Some(value), None, model.inside(type_name, part.of.node)),
            };
            self.hold(&part.invariants, node);
        }
    }

    fn part(&mut self, part: &'a Part, value: &'a Value, by: &str) {
        self.limits(part, value, by);
        if !part.targets.is_empty() {
            self.led(&part.targets, value, by);
        }
        if !part.profiles.is_empty() && !part.profiles.iter().any(|url| self.conforms(value, url, None) != Some(false))
        {
            let names = listed(part.profiles.iter().map(|url| last(url)));
            self.error("structure", "profile", format!("expected {names} to hold by {by}"));
        }
        let Some(object) = value.as_object() else { return };
        for member in &part.members {
            self.stated(member, object, by);
        }
    }

    fn limits(&mut self, part: &Part, value: &Value, by: &str) {
        for (bound, wrong, word) in
            [(&part.least, Ordering::Less, "at least"), (&part.most, Ordering::Greater, "at most")]
        {
            if let Some(bound) = bound.as_ref().filter(|bound| limit::compare(value, bound) == Some(wrong)) {
                let shown = match bound {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                self.error("value", "range", format!("expected {word} `{shown}` by {by}"));
            }
        }
    }

    /// What a reference leads to must be one of these, as far as it can be seen from here.
    fn led(&mut self, targets: &'a [Target], value: &'a Value, by: &str) {
        let Some(reference) = value.get("reference").and_then(Value::as_str) else { return };
        let Led::To(around) = self.around.resolve(reference) else { return };
        let target = around.resource();
        let kind = target.get("resourceType").and_then(Value::as_str).unwrap_or("");
        let holds = targets.iter().any(|wanted| match wanted {
            Target::Type(name) => name == kind,
            Target::Profile(url) => self.conforms(target, url, Some(&around)) != Some(false),
            Target::Unknown => true,
        });
        if !holds {
            let names = listed(targets.iter().filter_map(|target| match target {
                Target::Type(name) => Some(name.as_str()),
                Target::Profile(url) => Some(last(url)),
                Target::Unknown => None,
            }));
            let mut text = format!("expected a reference to what {names} holds for by {by}, found one to `{kind}`");
            let tried = targets.iter().find_map(|target| match target {
                Target::Profile(url) if self.profiles.entry(url)?.head.type_name == kind => Some(url),
                _ => None,
            });
            if let Some(why) = tried.and_then(|url| self.objection(target, url, Some(&around))) {
                text.push_str(&format!(" of which it does not: {why}"));
            }
            self.error("structure", "reference-profile", text);
        }
    }

    /// A resource inside is judged from where it stands, once what holds of it as a part of this one is.
    fn entered(&mut self, part: &'a Part, value: &'a Value, object: &'a Map<String, Value>, by: &str) {
        self.held(part, value);
        let is_resource = value.get("resourceType").is_some();
        if is_resource {
            self.around.enter(value, object.get("fullUrl").and_then(Value::as_str));
        }
        self.part(part, value, by);
        if is_resource {
            self.around.leave();
        }
    }

    fn stated(&mut self, member: &'a Member, object: &'a Map<String, Value>, by: &str) {
        let Some((at, (_, value))) = object.iter().enumerate().find(|(_, (key, _))| **key == member.key) else {
            // What may not be missing is the schema's to say, unless only a slice asks for it.
            for slice in member.slices.iter().filter(|slice| slice.min > 0) {
                self.missing(member, slice, 0, by);
            }
            return;
        };
        self.place.push(&member.name, at);
        match value {
            Value::Array(list) => {
                for (item, value) in list.iter().enumerate() {
                    self.place.set_item(Some(item));
                    self.entered(&member.part, value, object, by);
                }
                self.sliced(member, list, object, by);
                self.place.set_item(None);
            }
            value => {
                self.entered(&member.part, value, object, by);
                self.sliced(member, std::slice::from_ref(value), object, by);
            }
        }
        self.place.steps.pop();
    }

    fn sliced(&mut self, member: &'a Member, list: &'a [Value], object: &'a Map<String, Value>, by: &str) {
        if member.slices.is_empty() {
            return;
        }
        let is_list = self.place.steps.last().is_some_and(|step| step.item.is_some());
        let mut counts = vec![(0_u32, 0_u32); member.slices.len()];
        let mut furthest = 0;
        let mut has_strangers = false;
        for (item, value) in list.iter().enumerate() {
            self.place.set_item(is_list.then_some(item));
            let mut is_told = false;
            for (index, slice) in member.slices.iter().enumerate() {
                match slice.told.tells(self, value, Some(&member.key)) {
                    Some(true) => {
                        counts[index].0 += 1;
                        is_told = true;
                        if member.rules.ordered && index < furthest {
                            let before = &member.slices[furthest].name;
                            let text = format!("expected `{}` before `{before}` by {by}", slice.name);
                            self.error("structure", "slice-order", text);
                        }
                        furthest = furthest.max(index);
                        self.entered(&slice.part, value, object, by);
                    }
                    Some(false) => {}
                    None => counts[index].1 += 1,
                }
            }
            if is_told && has_strangers && member.rules.open_at_end {
                self.error("structure", "slice-order", format!("expected items of no slice at the end by {by}"));
            }
            has_strangers |= !is_told;
        }
        self.place.set_item(None);
        for (slice, (count, unknown)) in member.slices.iter().zip(counts) {
            if slice.max.is_some_and(|max| count > max) {
                let max = slice.max.unwrap_or(0);
                let text =
                    format!("`{}` may have at most {max} of `{}` by {by}, found {count}", member.name, slice.name);
                self.error("structure", "slice", text);
            } else if count < slice.min && unknown > 0 {
                let text = format!(
                    "it was not checked whether `{}` has `{}`: references lead to what is not at hand",
                    member.name, slice.name
                );
                self.say(Issue::information("slice-unchecked", text));
            } else if count < slice.min {
                let step = self.place.steps.pop();
                self.missing(member, slice, count, by);
                self.place.steps.extend(step);
            }
        }
    }

    /// The walk stands at the element around.
    fn missing(&mut self, member: &Member, slice: &Slice, count: u32, by: &str) {
        let Slice { name, min, .. } = slice;
        let text = format!("`{}` needs at least {min} of `{name}` by {by}, found {count}", member.name);
        self.findings.add_missing(&self.place, &member.name, Issue::error("required", "slice", text));
    }
}
