//! A code system as it is asked: whether it has a code, what a code is called, what lies above and below it.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::CodeSystem;

/// How one code lies to another (FHIR R4 codesystem-operation-subsumes.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Same,
    Above,
    Below,
    Apart,
}

impl CodeSystem {
    /// All its codes are here: one that is not, is none of it.
    pub fn is_complete(&self) -> bool {
        self.content.is_none()
    }

    /// It adds to another system's codes and has none.
    pub fn is_supplement(&self) -> bool {
        self.content.as_deref() == Some("supplement")
    }

    /// The code as the system spells it, with its display.
    pub fn find(&self, code: &str) -> Option<(&str, &str)> {
        let exact = self.codes.get_key_value(code);
        let found = exact.or_else(|| {
            let folded = || self.codes.iter().find(|(known, _)| known.eq_ignore_ascii_case(code));
            self.folds_case.then(folded)?
        });
        found.map(|(code, display)| (code.as_str(), display.as_str()))
    }

    pub fn has(&self, code: &str) -> bool {
        self.codes.contains_key(code) || self.folds_case && self.find(code).is_some()
    }

    pub fn parents(&self, code: &str) -> &[String] {
        self.parents.get(code).map_or(&[], Vec::as_slice)
    }

    pub fn children(&self, code: &str) -> impl Iterator<Item = &str> {
        let below = self.parents.iter().filter(move |(_, parents)| parents.iter().any(|parent| parent == code));
        below.map(|(child, _)| child.as_str())
    }

    /// The code and all above it, from near to far; a bad hierarchy that goes round in circles ends.
    pub fn ancestors<'s>(&'s self, code: &'s str) -> Vec<&'s str> {
        let mut found = vec![code];
        let mut at = 0;
        while let Some(code) = found.get(at).copied() {
            for parent in self.parents(code) {
                if !found.contains(&parent.as_str()) {
                    found.push(parent);
                }
            }
            at += 1;
        }
        found
    }

    /// The code and all below it, sorted.
    pub fn descendants<'s>(&'s self, code: &'s str) -> BTreeSet<&'s str> {
        let mut below: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (child, parents) in &self.parents {
            parents.iter().for_each(|parent| below.entry(parent).or_default().push(child));
        }
        let (mut found, mut more) = (BTreeSet::new(), vec![code]);
        while let Some(code) = more.pop() {
            if found.insert(code) {
                more.extend(below.get(code).into_iter().flatten());
            }
        }
        found
    }

    pub fn order(&self, left: &str, right: &str) -> Order {
        if left == right {
            Order::Same
        } else if self.ancestors(right).contains(&left) {
            Order::Above
        } else if self.ancestors(left).contains(&right) {
            Order::Below
        } else {
            Order::Apart
        }
    }

    pub fn property(&self, name: &str, code: &str) -> Option<&str> {
        self.properties.get(name)?.get(code).map(String::as_str)
    }

    /// There to group others, not to be said of anybody.
    pub fn is_abstract(&self, code: &str) -> bool {
        self.property("notSelectable", code) == Some("true")
    }

    /// No longer to be used.
    pub fn is_inactive(&self, code: &str) -> bool {
        self.property("inactive", code) == Some("true") || self.property("status", code) == Some("retired")
    }

    /// What a code may be called: its display, then its designations in any language.
    pub fn names(&self, code: &str) -> impl Iterator<Item = &str> {
        let display = self.codes.get(code).map(String::as_str).filter(|display| !display.is_empty());
        let designations = self.designations.get(code).into_iter().flatten();
        display.into_iter().chain(designations.map(|(_, text)| text.as_str()))
    }
}
