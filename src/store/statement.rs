//! What holders said of their own data, beside the resources that a person's decisions read.
//!
//! A statement comes back among a person's grounds as a row of the kind `~verified`, `~handed`, `~revised` or `~authored`: no
//! resource has such a name. Who writes one moves the person's epoch in the same transaction.

use std::collections::BTreeSet;

use crate::fhir::Instant;

use super::resource::{Stored, home_of};
use super::sql::{Bind, Sql};
use super::{Fault, Store, Tx};

/// A Consent counts for the holder's data; `*` for everybody's.
pub const VERIFIED: &str = "~verified";
/// The holder's resource may go to the recipient.
pub const HANDED: &str = "~handed";
/// A Consent is a revision of the one in `source`.
pub const REVISED: &str = "~revised";

/// The recipient, who is no partner but an author, wrote the resource; the source is the Provenance that says so.
pub const AUTHORED: &str = "~authored";

#[derive(Clone, Debug)]
pub struct Statement {
    pub bucket: i64,
    pub patient: String,
    pub what: &'static str,
    /// `Consent/c1`, `Procedure/7`.
    pub about: String,
    /// The partner that says so.
    pub holder: String,
    /// To whom, where it is said to one partner.
    pub recipient: String,
    /// The version, the Task, or the older Consent.
    pub source: String,
    pub at: Instant,
}

/// The rows of a person, in the columns of a resource: `about` is the id, the holder the origin, the recipient the
/// holder, the source the body.
pub(super) fn of_person(sql: Sql, bucket: Option<i64>, patient: &str) -> Sql {
    let sql = sql.push("SELECT s.bucket, s.what, s.about, 0, s.at, 0, s.holder, s.recipient, s.patient, s.source");
    let sql = sql.push(" FROM statement s WHERE s.bucket = ");
    let sql = match bucket {
        Some(bucket) => sql.bind(bucket),
        None => home_of(sql, patient),
    };
    sql.push(" AND s.patient = ").bind(patient)
}

impl Tx {
    /// Writes down what was said, in place of what the same holder said of the same before.
    pub async fn state(&mut self, said: &Statement) -> Result<(), Fault> {
        let row: Vec<Bind> = vec![
            said.bucket.into(),
            said.patient.as_str().into(),
            said.what.into(),
            said.about.as_str().into(),
            said.holder.as_str().into(),
            said.recipient.as_str().into(),
            said.source.as_str().into(),
            said.at.0.into(),
        ];
        let sql =
            Sql::new("INSERT INTO statement (bucket, patient, what, about, holder, recipient, source, at) VALUES ");
        let sql = sql.rows([row]).push(" ON CONFLICT (bucket, patient, what, about, holder, recipient)");
        let sql = sql.push(" DO UPDATE SET source = excluded.source, at = excluded.at");
        self.inner.execute(sql).await.map(|_| ())
    }

    /// Takes back what a holder handed over by a Task; how many statements that were.
    pub async fn unstate(&mut self, bucket: i64, patient: &str, holder: &str, source: &str) -> Result<u64, Fault> {
        let sql = Sql::new("DELETE FROM statement WHERE bucket = ").bind(bucket).push(" AND patient = ").bind(patient);
        let sql = sql.push(" AND what = ").bind(HANDED).push(" AND holder = ").bind(holder);
        self.inner.execute(sql.push(" AND source = ").bind(source)).await
    }

    /// Takes back whom a Provenance named as authors of a person's resources.
    pub async fn unauthor(&mut self, bucket: i64, patient: &str, source: &str) -> Result<(), Fault> {
        let sql = Sql::new("DELETE FROM statement WHERE bucket = ").bind(bucket).push(" AND patient = ").bind(patient);
        let sql = sql.push(" AND what = ").bind(AUTHORED).push(" AND source = ").bind(source);
        self.inner.execute(sql).await.map(|_| ())
    }

    /// Takes back what anybody handed over by a Task, but for these; how many statements that were.
    pub async fn take_back(
        &mut self,
        bucket: i64,
        patient: &str,
        source: &str,
        kept: &BTreeSet<String>,
    ) -> Result<u64, Fault> {
        let sql = Sql::new("DELETE FROM statement WHERE bucket = ").bind(bucket).push(" AND patient = ").bind(patient);
        let sql = sql.push(" AND what = ").bind(HANDED).push(" AND source = ").bind(source);
        let kept = kept.iter().map(String::as_str).chain([""]);
        self.inner.execute(sql.push(" AND about NOT IN (").bind_list(kept).push(")")).await
    }
}

impl Store {
    /// What has been said of a person since before a moment, in the columns of a resource. What was taken back since
    /// is not among it.
    pub async fn said_by(&self, patient: &str, at: Instant) -> Result<Vec<Stored>, Fault> {
        let sql = of_person(Sql::default(), None, patient).push(" AND s.at <= ").bind(at.0);
        Ok(self.db.fetch(sql).await?.into_iter().map(Stored::of).collect())
    }

    /// Whether a partner brought in something about a person besides consents and the like.
    pub async fn holds_data(&self, partner: &str, patient: &str) -> Result<bool, Fault> {
        let sql = home_of(Sql::new("SELECT 1 FROM resource r WHERE r.bucket = "), patient);
        let sql = sql.push(" AND r.patient = ").bind(patient).push(" AND r.deleted = 0 AND r.origin = ").bind(partner);
        let sql = sql.push(" AND r.kind NOT IN ('Consent', 'Provenance', 'AuditEvent', 'Subscription') LIMIT 1");
        Ok(!self.db.fetch(sql).await?.is_empty())
    }
}
