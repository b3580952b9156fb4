//! The values of search parameters, read by type (FHIR R4 search.html#ptypes).

use crate::fhir::reference::{is_id, is_kind};
use crate::fhir::{Instant, Interval, Issue, Reference};

use super::query::{Prefix, Reading, Test};

/// Values between commas; `\,` is a comma, `\\`, `\|` and `\$` likewise (FHIR R4 search.html#escaping). The escape
/// before `|` stays for the reader of tokens.
pub fn alternatives(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match (letter, parts.last_mut()) {
            (',', _) => parts.push(String::new()),
            ('\\', Some(part)) => match letters.next() {
                Some('|') => part.push_str("\\|"),
                Some(escaped) => part.push(escaped),
                None => part.push('\\'),
            },
            (letter, Some(part)) => part.push(letter),
            (_, None) => {}
        }
    }
    parts
}

/// `code`, `system|code`, `|code` or `system|`.
pub fn token(text: &str) -> Test {
    let bar = text.match_indices('|').find(|(at, _)| *at == 0 || text.as_bytes()[at - 1] != b'\\').map(|(at, _)| at);
    let plain = |text: &str| text.replace("\\|", "|");
    let some = |text: &str| (!text.is_empty()).then(|| plain(text));
    match bar {
        None => Test::Token { system: None, code: some(text) },
        Some(at) => Test::Token { system: Some(plain(&text[..at])), code: some(&text[at + 1..]) },
    }
}

/// `Patient/7`, `7` where the type is known, or an address of elsewhere.
pub fn reference(
    name: &str,
    text: &str,
    modifier: Option<&str>,
    targets: &[String],
    unsupported: impl Fn() -> Issue,
) -> Result<Test, Issue> {
    let kind = match modifier {
        None => None,
        Some(kind) if is_kind(kind) => Some(kind.to_string()),
        Some(_) => return Err(unsupported()),
    };
    match Reference::parse(text) {
        Reference::Relative { kind: found, id, .. } if kind.as_deref().is_none_or(|kind| kind == found) => {
            Ok(Test::Reference { kind: Some(found.to_string()), id: id.to_string() })
        }
        Reference::Relative { .. } => Err(unreadable(name, "a reference of the type that the parameter names")),
        // `patient=7`: the type is known where a parameter has one target.
        Reference::Other(id) if is_id(id) => {
            let only = if targets.len() == 1 { targets.first().cloned() } else { None };
            let kind = kind.or(only).or_else(|| (name == "patient").then(|| "Patient".to_string()));
            Ok(Test::Reference { kind, id: id.to_string() })
        }
        Reference::Contained(_) => Err(unreadable(name, "a reference such as `Patient/7`")),
        other => Ok(Test::Reference { kind: Some(String::new()), id: other.key() }),
    }
}

/// A prefix and the interval that a date or time stands for.
pub fn date(name: &str, text: &str, with: &Reading) -> Result<(Prefix, Interval), Issue> {
    let (prefix, rest) = Prefix::split(text);
    // `+` of an offset arrives as a space when a client forgets to encode it.
    let rest = rest.replace(' ', "+");
    let found = Interval::of(&rest, with.zone).or_else(|| {
        // A time without an offset is in the exchange's zone (rules.md 29).
        let local = rest.contains('T').then(|| Interval::of(&format!("{rest}Z"), with.zone))??;
        with.zone.shift(local)
    });
    let interval =
        found.ok_or_else(|| unreadable(name, "a date such as `2026-03`, or a time such as `2026-03-01T10:00:00Z`"))?;
    if prefix == Prefix::Ap {
        let slack = (with.now.0 - interval.start.0).abs() / 10;
        let wide = Interval { start: Instant(interval.start.0 - slack), end: Instant(interval.end.0 + slack) };
        return Ok((prefix, wide));
    }
    Ok((prefix, interval))
}

/// A number stands for all that round to it (FHIR R4 search.html#number).
pub fn range(text: &str) -> Option<(f64, f64)> {
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    let mantissa = text.split(['e', 'E']).next()?;
    let decimals = mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let exponent: i32 = text.split(['e', 'E']).nth(1).map_or(Some(0), |text| text.parse().ok())?;
    let half = 0.5 * 10_f64.powi(exponent.checked_sub(i32::try_from(decimals).ok()?)?);
    Some((value - half, value + half))
}

/// `5.4|http://unitsofmeasure.org|mg`, with a prefix.
pub fn quantity(name: &str, text: &str) -> Result<Test, Issue> {
    let (prefix, rest) = Prefix::split(text);
    let mut parts = rest.splitn(3, '|');
    let number = parts.next().and_then(range);
    let (low, high) =
        number.ok_or_else(|| unreadable(name, "a quantity such as `5.4|http://unitsofmeasure.org|mg`"))?;
    let (system, code) = (parts.next(), parts.next());
    let some = |text: &str| (!text.is_empty()).then(|| text.to_string());
    Ok(Test::Quantity { prefix, low, high, system: system.and_then(some), code: code.and_then(some) })
}

/// A parameter or modifier that is not known: a warning, or an error when handling is strict.
pub fn unknown(name: &str, why: &str) -> Issue {
    Issue::error("not-supported", "parameter-unknown", format!("`{name}` {why}; it was not applied"))
}

/// A value that cannot be read: an error either way.
pub fn unreadable(name: &str, expected: &str) -> Issue {
    Issue::error("value", "parameter-value", format!("`{name}`: expected {expected}"))
}
