//! `_include` and `_revinclude`: what comes along with the matches (FHIR R4 search.html#include).

use crate::fhir::Issue;

use super::params::ParamKind;
use super::query::Reading;
use super::value::unknown;

#[derive(Clone, Debug, PartialEq)]
pub struct Include {
    /// `_revinclude`: what points at the matches, instead of what they point at.
    pub reverse: bool,
    /// `:iterate`: applied to what was included, too.
    pub iterate: bool,
    /// The type whose references are followed; `None` for any.
    pub source: Option<String>,
    /// The reference parameter; `None` for all of the type's.
    pub param: Option<String>,
    /// Only targets of this type.
    pub target: Option<String>,
}

impl Include {
    /// Whether a parameter's name is one of these, as (reverse, iterate).
    pub fn named(name: &str) -> Option<(bool, bool)> {
        // STU3 called it `:recurse`, and some clients still do.
        Some(match name {
            "_include" => (false, false),
            "_include:iterate" | "_include:recurse" => (false, true),
            "_revinclude" => (true, false),
            "_revinclude:iterate" | "_revinclude:recurse" => (true, true),
            _ => return None,
        })
    }

    /// `CarePlan:care-team`, `CarePlan:subject:Patient`, `CarePlan:*`, `*`.
    ///
    /// # Errors
    /// A type or parameter that is not known (`parameter-unknown`).
    pub fn read(
        (reverse, iterate): (bool, bool),
        kinds: &[String],
        name: &str,
        value: &str,
        with: &Reading,
    ) -> Result<Include, Issue> {
        if value == "*" {
            return Ok(Include { reverse, iterate, source: None, param: None, target: None });
        }
        let mut parts = value.splitn(3, ':');
        let (source, param) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let target = parts.next().filter(|target| !target.is_empty()).map(str::to_string);
        let known = |kind: &str| (with.knows)(kind);
        if !known(source) {
            return Err(unknown(name, "names a type that is not served here"));
        }
        if !reverse && !iterate && !kinds.iter().any(|kind| kind == source) {
            return Err(unknown(
                name,
                "starts from a type that this search does not find; `:iterate` follows what is included",
            ));
        }
        if target.as_deref().is_some_and(|target| !known(target)) {
            return Err(unknown(name, "names a target type that is not served here"));
        }
        let include = |param: Option<&str>| Include {
            reverse,
            iterate,
            source: Some(source.to_string()),
            param: param.map(str::to_string),
            target: target.clone(),
        };
        if param == "*" {
            return Ok(include(None));
        }
        match with.params.find(source, param) {
            Some(found) if found.kind == ParamKind::Reference => Ok(include(Some(param))),
            _ => Err(unknown(name, &format!("names what is no reference parameter of `{source}`"))),
        }
    }
}
