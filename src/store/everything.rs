//! The record of one person: what names them and is in reach, their Patient first.

use crate::consent::Reach;
use crate::fhir::{Instant, Interval};

use super::resource::{Stored, of_person};
use super::sql::Sql;
use super::{Fault, Store, criterion, reach, view};

/// What of a person's record is wanted.
#[derive(Clone, Debug)]
pub struct RecordOf<'a> {
    pub patient: &'a str,
    pub kinds: &'a [String],
    /// Written at this moment or later.
    pub since: Option<Instant>,
    /// With a date of its own that touches this, or with none.
    pub during: Option<Interval>,
}

/// Where a page ends: the next one holds what comes behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordPlace {
    pub kind: String,
    pub id: String,
}

/// INVARIANT: unique, since an id is of one kind's one resource; page tokens depend on it.
const ORDER: &str = "CASE WHEN r.kind = 'Patient' THEN 0 ELSE 1 END, r.kind, r.id";

impl Store {
    /// Rows behind a place, at most `limit`.
    pub async fn record_within(
        &self,
        of: &RecordOf<'_>,
        within: &Reach,
        behind: Option<&RecordPlace>,
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        let kinds: Vec<&str> = of.kinds.iter().map(String::as_str).collect();
        let sql = Sql::new("SELECT ").push(Stored::columns()).push(" FROM ");
        // CROSS keeps SQLite to the person's rows.
        let sql = of_person(sql, of.patient, &kinds).push(" p CROSS JOIN resource r WHERE r.bucket = p.bucket");
        let sql = sql.push(" AND r.kind = p.kind AND r.id = p.id AND r.deleted = 0");
        let mut sql = reach::visible_of(sql.push(" AND "), within, kinds);
        if let Some(since) = of.since {
            sql = view::since(sql.push(" AND "), since, within);
        }
        if let Some(during) = of.during {
            // What copies do not have is not found by either.
            const DATES: &str = "EXISTS (SELECT 1 FROM idx_date d WHERE d.bucket = r.bucket AND d.kind = r.kind AND d.id = r.id AND d.param <> '_lastUpdated' AND ";
            let dates = |sql: Sql| {
                sql.push(DATES).all(within.quiets(), |sql, quiet| {
                    let params = quiet.params.iter().map(String::as_str);
                    let sql = sql.push("(d.param NOT IN (").bind_list(params).push(") OR ");
                    criterion::spoken_of(sql, quiet, within).push(")")
                })
            };
            sql = dates(sql.push(" AND (r.kind = 'Patient' OR NOT ")).push(") OR ");
            sql = dates(sql);
            sql = sql.push(" AND d.start_at < ").bind(during.end.0).push(" AND d.end_at > ").bind(during.start.0);
            sql = sql.push("))");
        }
        if let Some(place) = behind {
            sql = sql.push(" AND (").push(ORDER).push(") > (").bind(i64::from(place.kind != "Patient"));
            sql = sql.push(", ").bind(place.kind.as_str()).push(", ").bind(place.id.as_str()).push(")");
        }
        let sql = sql.push(" ORDER BY ").push(ORDER).push(" LIMIT ").bind(limit as i64);
        Ok(self.db.fetch(sql).await?.into_iter().map(Stored::of).collect())
    }
}
