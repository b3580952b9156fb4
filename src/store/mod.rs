//! All SQL, and nothing but SQL.
//!
//! A read demands a [`Reach`](crate::consent::Reach), a write a [`Valid`](crate::profile::Valid): what may be seen
//! and what may be stored was settled before. One text runs on both databases (`sql`); `db` is the only file that
//! knows the drivers. Rooms above see rows and verbs, never a connection.

mod after;
mod bucket;
mod conditional;
mod criterion;
mod db;
mod emergency;
mod everything;
mod export;
mod find;
mod granted;
mod history;
mod include;
mod index;
mod log;
mod outbox;
mod past;
mod postgres;
mod reach;
mod referral;
mod registry;
mod resource;
mod sql;
mod sqlite;
mod statement;
mod value;
mod view;
mod walk;
mod work;

use std::fmt;

pub use after::After;
pub use bucket::{BUCKETS, bucket_in, bucket_of_name, embed};
pub use conditional::SLOTS;
pub use emergency::Declared;
pub use everything::{RecordOf, RecordPlace};
pub use export::{ExportJob, ExportLine, ExportPart, ExportState};
pub use find::Page;
pub use granted::{Asker, Grant, PARTICULAR, Reached};
pub use history::{Kept, Past, Place as PastPlace};
pub use include::Follow;
pub use log::{Chained, Filter as LogFilter, LogRow, Record};
pub use outbox::{Delivery, DeliveryState};
pub use referral::{Referral, ReferralState};
pub use registry::RECIPIENT;
pub use resource::{Place, Stored};
pub use statement::{AUTHORED, HANDED, REVISED, Statement, VERIFIED};
pub use walk::Spot;
pub use work::{Work, WorkOf, WorkState};

use db::{Db, Transaction};

/// The exchange's database.
pub struct Store {
    db: Db,
    /// Records of reads that wait for the writer.
    waiting: log::Waiting,
}

/// One request's writes, with the audit record that belongs to them: all or none.
pub struct Tx {
    inner: Transaction,
}

/// Our fault, never the caller's: the log gets the cause, the caller a request id.
#[derive(Debug)]
pub struct Fault {
    doing: &'static str,
    cause: String,
}

impl Fault {
    pub fn new(doing: &'static str, cause: impl Into<String>) -> Fault {
        Fault { doing, cause: cause.into() }
    }

    /// For `map_err`: adds what was being done.
    pub fn of<E: fmt::Display>(doing: &'static str) -> impl FnOnce(E) -> Fault {
        move |cause| Fault { doing, cause: cause.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "failed to {}: {}", self.doing, self.cause)
    }
}

impl Store {
    /// Opens `sqlite:PATH` (created when absent) or `postgres://…`.
    ///
    /// # Errors
    /// That the address is of neither form, or the database out of reach.
    pub async fn open(url: &str, connections: u32) -> Result<Store, Fault> {
        Ok(Store { db: Db::open(url, connections).await?, waiting: log::Waiting::default() })
    }

    /// Brings the schema up to date.
    ///
    /// # Errors
    /// What the database said.
    pub async fn migrate(&self) -> Result<(), Fault> {
        self.db.migrate().await
    }

    /// Whether the database answers and has our schema.
    ///
    /// # Errors
    /// What the database said.
    pub async fn ready(&self) -> Result<(), Fault> {
        self.db.fetch(sql::Sql::new("SELECT COUNT(*) FROM registry WHERE kind = 'none'")).await.map(|_| ())
    }

    /// # Errors
    /// What the database said.
    pub async fn begin(&self) -> Result<Tx, Fault> {
        Ok(Tx { inner: self.db.begin().await? })
    }
}

impl Tx {
    /// On return everything is on disk; without it, nothing is.
    ///
    /// # Errors
    /// That nothing of it was kept.
    pub async fn commit(self) -> Result<(), Fault> {
        self.inner.commit().await
    }
}
