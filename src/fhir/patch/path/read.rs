//! A path's text, read into steps.

use serde_json::Value;

use super::super::STEPS_MAX;
use super::{Criterion, Step};

/// Longest path that is read.
const LENGTH_MAX: usize = 2_000;

/// What is still to be read.
pub struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    /// The steps of a whole text.
    pub fn all(text: &str) -> Result<Vec<Step>, String> {
        if text.len() > LENGTH_MAX {
            return Err(format!("a path has at most {LENGTH_MAX} characters"));
        }
        let mut reader = Reader { rest: text };
        let steps = reader.steps()?;
        if reader.rest.is_empty() {
            return Ok(steps);
        }
        Err(format!("expected `.` or `[` after {} characters", text.len() - reader.rest.len()))
    }

    fn steps(&mut self) -> Result<Vec<Step>, String> {
        let mut steps = vec![self.step()?];
        loop {
            if self.take(".") {
                steps.push(self.step()?);
            } else if self.take("[") {
                let digits = self.while_in(|letter| letter.is_ascii_digit());
                let index = digits.parse().map_err(|_| "expected a number between `[` and `]`".to_string())?;
                self.expect("]")?;
                steps.push(Step::Index(index));
            } else {
                return Ok(steps);
            }
            if steps.len() > STEPS_MAX {
                return Err(format!("a path has at most {STEPS_MAX} steps"));
            }
        }
    }

    fn step(&mut self) -> Result<Step, String> {
        if self.take("`") {
            let name = self.while_in(|letter| letter != '`').to_string();
            self.expect("`")?;
            return Ok(Step::Name(name));
        }
        let name = self.while_in(|letter| letter.is_ascii_alphanumeric() || letter == '_').to_string();
        if name.is_empty() {
            return Err("expected the name of an element".to_string());
        }
        if !self.take("(") {
            return Ok(Step::Name(name));
        }
        let step = match name.as_str() {
            "first" => Step::First,
            "last" => Step::Last,
            "single" => Step::Single,
            "ofType" | "as" => Step::OfType(self.while_in(|letter| letter.is_ascii_alphanumeric()).to_string()),
            "extension" => match self.literal()? {
                Value::String(url) => Step::Extension(url),
                _ => return Err("`extension()` takes a url in quotes".to_string()),
            },
            "where" => Step::Where(self.criteria()?),
            _ => {
                let text = "a function that is not known to patches: expected `where`, `first`, `last`, `single`, `ofType` or `extension`";
                return Err(text.to_string());
            }
        };
        self.space();
        self.expect(")")?;
        Ok(step)
    }

    fn criteria(&mut self) -> Result<Vec<Criterion>, String> {
        let mut criteria = Vec::new();
        loop {
            criteria.push(self.criterion()?);
            if !self.take("and ") {
                return Ok(criteria);
            }
        }
    }

    fn criterion(&mut self) -> Result<Criterion, String> {
        self.space();
        let _ = self.take("$this.");
        let mut path = Vec::new();
        loop {
            if self.take("exists()") {
                self.space();
                return Ok(Criterion { path, equals: None });
            }
            if self.take("$this") {
                break;
            }
            path.push(self.step()?);
            while self.take("[") {
                let digits = self.while_in(|letter| letter.is_ascii_digit());
                path.push(Step::Index(
                    digits.parse().map_err(|_| "expected a number between `[` and `]`".to_string())?,
                ));
                self.expect("]")?;
            }
            if path.len() > STEPS_MAX {
                return Err(format!("a path has at most {STEPS_MAX} steps"));
            }
            if !self.take(".") {
                break;
            }
        }
        self.space();
        self.expect("=")?;
        self.space();
        let equals = Some(self.literal()?);
        self.space();
        Ok(Criterion { path, equals })
    }

    fn literal(&mut self) -> Result<Value, String> {
        if self.take("'") {
            let mut text = String::new();
            let mut letters = self.rest.char_indices();
            while let Some((at, letter)) = letters.next() {
                match letter {
                    '\'' => {
                        self.rest = &self.rest[at + 1..];
                        return Ok(Value::String(text));
                    }
                    '\\' => text.extend(letters.next().map(|(_, letter)| match letter {
                        'n' => '\n',
                        't' => '\t',
                        other => other,
                    })),
                    letter => text.push(letter),
                }
            }
            return Err("a text in quotes that does not end".to_string());
        }
        // A date is written `@2020-01-01` and held as text.
        if self.take("@") {
            let date = self.while_in(|letter| letter.is_ascii_alphanumeric() || "-:.+".contains(letter));
            return Ok(Value::String(date.to_string()));
        }
        let word = self.while_in(|letter| letter.is_ascii_alphanumeric() || "-.".contains(letter)).to_string();
        match serde_json::from_str(&word) {
            Ok(value @ (Value::Bool(_) | Value::Number(_))) => Ok(value),
            _ => Err("expected a text in quotes, a number, `true` or `false`".to_string()),
        }
    }

    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        if self.take(text) { Ok(()) } else { Err(format!("expected `{text}`")) }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn while_in(&mut self, fits: impl Fn(char) -> bool) -> &str {
        let end = self.rest.find(|letter| !fits(letter)).unwrap_or(self.rest.len());
        let (found, rest) = self.rest.split_at(end);
        self.rest = rest;
        found
    }
}
