//! `$validate` of a type or of one resource: what a write would say, and nothing stored
//! (FHIR R4 resource-operation-validate.html).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::fhir::validate;
use crate::gateway::{Context, Error, No, Rehearsed, rehearse};

use super::answer;
use super::asked::{Address, Asked, bytes, resource};
use super::error::Problem;

type Pairs = Query<Vec<(String, String)>>;

pub async fn of_type(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Pairs,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    outcome(&ctx, (&kind, None), &pairs, &asked, body).await
}

pub async fn of_one(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    Query(pairs): Pairs,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    outcome(&ctx, (&kind, Some(&id)), &pairs, &asked, body).await
}

/// 200 whenever the question could be answered, whatever the answer is.
async fn outcome(
    ctx: &Context,
    (kind, id): (&str, Option<&str>),
    pairs: &[(String, String)],
    asked: &Asked,
    body: Body,
) -> Result<Response, Problem> {
    let sent = bytes(ctx, body).await?;
    let sent = if sent.is_empty() { None } else { Some(resource(ctx, asked, Body::from(sent)).await?) };
    let question = validate::read(kind, pairs, sent).map_err(|issues| Error::No(No::Unreadable, issues))?;
    let if_match = asked.if_match();
    let is_held = question.is_held;
    let of = Rehearsed { kind, id, if_match: if_match.as_deref() };
    let outcome = rehearse(ctx, &asked.caller, &asked.request, of, question).await?;
    // Elements are named from the resource: in the text of a Parameters around it, they have no line of their own.
    if is_held {
        return Ok(answer::json(StatusCode::OK, outcome.to_value().to_string().into_bytes()));
    }
    Ok(answer::outcome(StatusCode::OK, &outcome))
}
