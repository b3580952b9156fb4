//! How an export stands, and its end.

use crate::auth::Caller;
use crate::fhir::{Instant, Issue};
use crate::store::ExportState;

use super::super::record::{self, Request};
use super::super::{Context, Error, No};
use super::{Reached, Wanted, own_job};

/// How an export stands.
pub enum ExportStatus {
    Running {
        /// `3 of 40 steps, 1200 resources`.
        progress: String,
        retry_after_secs: i64,
    },
    Done(Manifest),
}

/// What an export found, file by file.
pub struct Manifest {
    /// When it began: what changes later is for the next one.
    pub transaction_at: Instant,
    /// When the last resource was listed and decided.
    pub listed_until: Instant,
    pub expires_at: Instant,
    /// The address of the kick-off.
    pub request: String,
    /// The types of which there is a file.
    pub kinds: Vec<String>,
    /// What is to be said besides.
    pub notes: bool,
}

/// # Errors
/// Unknown, for anybody else's; asked for too often.
pub async fn export_status(ctx: &Context, caller: &Caller, request: &Request, id: &str) -> Result<ExportStatus, Error> {
    let job = own_job(ctx, caller, id).await?;
    let wanted = Wanted::of(&job)?;
    let now = ctx.now();
    if job.state == ExportState::Running {
        let poll_secs = ctx.config.export.poll_secs;
        if now < job.asked_at.plus_millis(poll_secs * 500) {
            let text = format!("asked for too often: wait {poll_secs} seconds in between");
            return Err(Error::one(No::TooMany, Issue::error("throttled", "too-often", text)));
        }
        let mut tx = ctx.store.begin().await?;
        tx.asked_for_export(id, now).await?;
        tx.commit().await?;
        let reached: Reached = serde_json::from_str(&job.reached).unwrap_or_default();
        let steps = match &wanted.patients {
            Some(patients) => format!("{} of {} people", reached.step, patients.len()),
            None => format!("{} of {} types", reached.step, wanted.kinds.len().max(reached.step)),
        };
        let progress = format!("{steps}, {} resources", job.listed);
        return Ok(ExportStatus::Running { progress, retry_after_secs: poll_secs });
    }
    let record = record::start(ctx, caller, request, "export-manifest", "$export".to_string());
    record::keep(ctx, &record).await?;
    let mut kinds: Vec<String> = Vec::new();
    while let Some(kind) = ctx.store.export_kind_behind(id, kinds.last().map_or("", String::as_str)).await? {
        kinds.push(kind);
    }
    Ok(ExportStatus::Done(Manifest {
        transaction_at: job.created_at,
        listed_until: job.finished_at,
        expires_at: job.expires_at,
        request: wanted.request,
        kinds,
        notes: job.withheld || !wanted.notes.is_empty(),
    }))
}

/// Ends an export, whether complete or not.
///
/// # Errors
/// Unknown, for anybody else's.
pub async fn cancel_export(ctx: &Context, caller: &Caller, request: &Request, id: &str) -> Result<(), Error> {
    own_job(ctx, caller, id).await?;
    let record = record::start(ctx, caller, request, "export-delete", "$export".to_string());
    let mut tx = ctx.store.begin().await?;
    tx.drop_export(id).await?;
    tx.record(&record::row(&record, None)).await?;
    Ok(tx.commit().await?)
}
