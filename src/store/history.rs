//! Versions of one resource, of a type or of the whole exchange, newest first.
//!
//! A version is found where its resource is in reach **now**; whether the version itself may leave is decided by
//! `gateway`, since labels and patients may have been others then.

use crate::consent::Reach;
use crate::fhir::{Instant, Interval};

use super::resource::Stored;
use super::sql::Sql;
use super::{Fault, Store, reach};

/// Of what a history is wanted, and of when.
#[derive(Clone, Debug)]
pub struct Past<'a> {
    pub kinds: &'a [String],
    /// One resource of the one kind.
    pub one: Option<&'a Stored>,
    /// Written at this moment or later.
    pub since: Option<Instant>,
    /// Current at some moment of it.
    pub at: Option<Interval>,
}

/// A version, and the second partner that has its resource by right now.
#[derive(Clone, Debug)]
pub struct Kept {
    pub stored: Stored,
    pub holder: Option<String>,
}

/// Where a page ends: the next one holds what is older in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub updated_at: Instant,
    pub kind: String,
    pub id: String,
    pub version: i64,
}

impl Store {
    /// Versions behind a place, at most `limit`.
    pub async fn versions(
        &self,
        of: &Past<'_>,
        within: &Reach,
        behind: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<Kept>, Fault> {
        // INVARIANT: one statement, so that a version that is moved from one table to the other while this reads is
        // seen once; (updated_at, kind, id, version) is unique, and the page token depends on it.
        let sql = Sql::new("SELECT * FROM (SELECT ").push(Stored::columns());
        let sql = sql.push(", r.holder AS held FROM resource r WHERE ");
        let sql = chosen(sql, of, "r.");
        let sql = match of.at {
            Some(at) => sql.push(" AND r.updated_at < ").bind(at.end.0),
            None => sql,
        };
        let sql = newest(reached(sql, of, within), behind, "r.", limit);
        let sql = sql.push(") c UNION ALL SELECT * FROM (SELECT h.bucket, h.kind, h.id, h.version, h.updated_at,");
        let sql = sql.push(" h.deleted, h.origin, h.holder, h.patient, h.body, r.holder AS held FROM history h");
        // CROSS keeps SQLite to this order: versions by moment, each with its resource.
        let sql = sql.push(" CROSS JOIN resource r WHERE r.bucket = h.bucket AND r.kind = h.kind AND r.id = h.id AND ");
        let sql = chosen(sql, of, "h.");
        let sql = match of.at {
            // A version is current until the next one is written.
            Some(at) => sql
                .push(" AND h.updated_at < ")
                .bind(at.end.0)
                .push(" AND COALESCE((SELECT n.updated_at FROM history n WHERE n.bucket = h.bucket AND n.kind = h.kind")
                .push(" AND n.id = h.id AND n.version = h.version + 1), r.updated_at) > ")
                .bind(at.start.0),
            None => sql,
        };
        let sql = newest(reached(sql, of, within), behind, "h.", limit);
        let sql = sql.push(") p ORDER BY 5 DESC, 2 DESC, 3 DESC, 4 DESC LIMIT ").bind(limit as i64);
        let kept = |row: super::db::Row| Kept { holder: row.maybe_text(10), stored: Stored::of(row) };
        Ok(self.db.fetch(sql).await?.into_iter().map(kept).collect())
    }
}

/// Which rows of a table, by resource, kind and moment.
fn chosen(sql: Sql, of: &Past, table: &'static str) -> Sql {
    let sql = match (of.one, of.kinds) {
        (Some(one), _) => {
            let sql = sql.push(table).push("bucket = ").bind(one.bucket).push(" AND ").push(table).push("kind = ");
            sql.bind(one.kind.as_str()).push(" AND ").push(table).push("id = ").bind(one.id.as_str())
        }
        (None, [kind]) => sql.push(table).push("kind = ").bind(kind.as_str()),
        // The kinds are said by the reach.
        (None, _) => sql.push("1 = 1"),
    };
    match of.since {
        Some(since) => sql.push(" AND ").push(table).push("updated_at >= ").bind(since.0),
        None => sql,
    }
}

fn reached(sql: Sql, of: &Past, within: &Reach) -> Sql {
    let sql = reach::there_or_known_gone(sql.push(" AND "), within).push(" AND ");
    match of.kinds {
        [kind] => reach::visible(sql, within, kind),
        kinds => reach::visible_of(sql, within, kinds.iter().map(String::as_str)),
    }
}

fn newest(sql: Sql, behind: Option<&Place>, table: &'static str, limit: usize) -> Sql {
    let key = |sql: Sql| {
        let sql = sql.push(table).push("updated_at, ").push(table).push("kind, ").push(table).push("id, ");
        sql.push(table).push("version")
    };
    let sql = match behind {
        Some(place) => {
            let sql = key(sql.push(" AND (")).push(") < (").bind(place.updated_at.0).push(", ");
            let sql = sql.bind(place.kind.as_str()).push(", ").bind(place.id.as_str()).push(", ");
            sql.bind(place.version).push(")")
        }
        None => sql,
    };
    let sql = sql.push(" ORDER BY ").push(table).push("updated_at DESC, ").push(table).push("kind DESC, ");
    let sql = sql.push(table).push("id DESC, ").push(table).push("version DESC LIMIT ");
    sql.bind(limit as i64)
}
