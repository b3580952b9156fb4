//! A person's record as it was at a moment: for who asks what would have been decided then.
//!
//! For decisions alone, like [`Store::record_of`]: what comes of it is told to who may know of it.

use crate::fhir::Instant;

use super::resource::{Stored, buckets};
use super::sql::Sql;
use super::{Fault, Store};

impl Store {
    /// The versions that were current at a moment, of these types or without any of all, in the order recorded; at
    /// most `limit`.
    pub async fn record_as_of(
        &self,
        patient: &str,
        kinds: &[&str],
        at: Instant,
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        let sql = Sql::new("SELECT ").push(Stored::columns()).push(" FROM resource r WHERE ");
        let sql = of_person(sql, patient, kinds, at);
        let sql = sql.push(" UNION ALL SELECT ").push(Stored::columns()).push(" FROM history r WHERE ");
        // A version is current until the next one is written.
        let sql = of_person(sql, patient, kinds, at)
            .push(" AND COALESCE((SELECT n.updated_at FROM history n WHERE n.bucket = r.bucket AND n.kind = r.kind")
            .push(" AND n.id = r.id AND n.version = r.version + 1), (SELECT c.updated_at FROM resource c")
            .push(" WHERE c.bucket = r.bucket AND c.kind = r.kind AND c.id = r.id)) > ")
            .bind(at.0);
        let sql = sql.push(" ORDER BY 5, 3 LIMIT ").bind(limit as i64);
        Ok(self.db.fetch(sql).await?.into_iter().map(Stored::of).collect())
    }
}

fn of_person(sql: Sql, patient: &str, kinds: &[&str], at: Instant) -> Sql {
    let sql = buckets(sql.push("r.deleted = 0 AND r.bucket IN "), None::<i64>, patient);
    let sql = match kinds {
        [] => sql,
        // An expression, so that SQLite walks the person's bucket, and not all of a type by its moments.
        kinds => sql.push(" AND r.kind || '' IN (").bind_list(kinds.iter().copied()).push(")"),
    };
    let sql = sql.push(" AND r.updated_at <= ").bind(at.0).push(" AND (r.patient = ").bind(patient);
    let sql = sql.push(" OR EXISTS (SELECT 1 FROM further_patient f WHERE f.bucket = r.bucket AND f.kind = r.kind");
    sql.push(" AND f.id = r.id AND f.patient = ").bind(patient).push("))")
}
