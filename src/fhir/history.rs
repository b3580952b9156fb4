//! What a caller asks of a history, read (FHIR R4 http.html#history).
//!
//! As in a search, nothing is ignored in silence: what is not known is a warning, or an error under
//! `handling=strict`; a value that cannot be read is an error either way.

use super::outcome::{Issue, Severity};
use super::search::Limits;
use super::time::{Instant, Interval, Zone};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// Written at this moment or later.
    pub since: Option<Instant>,
    /// Current at some moment of it.
    pub at: Option<Interval>,
    pub count: usize,
    /// The sealed page token, still closed.
    pub page: Option<String>,
    /// The parameters that were applied, for the `self` link.
    pub applied: Vec<(String, String)>,
    pub warnings: Vec<Issue>,
    /// The names of all that were sent.
    pub names: Vec<String>,
}

/// # Errors
/// Every value that cannot be read, and under `strict` every parameter that is not known.
pub fn read(pairs: &[(String, String)], zone: &Zone, limits: &Limits, strict: bool) -> Result<Asked, Vec<Issue>> {
    let names = pairs.iter().map(|(name, _)| name.clone()).collect();
    let mut asked = Asked { count: limits.count_default, names, ..Asked::default() };
    let mut errors = Vec::new();
    for (name, value) in pairs {
        let applied = match name.as_str() {
            "_count" => value
                .parse()
                .map(|count: usize| asked.count = count.clamp(1, limits.count_max))
                .map_err(|_| "a number of entries"),
            "_since" => moment(value, zone)
                .map(|interval| asked.since = Some(interval.start))
                .ok_or("an instant such as `2026-03-01T10:00:00Z`"),
            "_at" => moment(value, zone).map(|interval| asked.at = Some(interval)).ok_or("a date or an instant"),
            "_page" => {
                asked.page = Some(value.clone());
                continue;
            }
            "_format" | "_pretty" => continue,
            _ => {
                let text = format!("`{name}` is not a parameter of a history; it was not applied");
                let issue = Issue::error("not-supported", "parameter-unknown", text);
                if strict {
                    errors.push(issue);
                } else {
                    asked.warnings.push(Issue { severity: Severity::Warning, ..issue });
                }
                continue;
            }
        };
        match applied {
            Ok(()) => asked.applied.push((name.clone(), value.clone())),
            Err(expected) => {
                let text = format!("`{name}`: expected {expected}");
                errors.push(Issue::error("value", "parameter-value", text));
            }
        }
    }
    if errors.is_empty() { Ok(asked) } else { Err(errors) }
}

/// A moment or a day; `+` of an offset arrives as a space when a client forgets to encode it.
pub fn moment(text: &str, zone: &Zone) -> Option<Interval> {
    Interval::of(&text.replace(' ', "+"), zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn pairs(text: &str) -> Vec<(String, String)> {
        text.split('&').filter_map(|pair| pair.split_once('=')).map(|(n, v)| (n.into(), v.into())).collect()
    }

    #[test]
    fn what_is_not_applied_is_said() {
        let (zone, limits) = (Zone::utc(), Config::load(None).unwrap().search);
        let asked = read(&pairs("_count=5&_at=2026-03&_sort=x&_format=json"), &zone, &limits, false).unwrap();
        assert_eq!((asked.count, asked.warnings.len(), asked.applied.len()), (5, 1, 2));
        assert_eq!(asked.at, Interval::of("2026-03", &zone));
        for (text, wrong) in [("_sort=x", 1), ("_since=noon&_at=&_count=-1", 3), ("_since=2026-13", 1)] {
            assert_eq!(read(&pairs(text), &zone, &limits, true).unwrap_err().len(), wrong, "{text}");
        }
        assert_eq!(read(&pairs("_count=0"), &zone, &limits, true).unwrap().count, 1);
    }
}
