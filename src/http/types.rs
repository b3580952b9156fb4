//! A type: create, search, and what is done to the one that matches criteria.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderName, Method, StatusCode};
use axum::response::Response;
use serde_json::json;
use url::form_urlencoded;

use crate::fhir::bundle::{Found, listing};
use crate::fhir::interaction::Interaction;
use crate::fhir::search::Criteria;
use crate::fhir::{Issue, Outcome};
use crate::gateway::{self, Change, Context, Deed, Error, No, Row, Scope, Search};

use super::asked::{self, Address, Asked, bytes, resource};
use super::error::Problem;
use super::{answer, audit_event, format, instance, public};

type Pairs = Vec<(String, String)>;

/// A create; with criteria in `If-None-Exist`, or as fhirpy sends them in the address, only if nothing matches them
/// (FHIR R4 http.html#ccreate).
pub async fn create(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    let resource = resource(&ctx, &asked.headers, body).await?;
    if resource.kind() != kind {
        let text = format!("the body is no `{kind}`, the type of this address");
        return Err(Problem::unreadable(Issue::error("invalid", "identity", text).at("resourceType")));
    }
    let header = asked.header(HeaderName::from_static("if-none-exist")).map(|query| Criteria::of(&kind, query));
    let change = match (header, criteria(&kind, pairs)) {
        (Some(_), Some(_)) => {
            let text = "criteria in `If-None-Exist` and in the address: expected them in one place";
            return Err(Problem::unreadable(Issue::error("invalid", "criteria", text)));
        }
        (Some(criteria), None) | (None, Some(criteria)) => {
            Change::Conditional { criteria, deed: Deed::Create(resource) }
        }
        (None, None) => Change::Create(resource),
    };
    instance::change(&ctx, &asked, Interaction::Create, change).await
}

/// `PUT [type]?[criteria]` (FHIR R4 http.html#cond-update).
pub async fn update(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    method: Method,
    body: Body,
) -> Result<Response, Problem> {
    let Some(criteria) = criteria(&kind, pairs) else { return Err(public::wrong_method(method).await) };
    let resource = resource(&ctx, &asked.headers, body).await?;
    let deed = Deed::Update { resource, if_match: asked.if_match() };
    instance::change(&ctx, &asked, Interaction::Update, Change::Conditional { criteria, deed }).await
}

/// `PATCH [type]?[criteria]` (FHIR R4 http.html#patch).
pub async fn patch(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    method: Method,
    body: Body,
) -> Result<Response, Problem> {
    let Some(criteria) = criteria(&kind, pairs) else { return Err(public::wrong_method(method).await) };
    let patch = match asked::patch(&ctx, &asked, body).await? {
        Ok(patch) => patch,
        Err(refused) => return Ok(refused),
    };
    let deed = Deed::Patch { patch, if_match: asked.if_match() };
    instance::change(&ctx, &asked, Interaction::Patch, Change::Conditional { criteria, deed }).await
}

/// `DELETE [type]?[criteria]`, of one resource (FHIR R4 http.html#3.1.0.7.1).
pub async fn delete(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    method: Method,
) -> Result<Response, Problem> {
    let Some(criteria) = criteria(&kind, pairs) else { return Err(public::wrong_method(method).await) };
    let deed = Deed::Delete { if_match: asked.if_match() };
    instance::change(&ctx, &asked, Interaction::Delete, Change::Conditional { criteria, deed }).await
}

/// The criteria in an address; what is about the answer's form is none of them.
fn criteria(kind: &str, mut pairs: Pairs) -> Option<Criteria> {
    pairs.retain(|(name, _)| !matches!(name.as_str(), "_format" | "_pretty"));
    (!pairs.is_empty()).then(|| Criteria::new(kind, pairs))
}

pub async fn search(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
) -> Result<Response, Problem> {
    searched(&ctx, &asked, Scope::Type(&kind), &pairs).await
}

/// `POST [type]/_search`: the parameters of the address and of the form together (FHIR R4 search.html#Introduction).
pub async fn search_by_post(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    by_form(&ctx, &asked, Scope::Type(&kind), pairs, body).await
}

/// `GET [base]?_type=…`: several types at once.
pub async fn search_all(
    State(ctx): State<Arc<Context>>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
) -> Result<Response, Problem> {
    searched(&ctx, &asked, Scope::System, &pairs).await
}

pub async fn search_all_by_post(
    State(ctx): State<Arc<Context>>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    by_form(&ctx, &asked, Scope::System, pairs, body).await
}

/// `GET [base]/Patient/7/CarePlan`, and `*` for all types.
pub async fn search_compartment(
    State(ctx): State<Arc<Context>>,
    Address((owner, id, kind)): Address<(String, String, String)>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
) -> Result<Response, Problem> {
    let kind = Some(kind.as_str()).filter(|kind| *kind != "*");
    searched(&ctx, &asked, Scope::Compartment { owner: (&owner, &id), kind }, &pairs).await
}

pub async fn search_compartment_by_post(
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
    let address = |more: Option<&str>| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&found.applied);
        if let Some(token) = more {
            query.append_pair("_page", token);
        }
        let (slash, query) = (if found.path.is_empty() { "" } else { "/" }, query.finish());
        format!("{base}{slash}{}{}{query}", found.path, if query.is_empty() { "" } else { "?" })
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
    let row = |mode: &'static str| {
        move |row: Row| Found {
            full_url: format!("{base}/{}", row.key),
            resource: Some(row.body.into_text().into_bytes()),
            rest: json!({"search": {"mode": mode}}),
        }
    };
    let mut rows: Vec<Found> = found.matches.into_iter().map(row("match")).collect();
    rows.extend(found.included.into_iter().map(row("include")));
    if !found.warnings.is_empty() {
        let outcome = Outcome(found.warnings).to_value().to_string().into_bytes();
        let full_url = "urn:uuid:00000000-0000-4000-8000-000000000000".to_string();
        rows.push(Found { full_url, resource: Some(outcome), rest: json!({"search": {"mode": "outcome"}}) });
    }
    listing(head, rows)
}
