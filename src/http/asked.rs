//! What every request brings: its caller, its id, the address it came to, its body.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Path, Request as HttpRequest, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::auth::Caller;
use crate::fhir::patch::{self, Patch};
use crate::fhir::{Issue, Resource, read};
use crate::gateway::{self, Context, Error, No, Request, sign_in};

use super::error::{Cause, Problem};
use super::located::Sent;
use super::{answer, format, headers, prefer::Prefer, public};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request of the FHIR API whose caller is known.
pub struct Asked {
    pub caller: Caller,
    pub request: Request,
    /// `https://exchange.example/fhir`.
    pub base: String,
    pub prefer: Prefer,
    pub headers: HeaderMap,
    sent: Sent,
}

/// The variable parts of an address; what is no text names nothing.
pub struct Address<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Context>> for Address<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, ctx: &Arc<Context>) -> Result<Address<T>, Problem> {
        match Path::from_request_parts(parts, ctx).await {
            Ok(Path(found)) => Ok(Address(found)),
            Err(_) => Err(public::nothing_here(parts.uri.clone()).await),
        }
    }
}

impl FromRequestParts<Arc<Context>> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, ctx: &Arc<Context>) -> Result<Asked, Problem> {
        headers::check(&parts.headers)?;
        let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let caller = sign_in::caller(ctx, text(header::AUTHORIZATION)).await?;
        let caller = match text(HeaderName::from_static("x-purpose-of-use")) {
            None => caller,
            Some(purposes) => {
                let purposes: Vec<String> =
                    purposes.split([',', ' ']).filter(|one| !one.is_empty()).map(str::to_string).collect();
                caller.narrowed(&purposes).ok_or_else(|| {
                    let text = "`X-Purpose-Of-Use` may narrow the token's purposes, not widen them";
                    Error::one(No::NotYours, Issue::error("forbidden", "purpose", text))
                })?
            }
        };
        format::acceptable(&parts.extensions)?;
        let request = parts.extensions.get::<Request>().cloned().unwrap_or_else(|| Request { id: String::new() });
        let caller = match text(HeaderName::from_static(gateway::EMERGENCY_HEADER)) {
            None => caller,
            Some(declaration) => gateway::under(ctx, caller, &request, declaration).await?,
        };
        let base = format!("{}/fhir", base(ctx, &parts.headers));
        let sent = parts.extensions.get::<Sent>().cloned().unwrap_or_default();
        let prefer = Prefer::of(&parts.headers);
        Ok(Asked { caller, request, base, prefer, headers: parts.headers.clone(), sent })
    }
}

/// The address that the caller knows us by: the configured one, else the Host of its request.
pub fn base(ctx: &Context, headers: &HeaderMap) -> String {
    if let Some(base) = &ctx.config.server.base_url {
        return base.trim_end_matches('/').to_string();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(|host| headers::is_host(host));
    let host = host.unwrap_or(&ctx.config.server.bind);
    format!("http://{host}")
}

impl Asked {
    /// A header's text.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn if_match(&self) -> Option<String> {
        self.header(header::IF_MATCH).map(str::to_string)
    }

    /// The media type of the body, without its parameters.
    pub fn media(&self) -> Option<&str> {
        self.header(header::CONTENT_TYPE).map(plain)
    }
}

/// `application/json` of `application/json; charset=utf-8`.
fn plain(media: &str) -> &str {
    media.split(';').next().unwrap_or("").trim()
}

/// The body as one resource, within the limit.
pub async fn resource(ctx: &Context, asked: &Asked, body: Body) -> Result<Resource, Problem> {
    let plain = asked.media().unwrap_or("application/fhir+json");
    if !matches!(plain, "application/fhir+json" | "application/json" | "text/json" | "application/json+fhir") {
        let text = "`Content-Type`: expected `application/fhir+json` or `application/fhir+xml`, in UTF-8";
        return Err(Error::one(No::WrongFormat, Issue::error("not-supported", "content-type", text)).into());
    }
    let bytes = bytes(ctx, body).await?;
    let resource = read::resource(&bytes).map_err(Problem::unreadable);
    asked.sent.keep(bytes);
    resource
}

/// The body as a patch. The inner error is the answer to a format that is none, which names those that are
/// (RFC 5789, 2.2).
pub async fn patch(ctx: &Context, asked: &Asked, body: Body) -> Result<Result<Patch, Response>, Problem> {
    let bytes = bytes(ctx, body).await?;
    match Patch::read(asked.media().unwrap_or(""), &bytes) {
        Some(Ok(patch)) => Ok(Ok(patch)),
        Some(Err(issues)) => Err(Error::No(No::Unreadable, issues).into()),
        None => {
            let text = format!("`Content-Type`: expected one of {}", patch::FORMATS);
            let issue = Issue::error("not-supported", "content-type", text);
            let mut response = Problem::from(Error::one(No::WrongFormat, issue)).into_response();
            answer::set(&mut response, HeaderName::from_static("accept-patch"), patch::FORMATS);
            Ok(Err(response))
        }
    }
}

/// The body's bytes, within the limit.
pub async fn bytes(ctx: &Context, body: Body) -> Result<Vec<u8>, Problem> {
    let limit = ctx.config.server.body_max_bytes;
    let waited = Duration::from_secs(ctx.config.server.body_timeout_secs);
    let read = timeout(waited, to_bytes(body, limit)).await.map_err(|_| {
        let text = format!("the body did not come within {} seconds (server.body_timeout_secs)", waited.as_secs());
        Error::one(No::TooSlow, Issue::error("timeout", "body-timeout", text))
    })?;
    read.map(Into::into).map_err(|error| {
        if let Some(problem) = format::unread(&error) {
            return problem;
        }
        let text = format!("the body is larger than {limit} bytes, the limit of this server (server.body_max_bytes)");
        Error::one(No::TooLarge, Issue::error("too-long", "body-too-large", text)).into()
    })
}

/// Middleware: gives every request an id, and every fault of ours its one line in the log.
pub async fn request_id(State(ctx): State<Arc<Context>>, mut request: HttpRequest, next: Next) -> Response {
    let sent = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok());
    let fits = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let id = sent.filter(fits).map_or_else(|| ctx.ids.in_bucket(0, ctx.now()), str::to_string);
    request.extensions_mut().insert(Request { id: id.clone() });
    let mut response = next.run(request).await;
    if let Some(Cause(cause)) = response.extensions().get::<Cause>() {
        tracing::error!(request.id = %id, cause, "request failed");
    }
    answer::set(&mut response, REQUEST_ID, &id);
    response
}
