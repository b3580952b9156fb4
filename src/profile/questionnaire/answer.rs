//! One answer of the right type: whether it was offered, and what else the form says of it.

use crate::fhir::Issue;
use crate::profile::Profiles;
use crate::profile::found::{describe, shown};

use super::form::{Form, Kind, Question, list, valued};
use super::limits;
use super::options::{Choice, offered};
use crate::profile::compare::{Typed, equal};

/// What is wrong with it; `beside` is how many answers its question has.
pub fn problems(profiles: &Profiles, form: &Form, question: &Question, given: Typed, beside: usize) -> Vec<Issue> {
    let mut found: Vec<Issue> = chosen(profiles, form, question, given, beside).into_iter().collect();
    found.extend(limits::problems(profiles, form, question, given));
    found.extend(unchanged(question, given));
    found
}

fn chosen(profiles: &Profiles, form: &Form, question: &Question, given: Typed, beside: usize) -> Option<Issue> {
    let is_choice = matches!(question.kind, Kind::Choice | Kind::OpenChoice);
    if !is_choice && question.list("answerOption").is_empty() {
        return None;
    }
    let wrong = |text: String| Some(Issue::error("code-invalid", "answer-option", text));
    let coded = if given.0 == "Coding" { format!(", found {}", describe(given.1)) } else { String::new() };
    match offered(profiles, form, question, given, question.kind == Kind::OpenChoice) {
        Choice::Offered => None,
        Choice::Alone if beside > 1 => {
            wrong("expected no other answer beside this one, which excludes all others".into())
        }
        Choice::Alone => None,
        Choice::NotOffered => wrong(match question.text("answerValueSet") {
            Some(set) if question.list("answerOption").is_empty() => {
                format!("expected a code of `{}`{coded}", shown(set))
            }
            _ => format!("expected one of the form's answer options{coded}"),
        }),
        Choice::OtherType => wrong(format!("the form offers no answer option with a `value{}`", given.0)),
        Choice::NoList => {
            let text = "the answer was not checked: the form offers nothing of its type to choose from";
            Some(Issue::information("answer-unchecked", text))
        }
        Choice::Unknown => Some(limits::unlisted(question.text("answerValueSet").unwrap_or(""))),
        Choice::Named => {
            let text = "the free text is the name of an answer option: was its code meant?";
            Some(Issue::warning("value", "answer-text", text))
        }
    }
}

/// What the form fills in itself and lets nobody change.
fn unchanged(question: &Question, given: Typed) -> Option<Issue> {
    let is_computed = ["sdc-questionnaire-calculatedExpression", "sdc-questionnaire-initialExpression"]
        .into_iter()
        .any(|name| question.extensions(name).next().is_some());
    let initial = list(question.item, "initial");
    if !question.says("readOnly") || initial.is_empty() || is_computed {
        return None;
    }
    let differs = initial.iter().filter_map(valued).all(|initial| equal(initial, given) == Some(false));
    let text = "the question is read-only: expected the form's own initial value";
    differs.then(|| Issue::warning("business-rule", "answer-read-only", text))
}
