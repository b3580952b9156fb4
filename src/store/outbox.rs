//! The outbox: what is to be sent, written in the transaction that caused it.

use crate::consent::Decision;
use crate::fhir::Instant;

use super::sql::{Bind, Sql};
use super::{Fault, Store, Tx};

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// Waits for its turn or its next attempt.
    Due,
    /// Sent and taken.
    Delivered,
    /// Lies in the partner's inbox, to be seen or asked for there.
    Available,
    /// Decided again when it was its turn, and denied.
    Withheld,
    /// Tried for seven days; a person must look.
    Dead,
}

/// Something to be sent to a partner.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub bucket: i64,
    pub id: String,
    pub partner: String,
    pub task: String,
    /// `referral`, or `withdrawn`: the id of the Task and nothing else.
    pub content: String,
    pub purposes: Vec<String>,
    pub state: DeliveryState,
    pub created_at: Instant,
    pub due_at: Instant,
    pub attempts: i64,
    /// Moves with every claim; who holds an old one has lost it.
    pub fence: i64,
}

impl DeliveryState {
    pub fn text(self) -> &'static str {
        match self {
            DeliveryState::Due => "due",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Available => "available",
            DeliveryState::Withheld => "withheld",
            DeliveryState::Dead => "dead",
        }
    }

    fn of(text: &str) -> DeliveryState {
        match text {
            "delivered" => DeliveryState::Delivered,
            "available" => DeliveryState::Available,
            "withheld" => DeliveryState::Withheld,
            "dead" => DeliveryState::Dead,
            _ => DeliveryState::Due,
        }
    }
}

const COLUMNS: &str =
    "SELECT bucket, id, partner, task, content, purposes, state, created_at, due_at, attempts, fence FROM delivery";

fn delivery(row: &super::db::Row) -> Delivery {
    Delivery {
        bucket: row.int(0),
        id: row.text(1),
        partner: row.text(2),
        task: row.text(3),
        content: row.text(4),
        purposes: row.text(5).split(' ').filter(|word| !word.is_empty()).map(str::to_string).collect(),
        state: DeliveryState::of(&row.text(6)),
        created_at: Instant(row.int(7)),
        due_at: Instant(row.int(8)),
        attempts: row.int(9),
        fence: row.int(10),
    }
}

impl Tx {
    /// Puts a delivery into the outbox: what is sent was decided.
    pub async fn enqueue(&mut self, delivery: &Delivery, decision: &Decision) -> Result<(), Fault> {
        if !decision.permits() {
            return Err(Fault::new("enqueue a delivery", "its decision does not permit it"));
        }
        self.add_delivery(delivery).await
    }

    /// Tells a partner that a Task it knew is withdrawn: its id and nothing else, which needs no permit.
    pub async fn withdraw(&mut self, delivery: &Delivery) -> Result<(), Fault> {
        let withdrawn = Delivery { content: "withdrawn".to_string(), ..delivery.clone() };
        self.add_delivery(&withdrawn).await
    }

    async fn add_delivery(&mut self, delivery: &Delivery) -> Result<(), Fault> {
        let row: Vec<Bind> = vec![
            delivery.bucket.into(),
            delivery.id.as_str().into(),
            delivery.partner.as_str().into(),
            delivery.task.as_str().into(),
            delivery.content.as_str().into(),
            delivery.purposes.join(" ").into(),
            delivery.state.text().into(),
            delivery.created_at.0.into(),
            delivery.due_at.0.into(),
            delivery.attempts.into(),
            delivery.fence.into(),
        ];
        let sql = Sql::new(
            "INSERT INTO delivery (bucket, id, partner, task, content, purposes, state, created_at, due_at, attempts, fence) VALUES ",
        );
        self.inner.execute(sql.rows([row])).await.map(|_| ())
    }

    /// Claims a due delivery until `until`; `None` when somebody else was first.
    pub async fn claim(&mut self, found: &Delivery, until: Instant) -> Result<Option<Delivery>, Fault> {
        let sql = Sql::new("UPDATE delivery SET fence = fence + 1, due_at = ").bind(until.0);
        let changed = self.inner.execute(fenced(sql, found)).await?;
        Ok((changed == 1).then(|| Delivery { fence: found.fence + 1, due_at: until, ..found.clone() }))
    }

    /// Writes down an attempt and what follows from it. `false`: the claim had run out, somebody else decides.
    pub async fn attempted(&mut self, claimed: &Delivery, at: Instant, outcome: &str) -> Result<bool, Fault> {
        let sql = Sql::new("UPDATE delivery SET state = ")
            .bind(claimed.state.text())
            .push(", due_at = ")
            .bind(claimed.due_at.0)
            .push(", attempts = ")
            .bind(claimed.attempts);
        if self.inner.execute(fenced(sql, claimed)).await? != 1 {
            return Ok(false);
        }
        let row: Vec<Bind> =
            vec![claimed.bucket.into(), claimed.id.as_str().into(), claimed.fence.into(), at.0.into(), outcome.into()];
        let sql = Sql::new("INSERT INTO attempt (bucket, delivery, number, at, outcome) VALUES ").rows([row]);
        self.inner.execute(sql).await?;
        Ok(true)
    }
}

fn fenced(sql: Sql, held: &Delivery) -> Sql {
    sql.push(" WHERE bucket = ")
        .bind(held.bucket)
        .push(" AND id = ")
        .bind(held.id.as_str())
        .push(" AND state = 'due' AND fence = ")
        .bind(held.fence)
}

impl Store {
    /// What is due, the longest waiting first.
    pub async fn due_deliveries(&self, now: Instant, limit: usize) -> Result<Vec<Delivery>, Fault> {
        let sql = Sql::new(COLUMNS)
            .push(" WHERE state = 'due' AND due_at <= ")
            .bind(now.0)
            .push(" ORDER BY due_at, id LIMIT ")
            .bind(limit as i64);
        Ok(self.db.fetch(sql).await?.iter().map(delivery).collect())
    }

    /// All deliveries of a Task, oldest first.
    pub async fn deliveries_of(&self, bucket: i64, task: &str) -> Result<Vec<Delivery>, Fault> {
        let sql = Sql::new(COLUMNS).push(" WHERE bucket = ").bind(bucket).push(" AND task = ").bind(task);
        Ok(self.db.fetch(sql.push(" ORDER BY created_at, id")).await?.iter().map(delivery).collect())
    }
}
