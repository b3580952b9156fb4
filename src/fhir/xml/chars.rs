//! Characters: which ones XML can carry, and how they are written (XML 1.0, 2.2, 3.3.3 and 4.1).

use std::borrow::Cow;

/// What an XML document can contain; U+0000 and most control characters cannot be said in it at all.
pub fn is_legal(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// An attribute's value as its reader sees it: references replaced, line breaks and tabs made spaces.
///
/// # Errors
/// What may not stand there.
pub fn decode(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    if !raw.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'\t' | b'\n' | b'\r')) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '<', '\t', '\n', '\r']) {
        out.push_str(&rest[..at]);
        let special = &rest[at..];
        rest = &special[1..];
        match special.as_bytes()[0] {
            b'<' => return Err("expected `&lt;` for `<` in an attribute"),
            b'&' => {
                let (name, behind) = rest.split_once(';').ok_or(ENTITY)?;
                out.push(reference(name).ok_or(ENTITY)?);
                rest = behind;
            }
            b'\r' => {
                out.push(' ');
                rest = rest.strip_prefix('\n').unwrap_or(rest);
            }
            _ => out.push(' '),
        }
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

pub const ENTITY: &str =
    "expected `&amp;`, `&lt;`, `&gt;`, `&quot;`, `&apos;` or a character as `&#160;`, and no other entity";

/// The character that `&name;` stands for, if it is one of XML's five or a legal character by its number.
pub fn reference(name: &str) -> Option<char> {
    let number = match name.strip_prefix('#') {
        None => {
            return match name {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                _ => None,
            };
        }
        Some(number) => number,
    };
    // `from_str_radix` would also take a sign.
    let read = |digits: &str, radix: u32| {
        let fits = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| char::from(byte).is_digit(radix));
        fits.then(|| u32::from_str_radix(digits, radix).ok()).flatten()
    };
    let number = match number.strip_prefix('x') {
        Some(hex) => read(hex, 16),
        None => read(number, 10),
    };
    number.and_then(char::from_u32).filter(|letter| is_legal(*letter))
}

/// How a character is written in a value: white space that a reader would change, and markup, by reference.
pub fn escaped(letter: char) -> Option<&'static str> {
    Some(match letter {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\t' => "&#9;",
        '\n' => "&#10;",
        '\r' => "&#13;",
        _ => return None,
    })
}

/// Writes a value, each character that XML cannot say as U+FFFD; answers whether there was one.
pub fn encode(text: &str, out: &mut String) -> bool {
    let mut has_illegal = false;
    for letter in text.chars() {
        match escaped(letter) {
            Some(escape) => out.push_str(escape),
            None if is_legal(letter) => out.push(letter),
            None => {
                has_illegal = true;
                out.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
    has_illegal
}
