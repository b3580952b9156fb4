//! Code systems that are a grammar rather than a list: languages, media types, units, and the check digits of
//! SNOMED CT and LOINC, whose lists are not ours to ship.

pub const LANGUAGES: &str = "urn:ietf:bcp:47";
pub const MEDIA_TYPES: &str = "urn:ietf:bcp:13";
pub const UNITS: &str = "http://unitsofmeasure.org";
pub const SNOMED: &str = "http://snomed.info/sct";
pub const LOINC: &str = "http://loinc.org";
const COUNTRIES: &str = "urn:iso:std:iso:3166";

/// Whether a code is a word of its system; `None` for a system that is no grammar, and where the grammar lets the
/// code pass and only a list could tell.
pub fn judge(system: &str, code: &str) -> Option<bool> {
    match system {
        LANGUAGES => Some(is_language(code)),
        MEDIA_TYPES => Some(is_media_type(code)),
        UNITS => unit(code),
        COUNTRIES if !is_country(code) => Some(false),
        SNOMED if !is_snomed(code) => Some(false),
        LOINC if code.contains(char::is_whitespace) => Some(false),
        _ => None,
    }
}

/// The check digit is wrong: a slip of the pen, or a code made up.
pub fn is_miswritten(system: &str, code: &str) -> bool {
    match system {
        SNOMED => code.bytes().all(|byte| byte.is_ascii_digit()) && !(6..=18).contains(&code.len()) || !verhoeff(code),
        LOINC => !loinc(code),
        _ => false,
    }
}

/// UCUM. The one place where units are read: until a reader of them is here, only what can be no unit is refused.
pub fn unit(code: &str) -> Option<bool> {
    let could_be = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_graphic());
    (!could_be).then_some(false)
}

/// BCP 47 by its shape (RFC 5646, 2.1); the registry of subtags is not asked.
fn is_language(code: &str) -> bool {
    let is = |part: &str, len: std::ops::RangeInclusive<usize>, alike: fn(&u8) -> bool| {
        len.contains(&part.len()) && part.as_bytes().iter().all(alike)
    };
    let mut parts = code.split('-').peekable();
    let first = parts.next().unwrap_or("");
    let is_private = first.eq_ignore_ascii_case("x") || first.eq_ignore_ascii_case("i");
    if is_private {
        return parts.peek().is_some() && parts.all(|part| is(part, 1..=8, u8::is_ascii_alphanumeric));
    }
    if !is(first, 2..=8, u8::is_ascii_alphabetic) {
        return false;
    }
    for _ in 0..3 {
        parts.next_if(|part| is(part, 3..=3, u8::is_ascii_alphabetic));
    }
    parts.next_if(|part| is(part, 4..=4, u8::is_ascii_alphabetic));
    parts.next_if(|part| is(part, 2..=2, u8::is_ascii_alphabetic) || is(part, 3..=3, u8::is_ascii_digit));
    let is_variant = |part: &str| {
        let short = is(part, 4..=4, u8::is_ascii_alphanumeric) && part.starts_with(|it: char| it.is_ascii_digit());
        short || is(part, 5..=8, u8::is_ascii_alphanumeric)
    };
    while parts.next_if(|part| is_variant(part)).is_some() {}
    // Extensions and private use: a letter or digit, then words.
    match parts.next() {
        None => true,
        Some(single) => {
            is(single, 1..=1, u8::is_ascii_alphanumeric)
                && parts.peek().is_some()
                && parts.all(|part| is(part, 1..=8, u8::is_ascii_alphanumeric))
        }
    }
}

/// BCP 13: `type/subtype` with parameters. R4 itself writes `json`, `xml` and `ttl` for short.
fn is_media_type(code: &str) -> bool {
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte))
    };
    let plain = code.split(';').next().unwrap_or("").trim();
    match plain.split_once('/') {
        Some((left, right)) => is_token(left) && is_token(right),
        None => matches!(code, "json" | "xml" | "ttl"),
    }
}

/// ISO 3166-1: two or three letters, or three digits.
fn is_country(code: &str) -> bool {
    let letters = code.bytes().all(|byte| byte.is_ascii_uppercase());
    (letters && matches!(code.len(), 2 | 3)) || (code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A concept's id, or an expression made of several.
fn is_snomed(code: &str) -> bool {
    let is_expression =
        code.contains(|letter: char| ":+|{=".contains(letter)) && code.contains(|it: char| it.is_ascii_digit());
    is_expression || !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit())
}

/// The check digit of an id of SNOMED CT (Verhoeff's dihedral scheme); an expression has none.
fn verhoeff(code: &str) -> bool {
    // Products of the symmetries of a pentagon: `r` turns, and from 5 on `r - 5` turns after a flip.
    let product = |left: u8, right: u8| match (left < 5, right < 5) {
        (true, true) => (left + right) % 5,
        (true, false) => 5 + (left + right) % 5,
        (false, true) => 5 + (left + 5 - right) % 5,
        (false, false) => (left + 5 - right) % 5,
    };
    const TURNED: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    if !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return true;
    }
    let mut sum = 0;
    for (place, byte) in code.bytes().rev().enumerate() {
        let turned = (0..place % 8).fold(byte - b'0', |digit, _| TURNED[usize::from(digit)]);
        sum = product(sum, turned);
    }
    sum == 0
}

/// `NNNNN-C` with a check digit by Luhn; answers, parts and lists, which begin with letters, are counted otherwise.
fn loinc(code: &str) -> bool {
    let Some((number, check)) = code.split_once('-') else { return false };
    if ["LA", "LP", "LL", "LG"].iter().any(|letters| number.starts_with(letters)) {
        return true;
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(number) || !is_number(check) || check.len() != 1 {
        return false;
    }
    let mut sum = 0_u32;
    for (place, byte) in number.bytes().rev().enumerate() {
        let doubled = u32::from(byte - b'0') * if place % 2 == 0 { 2 } else { 1 };
        sum += doubled / 10 + doubled % 10;
    }
    u32::from(check.as_bytes()[0] - b'0') == (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_media_types_and_countries_are_known_by_their_shape() {
        for (system, right, wrong) in [
            (
                LANGUAGES,
                &["en", "en-US", "zh-Hant-TW", "de-1996", "sl-rozaj-biske", "x-own", "es-419", "en-u-ca-iso8601"][..],
                &["", "e", "en_US", "english language", "en-", "en-US-US", "12"][..],
            ),
            (
                MEDIA_TYPES,
                &["text/plain", "application/fhir+json", "text/html; charset=utf-8", "json"],
                &["pdf", "text", "text/", "[x]/y", "a/b/c", ""],
            ),
            (UNITS, &[], &["", "mm Hg", "µg"]),
            (SNOMED, &[], &["276885007x", "", "asthma"]),
            (COUNTRIES, &[], &["us", "U", "USAA"]),
        ] {
            right.iter().for_each(|code| assert_eq!(judge(system, code), Some(true), "{system} {code}"));
            wrong.iter().for_each(|code| assert_eq!(judge(system, code), Some(false), "{system} {code}"));
        }
        for (system, code) in [
            (SNOMED, "73211009"),
            (SNOMED, "71388002:363704007=39607008"),
            (UNITS, "mm[Hg]"),
            (COUNTRIES, "US"),
            ("http://x", "?"),
        ] {
            assert_eq!(judge(system, code), None, "{system} {code}");
        }
    }

    #[test]
    fn a_slip_in_a_code_of_snomed_or_loinc_is_noticed() {
        for code in ["73211009", "446745002", "11840006", "56248011000036107", "71388002:363704007=39607008"] {
            assert!(!is_miswritten(SNOMED, code), "{code}");
        }
        for code in ["73211008", "74321009", "12", "37211009"] {
            assert!(is_miswritten(SNOMED, code), "{code}");
        }
        for code in ["8867-4", "85354-9", "88123-5", "LA6576-8", "LP21258-6", "2708-6"] {
            assert!(!is_miswritten(LOINC, code), "{code}");
        }
        for code in ["8867-5", "8876-4", "heart-rate", "88674", "85354-99"] {
            assert!(is_miswritten(LOINC, code), "{code}");
        }
        assert!(!is_miswritten("http://x", "8867-5"));
    }
}
