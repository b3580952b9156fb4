//! The values of search parameters, read by type (FHIR R4 search.html#ptypes).

use crate::fhir::reference::is_id;
use crate::fhir::{Instant, Interval, Issue, Reference};

use super::criterion::{Prefix, Test};
use super::extract::fold;
use super::query::Reading;

/// Along a meridian of a sphere of the earth's mean radius, 6371 km.
const KM_PER_DEGREE: f64 = 111.195;
/// Most addresses above one.
const URIS_MAX: usize = 32;
/// Most codes that one value may stand for.
const CODES_MAX: usize = 1_000;

/// Values between commas; `\,` is a comma, `\\`, `\|` and `\$` likewise (FHIR R4 search.html#escaping). The escapes
/// before `|` and `$` stay for the readers of tokens and of composites.
pub fn alternatives(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match (letter, parts.last_mut()) {
            (',', _) => parts.push(String::new()),
            ('\\', Some(part)) => match letters.next() {
                Some(mark @ ('|' | '$')) => part.extend(['\\', mark]),
                Some(escaped) => part.push(escaped),
                None => part.push('\\'),
            },
            (letter, Some(part)) => part.push(letter),
            (_, None) => {}
        }
    }
    parts
}

/// Texts around a mark that is not escaped; the escapes before other marks stay.
fn split_at_mark(text: &str, mark: char) -> Vec<&str> {
    let (mut parts, mut from) = (Vec::new(), 0);
    for (at, _) in text.match_indices(mark) {
        if at == 0 || text.as_bytes()[at - 1] != b'\\' {
            parts.push(&text[from..at]);
            from = at + 1;
        }
    }
    parts.push(&text[from..]);
    parts
}

fn plain(text: &str) -> String {
    text.replace("\\|", "|").replace("\\$", "$")
}

/// The values of a composite, `8480-6$gt140`.
pub fn parts(text: &str) -> Vec<String> {
    split_at_mark(text, '$').into_iter().map(str::to_string).collect()
}

pub fn text(text: &str) -> Test {
    Test::TextStarts(fold(&plain(text)))
}

pub fn word(text: &str) -> Test {
    Test::Word(fold(&plain(text)))
}

pub fn text_within(text: &str) -> Test {
    Test::TextContains(fold(&plain(text)))
}

/// Every address above one: itself, and what is left of it at each `/` (FHIR R4 search.html#uri, `:above`).
pub fn uris_above(text: &str) -> Vec<String> {
    let mut found = vec![text.to_string()];
    for (at, _) in text.match_indices('/').filter(|(at, _)| *at > 0 && !text[..*at].ends_with([':', '/'])) {
        found.extend([text[..at].to_string(), text[..=at].to_string()]);
    }
    found.dedup();
    // The nearest ones; an address has no more parts than that.
    found.split_off(found.len().saturating_sub(URIS_MAX))
}

/// `:of-type`, an identifier by the type that it has: `system|code|value`.
pub fn of_type(name: &str, text: &str) -> Result<Test, Issue> {
    match split_at_mark(text, '|').as_slice() {
        [system, code, value] if !code.is_empty() && !value.is_empty() => Ok(Test::Token {
            system: Some(plain(system)).filter(|system| !system.is_empty()),
            code: Some(format!("{}|{}", plain(code), plain(value))),
        }),
        _ => Err(unreadable(name, "a type's system, its code and the value, with `|` between them")),
    }
}

/// `:in` and `:not-in` a value set, `:below` and `:above` a code.
pub fn codes(name: &str, modifier: &str, text: &str, with: &Reading) -> Result<Vec<Test>, Issue> {
    let found = if modifier.ends_with("in") {
        with.definitions.expansion(text)
    } else {
        let parts = split_at_mark(text, '|');
        let [system, code] = parts.as_slice() else {
            return Err(unreadable(name, "a code with its system, `system|code`"));
        };
        let (system, code) = (plain(system), plain(code));
        let codes = if modifier == "below" {
            with.definitions.below(&system, &code)
        } else {
            with.definitions.above(&system, &code)
        };
        codes.map(|codes| vec![(system, codes)])
    };
    let found = found.ok_or_else(|| {
        let what = if modifier.ends_with("in") { "value set" } else { "code system" };
        let text =
            format!("`{}`: the codes of that {what} are not at hand here, so it cannot be searched by", short(name));
        Issue::error("not-found", "codes-unknown", text)
    })?;
    if found.iter().map(|(_, codes)| codes.len()).sum::<usize>() > CODES_MAX {
        let text = format!("`{}`: a search looks for at most {CODES_MAX} codes at once", short(name));
        return Err(Issue::error("too-costly", "query-too-long", text));
    }
    Ok(found.into_iter().map(|(system, codes)| Test::Codes { system, codes }).collect())
}

/// `code`, `system|code`, `|code` or `system|`.
pub fn token(text: &str) -> Test {
    let bar = text.match_indices('|').find(|(at, _)| *at == 0 || text.as_bytes()[at - 1] != b'\\').map(|(at, _)| at);
    let some = |text: &str| (!text.is_empty()).then(|| plain(text));
    match bar {
        None => Test::Token { system: None, code: some(text) },
        Some(at) => Test::Token { system: Some(plain(&text[..at])), code: some(&text[at + 1..]) },
    }
}

/// `Patient/7`, `7` where the type is known, or an address of elsewhere; our own address is as good as none.
pub fn reference(
    name: &str,
    text: &str,
    kind: Option<&str>,
    targets: &[String],
    with: &Reading,
) -> Result<Test, Issue> {
    let text = plain(text);
    let own = text.strip_prefix(with.base).and_then(|rest| rest.strip_prefix('/')).filter(|_| !with.base.is_empty());
    match Reference::parse(own.unwrap_or(&text)) {
        Reference::Relative { kind: found, id, .. } if kind.is_none_or(|kind| kind == found) => {
            Ok(Test::Reference { kind: Some(found.to_string()), id: id.to_string() })
        }
        Reference::Relative { .. } => Err(unreadable(name, "a reference of the type that the parameter names")),
        // `patient=7`: the type is known where a parameter has one target.
        Reference::Other(id) if is_id(id) => {
            let only = if targets.len() == 1 { targets.first().cloned() } else { None };
            let kind = kind.map(str::to_string).or(only);
            let kind = kind.or_else(|| (name == "patient").then(|| "Patient".to_string()));
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

pub fn number(name: &str, text: &str) -> Result<Test, Issue> {
    let (prefix, rest) = Prefix::split(text);
    let (low, high) = range(rest).ok_or_else(|| unreadable(name, "a number"))?;
    Ok(Test::Number(prefix, low, high))
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

/// `latitude|longitude|distance|units`, as the square around the circle (FHIR R4 location.html, `near`). Kilometres,
/// and 50 of them, when nothing else is said.
pub fn near(name: &str, text: &str) -> Result<Test, Issue> {
    let expected = "a position such as `42.36|-71.06|11.2|km`, with a distance in km, m or [mi_us]";
    let parts: Vec<&str> = text.split('|').collect();
    let number = |at: usize| parts.get(at).filter(|text| !text.is_empty()).map(|text| text.parse::<f64>().ok());
    let inside = |value: Option<Option<f64>>, bound: f64| value.flatten().filter(|value| value.abs() <= bound);
    let (latitude, longitude) = (inside(number(0), 90.0), inside(number(1), 180.0));
    let distance = number(2).unwrap_or(Some(50.0)).filter(|distance| distance.is_finite() && *distance >= 0.0);
    let km = match parts.get(3).copied().unwrap_or("km") {
        "" | "km" => Some(1.0),
        "m" => Some(0.001),
        "[mi_us]" | "[mi_i]" | "mi" => Some(1.609_344),
        _ => None,
    };
    let (Some(latitude), Some(longitude), Some(distance), Some(km), true) =
        (latitude, longitude, distance, km, parts.len() <= 4)
    else {
        return Err(unreadable(name, expected));
    };
    let height = distance * km / KM_PER_DEGREE;
    let latitudes = (latitude - height, latitude + height);
    // Degrees of longitude shrink towards the poles, where they say nothing any more.
    let width = height / latitude.to_radians().cos().max(1e-6);
    let (west, east) = (longitude - width, longitude + width);
    let longitudes = if width >= 180.0 {
        vec![(-180.0, 180.0)]
    } else if west < -180.0 {
        vec![(-180.0, east), (west + 360.0, 180.0)]
    } else if east > 180.0 {
        vec![(west, 180.0), (-180.0, east - 360.0)]
    } else {
        vec![(west, east)]
    };
    Ok(Test::Near { latitudes, longitudes })
}

/// A parameter or modifier that is not known: a warning, or an error when handling is strict.
pub fn unknown(name: &str, why: &str) -> Issue {
    Issue::error("not-supported", "parameter-unknown", format!("`{}` {why}; it was not applied", short(name)))
}

/// A value that cannot be read: an error either way.
pub fn unreadable(name: &str, expected: &str) -> Issue {
    Issue::error("value", "parameter-value", format!("`{}`: expected {expected}", short(name)))
}

/// A name as it may be repeated in an answer.
pub fn short(name: &str) -> String {
    name.chars().take(80).collect()
}
