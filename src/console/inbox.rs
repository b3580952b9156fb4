//! The lists: what came to an agency, and what it sent.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use crate::fhir::Zone;
use crate::gateway::Context;

use super::look::{Line, Lines, Look};
use super::page::{self, Trouble};
use super::session::{Staff, follows};
use super::words;

const OPEN: &str = "requested,received,ready,accepted,in-progress,on-hold";
const DONE: &str = "completed,rejected,failed,cancelled";
const OPEN_ROWS: &str = "30";
const DONE_ROWS: &str = "10";

/// Sealed tokens of the pages that follow.
#[derive(Deserialize)]
pub struct Pages {
    open: Option<String>,
    done: Option<String>,
    sent: Option<String>,
}

/// The referrals that came to the user's agency: what waits for an answer, what is going on, what is over.
pub async fn inbox(
    State(ctx): State<Arc<Context>>,
    staff: Staff,
    Query(pages): Query<Pages>,
) -> Result<Response, Trouble> {
    let signed = staff.signed();
    let owner = format!("Organization/{}", signed.caller.partner());
    let mut look = Look::new(&ctx, signed);
    let wanted = [("owner", owner.as_str()), ("status", OPEN), ("_count", OPEN_ROWS), ("_total", "none")];
    let open = look.lines(&wanted, pages.open.as_deref()).await?;
    let wanted = [("owner", owner.as_str()), ("status", DONE), ("_count", DONE_ROWS), ("_total", "none")];
    let done = look.lines(&wanted, pages.done.as_deref()).await?;
    let waits = |line: &&Line| matches!(line.status.as_str(), "requested" | "received" | "ready");
    let (answer, going): (Vec<&Line>, Vec<&Line>) = open.lines.iter().partition(waits);
    let done_lines: Vec<&Line> = done.lines.iter().collect();
    let content = html! {
        h1 { "Inbox of " (signed.partner) }
        @if pages.open.is_some() || pages.done.is_some() { p { a href="/console/inbox" { "Back to the newest" } } }
        (group(&ctx.zone, "To answer", &answer, "Nothing waits for your answer.", false))
        (group(&ctx.zone, "In progress", &going, "Nothing is in progress.", false))
        (more("open", &open, "Older open referrals"))
        (group(&ctx.zone, "Done", &done_lines, "Nothing is done yet.", false))
        (more("done", &done, "Older done referrals"))
    };
    Ok(page::shown(signed, "Inbox", content))
}

/// The referrals that the user's agency sent, with those that are held and why.
pub async fn sent(
    State(ctx): State<Arc<Context>>,
    staff: Staff,
    Query(pages): Query<Pages>,
) -> Result<Response, Trouble> {
    let signed = staff.signed();
    if !follows(signed.user.role) {
        return Err(Trouble::WrongRole(Box::new(staff.into_signed())));
    }
    let requester = format!("Organization/{}", signed.caller.partner());
    let mut look = Look::new(&ctx, signed);
    let wanted = [("requester", requester.as_str()), ("_count", OPEN_ROWS), ("_total", "none")];
    let found = look.lines(&wanted, pages.sent.as_deref()).await?;
    let (held, rest): (Vec<&Line>, Vec<&Line>) = found.lines.iter().partition(|line| line.held.is_some());
    let content = html! {
        h1 { "Sent by " (signed.partner) }
        @if pages.sent.is_some() { p { a href="/console/sent" { "Back to the newest" } } }
        (group(&ctx.zone, "Held", &held, "Nothing is held.", true))
        (group(&ctx.zone, "Sent", &rest, "Nothing has been sent yet.", true))
        (more("sent", &found, "Older referrals"))
    };
    Ok(page::shown(signed, "Sent", content))
}

fn group(zone: &Zone, title: &str, lines: &[&Line], none: &str, sent: bool) -> Markup {
    html! {
        section.group {
            h2 { (title) @if !lines.is_empty() { " " span.count { (lines.len()) } } }
            @if lines.is_empty() { p.none { (none) } }
            @else {
                ul.lines { @for line in lines { li { (row(zone, line, sent)) } } }
            }
        }
    }
}

fn row(zone: &Zone, line: &Line, sent: bool) -> Markup {
    let (word, party) = if sent { ("To", &line.to) } else { ("From", &line.from) };
    html! {
        h3 {
            a href=(format!("/console/referrals/{}", line.id)) {
                @match &line.asked_for { Some(service) => (service), None => "A referral whose request you may not see" }
            }
            @if line.urgent { " " span.badge.urgent { "Urgent" } }
        }
        dl.facts {
            div { dt { "For" } dd { (line.person.as_deref().unwrap_or("a person you may not see")) } }
            div { dt { (word) } dd { (party.as_deref().unwrap_or("an agency that is not known here")) } }
            div {
                dt { "Status" }
                dd {
                    (badge(line))
                    @if let Some(since) = line.since { " since " time datetime=(since) { (words::moment(zone, since)) } }
                }
            }
        }
        @if let Some(reason) = &line.reason { p.said { "Reason: " (reason) } }
        @if let Some(why) = line.held { p.said { (why) } }
    }
}

fn more(name: &str, lines: &Lines, words: &str) -> Markup {
    html! {
        @if let Some(token) = &lines.next {
            @let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, token).finish();
            p { a href=(format!("?{query}")) { (words) } }
        }
    }
}

/// How far a referral is, in words and colour.
pub fn badge(line: &Line) -> Markup {
    html! {
        @if line.held.is_some() { span.badge.is-on-hold { "Held" } }
        @else { span class=(format!("badge is-{}", line.status)) { (words::status(&line.status)) } }
    }
}

/// What was wrong with what was sent, first on the page.
pub fn alert(problems: &[String]) -> Markup {
    html! {
        @if !problems.is_empty() {
            div.alert role="alert" tabindex="-1" {
                h2 { "Nothing was changed" }
                ul { @for problem in problems { li { (problem) } } }
            }
        }
    }
}
