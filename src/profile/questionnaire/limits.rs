//! The bounds that a form sets for one answer: how long, how much, how exact, of which form.

use std::cmp::Ordering;

use serde_json::Value;

use crate::fhir::fhirpath::is_ucum;
use crate::fhir::{Issue, Reference};
use crate::profile::Profiles;
use crate::profile::found::{listed, shown};
use crate::profile::pointing;
use crate::profile::terminology::Membership;

use super::form::{Form, Kind, Question, text};
use super::options::membership;
use crate::profile::compare::{Typed, UCUM, order};

/// What is wrong with an answer of the right type.
pub fn problems(profiles: &Profiles, form: &Form, question: &Question, given: Typed) -> Vec<Issue> {
    let mut found = range(question, given);
    match given {
        ("String" | "Uri", Value::String(word)) => found.extend(of_text(question, word)),
        ("Decimal", number) => found.extend(places(question, number)),
        ("Quantity", quantity) => {
            found.extend(quantity.get("value").and_then(|number| places(question, number)));
            found.extend(of_unit(profiles, form, question, quantity));
        }
        ("Attachment", attachment) => found.extend(of_attachment(question, attachment)),
        ("Reference", reference) => found.extend(of_reference(profiles, question, reference)),
        _ => {}
    }
    found
}

fn wrong(rule: &'static str, text: String) -> Issue {
    Issue::error("value", rule, text)
}

fn range(question: &Question, given: Typed) -> Vec<Issue> {
    let plain = [("minValue", Ordering::Less, "at least"), ("maxValue", Ordering::Greater, "at most")];
    let sdc = [
        ("sdc-questionnaire-minQuantity", Ordering::Less, "at least"),
        ("sdc-questionnaire-maxQuantity", Ordering::Greater, "at most"),
    ];
    let mut issues = Vec::new();
    for (name, beyond, words) in plain.into_iter().chain(sdc) {
        for bound in question.extensions(name) {
            match order(given, bound) {
                Some(order) if order == beyond => {
                    issues.push(wrong("answer-range", format!("expected {words} {}", bounded(bound))));
                }
                None if bound.0 == "Quantity" && given.0 == "Quantity" => issues.push(uncompared(given.1, bound)),
                _ => {}
            }
        }
    }
    issues
}

/// The bound is the form's, which is nobody's secret.
fn bounded((kind, value): Typed) -> String {
    match (kind, value) {
        ("Quantity", value) => {
            let unit = text(value, "unit").or(text(value, "code")).unwrap_or("");
            format!("{} {}", value.get("value").unwrap_or(&Value::Null), shown(unit))
        }
        (_, Value::String(text)) => shown(text),
        (_, value) => value.to_string(),
    }
}

/// Units that cannot be compared are the sender's mistake when both are known, and beyond us when one is not.
fn uncompared(given: &Value, bound: Typed) -> Issue {
    let coded = |quantity: &Value| {
        let of_ucum = text(quantity, "system") == Some(UCUM);
        text(quantity, "code").filter(|_| of_ucum).map(is_ucum)
    };
    match (coded(given), coded(bound.1)) {
        (Some(true), Some(true)) => {
            wrong("answer-unit", format!("expected a unit that can be compared with {}", bounded(bound)))
        }
        (Some(_), Some(_)) => Issue::warning(
            "not-supported",
            "answer-unit-unknown",
            format!("the amount was not compared with {}: its unit is not known here", bounded(bound)),
        ),
        _ => wrong("answer-unit", format!("expected a coded unit of UCUM, to be compared with {}", bounded(bound))),
    }
}

fn of_text(question: &Question, word: &str) -> Vec<Issue> {
    let mut issues = Vec::new();
    let letters = word.chars().count() as u64;
    if let Some(least) = question.count("minLength").filter(|least| letters < *least) {
        issues.push(wrong("answer-length", format!("expected at least {least} characters, found {letters}")));
    }
    let most = question.item.get("maxLength").and_then(Value::as_u64);
    if let Some(most) = most.filter(|most| letters > *most) {
        issues.push(wrong("answer-length", format!("expected at most {most} characters, found {letters}")));
    }
    if question.pattern().is_some_and(|pattern| !pattern.is_match(word)) {
        let example = question.extensions("entryFormat").find_map(|(_, format)| format.as_str());
        let like = example.map_or_else(|| "the form's pattern".to_string(), |like| format!("`{}`", shown(like)));
        issues.push(wrong("answer-format", format!("expected text like {like}")));
    } else if question.pattern().is_none() && question.extensions("regex").next().is_some() {
        let text = "the form's pattern cannot be read here: the text was not compared with it";
        issues.push(Issue::information("answer-format-unchecked", text));
    }
    if question.kind == Kind::String && word.contains(['\n', '\r']) {
        let text = "expected one line: the form asks for a `string`, not for a `text`";
        issues.push(Issue::warning("value", "answer-lines", text));
    }
    issues
}

fn places(question: &Question, number: &Value) -> Option<Issue> {
    let most = question.count("maxDecimalPlaces")?;
    let digits = number.as_number()?.to_string();
    let mantissa = digits.split(['e', 'E']).next().unwrap_or("");
    let found = mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len() as u64);
    (found > most).then(|| wrong("answer-decimals", format!("expected at most {most} decimal places, found {found}")))
}

fn of_unit(profiles: &Profiles, form: &Form, question: &Question, quantity: &Value) -> Vec<Issue> {
    let mut issues = Vec::new();
    let (system, code) = (text(quantity, "system").unwrap_or(""), text(quantity, "code").unwrap_or(""));
    let offered: Vec<(&str, &str)> = question
        .extensions("questionnaire-unitOption")
        .map(|(_, unit)| (text(unit, "system").unwrap_or(""), text(unit, "code").unwrap_or("")))
        .collect();
    if !offered.is_empty() && !offered.contains(&(system, code)) {
        let units = listed(offered.iter().take(16).map(|(_, code)| *code));
        issues.push(wrong("answer-unit", format!("expected the unit {units}, found `{}`", shown(code))));
    }
    for (_, set) in question.extensions("questionnaire-unitValueSet") {
        let Some(set) = set.as_str() else { continue };
        match membership(profiles, form, set, system, code, 0) {
            Membership::Member => {}
            Membership::Stranger => {
                issues.push(wrong(
                    "answer-unit",
                    format!("expected a unit of `{}`, found `{}`", shown(set), shown(code)),
                ));
            }
            Membership::Unknown => issues.push(unlisted(set)),
        }
    }
    issues
}

/// What stands where a value set cannot be listed here.
pub fn unlisted(set: &str) -> Issue {
    let text = format!("the code was not checked: `{}` cannot be listed here", shown(set));
    Issue::warning("not-found", "binding-unchecked", text)
}

fn of_attachment(question: &Question, attachment: &Value) -> Vec<Issue> {
    let mut issues = Vec::new();
    let allowed: Vec<&str> = question.extensions("mimeType").filter_map(|(_, kind)| kind.as_str()).collect();
    if let Some(kind) = text(attachment, "contentType").filter(|kind| !allowed.is_empty() && !allowed.contains(kind)) {
        let expected = listed(allowed.iter().copied());
        issues.push(wrong("answer-attachment", format!("expected {expected}, found `{}`", shown(kind))));
    }
    let stated = attachment.get("size").and_then(Value::as_u64);
    let held = text(attachment, "data").map(|data| {
        let letters = data.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').count() as u64;
        letters * 3 / 4
    });
    let most = question.extensions("maxSize").find_map(|(_, most)| most.as_f64());
    if let (Some(size), Some(most)) = (held.or(stated), most)
        && size as f64 > most
    {
        issues.push(wrong("answer-attachment", format!("expected at most {most} bytes, found {size}")));
    }
    issues
}

fn of_reference(profiles: &Profiles, question: &Question, reference: &Value) -> Option<Issue> {
    let (Reference::Relative { kind, .. } | Reference::Absolute { kind, .. }) =
        Reference::parse(text(reference, "reference")?)
    else {
        return None;
    };
    let allowed: Vec<&str> =
        question.extensions("questionnaire-referenceResource").filter_map(|(_, kind)| kind.as_str()).collect();
    if !pointing::exists(profiles, kind) {
        return Some(wrong("answer-reference", format!("`{}` is no resource type of R4", shown(kind))));
    }
    if allowed.is_empty() || allowed.contains(&kind) {
        return None;
    }
    let expected = listed(allowed);
    Some(wrong("answer-reference", format!("expected a reference to {expected}, found one to `{}`", shown(kind))))
}
