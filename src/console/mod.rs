//! Pages for people: sign-in, the inbox of a partner that works in a browser, consents, the consent log.
//!
//! Every page is made on the server and works without a script: forms, links and headings, so that a keyboard, a
//! phone and a screen reader are enough. A page asks the gateway's flows as the signed-in user; it has no power that
//! the API's flows lack, and shows nothing that they did not release.
//!
//! What must always hold: a form is acted on only with its session's seal (`session`), statuses and security headers
//! are set in one place (`page`), and no address carries more than ids.

mod answer;
mod consent;
mod consent_what_if;
mod consents;
mod door;
mod inbox;
mod log;
mod look;
mod page;
mod referral;
mod session;
mod steps;
#[cfg(test)]
mod tests;
mod words;
mod worklist;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};

use crate::gateway::Context;

pub fn router(ctx: Arc<Context>) -> Router {
    Router::new()
        .route("/console", get(door::home))
        .route("/console/", get(door::home))
        .route("/console/sign-in", get(door::sign_in))
        .route("/console/sign-out", post(door::sign_out))
        .route("/console/inbox", get(inbox::inbox))
        .route("/console/sent", get(inbox::sent))
        .route("/console/referrals/{id}", get(referral::referral).post(answer::answer))
        .route("/console/log", get(log::log))
        .route("/console/consents", get(consents::consents))
        .route("/console/consents/{id}", get(consent::consent))
        .route("/console/consents/{id}/reading", get(consent::reading))
        .route("/console/consents/{id}/taken-back", get(consent::taken_back))
        .route("/console/what-if", get(consent_what_if::what_if))
        .route("/console/work", get(worklist::work).post(worklist::act))
        .route("/console/style.css", get(page::style))
        .route("/console/{*rest}", any(page::nothing_here))
        .layer(from_fn_with_state(ctx.clone(), page::guard))
        .with_state(ctx)
}
