//! Where a page of an answer ends: the type and id of its last resource, sealed for the partner that asked.

use crate::gateway::history::page_token;
use crate::gateway::{Context, Error};

pub fn seal(ctx: &Context, partner: &str, key: &str) -> Option<String> {
    ctx.keys.seal(partner, &format!("decide {key}"))
}

/// # Errors
/// That the token is none of ours, or somebody else's.
pub fn open(ctx: &Context, partner: &str, sealed: Option<&str>) -> Result<Option<(String, String)>, Error> {
    let Some(sealed) = sealed else { return Ok(None) };
    let text = ctx.keys.open(partner, sealed).ok_or_else(page_token)?;
    let place = text.strip_prefix("decide ").and_then(|key| key.split_once('/')).ok_or_else(page_token)?;
    Ok(Some((place.0.to_string(), place.1.to_string())))
}
