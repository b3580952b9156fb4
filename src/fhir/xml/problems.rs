//! Where the converter stands, and what was wrong on the way: both directions gather all of it.

use crate::fhir::outcome::Issue;

/// Most problems that are gathered.
pub const ISSUES_MAX: usize = 100;
/// Most of a name that a message repeats.
const SHOWN_CHARS_MAX: usize = 64;

#[derive(Debug, Default)]
pub struct Problems<'s> {
    /// The type of the outermost resource.
    pub kind: String,
    /// From there to the element: name and, of a list, the item.
    steps: Vec<(&'s str, Option<usize>)>,
    /// With the place in the text, in whose order they come.
    issues: Vec<(usize, Issue)>,
}

impl<'s> Problems<'s> {
    pub fn enter(&mut self, name: &'s str, item: Option<usize>) {
        self.steps.push((name, item));
    }

    pub fn leave(&mut self) {
        self.steps.pop();
    }

    pub fn is_empty(&self) -> bool {
        self.issues.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.issues.len() >= ISSUES_MAX
    }

    pub fn say(&mut self, at: usize, issue: Issue) {
        let place = self.expression();
        self.issues.push((at, issue.at(place)));
    }

    /// About a child that is not entered.
    pub fn say_below(&mut self, at: usize, name: &str, issue: Issue) {
        let place = format!("{}.{}", self.expression(), shown(name));
        self.issues.push((at, issue.at(place)));
    }

    /// About the text itself rather than an element.
    pub fn say_of_all(&mut self, at: usize, issue: Issue) {
        self.issues.push((at, issue));
    }

    /// FHIRPath of the element: `CarePlan.activity[0].detail`.
    fn expression(&self) -> String {
        let mut text = self.kind.clone();
        for (name, item) in &self.steps {
            text.push('.');
            text.push_str(name);
            if let Some(item) = item {
                text.push_str(&format!("[{item}]"));
            }
        }
        text
    }

    pub fn into_issues(self) -> Vec<Issue> {
        self.issues.into_iter().map(|(_, issue)| issue).collect()
    }

    /// Each issue with its line and column; one pass, because they lie in the order of the text.
    pub fn placed_in(self, text: &str) -> Vec<Issue> {
        let (mut line, mut begun, mut seen) = (1, 0, 0);
        let place = |(at, issue): (usize, Issue)| {
            let at = at.clamp(seen, text.len());
            for (offset, byte) in text.as_bytes()[seen..at].iter().enumerate() {
                if *byte == b'\n' {
                    (line, begun) = (line + 1, seen + offset + 1);
                }
            }
            seen = at;
            issue.located(format!("line {line}, column {}", at - begun + 1))
        };
        self.issues.into_iter().map(place).collect()
    }
}

/// A name as a message repeats it.
pub fn shown(name: &str) -> String {
    name.chars().take(SHOWN_CHARS_MAX).collect()
}
