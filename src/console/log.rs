//! The consent log: who saw what, why it was allowed or not, under which version of which consent.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use crate::fhir::{Interval, Zone};
use crate::gateway::{Context, LogEntry, Shown, disclosures};
use crate::store::LogFilter;

use super::inbox::alert;
use super::page::{self, Trouble};
use super::session::Officer;
use super::words::{self, VERDICTS};

const ROWS_MAX: usize = 100;
/// Of one record, how many resources are listed before the rest is folded.
const SHOWN_OPEN: usize = 4;

/// The filter as it was typed; an empty field asks for all.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    person: String,
    partner: String,
    verdict: String,
    from: String,
    until: String,
}

pub async fn log(
    State(ctx): State<Arc<Context>>,
    officer: Officer,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let signed = officer.signed();
    let partners = ctx.partners().await?;
    let names = partners.iter().map(|partner| (partner.id.clone(), partner.name.clone()));
    let names: HashMap<String, String> = names.collect();
    let filter = match asked.filter(&ctx.zone) {
        Ok(filter) => filter,
        Err(problem) => {
            let content = html! { (alert(&[problem])) (intro()) (form(&asked, &names)) };
            return Ok(page::refused(signed, "Consent log", content));
        }
    };
    let mut entries = disclosures(&ctx, &signed.caller, &signed.request, filter).await?;
    let more = entries.len() > ROWS_MAX;
    entries.truncate(ROWS_MAX);
    let content = html! {
        (intro())
        (form(&asked, &names))
        p role="status" {
            @match (entries.len(), more) {
                (0, _) => "No record matches.",
                (1, _) => "1 record.",
                (count, false) => { (count) " records, newest first." }
                (count, true) => { "The newest " (count) " records. There are more: narrow the filter to see them." }
            }
        }
        @if !entries.is_empty() { (table(&ctx.zone, &entries, &names)) }
    };
    Ok(page::shown(signed, "Consent log", content))
}

impl Asked {
    /// The filter, or what about it cannot be read.
    fn filter(&self, zone: &Zone) -> Result<LogFilter, String> {
        let some = |text: &str| Some(text.trim().to_string()).filter(|text| !text.is_empty());
        let day = |text: &str| match text.trim() {
            "" => Ok(None),
            text => Interval::of(text, zone).map(Some).ok_or("Give dates as year-month-day, such as 2026-03-01."),
        };
        // A person is known by the id of the Patient; who pastes the whole reference means the same.
        let person = some(&self.person).map(|text| text.trim_start_matches("Patient/").to_string());
        Ok(LogFilter {
            patient: person,
            recipient: some(&self.partner),
            verdict: some(&self.verdict),
            from: day(&self.from)?.map(|day| day.start),
            until: day(&self.until)?.map(|day| day.end),
            limit: ROWS_MAX + 1,
            ..LogFilter::default()
        })
    }
}

fn intro() -> Markup {
    html! {
        h1 { "Consent log" }
        p.lead {
            "Every request that touched your agency’s data, or that your agency made, with what was shown or refused and the reason. Records are numbered and chained, so that an edited, removed or swapped record shows: the operator proves it with "
            code { "handoff log verify" } "."
        }
    }
}

fn form(asked: &Asked, names: &HashMap<String, String>) -> Markup {
    let mut partners: Vec<(&String, &String)> = names.iter().collect();
    partners.sort_by_key(|(id, name)| (name.to_lowercase(), *id));
    html! {
        form.filter method="get" action="/console/log" aria-label="Filter" {
            div { label for="person" { "Person (Patient id)" } input #person name="person" value=(asked.person) autocomplete="off" spellcheck="false"; }
            div {
                label for="partner" { "Who asked" }
                select #partner name="partner" {
                    option value="" { "Any agency" }
                    @for (id, name) in &partners { option value=(id) selected[asked.partner == **id] { (name) } }
                }
            }
            div {
                label for="verdict" { "Outcome" }
                select #verdict name="verdict" {
                    option value="" { "Any outcome" }
                    @for (code, words) in VERDICTS { option value=(code) selected[asked.verdict == code] { (words) } }
                }
            }
            div { label for="from" { "From" } input #from type="date" name="from" value=(asked.from); }
            div { label for="until" { "Until, included" } input #until type="date" name="until" value=(asked.until); }
            div.buttons { button.main type="submit" { "Show" } a href="/console/log" { "Clear" } }
        }
    }
}

fn table(zone: &Zone, entries: &[LogEntry], names: &HashMap<String, String>) -> Markup {
    html! {
        table.log {
            thead { tr {
                th scope="col" { "No." } th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "Purpose" }
                th scope="col" { "What" } th scope="col" { "Person" } th scope="col" { "Outcome" }
            } }
            @for entry in entries { tbody { (row(zone, entry, names)) } }
        }
    }
}

fn row(zone: &Zone, entry: &LogEntry, names: &HashMap<String, String>) -> Markup {
    let who = names.get(&entry.partner).unwrap_or(&entry.partner);
    let purposes: Vec<&str> = entry.purposes.iter().map(|code| words::purpose(code)).collect();
    html! {
        tr {
            td data-label="No." { @match entry.number { Some(number) => (number), None => span.hint { "soon" } } }
            td data-label="When" { time datetime=(entry.at) { (words::moment(zone, entry.at)) } }
            td data-label="Who" { strong { (who) } " " span.hint { (entry.subject) } }
            td data-label="Purpose" { (purposes.join(", ")) }
            td data-label="What" { (words::interaction(&entry.interaction)) " " span.id { (entry.target) } }
            td data-label="Person" {
                @match &entry.patient {
                    Some(patient) => a.id href=(format!("?person={patient}")) { (patient) },
                    None => span.hint { "nobody" },
                }
            }
            td data-label="Outcome" { span class=(format!("badge verdict-{}", entry.verdict)) { (words::verdict(&entry.verdict)) } }
        }
        @if !entry.shown.is_empty() {
            tr.why { td colspan="7" {
                @let (open, folded) = entry.shown.split_at(entry.shown.len().min(SHOWN_OPEN));
                (reasons(open))
                @if !folded.is_empty() { details { summary { (folded.len()) " more" } (reasons(folded)) } }
            } }
        }
    }
}

fn reasons(shown: &[Shown]) -> Markup {
    html! {
        ul {
            @for one in shown {
                li class=[(!one.released).then_some("withheld")] {
                    span.id { (one.key) } ": "
                    strong { (words::deed(one)) }
                    ", " (words::why(&one.why))
                    @for reason in &one.reasons { (because(reason)) }
                }
            }
        }
    }
}

/// `Consent/c1/_history/2 provision.provision[0] (R4)`, as the flow gives it, with the rule in words.
fn because(reason: &str) -> Markup {
    let (source, rule) = reason.rsplit_once(" (").unwrap_or((reason, ""));
    let rule = rule.trim_end_matches(')');
    html! {
        div.because {
            @match (source.starts_with("Consent/"), rule) {
                (false, "R10") => { "No consent applies (rule R10); the exchange’s default is: " (source) }
                _ => {
                    "Rule " (rule)
                    @if let Some(words) = words::rule(rule) { " (" (words) ")" }
                    @if !source.is_empty() { ": " span.id { (source) } }
                }
            }
        }
    }
}
