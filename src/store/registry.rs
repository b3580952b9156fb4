//! Documents of the registry (partners, clients, users, keys, packages), and the assertions that were used.

use crate::fhir::Instant;

use super::resource::Stored;
use super::sql::{Bind, Sql};
use super::{Fault, Store, Tx};

/// The index rows of a Consent that say whom it concerns; no search parameter has such a name.
pub const RECIPIENT: &str = "~recipient";

impl Store {
    pub async fn document(&self, kind: &str, id: &str) -> Result<Option<String>, Fault> {
        let sql = Sql::new("SELECT body FROM registry WHERE kind = ").bind(kind).push(" AND id = ").bind(id);
        Ok(self.db.fetch(sql).await?.into_iter().next().map(|mut row| row.take_text(0)))
    }

    pub async fn documents(&self, kind: &str) -> Result<Vec<String>, Fault> {
        let sql = Sql::new("SELECT body FROM registry WHERE kind = ").bind(kind).push(" ORDER BY id");
        Ok(self.db.fetch(sql).await?.into_iter().map(|mut row| row.take_text(0)).collect())
    }

    /// The resources of a type, at most `limit`. For decisions alone.
    pub async fn all_of(&self, kind: &str, limit: usize) -> Result<Vec<Stored>, Fault> {
        let sql =
            Sql::new("SELECT ").push(Stored::columns()).push(" FROM resource r WHERE r.deleted = 0 AND r.kind = ");
        let sql = sql.bind(kind).push(" ORDER BY r.updated_at, r.id LIMIT ").bind(limit as i64);
        Ok(self.db.fetch(sql).await?.into_iter().map(Stored::of).collect())
    }

    /// Patients behind an id, whoever they are, for searches over many people where consent is not asked for first.
    pub async fn people(&self, behind: &str, limit: usize) -> Result<Vec<String>, Fault> {
        let sql = Sql::new("SELECT r.id FROM resource r WHERE r.kind = 'Patient' AND r.deleted = 0 AND r.id > ");
        let sql = sql.bind(behind).push(" ORDER BY r.id LIMIT ");
        Ok(self.db.fetch(sql.bind(limit as i64)).await?.iter().map(|row| row.text(0)).collect())
    }

    /// Patients behind an id whose Consents name one of these recipients or leave them open, for searches over many people. A
    /// Consent's recipients are index rows of its own (`RECIPIENT`).
    pub async fn people_who_name(
        &self,
        recipients: &[String],
        behind: &str,
        limit: usize,
    ) -> Result<Vec<String>, Fault> {
        let sql = Sql::new("SELECT DISTINCT r.patient FROM idx_reference x")
            .push(" JOIN resource r ON r.bucket = x.bucket AND r.kind = x.kind AND r.id = x.id")
            .push(" WHERE x.kind = 'Consent' AND x.param = ")
            .bind(RECIPIENT)
            .push(" AND x.target_id IN (")
            .bind_list(recipients.iter().map(String::as_str))
            .push(") AND r.deleted = 0 AND r.patient > ")
            .bind(behind)
            .push(" ORDER BY r.patient LIMIT ")
            .bind(limit as i64);
        Ok(self.db.fetch(sql).await?.iter().map(|row| row.text(0)).collect())
    }
}

impl Tx {
    /// Writes a document; an existing one only where `replace` says so. Answers whether it was written.
    pub async fn register(&mut self, kind: &str, id: &str, body: &str, replace: bool) -> Result<bool, Fault> {
        let row: Vec<Bind> = vec![kind.into(), id.into(), body.into()];
        let sql = Sql::new("INSERT INTO registry (kind, id, body) VALUES ").rows([row]);
        let sql = sql.push(if replace {
            " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body"
        } else {
            " ON CONFLICT (kind, id) DO NOTHING"
        });
        Ok(self.inner.execute(sql).await? == 1)
    }

    /// Uses up an assertion id. `false`: it was used before.
    pub async fn use_assertion(
        &mut self,
        issuer: &str,
        jti: &str,
        expires_at: Instant,
        now: Instant,
    ) -> Result<bool, Fault> {
        self.inner.execute(Sql::new("DELETE FROM used_assertion WHERE expires_at < ").bind(now.0)).await?;
        let row: Vec<Bind> = vec![issuer.into(), jti.into(), expires_at.0.into()];
        let sql = Sql::new("INSERT INTO used_assertion (issuer, jti, expires_at) VALUES ").rows([row]);
        Ok(self.inner.execute(sql.push(" ON CONFLICT (issuer, jti) DO NOTHING")).await? == 1)
    }
}
