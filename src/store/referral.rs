//! Tasks with an owner, and where their disclosure stands.

use crate::fhir::Instant;

use super::resource::buckets;
use super::sql::Sql;
use super::{Fault, Store, Tx};

/// Where the disclosure of a Task to its owner stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferralState {
    /// Not permitted, or the owner is no partner: the sender keeps it, the owner does not know of it.
    Held,
    /// Permitted and open.
    Live,
    /// Ended.
    Closed,
}

#[derive(Clone, Debug)]
pub struct Referral {
    pub bucket: i64,
    pub task: String,
    pub patient: Option<String>,
    /// The partner's id; for an owner that is no partner, the reference as it was sent.
    pub owner: String,
    /// The purposes of the token that filed it.
    pub purposes: Vec<String>,
    pub state: ReferralState,
    /// When time alone may change the decision.
    pub recheck_at: Instant,
}

impl ReferralState {
    fn text(self) -> &'static str {
        match self {
            ReferralState::Held => "held",
            ReferralState::Live => "live",
            ReferralState::Closed => "closed",
        }
    }

    fn of(text: &str) -> ReferralState {
        match text {
            "live" => ReferralState::Live,
            "closed" => ReferralState::Closed,
            _ => ReferralState::Held,
        }
    }
}

const COLUMNS: &str = "SELECT bucket, task, patient, owner, purposes, state, recheck_at FROM referral";

fn referral(row: &super::db::Row) -> Referral {
    Referral {
        bucket: row.int(0),
        task: row.text(1),
        patient: row.maybe_text(2),
        owner: row.text(3),
        purposes: row.text(4).split(' ').filter(|word| !word.is_empty()).map(str::to_string).collect(),
        state: ReferralState::of(&row.text(5)),
        recheck_at: Instant(row.int(6)),
    }
}

impl Tx {
    /// Moves a person's epoch, with a write that the person's decisions read. Who does so first holds the row until the
    /// commit: a referral that is filed and a consent that is revoked at one moment are written one after the other, on
    /// every node.
    pub async fn move_epoch(&mut self, bucket: i64, patient: &str) -> Result<(), Fault> {
        self.turn_epoch(bucket, patient, ", 1) ON CONFLICT (bucket, patient) DO UPDATE SET epoch = epoch.epoch + 1")
            .await
    }

    /// Holds it in the same way, for a write that decisions are taken in and that none of them reads.
    pub async fn hold_epoch(&mut self, bucket: i64, patient: &str) -> Result<(), Fault> {
        self.turn_epoch(bucket, patient, ", 1) ON CONFLICT (bucket, patient) DO UPDATE SET epoch = epoch.epoch").await
    }

    async fn turn_epoch(&mut self, bucket: i64, patient: &str, how: &'static str) -> Result<(), Fault> {
        let sql = Sql::new("INSERT INTO epoch (bucket, patient, epoch) VALUES (").bind(bucket).push(", ").bind(patient);
        self.inner.execute(sql.push(how)).await.map(|_| ())
    }

    /// Writes where a referral stands now.
    pub async fn refer(&mut self, referral: &Referral) -> Result<(), Fault> {
        let sql = Sql::new("INSERT INTO referral (bucket, task, patient, owner, purposes, state, recheck_at) VALUES (")
            .bind_list([
                super::sql::Bind::from(referral.bucket),
                referral.task.as_str().into(),
                referral.patient.as_deref().into(),
                referral.owner.as_str().into(),
                referral.purposes.join(" ").into(),
                referral.state.text().into(),
                referral.recheck_at.0.into(),
            ])
            .push(") ON CONFLICT (bucket, task) DO UPDATE SET owner = excluded.owner, state = excluded.state,")
            .push(" patient = excluded.patient, recheck_at = excluded.recheck_at");
        self.inner.execute(sql).await.map(|_| ())
    }

    pub async fn referral(&mut self, bucket: i64, task: &str) -> Result<Option<Referral>, Fault> {
        let sql = Sql::new(COLUMNS).push(" WHERE bucket = ").bind(bucket).push(" AND task = ").bind(task);
        Ok(self.inner.fetch(sql).await?.first().map(referral))
    }

    /// A person's referrals that are not over; `home` is the person's bucket.
    pub async fn open_referrals(&mut self, home: i64, patient: &str) -> Result<Vec<Referral>, Fault> {
        let sql = Sql::new(COLUMNS).push(" WHERE bucket IN ");
        let sql = buckets(sql, home, patient)
            .push(" AND patient = ")
            .bind(patient)
            .push(" AND state <> 'closed' ORDER BY task");
        Ok(self.inner.fetch(sql).await?.iter().map(referral).collect())
    }
}

impl Store {
    /// A person's referrals that are not over, at most `limit`.
    pub async fn referrals_of(&self, patient: &str, limit: usize) -> Result<Vec<Referral>, Fault> {
        let sql = buckets(Sql::new(COLUMNS).push(" WHERE bucket IN "), None::<i64>, patient).push(" AND patient = ");
        let sql = sql.bind(patient).push(" AND state <> 'closed' ORDER BY task LIMIT ").bind(limit as i64);
        Ok(self.db.fetch(sql).await?.iter().map(referral).collect())
    }

    /// Referrals whose decision time alone may have changed.
    pub async fn due_referrals(&self, now: Instant, limit: usize) -> Result<Vec<Referral>, Fault> {
        let sql = Sql::new(COLUMNS)
            .push(" WHERE state IN ('held', 'live') AND recheck_at <= ")
            .bind(now.0)
            .push(" ORDER BY recheck_at LIMIT ")
            .bind(limit as i64);
        Ok(self.db.fetch(sql).await?.iter().map(referral).collect())
    }
}
