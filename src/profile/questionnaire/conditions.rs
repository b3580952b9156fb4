//! The conditions that a form sets for its own questions: they look at another question, and at one asked before.

use serde_json::Value;

use crate::fhir::Issue;
use crate::profile::found::shown;

use super::form::{Form, text};

pub fn problems(questionnaire: &Value) -> Vec<Issue> {
    let form = Form::read(questionnaire, &Value::Null);
    let mut issues = Vec::new();
    for (at, question) in form.questions.iter().enumerate() {
        for (condition, asked) in question.list("enableWhen").iter().enumerate() {
            let Some(link_id) = text(asked, "question") else { continue };
            let said = match form.find(link_id) {
                None => Issue::error("not-found", "condition-unknown", format!("the form has no `{}`", shown(link_id))),
                Some(source) if is_inside(&form, source, at) => {
                    let text = "a question cannot depend on itself, or on one inside it";
                    Issue::error("business-rule", "condition-inside", text)
                }
                // The list is in the order of the form.
                Some(source) if source > at => {
                    let text = format!("`{}` comes after the question that depends on it", shown(link_id));
                    Issue::warning("business-rule", "condition-order", text)
                }
                Some(_) => continue,
            };
            issues.push(said.at(format!("{}.enableWhen[{condition}]", place(&form, at))));
        }
    }
    issues
}

fn is_inside(form: &Form, question: usize, around: usize) -> bool {
    let mut at = Some(question);
    while let Some(here) = at {
        if here == around {
            return true;
        }
        at = form.questions[here].parent;
    }
    false
}

fn place(form: &Form, at: usize) -> String {
    let question = &form.questions[at];
    let around = question.parent.map_or_else(|| "Questionnaire".to_string(), |parent| place(form, parent));
    format!("{around}.item[{}]", question.place)
}
