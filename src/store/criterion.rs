//! A search's criteria as conditions on the row `r`.
//!
//! A condition on another resource (a chain, `_has`) is a subquery in which `r` is that resource and `x` its index row, so
//! that criteria nest as they are; what it looks at must itself be in reach, or a caller could ask about what it may
//! not see.
//!
//! Every condition has two forms. Tested row by row it is an EXISTS on the row's own index rows; where it selects few
//! rows of many it **drives**: the rows are found from the values.

use crate::consent::{Quiet, Reach};
use crate::fhir::search::{Criterion, Filter, ParamKind, Test};

use super::sql::Sql;
use super::{reach, value, view};

/// What the conditions of one search share.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub within: &'a Reach,
    /// Whether few rows are left without this condition, so that none needs to be found from its values.
    pub is_narrow: bool,
}

/// Whether a criterion selects few enough rows to start from: a value of the kind that is rarely shared. Statuses and
/// categories are tested row by row in the order of the answer instead.
pub(super) fn is_narrow(criterion: &Criterion) -> bool {
    match criterion {
        Criterion::Filter(filter) => is_narrow_filter(filter),
        Criterion::Any(parts) => parts.iter().all(is_narrow),
        Criterion::OfKind(_, part) => is_narrow(part),
        Criterion::Chain { then, .. } | Criterion::Has { then, .. } => is_narrow(then),
    }
}

fn is_narrow_filter(filter: &Filter) -> bool {
    !filter.negated && filter.tests.iter().all(|test| is_rare(filter, test))
}

fn is_rare(filter: &Filter, test: &Test) -> bool {
    match test {
        Test::Token { .. } | Test::Uri(_) => named(&filter.param).is_some(),
        Test::Id(_) | Test::Reference { .. } | Test::TextStarts(_) | Test::TextExact(_) => true,
        _ => false,
    }
}

/// The parameters whose tokens and uris are found from their values, as the conditions of these indexes spell them.
fn named(param: &str) -> Option<&'static str> {
    Some(match param {
        "identifier" => "'identifier'",
        "identifier:of-type" => "'identifier:of-type'",
        "url" => "'url'",
        _ => return None,
    })
}

/// Appends the condition that a criterion is, on a row `r` of that type.
pub(super) fn holds(sql: Sql, kind: Option<&str>, criterion: &Criterion, asked: Asked) -> Sql {
    match criterion {
        Criterion::Filter(filter) => holds_filter(sql, kind, filter, asked),
        Criterion::Any(parts) => sql.any(parts, |sql, part| holds(sql, kind, part, asked)),
        Criterion::OfKind(kind, part) => {
            let sql = sql.push("(r.kind = ").bind(kind.as_str()).push(" AND ");
            holds(sql, Some(kind), part, asked).push(")")
        }
        Criterion::Chain { param, .. } => {
            found_by(sql, kind, param, asked.within, |sql| leads(sql, kind, criterion, asked))
        }
        Criterion::Has { .. } => leads(sql, kind, criterion, asked),
    }
}

/// Appends the condition that a criterion on another resource is.
fn leads(sql: Sql, kind: Option<&str>, criterion: &Criterion, asked: Asked) -> Sql {
    match criterion {
        Criterion::Chain { param, kind: target, then } => match kind.filter(|_| drives(criterion, asked)) {
            Some(kind) => {
                let sql = sql.push("(r.bucket, r.id) IN (SELECT x.bucket, x.id FROM idx_reference x WHERE x.kind = ");
                let sql = sql.bind(kind).push(" AND x.param = ").bind(param.as_str()).push(" AND x.target_kind = ");
                let sql = sql.bind(target.as_str()).push(" AND x.target_id IN (SELECT r.id FROM resource r WHERE ");
                fits(sql, target, then, asked).push("))")
            }
            None => {
                let sql =
                    sql.push("EXISTS (SELECT 1 FROM idx_reference x WHERE x.bucket = r.bucket AND x.kind = r.kind");
                let sql =
                    sql.push(" AND x.id = r.id AND x.param = ").bind(param.as_str()).push(" AND x.target_kind = ");
                let sql = sql
                    .bind(target.as_str())
                    .push(" AND EXISTS (SELECT 1 FROM resource r WHERE r.id = x.target_id AND r.kind || '' = ");
                judged(sql.bind(target.as_str()), target, then, Asked { is_narrow: true, ..asked }).push("))")
            }
        },
        Criterion::Has { kind: source, param, then } => match kind.filter(|_| drives(criterion, asked)) {
            Some(kind) => {
                let sql =
                    sql.push("r.id IN (SELECT x.target_id FROM idx_reference x WHERE x.kind = ").bind(source.as_str());
                let sql = sql.push(" AND x.param = ").bind(param.as_str()).push(" AND x.target_kind = ").bind(kind);
                let sql = sql.push(" AND (x.bucket, x.id) IN (SELECT r.bucket, r.id FROM resource r WHERE ");
                found_by(sql, Some(source), param, asked.within, |sql| fits(sql, source, then, asked)).push("))")
            }
            None => {
                let sql = sql
                    .push("EXISTS (SELECT 1 FROM idx_reference x WHERE x.target_kind = r.kind AND x.target_id = r.id");
                let sql = sql.push(" AND x.kind = ").bind(source.as_str()).push(" AND x.param = ").bind(param.as_str());
                let sql =
                    sql.push(" AND EXISTS (SELECT 1 FROM resource r WHERE r.bucket = x.bucket AND r.id = x.id AND ");
                let narrow = Asked { is_narrow: true, ..asked };
                found_by(sql, Some(source), param, asked.within, |sql| fits(sql, source, then, narrow)).push("))")
            }
        },
        // Those on the row itself are `holds`' own.
        _ => sql.push("1 = 0"),
    }
}

fn drives(criterion: &Criterion, asked: Asked) -> bool {
    !asked.is_narrow && is_narrow(criterion)
}

/// The other resource is there, may be seen, and fits.
fn fits(sql: Sql, kind: &str, then: &Criterion, asked: Asked) -> Sql {
    judged(sql.push("r.kind = ").bind(kind), kind, then, asked)
}

fn judged(sql: Sql, kind: &str, then: &Criterion, asked: Asked) -> Sql {
    let sql = sql.push(" AND r.deleted = 0 AND ");
    let sql = holds(sql, Some(kind), then, asked).push(" AND ");
    reach::visible(sql, asked.within, kind)
}

/// Appends the rest for rows that the parameter may find.
fn found_by(sql: Sql, kind: Option<&str>, param: &str, within: &Reach, rest: impl FnOnce(Sql) -> Sql) -> Sql {
    let mut sql = sql;
    let mut count = 0;
    for quiet in within.quiet_by(kind, param) {
        sql = spoken_of(sql.push("("), quiet, within).push(" AND ");
        count += 1;
    }
    (0..count).fold(rest(sql), |sql, _| sql.push(")"))
}

/// Appends that row `r` is of another type, or one that may be found.
pub(super) fn spoken_of(sql: Sql, quiet: &Quiet, within: &Reach) -> Sql {
    let sql = sql.push("(r.kind <> ").bind(quiet.kind.as_str()).push(" OR ");
    match &quiet.of {
        // Its own row of the directory is the operator's.
        Some(partner) if quiet.kind == "Organization" => {
            let sql = sql.push("(r.origin <> ").bind(partner.as_str());
            sql.push(" AND r.id <> ").bind(partner.as_str()).push("))")
        }
        Some(partner) => sql.push("r.origin <> ").bind(partner.as_str()).push(")"),
        None => {
            let sql = sql.push("r.origin = ").bind(within.partner());
            sql.push(" OR r.holder = ").bind(within.partner()).push(")")
        }
    }
}

fn holds_filter(sql: Sql, kind: Option<&str>, filter: &Filter, asked: Asked) -> Sql {
    found_by(sql, kind, &filter.param, asked.within, |sql| {
        let sql = if filter.negated { sql.push("NOT ") } else { sql };
        if !filter.tests.iter().any(|test| may_be_masked(test, asked.within)) {
            return passes_filter(sql, kind, filter, asked);
        }
        // A copy says `masked` where it would refer to an entry that is hidden: only on one's own rows is it found.
        let sql = passes_filter(sql.push("("), kind, filter, asked).push(" AND (r.origin = ");
        let spoken_of: Vec<&Test> = filter.tests.iter().collect();
        sql.bind(asked.within.partner())
            .push(" OR ")
            .any(spoken_of, |sql, test| {
                let one = Filter { tests: vec![test.clone()], negated: false, ..filter.clone() };
                let sql = names_no_masked(sql.push("("), test, asked.within).push(" AND ");
                passes_filter(sql, kind, &one, Asked { is_narrow: true, ..asked }).push(")")
            })
            .push("))")
    })
}

/// Whether what is sought may be a directory entry that is hidden from the caller.
fn may_be_masked(test: &Test, within: &Reach) -> bool {
    let is_hidden = |kind: &String| within.hidden_kinds().contains(kind);
    !within.masked().is_empty() && matches!(test, Test::Reference { kind, .. } if kind.as_ref().is_none_or(is_hidden))
}

/// Appends that what a test seeks is there and not hidden. What is not there is not found either, as it is masked
/// either way: else the answer would tell the one from the other.
fn names_no_masked(sql: Sql, test: &Test, within: &Reach) -> Sql {
    let Test::Reference { kind, id } = test else { return sql.push("1 = 1") };
    if !may_be_masked(test, within) {
        return sql.push("1 = 1");
    }
    let sql = sql.push("EXISTS (SELECT 1 FROM resource m WHERE m.id = ").bind(id.as_str());
    let sql = match kind {
        Some(kind) => sql.push(" AND m.kind = ").bind(kind.as_str()),
        None => sql,
    };
    let sql = sql.push(" AND NOT (m.kind IN (").bind_list(within.hidden_kinds().iter().map(String::as_str));
    sql.push(") AND m.origin IN (").bind_list(within.masked().iter().map(String::as_str)).push(")))")
}

fn passes_filter(sql: Sql, kind: Option<&str>, filter: &Filter, asked: Asked) -> Sql {
    let Some(first) = filter.tests.first() else { return sql.push("1 = 0") };
    match (first, kind) {
        (Test::Id(_) | Test::Updated(..), _) => sql.any(&filter.tests, |sql, test| match test {
            Test::Id(id) => sql.push("r.id = ").bind(id.as_str()),
            Test::Updated(prefix, interval) => view::updated(sql, *prefix, interval, asked.within),
            _ => sql.push("1 = 0"),
        }),
        (first, Some(kind)) if !asked.is_narrow && is_narrow_filter(filter) => {
            let sql = sql.push("(r.bucket, r.id) IN (SELECT x.bucket, x.id FROM ").push(table(first));
            let sql = sql.push(" x WHERE x.kind = ").bind(kind).push(" AND x.param = ");
            let sql = match named(&filter.param) {
                Some(literal) => sql.push(literal),
                None => sql.bind(filter.param.as_str()),
            };
            passes_any(sql.push(" AND "), filter).push(")")
        }
        (first, _) => {
            let absent = matches!(first, Test::Missing(_, true));
            let sql = sql.push(if absent { "NOT EXISTS (SELECT 1 FROM " } else { "EXISTS (SELECT 1 FROM " });
            let sql = sql.push(table(first)).push(" x WHERE x.bucket = r.bucket AND x.kind = r.kind AND x.id = r.id");
            passes_any(sql.push(" AND x.param = ").bind(filter.param.as_str()).push(" AND "), filter).push(")")
        }
    }
}

/// The tests of one parameter read one table: one look at it for all of them.
fn passes_any(sql: Sql, filter: &Filter) -> Sql {
    sql.any(&filter.tests, |sql, test| value::passes(sql.push("("), test).push(")"))
}

fn table(test: &Test) -> &'static str {
    table_of(match test {
        Test::Word(_) => return "idx_word",
        Test::Token { .. } | Test::Codes { .. } => ParamKind::Token,
        Test::Reference { .. } => ParamKind::Reference,
        Test::Date(..) => ParamKind::Date,
        Test::TextStarts(_) | Test::TextContains(_) | Test::TextExact(_) => ParamKind::Text,
        Test::Uri(_) | Test::UriBelow(_) => ParamKind::Uri,
        Test::Number(..) => ParamKind::Number,
        Test::Quantity { .. } => ParamKind::Quantity,
        Test::Composite(..) | Test::Near { .. } => ParamKind::Composite,
        Test::Missing(kind, _) => *kind,
        Test::Id(_) | Test::Updated(..) => ParamKind::Special,
    })
}

/// The index table of a kind of value; what has none is a column of the resource.
pub(super) fn table_of(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Token => "idx_token",
        ParamKind::Reference => "idx_reference",
        ParamKind::Date => "idx_date",
        ParamKind::Text => "idx_text",
        ParamKind::Uri => "idx_uri",
        ParamKind::Number => "idx_number",
        ParamKind::Quantity => "idx_quantity",
        ParamKind::Composite => "idx_composite",
        ParamKind::Special => "resource",
    }
}
