//! The door: the start page, signing in by link, signing out.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::Response;
use maud::html;
use serde::Deserialize;

use crate::gateway::{Context, sign_in as sessions};

use super::page::{self, Trouble};
use super::session::{self, Signed};

/// Where a user belongs, or how one signs in.
pub async fn home(State(ctx): State<Arc<Context>>, signed: Result<Signed, Trouble>) -> Result<Response, Trouble> {
    match signed {
        Ok(signed) => Ok(page::go(session::start(signed.user.role))),
        Err(Trouble::SignedOut) => Ok(welcome(&ctx)),
        Err(trouble) => Err(trouble),
    }
}

#[derive(Deserialize)]
pub struct Link {
    link: Option<String>,
}

pub async fn sign_in(State(ctx): State<Arc<Context>>, Query(asked): Query<Link>) -> Result<Response, Trouble> {
    let Some(link) = asked.link else { return Ok(welcome(&ctx)) };
    let session = sessions::session(&ctx, &link).await?.ok_or(Trouble::BadLink)?;
    Ok(page::lead(&session::cookie(&ctx, Some(&session)), "/console", "You are signed in"))
}

pub async fn sign_out(State(ctx): State<Arc<Context>>, signed: Signed, body: Body) -> Result<Response, Trouble> {
    signed.form(body).await?;
    Ok(page::lead(&session::cookie(&ctx, None), "/console", "You are signed out"))
}

fn welcome(ctx: &Context) -> Response {
    let links = ctx.config.console.sign_in_links;
    let content = html! {
        h1 { "Sign in" }
        p { "Handoff passes referrals between agencies, with the person’s consent checked every time." }
        section.card {
            h2 { "How to sign in" }
            @if !links { p.held { "Sign-in links are switched off on this exchange. Its operator can switch them on (console.sign_in_links)." } }
            p { "There is no password here. The person who runs this exchange gives you a sign-in link: open it in this browser and you are in for eight hours." }
            p { "No link, or it no longer works? Ask the person who runs this exchange for a new one." }
        }
        section.card {
            h2 { "What you will find" }
            ul {
                li { strong { "Agency staff, case managers, supervisors: " } "the referrals that came to your agency, to accept, reject, work on and complete." }
                li { strong { "Compliance officers: " } "who saw what, why it was allowed, and under which version of which consent." }
            }
        }
    };
    page::open("Sign in", content)
}
