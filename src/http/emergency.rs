//! `Patient/$emergency-access` and `Patient/$restricted`: breaking the glass, for who holds the role.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::Response;
use serde_json::json;

use crate::gateway::{self, Context};

use super::asked::{Address, Asked};
use super::consent::{listed, value};
use super::error::Problem;
use super::operation::{Pairs, not_here, sent};

pub async fn declare(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    Query(mut pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    if kind != "Patient" {
        return Err(not_here("$emergency-access", "Patient"));
    }
    pairs.extend(sent(&ctx, &asked, body).await?);
    let reason = value(&pairs, "reason").unwrap_or("");
    let made = gateway::declare(&ctx, &asked.caller, &asked.request, &id, reason).await?;
    let patient = json!({"reference": format!("Patient/{}", made.patient)});
    Ok(listed(vec![
        json!({"name": "declaration", "valueId": made.id}),
        json!({"name": "patient", "valueReference": patient}),
        json!({"name": "until", "valueInstant": made.until.to_string()}),
    ]))
}

pub async fn restricted(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    if kind != "Patient" {
        return Err(not_here("$restricted", "Patient"));
    }
    let restricted = gateway::restricted(&ctx, &asked.caller, &asked.request, &id).await?;
    Ok(listed(vec![json!({"name": "restricted", "valueBoolean": restricted})]))
}
