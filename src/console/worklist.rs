//! The work list of compliance: Consents that need a look, with one button each, and the review of emergencies.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use crate::fhir::Zone;
use crate::gateway::{self, AWAITING, Context, EMERGENCY, EXPIRING, Error, SOON_SECS, UNENFORCEABLE};
use crate::store::Work;

use super::inbox::alert;
use super::page::{self, Trouble};
use super::session::{Officer, Signed};
use super::words;

const TITLE: &str = "Work list";

/// In the order in which they are shown: what it is, its heading, and what it means.
const SORTS: [(&str, &str, &str); 4] = [
    (EMERGENCY, "Emergency access to review", "Somebody opened a record by declaring an emergency. Was it one?"),
    (
        AWAITING,
        "Waiting for verification",
        "These consents would open data to the agency that filed them. Another agency’s opens yours once you verify it; your own opens others’ once they do.",
    ),
    (UNENFORCEABLE, "Not enforced in full", "Parts of this consent are not understood: they deny, and permit nothing."),
    (
        EXPIRING,
        "Ending soon",
        "When a consent ends, what it permitted stops by itself. Ask the person whether to renew it.",
    ),
];

pub async fn work(State(ctx): State<Arc<Context>>, officer: Officer) -> Result<Response, Trouble> {
    let signed = officer.signed();
    let content = content(&ctx, signed, &[]).await?;
    Ok(page::shown(signed, TITLE, content))
}

/// One button of one item.
pub async fn act(State(ctx): State<Arc<Context>>, officer: Officer, body: Body) -> Result<Response, Trouble> {
    let signed = officer.signed();
    let form = signed.form(body).await?;
    let (about, what) = (form.text("about"), form.text("what"));
    let (caller, request) = (&signed.caller, &signed.request);
    let done = if what == AWAITING {
        let id = about.strip_prefix("Consent/").unwrap_or(about);
        gateway::verify_consent(&ctx, caller, request, id).await
    } else {
        gateway::dismiss(&ctx, caller, request, about, what).await
    };
    match done {
        Ok(()) => Ok(page::go("/console/work")),
        Err(Error::No(_, issues)) => {
            let problems: Vec<String> = issues.iter().map(words::issue).collect();
            let content = content(&ctx, signed, &problems).await?;
            Ok(page::refused(signed, TITLE, content))
        }
        Err(fault) => Err(fault.into()),
    }
}

async fn content(ctx: &Context, signed: &Signed, problems: &[String]) -> Result<Markup, Trouble> {
    let items = gateway::work_list(ctx, &signed.caller, &signed.request, SOON_SECS, None).await?;
    let partners = ctx.partners().await?;
    let names = partners.iter().map(|partner| (partner.id.as_str(), partner.name.as_str())).collect();
    Ok(html! {
        (alert(problems))
        h1 { (TITLE) }
        @if items.is_empty() { p.none { "Nothing waits for you." } }
        @for (what, heading, means) in SORTS {
            @let of_sort: Vec<&Work> = items.iter().filter(|item| item.what == what).collect();
            @if !of_sort.is_empty() {
                section.group {
                    h2 { (heading) " " span.count { (of_sort.len()) } }
                    p.hint { (means) }
                    ul.lines { @for item in of_sort { li { (row(&ctx.zone, signed, item, &names)) } } }
                }
            }
        }
    })
}

fn row(zone: &Zone, signed: &Signed, item: &Work, names: &HashMap<&str, &str>) -> Markup {
    let own = item.partner == signed.caller.partner();
    // Whoever filed it waits for the others; nobody verifies what lets itself in.
    let button = match item.what.as_str() {
        AWAITING if own && !signed.caller.is_operator() => None,
        AWAITING => Some("Verify"),
        _ if own => Some("Done"),
        _ => None,
    };
    html! {
        dl.facts {
            div { dt { "About" } dd { span.id { (item.about) } } }
            @if !item.patient.is_empty() {
                div { dt { "Person" } dd { a.id href=(format!("/console/log?person={}", item.patient)) { (item.patient) } } }
            }
            div { dt { @if item.what == AWAITING { "Filed by" } @else { "For" } } dd { (names.get(item.partner.as_str()).copied().unwrap_or(&item.partner)) } }
            div {
                dt { @if item.what == EXPIRING { "Ends" } @else { "Since" } }
                dd { @let at = if item.what == EXPIRING { item.due_at } else { item.at }; time datetime=(at) { (words::moment(zone, at)) } }
            }
            @if item.what == EMERGENCY || item.what == UNENFORCEABLE {
                div { dt { @if item.what == EMERGENCY { "Reason" } @else { "Where" } } dd { (item.detail) } }
            }
        }
        @if let Some(button) = button {
            form method="post" action="/console/work" {
                input type="hidden" name="seal" value=(signed.seal());
                input type="hidden" name="about" value=(item.about);
                input type="hidden" name="what" value=(item.what);
                button type="submit" aria-label=(format!("{button}: {}", item.about)) { (button) }
            }
        }
    }
}
