//! Searches: of a type, of several, of a compartment; by address and by form.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use url::form_urlencoded;

use crate::fhir::Issue;
use crate::gateway::{self, Context, Error, No, Scope, Search};

use super::asked::{Address, Asked, bytes};
use super::error::Problem;
use super::page::{self, Page};
use super::{answer, audit_event, format};

type Pairs = Vec<(String, String)>;

pub async fn of_type(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
) -> Result<Response, Problem> {
    searched(&ctx, &asked, Scope::Type(&kind), &pairs).await
}

/// `POST [type]/_search`: the parameters of the address and of the form together (FHIR R4 search.html#Introduction).
pub async fn of_type_by_post(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    by_form(&ctx, &asked, Scope::Type(&kind), pairs, body).await
}

/// `GET [base]?_type=…`: several types at once.
pub async fn of_exchange(
    State(ctx): State<Arc<Context>>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
) -> Result<Response, Problem> {
    searched(&ctx, &asked, Scope::System, &pairs).await
}

pub async fn of_exchange_by_post(
    State(ctx): State<Arc<Context>>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    by_form(&ctx, &asked, Scope::System, pairs, body).await
}

/// `GET [base]/Patient/7/CarePlan`, and `*` for all types.
pub async fn of_compartment(
    State(ctx): State<Arc<Context>>,
    Address((owner, id, kind)): Address<(String, String, String)>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
) -> Result<Response, Problem> {
    let kind = Some(kind.as_str()).filter(|kind| *kind != "*");
    searched(&ctx, &asked, Scope::Compartment { owner: (&owner, &id), kind }, &pairs).await
}

pub async fn of_compartment_by_post(
    State(ctx): State<Arc<Context>>,
    Address((owner, id, kind)): Address<(String, String, String)>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    let scope =
        Scope::Compartment { owner: (&owner, &id), kind: Some(&kind).filter(|kind| *kind != "*").map(String::as_str) };
    by_form(&ctx, &asked, scope, pairs, body).await
}

/// The parameters of the address and of the form together; `_format` may stand in either.
async fn by_form(
    ctx: &Context,
    asked: &Asked,
    scope: Scope<'_>,
    mut pairs: Pairs,
    body: Body,
) -> Result<Response, Problem> {
    if asked.media().is_some_and(|media| !media.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
        let text = "`Content-Type`: expected `application/x-www-form-urlencoded`";
        return Err(Error::one(No::WrongFormat, Issue::error("not-supported", "content-type", text)).into());
    }
    let form: Pairs = form_urlencoded::parse(&bytes(ctx, body).await?).into_owned().collect();
    let wanted = format::of_form(&form)?;
    pairs.extend(form);
    let mut response = searched(ctx, asked, scope, &pairs).await?;
    if let Some(wanted) = wanted {
        response.extensions_mut().insert(wanted);
    }
    Ok(response)
}

pub async fn searched(
    ctx: &Context,
    asked: &Asked,
    scope: Scope<'_>,
    pairs: &[(String, String)],
) -> Result<Response, Problem> {
    if matches!(scope, Scope::Type("AuditEvent")) {
        return audit_event::search(ctx, asked, pairs).await;
    }
    let search = Search { scope, pairs, base: &asked.base, strict: asked.prefer.strict };
    let found = gateway::search(ctx, &asked.caller, &asked.request, &search).await?;
    Ok(answer::json(StatusCode::OK, searchset(&asked.base, found)))
}

/// The Bundle of a page.
pub fn searchset(base: &str, found: gateway::Found) -> Vec<u8> {
    let slash = if found.path.is_empty() { "" } else { "/" };
    let page = Page {
        kind: "searchset",
        address: format!("{base}{slash}{}", found.path),
        applied: &found.applied,
        next: found.next.as_deref(),
        total: found.total,
    };
    let mut rows: Vec<_> = found.matches.into_iter().map(|row| page::row(base, &row.key, row.body, "match")).collect();
    rows.extend(found.included.into_iter().map(|row| page::row(base, &row.key, row.body, "include")));
    rows.extend(page::said(found.warnings));
    page.with(rows)
}
