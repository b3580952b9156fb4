//! The walk of a response along its form.

use crate::fhir::Issue;
use crate::profile::Profiles;
use crate::profile::found::{listed, shown};

use super::answer;
use super::enabled::{Enabled, enabled};
use super::filled::{Filled, Within};
use super::form::{Form, Kind, Question, text};

/// Questions that are looked at in one response, each as often as the group it is in was filled in.
const LOOKS_MAX: usize = 200_000;
/// Issues of one response.
const ISSUES_MAX: usize = 200;

/// How much the status asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// `completed` and `amended`: what is required is there.
    Done,
    /// `in-progress`: what is missing may still come.
    Open,
    /// `stopped` and `entered-in-error`: nobody waits for more.
    Over,
}

pub struct Judge<'a> {
    pub profiles: &'a Profiles,
    pub form: &'a Form<'a>,
    pub filled: &'a Filled<'a>,
    stage: Stage,
    looks: usize,
    pub issues: Vec<Issue>,
    left_out: usize,
}

impl<'a> Judge<'a> {
    pub fn new(profiles: &'a Profiles, form: &'a Form<'a>, filled: &'a Filled<'a>, status: &str) -> Judge<'a> {
        let stage = match status {
            "completed" | "amended" => Stage::Done,
            "in-progress" => Stage::Open,
            _ => Stage::Over,
        };
        Judge { profiles, form, filled, stage, looks: 0, issues: Vec::new(), left_out: 0 }
    }

    pub fn say(&mut self, place: String, issue: Issue) {
        if self.issues.len() < ISSUES_MAX { self.issues.push(issue.at(place)) } else { self.left_out += 1 }
    }

    pub fn run(mut self) -> Vec<Issue> {
        self.inside(None, Within::Response, true);
        if self.looks > LOOKS_MAX || self.filled.is_cut || self.form.is_cut {
            let text = "the response or its form is too large: a part of it was not compared with the form";
            self.issues.push(Issue::warning("too-costly", "response-too-large", text).at("QuestionnaireResponse"));
        }
        if self.left_out > 0 {
            let text = format!("{} more issues are not listed", self.left_out);
            self.issues.push(Issue::information("more-issues", text));
        }
        self.issues
    }

    /// The items in one place, of the questions that belong there; `asked` is whether what is around is asked.
    fn inside(&mut self, parent: Option<usize>, within: Within, asked: bool) {
        let (form, filled) = (self.form, self.filled);
        let questions = form.inside(parent);
        self.looks += questions.len();
        if self.looks > LOOKS_MAX {
            return;
        }
        let mut given: Vec<Vec<usize>> = questions.iter().map(|_| Vec::new()).collect();
        let mut last = 0;
        for item in filled.inside(within) {
            let Some(at) = filled.items[*item].question else {
                self.unknown(*item);
                continue;
            };
            let question = &form.questions[at];
            if question.parent != parent {
                let text = format!("the form has `{}` in another place", shown(question.link_id));
                self.say(filled.place(Within::Item(*item)), Issue::error("structure", "link-id-misplaced", text));
                self.item(*item, question, at, asked);
                continue;
            }
            if question.place < last {
                let text = format!("expected `{}` in the order of the form", shown(question.link_id));
                self.say(filled.place(Within::Item(*item)), Issue::error("structure", "link-id-order", text));
            }
            last = last.max(question.place);
            given[question.place].push(*item);
        }
        for (at, given) in questions.iter().zip(given) {
            self.question(*at, &given, within, asked);
        }
    }

    fn unknown(&mut self, item: usize) {
        let given = &self.filled.items[item];
        // Without any linkId the base definition has said so already.
        if !given.link_id.is_empty() {
            let text = format!("the form has no `{}`", shown(given.link_id));
            self.say(self.filled.place(Within::Item(item)), Issue::error("not-found", "link-id-unknown", text));
        }
    }

    /// One question where it belongs, with what was given for it there.
    fn question(&mut self, at: usize, given: &[usize], within: Within, asked: bool) {
        let (form, filled) = (self.form, self.filled);
        let question = &form.questions[at];
        let enabled = if asked { enabled(self.profiles, form, filled, question, within) } else { Enabled::No };
        if given.is_empty() {
            if question.says("required") && enabled == Enabled::Yes && question.kind != Kind::Display {
                self.missing(question, filled.place(within));
            }
            return;
        }
        if let (Some(second), false) = (given.get(1), question.says("repeats")) {
            let text = format!("`{}` does not repeat: expected one item of it", shown(question.link_id));
            self.say(filled.place(Within::Item(*second)), Issue::error("structure", "item-repeats", text));
        }
        if question.kind == Kind::Group {
            self.occurs(question, given.len(), filled.place(Within::Item(given[0])));
        }
        for item in given {
            if asked && enabled == Enabled::No && filled.is_answered(*item) {
                let text = format!(
                    "`{}` is not asked here, by the form's conditions: expected no answer",
                    shown(question.link_id)
                );
                self.say(filled.place(Within::Item(*item)), Issue::error("invalid", "not-enabled", text));
            }
            self.item(*item, question, at, enabled == Enabled::Yes);
        }
    }

    fn missing(&mut self, question: &Question, place: String) {
        let text = format!("`{}` is required: expected an answer", shown(question.link_id));
        match self.stage {
            Stage::Done => self.say(place, Issue::error("required", "answer-required", text)),
            Stage::Open => self.say(place, Issue::warning("required", "answer-required", text)),
            Stage::Over => {}
        }
    }

    fn occurs(&mut self, question: &Question, count: usize, place: String) {
        let count = count as u64;
        let (least, most) = (question.count("questionnaire-minOccurs"), question.count("questionnaire-maxOccurs"));
        if let Some(least) = least.filter(|least| count < *least && self.stage == Stage::Done) {
            let text = format!("expected at least {least} of `{}`, found {count}", shown(question.link_id));
            self.say(place, Issue::error("invalid", "answer-occurs", text));
        } else if let Some(most) = most.filter(|most| count > *most) {
            let text = format!("expected at most {most} of `{}`, found {count}", shown(question.link_id));
            self.say(place, Issue::error("invalid", "answer-occurs", text));
        }
    }

    fn item(&mut self, item: usize, question: &'a Question<'a>, at: usize, asked: bool) {
        let filled = self.filled;
        let given = &filled.items[item];
        let place = || filled.place(Within::Item(item));
        if let Some((form, found)) = question.text("text").zip(text(given.item, "text"))
            && form.trim() != found.trim()
        {
            let text = format!("the text of `{}` is another than the form's", shown(question.link_id));
            self.say(format!("{}.text", place()), Issue::warning("invalid", "item-text", text));
        }
        match question.kind {
            Kind::Group => {
                if !given.answers.is_empty() {
                    self.say(
                        place(),
                        Issue::error("structure", "group-answered", "a group has no answers, only items"),
                    );
                }
                if question.says("required") && given.items.is_empty() && asked {
                    self.missing(question, place());
                }
                self.inside(Some(at), Within::Item(item), asked);
            }
            Kind::Display => {
                if !given.answers.is_empty() || !given.items.is_empty() {
                    let text = "what is only displayed has no answers and no items";
                    self.say(place(), Issue::error("structure", "display-answered", text));
                }
            }
            Kind::Abstract => {
                if !given.answers.is_empty() {
                    let text = "`question` is an abstract type: the form asks for nothing that could be answered";
                    self.say(place(), Issue::error("structure", "group-answered", text));
                }
            }
            _ => self.answered(item, question, at, asked),
        }
    }

    fn answered(&mut self, item: usize, question: &'a Question<'a>, at: usize, asked: bool) {
        let filled = self.filled;
        let (given, place) = (&filled.items[item], filled.place(Within::Item(item)));
        if !given.items.is_empty() {
            let text = "items inside a question stand in its answer: expected `answer.item`";
            self.say(place.clone(), Issue::error("structure", "item-outside-answer", text));
        }
        if given.answers.is_empty() && question.says("required") && asked {
            self.missing(question, place.clone());
        }
        if given.answers.len() > 1 && !question.says("repeats") {
            let text = format!("`{}` does not repeat: expected one answer", shown(question.link_id));
            self.say(place.clone(), Issue::error("invalid", "answer-repeats", text));
        }
        if asked {
            self.occurs(question, given.answers.len(), place.clone());
        }
        for (index, answer) in given.answers.iter().enumerate() {
            if let Some(value) = answer.value {
                let of_answer = format!("{place}.answer[{index}].value");
                if question.kind.values().contains(&value.0) {
                    answer::problems(self.profiles, self.form, question, value, given.answers.len())
                        .into_iter()
                        .for_each(|issue| self.say(of_answer.clone(), issue));
                } else if !question.kind.values().is_empty() {
                    let expected: Vec<String> =
                        question.kind.values().iter().map(|kind| format!("value{kind}")).collect();
                    let expected = listed(expected.iter().map(String::as_str));
                    let text = format!("expected {expected}, found `value{}`", shown(value.0));
                    self.say(of_answer, Issue::error("value", "answer-type", text));
                }
            }
            self.inside(Some(at), Within::Answer(item, index), asked);
        }
    }
}
