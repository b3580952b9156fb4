//! The formats of FHIR's own addresses: which one a caller wants, and the bodies in it (FHIR R4 http.html#mime-type).
//!
//! Handlers know JSON alone. A body in XML becomes JSON when a handler reads it, after it knows the caller; an answer
//! in FHIR JSON becomes XML, or gets line breaks, on its way out. `_format` beats `Accept` (rules.md 27). A request
//! that asks for neither costs a look at two headers and the query: its body and its answer are not touched.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use url::form_urlencoded;

use crate::fhir::Issue;
use crate::fhir::xml::{self, Layout};
use crate::gateway::{Context, Error, No};

use super::answer::{self, FHIR_JSON};
use super::error::Problem;
use super::located::{Sent, located};
use super::media::{self, Format, is_xml};

const FHIR_XML: &str = "application/fhir+xml; charset=utf-8";

/// What a caller wants the answer to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    format: Format,
    is_pretty: bool,
    /// Who asked for it, for the sentence that says no.
    by: &'static str,
}

impl Wanted {
    fn of(headers: &HeaderMap, query: &str) -> Wanted {
        let mut wanted = Wanted { format: Format::Json, is_pretty: false, by: "Accept" };
        let accepted = headers.get_all(header::ACCEPT).iter().map(|accept| accept.to_str().unwrap_or("?"));
        let mut accepted = accepted.filter(|accept| !accept.trim().is_empty());
        match (accepted.next(), accepted.next()) {
            (Some(accept), None) => wanted.format = media::best(accept),
            // Several headers are one list (RFC 9110, 5.3).
            (Some(first), Some(second)) => {
                let list: Vec<&str> = [first, second].into_iter().chain(accepted).collect();
                wanted.format = media::best(&list.join(","));
            }
            // Who says nothing is answered as it speaks.
            (None, _) if is_xml(headers) => wanted.format = Format::Xml,
            (None, _) => {}
        }
        if query.contains("format") || query.contains("pretty") {
            wanted.apply(form_urlencoded::parse(query.as_bytes()));
        }
        wanted
    }

    fn apply<N: AsRef<str>, V: AsRef<str>>(&mut self, pairs: impl Iterator<Item = (N, V)>) {
        let mut has_format = false;
        for (name, value) in pairs {
            match (name.as_ref(), value.as_ref()) {
                ("_format", value) if !has_format && !value.is_empty() => {
                    (self.format, self.by, has_format) = (media::named(value), "_format", true);
                }
                ("_pretty", value) => self.is_pretty = value == "true",
                _ => {}
            }
        }
    }

    fn acceptable(&self) -> Result<(), Problem> {
        if self.format != Format::Neither {
            return Ok(());
        }
        let text = format!(
            "`{}`: expected `application/fhir+json` or `application/fhir+xml`, the formats that are answered here",
            self.by
        );
        Err(Error::one(No::NotAcceptable, Issue::error("not-supported", "accept", text)).into())
    }
}

/// Middleware around all of FHIR's addresses.
pub async fn negotiate(State(ctx): State<Arc<Context>>, mut request: HttpRequest, next: Next) -> Response {
    let path = request.uri().path();
    if path != "/fhir" && !path.starts_with("/fhir/") {
        return next.run(request).await;
    }
    let wanted = Wanted::of(request.headers(), request.uri().query().unwrap_or(""));
    // What only looks may be answered with no answer; what was done must be told in the format that can.
    let is_reading = path.ends_with("/$reading");
    let only_looks = matches!(*request.method(), Method::GET | Method::HEAD) || path.ends_with("/_search");
    let sent = Sent::default();
    if !is_xml(request.headers()) {
        request.extensions_mut().insert(sent.clone());
    } else {
        let body = std::mem::take(request.body_mut());
        *request.body_mut() = body_as_json(ctx.clone(), body);
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
        request.headers_mut().remove(header::CONTENT_LENGTH);
    }
    // What is read aloud is a page for who asks for one.
    if wanted.format == Format::Neither && !is_reading {
        request.extensions_mut().insert(wanted);
    }
    let mut response = located(&sent, next.run(request).await);
    let wanted = response.extensions_mut().remove::<Wanted>().unwrap_or(wanted);
    let is_plain = wanted.format != Format::Xml && !wanted.is_pretty;
    if is_plain || !is_fhir_json(&response) {
        return response;
    }
    rewritten(&ctx, wanted, only_looks, response).await
}

/// Says no to a caller that can read nothing of ours. Asked after it is known who calls, before anything is done.
///
/// # Errors
/// 406.
pub fn acceptable(extensions: &Extensions) -> Result<(), Problem> {
    extensions.get::<Wanted>().map_or(Ok(()), Wanted::acceptable)
}

/// What a form asks for: in `POST [type]/_search`, `_format` and `_pretty` may be parameters like others. Hand it
/// over with the answer, in its extensions.
///
/// # Errors
/// 406.
pub fn of_form(form: &[(String, String)]) -> Result<Option<Wanted>, Problem> {
    if !form.iter().any(|(name, value)| matches!(name.as_str(), "_format" | "_pretty") && !value.is_empty()) {
        return Ok(None);
    }
    let mut wanted = Wanted { format: Format::Json, is_pretty: false, by: "_format" };
    wanted.apply(form.iter().map(|(name, value)| (name, value)));
    wanted.acceptable().map(|()| Some(wanted))
}

/// A body that could not be read as XML, on its way through the body of the request.
#[derive(Debug)]
struct Unread(Vec<Issue>);

impl fmt::Display for Unread {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("the body is no FHIR XML")
    }
}

impl StdError for Unread {}

/// The same body in JSON, read and converted when somebody asks for it: nobody's XML is parsed before its sender is
/// known.
fn body_as_json(ctx: Arc<Context>, body: Body) -> Body {
    let converted = async move {
        let sent = to_bytes(body, ctx.config.server.body_max_bytes).await?;
        match xml::resource(&sent, &ctx.profiles) {
            Ok(resource) => Ok(Bytes::from(resource.to_bytes())),
            Err(issues) => Err(axum::Error::new(Unread(issues))),
        }
    };
    Body::from_stream(futures_util::stream::once(converted))
}

/// Why a body could not be read, if it was that it is no FHIR XML.
pub fn unread(error: &axum::Error) -> Option<Problem> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(Unread(issues)) = error.downcast_ref::<Unread>() {
            return Some(Error::No(No::Unreadable, issues.clone()).into());
        }
        cause = error.source();
    }
    None
}

/// The answer in the format that is wanted; its other headers stay.
async fn rewritten(ctx: &Context, wanted: Wanted, only_looks: bool, response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    // What handlers answer with is in memory already.
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return Response::from_parts(head, Body::empty());
    };
    head.headers.remove(header::CONTENT_LENGTH);
    if wanted.format == Format::Json {
        return Response::from_parts(head, Body::from(indented(&bytes).map_or(bytes, Bytes::from)));
    }
    let text = if bytes.is_empty() {
        Ok(String::new())
    } else {
        let layout = Layout { is_pretty: wanted.is_pretty, is_lossy: !head.status.is_success() };
        as_xml(ctx, &bytes, layout)
    };
    match text {
        Ok(text) => {
            head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FHIR_XML));
            Response::from_parts(head, Body::from(text))
        }
        Err(issues) if only_looks => {
            let problem = Problem::from(Error::No(No::NotAcceptable, issues));
            let mut response = problem.into_response();
            if let Ok(bytes) = to_bytes(std::mem::take(response.body_mut()), usize::MAX).await {
                let text = as_xml(ctx, &bytes, Layout { is_pretty: wanted.is_pretty, is_lossy: true });
                answer::set(&mut response, header::CONTENT_TYPE, FHIR_XML);
                *response.body_mut() = Body::from(text.unwrap_or_default());
            }
            response
        }
        Err(_) => Response::from_parts(head, Body::from(bytes)),
    }
}

/// NDJSON, SMART's configuration and whatever else is no resource stay as they are.
fn is_fhir_json(response: &Response) -> bool {
    let content = response.headers().get(header::CONTENT_TYPE).and_then(|content| content.to_str().ok());
    content.is_some_and(|content| content.split(';').next() == Some("application/fhir+json"))
}

fn as_xml(ctx: &Context, bytes: &[u8], layout: Layout) -> Result<String, Vec<Issue>> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|_| vec![Issue::error("exception", "fault", "the answer is no resource")])?;
    xml::text(&value, &ctx.profiles, layout)
}

/// Line breaks and nothing else: numbers keep their digits.
fn indented(bytes: &[u8]) -> Option<Vec<u8>> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    serde_json::to_vec_pretty(&value).ok()
}
