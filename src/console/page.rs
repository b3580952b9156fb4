//! The frame of every page, its status and its headers; chosen here and nowhere else in the console.

use std::sync::Arc;

use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{DOCTYPE, Markup, html};

use crate::gateway::{Context, Error, No, Request};

use super::session::{self, Signed};
use super::words;

const STYLE: &str = include_str!("style.css");
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Why there is no page, or not the one that was asked for.
#[derive(Debug)]
pub enum Trouble {
    SignedOut,
    BadLink,
    WrongRole(Box<Signed>),
    /// A form without its session's seal.
    Forged,
    TooLarge,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Trouble {
    fn from(error: E) -> Trouble {
        Trouble::Failed(error.into())
    }
}

/// Our fault, for the guard: it knows the request's id.
#[derive(Clone)]
struct Cause(String);

/// A whole page for who is signed in.
pub fn shown(signed: &Signed, title: &str, content: Markup) -> Response {
    Html(frame(title, Some(signed), content).into_string()).into_response()
}

/// The same page again, with what was wrong with what was sent.
pub fn refused(signed: &Signed, title: &str, content: Markup) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, shown(signed, title, content)).into_response()
}

/// A page for who is not signed in.
pub fn open(title: &str, content: Markup) -> Response {
    Html(frame(title, None, content).into_string()).into_response()
}

/// On to another page after a form was acted on.
pub fn go(address: &str) -> Response {
    Redirect::to(address).into_response()
}

/// A page that sets or ends the session and leads on. Not a redirect: the cookie is SameSite=Strict, and a browser
/// that came from elsewhere sends it only on a navigation that starts here.
pub fn lead(cookie: &str, address: &str, title: &str) -> Response {
    let content = html! {
        h1 { (title) }
        p { a href=(address) { "Continue" } }
    };
    let onward = html! { meta http-equiv="refresh" content=(format!("0; url={address}")); };
    let mut response = Html(document(title, onward, None, content).into_string()).into_response();
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The style sheet.
pub async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

pub async fn nothing_here() -> Response {
    let content = html! {
        h1 { "There is no such page" }
        p { a href="/console" { "Go to the start page" } }
    };
    (StatusCode::NOT_FOUND, open("No such page", content)).into_response()
}

/// Middleware: gives every request an id, every fault its one line in the log, every answer its headers.
pub async fn guard(State(ctx): State<Arc<Context>>, mut request: HttpRequest, next: Next) -> Response {
    let id = ctx.ids.in_bucket(0, ctx.now());
    request.extensions_mut().insert(Request { id: id.clone() });
    let mut response = next.run(request).await;
    if let Some(Cause(cause)) = response.extensions().get::<Cause>() {
        tracing::error!(request.id = %id, cause, "request failed");
        response = fault(&id);
    }
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (status, title, text) = match &self {
            Trouble::SignedOut => (
                StatusCode::UNAUTHORIZED,
                "You are not signed in",
                "Your session has ended, or you have not signed in yet. Open your sign-in link again.",
            ),
            Trouble::BadLink => (
                StatusCode::UNAUTHORIZED,
                "This sign-in link does not work",
                "It may have run out, been cut short when it was copied, or links may be switched off here. Ask whoever gave it to you for a new one.",
            ),
            Trouble::WrongRole(_) => (
                StatusCode::FORBIDDEN,
                "This page is not for your role",
                "The inbox is for agency staff, case managers and supervisors; consents are for case managers, supervisors and compliance officers; the consent log is for compliance officers and operators. If you need it, ask the person who runs this exchange for another role.",
            ),
            Trouble::Forged => (
                StatusCode::FORBIDDEN,
                "Nothing was changed",
                "The form was not from a page of your current session, perhaps because you signed in again since you opened it. Open the page again and repeat what you did.",
            ),
            Trouble::TooLarge => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "Nothing was changed",
                "What you entered is too long. Go back and shorten it.",
            ),
            Trouble::Failed(Error::No(No::Unknown | No::Gone, _)) => (
                StatusCode::NOT_FOUND,
                "This is not here",
                "It does not exist, it was withdrawn, or your agency may not see it.",
            ),
            Trouble::Failed(Error::No(No::NotYours, _)) => {
                (StatusCode::FORBIDDEN, "You may not see or change this", "Your role does not cover it.")
            }
            Trouble::Failed(Error::No(_, issues)) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "This could not be read",
                issues.first().map_or("Check the address.", |issue| issue.text.as_str()),
            ),
            Trouble::Failed(Error::Fault(fault)) => {
                let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
                response.extensions_mut().insert(Cause(fault.to_string()));
                return response;
            }
        };
        let signed = if let Trouble::WrongRole(signed) = &self { Some(signed.as_ref()) } else { None };
        let content = html! {
            h1 { (title) }
            p { (text) }
            p { a href="/console" { "Go to the start page" } }
        };
        (status, Html(frame(title, signed, content).into_string())).into_response()
    }
}

fn fault(id: &str) -> Response {
    let content = html! {
        h1 { "Something went wrong on our side" }
        p { "Please try again in a minute. If it happens again, give the operator this number: " code { (id) } }
    };
    (StatusCode::SERVICE_UNAVAILABLE, open("Something went wrong", content)).into_response()
}

fn frame(title: &str, signed: Option<&Signed>, content: Markup) -> Markup {
    document(title, html! {}, signed, content)
}

fn document(title: &str, head: Markup, signed: Option<&Signed>, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                (head)
                title { (title) " - Handoff" }
                link rel="stylesheet" href="/console/style.css";
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    div.bar {
                        a.brand href="/console" { "Handoff" }
                        @if let Some(signed) = signed { (who(signed)) }
                    }
                }
                main #content { (content) }
            }
        }
    }
}

fn who(signed: &Signed) -> Markup {
    let role = signed.user.role;
    html! {
        nav aria-label="Pages" {
            @if session::works(role) { a href="/console/inbox" { "Inbox" } }
            @if session::follows(role) { a href="/console/sent" { "Sent" } }
            @if session::keeps(role) { a href="/console/consents" { "Consents" } a href="/console/what-if" { "What if" } }
            @if !session::works(role) { a href="/console/log" { "Consent log" } a href="/console/work" { "Work list" } }
        }
        div.who {
            span { strong { (signed.partner) } " · " (signed.user.id) ", " (words::role(role)) }
            form method="post" action="/console/sign-out" {
                input type="hidden" name="seal" value=(signed.seal());
                button.plain type="submit" { "Sign out" }
            }
        }
    }
}
