//! A Consent in plain words, for the person who signs it.
//!
//! Written from the same rules that are enforced (`Directive`), so that what is read aloud is what is done: selectors
//! that a nested rule takes over are said where they hold (R4), what is not understood is said as what becomes of it
//! (R13), dates are told in the zone in which they are read (R5). The words are data, a table a language; sentences
//! are short, since readers may be twelve, and a test measures them.

mod html;
mod locale;
mod rule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::directive::{Answer, Directive};
use super::footing::Footing;
use super::regime::POLICY;
use super::rule::{Effect, Rule};
use crate::fhir::{Element, Resource, Zone};

pub use locale::Language;
use locale::Locale;

/// What is read to a person: headings with sentences under them.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub language: Language,
    pub title: String,
    pub blocks: Vec<Block>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub heading: String,
    pub lines: Vec<Line>,
}

/// A sentence, perhaps with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub text: String,
    pub below: Vec<Line>,
}

/// What references are called, as far as the reader may know: `Organization/x` to a name.
pub type Names = BTreeMap<String, String>;

/// Everything that the words of one Consent are made from.
struct Reader<'a> {
    locale: &'a Locale,
    names: &'a Names,
    consent: &'a Resource,
    directive: &'a Directive,
    zone: Zone,
    /// What a coding's code is called in the Consent itself.
    displays: BTreeMap<(String, String), String>,
}

/// Reads a Consent aloud. `zone` is that of bare dates where the Consent states none.
pub fn reading(consent: &Resource, standing: Footing, names: &Names, language: Language, zone: &Zone) -> Reading {
    let directive = Directive::read(consent);
    let reader = Reader {
        locale: language.locale(),
        names,
        consent,
        zone: directive.zone(zone),
        directive: &directive,
        displays: displays(consent.root()),
    };
    let mut blocks = vec![reader.about(standing)];
    blocks.extend(reader.choices());
    blocks.extend(reader.unclear());
    blocks.push(reader.law());
    if !is_over(standing) {
        blocks.push(reader.back());
    }
    Reading { language, title: reader.say("title", &[]), blocks }
}

/// Whether there is nothing left to take back.
fn is_over(standing: Footing) -> bool {
    matches!(standing, Footing::Ended | Footing::TakenBack | Footing::Rejected | Footing::Mistake | Footing::Other)
}

impl Line {
    fn of(text: String) -> Line {
        Line { text, below: Vec::new() }
    }
}

impl Reading {
    /// Every sentence in the order of reading.
    pub fn sentences(&self) -> Vec<&str> {
        fn add<'l>(lines: &'l [Line], found: &mut Vec<&'l str>) {
            for line in lines {
                found.push(&line.text);
                add(&line.below, found);
            }
        }
        let mut found = vec![self.title.as_str()];
        for block in &self.blocks {
            found.push(&block.heading);
            add(&block.lines, &mut found);
        }
        found
    }

    /// As text, two blanks a level.
    pub fn text(&self) -> String {
        fn add(lines: &[Line], level: usize, text: &mut String) {
            for line in lines {
                text.push_str(&"  ".repeat(level));
                text.push_str(&line.text);
                text.push('\n');
                add(&line.below, level + 1, text);
            }
        }
        let mut text = format!("{}\n", self.title);
        for block in &self.blocks {
            text.push_str(&format!("\n{}\n", block.heading));
            add(&block.lines, 1, &mut text);
        }
        text
    }
}

impl Reader<'_> {
    fn say(&self, key: &str, places: &[(&str, &str)]) -> String {
        self.locale.say(key, places)
    }

    fn line(&self, key: &str, places: &[(&str, &str)]) -> Line {
        Line::of(self.say(key, places))
    }

    /// Whose it is, whether it counts, from when until when, who signed.
    fn about(&self, standing: Footing) -> Block {
        let root = self.consent.root();
        let mut lines = vec![match self.reference(root.get("patient")) {
            Some(name) => self.line("of", &[("name", &name)]),
            None => self.line("of-you", &[]),
        }];
        lines.push(Line::of(self.locale.standing(standing.code())));
        if standing == Footing::Other {
            return Block { heading: self.say("about", &[]), lines };
        }
        let period = root.get("provision").get("period");
        if let Some(start) = period.text("start") {
            lines.push(self.line("starts", &[("start", &self.date(start))]));
        }
        lines.extend(match period.text("end") {
            Some(end) if end.contains('T') => Some(self.line("ends", &[("end", &self.date(end))])),
            Some(end) => Some(self.line("last-day", &[("end", &self.date(end))])),
            None => (!is_over(standing)).then(|| self.line("no-end", &[])),
        });
        if let Some(date) = root.text("dateTime").filter(|_| standing != Footing::Draft) {
            // The hour of signing is of no use to who signed.
            let day = date.split('T').next().unwrap_or(date);
            lines.push(self.line("written", &[("date", &self.date(day))]));
        }
        let patient = self.directive.patient();
        let is_self = |signer: &Element| {
            let key = signer.text("reference").map(|text| crate::fhir::Reference::parse(text).key());
            key.is_some() && key.as_deref() == patient
        };
        let (own, others): (Vec<Element>, Vec<Element>) = root.each("performer").partition(is_self);
        if !own.is_empty() && standing != Footing::Draft {
            lines.push(self.line("signed-self", &[]));
        }
        let others: Vec<String> = others.into_iter().filter_map(|signer| self.reference(signer)).collect();
        if !others.is_empty() && standing != Footing::Draft {
            lines.push(self.line("signed-other", &[("names", &self.locale.list(&others))]));
        }
        let keepers = self.keepers();
        if !keepers.is_empty() {
            let key = if keepers.len() == 1 { "kept" } else { "kept-many" };
            lines.push(self.line(key, &[("names", &self.locale.list(&keepers))]));
        }
        Block { heading: self.say("about", &[]), lines }
    }

    fn keepers(&self) -> Vec<String> {
        self.consent.root().each("organization").filter_map(|keeper| self.reference(keeper)).collect()
    }

    /// What is not understood, and what becomes of it (R13).
    fn unclear(&self) -> Option<Block> {
        let mut lines: Vec<Line> = Vec::new();
        for pointer in self.directive.unenforced() {
            if *pointer == "/provision/type" || *pointer == "/policyRule" {
                // That there is no clear yes or no is said where the yes or the no would be.
                continue;
            }
            let word = self.word_at(pointer);
            let key = match self.effect_at(pointer) {
                _ if !pointer.starts_with("/provision") || pointer == "/provision/period" => "unclear-whole",
                Effect::Permit => "unclear-permit",
                Effect::Deny => "unclear-deny",
            };
            let line = self.line(key, &[("word", &word)]);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        if lines.is_empty() {
            return None;
        }
        lines.push(self.line("unclear-help", &[]));
        Some(Block { heading: self.say("unclear", &[]), lines })
    }

    /// The words of what a pointer points at: its display, its text, its code, or the element's name.
    fn word_at(&self, pointer: &str) -> String {
        let found = self.consent.value().pointer(pointer).map(Element::new).unwrap_or(Element::none());
        let coded = |name: &str| found.each("coding").find_map(|coding| coding.text(name)).map(str::to_string);
        let own = |name: &str| found.text(name).map(str::to_string);
        let said = own("display").or_else(|| own("text")).or_else(|| coded("display"));
        let said =
            said.or_else(|| own("code")).or_else(|| coded("code")).or_else(|| found.as_str().map(str::to_string));
        let said = said.or_else(|| self.reference(found.get("reference")));
        let last = || pointer.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap_or(pointer).to_string();
        said.unwrap_or_else(last)
    }

    /// What the rule does in which a pointer lies.
    fn effect_at(&self, pointer: &str) -> Effect {
        let mut rule: &Rule = &self.directive.root;
        let mut effect = self.root_effect();
        let mut parts = pointer.split('/').skip(2);
        while let (Some("provision"), Some(place)) = (parts.next(), parts.next()) {
            match place.parse::<usize>().ok().and_then(|place| rule.children.get(place)) {
                Some(child) => (rule, effect) = (child, child.effect),
                None => break,
            }
        }
        effect
    }

    fn root_effect(&self) -> Effect {
        if self.directive.answer == Answer::Permit { Effect::Permit } else { Effect::Deny }
    }

    /// What holds whatever is signed, and what the policies that it names add.
    fn law(&self) -> Block {
        let named = self.directive.policies.iter().filter_map(|uri| uri.strip_prefix(POLICY));
        let added: Vec<Line> = named.flat_map(|policy| self.locale.law(policy)).cloned().map(Line::of).collect();
        let always = ["law-own", "law-no", "law-emergency", "law-onward", "law-log"];
        let lines = added.into_iter().chain(always.map(|key| self.line(key, &[]))).collect();
        Block { heading: self.say("law", &[]), lines }
    }

    fn back(&self) -> Block {
        let keepers = self.keepers();
        let who = match keepers.as_slice() {
            [] => self.line("back-who-any", &[]),
            keepers => self.line("back-who", &[("names", &self.locale.list(keepers))]),
        };
        let is_no = matches!(self.directive.answer, Answer::Deny | Answer::EmergencyOnly);
        let then = if is_no { "back-deny" } else { "back-then" };
        let lines = vec![self.line("back-any", &[]), who, self.line(then, &[]), self.line("back-past", &[])];
        Block { heading: self.say("back", &[]), lines }
    }

    fn date(&self, text: &str) -> String {
        self.locale.date(text, &self.zone)
    }

    /// What a Reference is called: by who may know it, by itself, by its identifier.
    fn reference(&self, reference: Element) -> Option<String> {
        let key = reference.text("reference").map(|text| crate::fhir::Reference::parse(text).key());
        let named = key.as_ref().and_then(|key| self.names.get(key)).cloned();
        let contained = || self.contained(key.as_deref()?.strip_prefix('#')?);
        let shown = || reference.text("display").map(str::to_string);
        let identified = || reference.get("identifier").text("value").map(str::to_string);
        named.or_else(shown).or_else(contained).or_else(identified)
    }

    /// What a contained resource is called.
    fn contained(&self, id: &str) -> Option<String> {
        let inner = self.directive.contained.iter().find(|inner| inner.id() == Some(id))?;
        name_of(inner)
    }
}

/// What a resource is called: a name of one piece, or of a person.
pub fn name_of(resource: &Resource) -> Option<String> {
    let root = resource.root();
    if let Some(name) = root.text("name") {
        return Some(name.to_string());
    }
    let names: Vec<Element> = root.each("name").collect();
    let name = names.iter().find(|name| name.text("use") == Some("official")).or(names.first())?;
    if let Some(text) = name.text("text") {
        return Some(text.to_string());
    }
    let parts: Vec<&str> = name.each("given").filter_map(Element::as_str).chain(name.text("family")).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The displays and texts that a Consent gives to its own codes.
fn displays(root: Element) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    root.walk(&mut |element| {
        let text = element.text("text");
        for coding in element.each("coding") {
            if let Some(said) = coding.text("display").or(text) {
                let own = coding.coding();
                found.entry((own.system.to_string(), own.code.to_string())).or_insert_with(|| said.to_string());
            }
        }
        if let (Some(display), Some(code)) = (element.text("display"), element.text("code")) {
            let system = element.text("system").unwrap_or("");
            found.entry((system.to_string(), code.to_string())).or_insert_with(|| display.to_string());
        }
    });
    found
}
