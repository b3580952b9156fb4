//! What a caller asked, read against the parameter table (FHIR R4 search.html).
//!
//! Nothing is ignored in silence: what is not understood is an error under `handling=strict` and a warning in the
//! Bundle otherwise, and the `self` link repeats only what was applied. A value that cannot be read is an error
//! either way.

use crate::fhir::reference::is_id;
use crate::fhir::{Instant, Interval, Issue, Zone};

use super::extract::fold;
use super::params::{ParamKind, Params};
use super::value::{alternatives, date, quantity, range, reference, token, unknown, unreadable};

/// Most rows on a page.
pub const COUNT_MAX: usize = 1_000;
const COUNT_DEFAULT: usize = 50;
/// Most parameters, and most values of one, that a query may have.
pub const FILTERS_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub kind: String,
    pub filters: Vec<Filter>,
    pub count: usize,
    /// Newest first, unless `_sort=_lastUpdated`.
    pub oldest_first: bool,
    /// `_summary=count` or `_count=0`: the total alone.
    pub only_total: bool,
    /// `_total`, when it was asked for; otherwise it is given where it costs little.
    pub total: Option<bool>,
    /// The sealed page token, still closed.
    pub page: Option<String>,
    /// The parameters that were applied, for the `self` link.
    pub applied: Vec<(String, String)>,
    pub warnings: Vec<Issue>,
}

/// One parameter: any of its tests, or none of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    pub param: String,
    pub tests: Vec<Test>,
    /// `:not`: no value passes any test.
    pub negated: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    Id(String),
    Updated(Prefix, Interval),
    /// An absent part is not tested; an empty system means that there is none.
    Token {
        system: Option<String>,
        code: Option<String>,
    },
    /// `kind` is empty for a reference that is no `Type/id`, and `None` when the caller named none.
    Reference {
        kind: Option<String>,
        id: String,
    },
    Date(Prefix, Interval),
    TextStarts(String),
    TextContains(String),
    TextExact(String),
    Uri(String),
    Number(Prefix, f64, f64),
    Quantity {
        prefix: Prefix,
        low: f64,
        high: f64,
        system: Option<String>,
        code: Option<String>,
    },
    Missing(ParamKind, bool),
}

/// FHIR R4 search.html#prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
    Ap,
}

impl Prefix {
    /// The prefix of a value, `eq` when it has none, and what follows.
    pub fn split(text: &str) -> (Prefix, &str) {
        let prefix = match text.get(..2) {
            Some("eq") => Prefix::Eq,
            Some("ne") => Prefix::Ne,
            Some("gt") => Prefix::Gt,
            Some("lt") => Prefix::Lt,
            Some("ge") => Prefix::Ge,
            Some("le") => Prefix::Le,
            Some("sa") => Prefix::Sa,
            Some("eb") => Prefix::Eb,
            Some("ap") => Prefix::Ap,
            _ => return (Prefix::Eq, text),
        };
        (prefix, &text[2..])
    }
}

/// What reading needs besides the pairs.
pub struct Reading<'a> {
    pub params: &'a Params,
    /// The zone of a date without an offset.
    pub zone: &'a Zone,
    /// `Prefer: handling=strict`.
    pub strict: bool,
    /// `~10 %` of `ap` is measured from here.
    pub now: Instant,
}

impl Query {
    /// # Errors
    /// Every value that cannot be read, and under `strict` every parameter that is not known.
    pub fn read(kind: &str, pairs: &[(String, String)], with: &Reading) -> Result<Query, Vec<Issue>> {
        let mut query = Query {
            kind: kind.to_string(),
            filters: Vec::new(),
            count: COUNT_DEFAULT,
            oldest_first: false,
            only_total: false,
            total: None,
            page: None,
            applied: Vec::new(),
            warnings: Vec::new(),
        };
        let mut errors = Vec::new();
        if pairs.len() > FILTERS_MAX {
            errors.push(Issue::error(
                "too-costly",
                "query-too-long",
                format!("a search has at most {FILTERS_MAX} parameters"),
            ));
        }
        for (name, value) in pairs {
            match query.add(name, value, with) {
                Ok(true) => query.applied.push((name.clone(), value.clone())),
                Ok(false) => {}
                Err(issue) if with.strict || issue.rule != "parameter-unknown" => errors.push(issue),
                Err(issue) => query.warnings.push(Issue { severity: crate::fhir::Severity::Warning, ..issue }),
            }
        }
        if errors.is_empty() { Ok(query) } else { Err(errors) }
    }

    /// The one Patient that the query is about, when it names one.
    pub fn patient(&self) -> Option<&str> {
        self.filters.iter().filter(|filter| !filter.negated).find_map(|filter| match filter.tests.as_slice() {
            [Test::Id(id)] if self.kind == "Patient" => Some(id.as_str()),
            [Test::Reference { kind: Some(kind), id }] if kind == "Patient" && names_a_person(&filter.param) => {
                Some(id.as_str())
            }
            _ => None,
        })
    }

    /// Whether it was applied (and belongs into `self`).
    fn add(&mut self, name: &str, value: &str, with: &Reading) -> Result<bool, Issue> {
        if value.contains('\0') {
            return Err(unreadable(name, "a text without U+0000"));
        }
        let (code, modifier) = name.split_once(':').map_or((name, None), |(code, modifier)| (code, Some(modifier)));
        match (code, modifier) {
            ("_format" | "_pretty", None) => return Ok(false),
            ("_count", None) => {
                let count: usize = value.parse().map_err(|_| unreadable(name, "a number of rows"))?;
                self.only_total |= count == 0;
                self.count = count.clamp(1, COUNT_MAX);
                return Ok(true);
            }
            ("_sort", None) => {
                self.oldest_first = match value {
                    "_lastUpdated" => true,
                    "-_lastUpdated" => false,
                    _ => return Err(unknown(name, "can sort by `_lastUpdated` and `-_lastUpdated` only")),
                };
                return Ok(true);
            }
            ("_summary", None) if value == "count" => {
                self.only_total = true;
                return Ok(true);
            }
            ("_summary", None) if value == "false" => return Ok(true),
            ("_total", None) => {
                self.total = match value {
                    "none" => Some(false),
                    "estimate" | "accurate" => Some(true),
                    _ => return Err(unreadable(name, "`none`, `estimate` or `accurate`")),
                };
                return Ok(true);
            }
            ("_totalMethod", None) => return Ok(false),
            ("_page", None) => {
                self.page = Some(value.to_string());
                return Ok(false);
            }
            _ => {}
        }
        self.filters.push(self.filter(name, code, modifier, value, with)?);
        Ok(true)
    }

    fn filter(
        &self,
        name: &str,
        code: &str,
        modifier: Option<&str>,
        value: &str,
        with: &Reading,
    ) -> Result<Filter, Issue> {
        let filter = |tests: Vec<Test>, negated: bool| Filter { param: code.to_string(), tests, negated };
        if value.is_empty() {
            return Err(unreadable(name, "a value"));
        }
        let values = alternatives(value);
        if values.len() > FILTERS_MAX {
            return Err(Issue::error(
                "too-costly",
                "query-too-long",
                format!("`{code}` has more than {FILTERS_MAX} values"),
            ));
        }
        if code == "_id" && modifier.is_none() {
            let ids: Option<Vec<Test>> = values.iter().map(|id| is_id(id).then(|| Test::Id(id.clone()))).collect();
            return Ok(filter(ids.ok_or_else(|| unreadable(name, "an id of letters, digits, `-` and `.`"))?, false));
        }
        if code == "_lastUpdated" && modifier.is_none() {
            let tests: Result<Vec<Test>, Issue> = values
                .iter()
                .map(|text| {
                    let (prefix, interval) = date(name, text, with)?;
                    Ok(Test::Updated(prefix, interval))
                })
                .collect();
            return Ok(filter(tests?, false));
        }
        let Some(param) = with.params.find(&self.kind, code) else {
            return Err(unknown(name, &format!("is not a search parameter of `{}`", self.kind)));
        };
        if modifier == Some("missing") {
            let missing = value.parse().map_err(|_| unreadable(name, "`true` or `false`"))?;
            return Ok(filter(vec![Test::Missing(param.kind, missing)], false));
        }
        let unsupported = || unknown(name, "has a modifier that is not supported here");
        let read = |text: &String| match (param.kind, modifier) {
            (ParamKind::Token, None | Some("not")) => Ok(token(text)),
            (ParamKind::Reference, modifier) => reference(name, text, modifier, &param.targets, unsupported),
            (ParamKind::Date, None) => date(name, text, with).map(|(prefix, interval)| Test::Date(prefix, interval)),
            (ParamKind::Text, None) => Ok(Test::TextStarts(fold(text))),
            (ParamKind::Text, Some("contains")) => Ok(Test::TextContains(fold(text))),
            (ParamKind::Text, Some("exact")) => Ok(Test::TextExact(text.clone())),
            (ParamKind::Uri, None) => Ok(Test::Uri(text.clone())),
            (ParamKind::Number, None) => {
                let (prefix, rest) = Prefix::split(text);
                let (low, high) = range(rest).ok_or_else(|| unreadable(name, "a number"))?;
                Ok(Test::Number(prefix, low, high))
            }
            (ParamKind::Quantity, None) => quantity(name, text),
            _ => Err(unsupported()),
        };
        let tests: Result<Vec<Test>, Issue> = values.iter().map(read).collect();
        Ok(filter(tests?, modifier == Some("not")))
    }
}

/// The parameters that say whose record a resource belongs to.
pub fn names_a_person(param: &str) -> bool {
    matches!(param, "patient" | "subject")
}
