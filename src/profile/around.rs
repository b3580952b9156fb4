//! What a resource is judged amid: the resources around it, those it contains, and what else is at hand.
//!
//! Only this decides where a reference leads (R4 references.html#contained, bundle.html#references). Nothing is fetched:
//! what is not here is unknown, which is neither right nor wrong.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

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

/// The resource that is judged, innermost, with those around it.
#[derive(Clone)]
pub struct Around<'a> {
    levels: Vec<Level<'a>>,
    at_hand: &'a dyn AtHand,
}

#[derive(Clone)]
struct Level<'a> {
    resource: &'a Value,
    /// Of the entry that it is in, when a Bundle is around it.
    full_url: Option<&'a str>,
    /// Of a Bundle: its entries by address, when somebody asked.
    entries: Rc<OnceCell<Entries<'a>>>,
}

type Entries<'a> = HashMap<String, Vec<(Option<&'a str>, &'a Value)>>;

/// Where a reference leads.
#[derive(Clone)]
pub enum Led<'a> {
    /// To what stands innermost there.
    To(Around<'a>),
    /// Into this document, where it is not.
    Nowhere,
    Unknown,
}

impl<'a> Around<'a> {
    pub fn of(resource: &'a Value, at_hand: &'a dyn AtHand) -> Around<'a> {
        let mut around = Around { levels: Vec::new(), at_hand };
        around.enter(resource, None);
        around
    }

    /// Goes into a resource inside; `leave` comes back.
    pub fn enter(&mut self, resource: &'a Value, full_url: Option<&'a str>) {
        self.levels.push(Level { resource, full_url, entries: Rc::default() });
    }

    pub fn leave(&mut self) {
        self.levels.pop();
    }

    pub fn resource(&self) -> &'a Value {
        self.levels.last().map_or(&Value::Null, |level| level.resource)
    }

    /// The resource that contains the innermost one, or that one: `%rootResource` (R4 fhirpath.html#variables).
    pub fn container(&self) -> &'a Value {
        self.levels.get(self.container_at()).map_or(&Value::Null, |level| level.resource)
    }

    /// A Bundle around is a document, whose narratives are read as one.
    pub fn is_in_document(&self) -> bool {
        let is_document =
            |level: &Level| text(level.resource, "type") == "document" && kind(level.resource) == "Bundle";
        self.levels.iter().any(is_document)
    }

    fn container_at(&self) -> usize {
        let last = self.levels.len().saturating_sub(1);
        let holder = last.checked_sub(1).and_then(|at| self.levels.get(at));
        match holder {
            Some(holder) if !matches!(kind(holder.resource), "Bundle" | "Parameters") => last - 1,
            _ => last,
        }
    }

    pub fn resolve(&self, reference: &str) -> Led<'a> {
        let container = self.container_at();
        match Reference::parse(reference) {
            Reference::Contained("") => Led::To(self.upto(container)),
            Reference::Contained(id) => {
                let contained = self.container().get("contained").and_then(Value::as_array);
                let held = contained.into_iter().flatten().find(|held| text(held, "id") == id);
                held.map_or(Led::Nowhere, |held| Led::To(self.upto(container).with(held, None)))
            }
            parsed => self.in_bundles(container, reference, &parsed),
        }
    }

    /// Through the Bundles around, from the nearest outwards, and then to what is at hand.
    fn in_bundles(&self, container: usize, written: &str, reference: &Reference) -> Led<'a> {
        let mut at = container;
        while let Some(bundle) = at.checked_sub(1).and_then(|above| self.levels.get(above)) {
            if kind(bundle.resource) != "Bundle" {
                break;
            }
            let base = self.levels.get(at).and_then(|level| level.full_url).map(Reference::parse);
            let address = match (reference, base) {
                // A relative reference starts at the base of the entry that it is in.
                (Reference::Relative { kind, id, .. }, Some(Reference::Absolute { base, .. })) => {
                    format!("{base}/{kind}/{id}")
                }
                (Reference::Relative { kind, id, .. }, _) => format!("{kind}/{id}"),
                _ => written.split("/_history/").next().unwrap_or(written).to_string(),
            };
            match bundle.entries.get_or_init(|| entries(bundle.resource)).get(&address).and_then(|found| found.first())
            {
                Some((full_url, resource)) => return Led::To(self.upto(at - 1).with(resource, *full_url)),
                None if written.starts_with("urn:") => return Led::Nowhere,
                None => at -= 1,
            }
        }
        let found = self.at_hand.find(written);
        found.map_or(Led::Unknown, |found| Led::To(Around::of(found, self.at_hand)))
    }

    fn upto(&self, at: usize) -> Around<'a> {
        Around { levels: self.levels[..=at].to_vec(), at_hand: self.at_hand }
    }

    fn with(mut self, resource: &'a Value, full_url: Option<&'a str>) -> Around<'a> {
        self.enter(resource, full_url);
        self
    }
}

fn entries(bundle: &Value) -> Entries<'_> {
    let mut index: Entries = HashMap::new();
    let entries = bundle.get("entry").and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        let Some(resource) = entry.get("resource") else { continue };
        let full_url = entry.get("fullUrl").and_then(Value::as_str);
        // Without a base to start at, type and id are all there is.
        let own = format!("{}/{}", kind(resource), text(resource, "id"));
        for address in full_url.map(str::to_string).into_iter().chain([own]) {
            index.entry(address).or_default().push((full_url, resource));
        }
    }
    index
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
        let entry = |at: usize| {
            let entry = &bundle["entry"][at];
            Around::of(&bundle, &Nothing).with(&entry["resource"], entry["fullUrl"].as_str())
        };
        let (urn, rest) = (entry(1), entry(2));
        let contained = urn.clone().with(&urn.resource()["contained"][0], None);
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
            let found = match from.resolve(reference) {
                Led::To(found) => Some(kind(found.resource())),
                _ => None,
            };
            assert_eq!(found, expected, "{reference}");
        }
        assert!(matches!(rest.resolve("urn:uuid:none"), Led::Nowhere));
        assert!(matches!(urn.resolve("#none"), Led::Nowhere));
        assert!(matches!(rest.resolve("Patient/2"), Led::Unknown));
    }
}
