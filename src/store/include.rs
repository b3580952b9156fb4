//! What comes along with a search's matches: the targets of their references, and what points at them, within reach.

use crate::consent::Reach;
use crate::fhir::search::Include;

use super::registry::RECIPIENT;
use super::resource::Stored;
use super::sql::Sql;
use super::{Fault, Store, reach};

/// Keys of one statement.
const CHUNK: usize = 200;

impl Store {
    /// What an include brings along for these rows: at most `limit`, each once, current and in reach. `kinds` are the types
    /// that it may bring.
    pub async fn included(
        &self,
        include: &Include,
        of: &[(i64, String, String)],
        kinds: &[String],
        within: &Reach,
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        let mut found: Vec<Stored> = Vec::new();
        for chunk in of.chunks(CHUNK) {
            let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
            let sql =
                Sql::new("SELECT DISTINCT ").push(Stored::columns()).push(" FROM idx_reference x JOIN resource r ON ");
            let sql = if include.reverse { pointing(sql, include, chunk) } else { pointed_at(sql, include, chunk) };
            let sql = sql.push(" AND r.deleted = 0 AND r.kind IN (").bind_list(kinds.iter().copied()).push(") AND ");
            let sql = reach::visible_among(sql, within, &kinds).push(" ORDER BY r.kind, r.id LIMIT ");
            let room = limit.saturating_sub(found.len()) as i64 + 1;
            for row in self.db.fetch(sql.bind(room)).await?.into_iter().map(Stored::of) {
                if !found.iter().any(|known| known.kind == row.kind && known.id == row.id) {
                    found.push(row);
                }
            }
        }
        Ok(found)
    }
}

/// `r` is what the rows point at.
fn pointed_at(sql: Sql, include: &Include, of: &[(i64, String, String)]) -> Sql {
    let sql = sql.push("r.kind = x.target_kind AND r.id = x.target_id WHERE (x.bucket, x.kind, x.id) IN (VALUES ");
    let rows = of.iter().map(|(bucket, kind, id)| vec![(*bucket).into(), kind.as_str().into(), id.as_str().into()]);
    named(sql.rows(rows).push(")"), include)
}

/// `r` is what points at the rows.
fn pointing(sql: Sql, include: &Include, of: &[(i64, String, String)]) -> Sql {
    let sql = sql
        .push("r.bucket = x.bucket AND r.kind = x.kind AND r.id = x.id WHERE (x.target_kind, x.target_id) IN (VALUES ");
    let rows = of.iter().map(|(_, kind, id)| vec![kind.as_str().into(), id.as_str().into()]);
    let sql = sql.rows(rows).push(")");
    let sql = match &include.source {
        Some(source) => sql.push(" AND x.kind = ").bind(source.as_str()),
        None => sql,
    };
    named(sql, include)
}

fn named(sql: Sql, include: &Include) -> Sql {
    let sql = match &include.param {
        Some(param) => sql.push(" AND x.param = ").bind(param.as_str()),
        // Rows that only we look for are no references of the resource.
        None => sql.push(" AND x.param <> ").bind(RECIPIENT),
    };
    match &include.target {
        Some(target) => sql.push(" AND x.target_kind = ").bind(target.as_str()),
        None => sql,
    }
}
