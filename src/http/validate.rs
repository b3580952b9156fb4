//! `$validate` of a type: what a write would say, and nothing stored (FHIR R4 resource-operation-validate.html).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::fhir::Issue;
use crate::fhir::interaction::Interaction;
use crate::gateway::{Context, Error, foretell};
use crate::profile::Against;

use super::answer;
use super::asked::{Address, Asked, resource};
use super::error::Problem;

pub async fn validate(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Vec<(String, String)>>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    let resource = resource(&ctx, &asked, body).await?;
    if !asked.caller.may(Interaction::Validate, &kind) {
        return Err(Error::scopes("validate", &kind).into());
    }
    if resource.kind() != kind {
        let text = format!("the body is no `{kind}`, the type of this address");
        return Err(Problem::unreadable(Issue::error("invalid", "identity", text).at("resourceType")));
    }
    let also: Vec<String> = pairs.into_iter().filter(|(name, _)| name == "profile").map(|(_, url)| url).collect();
    let mut outcome = ctx.profiles.examine(&resource, &Against::of(&also));
    outcome.0.extend(foretell(&ctx, &asked.caller, &resource).await?);
    Ok(answer::outcome(StatusCode::OK, &outcome))
}
