//! Where in the text of a resource an issue's element stands: its line and column.
//!
//! Values are read without their places, since right resources need none. When something is wrong, the text is gone through
//! once more for the elements that issues name, and only for those. What is missing has the place of the element around.

use super::element::choice_suffix;
use super::outcome::Outcome;

/// Fills in `location` of the issues that have an `expression` and none yet. `text` is JSON that could be read.
pub fn locate(text: &[u8], outcome: &mut Outcome) {
    let mut wanted = Wanted { nodes: vec![Node::default()] };
    let ends: Vec<Option<usize>> = outcome
        .0
        .iter()
        .map(|issue| (issue.location.is_none() && !issue.expression.is_empty()).then(|| wanted.add(&issue.expression)))
        .collect();
    if ends.iter().all(Option::is_none) {
        return;
    }
    let mut scanner = Scanner { text, at: 0, wanted: &mut wanted };
    scanner.value(Some(0));
    let mut lines = Lines::of(text);
    for (issue, end) in outcome.0.iter_mut().zip(ends) {
        if let Some(at) = end.and_then(|end| wanted.place(end)) {
            let (line, column) = lines.place(at);
            issue.location = Some(format!("line {line}, column {column}"));
        }
    }
}

/// The elements that are asked for, as a tree: `activity`, in it its item 0, in that `detail`.
struct Wanted {
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    name: String,
    item: Option<usize>,
    above: usize,
    children: Vec<usize>,
    /// Where its value begins.
    at: Option<usize>,
}

impl Wanted {
    fn add(&mut self, expression: &str) -> usize {
        let mut here = 0;
        for step in expression.split('.').skip(1) {
            let (name, item) = match step.strip_suffix(']').and_then(|step| step.rsplit_once('[')) {
                Some((name, item)) => (name, item.parse().ok()),
                None => (step, None),
            };
            here = self.child(here, name, None);
            if item.is_some() {
                here = self.child(here, "", item);
            }
        }
        here
    }

    fn child(&mut self, above: usize, name: &str, item: Option<usize>) -> usize {
        let found = self.nodes[above].children.iter().copied().find(|at| {
            let node = &self.nodes[*at];
            node.name == name && node.item == item
        });
        found.unwrap_or_else(|| {
            self.nodes.push(Node { name: name.to_string(), item, above, ..Node::default() });
            let at = self.nodes.len() - 1;
            self.nodes[above].children.push(at);
            at
        })
    }

    /// The member of that JSON name, of those asked for below a node.
    fn member(&self, above: usize, key: &str) -> Option<usize> {
        let own = key.strip_prefix('_').unwrap_or(key);
        let mut children = self.nodes[above].children.iter().copied();
        children.find(|at| {
            let node = &self.nodes[*at];
            node.item.is_none() && (own == node.name || choice_suffix(own, &node.name).is_some())
        })
    }

    fn item(&self, above: usize, item: usize) -> Option<usize> {
        self.nodes[above].children.iter().copied().find(|at| self.nodes[*at].item == Some(item))
    }

    /// The place of a node, or of the nearest above it that is there.
    fn place(&self, mut node: usize) -> Option<usize> {
        loop {
            if self.nodes[node].at.is_some() || node == 0 {
                return self.nodes[node].at;
            }
            node = self.nodes[node].above;
        }
    }
}

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    wanted: &'t mut Wanted,
}

impl Scanner<'_> {
    /// One value; of what nobody asked for, only its end is found.
    fn value(&mut self, node: Option<usize>) {
        self.space();
        if let Some(node) = node.and_then(|node| self.wanted.nodes.get_mut(node)) {
            // A primitive's own value stands before its `_` sibling, and counts.
            node.at.get_or_insert(self.at);
        }
        match self.peek() {
            b'{' => self.each(b'}', |scanner, _| {
                let key = scanner.string();
                scanner.space();
                scanner.at += 1;
                let inside = node.and_then(|node| scanner.wanted.member(node, &key));
                scanner.value(inside);
            }),
            b'[' => self.each(b']', |scanner, item| {
                let inside = node.and_then(|node| scanner.wanted.item(node, item));
                scanner.value(inside);
            }),
            b'"' => {
                self.string();
            }
            _ => {
                while !matches!(self.peek(), b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | 0) {
                    self.at += 1;
                }
            }
        }
    }

    /// The parts of an object or a list, to its end.
    fn each(&mut self, end: u8, mut part: impl FnMut(&mut Self, usize)) {
        self.at += 1;
        for item in 0.. {
            self.space();
            match self.peek() {
                0 => return,
                b',' => self.at += 1,
                _ => {}
            }
            self.space();
            if self.peek() == end {
                self.at += 1;
                return;
            }
            part(self, item);
        }
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while !matches!(self.peek(), b'"' | 0) {
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at = (self.at + 1).min(self.text.len());
        self.text.get(start..self.at).and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default()
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// The next byte; 0 at the end.
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }
}

/// Where lines begin.
struct Lines<'t> {
    text: &'t [u8],
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t [u8]) -> Lines<'t> {
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        Lines { text, starts: std::iter::once(0).chain(ends).collect() }
    }

    /// Both count from 1; columns are characters.
    fn place(&mut self, at: usize) -> (usize, usize) {
        // A text that breaks off may end before the place of what is missing.
        let at = at.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts[line - 1];
        (line, String::from_utf8_lossy(&self.text[start..at]).chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::Issue;

    #[test]
    fn elements_are_found_in_their_text_and_what_is_missing_at_what_is_around() {
        let text = "{ \"resourceType\": \"Goal\",\n  \"status\" : \"x\",\n  \"name\":[{\"given\": [\"é\", \"b\" ],\n\
                    \"_given\":[null]}, {\"use\":\"a\\\"]\"}],\n  \"valueQuantity\": {\"value\": 1.5 ,\"code\":\"g\"}}";
        for (expression, expected) in [
            ("Goal", "line 1, column 1"),
            ("Goal.status", "line 2, column 14"),
            ("Goal.name", "line 3, column 10"),
            ("Goal.name[0]", "line 3, column 11"),
            ("Goal.name[0].given[1]", "line 3, column 27"),
            ("Goal.name[1].use", "line 4, column 26"),
            ("Goal.name[1].family", "line 4, column 19"),
            ("Goal.value.code", "line 5, column 42"),
            ("Goal.value.unit", "line 5, column 20"),
            ("Goal.subject", "line 1, column 1"),
            ("Goal.name[7].use", "line 3, column 10"),
        ] {
            let mut outcome = Outcome(vec![Issue::structure("x").at(expression), Issue::structure("y").at("Goal")]);
            locate(text.as_bytes(), &mut outcome);
            assert_eq!(outcome.0[0].location.as_deref(), Some(expected), "{expression}");
        }
    }

    #[test]
    fn no_text_makes_it_run_on() {
        for text in ["", "{", "[", "{\"a\"", "{\"a\":", "[1,", "\"", "{\"a\":[{", "\\", "{\"a\":\"\\"] {
            let mut outcome = Outcome(vec![Issue::structure("x").at("Goal.a[0].b")]);
            locate(text.as_bytes(), &mut outcome);
        }
    }
}
