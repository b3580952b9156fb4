//! What a caller asked, read against the parameter table (FHIR R4 search.html).
//!
//! Nothing is ignored in silence: what is not understood is an error under `handling=strict` and a warning in the
//! Bundle otherwise, and the `self` link repeats only what was applied. A value that cannot be read is an error
//! either way.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::fhir::view::View;
use crate::fhir::{Instant, Issue, Severity, Zone};

use super::criterion::Criterion;
use super::definitions::{Definitions, Searchable};
use super::include::Include;
use super::order::{self, SortKey};
use super::params::Params;
use super::value::{alternatives, short, unknown, unreadable};

#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The types that are searched: one, or those of `_type`.
    pub kinds: Vec<String>,
    pub criteria: Vec<Criterion>,
    /// Whose compartment is searched, as (type, id); the criteria say so too.
    pub compartment: Option<(String, String)>,
    /// Empty for the order of the server's choice: what changed last comes first.
    pub order: Vec<SortKey>,
    pub includes: Vec<Include>,
    pub count: usize,
    /// `_summary=count` or `_count=0`: the total alone.
    pub only_total: bool,
    /// `_total`, when it was asked for; otherwise it is given where it costs little.
    pub total: Option<bool>,
    /// `_summary`, `_elements`: how much of each resource.
    pub view: View,
    /// The sealed page token, still closed.
    pub page: Option<String>,
    /// The parameters that were applied, for the `self` link.
    pub applied: Vec<(String, String)>,
    pub warnings: Vec<Issue>,
}

/// What bounds a search; section `search` of the configuration, where each is explained.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub count_default: usize,
    pub count_max: usize,
    pub parameters_max: usize,
    pub values_max: usize,
    pub tests_max: usize,
    pub chain_max: usize,
    pub steps_max: usize,
    pub sort_max: usize,
    pub includes_max: usize,
    pub included_max: usize,
    pub iterations_max: usize,
}

/// What reading needs besides the pairs.
pub struct Reading<'a> {
    pub params: &'a Params,
    pub definitions: &'a dyn Definitions,
    /// What the caller may search; an untyped chain leads to no other type. `None` for any.
    pub scopes: Option<&'a dyn Searchable>,
    pub limits: &'a Limits,
    /// The zone of a date without an offset.
    pub zone: &'a Zone,
    /// The address that references of our own may begin with, `https://exchange.example/fhir`.
    pub base: &'a str,
    /// `Prefer: handling=strict`.
    pub strict: bool,
    /// `~10 %` of `ap` is measured from here.
    pub now: Instant,
}

impl Query {
    /// A search over one type, or over several with what they have in common.
    ///
    /// # Errors
    /// Every value that cannot be read, and under `strict` every parameter that is not known.
    pub fn read(kinds: &[String], pairs: &[(String, String)], with: &Reading) -> Result<Query, Vec<Issue>> {
        let mut query = Query {
            kinds: kinds.to_vec(),
            criteria: Vec::new(),
            compartment: None,
            order: Vec::new(),
            includes: Vec::new(),
            count: with.limits.count_default,
            only_total: false,
            total: None,
            view: View::Whole,
            page: None,
            applied: Vec::new(),
            warnings: Vec::new(),
        };
        let mut errors = Vec::new();
        if pairs.len() > with.limits.parameters_max {
            let text = format!("a search has at most {} parameters, found {}", with.limits.parameters_max, pairs.len());
            return Err(vec![Issue::error("too-costly", "query-too-long", text)]);
        }
        for (name, value) in pairs {
            match query.add(name, value, with) {
                Ok(true) => query.applied.push((name.clone(), value.clone())),
                Ok(false) => {}
                Err(issue) if with.strict || issue.rule != "parameter-unknown" => errors.push(issue),
                Err(issue) => query.warnings.push(Issue { severity: Severity::Warning, ..issue }),
            }
        }
        if query.criteria.iter().map(Criterion::tests).sum::<usize>() > with.limits.tests_max {
            let text = format!(
                "the parameters of a search have at most {} values in all, those of chains for each target",
                with.limits.tests_max
            );
            errors.push(Issue::error("too-costly", "query-too-long", text));
        }
        if query.includes.len() > with.limits.includes_max {
            let text = format!("a search has at most {} `_include` and `_revinclude`", with.limits.includes_max);
            errors.push(Issue::error("too-costly", "query-too-long", text));
        }
        if errors.is_empty() { Ok(query) } else { Err(errors) }
    }

    /// Narrows the query to somebody's compartment; `links` are the parameters that lead there, by type.
    pub fn within(&mut self, owner: (&str, &str), links: &BTreeMap<String, Vec<String>>) {
        let of_kind = |kind: &String| Criterion::belongs_to(owner, kind, links.get(kind).map_or(&[], Vec::as_slice));
        self.criteria.push(Criterion::Any(self.kinds.iter().map(of_kind).collect()));
        self.compartment = Some((owner.0.to_string(), owner.1.to_string()));
    }

    /// The one Patient that the query is about, when it names one.
    pub fn patient(&self) -> Option<&str> {
        if let Some((_, id)) = self.compartment.as_ref().filter(|(kind, _)| kind == "Patient") {
            return Some(id);
        }
        let [kind] = self.kinds.as_slice() else { return None };
        self.criteria.iter().find_map(|criterion| criterion.patient(kind))
    }

    /// How many other resources its chains look at for one that is found.
    pub fn steps(&self) -> usize {
        self.criteria.iter().map(Criterion::steps).sum()
    }

    /// The types whose resources the query looks at, each once. Includes may bring others.
    pub fn kinds_touched(&self) -> BTreeSet<&str> {
        let mut kinds: BTreeSet<&str> = self.kinds.iter().map(String::as_str).collect();
        self.criteria.iter().for_each(|criterion| {
            criterion.visit_kinds(&mut |kind| {
                kinds.insert(kind);
            })
        });
        kinds
    }

    /// Whether it was applied (and belongs into `self`).
    fn add(&mut self, name: &str, value: &str, with: &Reading) -> Result<bool, Issue> {
        if value.contains('\0') {
            return Err(unreadable(name, "a text without U+0000"));
        }
        match name {
            "_format" | "_pretty" => return Ok(false),
            // fhirpy's way of asking for a total.
            "_totalMethod" => return Ok(false),
            "_count" => {
                let count: usize = value.parse().map_err(|_| unreadable(name, "a number of rows"))?;
                self.only_total |= count == 0;
                self.count = count.clamp(1, with.limits.count_max);
                if count > with.limits.count_max {
                    let text = format!("`_count`: a page has at most {} rows", with.limits.count_max);
                    self.warnings.push(Issue::information("count-bounded", text));
                }
            }
            "_sort" => self.order = order::read(&self.kinds, value, with)?,
            "_summary" => {
                self.only_total |= value == "count";
                self.view = View::summary(value)
                    .ok_or_else(|| unreadable(name, "`true`, `false`, `text`, `data` or `count`"))?;
            }
            "_elements" => self.view = View::elements(value).ok_or_else(|| unreadable(name, "names of elements"))?,
            "_total" => {
                self.total = match value {
                    "none" => Some(false),
                    "estimate" | "accurate" => Some(true),
                    _ => return Err(unreadable(name, "`none`, `estimate` or `accurate`")),
                };
            }
            // Contained resources are not found by themselves, which is what `false` asks for.
            "_contained" if value == "false" => {}
            "_page" => {
                self.page = Some(value.to_string());
                return Ok(false);
            }
            _ => match Include::named(name) {
                Some(mode) => {
                    let include = Include::read(mode, &self.kinds, name, value, with)?;
                    if !self.includes.contains(&include) {
                        self.includes.push(include);
                    }
                }
                None => {
                    self.criteria.push(self.criterion(name, value, with)?);
                    if self.steps() > with.limits.steps_max {
                        let text = format!(
                            "`{}`: over all their targets, the chains of a search lead to at most {} places; name the types, `subject:Patient.name`",
                            short(name),
                            with.limits.steps_max
                        );
                        return Err(Issue::error("too-costly", "chain-too-wide", text));
                    }
                }
            },
        }
        Ok(true)
    }

    /// Over several types, a parameter must be known to all of them and mean the same.
    fn criterion(&self, name: &str, value: &str, with: &Reading) -> Result<Criterion, Issue> {
        let mut found: Option<Criterion> = None;
        for kind in &self.kinds {
            let criterion = Criterion::read(kind, name, value, with)?;
            if found.as_ref().is_some_and(|found| *found != criterion) {
                return Err(unknown(name, "does not mean the same for all types that are searched"));
            }
            found = Some(criterion);
        }
        found.ok_or_else(|| unknown(name, "has no type to be searched in"))
    }
}

/// The types that `_type` names; `None` without it. `_type` itself is taken out of the pairs.
///
/// # Errors
/// A type that is not served here.
pub fn types(pairs: &mut Vec<(String, String)>, served: &[String]) -> Result<Option<Vec<String>>, Issue> {
    let named: Vec<String> =
        pairs.iter().filter(|(name, _)| name == "_type").flat_map(|(_, value)| alternatives(value)).collect();
    pairs.retain(|(name, _)| name != "_type");
    if named.is_empty() {
        return Ok(None);
    }
    match named.iter().find(|kind| !served.contains(kind)) {
        Some(kind) => Err(unreadable("_type", &format!("types that are served here, found `{}`", short(kind)))),
        None => Ok(Some(served.iter().filter(|kind| named.contains(kind)).cloned().collect())),
    }
}
