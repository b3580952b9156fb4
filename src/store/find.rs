//! Search: one statement whose filter, count, order and page know only what may be seen.

use crate::consent::Reach;
use crate::fhir::search::order::KEYS_MAX;
use crate::fhir::search::{ParamKind, Query, SortBy, SortKey};

use super::after::{After, Key};
use super::criterion::{self, Asked, table_of};
use super::db::Cell;
use super::resource::{Stored, of_person};
use super::sql::Sql;
use super::{Fault, Store, reach, view};

/// A page of rows.
#[derive(Debug)]
pub struct Page {
    pub rows: Vec<Stored>,
    /// Where the next page starts, if there is one.
    pub next: Option<After>,
}

/// What changed last comes first; the sort keys stand behind the columns of a row.
const RECENT: [SortKey; 1] = [SortKey { by: SortBy::Updated, descending: true }];
/// As many keys as a row may be sorted by.
const NAMES: [&str; KEYS_MAX] = ["s.k0", "s.k1", "s.k2", "s.k3", "s.k4", "s.k5", "s.k6", "s.k7"];
const ALIASES: [&str; KEYS_MAX] = [" AS k0", " AS k1", " AS k2", " AS k3", " AS k4", " AS k5", " AS k6", " AS k7"];
/// Where a row's sort keys start.
const KEYS_AT: usize = 10;

impl Store {
    /// The rows in reach that a query matches, in its order, behind `after`.
    pub async fn search(&self, query: &Query, within: &Reach, after: Option<&After>) -> Result<Page, Fault> {
        let order = if query.order.is_empty() { &RECENT[..] } else { &query.order[..] };
        let is_by_time = matches!(order, [SortKey { by: SortBy::Updated, .. }]);
        let limit = query.count as i64 + 1;
        let sql = if is_by_time {
            by_time(query, within, order[0].descending, after, limit)
        } else {
            by_keys(query, within, order, after).bind(limit)
        };
        let mut found = self.db.fetch(sql).await?;
        let more = found.len() > query.count;
        found.truncate(query.count);
        let next = found.last().filter(|_| more).map(|last| {
            let keys = last.0[KEYS_AT..].iter().map(Key::of).collect();
            After { order: After::order_of(&query.order), keys, kind: last.text(1), id: last.text(2) }
        });
        Ok(Page { rows: found.into_iter().map(Stored::of).collect(), next })
    }

    /// How many rows in reach a query matches.
    pub async fn count(&self, query: &Query, within: &Reach) -> Result<i64, Fault> {
        let sql = matching(Sql::new("SELECT COUNT(*)"), query, within);
        Ok(self.db.fetch(sql).await?.first().map_or(0, |row| row.int(0)))
    }

    /// How the database would go about a page and its count, step by step: a test holds each step to an index.
    pub async fn plans(&self, query: &Query, within: &Reach) -> Result<Vec<Vec<String>>, Fault> {
        let page = if query.order.is_empty() {
            by_time(query, within, true, None, 50)
        } else {
            by_keys(query, within, &query.order, None).bind(50_i64)
        };
        let count = matching(Sql::new("SELECT COUNT(*)"), query, within);
        Ok(vec![self.db.plan(page).await?, self.db.plan(count).await?])
    }
}

/// The common order: by when the caller's view was changed last.
///
/// Where many rows are left they are read from the index that is in that order. It knows the moments of the rows, not
/// of the views; the few rows of which a view is older are found by themselves and put between the others.
fn by_time(query: &Query, within: &Reach, descending: bool, after: Option<&After>, limit: i64) -> Sql {
    let by_view = |sql: Sql| view::moment(sql, within);
    let select = |sql: Sql| sql.push("SELECT ").push(Stored::columns()).push(", ");
    if is_narrow(query) {
        // They are found first and sorted then.
        let sql = matching(by_view(select(Sql::default())).push(" AS seen_at"), query, within);
        let sql = next_to(sql, by_view, descending, after);
        return sql.push(if descending { BY_VIEW.1 } else { BY_VIEW.0 }).bind(limit);
    }
    let sql = select(Sql::new("SELECT * FROM (")).push("r.updated_at AS seen_at");
    let sql = matching(sql, query, within).push(" AND (r.origin = ").bind(within.partner());
    let sql = sql.push(" OR r.views = 0 OR r.holder = ").bind(within.partner()).push(")");
    let sql = next_to(sql, |sql| sql.push("r.updated_at"), descending, after);
    let sql = sql.push(if descending { BY_ROW.1 } else { BY_ROW.0 }).bind(limit);
    let sql = by_view(select(sql.push(") o UNION ALL SELECT * FROM ("))).push(" AS seen_at");
    let sql = matching(sql, query, within).push(" AND r.views = 1 AND r.origin <> ").bind(within.partner());
    let sql = sql.push(" AND (r.holder IS NULL OR r.holder <> ").bind(within.partner()).push(")");
    let sql = next_to(sql, by_view, descending, after);
    let sql = sql.push(if descending { BY_VIEW.1 } else { BY_VIEW.0 }).bind(limit);
    // By position: the columns of what lies together have no names of their own.
    sql.push(if descending { ") v ORDER BY 11 DESC, 3 DESC, 2 DESC LIMIT " } else { ") v ORDER BY 11, 3, 2 LIMIT " })
        .bind(limit)
}

/// INVARIANT: (moment, id, kind) is unique; the page token depends on it. Rising, and falling.
const BY_ROW: (&str, &str) =
    (" ORDER BY r.updated_at, r.id, r.kind LIMIT ", " ORDER BY r.updated_at DESC, r.id DESC, r.kind DESC LIMIT ");
const BY_VIEW: (&str, &str) =
    (" ORDER BY seen_at, r.id, r.kind LIMIT ", " ORDER BY seen_at DESC, r.id DESC, r.kind DESC LIMIT ");

/// Appends that a row comes behind another in the order of time.
fn next_to(sql: Sql, moment: impl Fn(Sql) -> Sql, descending: bool, after: Option<&After>) -> Sql {
    let Some(after) = after else { return sql };
    // A row value is a range of the index; the same in ANDs and ORs is not.
    let sql = moment(sql.push(" AND (")).push(", r.id, r.kind)").push(if descending { " < (" } else { " > (" });
    let sql = sql.bind(after.keys.first().map_or(0, Key::int)).push(", ").bind(after.id.as_str());
    sql.push(", ").bind(after.kind.as_str()).push(")")
}

/// Any order: the keys are worked out for what matches. What lacks a key comes last in either direction.
fn by_keys(query: &Query, within: &Reach, order: &[SortKey], after: Option<&After>) -> Sql {
    let mut sql = Sql::new("SELECT s.* FROM (SELECT ").push(Stored::columns());
    for (key, alias) in order.iter().zip(ALIASES) {
        sql = key_of(sql.push(", "), key, within).push(alias);
    }
    let mut sql = matching(sql, query, within).push(") s WHERE ");
    sql = match after {
        None => sql.push("1 = 1"),
        Some(after) => behind(sql, order, &NAMES, after),
    };
    sql = sql.push(" ORDER BY ");
    for (key, name) in order.iter().zip(NAMES) {
        sql = sql.push(name).push(" IS NULL, ").push(name).push(if key.descending { " DESC, " } else { ", " });
    }
    sql.push("s.id, s.kind LIMIT ")
}

/// The rows in reach that a query matches.
pub(super) fn matching(sql: Sql, query: &Query, within: &Reach) -> Sql {
    let kinds: Vec<&str> = query.kinds.iter().map(String::as_str).collect();
    let sql = match query.patient() {
        None => sql.push(" FROM resource r WHERE "),
        // CROSS keeps SQLite to the person's rows, where it would else count through all of a type.
        Some(patient) => of_person(sql.push(" FROM "), patient, &kinds)
            .push(" p CROSS JOIN resource r WHERE r.bucket = p.bucket AND r.kind = p.kind AND r.id = p.id AND "),
    };
    let only = if let [kind] = kinds.as_slice() { Some(*kind) } else { None };
    let sql = match only {
        Some(kind) => sql.push("r.kind = ").bind(kind),
        // An expression, so that a planner walks the moments, and not every row of forty kinds.
        None => sql.push("r.kind || '' IN (").bind_list(kinds.iter().copied()).push(")"),
    };
    let mut sql = sql.push(" AND r.deleted = 0");
    // Of several conditions that could drive, the first one does.
    let mut is_narrow = query.patient().is_some();
    for criterion in &query.criteria {
        let asked = Asked { within, is_narrow };
        sql = criterion::holds(sql.push(" AND "), only, criterion, asked);
        is_narrow |= criterion::is_narrow(criterion);
    }
    reach::visible_among(sql.push(" AND "), within, &kinds)
}

fn is_narrow(query: &Query) -> bool {
    query.patient().is_some() || query.criteria.iter().any(criterion::is_narrow)
}

/// Appends the value that a row is sorted by: of several, the first in the direction of the sort.
fn key_of(sql: Sql, key: &SortKey, within: &Reach) -> Sql {
    let (code, kind) = match &key.by {
        SortBy::Id => return sql.push("r.id"),
        SortBy::Updated => return view::moment(sql, within),
        SortBy::Param { code, kind } => (code, *kind),
    };
    let column = match kind {
        ParamKind::Token => "x.code",
        ParamKind::Reference => "x.target_id",
        ParamKind::Date if key.descending => "x.end_at",
        ParamKind::Date => "x.start_at",
        ParamKind::Text => "x.folded",
        ParamKind::Uri => "x.uri",
        ParamKind::Number | ParamKind::Quantity => "x.value",
        ParamKind::Composite | ParamKind::Special => return sql.push("NULL"),
    };
    let sql = sql.push(if key.descending { "(SELECT MAX(" } else { "(SELECT MIN(" });
    let sql = sql.push(column).push(") FROM ").push(table_of(kind));
    let sql = sql.push(" x WHERE x.bucket = r.bucket AND x.kind = r.kind AND x.id = r.id AND x.param = ");
    let sql = sql.bind(code.as_str());
    within.quiet_by(None, code).fold(sql, |sql, quiet| criterion::spoken_of(sql.push(" AND "), quiet, within)).push(")")
}

/// Appends that a row comes behind another in an order: beyond it in the first key in which they differ.
fn behind(sql: Sql, order: &[SortKey], names: &[&'static str], after: &After) -> Sql {
    let (Some((key, order)), Some((name, names))) = (order.split_first(), names.split_first()) else {
        let sql = sql.push("(s.id, s.kind) > (").bind(after.id.as_str());
        return sql.push(", ").bind(after.kind.as_str()).push(")");
    };
    let at = after.keys.len().saturating_sub(order.len() + 1);
    match after.keys.get(at) {
        None | Some(Key::None) => behind(sql.push("(").push(name).push(" IS NULL AND "), order, names, after).push(")"),
        Some(value) => {
            let beyond = if key.descending { " < " } else { " > " };
            let sql = sql.push("(").push(name).push(" IS NULL OR ").push(name).push(beyond).bind(value.bind());
            let sql = sql.push(" OR (").push(name).push(" = ").bind(value.bind()).push(" AND ");
            behind(sql, order, names, after).push("))")
        }
    }
}

impl Key {
    fn of(cell: &Cell) -> Key {
        match cell {
            Cell::Null => Key::None,
            Cell::Int(value) => Key::Int(*value),
            Cell::Real(value) => Key::Real(*value),
            Cell::Text(text) => Key::Text(text.clone()),
        }
    }
}
