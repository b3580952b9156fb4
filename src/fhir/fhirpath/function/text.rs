//! Texts (N1, 5.6, and what came after it): counted in characters, never in bytes.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use regex::{Regex, RegexBuilder};

use super::super::catalogue::Function;
use super::super::evaluate::{Found, Frame, Run};
use super::super::item::{Item, Items};
use super::super::scope::Failure;
use super::super::tree::Call;
use super::convert;

/// A regular expression may grow to so much memory when it is compiled. `regex` takes linear time on any text.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A regular expression: the dot also stands for a line's end (N1, 5.6.10).
///
/// # Errors
/// That it is none, or too large.
pub fn pattern(text: &str, whole: bool) -> Result<Regex, regex::Error> {
    let anchored = if whole { Cow::Owned(format!("^(?:{text})$")) } else { Cow::Borrowed(text) };
    RegexBuilder::new(&anchored).dot_matches_new_line(true).size_limit(PATTERN_BYTES_MAX).build()
}

impl<'a> Run<'a> {
    pub fn text_function(&self, call: &'a Call, on: Items<'a>, frame: &Frame<'_, 'a>) -> Found<'a> {
        use Function::*;
        if call.function == Join {
            return self.join(call, &on, frame);
        }
        let name = call.function.name();
        let text = match self.value(&on, "one text")? {
            None => return Ok(Items::None),
            Some(Item::Text(text)) => text,
            Some(Item::Node(_) | Item::Type(_) | Item::Quantity(_)) => {
                return Err(Failure::Wrong(format!("`{name}()` is for texts")));
            }
            Some(item) if self.scope.is_strict => {
                return Err(Failure::Wrong(format!("`{name}()` is for texts, not for {}", described(&item))));
            }
            // A date or a number is taken as it is written: profiles leave out `toString()`.
            Some(item) => convert::text(&item).unwrap_or_default(),
        };
        self.pay(text.len() / 64)?;
        match call.function {
            Length => Ok(whole(text.chars().count())),
            Upper => self.made(text.to_uppercase()),
            Lower => self.made(text.to_lowercase()),
            Trim => self.made(text.trim().to_string()),
            ToChars => {
                self.pay(text.len())?;
                Ok(text.chars().map(|letter| Item::text(letter.to_string())).collect())
            }
            Substring => self.substring(call, &text, frame),
            IndexOf | LastIndexOf | StartsWith | EndsWith | ContainsText | Split => {
                let Some(part) = self.text_arg(call, 0, frame)? else { return Ok(Items::None) };
                self.searched(call.function, &text, &part)
            }
            Replace => {
                let (from, to) = (self.text_arg(call, 0, frame)?, self.text_arg(call, 1, frame)?);
                let (Some(from), Some(to)) = (from, to) else { return Ok(Items::None) };
                self.pay_text(text.matches(&*from).count().saturating_mul(to.len()).saturating_add(text.len()))?;
                Ok(Items::One(Item::text(text.replace(&*from, &to))))
            }
            Matches | MatchesFull | ReplaceMatches => self.matched(call, &text, frame),
            _ => {
                let Some(form) = self.text_arg(call, 0, frame)? else { return Ok(Items::None) };
                self.pay_text(text.len() * 2)?;
                Ok(recoded(call.function, &text, &form).map(Item::text).into())
            }
        }
    }

    fn made(&self, text: String) -> Found<'a> {
        self.pay_text(text.len())?;
        Ok(Items::One(Item::text(text)))
    }

    fn join(&self, call: &'a Call, on: &Items<'a>, frame: &Frame<'_, 'a>) -> Found<'a> {
        let between = self.text_arg(call, 0, frame)?.unwrap_or_default();
        let mut parts: Vec<Cow<'a, str>> = Vec::new();
        for item in on.iter() {
            match self.simple(item) {
                Item::Text(text) => parts.push(text),
                _ => return Err(Failure::Wrong("`join()` is for texts".into())),
            }
        }
        self.pay_text(parts.iter().map(|part| part.len() + between.len()).sum())?;
        Ok(if parts.is_empty() { Items::None } else { Items::One(Item::text(parts.join(&between))) })
    }

    fn substring(&self, call: &'a Call, text: &str, frame: &Frame<'_, 'a>) -> Found<'a> {
        let Some(start) = self.whole_arg(call, 0, frame)? else { return Ok(Items::None) };
        let length = self.whole_arg(call, 1, frame)?;
        let Ok(start) = usize::try_from(start) else { return Ok(Items::None) };
        if start >= text.chars().count() {
            return Ok(Items::None);
        }
        let letters = text.chars().skip(start);
        match length {
            None => self.made(letters.collect()),
            Some(length) => self.made(letters.take(usize::try_from(length).unwrap_or(0)).collect()),
        }
    }

    fn searched(&self, function: Function, text: &str, part: &str) -> Found<'a> {
        let place = |at: Option<usize>| match at.and_then(|at| text.get(..at)) {
            Some(before) => whole(before.chars().count()),
            None => Items::One(Item::Integer(-1)),
        };
        let truth = |truth| Items::One(Item::Boolean(truth));
        Ok(match function {
            Function::IndexOf => place(text.find(part)),
            Function::LastIndexOf => place(text.rfind(part)),
            Function::StartsWith => truth(text.starts_with(part)),
            Function::EndsWith => truth(text.ends_with(part)),
            Function::ContainsText => truth(text.contains(part)),
            _ => {
                self.pay_text(text.len())?;
                let parts: Vec<&str> = text.split(part).collect();
                self.pay(parts.len())?;
                parts.into_iter().map(|part| Item::text(part.to_string())).collect()
            }
        })
    }

    fn matched(&self, call: &'a Call, text: &str, frame: &Frame<'_, 'a>) -> Found<'a> {
        let made;
        let regex = match &call.pattern {
            Some(pattern) => pattern,
            None => {
                let Some(written) = self.text_arg(call, 0, frame)? else { return Ok(Items::None) };
                // Compiling is the dear part.
                self.pay(1_000 + written.len())?;
                made = pattern(&written, call.function == Function::MatchesFull)
                    .map_err(|_| Failure::Wrong("expected a regular expression".into()))?;
                &made
            }
        };
        if call.function != Function::ReplaceMatches {
            return Ok(Items::One(Item::Boolean(regex.is_match(text))));
        }
        let Some(to) = self.text_arg(call, 1, frame)? else { return Ok(Items::None) };
        // An expression that matches nothing would match everywhere.
        if regex.as_str().is_empty() {
            return self.made(text.to_string());
        }
        // What is put in for each match, and the matches themselves as often as `$0` says them again.
        let (matches, said_again) = (regex.find_iter(text).count(), to.matches('$').count());
        let room = matches.saturating_mul(to.len()).saturating_add(said_again.saturating_mul(text.len()));
        self.pay_text(room.saturating_add(text.len()))?;
        Ok(Items::One(Item::text(regex.replace_all(text, &*to).into_owned())))
    }
}

fn whole<'a>(count: usize) -> Items<'a> {
    Items::One(Item::Integer(i32::try_from(count).unwrap_or(i32::MAX)))
}

fn described(item: &Item) -> String {
    item.system().map_or_else(|| "an element".into(), |system| format!("a {}", system.name()))
}

fn recoded(function: Function, text: &str, form: &str) -> Option<String> {
    let utf8 = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
    match (function, form) {
        (Function::Encode, "base64") => Some(STANDARD.encode(text)),
        (Function::Encode, "urlbase64") => Some(URL_SAFE.encode(text)),
        (Function::Encode, "hex") => Some(text.bytes().map(|byte| format!("{byte:02x}")).collect()),
        (Function::Decode, "base64") => STANDARD.decode(text).ok().and_then(utf8),
        (Function::Decode, "urlbase64") => URL_SAFE.decode(text).ok().and_then(utf8),
        (Function::Decode, "hex") => {
            let digits: Option<Vec<u8>> =
                text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
            let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
            utf8(digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect())
        }
        (Function::Escape, "html") => {
            Some(ENTITIES.iter().fold(text.to_string(), |text, (plain, entity)| text.replace(plain, entity)))
        }
        (Function::Unescape, "html") => {
            Some(ENTITIES.iter().rev().fold(text.to_string(), |text, (plain, entity)| text.replace(entity, plain)))
        }
        (Function::Escape, "json") => {
            let quoted = serde_json::to_string(text).ok()?;
            Some(quoted.strip_prefix('"')?.strip_suffix('"')?.to_string())
        }
        // A quote needs no escape where nothing is quoted.
        (Function::Unescape, "json") => serde_json::from_str(&format!("\"{}\"", quoted(text))).ok(),
        _ => None,
    }
}

/// The ampersand first, so that no entity is escaped twice.
const ENTITIES: [(&str, &str); 5] = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;")];

/// With each bare quote escaped, so that it can stand in JSON.
fn quoted(text: &str) -> String {
    let (mut out, mut is_escaped) = (String::with_capacity(text.len()), false);
    for letter in text.chars() {
        if letter == '"' && !is_escaped {
            out.push('\\');
        }
        is_escaped = letter == '\\' && !is_escaped;
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::fhir::fhirpath::tests::{all, none};

    #[test]
    fn texts_are_counted_in_characters() {
        all(&[
            ("'añb'.length()", "3"),
            ("'añb'.indexOf('b')", "2"),
            ("'añbñ'.lastIndexOf('ñ')", "3"),
            ("'añb'.indexOf('x')", "-1"),
            ("'añb'.substring(1)", "ñb"),
            ("'añb'.substring(1, 1)", "ñ"),
            ("'añb'.substring(1, 9)", "ñb"),
            ("'añb'.substring(3)", ""),
            ("'añb'.substring(-1)", ""),
            ("'añb'.toChars()", "a, ñ, b"),
            ("'Straße'.upper()", "STRASSE"),
            ("' a '.trim().length()", "1"),
            ("'a,,b'.split(',').count()", "3"),
            ("name.given.join('-')", "Ana-Maria-Nina"),
            ("{}.join('-')", ""),
            ("'abc'.replace('b', '') & 'abc'.replace('', '.')", "ac.a.b.c."),
            ("'12345'.startsWith('12') and '12345'.endsWith('45') and '12345'.contains('3')", "true"),
            ("'12345'.contains({})", ""),
            ("birthDate.length()", "7"),
            ("name[1].family.length() | name[1].family.abs() | name[1].family + 'a' | -name[1].family", ""),
        ]);
        none(&[
            ("name.first().length()", "is for texts"),
            ("name.given.length()", "found 3 items"),
            ("'a'.startsWith(1)", "takes a text"),
        ]);
    }

    #[test]
    fn regular_expressions_search_in_all_lines() {
        all(&[
            ("'FHIR'.matches('HI')", "true"),
            ("'FHIR'.matches('^HI$')", "false"),
            ("'FHIR'.matchesFull('FHI')", "false"),
            ("'FHIR'.matchesFull('FHI|.*R')", "true"),
            ("'A\\nB'.matches('A.B')", "true"),
            ("'a1b2'.replaceMatches('[0-9]', '-')", "a-b-"),
            ("'12/25'.replaceMatches('([0-9]+)/([0-9]+)', '$2.$1')", "25.12"),
            ("'abc'.replaceMatches('', 'x')", "abc"),
            ("'b'.matches('[' & 'a-c' & ']')", "true"),
            ("'b'.matches({})", ""),
        ]);
        none(&[("'b'.matches('[' & 'a')", "a regular expression")]);
    }

    #[test]
    fn texts_are_written_for_other_places_and_read_back() {
        let plain = "a<b>&\"?ñ";
        for (function, back, form) in [
            ("encode", "decode", "base64"),
            ("encode", "decode", "urlbase64"),
            ("encode", "decode", "hex"),
            ("escape", "unescape", "html"),
            ("escape", "unescape", "json"),
        ] {
            all(&[(&format!("'{plain}'.{function}('{form}').{back}('{form}')"), plain)]);
        }
        all(&[
            ("'a<'.escape('html')", "a&lt;"),
            ("'&amp;lt;'.unescape('html')", "&lt;"),
            ("'zz'.decode('hex') | 'é'.decode('base64') | 'a'.encode('rot13')", ""),
        ]);
    }
}
