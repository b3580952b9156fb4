//! Consents: those that an agency filed or keeps, and those of one person, each with how it stands in words.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use crate::consent::Footing;
use crate::fhir::{Instant, Resource, Zone};
use crate::gateway::{self, ConsentLine, Context, Error, No, Search};

use super::page::{self, Trouble};
use super::session::{Keeper, Signed};
use super::words;

const ROWS: &str = "30";

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    person: String,
    page: String,
}

pub async fn consents(
    State(ctx): State<Arc<Context>>,
    keeper: Keeper,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let signed = keeper.signed();
    let names = names(&ctx).await?;
    let person = asked.person.trim().trim_start_matches("Patient/").to_string();
    let content = if person.is_empty() {
        let (lines, next) = newest(&ctx, signed, &asked.page).await?;
        html! {
            (intro())
            (form(&person))
            section.group {
                h2 { "Filed or kept by " (signed.partner) }
                @if lines.is_empty() { p.none { "Your agency has filed no consents yet." } }
                ul.lines { @for one in &lines { li { (newest_row(&ctx.zone, one)) } } }
                @if let Some(next) = &next {
                    @let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("page", next).finish();
                    p { a href=(format!("?{query}")) { "Older consents" } }
                }
            }
        }
    } else {
        match gateway::consents_of(&ctx, &signed.caller, &signed.request, &person).await {
            Ok(lines) => html! { (intro()) (form(&person)) (of_person(&ctx.zone, &person, &lines, &names)) },
            Err(Error::No(No::Unknown, _)) => html! {
                (intro())
                (form(&person))
                p.held role="status" { "No person of that id is known to your agency. Check the id: it is the part behind " code { "Patient/" } "." }
            },
            Err(error) => return Err(error.into()),
        }
    };
    Ok(page::shown(signed, "Consents", content))
}

fn intro() -> Markup {
    html! {
        h1 { "Consents" }
        p.lead { "What people have said yes and no to, whether it counts now, and what would be seen because of it." }
    }
}

fn form(person: &str) -> Markup {
    html! {
        form.filter method="get" action="/console/consents" aria-label="Find a person" {
            div { label for="person" { "Person (Patient id)" } input #person name="person" value=(person) autocomplete="off" spellcheck="false"; }
            div.buttons { button.main type="submit" { "Show" } a href="/console/consents" { "Clear" } }
        }
    }
}

fn of_person(zone: &Zone, person: &str, lines: &[ConsentLine], names: &HashMap<String, String>) -> Markup {
    html! {
        section.group {
            h2 { "Of " span.id { (person) } @if !lines.is_empty() { " " span.count { (lines.len()) } } }
            p { a href=(format!("/console/what-if?person={person}")) { "What would an agency see of this person?" } }
            @if lines.is_empty() { p.none { "There is no consent of this person that you may open. Without one nothing is shared." } }
            ul.lines { @for line in lines { li { (row(zone, line, names)) } } }
        }
    }
}

fn row(zone: &Zone, line: &ConsentLine, names: &HashMap<String, String>) -> Markup {
    html! {
        h3 {
            a href=(format!("/console/consents/{}", line.id)) { "Consent, version " (line.version) }
            " " (badge(line.standing))
        }
        dl.facts {
            div { dt { "Filed by" } dd { (names.get(&line.filed_by).unwrap_or(&line.filed_by)) } }
            @if let Some(keeper) = &line.kept_by { div { dt { "Kept by" } dd { (names.get(keeper).unwrap_or(keeper)) } } }
            div { dt { "Since" } dd { time datetime=(line.updated_at) { (words::moment(zone, line.updated_at)) } } }
        }
        @if !line.unenforced.is_empty() { p.said { (words::parts(line.unenforced.len())) } }
    }
}

/// A Consent of the agency's own, as the search gives it.
struct Newest {
    id: String,
    patient: String,
    standing: Footing,
    updated_at: Option<Instant>,
}

async fn newest(ctx: &Context, signed: &Signed, page: &str) -> Result<(Vec<Newest>, Option<String>), Error> {
    let own = |(name, value): (&str, &str)| (name.to_string(), value.to_string());
    let wanted = [("_sort", "-_lastUpdated"), ("_count", ROWS), ("_total", "none"), ("_page", page)];
    let pairs: Vec<(String, String)> = wanted.into_iter().filter(|(_, value)| !value.is_empty()).map(own).collect();
    let found = gateway::search(ctx, &signed.caller, &signed.request, &Search::of("Consent", &pairs)).await?;
    let consents = found.matches.into_iter().filter_map(|row| row.body.into_resource());
    let line = |consent: Resource| Newest {
        id: consent.id().unwrap_or("").to_string(),
        patient: consent.root().reference("patient").and_then(|one| one.id_of("Patient")).unwrap_or("").to_string(),
        standing: Footing::alone(&consent, ctx.now(), &ctx.zone),
        updated_at: consent.updated_at(),
    };
    Ok((consents.map(line).collect(), found.next))
}

fn newest_row(zone: &Zone, one: &Newest) -> Markup {
    html! {
        h3 { a href=(format!("/console/consents/{}", one.id)) { "Consent of " span.id { (one.patient) } } " " (badge(one.standing)) }
        dl.facts {
            @if let Some(at) = one.updated_at { div { dt { "Since" } dd { time datetime=(at) { (words::moment(zone, at)) } } } }
        }
    }
}

/// The partners' names by id.
pub async fn names(ctx: &Context) -> Result<HashMap<String, String>, Error> {
    let partners = ctx.partners().await?;
    Ok(partners.iter().map(|one| (one.id.clone(), one.name.clone())).collect())
}

/// How it stands, in words and colour.
pub fn badge(standing: Footing) -> Markup {
    let (colour, word) = words::standing(standing);
    html! { span class=(format!("badge {colour}")) { (word) } }
}
