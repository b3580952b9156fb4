//! The codes of a value set, for looking up.
//!
//! A set lists what we could expand. Where a part of it could not be listed (SNOMED CT by hierarchy, a value set
//! that nobody gave us), the system is `open`: its codes are neither accepted nor refused, and the caller is told.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::ValueSet;

/// Codes that are compared with a wrong one.
const COMPARED_MAX: usize = 400;

#[derive(Debug)]
pub struct Set {
    codes: BTreeMap<String, BTreeSet<String>>,
    open: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    Member,
    Stranger,
    /// Nobody here can tell.
    Unknown,
}

impl Set {
    pub fn new(facts: ValueSet) -> Set {
        let codes = facts.codes.into_iter().map(|(system, codes)| (system, codes.into_iter().collect())).collect();
        Set { codes, open: facts.open.into_iter().collect() }
    }

    pub fn judge(&self, system: &str, code: &str) -> Membership {
        if self.codes.get(system).is_some_and(|codes| codes.contains(code)) {
            Membership::Member
        } else if self.open.contains(system) || self.open.contains("*") {
            Membership::Unknown
        } else {
            Membership::Stranger
        }
    }

    /// For a `code`, whose system is implied by the set.
    pub fn judge_code(&self, code: &str) -> Membership {
        if self.codes.values().any(|codes| codes.contains(code)) {
            Membership::Member
        } else if self.is_closed() {
            Membership::Stranger
        } else {
            Membership::Unknown
        }
    }

    pub fn is_closed(&self) -> bool {
        self.open.is_empty()
    }

    /// Systems whose codes are not listed; with `*`, any.
    pub fn open(&self) -> &BTreeSet<String> {
        &self.open
    }

    pub fn systems(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.codes.iter().map(|(system, codes)| (system.as_str(), codes))
    }

    /// Up to three codes that look most like the one found; of a large set, among those with its first letter.
    pub fn nearest(&self, code: &str) -> Vec<&str> {
        let code: String = code.chars().take(40).collect::<String>().to_lowercase();
        let is_large = self.codes.values().map(BTreeSet::len).sum::<usize>() > COMPARED_MAX;
        let begins_alike = |known: &&String| known.to_lowercase().chars().next() == code.chars().next();
        let every = self.codes.values().flatten().filter(|known| !is_large || begins_alike(known)).take(COMPARED_MAX);
        let mut ranked: Vec<(usize, &str)> = every.map(|known| (distance(&code, known), known.as_str())).collect();
        ranked.sort_by_key(|(distance, _)| *distance);
        ranked.truncate(3);
        ranked.into_iter().map(|(_, known)| known).collect()
    }
}

/// Edits from a short word in lower case to another, letters' case aside.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().take(60).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let cost = if a == b { diagonal } else { 1 + diagonal.min(row[j]).min(row[j + 1]) };
            diagonal = row[j + 1];
            row[j + 1] = cost;
        }
    }
    row[right.len()]
}
