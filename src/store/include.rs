//! What comes along with a search's matches: the targets of their references, and what points at them, within reach.
//!
//! Each statement names its tables in the order in which they are to be read, from the few to the many: CROSS keeps
//! SQLite to it, which would otherwise read all of an index for a list of row values.

use crate::consent::Reach;

use super::resource::Stored;
use super::sql::{Bind, Sql};
use super::walk::Spot;
use super::{Fault, Store, reach};

/// Rows of one statement.
const CHUNK: usize = 200;

/// The references that are followed.
#[derive(Clone, Debug)]
pub enum Follow {
    /// From the rows, by these parameters; to one type, where it is named.
    From { params: Vec<String>, target: Option<String> },
    /// To the rows, by these parameters of these types, as (type, parameter).
    To { links: Vec<(String, String)> },
}

impl Store {
    /// What these references bring along for these rows: at most `limit` and one more, each once, current and in reach.
    /// `kinds` are the types that may come.
    pub async fn included(
        &self,
        follow: &Follow,
        of: &[Spot],
        kinds: &[String],
        within: &Reach,
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        let mut found: Vec<Stored> = Vec::new();
        for chunk in of.chunks(CHUNK) {
            let room = (limit + 1).saturating_sub(found.len());
            let sql = statement(follow, chunk, kinds, within, room);
            for row in self.db.fetch(sql).await?.into_iter().map(Stored::of) {
                if !found.iter().any(|known| known.kind == row.kind && known.id == row.id) {
                    found.push(row);
                }
            }
        }
        Ok(found)
    }

    /// As [`Store::plans`], for what comes along.
    pub async fn include_plan(
        &self,
        follow: &Follow,
        of: &[Spot],
        kinds: &[String],
        within: &Reach,
    ) -> Result<Vec<String>, Fault> {
        self.db.plan(statement(follow, of, kinds, within, 1)).await
    }
}

fn statement(follow: &Follow, of: &[Spot], kinds: &[String], within: &Reach, limit: usize) -> Sql {
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    let sql = Sql::new("SELECT ").push(Stored::columns()).push(" FROM (SELECT DISTINCT ");
    let sql = match follow {
        Follow::From { params, target } => {
            let rows =
                of.iter().map(|(bucket, kind, id)| vec![Bind::from(*bucket), kind.as_str().into(), id.as_str().into()]);
            let sql = sql.push("x.target_kind AS kind, x.target_id AS id FROM (VALUES ").rows(rows);
            let sql = sql.push(") m CROSS JOIN idx_reference x WHERE x.bucket = m.column1 AND x.kind = m.column2");
            let sql = sql
                .push(" AND x.id = m.column3 AND x.param IN (")
                .bind_list(params.iter().map(String::as_str))
                .push(")");
            let sql = match target {
                Some(target) => sql.push(" AND x.target_kind = ").bind(target.as_str()),
                None => sql,
            };
            sql.push(") t CROSS JOIN resource r WHERE r.kind = t.kind AND r.id = t.id")
        }
        Follow::To { links } => {
            let links = links.iter().map(|(kind, param)| vec![Bind::from(kind.as_str()), param.as_str().into()]);
            let rows = of.iter().map(|(_, kind, id)| vec![Bind::from(kind.as_str()), id.as_str().into()]);
            let sql = sql.push("x.bucket, x.kind, x.id FROM (VALUES ").rows(links).push(") l CROSS JOIN (VALUES ");
            let sql = sql.rows(rows).push(") m CROSS JOIN idx_reference x WHERE x.kind = l.column1");
            let sql = sql.push(" AND x.param = l.column2 AND x.target_id = m.column2 AND x.target_kind = m.column1");
            sql.push(") t CROSS JOIN resource r WHERE r.bucket = t.bucket AND r.kind = t.kind AND r.id = t.id")
        }
    };
    let sql = sql.push(" AND r.deleted = 0 AND r.kind || '' IN (").bind_list(kinds.iter().copied()).push(") AND ");
    reach::visible_among(sql, within, &kinds).push(" ORDER BY r.kind, r.id LIMIT ").bind(limit as i64)
}
