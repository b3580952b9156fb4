//! One Consent: how it stands, in plain words, to print and sign, and what taking it back would change.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;

use crate::consent::Language;
use crate::fhir::what_if::Asked as Question;
use crate::gateway::{self, Context, Error, Moved, OpenedConsent, ReferralEffect, Told, WhatChange};

use super::consents::{badge, names};
use super::page::{self, Trouble};
use super::session::{Keeper, Signed};
use super::words;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    language: String,
}

impl Asked {
    fn language(&self) -> Language {
        Language::named(&self.language).unwrap_or(Language::English)
    }
}

async fn open(ctx: &Context, signed: &Signed, id: &str, language: Language) -> Result<OpenedConsent, Error> {
    gateway::open_consent(ctx, &signed.caller, &signed.request, id, language).await
}

pub async fn consent(
    State(ctx): State<Arc<Context>>,
    keeper: Keeper,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let signed = keeper.signed();
    let language = asked.language();
    let opened = open(&ctx, signed, &id, language).await?;
    let (line, names) = (&opened.line, names(&ctx).await?);
    let name = |id: &String| names.get(id).unwrap_or(id).clone();
    let address = format!("/console/consents/{id}");
    let content = html! {
        p.back { a href=(format!("/console/consents?person={}", opened.patient)) { "Consents of this person" } }
        h1 { "Consent " (badge(line.standing)) }
        p.lead { (Language::English.standing(line.standing.code())) }
        @if !line.unenforced.is_empty() {
            div.held {
                p { strong { (words::parts(line.unenforced.len())) } " Where it says yes, that part opens nothing; where it says no, it closes more." }
                ul { @for pointer in &line.unenforced { li { code { (pointer) } } } }
            }
        }
        section.card {
            h2 { "Details" }
            dl.facts.wide {
                div { dt { "Person" } dd.id { (opened.patient) } }
                div { dt { "Filed by" } dd { (name(&line.filed_by)) } }
                @if let Some(keeper) = &line.kept_by { div { dt { "Kept by" } dd { (name(keeper)) } } }
                div { dt { "Version" } dd { (line.version) } }
            }
            p.choices {
                a href=(format!("{address}/taken-back")) { "What would change if it were taken back?" }
                a href=(format!("/console/what-if?person={}", opened.patient)) { "What would an agency see?" }
            }
        }
        section.card {
            h2 { "In plain words" }
            p.choices {
                (languages(&address, language))
                a href=(format!("{address}/reading?language={}", language.code())) { "Page to print and sign" }
            }
            div.aloud lang=(language.code()) { (PreEscaped(opened.reading.html())) }
        }
        section.card {
            h2 { "Versions" }
            ol.timeline {
                @for (number, at, status) in &opened.versions {
                    li { time datetime=(at) { (words::moment(&ctx.zone, *at)) } " " strong { "Version " (number) } ": " (words::consent_status(status)) }
                }
            }
        }
    };
    Ok(page::shown(signed, "Consent", content))
}

/// The page that is printed, in large type and with room for a signature.
pub async fn reading(
    State(ctx): State<Arc<Context>>,
    keeper: Keeper,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let signed = keeper.signed();
    let language = asked.language();
    let opened = open(&ctx, signed, &id, language).await?;
    let address = format!("/console/consents/{id}");
    let content = html! {
        p.back { a href=(address) { "Back to the consent" } }
        p.choices.unprinted { (languages(&format!("{address}/reading"), language)) span.hint { "Print it with your browser." } }
        article.aloud.paper lang=(language.code()) {
            h1 { (opened.reading.title) }
            (PreEscaped(opened.reading.html()))
            div.sign {
                p { (language.text("sign-read")) }
                @for key in ["sign-name", "sign-hand", "sign-date"] { p { (language.text(key)) ": " span.blank {} } }
            }
        }
    };
    Ok(page::shown(signed, &opened.reading.title, content))
}

fn languages(address: &str, now: Language) -> Markup {
    html! {
        @for language in Language::ALL {
            @if language == now { strong aria-current="true" { (language.name()) } }
            @else { a href=(format!("{address}?language={}", language.code())) hreflang=(language.code()) lang=(language.code()) { (language.name()) } }
        }
    }
}

/// What taking it back would change; nothing is done.
pub async fn taken_back(
    State(ctx): State<Arc<Context>>,
    keeper: Keeper,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let signed = keeper.signed();
    let question = Question { revoke: Some(id.clone()), ..Question::default() };
    let told = gateway::what_if(&ctx, &signed.caller, &signed.request, question).await?;
    let Told::Change(change) = told else { return Err(Error::unknown("Consent", &id).into()) };
    let names = names(&ctx).await?;
    let name = |id: &String| names.get(id).unwrap_or(id).clone();
    let content = html! {
        p.back { a href=(format!("/console/consents/{id}")) { "Back to the consent" } }
        h1 { "If this consent were taken back" }
        p.lead { "Nothing was changed: this is what would be. Counted is what your agency brought in or holds." }
        @if change.moved.is_empty() && change.referrals.is_empty() { p.done role="status" { "Nothing would change for any agency." } }
        (moved(&change, &name))
        @if !change.referrals.is_empty() {
            section.card {
                h2 { "Referrals" }
                ul {
                    @for one in &change.referrals {
                        li {
                            a href=(format!("/console/referrals/{}", one.task.trim_start_matches("Task/"))) { "The referral to " (name(&one.owner)) }
                            @match one.effect {
                                ReferralEffect::Cancelled => " would be cancelled.",
                                ReferralEffect::Released => " would be sent.",
                            }
                        }
                    }
                }
            }
        }
        @for note in &change.notes { p.held { (note.text) } }
    };
    Ok(page::shown(signed, "If this consent were taken back", content))
}

fn moved(change: &WhatChange, name: &dyn Fn(&String) -> String) -> Markup {
    let of_one = |one: &Moved, other: &Moved| one.recipient == other.recipient && one.purpose == other.purpose;
    html! {
        @if !change.moved.is_empty() {
            table.log {
                thead { tr { th scope="col" { "Agency" } th scope="col" { "Purpose" } th scope="col" { "No longer seen" } th scope="col" { "Newly seen" } } }
                @for group in change.moved.chunk_by(of_one) {
                    tbody { tr {
                        td data-label="Agency" { strong { (name(&group[0].recipient)) } }
                        td data-label="Purpose" { (words::purpose(&group[0].purpose)) }
                        td data-label="Lost" { (listed(group, |one| one.lost)) }
                        td data-label="Gained" { (listed(group, |one| one.gained)) }
                    } }
                }
            }
        }
    }
}

/// `Care plans (1), goals (2)`.
fn listed(group: &[Moved], count: fn(&Moved) -> usize) -> String {
    let some = group.iter().filter(|one| count(one) > 0);
    let said: Vec<String> = some.map(|one| format!("{} ({})", Language::English.kind(&one.kind), count(one))).collect();
    if said.is_empty() { "Nothing".to_string() } else { words::capital(&said.join(", ")) }
}
