//! Search: one statement whose filter, count, order and page know only what may be seen.

use crate::consent::Reach;
use crate::fhir::Interval;
use crate::fhir::search::params::ParamKind;
use crate::fhir::search::query::Prefix;
use crate::fhir::search::{Filter, Query, Test};
use crate::fhir::time::Instant;

use super::resource::{Stored, buckets};
use super::sql::Sql;
use super::{Fault, Store, reach};

/// Where a page starts: behind this row, in the order of the search.
#[derive(Clone, Debug, PartialEq)]
pub struct After {
    pub updated_at: Instant,
    pub id: String,
}

/// A page of rows, and whether more follow.
#[derive(Debug)]
pub struct Page {
    pub rows: Vec<Stored>,
    pub more: bool,
}

impl Store {
    /// The rows in reach that a query matches, in its order.
    pub async fn search(&self, query: &Query, within: &Reach, after: Option<&After>) -> Result<Page, Fault> {
        let sql = Sql::new("SELECT ").push(Stored::columns());
        let mut sql = self.matching(sql, query, within).await?;
        if let Some(after) = after {
            let (earlier, same) = if query.oldest_first {
                (" AND (r.updated_at > ", " AND r.id > ")
            } else {
                (" AND (r.updated_at < ", " AND r.id < ")
            };
            sql = sql
                .push(earlier)
                .bind(after.updated_at.0)
                .push(" OR (r.updated_at = ")
                .bind(after.updated_at.0)
                .push(same)
                .bind(after.id.as_str())
                .push("))");
        }
        // INVARIANT: (updated_at, id) is unique within a type; the page token depends on it. Where few rows are
        // left, they are found first and sorted then: `+ 0` keeps the planner from walking all rows in order.
        let narrow = query.patient().is_some() || query.filters.iter().any(|filter| is_narrow(query, filter));
        sql = sql.push(match (query.oldest_first, narrow) {
            (true, true) => " ORDER BY r.updated_at + 0, r.id LIMIT ",
            (true, false) => " ORDER BY r.updated_at, r.id LIMIT ",
            (false, true) => " ORDER BY r.updated_at + 0 DESC, r.id DESC LIMIT ",
            (false, false) => " ORDER BY r.updated_at DESC, r.id DESC LIMIT ",
        });
        let mut rows: Vec<Stored> =
            self.db.fetch(sql.bind(query.count as i64 + 1)).await?.into_iter().map(Stored::of).collect();
        let more = rows.len() > query.count;
        rows.truncate(query.count);
        Ok(Page { rows, more })
    }

    /// How many rows in reach a query matches.
    pub async fn count(&self, query: &Query, within: &Reach) -> Result<i64, Fault> {
        let sql = self.matching(Sql::new("SELECT COUNT(*)"), query, within).await?;
        Ok(self.db.fetch(sql).await?.first().map_or(0, |row| row.int(0)))
    }

    async fn matching(&self, sql: Sql, query: &Query, within: &Reach) -> Result<Sql, Fault> {
        let bucket = match query.patient() {
            Some(patient) => self.bucket_of("Patient", patient).await?,
            None => None,
        };
        Ok(matching(sql, query, within, bucket))
    }
}

/// The rows in reach that a query matches. `home` is the bucket of the person whom it is about, if it is about one
/// who is known.
pub(super) fn matching(sql: Sql, query: &Query, within: &Reach, home: Option<i64>) -> Sql {
    let sql = match query.patient() {
        None => sql.push(" FROM resource r WHERE r.kind = "),
        // A resource that names several people lives in the first one's bucket. CROSS keeps SQLite to the one or two
        // buckets, where it would else count through all rows of a type.
        Some(patient) => buckets(sql.push(" FROM "), home.unwrap_or(-1), patient)
            .push(" home CROSS JOIN resource r WHERE r.bucket = home.bucket AND r.kind = "),
    };
    let mut sql = sql.bind(query.kind.as_str()).push(" AND r.deleted = 0");
    for filter in &query.filters {
        sql = holds(sql.push(" AND "), query, filter);
    }
    reach::visible(sql.push(" AND "), within, &query.kind)
}

fn holds(sql: Sql, query: &Query, filter: &Filter) -> Sql {
    let sql = if filter.negated { sql.push("NOT ") } else { sql };
    sql.any(&filter.tests, |sql, found| match found {
        Test::Id(id) => sql.push("r.id = ").bind(id.as_str()),
        Test::Updated(prefix, interval) => {
            // `lastUpdated` is an instant: an interval of one millisecond, as it is answered.
            during(sql, "r.updated_at", "r.updated_at + 1000", *prefix, interval)
        }
        found if drives(query, filter, found) => among(sql, &query.kind, &filter.param, found),
        found => indexed(sql, &filter.param, found),
    })
}

/// Whether a test selects few enough rows to start from: nobody's record is given, and the value is of the kind
/// that is rarely shared. Statuses and categories are tested row by row in the order of the answer instead.
fn drives(query: &Query, filter: &Filter, found: &Test) -> bool {
    let rare = match found {
        Test::Token { .. } => filter.param == "identifier",
        Test::Reference { .. } | Test::TextStarts(_) | Test::TextExact(_) | Test::Uri(_) => true,
        _ => false,
    };
    rare && !filter.negated && query.patient().is_none()
}

/// Whether all that a filter may match is found from its values.
fn is_narrow(query: &Query, filter: &Filter) -> bool {
    filter.tests.iter().all(|found| matches!(found, Test::Id(_)) || drives(query, filter, found))
}

fn among(sql: Sql, kind: &str, param: &str, found: &Test) -> Sql {
    let sql = sql.push("(r.bucket, r.id) IN (SELECT x.bucket, x.id FROM ").push(table(found));
    let sql = sql.push(" x WHERE x.kind = ").bind(kind).push(" AND x.param = ").bind(param);
    value(sql.push(" AND "), found).push(")")
}

fn indexed(sql: Sql, param: &str, found: &Test) -> Sql {
    let sql = sql.push(if matches!(found, Test::Missing(_, true)) {
        "NOT EXISTS (SELECT 1 FROM "
    } else {
        "EXISTS (SELECT 1 FROM "
    });
    let sql =
        sql.push(table(found)).push(" x WHERE x.bucket = r.bucket AND x.kind = r.kind AND x.id = r.id AND x.param = ");
    value(sql.bind(param).push(" AND "), found).push(")")
}

fn table(found: &Test) -> &'static str {
    match found {
        Test::Token { .. } | Test::Missing(ParamKind::Token, _) => "idx_token",
        Test::Reference { .. } | Test::Missing(ParamKind::Reference, _) => "idx_reference",
        Test::Date(..) | Test::Missing(ParamKind::Date, _) => "idx_date",
        Test::TextStarts(_) | Test::TextContains(_) | Test::TextExact(_) | Test::Missing(ParamKind::Text, _) => {
            "idx_text"
        }
        Test::Uri(_) | Test::Missing(ParamKind::Uri, _) => "idx_uri",
        Test::Number(..) | Test::Missing(ParamKind::Number, _) => "idx_number",
        Test::Quantity { .. } | Test::Missing(ParamKind::Quantity, _) => "idx_quantity",
        Test::Id(_) | Test::Updated(..) => "resource",
    }
}

fn value(sql: Sql, found: &Test) -> Sql {
    match found {
        Test::Token { system, code } => {
            let sql = match code {
                Some(code) => sql.push("x.code = ").bind(code.as_str()),
                None => sql.push("1 = 1"),
            };
            match system {
                Some(system) => sql.push(" AND x.system = ").bind(system.as_str()),
                None => sql,
            }
        }
        Test::Reference { kind, id } => {
            let sql = sql.push("x.target_id = ").bind(id.as_str());
            match kind {
                Some(kind) => sql.push(" AND x.target_kind = ").bind(kind.as_str()),
                None => sql,
            }
        }
        Test::Date(prefix, interval) => during(sql, "x.start_at", "x.end_at", *prefix, interval),
        Test::TextStarts(text) => {
            // A key range, because LIKE folds differently on each database.
            let sql = sql.push("x.folded >= ").bind(text.as_str());
            sql.push(" AND x.folded < ").bind(format!("{text}\u{10ffff}"))
        }
        Test::TextContains(text) => {
            let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            sql.push("x.folded LIKE ").bind(format!("%{escaped}%")).push(" ESCAPE '\\'")
        }
        Test::TextExact(text) => sql.push("x.exact = ").bind(text.as_str()),
        Test::Uri(uri) => sql.push("x.uri = ").bind(uri.as_str()),
        Test::Number(prefix, low, high) => between(sql, *prefix, *low, *high),
        Test::Quantity { prefix, low, high, system, code } => {
            let sql = between(sql, *prefix, *low, *high);
            let sql = match system {
                Some(system) => sql.push(" AND x.system = ").bind(system.as_str()),
                None => sql,
            };
            match code {
                Some(code) => sql.push(" AND x.code = ").bind(code.as_str()),
                None => sql,
            }
        }
        Test::Missing(..) | Test::Id(_) | Test::Updated(..) => sql.push("1 = 1"),
    }
}

/// FHIR R4 search.html#prefix on intervals: `eq` means that the value lies within what was asked.
fn during(sql: Sql, start: &'static str, end: &'static str, prefix: Prefix, asked: &Interval) -> Sql {
    let (from, until) = (asked.start.0, asked.end.0);
    let sql = sql.push("(");
    let sql = match prefix {
        Prefix::Eq => sql.push(start).push(" >= ").bind(from).push(" AND ").push(end).push(" <= ").bind(until),
        Prefix::Ne => sql.push(start).push(" < ").bind(from).push(" OR ").push(end).push(" > ").bind(until),
        Prefix::Gt => sql.push(end).push(" > ").bind(until),
        Prefix::Lt => sql.push(start).push(" < ").bind(from),
        Prefix::Ge => sql.push(end).push(" > ").bind(until).push(" OR ").push(start).push(" >= ").bind(from),
        Prefix::Le => sql.push(start).push(" < ").bind(from).push(" OR ").push(end).push(" <= ").bind(until),
        Prefix::Sa => sql.push(start).push(" >= ").bind(until),
        Prefix::Eb => sql.push(end).push(" <= ").bind(from),
        Prefix::Ap => sql.push(start).push(" < ").bind(until).push(" AND ").push(end).push(" > ").bind(from),
    };
    sql.push(")")
}

/// FHIR R4 search.html#number: `eq` means the range that rounds to the number given.
fn between(sql: Sql, prefix: Prefix, low: f64, high: f64) -> Sql {
    let exact = (low + high) / 2.0;
    let sql = sql.push("(");
    let sql = match prefix {
        Prefix::Eq => sql.push("x.value >= ").bind(low).push(" AND x.value < ").bind(high),
        Prefix::Ne => sql.push("x.value < ").bind(low).push(" OR x.value >= ").bind(high),
        Prefix::Gt | Prefix::Sa => sql.push("x.value > ").bind(exact),
        Prefix::Lt | Prefix::Eb => sql.push("x.value < ").bind(exact),
        Prefix::Ge => sql.push("x.value >= ").bind(exact),
        Prefix::Le => sql.push("x.value <= ").bind(exact),
        Prefix::Ap => {
            let slack = exact.abs() / 10.0;
            sql.push("x.value >= ").bind(exact - slack).push(" AND x.value <= ").bind(exact + slack)
        }
    };
    sql.push(")")
}
