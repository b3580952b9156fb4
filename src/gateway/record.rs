//! A request's record, from a flow's values to the log's row.

use crate::audit;
use crate::auth::Caller;
use crate::consent::Decision;
use crate::store;

use super::Context;

/// What is known of a request besides its caller.
#[derive(Clone, Debug)]
pub struct Request {
    /// `X-Request-Id`, ours or the caller's.
    pub id: String,
}

/// A record to be filled in.
pub fn start(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    interaction: &'static str,
    target: String,
) -> audit::Record {
    let at = ctx.now();
    audit::Record {
        id: ctx.ids.in_bucket(ctx.log_bucket(at), at),
        at,
        request_id: request.id.clone(),
        partner: caller.partner().to_string(),
        subject: caller.subject().to_string(),
        purposes: caller.purposes().to_vec(),
        interaction,
        target,
        parameters: Vec::new(),
        patient: None,
        released: Vec::new(),
        refused: Vec::new(),
        emergency: caller.emergency().map(|declared| declared.reason.clone()),
    }
}

/// The row of a finished record, in the bucket of its person.
pub fn row(record: &audit::Record, bucket: Option<i64>) -> store::Record {
    store::Record {
        bucket: bucket.or_else(|| store::bucket_in(&record.id)).unwrap_or(0),
        id: record.id.clone(),
        at: record.at,
        partner: record.partner.clone(),
        patient: record.known_patient().map(str::to_string),
        verdict: record.verdict().text().to_string(),
        body: record.body(),
        parties: record.parties(),
    }
}

/// Writes the record of a request that changed nothing else; on return it is on disk.
pub async fn keep(ctx: &Context, record: &audit::Record) -> Result<(), store::Fault> {
    if record.emergency.is_some() {
        return super::emergency::keep(ctx, record).await;
    }
    ctx.store.keep(row(record, None)).await
}

/// A decision as the log holds it.
pub fn said(decision: &Decision) -> serde_json::Value {
    decision.to_value()
}
