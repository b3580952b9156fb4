//! A Provenance shows where everything that it is about does (rules.md 19): each target is looked at as the asker
//! would see it, and decided like anything else.

use crate::consent::Decision;
use crate::fhir::{Reference, Resource};
use crate::store::Fault;

use super::{Asking, Context, grounds, person, reach};

pub const KIND: &str = "Provenance";

/// What its targets come to. One that is not here, or is not to be known, withholds it.
///
/// # Errors
/// What the database said.
pub async fn decide(ctx: &Context, asking: &Asking, provenance: &Resource) -> Result<Decision, Fault> {
    let mut found = Vec::new();
    let root = provenance.root();
    let about = root.references("target");
    // What is contained is part of the Provenance itself.
    for target in about.iter().filter(|target| !matches!(target, Reference::Contained(_))) {
        match target.local() {
            Some((kind, id)) => found.push(target_of(ctx, asking, kind, id).await?),
            None => found.push(None),
        }
    }
    let shown: Option<Vec<Option<Decision>>> = found.into_iter().collect();
    Ok(Decision::carried(&provenance.key(), &shown.unwrap_or_default()))
}

/// `None` for what is not to be known; within, the decision, where one is needed.
async fn target_of(ctx: &Context, asking: &Asking, kind: &str, id: &str) -> Result<Option<Option<Decision>>, Fault> {
    let own = reach::own(ctx, &asking.partner).await?;
    if ctx.store.read(kind, id, &own).await?.is_some_and(|stored| !stored.deleted) {
        return Ok(Some(None));
    }
    let stored = ctx.store.for_decision(kind, id).await?;
    let Some(resource) =
        stored.filter(|stored| !stored.deleted && !person::is_control(kind)).and_then(|one| one.resource())
    else {
        return Ok(None);
    };
    let decision = grounds::grounds_for(ctx, &resource).await?.decide(ctx, asking, &resource);
    Ok(decision.permits().then_some(Some(decision)))
}
