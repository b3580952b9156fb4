//! A QuestionnaireResponse, read once: its items in document order, each knowing where it stands.

use serde_json::Value;

use super::form::{DEPTH_MAX, Form, list, text, valued};

/// Items of one response; more are not looked at.
const ITEMS_MAX: usize = 50_000;

pub struct Filled<'r> {
    pub response: &'r Value,
    pub items: Vec<Given<'r>>,
    pub top: Vec<usize>,
    /// For each question its items, in document order.
    pub by_question: Vec<Vec<usize>>,
    pub is_cut: bool,
}

/// One item of a response.
pub struct Given<'r> {
    pub link_id: &'r str,
    pub item: &'r Value,
    pub question: Option<usize>,
    pub within: Within,
    /// Its place in the list it stands in.
    pub index: usize,
    /// The first item that is no longer inside this one.
    pub end: usize,
    pub items: Vec<usize>,
    pub answers: Vec<Answer<'r>>,
}

pub struct Answer<'r> {
    /// What follows `value`, and the value; an answer may have an extension instead.
    pub value: Option<(&'r str, &'r Value)>,
    pub items: Vec<usize>,
}

/// What an item stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    Response,
    Item(usize),
    Answer(usize, usize),
}

impl Within {
    pub fn item(self) -> Option<usize> {
        match self {
            Within::Response => None,
            Within::Item(item) | Within::Answer(item, _) => Some(item),
        }
    }
}

impl<'r> Filled<'r> {
    pub fn read(response: &'r Value, form: &Form) -> Filled<'r> {
        let mut filled = Filled {
            response,
            items: Vec::new(),
            top: Vec::new(),
            by_question: form.questions.iter().map(|_| Vec::new()).collect(),
            is_cut: false,
        };
        filled.top = filled.gather(response, Within::Response, form, 0);
        filled
    }

    fn gather(&mut self, holder: &'r Value, within: Within, form: &Form, depth: usize) -> Vec<usize> {
        let mut found = Vec::new();
        for (index, item) in list(holder, "item").iter().enumerate() {
            if self.items.len() >= ITEMS_MAX || depth > DEPTH_MAX {
                self.is_cut = true;
                break;
            }
            let at = self.items.len();
            let link_id = text(item, "linkId").unwrap_or("");
            let question = form.find(link_id);
            if let Some(question) = question {
                self.by_question[question].push(at);
            }
            let (items, answers) = (Vec::new(), Vec::new());
            self.items.push(Given { link_id, item, question, within, index, end: at, items, answers });
            found.push(at);
            let items = self.gather(item, Within::Item(at), form, depth + 1);
            self.items[at].items = items;
            for (answer, given) in list(item, "answer").iter().enumerate() {
                let items = self.gather(given, Within::Answer(at, answer), form, depth + 1);
                self.items[at].answers.push(Answer { value: valued(given), items });
            }
            self.items[at].end = self.items.len();
        }
        found
    }

    pub fn inside(&self, within: Within) -> &[usize] {
        match within {
            Within::Response => &self.top,
            Within::Item(item) => &self.items[item].items,
            Within::Answer(item, answer) => &self.items[item].answers[answer].items,
        }
    }

    /// The question's items inside an item, in document order; inside the response with `None`.
    pub fn of_question(&self, question: usize, inside: Option<usize>) -> &[usize] {
        let all = &self.by_question[question];
        let Some(item) = inside else { return all };
        let from = all.partition_point(|at| *at <= item);
        let to = all.partition_point(|at| *at < self.items[item].end);
        &all[from..to]
    }

    /// Whether anything was answered at an item or inside it.
    pub fn is_answered(&self, item: usize) -> bool {
        self.items[item..self.items[item].end].iter().any(|given| !given.answers.is_empty())
    }

    /// FHIRPath: `QuestionnaireResponse.item[0].answer[1].item[0]`.
    pub fn place(&self, within: Within) -> String {
        match within {
            Within::Response => "QuestionnaireResponse".to_string(),
            Within::Item(item) => {
                let given = &self.items[item];
                format!("{}.item[{}]", self.place(given.within), given.index)
            }
            Within::Answer(item, answer) => format!("{}.answer[{answer}]", self.place(Within::Item(item))),
        }
    }
}
