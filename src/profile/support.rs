//! What a profile says must be supported and the resource has not: no fault (R4 profiling.html#mustsupport), and worth
//! knowing for who asks how a resource fits.

use serde_json::Value;

use crate::fhir::Issue;
use crate::fhir::element::choice_suffix;

use super::facts::Structure;
use super::walk::{Walk, last};

impl<'a> Walk<'a> {
    /// The walk stands at the value. Of elements inside something absent, nothing is said.
    pub fn supported(&mut self, structure: &Structure, value: &'a Value) {
        let by = last(&structure.head.url).to_string();
        for element in structure.elements.iter().filter(|element| element.must_support) {
            if element.id.is_empty() || element.id.contains(':') || element.max.as_deref() == Some("0") {
                continue;
            }
            let (parent, name) = element.id.rsplit_once('.').unwrap_or(("", &element.id));
            let around = parent.split('.').filter(|step| !step.is_empty()).fold(vec![value], |found, step| {
                found.into_iter().flat_map(|value| inside(value, step.trim_end_matches("[x]"))).collect()
            });
            let name = name.trim_end_matches("[x]");
            if !around.is_empty() && !around.iter().any(|value| inside(value, name).next().is_some()) {
                let path = if parent.is_empty() { name.to_string() } else { format!("{parent}.{name}") };
                let text = format!("`{path}` must be supported by who uses `{by}`, and is not there");
                self.findings.add_missing(&self.place, &path, Issue::information("must-support", text));
            }
        }
    }
}

/// The values of an element, under each name that its JSON may have.
fn inside<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    let members = value.as_object().into_iter().flatten();
    let named = members.filter(|(key, _)| {
        let key = key.strip_prefix('_').unwrap_or(key);
        key == name || choice_suffix(key, name).is_some()
    });
    let found: Vec<&Value> =
        named.flat_map(|(_, value)| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)).collect();
    found.into_iter()
}
