//! What needs no token: what the server offers, and how it is.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::json;

use crate::fhir::Issue;
use crate::fhir::capability::statement;
use crate::gateway::{Context, Error, No};

use super::error::Problem;
use super::{answer, asked, described, openapi, terminology, token};

pub async fn metadata(
    State(ctx): State<Arc<Context>>,
    Query(pairs): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    if pairs.iter().any(|(name, value)| name == "mode" && value == "terminology") {
        return terminology::statement(&ctx, &headers);
    }
    let base = described::base(&ctx, &headers);
    answer::json(StatusCode::OK, described::kept(&ctx, "statement", &base, |of| statement(of).to_string()))
}

/// The same for tools that know HTTP and not FHIR.
pub async fn openapi(State(ctx): State<Arc<Context>>, headers: HeaderMap) -> Response {
    let base = described::base(&ctx, &headers);
    let text = described::kept(&ctx, "openapi", &base, |of| openapi::document(of, &ctx.profiles).to_string());
    token::open_text(text)
}

/// SMART App Launch 2.2, conformance.
pub async fn smart_configuration(State(ctx): State<Arc<Context>>, headers: HeaderMap) -> Response {
    let base = asked::base(&ctx, &headers);
    token::open(&json!({
        "issuer": base,
        "jwks_uri": format!("{base}/auth/jwks"),
        "token_endpoint": format!("{base}/auth/token"),
        "introspection_endpoint": format!("{base}/auth/introspect"),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
        "scopes_supported": ["system/*.cruds", "system/*.rs", "system/AuditEvent.rs"],
        "response_types_supported": [],
        "code_challenge_methods_supported": ["S256"],
        "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    }))
}

/// Alive: the process answers.
pub async fn health() -> &'static str {
    "ok\n"
}

/// Ready: the database answers and has our schema, the definitions are at hand.
pub async fn ready(State(ctx): State<Arc<Context>>) -> Result<&'static str, Problem> {
    ctx.store.ready().await?;
    Ok("ready\n")
}

pub async fn nothing_here(uri: Uri) -> Problem {
    let text = "nothing is served at this address; /fhir/metadata says what is";
    let issue = Issue::error("not-found", "no-such-address", text);
    // An id with a slash ends up here.
    let issue = if uri.path().starts_with("/fhir/") { issue.at("id") } else { issue };
    Error::one(No::Unknown, issue).into()
}

pub async fn wrong_method(method: Method) -> Problem {
    let text = format!("`{method}` is not offered at this address; /fhir/metadata says what is");
    Error::one(No::NotOffered, Issue::error("not-supported", "no-such-interaction", text)).into()
}
