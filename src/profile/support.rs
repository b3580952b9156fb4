//! What a profile says must be supported and the resource has not: no fault (R4 profiling.html#mustsupport), and worth
//! knowing for who asks how a resource fits.

use serde_json::Value;

use crate::fhir::Issue;
use crate::fhir::element::choice_suffix;

use super::beyond::Beyond;
use super::facts::Element;
use super::walk::Walk;

impl<'a> Walk<'a> {
    /// The walk stands at the value. Of elements inside something absent, nothing is said.
    pub fn supported(&mut self, beyond: &Beyond, value: &'a Value) {
        for id in &beyond.supported {
            let (parent, name) = id.rsplit_once('.').unwrap_or(("", id));
            let around = parent.split('.').filter(|step| !step.is_empty()).fold(vec![value], |found, step| {
                found.into_iter().flat_map(|value| inside(value, step.trim_end_matches("[x]"))).collect()
            });
            let name = name.trim_end_matches("[x]");
            if !around.is_empty() && !around.iter().any(|value| inside(value, name).next().is_some()) {
                let path = if parent.is_empty() { name.to_string() } else { format!("{parent}.{name}") };
                let text = format!("`{path}` must be supported by who uses {}, and is not there", beyond.by);
                self.findings.add_missing(&self.place, &path, Issue::information("must-support", text));
            }
        }
    }
}

/// The elements of a profile that must be supported; of slices, what they are slices of.
pub fn supported(elements: &[Element]) -> Vec<String> {
    let asked = |element: &&Element| {
        element.must_support
            && !element.id.is_empty()
            && !element.id.contains(':')
            && element.max.as_deref() != Some("0")
    };
    elements.iter().filter(asked).map(|element| element.id.clone()).collect()
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
