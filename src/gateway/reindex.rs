//! Index rows made anew when what is searched by has changed: a newer handoff, or a package that was imported. A search
//! over rows that know less than the parameter table would find too little and say nothing of it.
//!
//! Safe to stop and to run twice: each resource is rewritten from its body, under its version, and the word that all is
//! done comes last.

use aws_lc_rs::digest::{SHA256, digest};

use crate::store::{Fault, Spot};

use super::{Context, place};

/// Resources of one transaction.
const TOGETHER: usize = 500;
/// Moves when `extract` makes other rows of the same parameters.
const EXTRACTION: &str = "4";

/// How many resources were rewritten; none, where the rows were made by the parameters of today.
///
/// # Errors
/// What the database said.
pub async fn reindex(ctx: &Context) -> Result<u64, Fault> {
    let today = fingerprint(ctx);
    if ctx.store.document("index", "parameters").await?.as_deref() == Some(today.as_str()) {
        return Ok(0);
    }
    let mut rewritten = 0;
    let mut after: Option<Spot> = None;
    loop {
        let rows = ctx.store.walk(after.as_ref(), TOGETHER).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.spot());
        let mut tx = ctx.store.begin().await?;
        for stored in rows.iter().filter(|stored| !stored.deleted) {
            let Some(resource) = stored.resource() else { continue };
            let place = place::of(ctx, &resource, stored.bucket, &stored.origin);
            // Whoever changed it meanwhile wrote its rows by the parameters of today.
            rewritten += u64::from(tx.reindex(stored, &place).await?);
        }
        tx.commit().await?;
    }
    if rewritten > 0 {
        tracing::info!(resources = rewritten, "made index rows anew, since what is searched by has changed");
    }
    let mut tx = ctx.store.begin().await?;
    tx.register("index", "parameters", &today, true).await?;
    tx.commit().await?;
    Ok(rewritten)
}

/// What the index rows depend on, as one word.
fn fingerprint(ctx: &Context) -> String {
    let mut parameters: Vec<String> = Vec::new();
    for kind in ctx.profiles.kinds() {
        parameters.extend(
            ctx.params.of(kind).map(|param| format!("{kind} {} {:?} {:?}", param.code, param.kind, param.paths)),
        );
    }
    parameters.sort_unstable();
    let text = format!("{EXTRACTION}\n{}\n{}", ctx.config.exchange.timezone, parameters.join("\n"));
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
