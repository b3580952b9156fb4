//! A type: create and search.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use url::form_urlencoded;

use crate::fhir::bundle::{Found, listing};
use crate::fhir::interaction::Interaction;
use crate::fhir::{Issue, Outcome};
use crate::gateway::{self, Change, Context};

use super::asked::{Address, Asked, bytes, resource};
use super::error::Problem;
use super::{answer, audit_event, instance};

type Pairs = Vec<(String, String)>;

pub async fn create(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    let resource = resource(&ctx, &asked.headers, body).await?;
    if resource.kind() != kind {
        let text = format!("the body is no `{kind}`, the type of this address");
        return Err(Problem::unreadable(Issue::error("invalid", "identity", text).at("resourceType")));
    }
    if asked.headers.contains_key("if-none-exist") {
        let text = "`If-None-Exist` is not supported yet: search first, or leave it out";
        return Err(Problem::unreadable(Issue::error("not-supported", "conditional-create", text)));
    }
    instance::change(&ctx, &asked, Interaction::Create, Change::Create(resource)).await
}

pub async fn search(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
) -> Result<Response, Problem> {
    answer_search(&ctx, &asked, &kind, &pairs).await
}

/// `POST [type]/_search`: the parameters of the address and of the form together (FHIR R4 search.html#Introduction).
pub async fn search_by_post(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(mut pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    let form = bytes(&ctx, body).await?;
    pairs.extend(form_urlencoded::parse(&form).into_owned());
    answer_search(&ctx, &asked, &kind, &pairs).await
}

pub async fn answer_search(
    ctx: &Context,
    asked: &Asked,
    kind: &str,
    pairs: &[(String, String)],
) -> Result<Response, Problem> {
    if kind == "AuditEvent" {
        return audit_event::search(ctx, asked, pairs).await;
    }
    let found = gateway::search(ctx, &asked.caller, &asked.request, kind, pairs, asked.prefer.strict).await?;
    Ok(answer::json(StatusCode::OK, searchset(&asked.base, found)))
}

/// The Bundle of a page.
pub fn searchset(base: &str, found: gateway::Found) -> Vec<u8> {
    let address = |more: Option<&str>| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&found.applied);
        if let Some(token) = more {
            query.append_pair("_page", token);
        }
        let query = query.finish();
        format!("{base}/{}{}{query}", found.kind, if query.is_empty() { "" } else { "?" })
    };
    let mut links = vec![json!({"relation": "self", "url": address(None)})];
    if let Some(token) = &found.next {
        links.push(json!({"relation": "next", "url": address(Some(token))}));
    }
    let mut head = json!({"resourceType": "Bundle", "type": "searchset"});
    if let Some(total) = found.total {
        head["total"] = json!(total);
    }
    head["link"] = json!(links);
    let mut rows: Vec<Found> = found
        .rows
        .into_iter()
        .map(|(key, body)| Found {
            full_url: format!("{base}/{key}"),
            resource: Some(body.into_text().into_bytes()),
            rest: json!({"search": {"mode": "match"}}),
        })
        .collect();
    if !found.warnings.is_empty() {
        let outcome = Outcome(found.warnings).to_value().to_string().into_bytes();
        let full_url = "urn:uuid:00000000-0000-4000-8000-000000000000".to_string();
        rows.push(Found { full_url, resource: Some(outcome), rest: json!({"search": {"mode": "outcome"}}) });
    }
    listing(head, rows)
}
