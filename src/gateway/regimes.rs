//! The law that an operator loads over what is bundled: checked whole, then kept as one document of the registry, which
//! every process reads within a second.

use serde_json::Value;

use crate::consent::{Regimes, regime_problems};
use crate::fhir::Issue;

use super::Context;

/// Lays a document over what is in force.
///
/// # Errors
/// Everything that is wrong with it, or what the database said; then nothing was changed.
pub async fn load(ctx: &Context, document: &Value) -> Result<(), Vec<Issue>> {
    let problems = regime_problems(document);
    if !problems.is_empty() {
        return Err(problems);
    }
    let fault = |fault: crate::store::Fault| vec![Issue::error("exception", "database", fault.to_string())];
    let mut tx = ctx.store.begin().await.map_err(fault)?;
    let before = ctx.store.document("regimes", "exchange").await.map_err(fault)?;
    let before =
        before.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| Value::Object(Default::default()));
    let loaded = Regimes::merged(&before, document).to_string();
    tx.register("regimes", "exchange", &loaded, true).await.map_err(fault)?;
    tx.commit().await.map_err(fault)?;
    ctx.forget_registry();
    Ok(())
}

/// What is in force, with what of it was loaded.
///
/// # Errors
/// What the database said.
pub async fn loaded(ctx: &Context) -> Result<Option<Value>, crate::store::Fault> {
    let text = ctx.store.document("regimes", "exchange").await?;
    Ok(text.map(|text| serde_json::from_str(&text).unwrap_or(Value::Null)))
}
