//! Whether a choice is among those that the form offers.

use serde_json::Value;

use crate::profile::Profiles;
use crate::profile::facts::bare;
use crate::profile::terminology::Membership;

use super::form::{Form, Question, list, text, valued};
use crate::profile::compare::{Typed, equal};

/// Value sets within value sets, and no deeper.
const NESTING_MAX: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Offered,
    /// It was offered with the word that nothing else goes with it (`questionnaire-optionExclusive`).
    Alone,
    NotOffered,
    /// Nothing of this type is offered.
    OtherType,
    /// The form offers nothing to choose from.
    NoList,
    /// Nobody here can tell.
    Unknown,
    /// It is free text, and the name of something that could have been chosen.
    Named,
}

pub fn offered(profiles: &Profiles, form: &Form, question: &Question, given: Typed, is_open: bool) -> Choice {
    let options = question.list("answerOption");
    if let Some(set) = question.text("answerValueSet").filter(|_| options.is_empty()) {
        return in_set(profiles, form, set, given);
    }
    if options.is_empty() {
        return Choice::NoList;
    }
    let mut of_type = false;
    for option in options {
        let Some(offered) = valued(option) else { continue };
        of_type |= offered.0 == given.0;
        if equal(offered, given) == Some(true) {
            return if is_exclusive(option) { Choice::Alone } else { Choice::Offered };
        }
    }
    match given {
        ("String", word) if is_open => {
            let names = options.iter().filter_map(|option| text(valued(option)?.1, "display"));
            if names.into_iter().any(|name| word.as_str() == Some(name)) { Choice::Named } else { Choice::Offered }
        }
        _ if of_type || is_open => Choice::NotOffered,
        _ => Choice::OtherType,
    }
}

fn is_exclusive(option: &Value) -> bool {
    list(option, "extension").iter().any(|extension| {
        text(extension, "url").is_some_and(|url| url.ends_with("/questionnaire-optionExclusive"))
            && extension.get("valueBoolean").and_then(Value::as_bool) == Some(true)
    })
}

fn in_set(profiles: &Profiles, form: &Form, set: &str, given: Typed) -> Choice {
    let ("Coding", coding) = given else { return Choice::NoList };
    let (system, code) = (text(coding, "system").unwrap_or(""), text(coding, "code").unwrap_or(""));
    match membership(profiles, form, set, system, code, 0) {
        Membership::Member => Choice::Offered,
        Membership::Stranger => Choice::NotOffered,
        Membership::Unknown => Choice::Unknown,
    }
}

/// Whether a code is in a value set that is contained in the form or its response (`#id`) or known here.
pub fn membership(profiles: &Profiles, form: &Form, set: &str, system: &str, code: &str, nesting: usize) -> Membership {
    let Some(id) = set.strip_prefix('#') else {
        return profiles.set(bare(set)).map_or(Membership::Unknown, |set| set.judge(system, code));
    };
    if nesting >= NESTING_MAX || !form.may_look_into() {
        return Membership::Unknown;
    }
    let mut contained = form.holders.into_iter().flat_map(|holder| list(holder, "contained"));
    let contained = contained.find(|it| text(it, "id") == Some(id));
    let Some(set) = contained else { return Membership::Unknown };
    let listed = |parts: &[Value]| {
        let verdicts = parts.iter().map(|part| in_part(profiles, form, part, (system, code), nesting));
        verdicts.fold(Membership::Stranger, |best, next| match (best, next) {
            (Membership::Member, _) | (_, Membership::Member) => Membership::Member,
            (Membership::Unknown, _) | (_, Membership::Unknown) => Membership::Unknown,
            _ => Membership::Stranger,
        })
    };
    if let Some(expansion) = set.get("expansion").filter(|expansion| !list(expansion, "contains").is_empty()) {
        return if holds(list(expansion, "contains"), system, code, 0) {
            Membership::Member
        } else {
            Membership::Stranger
        };
    }
    let Some(compose) = set.get("compose") else { return Membership::Unknown };
    match (listed(list(compose, "include")), listed(list(compose, "exclude"))) {
        (included, Membership::Stranger) => included,
        (Membership::Stranger, _) | (_, Membership::Member) => Membership::Stranger,
        _ => Membership::Unknown,
    }
}

fn holds(contains: &[Value], system: &str, code: &str, depth: usize) -> bool {
    contains.iter().any(|item| {
        (text(item, "system").unwrap_or("") == system && text(item, "code") == Some(code))
            || (depth < NESTING_MAX && holds(list(item, "contains"), system, code, depth + 1))
    })
}

/// One `include` or `exclude`: its system's codes and its value sets are met together.
fn in_part(profiles: &Profiles, form: &Form, part: &Value, (system, code): (&str, &str), nesting: usize) -> Membership {
    let mut verdicts = Vec::new();
    if let Some(of) = text(part, "system") {
        let concepts = list(part, "concept");
        verdicts.push(if of != system {
            Membership::Stranger
        } else if !concepts.is_empty() {
            let is_listed = concepts.iter().any(|concept| text(concept, "code") == Some(code));
            if is_listed { Membership::Member } else { Membership::Stranger }
        } else {
            match profiles.ancestors(of, code) {
                Some(_) if list(part, "filter").is_empty() => Membership::Member,
                _ => Membership::Unknown,
            }
        });
    }
    for set in list(part, "valueSet").iter().filter_map(Value::as_str) {
        verdicts.push(membership(profiles, form, set, system, code, nesting + 1));
    }
    if verdicts.is_empty() || verdicts.contains(&Membership::Stranger) {
        Membership::Stranger
    } else if verdicts.contains(&Membership::Unknown) {
        Membership::Unknown
    } else {
        Membership::Member
    }
}
