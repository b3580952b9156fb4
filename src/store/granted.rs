//! What each person permits to who asks about everybody, as rows that a search joins (rules.md 26).

use crate::fhir::Instant;

use super::resource::home_of;
use super::sql::{Bind, Sql};
use super::{Fault, Store, Tx};

/// Who has asked about everybody, and what was kept for it.
#[derive(Clone, Debug)]
pub struct Asker {
    pub id: String,
    pub partner: String,
    pub purposes: Vec<String>,
    pub action: String,
    /// Under which agencies and rules.
    pub agencies: String,
    /// The last patient who was walked.
    pub reached: Reached,
    pub asked_at: Instant,
    /// Its shapes by name, as `Condition::shape` writes them.
    pub shapes: Vec<(String, String)>,
}

/// How far the people were walked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    Behind(String),
    All,
}

/// What one person permits to one asker.
#[derive(Clone, Debug)]
pub struct Grant {
    pub asker: String,
    /// Name and text; `None` where nothing is permitted now.
    pub shape: Option<(String, String)>,
    /// When time alone would change it; [`PARTICULAR`] for what no other person shares.
    pub until: Instant,
}

/// Stands for a condition that is worked out each time it is asked.
pub const PARTICULAR: Instant = Instant(0);

impl Reached {
    fn text(&self) -> &str {
        match self {
            Reached::Behind(patient) => patient,
            Reached::All => ".",
        }
    }

    fn of(text: String) -> Reached {
        if text == "." { Reached::All } else { Reached::Behind(text) }
    }
}

const ASKERS: &str = "SELECT a.id, a.partner, a.purposes, a.action, a.agencies, a.reached, a.asked_at, s.id, s.body \
                      FROM asker a LEFT JOIN shape s ON s.asker = a.id";

/// The rows are in the order of the askers, one for each shape.
fn askers(rows: Vec<super::db::Row>) -> Vec<Asker> {
    let mut found: Vec<Asker> = Vec::new();
    for row in rows {
        let id = row.text(0);
        if found.last().is_none_or(|last| last.id != id) {
            found.push(Asker {
                id,
                partner: row.text(1),
                purposes: row.text(2).split(' ').filter(|word| !word.is_empty()).map(str::to_string).collect(),
                action: row.text(3),
                agencies: row.text(4),
                reached: Reached::of(row.text(5)),
                asked_at: Instant(row.int(6)),
                shapes: Vec::new(),
            });
        }
        if let (Some(asker), Some(shape), Some(body)) = (found.last_mut(), row.maybe_text(7), row.maybe_text(8)) {
            asker.shapes.push((shape, body));
        }
    }
    found
}

impl Store {
    pub async fn asker(&self, id: &str) -> Result<Option<Asker>, Fault> {
        let sql = Sql::new(ASKERS).push(" WHERE a.id = ").bind(id);
        Ok(askers(self.db.fetch(sql).await?).pop())
    }

    pub async fn askers(&self) -> Result<Vec<Asker>, Fault> {
        Ok(askers(self.db.fetch(Sql::new(ASKERS).push(" ORDER BY a.id")).await?))
    }

    /// The patients of whom an asker's rows say nothing that counts: those that time has changed, and the particular
    /// ones, for which `true` stands.
    pub async fn to_work_out(&self, asker: &str, now: Instant, limit: usize) -> Result<Vec<(String, bool)>, Fault> {
        let sql = Sql::new("SELECT patient, until FROM granted WHERE asker = ").bind(asker);
        let sql = sql.push(" AND until <= ").bind(now.0).push(" ORDER BY until, patient LIMIT ").bind(limit as i64);
        let found = self.db.fetch(sql).await?;
        Ok(found.into_iter().map(|row| (row.text(0), row.int(1) == PARTICULAR.0)).collect())
    }
}

impl Tx {
    /// As [`Store::askers`], seeing what this transaction wrote.
    pub async fn askers(&mut self) -> Result<Vec<Asker>, Fault> {
        Ok(askers(self.inner.fetch(Sql::new(ASKERS).push(" ORDER BY a.id")).await?))
    }

    /// Writes down who asks, or how far the people were walked for it.
    pub async fn keep_asker(&mut self, asker: &Asker) -> Result<(), Fault> {
        let row: Vec<Bind> = vec![
            asker.id.as_str().into(),
            asker.partner.as_str().into(),
            asker.purposes.join(" ").into(),
            asker.action.as_str().into(),
            asker.agencies.as_str().into(),
            asker.reached.text().into(),
            asker.asked_at.0.into(),
        ];
        let sql = Sql::new("INSERT INTO asker (id, partner, purposes, action, agencies, reached, asked_at) VALUES ");
        let sql = sql.rows([row]).push(" ON CONFLICT (id) DO UPDATE SET reached = excluded.reached");
        self.inner.execute(sql).await.map(|_| ())
    }

    /// Forgets an asker with all that was kept for it.
    pub async fn forget_asker(&mut self, id: &str) -> Result<(), Fault> {
        for text in
            ["DELETE FROM granted WHERE asker = ", "DELETE FROM shape WHERE asker = ", "DELETE FROM asker WHERE id = "]
        {
            self.inner.execute(Sql::new(text).bind(id)).await?;
        }
        Ok(())
    }

    /// Replaces what a person permits to these askers, as of the person's epoch. One who has no epoch permits nothing.
    pub async fn grant(&mut self, patient: &str, askers: &[&str], grants: &[Grant]) -> Result<(), Fault> {
        let sql = Sql::new("DELETE FROM granted WHERE patient = ").bind(patient).push(" AND asker IN (");
        self.inner.execute(sql.bind_list(askers.iter().copied()).push(")")).await?;
        for grant in grants {
            if let Some((shape, body)) = &grant.shape {
                let row: Vec<Bind> = vec![grant.asker.as_str().into(), shape.as_str().into(), body.as_str().into()];
                let sql = Sql::new("INSERT INTO shape (asker, id, body) VALUES ").rows([row]);
                self.inner.execute(sql.push(" ON CONFLICT (asker, id) DO NOTHING")).await?;
            }
            let shape = grant.shape.as_ref().map_or("", |(shape, _)| shape);
            let sql = Sql::new("INSERT INTO granted (patient, asker, bucket, epoch, shape, until) SELECT e.patient, ");
            // PostgreSQL has to be told of what type a value is that nothing is compared with.
            let sql = sql.push("CAST(").bind(grant.asker.as_str()).push(" AS TEXT), e.bucket, e.epoch, CAST(");
            let sql = sql.bind(shape).push(" AS TEXT), CAST(").bind(grant.until.0).push(" AS BIGINT)");
            let sql = home_of(sql.push(" FROM epoch e WHERE e.bucket = "), patient);
            let sql = sql.push(" AND e.patient = ").bind(patient);
            self.inner.execute(sql.push(" ON CONFLICT (patient, asker) DO NOTHING")).await?;
        }
        Ok(())
    }
}
