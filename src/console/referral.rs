//! One referral: what is asked for, for whom, how far it is, and the steps that are open.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use crate::fhir::{Element, Instant, Resource, history};
use crate::gateway::{self, Context, Error, HistoryOf};

use super::inbox::{alert, badge};
use super::look::Look;
use super::page::{self, Trouble};
use super::session::Staff;
use super::steps::{self, Entered};
use super::words;

const VERSIONS_MAX: usize = 100;

#[derive(Deserialize)]
pub struct After {
    done: Option<String>,
}

pub async fn referral(
    State(ctx): State<Arc<Context>>,
    staff: Staff,
    Path(id): Path<String>,
    Query(after): Query<After>,
) -> Result<Response, Trouble> {
    let signed = staff.signed();
    let mut look = Look::new(&ctx, signed);
    let task = task(&mut look, &id).await?;
    let done = after.done.as_deref().and_then(words::done);
    let content = content(&mut look, &task, &Entered::default(), &[], done).await?;
    Ok(page::shown(signed, "Referral", content))
}

/// The Task, or that it is not known here.
pub async fn task(look: &mut Look<'_>, id: &str) -> Result<Resource, Error> {
    let found = gateway::read(look.ctx, &look.signed.caller, &look.signed.request, "Task", id).await?;
    found.body.and_then(|body| body.into_resource()).ok_or_else(|| Error::unknown("Task", id))
}

/// The page's content; `problems` and what was `entered` when an answer was refused.
pub async fn content(
    look: &mut Look<'_>,
    task: &Resource,
    entered: &Entered,
    problems: &[String],
    done: Option<&str>,
) -> Result<Markup, Error> {
    let line = look.line(task).await?;
    let request = look.at(task.root().reference("focus")).await?;
    let patient = look.at(task.root().reference("for")).await?;
    let facts = facts(look, task, request.as_ref(), patient.as_ref()).await?;
    let outcomes = outcomes(look, task).await?;
    let notes = notes(look, task).await?;
    let events = timeline(look, task).await?;
    let zone = &look.ctx.zone;
    Ok(html! {
        (alert(problems))
        @if let Some(done) = done { p.done role="status" { (done) } }
        p.back {
            @if steps::is_ours(task, look.signed) { a href="/console/inbox" { "Inbox" } } @else { a href="/console/sent" { "Sent" } }
        }
        h1 { (line.asked_for.as_deref().unwrap_or("A referral whose request you may not see")) }
        p.lead {
            (badge(&line))
            @if line.urgent { " " span.badge.urgent { "Urgent" } }
            " for " strong { (line.person.as_deref().unwrap_or("a person you may not see")) }
        }
        @if let Some(reason) = &line.reason { p.reason { "Reason: " (reason) } }
        @if let Some(why) = line.held { p.held { (why) } }
        section.card { h2 { "Details" } (facts) }
        @if !outcomes.is_empty() { section.card { h2 { "What was done" } ul { @for one in &outcomes { li { (one) } } } } }
        @if !notes.is_empty() { section.card { h2 { "Notes" } ul.notes { @for note in &notes { li { (note) } } } } }
        (steps::forms(task, look.signed, entered))
        section.card {
            h2 { "What happened so far" }
            ol.timeline {
                @for event in &events {
                    li {
                        time datetime=(event.at) { (words::moment(zone, event.at)) } " "
                        strong { (event.what) }
                        @if let Some(reason) = &event.reason { " (" (reason) ")" }
                    }
                }
            }
        }
    })
}

async fn facts(
    look: &mut Look<'_>,
    task: &Resource,
    request: Option<&Resource>,
    patient: Option<&Resource>,
) -> Result<Markup, Error> {
    let root = task.root();
    let (from, to) = (look.party(root, "requester").await?, look.party(root, "owner").await?);
    let asked = request.map_or(Element::none(), Resource::root);
    let mut reasons: Vec<String> = asked.each("reasonCode").filter_map(words::concept).collect();
    let mut unseen = 0;
    for reference in asked.references("reasonReference") {
        let found = look.at(Some(reference)).await?;
        match found.and_then(|found| words::concept(found.root().get("code"))) {
            Some(reason) => reasons.push(reason),
            None => unseen += 1,
        }
    }
    let person = patient.map_or(Element::none(), Resource::root);
    let written: Vec<&str> = asked.all("note.text").into_iter().filter_map(Element::as_str).collect();
    let due = root.get("restriction").get("period").text("end").or_else(|| asked.text("occurrenceDateTime"));
    Ok(html! {
        dl.facts.wide {
            div { dt { "Person" } dd { (patient.and_then(words::person).unwrap_or_else(|| "Your agency may not see who it is. Ask the sender to check the person’s consent.".to_string())) } }
            @if let Some(born) = person.text("birthDate") { div { dt { "Born" } dd { (words::date(born)) } } }
            @let contacts = contacts(person);
            @if !contacts.is_empty() { div { dt { "Contact" } dd { @for contact in &contacts { div { (contact) } } } } }
            @if let Some(text) = root.text("description") { div { dt { "Description" } dd { (text) } } }
            @for text in &written { div { dt { "From the request" } dd.kept { (text) } } }
            @if !reasons.is_empty() || unseen > 0 {
                div { dt { "Because of" } dd {
                    (reasons.join("; "))
                    @if unseen > 0 { @if !reasons.is_empty() { "; " } "a reason that your agency may not see" }
                } }
            }
            div { dt { "From" } dd { (from.as_deref().unwrap_or("not stated")) } }
            div { dt { "To" } dd { (to.as_deref().unwrap_or(if task.root().reference("owner").is_some() { "an agency that is not known here" } else { "nobody yet" })) } }
            @if let Some(at) = root.text("authoredOn") { div { dt { "Asked on" } dd { (words::date(at)) } } }
            @if let Some(due) = due { div { dt { "Wanted by" } dd { (words::date(due)) } } }
        }
    })
}

fn contacts(person: Element) -> Vec<Markup> {
    let telecom = person.each("telecom").filter_map(|one| {
        let value = one.text("value")?;
        Some(match one.text("system") {
            Some("phone" | "sms") => html! { a href=(format!("tel:{}", value.replace(' ', ""))) { (value) } },
            Some("email") => html! { a href=(format!("mailto:{value}")) { (value) } },
            _ => html! { (value) },
        })
    });
    let addresses = person.each("address").filter_map(|one| {
        let lines = one.each("line").filter_map(Element::as_str);
        let rest = ["city", "state", "postalCode"].into_iter().filter_map(|name| one.text(name));
        let parts: Vec<&str> = lines.chain(rest).collect();
        let text = one.text("text").map(str::to_string).or_else(|| (!parts.is_empty()).then(|| parts.join(", ")))?;
        Some(html! { (text) })
    });
    telecom.chain(addresses).collect()
}

async fn outcomes(look: &mut Look<'_>, task: &Resource) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for output in task.root().each("output") {
        if let Some(said) =
            words::concept(output.get("valueCodeableConcept")).or(output.text("valueString").map(str::to_string))
        {
            found.push(said);
        } else if output.reference("valueReference").is_some() {
            let done = look.at(output.reference("valueReference")).await?;
            let Some(done) = done else {
                found.push("Something that your agency may not see".to_string());
                continue;
            };
            let what = words::concept(done.root().get("code")).unwrap_or_else(|| done.kind().to_string());
            let on = done.root().text("performedDateTime").map(|on| format!(" ({})", words::date(on)));
            found.push(format!("{what}{}", on.unwrap_or_default()));
        }
    }
    Ok(found)
}

async fn notes(look: &mut Look<'_>, task: &Resource) -> Result<Vec<Markup>, Error> {
    let mut found = Vec::new();
    for note in task.root().each("note") {
        let author = look.party(note, "authorReference").await?.or(note.text("authorString").map(str::to_string));
        let at = note.text("time").and_then(Instant::parse);
        found.push(html! {
            p.kept { (note.text("text").unwrap_or("")) }
            p.by {
                (author.as_deref().unwrap_or("Author not stated"))
                @if let Some(at) = at { ", " time datetime=(at) { (words::moment(&look.ctx.zone, at)) } }
            }
        });
    }
    Ok(found)
}

/// One change of the Task that is worth telling.
struct Event {
    at: Instant,
    what: String,
    reason: Option<String>,
}

/// What the versions tell, oldest first.
async fn timeline(look: &mut Look<'_>, task: &Resource) -> Result<Vec<Event>, Error> {
    let (caller, request) = (&look.signed.caller, &look.signed.request);
    let id = task.id().unwrap_or("");
    let wanted = history::Asked { count: VERSIONS_MAX, ..Default::default() };
    let versions = gateway::history(look.ctx, caller, request, HistoryOf::One("Task", id), wanted).await?.entries;
    let mut events: Vec<Event> = Vec::new();
    let mut before: Option<Resource> = None;
    for version in versions.into_iter().rev() {
        let Some(now) = version.body.and_then(|body| body.into_resource()) else { continue };
        let of = |task: &Resource| (status_of(task), task.root().each("note").count(), held_of(task));
        let (status, notes, held) = of(&now);
        let what = match before.as_ref().map(of) {
            None => Some(if held.is_some() {
                "Sent, and held".to_string()
            } else {
                "Sent, waiting for an answer".to_string()
            }),
            Some((old, _, _)) if old != status => Some(words::status(&status).to_string()),
            Some((_, _, old)) if old.is_some() && held.is_none() => Some("Released to the agency".to_string()),
            Some((_, old, _)) if old < notes => Some("A note was added".to_string()),
            Some(_) => None,
        };
        let reason = words::concept(now.root().get("statusReason"))
            .filter(|_| before.as_ref().is_some_and(|old| status_of(old) != status));
        events.extend(what.map(|what| Event { at: version.updated_at, what, reason }));
        before = Some(now);
    }
    Ok(events)
}

fn status_of(task: &Resource) -> String {
    task.root().text("status").unwrap_or("").to_string()
}

fn held_of(task: &Resource) -> Option<&'static str> {
    task.root().concepts("businessStatus").iter().find_map(|coding| words::held(coding.code))
}
