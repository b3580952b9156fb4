//! Where the references of the entries lead, within the Bundle (R4 bundle.html#references), and which entries of a
//! document or message nothing leads to.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::fhir::{Issue, Reference};
use crate::profile::found::shown;

use super::address::is_absolute;
use super::{Entries, Entry, members, text};

/// What a Composition may only point at inside its document (R4 documents.html#content).
const OF_COMPOSITION: [&str; 7] = ["subject", "author", "encounter", "custodian", "attester", "event", "section"];
/// Deeper than any reader of ours lets in; a guard for values built elsewhere.
const DEPTH_MAX: usize = 128;

pub fn problems(entries: &Entries) -> Vec<Issue> {
    let mut walk = Walk {
        entries,
        at: 0,
        steps: Vec::new(),
        leads_to: entries.list.iter().map(|_| Vec::new()).collect(),
        said: HashSet::new(),
        issues: Vec::new(),
    };
    for (at, entry) in entries.list.iter().enumerate() {
        (walk.at, walk.said) = (at, HashSet::new());
        if let Some(resource) = entry.resource.and_then(Value::as_object) {
            walk.object(resource);
        }
    }
    let (mut issues, leads_to) = (walk.issues, walk.leads_to);
    if is_closed(entries) && !entries.list.is_empty() {
        issues.extend(apart(entries, &leads_to));
    }
    issues
}

/// Whether a Bundle has to be understood by itself.
fn is_closed(entries: &Entries) -> bool {
    matches!(entries.kind, "document" | "message")
}

struct Walk<'b> {
    entries: &'b Entries<'b>,
    /// The entry that is walked.
    at: usize,
    steps: Vec<(&'b str, Option<usize>)>,
    leads_to: Vec<Vec<usize>>,
    /// What was said to be missing of this entry already.
    said: HashSet<&'b str>,
    issues: Vec<Issue>,
}

/// Where a reference leads.
enum Lead {
    To(usize),
    /// Several entries have that name.
    Several,
    /// None has, and this many have the type and the id.
    Nowhere(usize),
}

impl<'b> Walk<'b> {
    fn object(&mut self, object: &'b Map<String, Value>) {
        // A Bundle inside is its own matter.
        let is_bundle = object.get("resourceType").and_then(Value::as_str) == Some("Bundle");
        if self.steps.len() > DEPTH_MAX || is_bundle {
            return;
        }
        for (name, value) in object {
            self.steps.push((name, None));
            match value {
                Value::Object(inner) => self.object(inner),
                Value::Array(list) => {
                    for (item, value) in list.iter().enumerate() {
                        if let Some(step) = self.steps.last_mut() {
                            step.1 = Some(item);
                        }
                        match value {
                            Value::Object(inner) => self.object(inner),
                            Value::String(text) => self.link(text),
                            _ => {}
                        }
                    }
                }
                Value::String(text) if name == "reference" => self.reference(text),
                Value::String(text) => self.link(text),
                _ => {}
            }
            self.steps.pop();
        }
    }

    /// Any other address may name an entry as well: an attachment's URL, a link of a narrative.
    fn link(&mut self, text: &str) {
        if let Lead::To(target) = lead(self.entries, self.entries.list[self.at], text) {
            self.leads_to[self.at].push(target);
        }
    }

    fn reference(&mut self, text: &'b str) {
        if text.starts_with('#') {
            return;
        }
        match lead(self.entries, self.entries.list[self.at], text) {
            Lead::To(target) => {
                self.leads_to[self.at].push(target);
                self.fits(text, target);
            }
            Lead::Several => {
                let text = "several entries have the `fullUrl` that this leads to: expected one";
                self.say(Issue::error("value", "reference-several", text));
            }
            Lead::Nowhere(alike) => self.missing(text, alike),
        }
    }

    fn fits(&mut self, text: &str, target: usize) {
        let found = self.entries.list[target].kind;
        if let Reference::Relative { kind, .. } | Reference::Absolute { kind, .. } = Reference::parse(text)
            && !found.is_empty()
            && kind != found
        {
            let text = format!("expected `{}`, found an entry with `{}`", shown(kind), shown(found));
            self.say(Issue::error("value", "reference-target", text));
        }
    }

    fn missing(&mut self, text: &'b str, alike: usize) {
        // HL7's validator reads `Type/id` beside a `urn:uuid:` as the URN of that id, and so its type must fit.
        let from = self.entries.list[self.at].full_url.unwrap_or("");
        if let (Reference::Relative { id, .. }, true) = (Reference::parse(text), from.starts_with("urn:uuid:"))
            && let [target] = self.entries.called(&format!("urn:uuid:{id}"))
        {
            self.fits(text, *target);
        }
        let hint = match alike {
            0 => String::new(),
            _ => "; one with its type and id has another `fullUrl`, which is what counts".to_string(),
        };
        let sentence = format!("nothing in this Bundle has the `fullUrl` that this leads to{hint}");
        let issue = if is_closed(self.entries) && self.must_be_here() {
            Issue::error("not-found", "reference-outside", sentence)
        } else if text.starts_with("urn:") {
            Issue::warning("not-found", "reference-outside", sentence)
        } else if is_closed(self.entries) && alike > 0 {
            Issue::error("not-found", "reference-outside", sentence)
        } else if is_closed(self.entries) {
            Issue::information("reference-outside", sentence)
        } else if alike > 1 && self.entries.list[self.at].full_url.is_some() {
            Issue::warning("not-found", "reference-outside", sentence)
        } else {
            return;
        };
        if self.said.insert(text) {
            self.say(issue);
        }
    }

    /// A document's Composition and a message's header may not point out of their Bundle.
    fn must_be_here(&self) -> bool {
        let first = self.steps.first().map_or("", |(name, _)| name);
        let named = match (self.at, self.entries.kind, self.entries.list[0].kind) {
            (0, "document", "Composition") => OF_COMPOSITION.contains(&first),
            (0, "message", "MessageHeader") => first == "focus",
            _ => false,
        };
        named && !self.steps.iter().any(|(name, _)| matches!(*name, "extension" | "modifierExtension"))
    }

    fn say(&mut self, issue: Issue) {
        let mut place = format!("Bundle.entry[{}].resource", self.at);
        // The Reference, not its member.
        for (name, item) in self.steps.iter().take(self.steps.len().saturating_sub(1)) {
            place.push('.');
            place.push_str(name);
            if let Some(item) = item {
                place.push_str(&format!("[{item}]"));
            }
        }
        self.issues.push(issue.at(place));
    }
}

/// R4 bundle.html#references: an absolute one is a `fullUrl`; a relative one is read from the base of its own entry's.
fn lead(entries: &Entries, from: Entry, text: &str) -> Lead {
    let (name, version) = text.split_once("/_history/").map_or((text, None), |(name, version)| (name, Some(version)));
    let found = if is_absolute(name) {
        entries.called(name)
    } else {
        match from.full_url.map(Reference::parse) {
            Some(Reference::Absolute { base, .. }) => entries.called(&format!("{base}/{name}")),
            Some(Reference::Relative { .. }) => entries.called(name),
            _ => &[],
        }
    };
    let of_version = |at: &&usize| version.is_none_or(|version| entries.list[**at].version == version);
    let mut fitting = found.iter().filter(of_version);
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Lead::To(*one),
        (Some(_), Some(_)) => Lead::Several,
        (None, _) => Lead::Nowhere(match Reference::parse(name) {
            Reference::Relative { kind, id, .. } | Reference::Absolute { kind, id, .. } => {
                entries.of_key(kind, id).len()
            }
            _ => 0,
        }),
    }
}

/// Entries to which nothing leads from the first: those that lead there themselves, and those that do not even that.
fn apart(entries: &Entries, leads_to: &[Vec<usize>]) -> Vec<Issue> {
    let is_message = entries.kind == "message";
    let mut led_from: Vec<Vec<usize>> = entries.list.iter().map(|_| Vec::new()).collect();
    for (from, targets) in leads_to.iter().enumerate() {
        targets.iter().for_each(|to| led_from[*to].push(from));
    }
    let mut reached = vec![false; entries.list.len()];
    let mut order = Vec::new();
    reach(leads_to, 0, &mut reached, &mut order);
    for link in members(entries.bundle, "link").iter().filter(|link| text(link, "relation") == Some("stylesheet")) {
        let named = text(link, "url").and_then(|url| url.split_once('/'));
        named.into_iter().flat_map(|(kind, id)| entries.of_key(kind, id)).for_each(|at| {
            reach(leads_to, *at, &mut reached, &mut order);
        });
    }
    let mut issues = Vec::new();
    let place = |at: usize| format!("Bundle.entry[{at}]");
    let mut next = 0;
    while let Some(at) = order.get(next).copied() {
        next += 1;
        for from in &led_from[at] {
            if reached[*from] {
                continue;
            }
            reach(leads_to, *from, &mut reached, &mut order);
            let text = "nothing leads here from the first entry, though this leads back to it";
            match (entries.list[*from].kind, is_message) {
                // "Provenance" is what may come along like this (R4 documents.html#content).
                ("Provenance", _) => {}
                (_, true) => issues.push(Issue::information("entry-apart", text).at(place(*from))),
                (_, false) => issues.push(Issue::warning("value", "entry-apart", text).at(place(*from))),
            }
        }
    }
    for (at, entry) in entries.list.iter().enumerate() {
        if !reached[at] && entry.resource.is_some() {
            let text = "nothing leads here from the first entry, and this leads nowhere there";
            let issue = if is_message {
                Issue::warning("informational", "entry-apart", text)
            } else {
                Issue::error("structure", "entry-apart", text)
            };
            issues.push(issue.at(place(at)));
        }
    }
    issues
}

/// Marks an entry and all that it leads to.
fn reach(leads_to: &[Vec<usize>], from: usize, reached: &mut [bool], order: &mut Vec<usize>) {
    let mut more = vec![from];
    while let Some(at) = more.pop() {
        if !std::mem::replace(&mut reached[at], true) {
            order.push(at);
            more.extend(&leads_to[at]);
        }
    }
}
