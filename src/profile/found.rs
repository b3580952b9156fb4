//! Where a problem is, and how many are reported.
//!
//! A place is kept as steps through the document, so that problems of several checks come out in document order.

use serde_json::{Map, Value};

use crate::fhir::{Issue, Outcome, Reference, Severity};

/// Most issues that are reported; one more says how many were left out.
pub const ISSUES_MAX: usize = 100;
/// Most errors, and most other issues, that are gathered before they are sorted and cut.
const GATHERED_MAX: usize = 300;

/// Most of a code or canonical that a message repeats.
const SHOWN_CHARS_MAX: usize = 160;

/// One step down: the member's place in its object and, for a list, the item.
#[derive(Clone, Copy, Debug)]
pub struct Step<'r> {
    /// The element's name, without `_` and without a choice's type.
    pub name: &'r str,
    pub at: usize,
    pub item: Option<usize>,
}

/// From the resource to an element.
#[derive(Clone, Debug, Default)]
pub struct Place<'r> {
    pub kind: &'r str,
    pub steps: Vec<Step<'r>>,
}

impl<'r> Place<'r> {
    pub fn of(kind: &'r str) -> Place<'r> {
        Place { kind, steps: Vec::new() }
    }

    pub fn push(&mut self, name: &'r str, at: usize) {
        self.steps.push(Step { name, at, item: None });
    }

    pub fn set_item(&mut self, item: Option<usize>) {
        if let Some(step) = self.steps.last_mut() {
            step.item = item;
        }
    }

    /// FHIRPath of the element: `CarePlan.activity[0].detail`.
    pub fn expression(&self) -> String {
        let mut text = self.kind.to_string();
        for step in &self.steps {
            text.push('.');
            text.push_str(step.name);
            if let Some(item) = step.item {
                text.push_str(&format!("[{item}]"));
            }
        }
        text
    }

    fn order(&self) -> Vec<usize> {
        self.steps.iter().flat_map(|step| [step.at, step.item.map_or(0, |item| item + 1)]).collect()
    }
}

/// The problems found so far.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<(Vec<usize>, Issue)>,
    errors: usize,
    others: usize,
    left_out: usize,
}

impl Findings {
    pub fn add(&mut self, place: &Place, issue: Issue) {
        if self.has_room(&issue) {
            self.put(place.order(), issue.at(place.expression()));
        }
    }

    /// A child that is not there stands behind those that are.
    pub fn add_missing(&mut self, place: &Place, name: &str, issue: Issue) {
        if self.has_room(&issue) {
            let mut order = place.order();
            order.push(usize::MAX);
            self.put(order, issue.at(format!("{}.{name}", place.expression())));
        }
    }

    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// No more errors are gathered, only counted: their sentences need not be made.
    pub fn is_full(&self) -> bool {
        self.errors >= GATHERED_MAX
    }

    pub fn leave_out_error(&mut self) {
        self.errors += 1;
        self.left_out += 1;
    }

    /// Errors and the rest are counted apart: no number of warnings may crowd out the error that refuses.
    fn has_room(&mut self, issue: &Issue) -> bool {
        let gathered = if issue.severity == Severity::Error { &mut self.errors } else { &mut self.others };
        *gathered += 1;
        let has_room = *gathered <= GATHERED_MAX;
        self.left_out += usize::from(!has_room);
        has_room
    }

    fn put(&mut self, order: Vec<usize>, issue: Issue) {
        if !self.found.iter().any(|(_, known)| *known == issue) {
            self.found.push((order, issue));
        }
    }

    /// In document order, errors before warnings at one place, at most [`ISSUES_MAX`].
    pub fn into_outcome(mut self) -> Outcome {
        self.found.sort_by(|(left, a), (right, b)| left.cmp(right).then(a.severity.cmp(&b.severity)));
        // An error is never cut off in favour of a warning: the outcome decides whether the resource is refused.
        if self.found.len() > ISSUES_MAX {
            let mut rank: Vec<usize> = (0..self.found.len()).collect();
            rank.sort_by_key(|index| self.found[*index].1.severity);
            let kept: std::collections::HashSet<usize> = rank.into_iter().take(ISSUES_MAX).collect();
            self.left_out += self.found.len() - ISSUES_MAX;
            let mut index = 0;
            self.found.retain(|_| {
                index += 1;
                kept.contains(&(index - 1))
            });
        }
        let mut issues: Vec<Issue> = self.found.into_iter().map(|(_, issue)| issue).collect();
        if self.left_out > 0 {
            let text = format!("{} more issues are not listed", self.left_out);
            issues.push(Issue::information("more-issues", text));
        }
        Outcome(issues)
    }
}

/// What a value is, without saying what a person is: its codes or its JSON type, never its text.
pub fn describe(value: &Value) -> String {
    let coded = |value: &Value| -> Option<String> {
        let code = value.get("code")?.as_str()?;
        let system = value.get("system").and_then(Value::as_str).unwrap_or("");
        Some(format!("`{}`", shown(&format!("{system}|{code}"))))
    };
    match value {
        Value::Null => "`null`".into(),
        Value::Bool(flag) => format!("`{flag}`"),
        Value::Number(_) => "a number".into(),
        Value::String(_) => "a string".into(),
        Value::Array(list) if list.is_empty() => "an empty list".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(object) if object.is_empty() => "an empty object".into(),
        Value::Object(object) => match object.get("coding").and_then(Value::as_array) {
            Some(list) => {
                let codes: Vec<String> = list.iter().take(3).filter_map(coded).collect();
                if codes.is_empty() { "no code".into() } else { codes.join(", ") }
            }
            None if object.get("reference").is_some_and(Value::is_string) => pointed(object),
            None if object.get("text").is_some() => "text without a code".into(),
            None => coded(value).unwrap_or_else(|| "an object".into()),
        },
    }
}

/// The type a reference points at; its id is nobody's business.
fn pointed(object: &Map<String, Value>) -> String {
    match Reference::parse(object.get("reference").and_then(Value::as_str).unwrap_or("")) {
        Reference::Relative { kind, .. } | Reference::Absolute { kind, .. } => format!("one to `{}`", shown(kind)),
        _ => "another reference".into(),
    }
}

/// A code cut to a length that a message can bear, without characters that would break it.
pub fn shown(code: &str) -> String {
    let mut text: String =
        code.chars().filter(|letter| !letter.is_control() && *letter != '`').take(SHOWN_CHARS_MAX).collect();
    if code.chars().nth(SHOWN_CHARS_MAX).is_some() {
        text.push('…');
    }
    text
}

/// `` `a`, `b` or `c` ``.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{}`", shown(name))).collect();
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}
