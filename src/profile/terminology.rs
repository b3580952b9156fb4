//! The codes of a value set, for looking up.
//!
//! A set lists what we could expand. Where a part of it could not be listed (SNOMED CT by hierarchy, a value set
//! that nobody gave us), the system is `open`: its codes are neither accepted nor refused, and the caller is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Profiles;
use super::facts::{CodeSystem, ValueSet};
use super::grammar;

/// Codes that are compared with a wrong one.
const COMPARED_MAX: usize = 400;

#[derive(Debug)]
pub struct Set {
    pub name: Option<String>,
    pub version: Option<String>,
    /// By system, each code with the display that the set gives it, or an empty one.
    codes: BTreeMap<String, BTreeMap<String, String>>,
    /// Systems all of whose codes are in it, with the codes where they are at hand.
    whole: Vec<(String, Option<Arc<CodeSystem>>)>,
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
    pub fn new(facts: ValueSet, profiles: &Profiles) -> Set {
        let whole = facts.whole.into_iter().map(|url| {
            let held = profiles.code_system(&url).filter(|held| !held.is_supplement()).cloned();
            (url, held)
        });
        Set { name: facts.name, version: facts.version, codes: facts.codes, whole: whole.collect(), open: facts.open }
    }

    pub fn judge(&self, system: &str, code: &str) -> Membership {
        if self.codes.get(system).is_some_and(|codes| codes.contains_key(code)) {
            return Membership::Member;
        }
        if let Some((_, held)) = self.whole.iter().find(|(whole, _)| whole == system) {
            return of_whole(system, held.as_deref(), code);
        }
        if self.open.contains(system) || self.open.contains("*") {
            return if grammar::judge(system, code) == Some(false) {
                Membership::Stranger
            } else {
                Membership::Unknown
            };
        }
        Membership::Stranger
    }

    /// For a `code`, whose system is implied by the set.
    pub fn judge_code(&self, code: &str) -> Membership {
        if self.codes.values().any(|codes| codes.contains_key(code)) {
            return Membership::Member;
        }
        let whole = self.whole.iter().map(|(system, held)| of_whole(system, held.as_deref(), code));
        let open = self.open.iter().map(|system| self.judge(system, code));
        let mut best = Membership::Stranger;
        for found in whole.chain(open) {
            match found {
                Membership::Member => return Membership::Member,
                Membership::Unknown => best = Membership::Unknown,
                Membership::Stranger => {}
            }
        }
        best
    }

    /// The set is of one system whose codes are a grammar, and this is none of its words.
    pub fn is_malformed(&self, code: &str) -> bool {
        let mut systems = self.codes.keys().map(String::as_str).chain(self.whole.iter().map(|(url, _)| url.as_str()));
        systems.next().is_some_and(|system| grammar::judge(system, code) == Some(false)) && systems.next().is_none()
    }

    /// Of every code it can be told whether it is in the set.
    #[cfg(test)]
    pub fn is_closed(&self) -> bool {
        self.open.is_empty() && self.whole.iter().all(|(_, held)| held.as_ref().is_some_and(|held| held.is_complete()))
    }

    /// Systems of which not all codes are listed; with `*`, any.
    pub fn open(&self) -> impl Iterator<Item = &str> {
        let whole = self.whole.iter().filter(|(_, held)| held.as_ref().is_none_or(|held| !held.is_complete()));
        self.open.iter().map(String::as_str).chain(whole.map(|(url, _)| url.as_str()))
    }

    /// The systems that codes of the set come from, as far as they are known.
    pub fn systems(&self) -> impl Iterator<Item = &str> {
        let whole = self.whole.iter().map(|(url, _)| url.as_str());
        self.codes.keys().map(String::as_str).chain(whole).chain(self.open.iter().map(String::as_str))
    }

    /// Every code that is listed, with its system and the display that the set itself gives it, or an empty one.
    pub fn each(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let listed = self.codes.iter().flat_map(|(system, codes)| {
            codes.iter().map(move |(code, display)| (system.as_str(), code.as_str(), display.as_str()))
        });
        let whole = self.whole.iter().flat_map(|(system, held)| {
            let codes = held.iter().flat_map(|held| &held.codes);
            codes.map(move |(code, display)| (system.as_str(), code.as_str(), display.as_str()))
        });
        listed.chain(whole)
    }

    /// The display that the set gives a code.
    pub fn display(&self, system: &str, code: &str) -> Option<&str> {
        self.codes.get(system)?.get(code).map(String::as_str).filter(|display| !display.is_empty())
    }

    /// Up to three codes that look most like the one found, or are called like it; of a large set, among those with
    /// its first letter.
    pub fn nearest(&self, code: &str) -> Vec<&str> {
        let code: String = code.chars().take(40).collect::<String>().to_lowercase();
        let is_large = self.each().nth(COMPARED_MAX).is_some();
        let begins_alike = |text: &str| text.to_lowercase().chars().next() == code.chars().next();
        let every = self.each().filter(|(_, known, display)| !is_large || begins_alike(known) || begins_alike(display));
        let mut ranked: Vec<(usize, &str)> = every
            .take(COMPARED_MAX)
            .map(|(_, known, display)| {
                let by_display = if display.is_empty() { usize::MAX } else { distance(&code, display) };
                (distance(&code, known).min(by_display), known)
            })
            .collect();
        ranked.sort_by_key(|(distance, _)| *distance);
        ranked.dedup_by_key(|(_, known)| *known);
        ranked.truncate(3);
        ranked.into_iter().map(|(_, known)| known).collect()
    }
}

fn of_whole(system: &str, held: Option<&CodeSystem>, code: &str) -> Membership {
    match (held.map(|held| held.has(code)), held.is_some_and(CodeSystem::is_complete)) {
        (Some(true), _) => Membership::Member,
        (Some(false), true) => Membership::Stranger,
        _ => match grammar::judge(system, code) {
            Some(true) => Membership::Member,
            Some(false) => Membership::Stranger,
            None => Membership::Unknown,
        },
    }
}

/// Up to three codes of a system that look like the one found or are called like it.
pub fn nearest_of<'s>(system: &'s CodeSystem, code: &str) -> Vec<&'s str> {
    let code: String = code.chars().take(40).collect::<String>().to_lowercase();
    let mut ranked: Vec<(usize, &str)> = system
        .codes
        .iter()
        .take(COMPARED_MAX)
        .map(|(known, display)| (distance(&code, known).min(distance(&code, display)), known.as_str()))
        .collect();
    ranked.sort_by_key(|(distance, _)| *distance);
    ranked.truncate(3);
    ranked.into_iter().map(|(_, known)| known).collect()
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
