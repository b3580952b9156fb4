//! The log's rows: records that are only added, and the chain that numbers them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::fhir::Instant;

use super::sql::{Bind, Sql};
use super::{Fault, Store, Tx};

/// One request's record, as `audit` wrote it.
#[derive(Clone, Debug)]
pub struct Record {
    pub bucket: i64,
    pub id: String,
    pub at: Instant,
    /// Who asked.
    pub partner: String,
    /// Whom the asker knows it to be about.
    pub patient: Option<String>,
    pub verdict: String,
    pub body: String,
    /// Who may read it besides the asker: whose data it was, to whom it went.
    /// With the person of theirs that it is about.
    pub parties: Vec<(String, Option<String>)>,
}

/// A record as it is read back, with its number once it has one.
#[derive(Clone, Debug)]
pub struct LogRow {
    pub id: String,
    pub at: Instant,
    pub body: String,
    pub number: Option<i64>,
}

/// A link of the chain with what it is a link of; a record that is gone is `None`.
#[derive(Clone, Debug)]
pub struct Chained {
    pub number: i64,
    pub record: String,
    pub hash: String,
    pub content: Option<(Instant, String)>,
}

/// Records of one INSERT.
const RECORDS_AT_ONCE: usize = 64;

/// What a page of the log shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The partner that reads: receiver, or origin of what was received. `None` sees all (the operator).
    pub party: Option<String>,
    pub id: Option<String>,
    pub patient: Option<String>,
    /// A person whom it says anything of, asked for or not: every record is looked through.
    pub mentions: Option<String>,
    pub recipient: Option<String>,
    pub verdict: Option<String>,
    pub from: Option<Instant>,
    pub until: Option<Instant>,
    pub limit: usize,
}

/// Parties of one INSERT.
const PARTIES: usize = 1_000;
const RECORD: &str = "INSERT INTO record (bucket, id, at, partner, patient, verdict, body) VALUES ";
const UNCHAINED: &str = "INSERT INTO unchained (bucket, record, at) VALUES ";
const PARTY: &str = "INSERT INTO record_party (bucket, record, partner, patient, at) VALUES ";

impl Record {
    fn row(&self) -> Vec<Bind> {
        vec![
            self.bucket.into(),
            self.id.as_str().into(),
            self.at.0.into(),
            self.partner.as_str().into(),
            self.patient.as_deref().into(),
            self.verdict.as_str().into(),
            self.body.as_str().into(),
        ]
    }

    fn waiting(&self) -> Vec<Bind> {
        vec![self.bucket.into(), self.id.as_str().into(), self.at.0.into()]
    }

    fn party_rows(&self) -> impl Iterator<Item = Vec<Bind>> {
        self.parties.iter().map(|(partner, patient)| {
            let (id, patient) = (self.id.as_str(), patient.as_deref());
            vec![self.bucket.into(), id.into(), partner.as_str().into(), patient.into(), self.at.0.into()]
        })
    }
}

/// One record as one statement, where each statement is a trip (PostgreSQL alone takes it).
fn at_once(record: &Record) -> Sql {
    let sql = Sql::new("WITH kept AS (").push(RECORD).rows([record.row()]).push(")");
    if record.parties.is_empty() {
        return sql.push(" ").push(UNCHAINED).rows([record.waiting()]);
    }
    let sql = sql.push(", waiting AS (").push(UNCHAINED).rows([record.waiting()]).push(") ");
    sql.push(PARTY).rows(record.party_rows()).push(" ON CONFLICT DO NOTHING")
}

fn on_disk(word: Result<bool, oneshot::error::RecvError>) -> Result<(), Fault> {
    let lost = || Fault::new("write", "the record of this request was not written");
    word.ok().filter(|kept| *kept).map(|_| ()).ok_or_else(lost)
}

impl Tx {
    /// Adds one record, to be numbered within a second.
    pub async fn record(&mut self, record: &Record) -> Result<(), Fault> {
        if self.inner.takes_turns() {
            return self.records(std::slice::from_ref(record)).await;
        }
        self.inner.execute(at_once(record)).await.map(|_| ())
    }

    /// Adds several records in as many statements as one takes.
    pub async fn records(&mut self, records: &[Record]) -> Result<(), Fault> {
        self.inner.execute(Sql::new(RECORD).rows(records.iter().map(Record::row))).await?;
        self.inner.execute(Sql::new(UNCHAINED).rows(records.iter().map(Record::waiting))).await?;
        if records.iter().all(|record| record.parties.is_empty()) {
            return Ok(());
        }
        let parties: Vec<Vec<Bind>> = records.iter().flat_map(Record::party_rows).collect();
        for chunk in parties.chunks(PARTIES) {
            let sql = Sql::new(PARTY).rows(chunk.iter().cloned());
            self.inner.execute(sql.push(" ON CONFLICT DO NOTHING")).await?;
        }
        Ok(())
    }

    /// The last link.
    pub async fn chain_head(&mut self) -> Result<Option<(i64, String)>, Fault> {
        let rows = self.inner.fetch(Sql::new("SELECT number, hash FROM chain ORDER BY number DESC LIMIT 1")).await?;
        Ok(rows.first().map(|row| (row.int(0), row.text(1))))
    }

    /// Records that wait for a number, oldest first, as (bucket, id, at, body).
    pub async fn unchained(&mut self, limit: usize) -> Result<Vec<(i64, String, Instant, String)>, Fault> {
        // The oldest first, then their bodies: not the bodies of all that wait.
        let sql = Sql::new("SELECT u.bucket, u.record, r.at, r.body FROM")
            .push(" (SELECT bucket, record, at FROM unchained ORDER BY at, record LIMIT ")
            .bind(limit as i64)
            .push(") u JOIN record r ON r.bucket = u.bucket AND r.id = u.record ORDER BY u.at, u.record");
        let rows = self.inner.fetch(sql).await?;
        Ok(rows.into_iter().map(|mut row| (row.int(0), row.text(1), Instant(row.int(2)), row.take_text(3))).collect())
    }

    /// Adds links; two sequencers that take the same number cannot both commit.
    pub async fn chain(&mut self, links: &[(i64, i64, String, String)]) -> Result<(), Fault> {
        for chunk in links.chunks(200) {
            let rows = chunk.iter().map(|(number, bucket, record, hash)| {
                vec![(*number).into(), (*bucket).into(), record.as_str().into(), hash.as_str().into()]
            });
            self.inner.execute(Sql::new("INSERT INTO chain (number, bucket, record, hash) VALUES ").rows(rows)).await?;
            let done = chunk.iter().map(|(_, bucket, record, _)| vec![(*bucket).into(), record.as_str().into()]);
            let sql = Sql::new("DELETE FROM unchained WHERE (bucket, record) IN (VALUES ").rows(done);
            self.inner.execute(sql.push(")")).await?;
        }
        Ok(())
    }
}

/// Records that wait for the writer, each with whom to tell whether it is on disk.
#[derive(Default)]
pub(super) struct Waiting {
    records: Mutex<Vec<(Record, oneshot::Sender<bool>)>>,
    /// Whose turn it is to write what all have left, until that is committed.
    turn: tokio::sync::Mutex<()>,
}

impl Waiting {
    fn records(&self) -> MutexGuard<'_, Vec<(Record, oneshot::Sender<bool>)>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Writes the record of a request that changes nothing else; on return it is on disk.
    ///
    /// Where writers take turns, one of those who wait writes what all have left, in as many statements as one record
    /// takes; the others are told when that is committed, and wait for nothing else.
    pub async fn keep(&self, record: Record) -> Result<(), Fault> {
        if !self.db.takes_turns() {
            return self.db.execute(at_once(&record)).await.map(|_| ());
        }
        let (told, mut word) = oneshot::channel();
        self.waiting.records().push((record, told));
        let turn = tokio::select! {
            biased;
            kept = &mut word => return on_disk(kept),
            turn = self.waiting.turn.lock() => turn,
        };
        if !self.waiting.records().is_empty() {
            let mut tx = self.begin().await?;
            let (records, told): (Vec<Record>, Vec<_>) =
                std::mem::take(&mut *self.waiting.records()).into_iter().unzip();
            // INVARIANT: on this database nothing from here to the end of the savepoint waits, so that nobody can hang
            // up with the others' records in hand. If a statement fails, all who wait are told by their closed channel.
            for chunk in records.chunks(RECORDS_AT_ONCE) {
                tx.records(chunk).await?;
            }
            tx.inner.tell(told);
            tx.commit().await?;
        }
        drop(turn);
        on_disk(word.await)
    }

    /// Links in order, from behind `number`.
    pub async fn chained(&self, number: i64, limit: usize) -> Result<Vec<Chained>, Fault> {
        let sql = Sql::new("SELECT c.number, c.record, c.hash, r.at, r.body FROM chain c")
            .push(" LEFT JOIN record r ON r.bucket = c.bucket AND r.id = c.record WHERE c.number > ")
            .bind(number)
            .push(" ORDER BY c.number LIMIT ")
            .bind(limit as i64);
        let rows = self.db.fetch(sql).await?;
        let link = |mut row: super::db::Row| {
            let body = row.maybe_text(4).is_some().then(|| row.take_text(4));
            let content = body.map(|body| (Instant(row.int(3)), body));
            Chained { number: row.int(0), record: row.text(1), hash: row.text(2), content }
        };
        Ok(rows.into_iter().map(link).collect())
    }

    /// How many records the log has, and how many of them wait for a number.
    pub async fn log_size(&self) -> Result<(i64, i64), Fault> {
        let rows =
            self.db.fetch(Sql::new("SELECT (SELECT COUNT(*) FROM record), (SELECT COUNT(*) FROM unchained)")).await?;
        Ok(rows.first().map_or((0, 0), |row| (row.int(0), row.int(1))))
    }

    /// Records that neither have a number nor wait for one: somebody put them there behind our back.
    pub async fn strays(&self) -> Result<Vec<String>, Fault> {
        let sql = Sql::new("SELECT r.id FROM record r WHERE NOT EXISTS")
            .push(" (SELECT 1 FROM chain c WHERE c.bucket = r.bucket AND c.record = r.id) AND NOT EXISTS")
            .push(" (SELECT 1 FROM unchained u WHERE u.bucket = r.bucket AND u.record = r.id) ORDER BY r.at LIMIT 10");
        Ok(self.db.fetch(sql).await?.iter().map(|row| row.text(0)).collect())
    }

    /// The log, newest first.
    pub async fn log(&self, filter: &Filter) -> Result<Vec<LogRow>, Fault> {
        let mut sql = Sql::new("SELECT r.id, r.at, r.body, c.number FROM record r")
            .push(" LEFT JOIN chain c ON c.bucket = r.bucket AND c.record = r.id WHERE 1 = 1");
        let about = |sql: Sql, column: &'static str| match &filter.patient {
            Some(patient) => sql.push(" AND ").push(column).push(" = ").bind(patient.as_str()),
            None => sql,
        };
        sql = match &filter.party {
            None => about(sql, "r.patient"),
            Some(party) => {
                let asked = about(sql.push(" AND ((r.partner = ").bind(party.as_str()), "r.patient");
                let concerned = asked
                    .push(") OR EXISTS (SELECT 1 FROM record_party p WHERE p.bucket = r.bucket AND p.record = r.id")
                    .push(" AND p.partner = ")
                    .bind(party.as_str());
                about(concerned, "p.patient").push("))")
            }
        };
        if let Some(id) = &filter.id {
            sql = sql.push(" AND r.id = ").bind(id.as_str());
        }
        if let Some(patient) = &filter.mentions {
            sql = sql.push(" AND r.body LIKE ").bind(format!("%\"{patient}\"%"));
        }
        if let Some(recipient) = &filter.recipient {
            sql = sql.push(" AND r.partner = ").bind(recipient.as_str());
        }
        if let Some(verdict) = &filter.verdict {
            sql = sql.push(" AND r.verdict = ").bind(verdict.as_str());
        }
        if let Some(from) = filter.from {
            sql = sql.push(" AND r.at >= ").bind(from.0);
        }
        if let Some(until) = filter.until {
            sql = sql.push(" AND r.at < ").bind(until.0);
        }
        sql = sql.push(" ORDER BY r.at DESC, r.id DESC LIMIT ").bind(filter.limit as i64);
        let row = |mut row: super::db::Row| {
            let number = Some(row.int(3)).filter(|number| *number > 0);
            LogRow { id: row.text(0), at: Instant(row.int(1)), body: row.take_text(2), number }
        };
        Ok(self.db.fetch(sql).await?.into_iter().map(row).collect())
    }
}
