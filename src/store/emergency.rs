//! Declarations of an emergency, as every node reads them.

use crate::fhir::Instant;

use super::sql::{Bind, Sql};
use super::{Fault, Store, Tx};

#[derive(Clone, Debug)]
pub struct Declared {
    pub id: String,
    pub bucket: i64,
    pub patient: String,
    pub partner: String,
    /// The client or user that declared it.
    pub subject: String,
    pub reason: String,
    pub at: Instant,
}

impl Tx {
    pub async fn declare(&mut self, one: &Declared) -> Result<(), Fault> {
        let row: Vec<Bind> = vec![
            one.id.as_str().into(),
            one.bucket.into(),
            one.patient.as_str().into(),
            one.partner.as_str().into(),
            one.subject.as_str().into(),
            one.reason.as_str().into(),
            one.at.0.into(),
        ];
        let sql = "INSERT INTO emergency (id, bucket, patient, partner, subject, reason, declared_at) VALUES ";
        self.inner.execute(Sql::new(sql).rows([row])).await.map(|_| ())
    }
}

impl Store {
    pub async fn declared(&self, id: &str) -> Result<Option<Declared>, Fault> {
        let sql = "SELECT id, bucket, patient, partner, subject, reason, declared_at FROM emergency WHERE id = ";
        let rows = self.db.fetch(Sql::new(sql).bind(id)).await?;
        Ok(rows.first().map(|row| Declared {
            id: row.text(0),
            bucket: row.int(1),
            patient: row.text(2),
            partner: row.text(3),
            subject: row.text(4),
            reason: row.text(5),
            at: Instant(row.int(6)),
        }))
    }
}
