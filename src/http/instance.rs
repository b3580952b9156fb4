//! One resource: read, vread, update, delete.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::Response;

use crate::fhir::interaction::Interaction;
use crate::gateway::{self, Asked as Deed, Change, Context};

use super::asked::{Address, Asked, resource};
use super::error::Problem;
use super::{answer, audit_event};

pub async fn read(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    if kind == "AuditEvent" {
        return audit_event::read(&ctx, &asked, &id).await;
    }
    let found = gateway::read(&ctx, &asked.caller, &asked.request, &kind, &id).await?;
    let known = asked.headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    Ok(answer::version(found, known))
}

pub async fn vread(
    State(ctx): State<Arc<Context>>,
    Address((kind, id, version)): Address<(String, String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let found = gateway::vread(&ctx, &asked.caller, &asked.request, &kind, &id, &version).await?;
    Ok(answer::version(found, None))
}

pub async fn update(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    let resource = resource(&ctx, &asked.headers, body).await?;
    let if_match = if_match(&asked);
    change(&ctx, &asked, Interaction::Update, Change::Update { kind, id, resource, if_match }).await
}

pub async fn delete(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let if_match = if_match(&asked);
    change(&ctx, &asked, Interaction::Delete, Change::Delete { kind, id, if_match }).await
}

/// One change by itself, answered as the caller prefers.
pub async fn change(
    ctx: &Context,
    asked: &Asked,
    interaction: Interaction,
    change: Change,
) -> Result<Response, Problem> {
    let deeds = vec![Deed { change, entry: 0, full_url: None }];
    let written = gateway::submit(ctx, &asked.caller, &asked.request, interaction, deeds).await?;
    let written = written.into_iter().next();
    Ok(written.map_or_else(
        || answer::json(StatusCode::NO_CONTENT, Vec::new()),
        |one| answer::written(&asked.base, one, &asked.prefer),
    ))
}

fn if_match(asked: &Asked) -> Option<String> {
    asked.headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()).map(str::to_string)
}
