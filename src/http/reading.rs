//! `Consent/[id]/$reading`: a Consent in plain words, as Parameters for programs and as a page for people.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::json;

use crate::gateway::{self, Context};

use super::answer;
use super::asked::{Address, Asked};
use super::error::Problem;
use super::operation::{Pairs, not_here};

/// Large type and room to sign, on paper and on a telephone.
const STYLE: &str = include_str!("reading.css");

pub async fn reading(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
) -> Result<Response, Problem> {
    if kind != "Consent" {
        return Err(not_here("$reading", "Consent"));
    }
    let parameter = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let language = gateway::language_of(parameter("language"), asked.header(header::ACCEPT_LANGUAGE))?;
    let opened = gateway::open_consent(&ctx, &asked.caller, &asked.request, &id, language).await?;
    let reading = opened.reading;
    let wants_page = asked.header(header::ACCEPT).is_some_and(|accept| accept.contains("text/html"));
    if wants_page && parameter("_format").is_none() {
        let mut response = answer::json(StatusCode::OK, reading.page(STYLE).into_bytes());
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_LANGUAGE, language.code()),
            (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            answer::set(&mut response, name, value);
        }
        return Ok(response);
    }
    let body = json!({"resourceType": "Parameters", "parameter": [
        {"name": "language", "valueCode": language.code()},
        {"name": "standing", "valueCode": opened.line.standing.code()},
        {"name": "title", "valueString": reading.title},
        {"name": "text", "valueString": reading.text()},
        {"name": "html", "valueString": reading.html()}]});
    Ok(answer::json(StatusCode::OK, body.to_string().into_bytes()))
}
