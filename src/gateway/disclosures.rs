//! The consent log for who may read it: compliance of the partner that received, or whose data it was.

use serde_json::Value;

use crate::audit;
use crate::auth::Caller;
use crate::fhir::interaction::Interaction;
use crate::fhir::reference::is_id;
use crate::fhir::{Element, Instant};
use crate::store::{LogFilter, LogRow};

use super::record::{self, Request};
use super::{Context, Error};

/// One record, taken apart for a page.
#[derive(Clone, Debug)]
pub struct LogEntry {
    pub number: Option<i64>,
    pub at: Instant,
    pub partner: String,
    pub subject: String,
    pub purposes: Vec<String>,
    pub interaction: String,
    pub target: String,
    pub verdict: String,
    pub patient: Option<String>,
    pub shown: Vec<Shown>,
}

/// A resource that a record names, and why it was shown or not.
#[derive(Clone, Debug)]
pub struct Shown {
    pub key: String,
    pub released: bool,
    pub why: String,
    /// The rules that decided: `Consent/c1/_history/2 provision.provision[0] (R4)`.
    pub reasons: Vec<String>,
}

/// Most records of one page.
pub const PAGE_MAX: usize = 200;

/// The records that match, newest first; the look itself is recorded first.
///
/// # Errors
/// That the caller's scopes do not cover AuditEvent.
pub async fn disclosures(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    filter: LogFilter,
) -> Result<Vec<LogEntry>, Error> {
    Ok(rows(ctx, caller, request, filter).await?.iter().map(entry).collect())
}

/// The same as AuditEvents.
///
/// # Errors
/// As [`disclosures`].
pub async fn audit_events(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    filter: LogFilter,
) -> Result<Vec<Value>, Error> {
    let rows = rows(ctx, caller, request, filter).await?;
    Ok(rows.iter().map(|row| audit::audit_event(&row.seen, row.number)).collect())
}

/// One AuditEvent by its record's id.
///
/// # Errors
/// As [`disclosures`], or that there is none that this caller may know of.
pub async fn audit_event(ctx: &Context, caller: &Caller, request: &Request, id: &str) -> Result<Value, Error> {
    if !is_id(id) {
        return Err(Error::unknown("AuditEvent", id));
    }
    let filter = LogFilter { id: Some(id.to_string()), limit: 1, ..LogFilter::default() };
    let found = rows(ctx, caller, request, filter).await?;
    let event = found.first().map(|row| audit::audit_event(&row.seen, row.number));
    event.ok_or_else(|| Error::unknown("AuditEvent", id))
}

/// A row as its reader may see it.
struct Row {
    seen: Value,
    at: Instant,
    number: Option<i64>,
}

async fn rows(ctx: &Context, caller: &Caller, request: &Request, filter: LogFilter) -> Result<Vec<Row>, Error> {
    if !caller.may(Interaction::SearchType, "AuditEvent") {
        return Err(Error::scopes("search-type", "AuditEvent"));
    }
    let mut record = record::start(ctx, caller, request, "search-type", "AuditEvent".to_string());
    record.patient.clone_from(&filter.patient);
    record::keep(ctx, &record).await?;
    let filter = LogFilter { party: Some(caller.partner().to_string()), limit: filter.limit.min(PAGE_MAX), ..filter };
    let found = ctx.store.log(&filter).await?;
    let row = |row: LogRow| {
        let seen = audit::seen_by(caller.partner(), &row.body)?;
        // Whom a refusal was about is not to be found out by asking for records about somebody either.
        let about = filter.patient.is_none() || Element::new(&seen).text("patient") == filter.patient.as_deref();
        about.then_some(Row { seen, at: row.at, number: row.number })
    };
    Ok(found.into_iter().filter_map(row).collect())
}

fn entry(row: &Row) -> LogEntry {
    let record = Element::new(&row.seen);
    let text = |name: &str| record.text(name).unwrap_or("").to_string();
    let shown = |list: &str, released: bool| {
        let entries = record.each(list);
        entries.map(|entry| shown(entry, released)).collect::<Vec<Shown>>()
    };
    LogEntry {
        number: row.number,
        at: row.at,
        partner: text("partner"),
        subject: text("subject"),
        purposes: record.each("purposes").filter_map(Element::as_str).map(str::to_string).collect(),
        interaction: text("interaction"),
        target: text("target"),
        verdict: text("verdict"),
        patient: record.text("patient").map(str::to_string),
        shown: shown("released", true).into_iter().chain(shown("refused", false)).collect(),
    }
}

fn shown(entry: Element, released: bool) -> Shown {
    let reason = |reason: Element| {
        let source = reason.text("consent").or_else(|| reason.text("policy")).unwrap_or("");
        let path = reason.text("path").map(|path| format!(" {path}")).unwrap_or_default();
        format!("{source}{path} ({})", reason.text("rule").unwrap_or(""))
    };
    Shown {
        key: entry.text("key").unwrap_or("").to_string(),
        released,
        why: entry.text("why").unwrap_or("").to_string(),
        reasons: entry.get("decision").each("reasons").map(reason).collect(),
    }
}
