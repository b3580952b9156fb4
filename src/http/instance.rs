//! One resource: read, vread, history, update, patch, delete.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;

use crate::fhir::Issue;
use crate::fhir::interaction::Interaction;
use crate::fhir::offer::offers;
use crate::fhir::view::View;
use crate::gateway::{self, Asked as Deed, Change, Context};

use super::answer::Known;
use super::asked::{self, Address, Asked, resource};
use super::error::Problem;
use super::{answer, audit_event, public};

pub async fn read(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    Query(pairs): Query<Vec<(String, String)>>,
    asked: Asked,
) -> Result<Response, Problem> {
    if kind == "AuditEvent" {
        return audit_event::read(&ctx, &asked, &id).await;
    }
    let view = view(&pairs)?;
    let found = gateway::read(&ctx, &asked.caller, &asked.request, &kind, &id).await?.seen_as(&ctx, &view);
    let (none_match, modified_since) = (asked.header(header::IF_NONE_MATCH), asked.header(header::IF_MODIFIED_SINCE));
    Ok(answer::version(found, Known { none_match, modified_since }))
}

pub async fn vread(
    State(ctx): State<Arc<Context>>,
    Address((kind, id, version)): Address<(String, String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let found = gateway::vread(&ctx, &asked.caller, &asked.request, &kind, &id, &version).await?;
    Ok(answer::version(found, Known::default()))
}

pub async fn update(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    let resource = resource(&ctx, &asked, body).await?;
    let if_match = asked.if_match();
    change(&ctx, &asked, Interaction::Update, Change::Update { kind, id, resource, if_match }).await
}

pub async fn delete(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let if_match = asked.if_match();
    change(&ctx, &asked, Interaction::Delete, Change::Delete { kind, id, if_match }).await
}

pub async fn patch(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    asked: Asked,
    method: Method,
    body: Body,
) -> Result<Response, Problem> {
    if !offers(&kind, Interaction::Patch) {
        return Err(public::wrong_method(method).await);
    }
    let patch = match asked::patch(&ctx, &asked, body).await? {
        Ok(patch) => patch,
        Err(refused) => return Ok(refused),
    };
    let if_match = asked.if_match();
    change(&ctx, &asked, Interaction::Patch, Change::Patch { kind, id, patch, if_match }).await
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

/// How much of a resource is wanted: `_summary` or `_elements` (FHIR R4 http.html#summary).
fn view(pairs: &[(String, String)]) -> Result<View, Problem> {
    let mut view = View::Whole;
    for (name, value) in pairs {
        let (found, expected) = match name.as_str() {
            "_summary" => (View::summary(value), "`true`, `false`, `text` or `data`"),
            "_elements" => (View::elements(value), "names of elements"),
            _ => continue,
        };
        let unreadable = || Issue::error("value", "parameter-value", format!("`{name}`: expected {expected}"));
        view = found.ok_or_else(|| Problem::unreadable(unreadable()))?;
    }
    Ok(view)
}
