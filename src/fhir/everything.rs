//! What is asked of `Patient/$everything`, read (FHIR R4 patient-operation-everything.html).

use super::history::moment;
use super::outcome::{Issue, Severity};
use super::search::Limits;
use super::time::{Instant, Interval, Zone};

#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// From `start` to `end`: the dates of care.
    pub during: Option<Interval>,
    pub since: Option<Instant>,
    /// The types that are wanted; none means all.
    pub kinds: Vec<String>,
    pub count: usize,
    /// The sealed page token, still closed.
    pub page: Option<String>,
    /// The parameters that were applied, for the `self` link.
    pub applied: Vec<(String, String)>,
    pub warnings: Vec<Issue>,
    /// The names of all that were sent.
    pub names: Vec<String>,
    /// Whether an unknown type is an error (`handling=strict`).
    pub strict: bool,
}

/// # Errors
/// Every value that cannot be read, and under `strict` every parameter that is not known.
pub fn read(pairs: &[(String, String)], zone: &Zone, limits: &Limits, strict: bool) -> Result<Asked, Vec<Issue>> {
    let mut asked = Asked {
        during: None,
        since: None,
        kinds: Vec::new(),
        count: limits.count_max,
        page: None,
        applied: Vec::new(),
        warnings: Vec::new(),
        names: pairs.iter().map(|(name, _)| name.clone()).collect(),
        strict,
    };
    let mut errors = Vec::new();
    for (name, value) in pairs {
        let during = asked.during.unwrap_or(Interval::ALWAYS);
        let day = "a date such as `2026-03`, or a time with its offset";
        let read = match name.as_str() {
            "start" => moment(value, zone)
                .map(|found| asked.during = Some(Interval { start: found.start, ..during }))
                .ok_or(day),
            "end" => {
                moment(value, zone).map(|found| asked.during = Some(Interval { end: found.end, ..during })).ok_or(day)
            }
            "_since" => moment(value, zone)
                .map(|found| asked.since = Some(found.start))
                .ok_or("an instant such as `2026-03-01T10:00:00Z`"),
            "_count" => {
                value.parse().map(|count: usize| asked.count = count.clamp(1, limits.count_max)).map_err(|_| "a number")
            }
            "_type" => {
                asked.kinds.extend(value.split(',').map(str::trim).filter(|kind| !kind.is_empty()).map(str::to_string));
                Ok(())
            }
            "_page" => {
                asked.page = Some(value.clone());
                continue;
            }
            "_format" | "_pretty" => continue,
            _ => {
                let text = format!("`{name}` is not a parameter of this operation; it was not applied");
                let issue = Issue::error("not-supported", "parameter-unknown", text);
                if strict {
                    errors.push(issue);
                } else {
                    asked.warnings.push(Issue { severity: Severity::Warning, ..issue });
                }
                continue;
            }
        };
        match read {
            Ok(()) => asked.applied.push((name.clone(), value.clone())),
            Err(expected) => {
                let text = format!("`{name}`: expected {expected}");
                errors.push(Issue::error("value", "parameter-value", text));
            }
        }
    }
    if errors.is_empty() { Ok(asked) } else { Err(errors) }
}
