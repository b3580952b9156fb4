//! The work list: what waits for a person of a partner's compliance.

use crate::fhir::Instant;

use super::sql::{Bind, Sql};
use super::statement::VERIFIED;
use super::{Fault, Store, Tx};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkState {
    Open,
    Closed,
}

/// One thing to look at.
#[derive(Clone, Debug)]
pub struct Work {
    pub bucket: i64,
    /// `Consent/c1`, or the id of an emergency's declaration.
    pub about: String,
    /// `unenforceable`, `awaiting-verification`, `expiring`, `emergency-review`.
    pub what: String,
    /// Whose compliance looks at it.
    pub partner: String,
    pub patient: String,
    /// JSON pointers, a filer, or what was done.
    pub detail: String,
    pub at: Instant,
    /// When it becomes due; what ends, ends then.
    pub due_at: Instant,
    pub state: WorkState,
    pub closed_by: Option<String>,
}

const COLUMNS: &str = "SELECT w.bucket, w.about, w.what, w.partner, w.patient, w.detail, w.at, w.due_at, w.state, w.closed_by FROM work w";

fn work(row: &super::db::Row) -> Work {
    Work {
        bucket: row.int(0),
        about: row.text(1),
        what: row.text(2),
        partner: row.text(3),
        patient: row.text(4),
        detail: row.text(5),
        at: Instant(row.int(6)),
        due_at: Instant(row.int(7)),
        state: if row.text(8) == "open" { WorkState::Open } else { WorkState::Closed },
        closed_by: row.maybe_text(9),
    }
}

impl Tx {
    /// Puts one on the list, in place of the same one before; one that was dismissed stays so unless it is new in what
    /// it says.
    pub async fn put_work(&mut self, one: &Work) -> Result<(), Fault> {
        let row: Vec<Bind> = vec![
            one.bucket.into(),
            one.about.as_str().into(),
            one.what.as_str().into(),
            one.partner.as_str().into(),
            one.patient.as_str().into(),
            one.detail.as_str().into(),
            one.at.0.into(),
            one.due_at.0.into(),
            "open".into(),
        ];
        let sql = "INSERT INTO work (bucket, about, what, partner, patient, detail, at, due_at, state) VALUES ";
        let sql = Sql::new(sql).rows([row]).push(" ON CONFLICT (bucket, about, what, partner) DO UPDATE SET");
        let sql = sql.push(" state = CASE WHEN work.detail = excluded.detail AND work.due_at = excluded.due_at");
        let sql = sql.push(" THEN work.state ELSE 'open' END, detail = excluded.detail, due_at = excluded.due_at");
        self.inner.execute(sql).await.map(|_| ())
    }

    /// Takes what is open about something off the list, but for these: its reason is gone.
    pub async fn drop_work(&mut self, bucket: i64, about: &str, keep: &[&str]) -> Result<(), Fault> {
        let sql = Sql::new("DELETE FROM work WHERE bucket = ").bind(bucket).push(" AND about = ").bind(about);
        let sql = sql.push(" AND state = 'open' AND what NOT IN (").bind_list(keep.iter().copied().chain(["-"]));
        self.inner.execute(sql.push(")")).await.map(|_| ())
    }

    /// Somebody has looked at it. `false`: it was not open.
    pub async fn close_work(&mut self, one: &Work, by: &str, at: Instant) -> Result<bool, Fault> {
        let sql = Sql::new("UPDATE work SET state = 'closed', closed_by = ").bind(by).push(", closed_at = ").bind(at.0);
        let sql = sql.push(" WHERE bucket = ").bind(one.bucket).push(" AND about = ").bind(one.about.as_str());
        let sql = sql.push(" AND what = ").bind(one.what.as_str()).push(" AND partner = ").bind(one.partner.as_str());
        Ok(self.inner.execute(sql.push(" AND state = 'open'")).await? == 1)
    }
}

/// Whose list is read.
#[derive(Clone, Copy, Debug)]
pub enum WorkOf<'a> {
    Partner(&'a str),
    /// The operator's: everybody's.
    Everybody,
}

impl Store {
    /// One thing on the list, open or not.
    pub async fn work(&self, about: &str, what: &str, partner: &str) -> Result<Option<Work>, Fault> {
        let sql = Sql::new(COLUMNS).push(" WHERE w.partner = ").bind(partner).push(" AND w.what = ").bind(what);
        let sql = sql.push(" AND w.about = ").bind(about).push(" ORDER BY w.bucket LIMIT 1");
        Ok(self.db.fetch(sql).await?.first().map(work))
    }

    /// What is open and due before a moment, the most urgent first. What waits for the holders of a person's data is on
    /// the list of each of them that has not spoken.
    /// `discreet` are partners of whose filings nobody else is told.
    pub async fn open_work(
        &self,
        of: WorkOf<'_>,
        discreet: &[String],
        before: Instant,
        limit: usize,
    ) -> Result<Vec<Work>, Fault> {
        let mut sql = Sql::new(COLUMNS).push(" WHERE w.state = 'open' AND w.due_at <= ").bind(before.0);
        if let WorkOf::Partner(partner) = of {
            // A Consent of its own is on its list whoever else has data that it would open: the list tells nothing of it.
            sql = sql.push(" AND (w.partner = ").bind(partner).push(" OR (w.what = 'awaiting-verification' AND ");
            sql = sql.push("w.partner NOT IN (").bind_list(discreet.iter().map(String::as_str).chain(["-"]));
            sql = data_of(sql.push(") AND "), partner).push(" AND NOT EXISTS (SELECT 1 FROM statement s");
            sql = sql.push(" WHERE s.bucket = w.bucket AND s.patient = w.patient AND s.what = ").bind(VERIFIED);
            sql = sql.push(" AND s.about = w.about AND s.source = w.detail AND s.holder = ").bind(partner);
            sql = sql.push(") AND w.partner <> ").bind(partner).push("))");
        }
        let sql = sql.push(" ORDER BY w.due_at, w.about, w.what, w.partner LIMIT ").bind(limit as i64);
        Ok(self.db.fetch(sql).await?.iter().map(work).collect())
    }
}

/// That a partner has data of the person, control resources aside.
fn data_of(sql: Sql, partner: &str) -> Sql {
    let sql = sql.push("EXISTS (SELECT 1 FROM resource r WHERE r.bucket = w.bucket AND r.patient = w.patient");
    let sql = sql.push(" AND r.deleted = 0 AND r.origin = ").bind(partner);
    sql.push(" AND r.kind NOT IN ('Patient', 'Consent', 'Provenance', 'AuditEvent', 'Subscription'))")
}
