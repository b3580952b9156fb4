//! One resource: read, vread, history, update, delete.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::json;

use crate::fhir::Issue;
use crate::fhir::bundle::{Found, listing};
use crate::fhir::interaction::Interaction;
use crate::fhir::view::View;
use crate::gateway::{self, Asked as Deed, Change, Context};

use super::asked::{Address, Asked, resource};
use super::error::Problem;
use super::{answer, audit_event};

type Pairs = Query<Vec<(String, String)>>;

pub async fn read(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    Query(pairs): Pairs,
    asked: Asked,
) -> Result<Response, Problem> {
    if kind == "AuditEvent" {
        return audit_event::read(&ctx, &asked, &id).await;
    }
    let view = view(&pairs)?;
    let found = gateway::read(&ctx, &asked.caller, &asked.request, &kind, &id).await?.seen_as(&ctx, &view);
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

pub async fn history(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    Query(pairs): Pairs,
    asked: Asked,
) -> Result<Response, Problem> {
    for (name, value) in &pairs {
        let known = matches!(name.as_str(), "_count" | "_before") && value.parse::<u32>().is_ok();
        if !known && !matches!(name.as_str(), "_format" | "_pretty") {
            let text = format!("`{name}` is not applied to a history here, or its value is no number; `_count` is");
            return Err(Problem::unreadable(Issue::error("not-supported", "parameter-unknown", text)));
        }
    }
    let number =
        |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.parse::<i64>().ok());
    let count = number("_count").unwrap_or(50).clamp(1, 1_000) as usize;
    let versions =
        gateway::history(&ctx, &asked.caller, &asked.request, (&kind, &id), number("_before"), count).await?;
    let address = format!("{}/{kind}/{id}/_history", asked.base);
    let mut links = vec![json!({"relation": "self", "url": format!("{address}?_count={count}")})];
    if let Some(last) = versions.last().filter(|last| versions.len() == count && last.version > 1) {
        links.push(json!({"relation": "next", "url": format!("{address}?_count={count}&_before={}", last.version)}));
    }
    let rows = versions.into_iter().map(|version| {
        let method = match (version.version, &version.body) {
            (_, None) => "DELETE",
            (1, _) => "POST",
            _ => "PUT",
        };
        let url = if method == "POST" { kind.clone() } else { format!("{kind}/{id}") };
        let status = if method == "POST" { "201" } else if method == "PUT" { "200" } else { "204" };
        Found {
            full_url: format!("{}/{kind}/{id}", asked.base),
            rest: json!({
                "request": {"method": method, "url": url},
                "response": {"status": status, "etag": answer::etag(version.version), "lastModified": version.updated_at.to_string()}}),
            resource: version.body.map(|body| body.into_text().into_bytes()),
        }
    });
    let head = json!({"resourceType": "Bundle", "type": "history", "link": links});
    Ok(answer::json(StatusCode::OK, listing(head, rows.collect())))
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

fn if_match(asked: &Asked) -> Option<String> {
    asked.headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()).map(str::to_string)
}
