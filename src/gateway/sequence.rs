//! Numbering the log, and proving that nobody touched it.

use serde::{Deserialize, Serialize};

use crate::audit::{Break, Link, Verifier, hash};
use crate::store::Fault;

use super::Context;

/// A head of the chain that was written down elsewhere: a log that does not reach it was cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub number: i64,
    pub hash: String,
}

/// What verifying found.
#[derive(Debug)]
pub enum Verdict {
    /// Whole, up to this head; so many records wait for their number.
    Whole {
        head: Checkpoint,
        waiting: i64,
    },
    Broken(Break),
}

/// Records numbered in one transaction.
const BATCH: usize = 500;

/// Numbers what waits, oldest first; answers how many.
///
/// # Errors
/// What the database said; a second sequencer that took the same numbers is such an error, and harmless.
pub async fn number(ctx: &Context) -> Result<usize, Fault> {
    let mut tx = ctx.store.begin().await?;
    let (mut number, mut previous) = tx.chain_head().await?.unwrap_or_default();
    let mut links = Vec::new();
    for (bucket, record, at, body) in tx.unchained(BATCH).await? {
        number += 1;
        previous = hash(&previous, number, &record, at, &body);
        links.push((number, bucket, record, previous.clone()));
    }
    tx.chain(&links).await?;
    tx.commit().await?;
    Ok(links.len())
}

/// Goes through the whole log; names the first record that is not what it was.
///
/// # Errors
/// What the database said.
pub async fn verify(ctx: &Context, checkpoint: Option<&Checkpoint>) -> Result<Verdict, Fault> {
    let mut verifier = Verifier::default();
    let mut reached = checkpoint.is_none_or(|checkpoint| checkpoint.number == 0);
    loop {
        let links = ctx.store.chained(verifier.number, 1_000).await?;
        if links.is_empty() {
            break;
        }
        for link in links {
            let link = Link { number: link.number, record: link.record, hash: link.hash, content: link.content };
            if let Err(found) = verifier.check(&link) {
                return Ok(Verdict::Broken(found));
            }
            if let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.number == verifier.number) {
                if checkpoint.hash != verifier.hash {
                    let what = "is not the record that the checkpoint was made of".to_string();
                    return Ok(Verdict::Broken(Break { number: link.number, record: link.record, what }));
                }
                reached = true;
            }
        }
    }
    if !reached {
        let what = "is missing: the log ends before the checkpoint".to_string();
        return Ok(Verdict::Broken(Break { number: verifier.number + 1, record: String::new(), what }));
    }
    if let Some(record) = ctx.store.strays().await?.into_iter().next() {
        let what = "has no number and waits for none: it was not written by the log".to_string();
        return Ok(Verdict::Broken(Break { number: 0, record, what }));
    }
    let (_, waiting) = ctx.store.log_size().await?;
    Ok(Verdict::Whole { head: Checkpoint { number: verifier.number, hash: verifier.hash }, waiting })
}
