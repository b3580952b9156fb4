//! The words of FHIRPath (N1, 9 and appendix B): names, literals, signs; comments and spaces are left out.

use rust_decimal::Decimal;

use super::decimal;
use super::moment::{Form, Moment};

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A name, or a word that an operator is written with.
    Word(String),
    /// A name in backticks is never an operator.
    Quoted(String),
    Text(String),
    Integer(i32),
    Decimal(Decimal),
    Moment(Moment),
    /// `$this`, without the sign.
    Dollar(String),
    /// `%resource`, without the sign.
    Percent(String),
    Sign(&'static str),
    End,
}

/// Why a text is no expression, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub at: usize,
    pub why: String,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} at byte {}", self.why, self.at)
    }
}

/// Longer signs first.
const SIGNS: [&str; 23] = [
    "<=", ">=", "!=", "!~", "(", ")", "[", "]", "{", "}", ".", ",", "+", "-", "*", "/", "&", "|", "<", ">", "=", "~",
    "!",
];

/// All words of a text with where each begins, the last of them the end.
pub fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Unreadable> {
    let mut reader = Reader { text, at: 0 };
    let mut found = Vec::new();
    loop {
        reader.skip()?;
        let at = reader.at;
        let token = reader.token()?;
        let is_last = token == Token::End;
        found.push((at, token));
        if is_last {
            return Ok(found);
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn fail<T>(&self, why: &str) -> Result<T, Unreadable> {
        Err(Unreadable { at: self.at, why: why.to_string() })
    }

    fn skip(&mut self) -> Result<(), Unreadable> {
        loop {
            let rest = self.rest();
            let spaces = rest.len() - rest.trim_start().len();
            self.at += spaces;
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                match rest.find("*/") {
                    Some(end) => self.at += end + 2,
                    None => return self.fail("expected the end of a comment, `*/`"),
                }
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<Token, Unreadable> {
        let rest = self.rest();
        match rest.chars().next() {
            None => Ok(Token::End),
            Some('\'') => self.quoted('\'').map(Token::Text),
            Some('`') => self.quoted('`').map(Token::Quoted),
            Some('@') => self.moment(),
            Some('$') => {
                self.at += 1;
                Ok(Token::Dollar(self.word()?))
            }
            Some('%') => {
                self.at += 1;
                let name = match self.rest().chars().next() {
                    Some(mark @ ('`' | '\'')) => self.quoted(mark)?,
                    _ => self.word()?,
                };
                Ok(Token::Percent(name))
            }
            Some(first) if first.is_ascii_digit() => self.number(),
            Some(first) if first.is_ascii_alphabetic() || first == '_' => self.word().map(Token::Word),
            Some(_) => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => {
                    self.at += sign.len();
                    Ok(Token::Sign(sign))
                }
                None => self.fail("expected an operator, a name or a literal"),
            },
        }
    }

    fn word(&mut self) -> Result<String, Unreadable> {
        let rest = self.rest();
        let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).unwrap_or(rest.len());
        if end == 0 || rest.starts_with(|first: char| first.is_ascii_digit()) {
            return self.fail("expected a name");
        }
        self.at += end;
        Ok(rest[..end].to_string())
    }

    fn digits(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn number(&mut self) -> Result<Token, Unreadable> {
        let start = self.at;
        let whole = self.digits();
        let rest = self.rest();
        if rest.starts_with('.') && rest[1..].starts_with(|next: char| next.is_ascii_digit()) {
            self.at += 1;
            self.digits();
            return match decimal::parse(&self.text[start..self.at]) {
                Some(number) => Ok(Token::Decimal(number)),
                None => self.fail("expected a decimal number of at most 28 digits"),
            };
        }
        match whole.parse() {
            Ok(number) => Ok(Token::Integer(number)),
            Err(_) => self.fail("expected a whole number up to 2147483647"),
        }
    }

    /// `@2015-02-04T14:34:28.123+10:00`, `@2015T`, `@T14:34`; a dot that no digit follows begins a path.
    fn moment(&mut self) -> Result<Token, Unreadable> {
        self.at += 1;
        let start = self.at;
        let is_time = self.rest().starts_with('T');
        if !is_time {
            self.digits();
            for _ in 0..2 {
                self.sign_and_digits("-");
            }
        }
        let has_clock = self.rest().starts_with('T');
        let clock = self.at;
        if has_clock {
            self.at += 1;
            self.digits();
            for mark in [":", ":", "."] {
                self.sign_and_digits(mark);
            }
            if self.rest().starts_with('Z') {
                self.at += 1;
            } else if !self.sign_and_digits("+") {
                self.sign_and_digits("-");
            }
            self.sign_and_digits(":");
        }
        let text = &self.text[start..self.at];
        let read = match (is_time, has_clock) {
            (true, _) => Moment::parse(&text[1..], Form::Time),
            (false, false) => Moment::parse(text, Form::Date),
            (false, true) if clock + 1 == self.at => Moment::parse(&text[..text.len() - 1], Form::DateTime),
            (false, true) => Moment::parse(text, Form::DateTime),
        };
        match read {
            Some(moment) => Ok(Token::Moment(moment)),
            None => self.fail("expected a date, a dateTime or a time"),
        }
    }

    fn sign_and_digits(&mut self, sign: &str) -> bool {
        let follows =
            self.rest().strip_prefix(sign).is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
        if follows {
            self.at += sign.len();
            self.digits();
        }
        follows
    }

    fn quoted(&mut self, mark: char) -> Result<String, Unreadable> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(letter) = self.rest().chars().next() else {
                return self.fail("expected the end of a quoted text");
            };
            self.at += letter.len_utf8();
            match letter {
                '\\' => text.push(self.escaped()?),
                letter if letter == mark => return Ok(text),
                letter => text.push(letter),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Unreadable> {
        let Some(letter) = self.rest().chars().next() else { return self.fail("expected the end of a quoted text") };
        let plain = match letter {
            '\'' | '"' | '`' | '\\' | '/' => letter,
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let code = self.rest().get(1..5).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let Some(letter) = code.and_then(char::from_u32) else { return self.fail("expected four hex digits") };
                self.at += 4;
                letter
            }
            _ => {
                return self
                    .fail("expected one of `\\'`, `\\\"`, `\\``, `\\\\`, `\\/`, `\\f`, `\\n`, `\\r`, `\\t`, `\\u`");
            }
        };
        // The letter behind the backslash: all of them are ASCII.
        self.at += 1;
        Ok(plain)
    }
}
