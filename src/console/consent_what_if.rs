//! "What if": the form that asks what an agency would see of a person, and its answer with the reasons.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use crate::consent::{Language, Reason};
use crate::fhir::what_if::Asked as Question;
use crate::fhir::{Interval, Zone};
use crate::gateway::{self, Context, Error, No, Told, WhatRow, WhatSeen};

use super::consents::names;
use super::inbox::alert;
use super::page::{self, Trouble};
use super::session::Keeper;
use super::words;

const ROWS: usize = 100;
/// What agencies ask for most; any other is for the API.
const PURPOSES: [&str; 7] = ["TREAT", "COC", "ETREAT", "HPAYMT", "HOPERAT", "HRESCH", "PUBHLTH"];
const ACTIONS: [(&str, &str); 3] = [("access", "look at it"), ("disclose", "be sent it"), ("correct", "change it")];

/// The form as it was filled in; an empty field leaves it open.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    person: String,
    partner: String,
    purpose: String,
    action: String,
    date: String,
    data: String,
    page: String,
}

pub async fn what_if(
    State(ctx): State<Arc<Context>>,
    keeper: Keeper,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let signed = keeper.signed();
    let names = names(&ctx).await?;
    let mut partners: Vec<(String, String)> = names.into_iter().collect();
    partners.sort_by_key(|(id, name)| (name.to_lowercase(), id.clone()));
    let page = |body: Markup| html! { (intro()) (body) (form(&asked, &partners)) };
    if asked.person.trim().is_empty() || asked.partner.is_empty() {
        return Ok(page::shown(signed, "What if", page(html! {})));
    }
    let question = match asked.question(&ctx.zone) {
        Ok(question) => question,
        Err(problem) => return Ok(page::refused(signed, "What if", page(alert(&[problem])))),
    };
    let told = match gateway::what_if(&ctx, &signed.caller, &signed.request, question).await {
        Ok(told) => told,
        Err(Error::No(No::Unknown, _)) => {
            let text = "No person of that id is known to your agency, or nothing of theirs that you may be told of.";
            return Ok(page::shown(signed, "What if", page(html! { p.held role="status" { (text) } })));
        }
        Err(Error::No(No::Invalid | No::Unreadable, issues)) => {
            let problems: Vec<String> = issues.iter().map(words::issue).collect();
            return Ok(page::refused(signed, "What if", page(alert(&problems))));
        }
        Err(error) => return Err(error.into()),
    };
    let Told::Seen(seen) = told else { return Err(Error::unknown("Patient", &asked.person).into()) };
    let name = partners.iter().find(|(id, _)| *id == seen.recipient).map_or(seen.recipient.as_str(), |(_, name)| name);
    let content = html! {
        (intro())
        (answer(&ctx.zone, &seen, name, &asked))
        h2 { "Ask something else" }
        (form(&asked, &partners))
    };
    Ok(page::shown(signed, "What if", content))
}

impl Asked {
    /// The question, or what about it cannot be read.
    fn question(&self, zone: &Zone) -> Result<Question, String> {
        let some = |text: &str| Some(text.trim().to_string()).filter(|text| !text.is_empty());
        let at = match self.date.trim() {
            "" => None,
            text => {
                let day = Interval::of(text, zone).ok_or("Give the date as year-month-day, such as 2026-03-01.")?;
                // Noon: a day's first moment is for few the one they mean.
                Some(crate::fhir::Instant((day.start.0 + day.end.0) / 2))
            }
        };
        let person = self.person.trim().trim_start_matches("Patient/").to_string();
        if !crate::fhir::reference::is_id(&person) {
            return Err("Give the person as the id of the Patient: letters, digits, `-` and `.`.".to_string());
        }
        Ok(Question {
            patient: Some(person),
            recipients: vec![self.partner.clone()],
            purposes: some(&self.purpose).into_iter().collect(),
            action: some(&self.action),
            at,
            data_then: self.data == "then",
            count: Some(ROWS),
            page: some(&self.page),
            ..Question::default()
        })
    }

    fn address(&self, page: &str) -> String {
        let fields = [
            ("person", &self.person),
            ("partner", &self.partner),
            ("purpose", &self.purpose),
            ("action", &self.action),
            ("date", &self.date),
            ("data", &self.data),
        ];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        fields.into_iter().filter(|(_, value)| !value.is_empty()).for_each(|(name, value)| {
            query.append_pair(name, value);
        });
        format!("?{}", query.append_pair("page", page).finish())
    }
}

fn intro() -> Markup {
    html! {
        h1 { "What would be seen?" }
        p.lead { "Ask what an agency would see of a person, for a purpose, on a day that was or that comes. You are told of what your agency brought in or holds; that you asked is in the log." }
    }
}

fn form(asked: &Asked, partners: &[(String, String)]) -> Markup {
    html! {
        form.filter method="get" action="/console/what-if" aria-label="Question" {
            div { label for="person" { "Person (Patient id)" } input #person name="person" value=(asked.person) required autocomplete="off" spellcheck="false"; }
            div {
                label for="partner" { "Which agency" }
                select #partner name="partner" required {
                    option value="" { "Choose an agency" }
                    @for (id, name) in partners { option value=(id) selected[asked.partner == *id] { (name) } }
                }
            }
            div {
                label for="purpose" { "For what purpose" }
                select #purpose name="purpose" {
                    option value="" { "The agency’s usual one" }
                    @for code in PURPOSES { option value=(code) selected[asked.purpose == code] { (words::capital(words::purpose(code))) } }
                }
            }
            div {
                label for="action" { "To do what" }
                select #action name="action" {
                    @for (code, words) in ACTIONS { option value=(code) selected[asked.action == code] { (words::capital(words)) } }
                }
            }
            div { label for="date" { "On which day (empty: now)" } input #date type="date" name="date" value=(asked.date); }
            div {
                label for="data" { "With which records" }
                select #data name="data" {
                    option value="now" { "As they are today" }
                    option value="then" selected[asked.data == "then"] { "As they were on that day" }
                }
            }
            div.buttons { button.main type="submit" { "Show" } a href="/console/what-if" { "Clear" } }
        }
    }
}

fn answer(zone: &Zone, seen: &WhatSeen, name: &str, asked: &Asked) -> Markup {
    let (shown, all) =
        seen.counts.iter().fold((0, 0), |(shown, all), count| (shown + count.seen, all + count.seen + count.withheld));
    let purposes: Vec<&str> = seen.purposes.iter().map(|code| words::purpose(code)).collect();
    html! {
        p.verdict role="status" {
            strong { (name) } " would see "
            strong { @if shown == 0 { "nothing" } @else if shown == all { "all " (all) " records" } @else { (shown) " of " (all) " records" } }
            " for " (purposes.join(" and ")) ", on "
            time datetime=(seen.at) { (words::moment(zone, seen.at)) }
            @if seen.data_then { ", of the records as they were then" }
            "."
        }
        @for note in &seen.notes { p.held { (note.text) } }
        table.log.counts {
            thead { tr { th scope="col" { "What" } th scope="col" { "Seen" } th scope="col" { "Not seen" } } }
            @for count in &seen.counts {
                tbody { tr {
                    td data-label="What" { (words::capital(Language::English.kind(&count.kind))) " " span.hint { (count.kind) } }
                    td data-label="Seen" { (count.seen) }
                    td data-label="Not seen" { (count.withheld) }
                } }
            }
        }
        details.why open[seen.rows.len() <= 12] {
            summary { "One by one, with the reasons" }
            ul.reasons { @for row in &seen.rows { (reasons(row)) } }
            @if let Some(next) = &seen.next { p { a href=(asked.address(next)) { "More" } } }
        }
    }
}

fn reasons(row: &WhatRow) -> Markup {
    html! {
        li class=[(!row.seen).then_some("withheld")] {
            span.id { (row.key) } ": "
            strong { @if row.seen { "seen" } @else { "not seen" } }
            @if row.why == "own" { ", the agency’s own" }
            @if row.why == "not-listed" { ", since no rule lists that it may be changed" }
            @if let Some(decision) = &row.decision { @for reason in decision.reasons() { (because(reason)) } }
        }
    }
}

fn because(reason: &Reason) -> Markup {
    html! {
        div.because {
            @match (reason.consent(), reason.policy_name()) {
                (Some(version), _) => {
                    @let id = version.trim_start_matches("Consent/").split('/').next().unwrap_or("");
                    a href=(format!("/console/consents/{id}")) { "A consent" } " "
                    (words::effect(reason.effect().name())) ": " span.id { (version) " " (reason.path().unwrap_or("")) }
                }
                (None, Some(policy)) if reason.rule() == "R10" => { "No consent applies; the exchange’s default is: " (policy) }
                (None, Some(policy)) if reason.rule() == "R15" => { "The law: " (policy) }
                (None, Some(policy)) => { (words::capital(words::rule(reason.rule()).unwrap_or(""))) ": " (policy) }
                (None, None) => {}
            }
            " (" (reason.rule()) ")"
        }
    }
}
