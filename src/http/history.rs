//! Histories of a resource, a type and the whole exchange, as Bundles.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::fhir::bundle::Found;
use crate::fhir::{Outcome, history as asked_of};
use crate::gateway::{self, Context, Error, HistoryOf, No, Version};

use super::answer;
use super::asked::{Address, Asked};
use super::error::Problem;
use super::page::{NOWHERE, Page};

type Pairs = Query<Vec<(String, String)>>;

pub async fn exchange(State(ctx): State<Arc<Context>>, Query(pairs): Pairs, asked: Asked) -> Result<Response, Problem> {
    listed(&ctx, &asked, HistoryOf::Exchange, "_history", &pairs).await
}

pub async fn of_type(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Pairs,
    asked: Asked,
) -> Result<Response, Problem> {
    listed(&ctx, &asked, HistoryOf::Type(&kind), &format!("{kind}/_history"), &pairs).await
}

pub async fn of_one(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    Query(pairs): Pairs,
    asked: Asked,
) -> Result<Response, Problem> {
    listed(&ctx, &asked, HistoryOf::One(&kind, &id), &format!("{kind}/{id}/_history"), &pairs).await
}

async fn listed(
    ctx: &Context,
    asked: &Asked,
    of: HistoryOf<'_>,
    path: &str,
    pairs: &[(String, String)],
) -> Result<Response, Problem> {
    Ok(answer::json(StatusCode::OK, page(ctx, asked, of, path, pairs).await?))
}

/// A page of a history, as a Bundle.
pub async fn page(
    ctx: &Context,
    asked: &Asked,
    of: HistoryOf<'_>,
    path: &str,
    pairs: &[(String, String)],
) -> Result<Vec<u8>, Problem> {
    let wanted = asked_of::read(pairs, &ctx.zone, &ctx.config.search, asked.prefer.strict)
        .map_err(|issues| Error::No(No::Unreadable, issues))?;
    let found = gateway::history(ctx, &asked.caller, &asked.request, of, wanted).await?;
    let page = Page {
        kind: "history",
        address: format!("{}/{path}", asked.base),
        applied: &found.applied,
        next: found.next.as_deref(),
        total: found.total,
    };
    let mut rows: Vec<Found> = found.entries.into_iter().map(|version| entry(&asked.base, version)).collect();
    if !found.warnings.is_empty() {
        // bdl-3 and bdl-4: an entry of a history has a request and a response, and the response a place for this.
        let outcome = Outcome(found.warnings).to_value();
        rows.push(Found {
            full_url: NOWHERE.to_string(),
            resource: None,
            rest: json!({"request": {"method": "GET", "url": path}, "response": {"status": "200", "outcome": outcome}}),
        });
    }
    Ok(page.with(rows))
}

fn entry(base: &str, version: Version) -> Found {
    let Version { kind, id, version, updated_at, body } = version;
    let (method, url, status) = match (version, &body) {
        (_, None) => ("DELETE", format!("{kind}/{id}"), "204"),
        (1, _) => ("POST", kind.clone(), "201"),
        _ => ("PUT", format!("{kind}/{id}"), "200"),
    };
    let rest: Value = json!({
        "request": {"method": method, "url": url},
        "response": {"status": status, "etag": answer::etag(version), "lastModified": updated_at.to_string()}});
    Found { full_url: format!("{base}/{kind}/{id}"), rest, resource: body.map(|body| body.into_text().into_bytes()) }
}
