//! The least that a purpose needs of a type, by kind of recipient (45 CFR 164.502(b) and 164.514(d) as data).
//!
//! A list names elements that stay; one that names an element inside another keeps that much of it. Of several lists
//! the nearest purpose counts, of these the one that names the recipient's kind, of these the last. A type without a list stays
//! whole. Where more than one purpose is granted, what any of them needs stays.

use std::collections::{BTreeMap, BTreeSet};

use super::purpose::distance;
use super::regime::texts;
use crate::fhir::Element;

/// All lists.
#[derive(Debug, Default)]
pub struct Minimum {
    lists: Vec<List>,
}

#[derive(Debug)]
struct List {
    /// Empty: any.
    purposes: Vec<String>,
    /// Empty: whoever it is.
    recipients: Vec<String>,
    types: BTreeMap<String, Kept>,
}

/// Elements that stay, each with what of it stays; an element with nothing below it stays whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept(BTreeMap<String, Kept>);

impl Minimum {
    /// The lists of a document. One that cannot be read keeps nothing of the types that it names.
    pub fn read(document: Element) -> Minimum {
        Minimum { lists: document.each("minimum").map(List::read).collect() }
    }

    /// What stays of a type; `None` where it stays whole.
    pub fn of<'p>(&self, kind: &str, recipient: &str, purposes: impl Iterator<Item = &'p str>) -> Option<Kept> {
        let mut kept: Option<Kept> = None;
        for purpose in purposes {
            let own = self.nearest(kind, recipient, purpose)?;
            kept = Some(kept.map_or_else(|| own.clone(), |kept| kept.with(own)));
        }
        kept
    }

    /// The types of which something may go.
    pub fn kinds(&self) -> BTreeSet<&str> {
        self.lists.iter().flat_map(|list| list.types.keys().map(String::as_str)).collect()
    }

    /// The different lists of a type.
    pub fn lists_of(&self, kind: &str) -> Vec<&Kept> {
        let mut found: Vec<&Kept> = Vec::new();
        for kept in self.lists.iter().filter_map(|list| list.types.get(kind)) {
            if !found.contains(&kept) {
                found.push(kept);
            }
        }
        found
    }

    fn nearest(&self, kind: &str, recipient: &str, purpose: &str) -> Option<&Kept> {
        let fitting = self.lists.iter().rev().filter_map(|list| {
            let near = match list.purposes.as_slice() {
                [] => usize::MAX,
                stated => stated.iter().filter_map(|stated| distance(purpose, stated)).min()?,
            };
            let named = list.recipients.iter().any(|own| own == recipient);
            let far = (near, !named);
            list.types.get(kind).filter(|_| named || list.recipients.is_empty()).map(|kept| (far, kept))
        });
        fitting.min_by_key(|(far, _)| *far).map(|(_, kept)| kept)
    }
}

impl List {
    fn read(list: Element) -> List {
        let types = list.get("types").object().into_iter().flatten();
        List {
            purposes: texts(list, "purposes"),
            recipients: texts(list, "recipients"),
            types: types.map(|(kind, _)| (kind.clone(), Kept::of(&texts(list.get("types"), kind)))).collect(),
        }
    }
}

impl Kept {
    /// Of paths below a type: `name`, `contact.name`.
    pub fn of(paths: &[String]) -> Kept {
        let mut kept = Kept::default();
        for path in paths {
            let mut at = &mut kept;
            for name in path.split('.') {
                at = at.0.entry(name.to_string()).or_default();
            }
        }
        // What is named whole stays whole, whatever else names a part of it.
        for path in paths {
            kept.whole(path);
        }
        kept
    }

    fn whole(&mut self, path: &str) {
        let mut at = self;
        for name in path.split('.') {
            let Some(next) = at.0.get_mut(name) else { return };
            at = next;
        }
        at.0.clear();
    }

    /// What stays of an element by its name in the definition, `value` for `valueQuantity`; `None`: it goes.
    pub fn inside(&self, json: &str) -> Option<&Kept> {
        let choice = |name: &String| crate::fhir::element::choice_suffix(json, name).is_some();
        self.0.get(json).or_else(|| self.0.iter().find(|(name, _)| choice(name)).map(|(_, kept)| kept))
    }

    pub fn is_whole(&self) -> bool {
        self.0.is_empty()
    }

    /// What both keep; neither is the whole of something.
    #[must_use]
    pub fn shared_with(&self, other: &Kept) -> Kept {
        let both = self.0.iter().filter_map(|(name, own)| Some((name, own, other.0.get(name)?)));
        let shared = both.filter_map(|(name, own, theirs)| {
            let kept = match (own.is_whole(), theirs.is_whole()) {
                (true, _) => theirs.clone(),
                (_, true) => own.clone(),
                _ => Some(own.shared_with(theirs)).filter(|kept| !kept.is_whole())?,
            };
            Some((name.clone(), kept))
        });
        Kept(shared.collect())
    }

    /// What one of the two keeps.
    fn with(mut self, other: &Kept) -> Kept {
        for (name, theirs) in &other.0 {
            let joined = match self.0.remove(name) {
                Some(own) if own.is_whole() || theirs.is_whole() => Kept::default(),
                Some(own) => own.with(theirs),
                None => theirs.clone(),
            };
            self.0.insert(name.clone(), joined);
        }
        self
    }
}

/// `address(city) name`: what a sort of reader is called by.
impl std::fmt::Display for Kept {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (name, inner)) in self.0.iter().enumerate() {
            let between = if at == 0 { "" } else { " " };
            write!(to, "{between}{name}")?;
            if !inner.is_whole() {
                write!(to, "({inner})")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn minimum() -> Minimum {
        let document = json!({"minimum": [
            {"id": "a", "purposes": ["TREAT"], "types": {"Patient": ["name", "contact.name", "value"]}},
            {"id": "b", "purposes": ["TREAT"], "recipients": ["landlord"], "types": {"Patient": ["name.family"]}},
            {"id": "c", "purposes": ["COC"], "recipients": ["housing"], "types": {"Patient": ["address"]}},
        ]});
        Minimum::read(Element::new(&document))
    }

    #[test]
    fn the_nearest_purpose_counts_then_the_named_recipient() {
        for (recipient, purposes, expected) in [
            ("clinic", &["COC"][..], Some(&["name", "contact.name", "value"][..])),
            ("housing", &["COC"], Some(&["address"])),
            ("housing", &["TREAT"], Some(&["name", "contact.name", "value"])),
            ("landlord", &["TREAT"], Some(&["name.family"])),
            ("housing", &["COC", "TREAT"], Some(&["address", "name", "contact.name", "value"])),
            ("housing", &["COC", "HPAYMT"], None),
            ("housing", &["HPAYMT"], None),
        ] {
            let expected = expected.map(|paths| Kept::of(&paths.iter().map(ToString::to_string).collect::<Vec<_>>()));
            assert_eq!(
                minimum().of("Patient", recipient, purposes.iter().copied()),
                expected,
                "{recipient} {purposes:?}"
            );
        }
        assert_eq!(minimum().of("Goal", "clinic", ["TREAT"].into_iter()), None);
    }

    #[test]
    fn what_two_lists_share_is_kept_by_both() {
        let kept = |paths: &[&str]| Kept::of(&paths.iter().map(ToString::to_string).collect::<Vec<_>>());
        let shared =
            kept(&["name.family", "address", "link.other"]).shared_with(&kept(&["name", "address.city", "link.type"]));
        assert_eq!(shared, kept(&["name.family", "address.city"]));
        assert_eq!(shared.to_string(), "address(city) name(family)");
    }

    #[test]
    fn a_choice_stays_by_its_name() {
        let kept = Kept::of(&["value".to_string(), "contact.name".to_string(), "contact".to_string()]);
        assert!(kept.inside("valueQuantity").is_some() && kept.inside("valueless").is_none());
        assert!(kept.inside("contact").is_some_and(Kept::is_whole));
    }
}
