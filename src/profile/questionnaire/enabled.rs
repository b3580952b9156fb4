//! Whether a question is asked at all (R4 questionnaire-definitions.html#Questionnaire.item.enableWhen).

use std::cmp::Ordering;

use serde_json::Value;

use crate::fhir::fhirpath::{Expression, Node, Scope};
use crate::profile::Profiles;

use super::filled::{Filled, Within};
use super::form::{Form, Question, choice, text};
use crate::profile::compare::{Typed, equal, order};

/// Answers of one question that a condition looks at; with more nobody says what holds.
const ANSWERS_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enabled {
    Yes,
    No,
    /// The form says it in words that are not read here, or says two things.
    Unsure,
}

pub fn enabled(profiles: &Profiles, form: &Form, filled: &Filled, question: &Question, within: Within) -> Enabled {
    // SDC's expression is a condition of its own, beside those that are written out.
    let by_expression = question
        .extensions("sdc-questionnaire-enableWhenExpression")
        .next()
        .map(|(_, expression)| *question.computed.get_or_init(|| computed(profiles, form, filled, expression)));
    let written = question.list("enableWhen").iter().map(|condition| holds(form, filled, condition, within));
    let verdicts: Vec<Option<bool>> = written.chain(by_expression).collect();
    let (all, any) = (verdicts.iter().all(|it| *it == Some(true)), verdicts.contains(&Some(true)));
    let none = verdicts.iter().all(|it| *it == Some(false));
    match question.text("enableBehavior") {
        _ if all => Enabled::Yes,
        _ if none => Enabled::No,
        Some("any") if any => Enabled::Yes,
        Some("all") if verdicts.contains(&Some(false)) => Enabled::No,
        _ => Enabled::Unsure,
    }
}

fn holds(form: &Form, filled: &Filled, condition: &Value, within: Within) -> Option<bool> {
    let source = form.find(text(condition, "question")?)?;
    let expected = choice(condition, "answer")?;
    let answers = answers(filled, source, within)?;
    let any = |test: &dyn Fn(Typed) -> Option<bool>| {
        let verdicts: Vec<Option<bool>> = answers.iter().map(|answer| test(*answer)).collect();
        if verdicts.contains(&Some(true)) { Some(true) } else { (!verdicts.contains(&None)).then_some(false) }
    };
    let compared = |wanted: &[Ordering]| any(&|answer| Some(wanted.contains(&order(answer, expected)?)));
    match text(condition, "operator")? {
        "exists" => Some(expected.1.as_bool()? != answers.is_empty()),
        "=" => any(&|answer| equal(answer, expected)),
        // R4 says "no answer is equal", HL7's validator says "some answer is not": where the two differ, nobody is
        // refused for having followed either.
        "!=" => {
            let equals = any(&|answer| equal(answer, expected))?;
            let differs = any(&|answer| equal(answer, expected).map(|equal| !equal))?;
            (equals != differs).then_some(differs)
        }
        ">" => compared(&[Ordering::Greater]),
        "<" => compared(&[Ordering::Less]),
        ">=" => compared(&[Ordering::Greater, Ordering::Equal]),
        "<=" => compared(&[Ordering::Less, Ordering::Equal]),
        _ => None,
    }
}

/// What an expression over the whole response says; nothing that it calls by a name of the form's own is known here.
fn computed(profiles: &Profiles, form: &Form, filled: &Filled, expression: &Value) -> Option<bool> {
    if text(expression, "language") != Some("text/fhirpath") || !form.may_compute() {
        return None;
    }
    let expression = Expression::parse(text(expression, "expression")?).ok()?;
    let model = profiles.model();
    let response = Node::resource(filled.response, model);
    expression.holds(response, &Scope::new(model, response)).ok()
}

/// The answers that a condition speaks of: those nearest, that is, in the smallest item around that has any.
fn answers<'r>(filled: &Filled<'r>, source: usize, within: Within) -> Option<Vec<Typed<'r>>> {
    let mut around = within.item();
    loop {
        let found = match around {
            Some(item) if filled.items[item].question == Some(source) => vec![item],
            around => filled.of_question(source, around).to_vec(),
        };
        if !found.is_empty() || around.is_none() {
            let answers = found.iter().flat_map(|item| &filled.items[*item].answers).filter_map(|answer| answer.value);
            let answers: Vec<Typed> = answers.take(ANSWERS_MAX + 1).collect();
            return (answers.len() <= ANSWERS_MAX).then_some(answers);
        }
        around = around.and_then(|item| filled.items[item].within.item());
    }
}
