//! Bulk Data Access 2.0 over HTTP: kick-off, status, files, delete.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderName, StatusCode, Uri, header};
use axum::response::Response;
use futures_util::stream;
use serde_json::json;

use crate::fhir::{Issue, Outcome, export as asked_of};
use crate::gateway::{self, Context, Error, ExportFile, ExportOf, ExportStatus, Manifest, No};

use super::asked::{Address, Asked};
use super::error::Problem;
use super::operation::{Pairs, not_here, sent};
use super::{answer, asked};

const NDJSON: &str = "application/fhir+ndjson";
const PROGRESS: HeaderName = HeaderName::from_static("x-progress");

pub async fn of_exchange(
    State(ctx): State<Arc<Context>>,
    uri: Uri,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    start(&ctx, &asked, ExportOf::Exchange, &uri, pairs, body).await
}

pub async fn of_patients(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    uri: Uri,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    if kind != "Patient" {
        return Err(not_here("$export", "Patient"));
    }
    start(&ctx, &asked, ExportOf::Patients, &uri, pairs, body).await
}

pub async fn of_group(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): Address<(String, String)>,
    uri: Uri,
    Query(pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    if kind != "Group" {
        return Err(not_here("$export", "Group"));
    }
    start(&ctx, &asked, ExportOf::Group(&id), &uri, pairs, body).await
}

async fn start(
    ctx: &Context,
    asked: &Asked,
    of: ExportOf<'_>,
    uri: &Uri,
    mut pairs: Pairs,
    body: Body,
) -> Result<Response, Problem> {
    if !asked.prefer.respond_async {
        let text = "an export answers later: expected the header `Prefer: respond-async`";
        return Err(Problem::unreadable(Issue::error("required", "respond-async", text)));
    }
    pairs.extend(sent(ctx, asked, body).await?);
    let mut wanted =
        asked_of::read(&pairs, &ctx.zone, asked.prefer.lenient).map_err(|issues| Error::No(No::Unreadable, issues))?;
    wanted.strict = asked.prefer.strict;
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let address = format!("{}{}", asked.base.trim_end_matches("/fhir"), path);
    let id = gateway::start_export(ctx, &asked.caller, &asked.request, of, &address, wanted).await?;
    let at = format!("{}/$export/{id}", asked.base);
    let begun = Issue::information("export-begun", "the export has begun; `Content-Location` says how it stands");
    let mut response = answer::outcome(StatusCode::ACCEPTED, &Outcome::from(begun));
    answer::set(&mut response, header::CONTENT_LOCATION, &at);
    Ok(response)
}

pub async fn status(
    State(ctx): State<Arc<Context>>,
    Address(id): Address<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    Ok(match gateway::export_status(&ctx, &asked.caller, &asked.request, &id).await? {
        ExportStatus::Running { progress, retry_after_secs } => {
            let mut response = answer::json(StatusCode::ACCEPTED, Vec::new());
            answer::set(&mut response, PROGRESS, &progress);
            answer::set(&mut response, header::RETRY_AFTER, &retry_after_secs.to_string());
            response
        }
        ExportStatus::Done(manifest) => {
            let expires = manifest.expires_at.http_date();
            let mut response = answer::json(StatusCode::OK, said(&asked.base, &id, manifest));
            // The guide has the manifest as plain JSON: it is no resource.
            answer::set(&mut response, header::CONTENT_TYPE, "application/json");
            answer::set(&mut response, header::EXPIRES, &expires);
            response
        }
    })
}

fn said(base: &str, id: &str, manifest: Manifest) -> Vec<u8> {
    let file = |kind: &str| json!({"type": kind, "url": format!("{base}/$export/{id}/{kind}.ndjson")});
    let output: Vec<_> = manifest.kinds.iter().map(|kind| file(kind)).collect();
    let errors = if manifest.notes { vec![file("OperationOutcome")] } else { Vec::new() };
    let manifest = json!({
        "transactionTime": manifest.transaction_at.to_string(),
        "request": manifest.request,
        "requiresAccessToken": true,
        "output": output,
        "deleted": [],
        "error": errors,
        "extension": {
            // Each resource was decided when it was listed, and is decided once more when its file is fetched.
            "https://handoff.example/fhir/export/listed-until": manifest.listed_until.to_string(),
            "https://handoff.example/fhir/export/decided-again": "when-fetched",
        },
    });
    manifest.to_string().into_bytes()
}

pub async fn cancel(
    State(ctx): State<Arc<Context>>,
    Address(id): Address<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    gateway::cancel_export(&ctx, &asked.caller, &asked.request, &id).await?;
    let gone = Issue::information("export-deleted", "the export and its files are gone");
    Ok(answer::outcome(StatusCode::ACCEPTED, &Outcome::from(gone)))
}

/// A file as it is decided, part by part. A fault breaks the connection off, so that nobody takes a part for the whole.
pub async fn file(
    State(ctx): State<Arc<Context>>,
    Address((id, name)): Address<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let asked::Asked { caller, request, .. } = asked;
    let id_of_request = request.id.clone();
    let file = gateway::export_file(ctx, caller, request, &id, &name).await?;
    let parts = stream::try_unfold((file, id_of_request), |(mut file, request): (ExportFile, String)| async move {
        match file.next().await {
            Ok(part) => Ok(part.map(|part| (part, (file, request)))),
            Err(error) => {
                tracing::error!(request.id = %request, ?error, "a file was broken off");
                Err(std::io::Error::other("broken off"))
            }
        }
    });
    let mut response = Response::new(Body::from_stream(parts));
    answer::set(&mut response, header::CONTENT_TYPE, NDJSON);
    answer::set(&mut response, header::CACHE_CONTROL, "private, no-store");
    Ok(response)
}
