//! Criteria: search parameters that pick one resource, for a write that hangs on what is there
//! (FHIR R4 http.html#ccreate, #cond-update, #cdelete, and conditional references in transactions).
//!
//! They are read strictly: what is not understood would match too much.

use url::form_urlencoded;

use super::query::{Query, Reading};
use crate::fhir::Issue;
use crate::fhir::reference::is_kind;

/// Parameters that say what an answer looks like, and pick nothing.
const OF_ANSWERS: [&str; 14] = [
    "_count",
    "_contained",
    "_containedType",
    "_elements",
    "_format",
    "_include",
    "_maxresults",
    "_page",
    "_pretty",
    "_revinclude",
    "_sort",
    "_summary",
    "_total",
    "_totalMethod",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criteria {
    kind: String,
    pairs: Vec<(String, String)>,
}

impl Criteria {
    pub fn new(kind: &str, pairs: Vec<(String, String)>) -> Criteria {
        Criteria { kind: kind.to_string(), pairs }
    }

    /// `identifier=s|v`, as it stands in `If-None-Exist`; some send the `?` or the type before it too.
    pub fn of(kind: &str, query: &str) -> Criteria {
        let query = query.trim();
        let query = query.strip_prefix(kind).filter(|rest| rest.starts_with('?')).unwrap_or(query);
        let pairs = form_urlencoded::parse(query.trim_start_matches('?').as_bytes()).into_owned().collect();
        Criteria { kind: kind.to_string(), pairs }
    }

    /// `Patient?identifier=s|v`; `None` for what is no search.
    pub fn parse(text: &str) -> Option<Criteria> {
        let (kind, query) = text.split_once('?')?;
        is_kind(kind).then(|| Criteria::of(kind, query))
    }

    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The same for all who mean the same, whatever order they say it in.
    pub fn normal(&self) -> String {
        let mut pairs: Vec<&(String, String)> = self.pairs.iter().collect();
        pairs.sort();
        pairs.dedup();
        form_urlencoded::Serializer::new(format!("{}?", self.kind)).extend_pairs(pairs).finish()
    }

    /// Whether they name one business identifier with its system: two resources should not have it in common.
    pub fn names_identifier(&self) -> bool {
        self.pairs.iter().any(|(name, value)| {
            let parts = value.split_once('|').filter(|_| !value.contains(','));
            name == "identifier" && parts.is_some_and(|(system, value)| !system.is_empty() && !value.is_empty())
        })
    }

    /// # Errors
    /// Every parameter that is not known, cannot be read, or picks nothing; that there is none.
    pub fn read(&self, with: &Reading) -> Result<Query, Vec<Issue>> {
        let mut issues: Vec<Issue> = self
            .pairs
            .iter()
            .filter(|(name, _)| OF_ANSWERS.contains(&name.split(':').next().unwrap_or("")))
            .map(|(name, _)| {
                let text = format!("`{name}` picks no resource: criteria are search parameters alone");
                Issue::error("not-supported", "criteria", text)
            })
            .collect();
        if self.pairs.is_empty() {
            let text = "expected criteria such as `identifier=system|value`";
            issues.push(Issue::error("required", "criteria", text));
        }
        let query = Query::read(std::slice::from_ref(&self.kind), &self.pairs, &Reading { strict: true, ..*with });
        match query {
            Ok(query) if issues.is_empty() => Ok(query),
            Ok(_) => Err(issues),
            Err(more) => {
                issues.extend(more);
                Err(issues)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criteria_are_the_same_however_they_are_written() {
        let normal = |text: &str| Criteria::parse(text).unwrap().normal();
        assert_eq!(normal("Patient?a=1&b=x%7Cy"), normal("Patient?b=x|y&a=1&a=1"));
        assert_ne!(normal("Patient?a=1"), normal("Group?a=1"));
        for text in ["identifier=s|v", "?identifier=s|v", "Patient?identifier=s%7Cv"] {
            assert_eq!(Criteria::of("Patient", text), Criteria::parse("Patient?identifier=s|v").unwrap(), "{text}");
        }
        for text in ["Patient/7", "patient?x=1", "https://x.example/?a=b", "urn:uuid:1?x"] {
            assert_eq!(Criteria::parse(text), None, "{text}");
        }
    }

    #[test]
    fn one_identifier_with_its_system_names_one_resource() {
        for (text, expected) in [
            ("identifier=s|v", true),
            ("status=draft&identifier=s|v", true),
            ("identifier=v", false),
            ("identifier=|v", false),
            ("identifier=s|", false),
            ("identifier=s|v,s|w", false),
            ("identifier:not=s|v", false),
        ] {
            assert_eq!(Criteria::of("Task", text).names_identifier(), expected, "{text}");
        }
    }
}
