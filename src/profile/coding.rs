//! A coding by itself: whether its system is one, has its code, and calls it so.
//!
//! This holds wherever a coding stands, whatever its element is bound to. Only what is certain refuses: a code that
//! a complete system does not have, a system that cannot be one. A system that is not held here is named, once in a
//! resource. A display in other words than ours is a warning: it misleads people, not programs.

use serde_json::{Map, Value};

use crate::fhir::Issue;

use super::facts::CodeSystem;
use super::found::{listed, shown};
use super::grammar;
use super::terminology::nearest_of;
use super::walk::Walk;

/// Systems as they are often written, and how they are.
const MISSPELLED: [(&str, &str); 14] = [
    ("http://www.snomed.info/sct", grammar::SNOMED),
    ("https://snomed.info/sct", grammar::SNOMED),
    ("http://snomed.info/sct/", grammar::SNOMED),
    ("http://snomed.info", grammar::SNOMED),
    ("http://snomed.info/id", grammar::SNOMED),
    ("urn:oid:2.16.840.1.113883.6.96", grammar::SNOMED),
    ("https://loinc.org", grammar::LOINC),
    ("http://www.loinc.org", grammar::LOINC),
    ("http://loinc.org/", grammar::LOINC),
    ("urn:oid:2.16.840.1.113883.6.1", grammar::LOINC),
    ("https://unitsofmeasure.org", grammar::UNITS),
    ("http://www.unitsofmeasure.org", grammar::UNITS),
    ("urn:oid:2.16.840.1.113883.6.8", grammar::UNITS),
    ("http://www.nlm.nih.gov/research/umls/rxnorm/", "http://www.nlm.nih.gov/research/umls/rxnorm"),
];

impl<'a> Walk<'a> {
    pub fn coding(&mut self, coding: &'a Map<String, Value>) {
        let stated = |name: &str| coding.get(name).and_then(Value::as_str);
        let code = stated("code");
        let Some(system) = stated("system") else {
            if code.is_some() {
                let text = "a code without a `system` has no meaning of its own and was not checked";
                self.beside("system", Issue::warning("code-invalid", "coding-system", text));
            }
            return;
        };
        let profiles = self.profiles;
        match profiles.code_system(system) {
            Some(held) if held.is_supplement() => {
                let text = format!("`{}` adds to another code system and has no codes of its own", shown(system));
                self.beside("system", Issue::error("not-found", "coding-system", text));
            }
            Some(held) => {
                let Some(code) = code else { return };
                if held.has(code) {
                    if let Some(display) = stated("display") {
                        self.display(held, code, display);
                    }
                } else {
                    self.unknown_code(held, code, stated("version"));
                }
            }
            None => self.unheld(system, code),
        }
    }

    /// A unit is a code of UCUM, or of whatever its system is; only UCUM is looked at.
    pub fn unit(&mut self, quantity: &'a Map<String, Value>) {
        let stated = |name: &str| quantity.get(name).and_then(Value::as_str);
        if let (Some(grammar::UNITS), Some(code)) = (stated("system"), stated("code"))
            && grammar::unit(code) == Some(false)
        {
            self.malformed(grammar::UNITS, code);
        }
    }

    fn unknown_code(&mut self, held: &CodeSystem, code: &str, version: Option<&str>) {
        let near = listed(nearest_of(held, code));
        let text = format!("`{}` is no code of `{}`; near are {near}", shown(code), held.url);
        let ours = held.version.as_deref();
        let issue = if !held.is_complete() {
            Issue::warning("code-invalid", "code-unknown", format!("{text}; not all of its codes are held here"))
        } else if version.is_some() && version != ours {
            let text = format!("{text}; held here is version `{}`", ours.unwrap_or("without a number"));
            Issue::warning("code-invalid", "code-unknown", text)
        } else {
            Issue::error("code-invalid", "code-unknown", text)
        };
        self.beside("code", issue);
    }

    fn display(&mut self, held: &CodeSystem, code: &str, display: &str) {
        let own = held.codes.get(code).map_or("", String::as_str);
        // Displays in the language of the resource are not ours to judge, unless we hold them.
        let is_foreign = || self.language.is_some_and(|language| !language.starts_with("en"));
        if own == display || own.is_empty() || held.names(code).any(|name| is_alike(name, display)) || is_foreign() {
            return;
        }
        let names = listed(held.names(code).take(3));
        let text = format!("`display` is not what `{}` calls `{}`: expected {names}", held.url, shown(code));
        self.beside("display", Issue::warning("invalid", "display", text));
    }

    fn unheld(&mut self, system: &'a str, code: Option<&str>) {
        if let Some((_, right)) = MISSPELLED.iter().find(|(wrong, _)| *wrong == system) {
            let text = format!("`{}` is no code system: expected `{right}`", shown(system));
            return self.beside("system", Issue::warning("not-found", "system-spelling", text));
        }
        if self.profiles.sets.contains_key(system) || system.contains("/ValueSet/") {
            let text = format!("`{}` is a value set: expected the code system of the code", shown(system));
            return self.beside("system", Issue::error("invalid", "coding-system", text));
        }
        if !system.contains(':') {
            let text =
                format!("`{}` is no absolute URI: expected one, such as `urn:oid:…` or `http://…`", shown(system));
            return self.beside("system", Issue::error("invalid", "coding-system", text));
        }
        match code.and_then(|code| grammar::judge(system, code)) {
            Some(true) => return,
            Some(false) => return self.malformed(system, code.unwrap_or("")),
            None => {}
        }
        if let Some(code) = code.filter(|code| grammar::is_miswritten(system, code)) {
            let text = format!("`{}` is no code of `{system}`: its check digit is wrong", shown(code));
            self.beside("code", Issue::warning("code-invalid", "check-digit", text));
        }
        if system != grammar::UNITS && !self.unheld.contains(&system) {
            self.unheld.push(system);
            let text = format!("code system `{}` is not held here: its codes were not checked", shown(system));
            self.beside("system", Issue::warning("not-found", "system-unheld", text));
        }
    }

    fn malformed(&mut self, system: &str, code: &str) {
        let text = format!("`{}` is not how a code of `{system}` is written", shown(code));
        self.beside("code", Issue::error("code-invalid", "code-malformed", text));
    }

    /// Of a child of the element where the walk stands.
    fn beside(&mut self, child: &str, issue: Issue) {
        self.findings.add_missing(&self.place, child, issue);
    }
}

/// Letters' case and white space aside.
pub fn is_alike(left: &str, right: &str) -> bool {
    let mut left = left.split_whitespace();
    let mut right = right.split_whitespace();
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one == other || one.to_lowercase() == other.to_lowercase() => {}
            _ => return false,
        }
    }
}
