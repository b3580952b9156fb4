//! Bulk exports: what was asked, how far it got, and the list of what it found.
//!
//! A job is worked on by whoever holds its latest fence, as a delivery is. The list names versions and says nothing
//! of what is in them: that is read, within a reach, when a file is fetched.

use crate::consent::Reach;
use crate::fhir::Instant;

use super::resource::Stored;
use super::sql::{Bind, Sql};
use super::{Fault, Store, Tx, reach};

/// Where an export stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportState {
    Running,
    Done,
    /// Cancelled: nobody sees it any more, its lines go bit by bit.
    Dropped,
}

#[derive(Clone, Debug)]
pub struct ExportJob {
    pub id: String,
    pub partner: String,
    /// The client that asked; nobody else is told of it.
    pub subject: String,
    pub state: ExportState,
    /// What was asked, as `gateway` wrote it.
    pub asked: String,
    /// How far it got, as `gateway` wrote it.
    pub reached: String,
    /// Whether people were left out.
    pub withheld: bool,
    pub listed: i64,
    pub created_at: Instant,
    pub due_at: Instant,
    /// Moves with every claim; who holds an old one has lost it.
    pub fence: i64,
    /// When its status was last asked for.
    pub asked_at: Instant,
    pub finished_at: Instant,
    pub expires_at: Instant,
}

/// A version that an export found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExportLine {
    pub kind: String,
    pub bucket: i64,
    pub id: String,
    pub version: i64,
}

/// A part of a file: the lines of a type from behind one to the last one of it.
#[derive(Clone, Debug)]
pub struct ExportPart<'a> {
    pub job: &'a str,
    pub kind: &'a str,
    pub behind: Option<&'a ExportLine>,
    pub last: &'a ExportLine,
}

/// Rows of one INSERT, within the placeholders of either database.
const CHUNK: usize = 100;

impl ExportState {
    fn text(self) -> &'static str {
        match self {
            ExportState::Running => "running",
            ExportState::Done => "done",
            ExportState::Dropped => "dropped",
        }
    }

    fn of(text: &str) -> ExportState {
        match text {
            "running" => ExportState::Running,
            "done" => ExportState::Done,
            _ => ExportState::Dropped,
        }
    }
}

const COLUMNS: &str = "SELECT id, partner, subject, state, asked, reached, withheld, listed, created_at, due_at, fence, asked_at, finished_at, expires_at FROM export_job";

fn job(row: &super::db::Row) -> ExportJob {
    ExportJob {
        id: row.text(0),
        partner: row.text(1),
        subject: row.text(2),
        state: ExportState::of(&row.text(3)),
        asked: row.text(4),
        reached: row.text(5),
        withheld: row.int(6) != 0,
        listed: row.int(7),
        created_at: Instant(row.int(8)),
        due_at: Instant(row.int(9)),
        fence: row.int(10),
        asked_at: Instant(row.int(11)),
        finished_at: Instant(row.int(12)),
        expires_at: Instant(row.int(13)),
    }
}

impl Tx {
    /// Adds a job, unless its partner has `max` of them. Answers whether it was added.
    pub async fn add_export(&mut self, job: &ExportJob, max: usize) -> Result<bool, Fault> {
        let sql = Sql::new("SELECT COUNT(*) FROM export_job WHERE state <> 'dropped' AND partner = ");
        let sql = sql.bind(job.partner.as_str()).push(" AND expires_at > ").bind(job.created_at.0);
        if self.inner.fetch(sql).await?.first().map_or(0, |row| row.int(0)) >= max as i64 {
            return Ok(false);
        }
        let row: Vec<Bind> = vec![
            job.id.as_str().into(),
            job.partner.as_str().into(),
            job.subject.as_str().into(),
            job.state.text().into(),
            job.asked.as_str().into(),
            job.reached.as_str().into(),
            i64::from(job.withheld).into(),
            job.listed.into(),
            job.created_at.0.into(),
            job.due_at.0.into(),
            job.fence.into(),
            job.asked_at.0.into(),
            job.finished_at.0.into(),
            job.expires_at.0.into(),
        ];
        let sql = Sql::new(
            "INSERT INTO export_job (id, partner, subject, state, asked, reached, withheld, listed, created_at, due_at, fence, asked_at, finished_at, expires_at) VALUES ",
        );
        self.inner.execute(sql.rows([row])).await.map(|_| true)
    }

    /// Claims a job until `until`; `None` when somebody else was first.
    pub async fn claim_export(&mut self, found: &ExportJob, until: Instant) -> Result<Option<ExportJob>, Fault> {
        let sql = Sql::new("UPDATE export_job SET fence = fence + 1, due_at = ").bind(until.0);
        let changed = self.inner.execute(fenced(sql, found)).await?;
        Ok((changed == 1).then(|| ExportJob { fence: found.fence + 1, due_at: until, ..found.clone() }))
    }

    /// Writes down how far a claimed job got, and what it found on the way. `false`: the claim was lost, and nothing
    /// was written.
    pub async fn list_export(&mut self, held: &ExportJob, lines: &[ExportLine]) -> Result<bool, Fault> {
        let sql = Sql::new("UPDATE export_job SET state = ").bind(held.state.text());
        let sql = sql.push(", reached = ").bind(held.reached.as_str());
        let sql = sql.push(", withheld = ").bind(i64::from(held.withheld)).push(", listed = ").bind(held.listed);
        let sql = sql.push(", due_at = ").bind(held.due_at.0).push(", finished_at = ").bind(held.finished_at.0);
        let sql = sql.push(", expires_at = ").bind(held.expires_at.0);
        if self.inner.execute(fenced(sql, held)).await? != 1 {
            return Ok(false);
        }
        for chunk in lines.chunks(CHUNK) {
            let rows = chunk.iter().map(|line| -> Vec<Bind> {
                let (kind, id) = (line.kind.as_str(), line.id.as_str());
                vec![held.id.as_str().into(), kind.into(), line.bucket.into(), id.into(), line.version.into()]
            });
            let sql = Sql::new("INSERT INTO export_line (job, kind, bucket, id, version) VALUES ").rows(rows);
            // What was changed while the list was made is met again, at its newer version.
            let sql = sql.push(" ON CONFLICT (job, kind, bucket, id) DO UPDATE SET version = excluded.version");
            self.inner.execute(sql).await?;
        }
        Ok(true)
    }

    /// Notes that the status was asked for.
    pub async fn asked_for_export(&mut self, id: &str, at: Instant) -> Result<(), Fault> {
        let sql = Sql::new("UPDATE export_job SET asked_at = ").bind(at.0).push(" WHERE id = ").bind(id);
        self.inner.execute(sql).await.map(|_| ())
    }

    /// From now on nobody sees it.
    pub async fn drop_export(&mut self, id: &str) -> Result<(), Fault> {
        // A new fence, so that who is working on it stops.
        let sql = Sql::new("UPDATE export_job SET state = 'dropped', fence = fence + 1 WHERE id = ").bind(id);
        self.inner.execute(sql).await.map(|_| ())
    }

    /// Removes some lines of a job that nobody sees; the job itself when none is left. Answers whether it is gone.
    pub async fn clear_export(&mut self, id: &str, limit: usize) -> Result<bool, Fault> {
        let sql = Sql::new("DELETE FROM export_line WHERE job = ").bind(id);
        let sql =
            sql.push(" AND (kind, bucket, id) IN (SELECT l.kind, l.bucket, l.id FROM export_line l WHERE l.job = ");
        let removed = self.inner.execute(sql.bind(id).push(" LIMIT ").bind(limit as i64).push(")")).await?;
        if removed >= limit as u64 {
            return Ok(false);
        }
        self.inner.execute(Sql::new("DELETE FROM export_job WHERE id = ").bind(id)).await.map(|_| true)
    }
}

fn fenced(sql: Sql, held: &ExportJob) -> Sql {
    sql.push(" WHERE id = ").bind(held.id.as_str()).push(" AND state = 'running' AND fence = ").bind(held.fence)
}

impl Store {
    pub async fn export(&self, id: &str) -> Result<Option<ExportJob>, Fault> {
        Ok(self.db.fetch(Sql::new(COLUMNS).push(" WHERE id = ").bind(id)).await?.first().map(job))
    }

    /// Jobs that somebody should work on, the longest waiting first.
    pub async fn due_exports(&self, now: Instant, limit: usize) -> Result<Vec<ExportJob>, Fault> {
        let sql = Sql::new(COLUMNS).push(" WHERE state = 'running' AND due_at <= ").bind(now.0);
        let sql = sql.push(" AND expires_at > ").bind(now.0).push(" ORDER BY due_at, id LIMIT ").bind(limit as i64);
        Ok(self.db.fetch(sql).await?.iter().map(job).collect())
    }

    /// Jobs that nobody sees any more.
    pub async fn spent_exports(&self, now: Instant, limit: usize) -> Result<Vec<String>, Fault> {
        let sql = Sql::new("SELECT id FROM export_job WHERE state = 'dropped' OR expires_at <= ").bind(now.0);
        let sql = sql.push(" ORDER BY id LIMIT ").bind(limit as i64);
        Ok(self.db.fetch(sql).await?.iter().map(|row| row.text(0)).collect())
    }

    /// The first type behind `kind` of which a job found something: a step through its files that reads no lines.
    pub async fn export_kind_behind(&self, job: &str, kind: &str) -> Result<Option<String>, Fault> {
        let sql = Sql::new("SELECT MIN(kind) FROM export_line WHERE job = ").bind(job).push(" AND kind > ").bind(kind);
        Ok(self.db.fetch(sql).await?.first().and_then(|row| row.maybe_text(0)))
    }

    /// All of a type that is in reach, oldest first, behind a moment and id: a search without a filter, by ranges of
    /// one index however far it goes.
    pub async fn export_rows(
        &self,
        kind: &str,
        since: Option<Instant>,
        within: &Reach,
        behind: Option<(Instant, &str)>,
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        let sql = Sql::new("SELECT ").push(Stored::columns()).push(" FROM resource r WHERE r.kind = ").bind(kind);
        let mut sql = sql.push(" AND r.deleted = 0");
        if let Some(since) = since {
            sql = sql.push(" AND r.updated_at >= ").bind(since.0);
        }
        if let Some((at, id)) = behind {
            sql = sql.push(" AND (r.updated_at, r.id) > (").bind(at.0).push(", ").bind(id).push(")");
        }
        let sql = reach::visible(sql.push(" AND "), within, kind).push(" ORDER BY r.updated_at, r.id LIMIT ");
        Ok(self.db.fetch(sql.bind(limit as i64)).await?.into_iter().map(Stored::of).collect())
    }

    /// Lines of a file, in the order of their people.
    pub async fn export_lines(
        &self,
        job: &str,
        kind: &str,
        behind: Option<&ExportLine>,
        limit: usize,
    ) -> Result<Vec<ExportLine>, Fault> {
        let sql = Sql::new("SELECT l.kind, l.bucket, l.id, l.version FROM export_line l WHERE l.job = ").bind(job);
        let sql = following(sql.push(" AND l.kind = ").bind(kind), behind);
        let sql = sql.push(" ORDER BY l.bucket, l.id LIMIT ").bind(limit as i64);
        let line = |row: &super::db::Row| ExportLine {
            kind: row.text(0),
            bucket: row.int(1),
            id: row.text(2),
            version: row.int(3),
        };
        Ok(self.db.fetch(sql).await?.iter().map(line).collect())
    }

    /// The current rows of a part, as far as they are in reach.
    pub async fn exported(&self, part: &ExportPart<'_>, within: &Reach) -> Result<Vec<Stored>, Fault> {
        let sql = reach::visible(named(part).push(" AND "), within, part.kind);
        Ok(self.db.fetch(sql).await?.into_iter().map(Stored::of).collect())
    }

    /// The current rows of a part, whoever asks. For decisions alone: what comes of it is read again within a reach.
    pub async fn exported_for_decision(&self, part: &ExportPart<'_>) -> Result<Vec<Stored>, Fault> {
        Ok(self.db.fetch(named(part)).await?.into_iter().map(Stored::of).collect())
    }
}

/// CROSS keeps SQLite to this order: the lines, each with its resource.
fn named(part: &ExportPart) -> Sql {
    let sql = Sql::new("SELECT ").push(Stored::columns()).push(" FROM export_line l CROSS JOIN resource r");
    let sql = sql.push(" WHERE r.bucket = l.bucket AND r.kind = l.kind AND r.id = l.id AND r.deleted = 0 AND l.job = ");
    let sql = following(sql.bind(part.job).push(" AND l.kind = ").bind(part.kind), part.behind);
    let sql = sql.push(" AND (l.bucket, l.id) <= (").bind(part.last.bucket).push(", ").bind(part.last.id.as_str());
    sql.push(")")
}

fn following(sql: Sql, behind: Option<&ExportLine>) -> Sql {
    match behind {
        Some(line) => {
            let sql = sql.push(" AND (l.bucket, l.id) > (").bind(line.bucket).push(", ");
            sql.bind(line.id.as_str()).push(")")
        }
        None => sql,
    }
}
