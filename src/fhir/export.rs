//! What is asked of a bulk export, read (Bulk Data Access 2.0, export.html#query-parameters).
//!
//! What is not supported is an error, as the guide has it; under `handling=lenient` it is left out, and the
//! manifest's error file says so.

use url::form_urlencoded;

use super::history::moment;
use super::outcome::{Issue, Severity};
use super::reference::{Reference, is_id, is_kind};
use super::time::{Instant, Zone};

/// The parameters of a query.
pub type Pairs = Vec<(String, String)>;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    pub since: Option<Instant>,
    /// The types that are wanted; none means all.
    pub kinds: Vec<String>,
    /// `_typeFilter`: a type and the pairs of a search; one type's are alternatives.
    pub filters: Vec<(String, Pairs)>,
    /// The people that are wanted, by id; none means all.
    pub patients: Vec<String>,
    pub warnings: Vec<Issue>,
    /// The names of all that were sent.
    pub names: Vec<String>,
    /// Whether an unknown type is an error (`handling=strict`).
    pub strict: bool,
}

/// Most filters of one export.
const FILTERS_MAX: usize = 64;

/// Parameters of a search that shape an answer and select nothing.
const NO_FILTERS: [&str; 12] = [
    "_sort",
    "_count",
    "_page",
    "_summary",
    "_elements",
    "_include",
    "_revinclude",
    "_include:iterate",
    "_revinclude:iterate",
    "_total",
    "_format",
    "_contained",
];

/// # Errors
/// Every value that cannot be read; every parameter that is not supported, unless `lenient`.
pub fn read(pairs: &[(String, String)], zone: &Zone, lenient: bool) -> Result<Asked, Vec<Issue>> {
    let mut asked = Asked { names: pairs.iter().map(|(name, _)| name.clone()).collect(), ..Asked::default() };
    let mut errors = Vec::new();
    let wrong =
        |name: &str, expected: &str| Issue::error("value", "parameter-value", format!("`{name}`: expected {expected}"));
    for (name, value) in pairs {
        match name.as_str() {
            "_outputFormat" => {
                let known = ["application/fhir+ndjson", "application/ndjson", "ndjson"];
                // `+` arrives as a space when a client forgets to encode it.
                if !known.contains(&value.replace(' ', "+").as_str()) {
                    errors.push(wrong(name, "`application/fhir+ndjson`, the format of the files here"));
                }
            }
            "_since" => match moment(value, zone) {
                Some(found) => asked.since = Some(found.start),
                None => errors.push(wrong(name, "an instant such as `2026-03-01T10:00:00Z`")),
            },
            "_type" => {
                let kinds = value.split(',').map(str::trim).filter(|kind| !kind.is_empty());
                asked.kinds.extend(kinds.map(str::to_string));
            }
            "_typeFilter" => match filters(value) {
                Ok(found) => asked.filters.extend(found),
                Err(expected) => errors.push(wrong(name, expected)),
            },
            "patient" => {
                let id = Reference::parse(value).id_of("Patient").or(is_id(value).then_some(value.as_str()));
                match id {
                    Some(id) => asked.patients.push(id.to_string()),
                    None => errors.push(wrong(name, "a reference such as `Patient/7`")),
                }
            }
            "_format" | "_pretty" => {}
            _ => {
                let text = format!("`{name}` is not supported by an export here; it was not applied");
                let issue = Issue::error("not-supported", "parameter-unknown", text);
                if lenient {
                    asked.warnings.push(Issue { severity: Severity::Warning, ..issue });
                } else {
                    errors.push(issue);
                }
            }
        }
    }
    if asked.filters.len() > FILTERS_MAX {
        let text = format!("an export has at most {FILTERS_MAX} filters, found {}", asked.filters.len());
        errors.push(Issue::error("too-costly", "query-too-long", text));
    }
    let unwanted = |kind: &String| !asked.kinds.is_empty() && !asked.kinds.contains(kind);
    if asked.filters.iter().any(|(kind, _)| unwanted(kind)) {
        errors.push(wrong("_typeFilter", "filters of types that `_type` names"));
    }
    if errors.is_empty() { Ok(asked) } else { Err(errors) }
}

/// `Type?a=b&c=d`, several between commas. A comma inside of one is encoded once more (`%2C`); where it was not, what
/// follows it does not begin like a filter and still belongs to the one before.
fn filters(value: &str) -> Result<Vec<(String, Pairs)>, &'static str> {
    let mut texts: Vec<String> = Vec::new();
    for part in value.split(',') {
        let begins = part.split_once('?').is_some_and(|(kind, _)| is_kind(kind));
        match texts.last_mut() {
            Some(before) if !begins => {
                before.push(',');
                before.push_str(part);
            }
            _ => texts.push(part.to_string()),
        }
    }
    let filter = |text: &String| {
        let expected = "queries such as `Task?status=requested`";
        let (kind, query) = text.split_once('?').filter(|(kind, _)| is_kind(kind)).ok_or(expected)?;
        let pairs: Pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if pairs.is_empty() {
            return Err(expected);
        }
        if pairs.iter().any(|(name, _)| NO_FILTERS.contains(&name.as_str())) {
            return Err("queries that select: no `_sort`, `_count`, `_include` or other shape of an answer");
        }
        Ok((kind.to_string(), pairs))
    };
    texts.iter().map(filter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn filters_are_split_however_their_commas_were_written() {
        for (text, expected) in [
            ("Task?status=requested", &["Task status=requested"][..]),
            ("Task?status=a,Goal?x=1&y=2", &["Task status=a", "Goal x=1 y=2"]),
            ("Task?status=a%2Cb,Task?code=c", &["Task status=a,b", "Task code=c"]),
            ("Task?status=a,b", &["Task status=a,b"]),
        ] {
            let asked = read(&pairs(&[("_typeFilter", text)]), &Zone::utc(), false).unwrap();
            let said: Vec<String> = asked
                .filters
                .iter()
                .map(|(kind, pairs)| pairs.iter().fold(kind.clone(), |said, (n, v)| format!("{said} {n}={v}")))
                .collect();
            assert_eq!(said, expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_supported_is_an_error_or_a_note() {
        let sent = pairs(&[("_elements", "id"), ("includeAssociatedData", "x"), ("organizeOutputBy", "Patient")]);
        assert_eq!(read(&sent, &Zone::utc(), false).unwrap_err().len(), 3);
        assert_eq!(read(&sent, &Zone::utc(), true).unwrap().warnings.len(), 3);
        for wrong in [
            ("_since", "noon"),
            ("_outputFormat", "csv"),
            ("_typeFilter", "status=x"),
            ("_typeFilter", "Task?"),
            ("_typeFilter", "Task?_sort=x"),
            ("patient", "Group/1"),
        ] {
            assert_eq!(read(&pairs(&[wrong]), &Zone::utc(), true).unwrap_err().len(), 1, "{wrong:?}");
        }
        assert!(read(&pairs(&[("_type", "Goal"), ("_typeFilter", "Task?status=x")]), &Zone::utc(), true).is_err());
    }
}
