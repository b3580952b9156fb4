//! A type: create, and what is done to the one that matches criteria.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderName, Method};
use axum::response::Response;

use crate::fhir::Issue;
use crate::fhir::interaction::Interaction;
use crate::fhir::search::Criteria;
use crate::gateway::{Change, Context, Deed};

use super::asked::{self, Address, Asked, resource};
use super::error::Problem;
use super::{instance, public};

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
    let resource = resource(&ctx, &asked, body).await?;
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
    let resource = resource(&ctx, &asked, body).await?;
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
