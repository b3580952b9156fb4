//! The token endpoint, introspection and our key set.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::gateway::sign_in::{self, NoToken, TokenRequest};
use crate::gateway::{Context, Error};

use super::answer;
use super::asked::{self, Asked};
use super::error::Problem;

pub async fn token(State(ctx): State<Arc<Context>>, body: Body) -> Result<Response, Problem> {
    let mut form = form(&ctx, body).await?;
    let asked = TokenRequest {
        grant_type: form.remove("grant_type"),
        assertion_type: form.remove("client_assertion_type"),
        assertion: form.remove("client_assertion"),
        scope: form.remove("scope"),
        purpose: form.remove("purpose"),
    };
    match sign_in::grant(&ctx, &asked, &audiences(&ctx)).await {
        Ok(granted) => Ok(plain(
            StatusCode::OK,
            &json!({
                "access_token": granted.token,
                "token_type": "bearer",
                "expires_in": granted.expires_in,
                "scope": granted.scope,
            }),
        )),
        Err(NoToken::Refused(refused)) => {
            let status =
                if refused.error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
            Ok(plain(status, &json!({"error": refused.error, "error_description": refused.description})))
        }
        Err(NoToken::Fault(fault)) => Err(Error::from(fault).into()),
    }
}

/// The addresses of this endpoint: the configured one; without it, those by which this machine alone reaches it. The
/// Host of a request is anybody's to choose, and never an audience.
fn audiences(ctx: &Context) -> Vec<String> {
    if let Some(base) = &ctx.config.server.base_url {
        return vec![format!("{}/auth/token", base.trim_end_matches('/'))];
    }
    let port = ctx.config.server.bind.rsplit(':').next().unwrap_or("");
    let hosts = ["127.0.0.1", "localhost", "[::1]"];
    hosts.iter().map(|host| format!("http://{host}:{port}/auth/token")).collect()
}

/// RFC 7662, for who has a token itself; a foreign or expired one is exactly `{"active":false}`.
pub async fn introspect(State(ctx): State<Arc<Context>>, _asked: Asked, body: Body) -> Result<Response, Problem> {
    let form = form(&ctx, body).await?;
    let token = form.get("token").map_or("", String::as_str);
    let found = sign_in::introspect(&ctx, token).await?;
    Ok(plain(
        StatusCode::OK,
        &found.map_or_else(
            || json!({"active": false}),
            |claims| {
                json!({
                    "active": true,
                    "client_id": claims.sub,
                    "scope": claims.scope,
                    "exp": claims.exp,
                    "iat": claims.iat,
                    "purpose_of_use": claims.purpose,
                })
            },
        ),
    ))
}

pub async fn jwks(State(ctx): State<Arc<Context>>) -> Response {
    plain(StatusCode::OK, &ctx.keys.jwks())
}

async fn form(ctx: &Context, body: Body) -> Result<HashMap<String, String>, Problem> {
    Ok(form_urlencoded::parse(&asked::bytes(ctx, body).await?).into_owned().collect())
}

/// OAuth's answers are plain JSON that nobody may keep (RFC 6749, 5.1).
fn plain(status: StatusCode, value: &Value) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    (status, headers, value.to_string()).into_response()
}

/// What `public` answers in plain JSON.
pub(super) fn open(value: &Value) -> Response {
    open_text(value.to_string().into_bytes())
}

pub(super) fn open_text(text: Vec<u8>) -> Response {
    let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], text).into_response();
    answer::set(&mut response, header::CACHE_CONTROL, "public, max-age=60");
    response
}
