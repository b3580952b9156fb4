//! What a resource is judged amid: the resources around it, those it contains, and what else is at hand.
//!
//! Only this decides where a reference leads (R4 references.html#contained, bundle.html#references). Nothing is fetched:
//! what is not here is unknown, which is neither right nor wrong.

use std::cell::OnceCell;
use std::collections::HashMap;

use serde_json::Value;

use crate::fhir::Reference;

/// Resources that are known without being in the document: of the same transaction, given with `--with`, stored.
pub trait AtHand {
    /// The resource that a reference as it is written leads to.
    fn find(&self, reference: &str) -> Option<&Value>;
}

/// Nothing but the document itself.
pub struct Nothing;

impl AtHand for Nothing {
    fn find(&self, _: &str) -> Option<&Value> {
        None
    }
}

/// One resource, and what is around it.
pub struct Around<'a> {
    pub resource: &'a Value,
    outer: Option<&'a Around<'a>>,
    /// The entry of the Bundle around that it is in.
    full_url: Option<&'a str>,
    at_hand: &'a dyn AtHand,
    /// Of a Bundle: its entries by address.
    index: OnceCell<HashMap<String, Vec<&'a Value>>>,
}

/// Where a reference leads.
#[derive(Clone, Copy, Debug)]
pub enum Led<'a> {
    To(&'a Value),
    /// Into this document, where it is not.
    Nowhere,
    Unknown,
}

impl<'a> Around<'a> {
    pub fn of(resource: &'a Value, at_hand: &'a dyn AtHand) -> Around<'a> {
        Around { resource, outer: None, full_url: None, at_hand, index: OnceCell::new() }
    }

    /// A resource inside this one; of a Bundle's entry, with its address.
    pub fn inside(&'a self, resource: &'a Value, full_url: Option<&'a str>) -> Around<'a> {
        Around { resource, outer: Some(self), full_url, at_hand: self.at_hand, index: OnceCell::new() }
    }

    /// The resource that contains this one, or this one: `%rootResource` (R4 fhirpath.html#variables).
    pub fn container(&self) -> &Around<'a> {
        match self.outer {
            Some(outer) if kind(outer.resource) != "Bundle" && kind(outer.resource) != "Parameters" => outer,
            _ => self,
        }
    }

    pub fn resolve(&self, reference: &str) -> Led<'a> {
        match Reference::parse(reference) {
            Reference::Contained("") => Led::To(self.container().resource),
            Reference::Contained(id) => {
                let contained = self.container().resource.get("contained").and_then(Value::as_array);
                let mut contained = contained.into_iter().flatten();
                contained.find(|held| text(held, "id") == id).map_or(Led::Nowhere, Led::To)
            }
            found => self.in_bundles(reference, &found),
        }
    }

    /// Through the Bundles around, from the nearest outwards, and then to what is at hand.
    fn in_bundles(&self, written: &str, reference: &Reference) -> Led<'a> {
        let container = self.container();
        let (mut within, mut full_url) = (container.outer, container.full_url);
        while let Some(bundle) = within.filter(|around| kind(around.resource) == "Bundle") {
            let base = full_url.map(Reference::parse);
            let address = match (reference, base) {
                // A relative reference starts at the base of the entry that it is in.
                (Reference::Relative { kind, id, .. }, Some(Reference::Absolute { base, .. })) => {
                    format!("{base}/{kind}/{id}")
                }
                (Reference::Relative { kind, id, .. }, _) => format!("{kind}/{id}"),
                _ => written.split("/_history/").next().unwrap_or(written).to_string(),
            };
            match bundle.entries().get(&address).map(Vec::as_slice) {
                Some([one]) => return Led::To(one),
                Some([first, ..]) => return Led::To(first),
                _ if reference.local().is_none() && written.starts_with("urn:") => return Led::Nowhere,
                _ => {}
            }
            (within, full_url) = (bundle.outer, bundle.full_url);
        }
        self.at_hand.find(written).map_or(Led::Unknown, Led::To)
    }

    fn entries(&self) -> &HashMap<String, Vec<&'a Value>> {
        self.index.get_or_init(|| {
            let mut index: HashMap<String, Vec<&Value>> = HashMap::new();
            let entries = self.resource.get("entry").and_then(Value::as_array);
            for entry in entries.into_iter().flatten() {
                let Some(resource) = entry.get("resource") else { continue };
                let full_url = text(entry, "fullUrl");
                if !full_url.is_empty() {
                    index.entry(full_url.to_string()).or_default().push(resource);
                }
                // Without a base to start at, type and id are all there is.
                let own = format!("{}/{}", kind(resource), text(resource, "id"));
                if own != full_url {
                    index.entry(own).or_default().push(resource);
                }
            }
            index
        })
    }
}

fn kind(resource: &Value) -> &str {
    text(resource, "resourceType")
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_lead_into_the_document_by_the_rules_of_their_form() {
        let bundle = json!({"resourceType": "Bundle", "entry": [
            {"fullUrl": "https://a.example/fhir/Patient/1", "resource": {"resourceType": "Patient", "id": "1"}},
            {"fullUrl": "urn:uuid:9", "resource": {"resourceType": "Goal", "contained": [
                {"resourceType": "Group", "id": "g"}]}},
            {"fullUrl": "https://a.example/fhir/Goal/2", "resource": {"resourceType": "Goal", "id": "2"}},
        ]});
        let outer = Around::of(&bundle, &Nothing);
        let urn = outer.inside(&bundle["entry"][1]["resource"], Some("urn:uuid:9"));
        let rest = outer.inside(&bundle["entry"][2]["resource"], Some("https://a.example/fhir/Goal/2"));
        let contained = urn.inside(&urn.resource["contained"][0], None);
        for (from, reference, expected) in [
            (&rest, "Patient/1", Some("Patient")),
            (&rest, "https://a.example/fhir/Patient/1", Some("Patient")),
            (&rest, "https://a.example/fhir/Patient/1/_history/3", Some("Patient")),
            (&rest, "Patient/2", None),
            (&rest, "https://b.example/fhir/Patient/1", None),
            (&rest, "urn:uuid:9", Some("Goal")),
            (&urn, "Patient/1", Some("Patient")),
            (&urn, "#g", Some("Group")),
            (&contained, "#", Some("Goal")),
            (&contained, "#g", Some("Group")),
            (&contained, "Patient/1", Some("Patient")),
        ] {
            match from.resolve(reference) {
                Led::To(found) => assert_eq!(Some(kind(found)), expected, "{reference}"),
                _ => assert_eq!(None, expected, "{reference}"),
            }
        }
        assert!(matches!(rest.resolve("urn:uuid:none"), Led::Nowhere));
        assert!(matches!(urn.resolve("#none"), Led::Nowhere));
        assert!(matches!(rest.resolve("Patient/2"), Led::Unknown));
    }
}
