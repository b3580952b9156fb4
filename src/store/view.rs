//! When what a reader is shown of a row was changed last: what is sorted and asked for by time must not tell of a version
//! that changed hidden parts alone (rules.md 9; reference: leak probes H34, H41).
//!
//! For almost every row that is the row's own moment, and `r.views = 0` says so. Where the last versions left something
//! as it was for some readers, `view_time` has a moment for each sort of reader.

use crate::consent::{Reach, WHOLE};
use crate::fhir::search::criterion::Prefix;
use crate::fhir::{Instant, Interval, Resource};

use super::index::Key;
use super::sql::Sql;
use super::value;

/// Appends the moment of row `r` for the caller: its own rows' own; of a sort that was not known when the row was
/// written, the oldest that any sort has.
pub(super) fn moment(sql: Sql, within: &Reach) -> Sql {
    const OF_ROW: &str =
        "FROM view_time v WHERE v.bucket = r.bucket AND v.kind = r.kind AND v.id = r.id AND v.version = r.version";
    let sql = sql.push("(CASE WHEN r.views = 0 OR r.origin = ").bind(within.partner());
    let sql = sql.push(" OR r.holder = ").bind(within.partner());
    let sql = sql.push(" THEN r.updated_at ELSE COALESCE((SELECT v.seen_at ").push(OF_ROW).push(" AND v.class = ");
    let sql = match within.sorts() {
        [] => sql.bind(WHOLE),
        sorts => {
            let sql = sorts.iter().fold(sql.push("CASE r.kind"), |sql, (kind, sort)| {
                sql.push(" WHEN ").bind(kind.as_str()).push(" THEN ").bind(sort.as_str())
            });
            sql.push(" ELSE ").bind(WHOLE).push(" END")
        }
    };
    sql.push("), (SELECT MIN(v.seen_at) ").push(OF_ROW).push("), r.updated_at) END)")
}

/// Appends the condition that `_lastUpdated` is, on a row `r`. A view is never newer than its row, so that what asks
/// for new ones stays a range of an index.
pub(super) fn updated(sql: Sql, prefix: Prefix, asked: &Interval, within: &Reach) -> Sql {
    let sql = match prefix {
        Prefix::Eq | Prefix::Gt | Prefix::Ge | Prefix::Sa => {
            value::updated(sql.push("("), |sql| sql.push("r.updated_at"), from(prefix), asked).push(" AND ")
        }
        _ => sql.push("("),
    };
    let sql = value::updated(sql.push("((r.views = 0 AND "), |sql| sql.push("r.updated_at"), prefix, asked);
    value::updated(sql.push(") OR (r.views = 1 AND "), |sql| moment(sql, within), prefix, asked).push(")))")
}

/// What a row must be for its view to be that.
fn from(prefix: Prefix) -> Prefix {
    if prefix == Prefix::Eq { Prefix::Ge } else { prefix }
}

/// Appends that the caller's view of row `r` is of this moment or later.
pub(super) fn since(sql: Sql, since: Instant, within: &Reach) -> Sql {
    let sql = sql.push("r.updated_at >= ").bind(since.0).push(" AND (r.views = 0 OR ");
    moment(sql, within).push(" >= ").bind(since.0).push(")")
}

/// The statement that writes when each sort of reader saw a change last, for the version that comes after `seen`.
pub(super) fn seen(key: Key, views: &[(String, bool)], resource: &Resource, seen: i64) -> Sql {
    let Key { bucket, kind, id } = key;
    let of_row = |sql: Sql| {
        let sql = sql.push(" WHERE w.bucket = ").bind(bucket).push(" AND w.kind = ").bind(kind);
        sql.push(" AND w.id = ").bind(id).push(" AND w.version = ").bind(seen)
    };
    let mut sql = Sql::new("INSERT INTO view_time (bucket, kind, id, class, version, seen_at) VALUES ");
    for (at, (class, differs)) in views.iter().enumerate() {
        sql = sql.push(if at == 0 { "(" } else { ", (" }).bind(bucket).push(", ").bind(kind).push(", ").bind(id);
        sql = sql.push(", ").bind(class.as_str()).push(", ").bind(resource.version()).push(", ");
        if *differs {
            sql = sql.bind(resource.updated_at().unwrap_or(Instant(0)).0).push(")");
            continue;
        }
        sql = of_row(sql.push("COALESCE((SELECT w.seen_at FROM view_time w")).push(" AND w.class = ");
        sql = of_row(sql.bind(class.as_str()).push("), (SELECT MIN(w.seen_at) FROM view_time w"));
        sql = of_row(sql.push("), (SELECT w.updated_at FROM history w")).push(")))");
    }
    sql.push(
        " ON CONFLICT (bucket, kind, id, class) DO UPDATE SET version = excluded.version, seen_at = excluded.seen_at",
    )
}
