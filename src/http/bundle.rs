//! Transactions and batches: a Bundle in, a Bundle out.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use url::form_urlencoded;

use crate::fhir::bundle::{self, Answered, BundleKind, Entry};
use crate::fhir::interaction::Interaction;
use crate::fhir::patch::Patch;
use crate::fhir::search::Criteria;
use crate::fhir::{Issue, Outcome};
use crate::gateway::{
    self, Asked as Deed, Change, Context, Deed as Way, Done, Error, HistoryOf, No, Scope, Search, Written,
};

use super::answer::{self, Known, etag};
use super::asked::{Asked, resource};
use super::error::{self, Problem};
use super::history;
use super::prefer::Return;
use super::search::searchset;

pub async fn submit(State(ctx): State<Arc<Context>>, asked: Asked, body: Body) -> Result<Response, Problem> {
    let sent = resource(&ctx, &asked, body).await?;
    let (kind, entries) = bundle::read(sent).map_err(|issues| Error::No(No::Unreadable, issues))?;
    let answers = match kind {
        BundleKind::Transaction => transaction(&ctx, &asked, entries).await?,
        BundleKind::Batch => batch(&ctx, &asked, entries).await,
    };
    Ok(answer::json(StatusCode::OK, bundle::responses(kind, answers)))
}

/// All or none; reads are answered from what the writes left.
async fn transaction(ctx: &Context, asked: &Asked, entries: Vec<Entry>) -> Result<Vec<Answered>, Problem> {
    let (mut deeds, mut reads, mut order) = (Vec::new(), Vec::new(), Vec::new());
    let mut issues = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        if reads_only(&entry) {
            order.push(None);
            reads.push((index, entry));
        } else {
            let full_url = entry.full_url.clone();
            match change(entry) {
                Ok(change) => deeds.push(Deed { change, entry: index, full_url }),
                Err(found) => issues.extend(placed(found, index)),
            }
            order.push(Some(()));
        }
    }
    if !issues.is_empty() {
        return Err(Error::No(No::Unreadable, issues).into());
    }
    let mut written =
        gateway::submit(ctx, &asked.caller, &asked.request, Interaction::Transaction, deeds).await?.into_iter();
    let mut reads = reads.into_iter();
    let mut answers = Vec::with_capacity(order.len());
    let mut room = ANSWER_MAX_BYTES;
    for place in order {
        answers.push(match place {
            Some(()) => written.next().map(|one| done(asked, one)).unwrap_or_default(),
            None => match reads.next() {
                Some((index, entry)) => {
                    let found = looked(ctx, asked, &entry, &mut room).await;
                    found.unwrap_or_else(|problem| failed(problem, index))
                }
                None => Answered::default(),
            },
        });
    }
    Ok(answers)
}

/// Each by itself, in the order of FHIR R4 http.html#brules: what one leaves, the next finds.
async fn batch(ctx: &Context, asked: &Asked, entries: Vec<Entry>) -> Vec<Answered> {
    let mut order: Vec<(usize, Entry)> = entries.into_iter().enumerate().collect();
    order.sort_by_key(|(_, entry)| match entry.method.as_str() {
        "DELETE" => 0,
        "POST" => 1,
        "GET" | "HEAD" => 3,
        _ => 2,
    });
    let mut answers: Vec<Answered> = order.iter().map(|_| Answered::default()).collect();
    let mut room = ANSWER_MAX_BYTES;
    for (index, entry) in order {
        let answered = if reads_only(&entry) {
            looked(ctx, asked, &entry, &mut room).await
        } else {
            alone(ctx, asked, entry, index).await
        };
        answers[index] = answered.unwrap_or_else(|problem| failed(problem, index));
    }
    answers
}

/// What the entries of one Bundle read may fill this much; the rest are told to come by themselves.
const ANSWER_MAX_BYTES: usize = 64 * 1024 * 1024;

async fn looked(ctx: &Context, asked: &Asked, entry: &Entry, room: &mut usize) -> Result<Answered, Problem> {
    let too_much = || {
        let text =
            format!("what the entries of a Bundle read may fill {ANSWER_MAX_BYTES} bytes: ask for this one by itself");
        Error::one(No::TooLarge, Issue::error("too-costly", "answer-too-large", text))
    };
    if *room == 0 {
        return Err(too_much().into());
    }
    let found = look(ctx, asked, entry).await?;
    let size = found.resource.as_ref().map_or(0, Vec::len);
    if size > *room {
        *room = 0;
        return Err(too_much().into());
    }
    *room -= size;
    Ok(found)
}

fn reads_only(entry: &Entry) -> bool {
    matches!(entry.method.as_str(), "GET" | "HEAD")
}

async fn alone(ctx: &Context, asked: &Asked, entry: Entry, index: usize) -> Result<Answered, Problem> {
    let change = change(entry).map_err(|issues| Error::No(No::Unreadable, issues))?;
    let interaction = match &change {
        Change::Create(_) | Change::Conditional { deed: Way::Create(_), .. } => Interaction::Create,
        Change::Update { .. } | Change::Conditional { deed: Way::Update { .. }, .. } => Interaction::Update,
        Change::Patch { .. } | Change::Conditional { deed: Way::Patch { .. }, .. } => Interaction::Patch,
        Change::Delete { .. } | Change::Conditional { deed: Way::Delete { .. }, .. } => Interaction::Delete,
    };
    let deeds = vec![Deed { change, entry: index, full_url: None }];
    let written = gateway::submit(ctx, &asked.caller, &asked.request, interaction, deeds).await?;
    Ok(written.into_iter().next().map(|one| done(asked, one)).unwrap_or_default())
}

/// `GET Patient/7`, `GET Patient/7/_history/2`, `GET Patient/7/_history`, `GET CarePlan?patient=7`; `HEAD` the same
/// without what was found.
async fn look(ctx: &Context, asked: &Asked, entry: &Entry) -> Result<Answered, Problem> {
    let (path, query) = entry.url.split_once('?').unwrap_or((&entry.url, ""));
    let parts: Vec<&str> = path.split('/').collect();
    let (caller, request) = (&asked.caller, &asked.request);
    let pairs = || form_urlencoded::parse(query.as_bytes()).into_owned().collect::<Vec<(String, String)>>();
    let wanted = |resource: Vec<u8>| (entry.method == "GET").then_some(resource);
    let found = match parts.as_slice() {
        ["AuditEvent", ..] => {
            let text = "AuditEvents are not read in a Bundle: ask for them at their own address";
            return Err(Problem::unreadable(Issue::error("not-supported", "bundle-request", text)));
        }
        [kind, id] => gateway::read(ctx, caller, request, kind, id).await?,
        [kind, id, "_history", version] => gateway::vread(ctx, caller, request, kind, id, version).await?,
        [kind, id, "_history"] => {
            let resource = wanted(history::page(ctx, asked, HistoryOf::One(kind, id), path, &pairs()).await?);
            return Ok(Answered { status: "200 OK".to_string(), resource, ..Answered::default() });
        }
        [kind] if !kind.is_empty() => {
            let pairs = pairs();
            let search =
                Search { scope: Scope::Type(kind), pairs: &pairs, base: &asked.base, strict: asked.prefer.strict };
            let found = gateway::search(ctx, caller, request, &search).await?;
            let resource = wanted(searchset(&asked.base, found));
            return Ok(Answered { status: "200 OK".to_string(), resource, ..Answered::default() });
        }
        _ => return Err(Problem::unreadable(unfit(&entry.method, &entry.url))),
    };
    let known =
        Known { none_match: entry.if_none_match.as_deref(), modified_since: entry.if_modified_since.as_deref() };
    let is_known = known.has(&found);
    Ok(Answered {
        status: if is_known { "304 Not Modified" } else { "200 OK" }.to_string(),
        etag: Some(etag(found.version)),
        last_modified: Some(found.updated_at.to_string()),
        resource: found.body.filter(|_| !is_known).and_then(|body| wanted(body.into_text().into_bytes())),
        ..Answered::default()
    })
}

/// What an entry asks to be changed.
///
/// Issues without an element are about the entry's request, others about its resource.
fn change(entry: Entry) -> Result<Change, Vec<Issue>> {
    let Entry { method, url, if_match, if_none_exist, resource, .. } = entry;
    if if_none_exist.is_some() && method != "POST" {
        let text = "`ifNoneExist` is for POST alone";
        return Err(vec![Issue::error("invalid", "bundle-request", text)]);
    }
    let (path, criteria) = match url.split_once('?') {
        Some((kind, _)) => match Criteria::parse(&url) {
            Some(criteria) => (kind, Some(criteria)),
            None => return Err(vec![unfit(&method, &url)]),
        },
        None => (url.as_str(), None),
    };
    let missing = || {
        let text = "expected a `resource` with a `resourceType` in this entry";
        vec![Issue::error("required", "bundle-resource", text)]
    };
    let parts: Vec<&str> = path.split('/').collect();
    let text = |text: &str| text.to_string();
    Ok(match (method.as_str(), parts.as_slice(), criteria) {
        ("POST", [kind], criteria) => {
            let resource = resource.ok_or_else(missing)?;
            if resource.kind() != *kind {
                return Err(vec![unfit(&method, &url)]);
            }
            match (if_none_exist.map(|query| Criteria::of(kind, &query)), criteria) {
                (Some(_), Some(_)) => {
                    let text = "criteria in `ifNoneExist` and in the `url`: expected them in one place";
                    return Err(vec![Issue::error("invalid", "criteria", text)]);
                }
                (Some(criteria), None) | (None, Some(criteria)) => {
                    Change::Conditional { criteria, deed: Way::Create(resource) }
                }
                (None, None) => Change::Create(resource),
            }
        }
        ("PUT", [kind, id], None) => {
            Change::Update { kind: text(kind), id: text(id), resource: resource.ok_or_else(missing)?, if_match }
        }
        ("PUT", [_], Some(criteria)) => {
            let deed = Way::Update { resource: resource.ok_or_else(missing)?, if_match };
            Change::Conditional { criteria, deed }
        }
        ("PATCH", [kind, id], None) => {
            let patch = Patch::of_entry(resource.ok_or_else(missing)?)?;
            Change::Patch { kind: text(kind), id: text(id), patch, if_match }
        }
        ("PATCH", [_], Some(criteria)) => {
            let patch = Patch::of_entry(resource.ok_or_else(missing)?)?;
            Change::Conditional { criteria, deed: Way::Patch { patch, if_match } }
        }
        ("DELETE", [kind, id], None) => Change::Delete { kind: text(kind), id: text(id), if_match },
        ("DELETE", [_], Some(criteria)) => Change::Conditional { criteria, deed: Way::Delete { if_match } },
        _ => return Err(vec![unfit(&method, &url)]),
    })
}

fn unfit(method: &str, url: &str) -> Issue {
    let method = if method.len() <= 8 { method } else { "…" };
    let text = format!(
        "`{method}` with a url of {} characters is no request of an entry here: expected POST Type, PUT, PATCH or DELETE with Type/id or Type?criteria, GET or HEAD",
        url.len()
    );
    Issue::error("value", "bundle-request", text)
}

/// Issues of one entry, at their place in the Bundle.
fn placed(issues: Vec<Issue>, index: usize) -> Vec<Issue> {
    match Error::No(No::Unreadable, issues).within_entry(index) {
        Error::No(_, issues) => issues,
        Error::Fault(_) => Vec::new(),
    }
}

fn done(asked: &Asked, written: Written) -> Answered {
    let status = match written.done {
        Done::Created => "201 Created",
        Done::Updated | Done::Found => "200 OK",
        Done::Deleted | Done::Nothing => "204 No Content",
    };
    let returns = asked.prefer.returns;
    // Warnings, and that a referral is held, must be seen by who sent it, whatever else it prefers.
    let said = !written.outcome.0.is_empty() || (returns == Return::Outcome && written.done != Done::Nothing);
    let is_there = written.done != Done::Nothing;
    Answered {
        status: status.to_string(),
        location: answer::is_located(&written).then(|| answer::location(&asked.base, &written)),
        etag: is_there.then(|| etag(written.version)),
        last_modified: is_there.then(|| written.updated_at.to_string()),
        resource: written.body.filter(|_| returns == Return::Representation).map(String::into_bytes),
        outcome: said.then_some(written.outcome),
    }
}

/// What became of an entry that could not be done, with its place in the Bundle.
fn failed(problem: Problem, index: usize) -> Answered {
    let problem = problem.0.within_entry(index);
    let outcome: Outcome = error::outcome(&problem);
    if let Error::Fault(fault) = &problem {
        tracing::error!(cause = %fault, "an entry of a batch failed");
    }
    Answered { status: error::status(&problem).to_string(), outcome: Some(outcome), ..Answered::default() }
}
