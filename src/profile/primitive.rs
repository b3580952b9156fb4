//! The formats of FHIR's primitive types (R4 datatypes.html#primitive).

use std::fmt;

use serde_json::Value;

use crate::fhir::reference::is_id;
use crate::fhir::{Interval, Zone};

/// R4 datatypes.html#string: "Strings SHALL NOT exceed 1MB (1024*1024 characters) in size".
const STRING_CHARS_MAX: usize = 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Primitive {
    Boolean,
    Integer,
    PositiveInt,
    UnsignedInt,
    Decimal,
    String,
    Markdown,
    Code,
    Id,
    Oid,
    Uuid,
    Uri,
    Url,
    Canonical,
    Date,
    DateTime,
    Instant,
    Time,
    Base64Binary,
    Xhtml,
}

use Primitive::*;

const NAMES: [(&str, Primitive); 20] = [
    ("boolean", Boolean),
    ("integer", Integer),
    ("positiveInt", PositiveInt),
    ("unsignedInt", UnsignedInt),
    ("decimal", Decimal),
    ("string", String),
    ("markdown", Markdown),
    ("code", Code),
    ("id", Id),
    ("oid", Oid),
    ("uuid", Uuid),
    ("uri", Uri),
    ("url", Url),
    ("canonical", Canonical),
    ("date", Date),
    ("dateTime", DateTime),
    ("instant", Instant),
    ("time", Time),
    ("base64Binary", Base64Binary),
    ("xhtml", Xhtml),
];

/// Why a value is none of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// It is another JSON type than this.
    Json(&'static str),
    /// It is of the right JSON type, and not of this format.
    Format(&'static str),
}

impl fmt::Display for Primitive {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(NAMES.iter().find(|(_, known)| known == self).map_or("", |(name, _)| name))
    }
}

impl Primitive {
    pub fn named(name: &str) -> Option<Primitive> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, primitive)| *primitive)
    }

    /// # Errors
    /// What was expected instead.
    pub fn check(self, value: &Value) -> Result<(), Misfit> {
        match (self, value) {
            (Boolean, Value::Bool(_)) => Ok(()),
            (Boolean, _) => Err(Misfit::Json("`true` or `false`")),
            (Integer | PositiveInt | UnsignedInt | Decimal, Value::Number(number)) => {
                self.check_number(&number.to_string())
            }
            (Integer | PositiveInt | UnsignedInt | Decimal, _) => Err(Misfit::Json("a JSON number")),
            (_, Value::String(text)) => self.check_text(text).map_err(Misfit::Format),
            _ => Err(Misfit::Json("a JSON string")),
        }
    }

    fn check_number(self, text: &str) -> Result<(), Misfit> {
        let least: i32 = match self {
            Integer => i32::MIN,
            PositiveInt => 1,
            UnsignedInt => 0,
            _ => return Ok(()),
        };
        let fits = text.parse::<i32>().is_ok_and(|number| number >= least) && text != "-0";
        fits.then_some(()).ok_or(Misfit::Format(match self {
            PositiveInt => "a whole number from 1 to 2147483647",
            UnsignedInt => "a whole number from 0 to 2147483647",
            _ => "a whole number of 32 bits",
        }))
    }

    fn check_text(self, text: &str) -> Result<(), &'static str> {
        let (holds, expected) = match self {
            String | Markdown => {
                if text.len() > STRING_CHARS_MAX && text.chars().count() > STRING_CHARS_MAX {
                    return Err("at most 1 MB of text");
                }
                // FHIR R4 datatypes.html#string: tab, line feed and carriage return are the only ones.
                let is_control = |letter: char| letter < ' ' && !matches!(letter, '\t' | '\n' | '\r');
                (!text.is_empty() && !text.contains(is_control), "text that is not empty, without control characters")
            }
            Code => (is_code(text), "a code without spaces around or doubled inside"),
            Id => (is_id(text), "1 to 64 of letters, digits, `-` and `.`"),
            Oid => (text.strip_prefix("urn:oid:").is_some_and(is_oid), "an OID as `urn:oid:1.2.3`"),
            Uuid => (text.strip_prefix("urn:uuid:").is_some_and(is_uuid), "a UUID as `urn:uuid:`, in lower case"),
            Uri | Url | Canonical => (!text.is_empty() && !text.contains(char::is_whitespace), "a URI without spaces"),
            Date => (is_date(text), "a date of the calendar as `YYYY`, `YYYY-MM` or `YYYY-MM-DD`"),
            DateTime => (
                is_date(text) || is_moment(text),
                "a date of the calendar, or one with time and offset as `YYYY-MM-DDThh:mm:ss+zz:zz`",
            ),
            Instant => {
                (is_moment(text), "a date of the calendar with time and offset as `YYYY-MM-DDThh:mm:ss.sss+zz:zz`")
            }
            Time => (is_time(text), "a time as `hh:mm:ss`"),
            Base64Binary => (is_base64(text), "base64"),
            Xhtml => (is_narrative(text), "XHTML in one `<div>`, without scripts, forms, frames or event attributes"),
            Boolean | Integer | PositiveInt | UnsignedInt | Decimal => (false, "a value that is no text"),
        };
        if holds { Ok(()) } else { Err(expected) }
    }

    /// Its text is a code or an address, which a message may quote.
    pub fn may_be_quoted(self) -> bool {
        matches!(self, Boolean | Code | Uri | Canonical)
    }
}

fn is_code(text: &str) -> bool {
    let mut space = true;
    for letter in text.chars() {
        if letter.is_whitespace() && space {
            return false;
        }
        space = letter.is_whitespace();
    }
    !space
}

fn is_oid(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'))
    };
    text.contains('.')
        && text.starts_with(['0', '1', '2'])
        && text.split('.').all(part)
        && text.as_bytes().get(1) == Some(&b'.')
}

fn is_uuid(text: &str) -> bool {
    let hex = |part: &str, width: usize| {
        part.len() == width && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == 5 && parts.iter().zip([8, 4, 4, 4, 12]).all(|(part, width)| hex(part, width))
}

fn is_date(text: &str) -> bool {
    matches!(text.len(), 4 | 7 | 10) && !text.starts_with("0000") && Interval::of(text, &Zone::utc()).is_some()
}

/// A dateTime with seconds and offset; `Interval` knows the calendar, the shape is held here.
fn is_moment(text: &str) -> bool {
    let Some((_, rest)) = text.split_once('T') else { return false };
    let (clock, offset) = match (rest.strip_suffix('Z'), rest.rfind(['+', '-'])) {
        (Some(clock), _) => (clock, ""),
        (None, Some(at)) => rest.split_at(at),
        (None, None) => return false,
    };
    is_time(clock) && (offset.is_empty() || is_offset(offset)) && Interval::of(text, &Zone::utc()).is_some()
}

fn is_offset(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |at: usize| -> Option<u8> { bytes.get(at..at + 2)?.iter().try_fold(0, |sum, byte| digit(sum, *byte)) };
    match (bytes.len(), bytes.get(3), digits(1), digits(4)) {
        (6, Some(b':'), Some(hours), Some(minutes)) => (hours < 14 && minutes < 60) || (hours == 14 && minutes == 0),
        _ => false,
    }
}

fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let pair = |at: usize| -> Option<u8> { bytes.get(at..at + 2)?.iter().try_fold(0, |sum, byte| digit(sum, *byte)) };
    let colons = bytes.get(2) == Some(&b':') && bytes.get(5) == Some(&b':');
    let fits = matches!((pair(0), pair(3), pair(6)), (Some(h), Some(m), Some(s)) if h < 24 && m < 60 && s <= 60);
    let fraction = match bytes.get(8) {
        None => true,
        Some(b'.') => bytes.len() > 9 && bytes[9..].iter().all(u8::is_ascii_digit),
        Some(_) => false,
    };
    colons && fits && fraction
}

fn digit(sum: u8, byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| sum * 10 + (byte - b'0'))
}

fn is_base64(text: &str) -> bool {
    let (mut letters, mut padding) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => letters += 1,
            b'=' => padding += 1,
            b' ' | b'\r' | b'\n' | b'\t' => {}
            _ => return false,
        }
    }
    letters > 0 && padding <= 2 && (letters + padding).is_multiple_of(4)
}

/// A cheap guard, not an XHTML parser: one div, and none of the tags and attributes that could act
/// (R4 narrative.html#Narrative).
fn is_narrative(text: &str) -> bool {
    const FORBIDDEN: [&str; 12] =
        ["script", "iframe", "frame", "frameset", "form", "input", "object", "embed", "base", "link", "head", "body"];
    let text = text.trim();
    if !text.starts_with("<div") || !text.ends_with('>') || !text[4..].starts_with([' ', '>', '/', '\n', '\t', '\r']) {
        return false;
    }
    text.split('<').skip(1).all(|tag| {
        let tag = tag.split('>').next().unwrap_or("").to_ascii_lowercase();
        let name = tag.trim_start_matches('/').split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or("");
        let acts = tag.split(|c: char| c.is_whitespace() || c == '"' || c == '\'' || c == '/').any(|word| {
            word.strip_prefix("on").is_some_and(|rest| {
                rest.split_once('=').is_some_and(|(event, _)| event.bytes().all(|b| b.is_ascii_alphabetic()))
            })
        });
        !FORBIDDEN.contains(&name) && !acts && !tag.contains("javascript:")
    })
}
