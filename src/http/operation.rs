//! Operations that answer from what is stored: `$everything`, `$meta` and its changes, `$docref`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::json;

use crate::fhir::bundle::listing;
use crate::fhir::interaction::Interaction;
use crate::fhir::{Issue, everything as asked_of, parameters};
use crate::gateway::{self, Context, Error, Everything, No, Scope};

use super::asked::{Address, Asked, resource};
use super::error::Problem;
use super::page::{self, Page};
use super::{answer, search};

pub(super) type Pairs = Vec<(String, String)>;
type One = Address<(String, String)>;

pub async fn everything(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): One,
    Query(pairs): Query<Pairs>,
    asked: Asked,
) -> Result<Response, Problem> {
    if kind != "Patient" {
        return Err(not_here("$everything", "Patient"));
    }
    let wanted = asked_of::read(&pairs, &ctx.zone, &ctx.config.search, asked.prefer.strict)
        .map_err(|issues| Error::No(No::Unreadable, issues))?;
    let found = gateway::everything(&ctx, &asked.caller, &asked.request, &id, wanted).await?;
    Ok(answer::json(StatusCode::OK, bundle(&asked.base, &id, found)))
}

pub async fn everything_by_post(
    State(ctx): State<Arc<Context>>,
    address: One,
    Query(mut pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    pairs.extend(sent(&ctx, &asked, body).await?);
    everything(State(ctx), address, Query(pairs), asked).await
}

fn bundle(base: &str, id: &str, found: Everything) -> Vec<u8> {
    let page = Page {
        kind: "searchset",
        address: format!("{base}/Patient/{id}/$everything"),
        applied: &found.applied,
        next: found.next.as_deref(),
        total: found.total,
    };
    let mut rows: Vec<_> = found.rows.into_iter().map(|(key, body)| page::row(base, &key, body, "match")).collect();
    rows.extend(page::said(found.warnings));
    page.with(rows)
}

pub async fn meta(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): One,
    asked: Asked,
) -> Result<Response, Problem> {
    let meta = gateway::meta_of(&ctx, &asked.caller, &asked.request, &kind, &id).await?;
    Ok(answer::json(StatusCode::OK, parameters::of_meta(&meta).to_string().into_bytes()))
}

pub async fn meta_add(
    State(ctx): State<Arc<Context>>,
    address: One,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    change_meta(&ctx, address, &asked, body, true).await
}

pub async fn meta_delete(
    State(ctx): State<Arc<Context>>,
    address: One,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    change_meta(&ctx, address, &asked, body, false).await
}

async fn change_meta(
    ctx: &Context,
    Address((kind, id)): One,
    asked: &Asked,
    body: Body,
    adds: bool,
) -> Result<Response, Problem> {
    let sent = resource(ctx, asked, body).await?;
    let sent = parameters::meta(&sent).map_err(|issues| Error::No(No::Unreadable, issues))?;
    let if_match = asked.headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()).map(str::to_string);
    let (caller, request) = (&asked.caller, &asked.request);
    let meta = gateway::change_meta(ctx, caller, request, (&kind, &id), &sent, adds, if_match).await?;
    Ok(answer::json(StatusCode::OK, parameters::of_meta(&meta).to_string().into_bytes()))
}

/// `DocumentReference/$docref` (US Core 7): the documents of a person, as a search for those that are there. No
/// document is made on demand.
pub async fn docref(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
) -> Result<Response, Problem> {
    if kind != "DocumentReference" {
        return Err(not_here("$docref", "DocumentReference"));
    }
    let Some(search) = documents(&pairs)? else {
        if !asked.caller.may(Interaction::SearchType, "DocumentReference") {
            return Err(Error::scopes("search-type", "DocumentReference").into());
        }
        let nothing = json!({"resourceType": "Bundle", "type": "searchset", "total": 0});
        return Ok(answer::json(StatusCode::OK, listing(nothing, Vec::new())));
    };
    search::searched(&ctx, &asked, Scope::Type("DocumentReference"), &search).await
}

pub async fn docref_by_post(
    State(ctx): State<Arc<Context>>,
    address: Address<String>,
    Query(mut pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    pairs.extend(sent(&ctx, &asked, body).await?);
    docref(State(ctx), address, Query(pairs), asked).await
}

/// The operation's parameters as those of a search; what it does not know is left to the search to say. `None` when
/// documents on demand alone are wanted: there are none.
fn documents(pairs: &[(String, String)]) -> Result<Option<Pairs>, Problem> {
    let (mut search, mut named, mut dated, mut on_demand) = (Vec::new(), false, false, false);
    for (name, value) in pairs {
        let pair = |name: &str, value: String| (name.to_string(), value);
        match name.as_str() {
            "patient" => {
                named = true;
                search.push(pair("patient", value.clone()));
            }
            // The dates are those of care, not of the record.
            "start" | "end" => {
                dated = true;
                search.push(pair("period", format!("{}{value}", if name == "start" { "ge" } else { "le" })));
            }
            "on-demand" if value == "true" || value == "false" => on_demand |= value == "true",
            "on-demand" => {
                let text = "`on-demand`: expected `true` or `false`";
                return Err(Problem::unreadable(Issue::error("value", "parameter-value", text)));
            }
            _ => search.push(pair(name, value.clone())),
        }
    }
    if !named {
        let text = "`patient`: expected the id of a Patient, whose documents are wanted";
        return Err(Problem::unreadable(Issue::error("required", "parameter-value", text)));
    }
    if !dated {
        // Without dates, what is current is in scope.
        search.push(("status".to_string(), "current".to_string()));
    }
    Ok((!on_demand).then_some(search))
}

/// The parameters of a body: a Parameters, or nothing at all.
pub(super) async fn sent(ctx: &Context, asked: &Asked, body: Body) -> Result<Pairs, Problem> {
    let empty = asked.headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0");
    if empty || !asked.headers.contains_key(header::CONTENT_TYPE) {
        return Ok(Vec::new());
    }
    let sent = resource(ctx, asked, body).await?;
    Ok(parameters::pairs(&sent).map_err(|issues| Error::No(No::Unreadable, issues))?)
}

pub(super) fn not_here(operation: &str, kind: &str) -> Problem {
    let text = format!("`{operation}` is offered for `{kind}` alone");
    Error::one(No::NotOffered, Issue::error("not-supported", "no-such-interaction", text)).into()
}
