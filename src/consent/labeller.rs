//! Sets the labels of a resource that is about to be stored: what its sender said, what an earlier version had, what
//! its codes ask for, what its origin is bound by.
//!
//! - What the sender says is kept and never lowered; a finding that asks for more is added to it.
//! - Labels of the stored version stay (rules.md 20). One of ours says no more than "nothing was found": an `N` that the
//!   labeller set goes when that is no longer so. It is told from a sender's by `userSelected: false` (R4
//!   datatypes.html#Coding: not chosen by a user directly).
//! - Where words look sensitive and neither a code nor the sender says so, no confidentiality is set: the resource is
//!   unclassified, which no permit on a label covers and every deny on a label does (R9). Where an earlier version's
//!   code must stay, it is raised instead.

use serde_json::{Value, json};

use super::classify::{classify, places};
use super::label::{ACT_CODE, CONFIDENTIALITY, NORMAL, are_related, code_of, rank};
use super::sensitivity::{Lists, Mask};
use crate::fhir::{Element, Resource};

/// What became of the labels of a resource.
#[derive(Debug, Default, PartialEq)]
pub struct Labelling {
    /// All codes that it has now, as they stand.
    pub codes: Vec<String>,
    /// Codes of the stored version that the sender left out and that nothing else asks for.
    pub kept: Vec<String>,
    /// What words speak of that neither a code nor the sender does, and where.
    pub hints: Vec<String>,
    pub hinted_at: Vec<String>,
    /// Confidentiality codes that are not known: they could be the highest.
    pub unknown: Vec<String>,
    /// Whether it has a confidentiality code, and only such as are known.
    pub is_classified: bool,
    /// Whether the labels are others than those of the stored version; of a new resource, than those sent.
    pub is_changed: bool,
}

/// One label, and where it comes from.
#[derive(Clone)]
struct Label {
    value: Value,
    system: String,
    code: String,
    is_sent: bool,
    /// Set by the labeller, in this version or an earlier one.
    is_ours: bool,
}

/// Labels a resource. `regimes` are those of its origin; `stored` is the version that it replaces.
pub fn label(resource: &mut Resource, stored: Option<&Resource>, lists: &Lists, regimes: &[String]) -> Labelling {
    if resource.root().get("meta").object().and_then(|meta| meta.get("security")).is_some_and(|it| !it.is_array()) {
        // No list of labels: it will be refused, as it was sent.
        return Labelling::default();
    }
    let found = classify(resource, lists);
    let asked = found.labels | lists.of_origin(regimes);
    set(resource, stored, asked, &found.hints, lists)
}

/// Keeps the labels of an earlier version on a resource that is not classified.
pub fn keep(resource: &mut Resource, stored: Option<&Resource>) -> Labelling {
    let sent = read(resource, true);
    let carried = carried(&sent, stored);
    if carried.is_empty() {
        return Labelling::default();
    }
    let kept = carried.iter().map(|label| label.code.clone()).collect();
    resource.set_labels(sent.into_iter().chain(carried).map(|label| label.value).collect());
    Labelling { kept, ..Labelling::default() }
}

fn set(resource: &mut Resource, stored: Option<&Resource>, asked: Mask, words: &[Mask], lists: &Lists) -> Labelling {
    let sent = read(resource, true);
    let mut all: Vec<Label> = sent.iter().cloned().chain(carried(&sent, stored)).collect();

    // Who labels it in this version has read its words.
    let is_labelled = sent.iter().any(|label| label.is_confidentiality() && !label.is_ours);
    let hints = if is_labelled { Vec::new() } else { unsaid(&all, asked, words, lists) };
    let demanded = lists.demanded(asked);

    let others = all.iter().filter(|label| !label.is_ours_and_normal()).filter_map(Label::rank).max();
    let is_outdone = !hints.is_empty() || others.max(demanded) > Some(NORMAL);
    all.retain(|label| !(is_outdone && label.is_ours_and_normal()));

    let unknown: Vec<String> = all.iter().filter(|label| label.is_unknown()).map(|label| label.code.clone()).collect();
    let has_rank = all.iter().filter_map(Label::rank).max();
    let wanted = match has_rank {
        _ if !unknown.is_empty() || lists.is_blind => None,
        None if !hints.is_empty() => None,
        None => Some(demanded.or_else(|| lists.demanded(said(&all, lists))).unwrap_or(NORMAL)),
        Some(rank) => {
            let hinted = hints.iter().filter_map(|hint| lists.demanded(*hint)).max();
            demanded.max(hinted).filter(|wanted| *wanted > rank)
        }
    };
    let kept = all.iter().filter(|label| !label.is_sent && !label.is_ours_and_normal());
    let kept = kept.filter(|label| match label.rank() {
        Some(rank) => demanded.is_none_or(|demanded| demanded < rank),
        None => label.system != ACT_CODE || lists.one(&label.code) & asked == 0,
    });
    let kept = kept.map(|label| label.code.clone()).collect();

    all.extend(wanted.map(|rank| Label::ours(CONFIDENTIALITY, code_of(rank))));
    let new: Vec<&str> = lists.names(asked).filter(|code| !all.iter().any(|label| label.is(ACT_CODE, code))).collect();
    all.extend(new.into_iter().map(|code| Label::ours(ACT_CODE, code)));

    let before = stored.map_or(sent, |stored| read(stored, false));
    let is_changed = before.len() != all.len() || !all.iter().all(|label| has(&before, label));
    let labelling = Labelling {
        codes: all.iter().map(|label| label.code.clone()).collect(),
        kept,
        hinted_at: if hints.is_empty() { Vec::new() } else { places(resource, lists, &hints) },
        hints: lists.names(hints.iter().fold(0, |all, hint| all | hint)).map(str::to_string).collect(),
        is_classified: unknown.is_empty() && has_rank.or(wanted).is_some(),
        unknown,
        is_changed,
    };
    resource.set_labels(all.into_iter().map(|label| label.value).collect());
    labelling
}

/// The stored version's labels that were not sent again.
fn carried(sent: &[Label], stored: Option<&Resource>) -> Vec<Label> {
    let earlier = stored.map(|stored| read(stored, false)).unwrap_or_default();
    earlier.into_iter().filter(|label| !has(sent, label)).collect()
}

/// Hints of which no label speaks, neither one that is there nor one that is asked for.
fn unsaid(all: &[Label], asked: Mask, words: &[Mask], lists: &Lists) -> Vec<Mask> {
    let is_said = |hint: &Mask| {
        lists.names(*hint).any(|code| {
            let there = all.iter().filter(|label| label.system == ACT_CODE).map(|label| label.code.as_str());
            there.chain(lists.names(asked)).any(|said| are_related(said, code))
        })
    };
    words.iter().filter(|hint| !is_said(hint)).copied().collect()
}

/// The labels that are there, of those that the lists speak of.
fn said(all: &[Label], lists: &Lists) -> Mask {
    let there = all.iter().filter(|label| label.system == ACT_CODE);
    there.fold(0, |mask, label| mask | lists.one(&label.code))
}

fn read(resource: &Resource, is_sent: bool) -> Vec<Label> {
    let labels = resource.root().get("meta").each("security");
    labels.filter_map(|label| Label::read(label, is_sent)).collect()
}

fn has(labels: &[Label], wanted: &Label) -> bool {
    labels.iter().any(|label| label.is(&wanted.system, &wanted.code))
}

impl Label {
    fn read(label: Element, is_sent: bool) -> Option<Label> {
        let coding = label.coding();
        Some(Label {
            value: label.value()?.clone(),
            system: coding.system.to_string(),
            code: coding.code.to_string(),
            is_sent,
            is_ours: label.flag("userSelected") == Some(false),
        })
    }

    fn ours(system: &str, code: &str) -> Label {
        let value = json!({"system": system, "code": code, "userSelected": false});
        Label { value, system: system.to_string(), code: code.to_string(), is_sent: false, is_ours: true }
    }

    fn is(&self, system: &str, code: &str) -> bool {
        self.system == system && self.code == code
    }

    fn is_confidentiality(&self) -> bool {
        self.system == CONFIDENTIALITY
    }

    fn rank(&self) -> Option<u8> {
        rank(&self.code).filter(|_| self.is_confidentiality())
    }

    fn is_unknown(&self) -> bool {
        self.is_confidentiality() && rank(&self.code).is_none()
    }

    fn is_ours_and_normal(&self) -> bool {
        self.is_ours && self.rank() == Some(NORMAL)
    }
}

#[cfg(test)]
mod tests;
