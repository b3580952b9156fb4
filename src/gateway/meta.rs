//! `$meta`, `$meta-add` and `$meta-delete` of one resource: its profiles, tags and labels (FHIR R4
//! resource-operation-meta.html). A change is an update like any other, so only who may update may make it.

use serde_json::Value;

use crate::auth::Caller;
use crate::fhir::interaction::Interaction;
use crate::fhir::{Resource, meta, read as fhir_read};

use super::record::Request;
use super::submit::{Asked, Change, submit};
use super::{Context, Error, No, read};

/// The Meta of the caller's view.
///
/// # Errors
/// As a read.
pub async fn meta_of(ctx: &Context, caller: &Caller, request: &Request, kind: &str, id: &str) -> Result<Value, Error> {
    let seen = view(ctx, caller, request, kind, id).await?.1;
    Ok(meta_in(&seen))
}

/// Adds to it, or takes away from it; answers the Meta that there is then.
///
/// # Errors
/// As an update; a label to be taken away.
pub async fn change_meta(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    (kind, id): (&str, &str),
    sent: &Value,
    adds: bool,
    if_match: Option<String>,
) -> Result<Value, Error> {
    read::allowed(ctx, caller, Interaction::Update, kind)?;
    meta::bounded(sent).map_err(|issue| Error::one(No::Unreadable, issue))?;
    let (version, mut resource) = view(ctx, caller, request, kind, id).await?;
    let changed = if adds {
        meta::add(&mut resource, sent)
    } else {
        meta::remove(&mut resource, sent).map_err(|issue| Error::one(No::Invalid, issue))?
    };
    if !changed {
        return Ok(meta_in(&resource));
    }
    let if_match = Some(if_match.unwrap_or_else(|| version.to_string()));
    let change = Change::Update { kind: kind.to_string(), id: id.to_string(), resource, if_match };
    let asked = vec![Asked { change, entry: 0, full_url: None }];
    let written = submit(ctx, caller, request, Interaction::Update, asked).await?;
    let body = written.into_iter().next().and_then(|one| one.body).unwrap_or_default();
    let stored = fhir_read::resource(body.as_bytes()).map_err(|issue| Error::one(No::Unknown, issue))?;
    Ok(meta_in(&stored))
}

async fn view(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    kind: &str,
    id: &str,
) -> Result<(i64, Resource), Error> {
    let seen = read::read(ctx, caller, request, kind, id).await?;
    let resource = seen.body.and_then(crate::consent::Released::into_resource);
    Ok((seen.version, resource.ok_or_else(|| Error::unknown(kind, id))?))
}

fn meta_in(resource: &Resource) -> Value {
    resource.root().get("meta").value().cloned().unwrap_or_else(|| Value::Object(Default::default()))
}
