//! Parts of a resource that carry labels of their own, and what becomes of them when the whole is released.
//!
//! A label inside (DS4P 1.0.0, inline_security_labels.html) says of one element what `meta.security` says of the
//! whole. Such an element is decided as if the whole carried its labels too: where that turns the decision, the element
//! stays behind. What is contained is decided the same way, and once more as the type that it is, for a deny on a
//! class reads wide.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::decide::{Decision, Effect};
use super::facts::Facts;
use crate::fhir::Element;

/// The extension that labels an element (DS4P 1.0.0).
pub const INLINE: &str = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label";
/// More of them are read as labels of the whole: nobody labels so many elements in earnest.
const PARTS_MAX: usize = 1_000;

/// One step from an element to one inside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Name(String),
    At(usize),
}

/// The way from a resource to one of its elements.
pub type Way = Vec<Step>;

/// A step while a resource is walked: names are copied for the few elements that carry labels alone.
#[derive(Clone, Copy)]
enum Pace<'v> {
    Name(&'v str),
    At(usize),
}

impl From<&Pace<'_>> for Step {
    fn from(pace: &Pace) -> Step {
        match pace {
            Pace::Name(name) => Step::Name((*name).to_string()),
            Pace::At(at) => Step::At(*at),
        }
    }
}

/// System and code of labels.
pub type Labels = BTreeSet<(String, String)>;

/// An element that carries labels, or a resource that is contained.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub way: Way,
    /// Its own labels and those of what it is in.
    pub labels: Labels,
    /// The type of a contained resource.
    pub kind: Option<String>,
}

/// What of a resource is labelled inside.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inside {
    /// Labels that stand on the resource itself, in the place of an element's.
    pub whole: Labels,
    pub parts: Vec<Part>,
}

impl Inside {
    pub fn of(root: Element) -> Inside {
        let mut inside = Inside::default();
        let Some(object) = root.object() else { return inside };
        inside.whole = own(object);
        let mut way = Vec::new();
        let walked = object.iter().filter(|(name, _)| *name != "meta" && *name != "text");
        walked.for_each(|(name, value)| member(name, value, &Labels::new(), &mut way, &mut inside.parts));
        if inside.parts.len() > PARTS_MAX {
            inside.whole.extend(inside.parts.drain(..).flat_map(|part| part.labels));
        }
        inside
    }
}

/// A permit with what the parts come to: `decide` is asked for each, on the facts that hold for it.
pub fn judged(whole: Decision, facts: &Facts, decide: impl Fn(&Facts) -> Decision) -> Decision {
    if facts.parts().is_empty() || !whole.permits() {
        return whole;
    }
    let (mut withheld, mut owed) = (Vec::new(), BTreeSet::new());
    for part in facts.parts() {
        let labelled = facts.bearing(&part.labels);
        let decision = decide(&labelled);
        // It stays for the purposes for which the whole is granted, for all of them.
        let stays = decision.permits() && whole.purposes().is_subset(decision.purposes());
        let as_kind = part.kind.as_ref().map(|kind| decide(&labelled.as_kind(kind)));
        let denied = as_kind.is_some_and(|own| {
            own.effect() == Effect::Deny && own.reasons().iter().any(|reason| reason.consent().is_some())
        });
        if stays && !denied {
            owed.extend(decision.obligations().iter().cloned());
        } else {
            withheld.push(part.way.clone());
        }
    }
    whole.without(withheld, owed)
}

/// `/note/0`, for the log.
pub fn pointer(way: &Way) -> String {
    way.iter().fold(String::new(), |text, step| match step {
        Step::Name(name) => format!("{text}/{name}"),
        Step::At(at) => format!("{text}/{at}"),
    })
}

fn member<'v>(name: &'v str, value: &'v Value, above: &Labels, way: &mut Vec<Pace<'v>>, found: &mut Vec<Part>) {
    // `_birthDate` is about `birthDate`, and of a list each about the one at its place.
    let (plain, sibling) = name.strip_prefix('_').map_or((name, false), |plain| (plain, true));
    way.push(Pace::Name(plain));
    match value {
        Value::Array(list) => {
            for (at, item) in list.iter().enumerate() {
                way.push(Pace::At(at));
                element(item, plain == "contained" && way.len() == 2, sibling, above, way, found);
                way.pop();
            }
        }
        value => element(value, false, sibling, above, way, found),
    }
    way.pop();
}

fn element<'v>(
    value: &'v Value,
    contained: bool,
    sibling: bool,
    above: &Labels,
    way: &mut Vec<Pace<'v>>,
    found: &mut Vec<Part>,
) {
    let Value::Object(object) = value else { return };
    let mut labels = own(object);
    if contained {
        let security = Element::new(value).get("meta").codings("security");
        labels.extend(security.into_iter().map(|label| (label.system.to_string(), label.code.to_string())));
    }
    let mut carried = None;
    if contained || !labels.is_empty() {
        labels.extend(above.iter().cloned());
        let kind = Element::new(value).text("resourceType").filter(|_| contained).map(str::to_string);
        found.push(Part { way: way.iter().map(Step::from).collect(), labels: labels.clone(), kind });
        carried = Some(labels);
    }
    if sibling {
        return;
    }
    let above = carried.as_ref().unwrap_or(above);
    let walked = object.iter().filter(|(name, _)| !contained || (*name != "meta" && *name != "text"));
    walked.for_each(|(name, value)| member(name, value, above, way, found));
}

fn own(object: &Map<String, Value>) -> Labels {
    let Some(Value::Array(extensions)) = object.get("extension") else { return Labels::new() };
    let inline = extensions.iter().map(Element::new).filter(|extension| extension.text("url") == Some(INLINE));
    let codings = inline.map(|extension| extension.get("valueCoding").coding());
    codings.map(|label| (label.system.to_string(), label.code.to_string())).collect()
}

/// A copy without what is labelled inside, if anything is: what is found by search must not be that.
pub fn without_labelled(resource: &crate::fhir::Resource) -> Option<crate::fhir::Resource> {
    let labelled = Inside::of(resource.root()).parts.into_iter().filter(|part| !part.labels.is_empty());
    let ways: Vec<Way> = labelled.map(|part| part.way).collect();
    (!ways.is_empty()).then(|| super::redact::without(resource.clone(), &ways))
}
