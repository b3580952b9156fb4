//! The operations of terminology, of a type, by GET with parameters and by POST with Parameters.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use crate::fhir::terms::{Given, capabilities};
use crate::gateway::{Context, Error, No, Question, ask};

use super::asked::{Address, Asked, resource};
use super::error::Problem;
use super::operation::{Pairs, not_here};
use super::{answer, described};

type Address1 = Address<String>;

pub async fn expand(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address1,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    match kind.as_str() {
        "ValueSet" => answered(&ctx, &asked, Question::Expand, pairs, body).await,
        _ => Err(not_here("$expand", "ValueSet")),
    }
}

pub async fn validate_code(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address1,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    match kind.as_str() {
        "ValueSet" => answered(&ctx, &asked, Question::ValidateInSet, pairs, body).await,
        "CodeSystem" => answered(&ctx, &asked, Question::ValidateInSystem, pairs, body).await,
        _ => Err(not_here("$validate-code", "ValueSet")),
    }
}

pub async fn lookup(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address1,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    match kind.as_str() {
        "CodeSystem" => answered(&ctx, &asked, Question::Lookup, pairs, body).await,
        _ => Err(not_here("$lookup", "CodeSystem")),
    }
}

pub async fn subsumes(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address1,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    match kind.as_str() {
        "CodeSystem" => answered(&ctx, &asked, Question::Subsumes, pairs, body).await,
        _ => Err(not_here("$subsumes", "CodeSystem")),
    }
}

async fn answered(
    ctx: &Context,
    asked: &Asked,
    question: Question,
    pairs: Pairs,
    body: Body,
) -> Result<Response, Problem> {
    let empty = asked.headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0");
    let sent = if empty || !asked.headers.contains_key(header::CONTENT_TYPE) {
        Given::default()
    } else {
        let sent = resource(ctx, asked, body).await?;
        Given::of_parameters(&sent).map_err(|issues| Error::No(No::Unreadable, issues))?
    };
    let given = Given::of_pairs(pairs).and(sent);
    let answer = ask(ctx, &asked.caller, &asked.request, question, given).await?;
    Ok(answer::json(StatusCode::OK, answer.to_string().into_bytes()))
}

/// `/fhir/metadata?mode=terminology`.
pub fn statement(ctx: &Context, headers: &HeaderMap) -> Response {
    let base = described::base(ctx, headers);
    let text = described::kept(ctx, "terminology", &base, |of| {
        capabilities(of.base, of.version, of.at, &ctx.profiles.held_systems()).to_string()
    });
    answer::json(StatusCode::OK, text)
}
