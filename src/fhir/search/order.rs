//! `_sort`: by which values, and in which direction (FHIR R4 search.html#sort).

use crate::fhir::Issue;

use super::params::ParamKind;
use super::query::Reading;
use super::value::{short, unknown, unreadable};

/// More than the store has names for, whatever is configured.
pub const KEYS_MAX: usize = 8;

#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    pub by: SortBy,
    pub descending: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SortBy {
    Id,
    Updated,
    Param { code: String, kind: ParamKind },
}

/// `status,-date,_id`.
///
/// # Errors
/// A key that is no parameter of the types (`parameter-unknown`), or cannot be sorted by.
pub fn read(kinds: &[String], value: &str, with: &Reading) -> Result<Vec<SortKey>, Issue> {
    let mut keys: Vec<SortKey> = Vec::new();
    for text in value.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let (code, descending) = text.strip_prefix('-').map_or((text, false), |code| (code, true));
        let by = match code {
            "_id" => SortBy::Id,
            "_lastUpdated" => SortBy::Updated,
            code => {
                let mut found = kinds.iter().map(|kind| with.params.find(kind, code).map(|param| param.kind));
                let kind = found.next().flatten().filter(|kind| kind.is_indexed());
                match kind.filter(|kind| found.all(|other| other == Some(*kind))) {
                    Some(kind) => SortBy::Param { code: code.to_string(), kind },
                    None => return Err(unknown("_sort", &format!("cannot sort by `{}`", short(code)))),
                }
            }
        };
        if !keys.iter().any(|key| key.by == by) {
            keys.push(SortKey { by, descending });
        }
    }
    match keys.len() {
        0 => Err(unreadable("_sort", "parameters, such as `date` or `-date`")),
        many if many > with.limits.sort_max.min(KEYS_MAX) => {
            let text = format!("`_sort`: at most {} keys", with.limits.sort_max.min(KEYS_MAX));
            Err(Issue::error("too-costly", "query-too-long", text))
        }
        _ => Ok(keys),
    }
}
