//! Transactions and batches: a Bundle in, a Bundle out.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use url::form_urlencoded;

use crate::fhir::bundle::{self, Answered, BundleKind, Entry};
use crate::fhir::interaction::Interaction;
use crate::fhir::{Issue, Outcome};
use crate::gateway::{self, Asked as Deed, Change, Context, Error, No, Scope, Search, Written};

use super::answer::{self, etag};
use super::asked::{Asked, resource};
use super::error::{self, Problem};
use super::prefer::Return;
use super::types::searchset;

pub async fn submit(State(ctx): State<Arc<Context>>, asked: Asked, body: Body) -> Result<Response, Problem> {
    let sent = resource(&ctx, &asked.headers, body).await?;
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
        if entry.method == "GET" {
            order.push(None);
            reads.push(entry);
        } else {
            let full_url = entry.full_url.clone();
            match change(entry) {
                Ok(change) => deeds.push(Deed { change, entry: index, full_url }),
                Err(issue) => issues.push(issue.at(format!("Bundle.entry[{index}].request"))),
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
    for place in order {
        answers.push(match place {
            Some(()) => written.next().map(|one| done(asked, one)).unwrap_or_default(),
            None => match reads.next() {
                Some(entry) => look(ctx, asked, &entry).await.unwrap_or_else(|problem| failed(&problem.0)),
                None => Answered::default(),
            },
        });
    }
    Ok(answers)
}

/// Each by itself.
async fn batch(ctx: &Context, asked: &Asked, entries: Vec<Entry>) -> Vec<Answered> {
    let mut answers = Vec::with_capacity(entries.len());
    for entry in entries {
        let answered =
            if entry.method == "GET" { look(ctx, asked, &entry).await } else { alone(ctx, asked, entry).await };
        answers.push(answered.unwrap_or_else(|problem| failed(&problem.0)));
    }
    answers
}

async fn alone(ctx: &Context, asked: &Asked, entry: Entry) -> Result<Answered, Problem> {
    let change = change(entry).map_err(Problem::unreadable)?;
    let interaction = match &change {
        Change::Create(_) => Interaction::Create,
        Change::Update { .. } => Interaction::Update,
        Change::Delete { .. } => Interaction::Delete,
    };
    let deeds = vec![Deed { change, entry: 0, full_url: None }];
    let written = gateway::submit(ctx, &asked.caller, &asked.request, interaction, deeds).await?;
    Ok(written.into_iter().next().map(|one| done(asked, one)).unwrap_or_default())
}

/// `GET Patient/7`, `GET Patient/7/_history/2`, `GET CarePlan?patient=7`.
async fn look(ctx: &Context, asked: &Asked, entry: &Entry) -> Result<Answered, Problem> {
    let (path, query) = entry.url.split_once('?').unwrap_or((&entry.url, ""));
    let parts: Vec<&str> = path.split('/').collect();
    let (caller, request) = (&asked.caller, &asked.request);
    let found = match parts.as_slice() {
        ["AuditEvent", ..] => {
            let text = "AuditEvents are not read in a Bundle: ask for them at their own address";
            return Err(Problem::unreadable(Issue::error("not-supported", "bundle-request", text)));
        }
        [kind, id] => gateway::read(ctx, caller, request, kind, id).await?,
        [kind, id, "_history", version] => gateway::vread(ctx, caller, request, kind, id, version).await?,
        [kind] => {
            let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let search =
                Search { scope: Scope::Type(kind), pairs: &pairs, base: &asked.base, strict: asked.prefer.strict };
            let found = gateway::search(ctx, caller, request, &search).await?;
            let resource = Some(searchset(&asked.base, found));
            return Ok(Answered { status: "200 OK".to_string(), resource, ..Answered::default() });
        }
        _ => return Err(Problem::unreadable(unfit("GET", &entry.url))),
    };
    Ok(Answered {
        status: "200 OK".to_string(),
        etag: Some(etag(found.version)),
        last_modified: Some(found.updated_at.to_string()),
        resource: found.body.map(|body| body.into_text().into_bytes()),
        ..Answered::default()
    })
}

fn change(entry: Entry) -> Result<Change, Issue> {
    let unfit = || unfit(&entry.method, &entry.url);
    if entry.if_none_exist.is_some() || entry.url.contains('?') {
        let text = "conditional requests are not supported yet: name the resource by its id";
        return Err(Issue::error("not-supported", "conditional", text));
    }
    let parts: Vec<&str> = entry.url.split('/').collect();
    let missing =
        || Issue::error("required", "bundle-resource", "expected a `resource` with a `resourceType` in this entry");
    match (entry.method.as_str(), parts.as_slice()) {
        ("POST", [kind]) => {
            let resource = entry.resource.ok_or_else(missing)?;
            if resource.kind() == *kind { Ok(Change::Create(resource)) } else { Err(unfit()) }
        }
        ("PUT", [kind, id]) => {
            let (kind, id) = (kind.to_string(), id.to_string());
            Ok(Change::Update { kind, id, resource: entry.resource.ok_or_else(missing)?, if_match: entry.if_match })
        }
        ("DELETE", [kind, id]) => {
            Ok(Change::Delete { kind: kind.to_string(), id: id.to_string(), if_match: entry.if_match })
        }
        _ => Err(unfit()),
    }
}

fn unfit(method: &str, url: &str) -> Issue {
    let method = if method.len() <= 8 { method } else { "…" };
    let text = format!(
        "`{method}` with a url of {} characters is no request of an entry here: expected POST Type, PUT Type/id, DELETE Type/id or GET",
        url.len()
    );
    Issue::error("value", "bundle-request", text)
}

fn done(asked: &Asked, written: Written) -> Answered {
    let status = match (written.created, &written.body) {
        (true, _) => "201 Created",
        (false, Some(_)) => "200 OK",
        (false, None) => "204 No Content",
    };
    Answered {
        status: status.to_string(),
        location: written.created.then(|| answer::location(&asked.base, &written)),
        etag: Some(etag(written.version)),
        last_modified: Some(written.updated_at.to_string()),
        resource: written.body.filter(|_| asked.prefer.returns == Return::Representation).map(String::into_bytes),
        outcome: Some(written.outcome),
    }
}

fn failed(problem: &Error) -> Answered {
    let outcome: Outcome = error::outcome(problem);
    if let Error::Fault(fault) = problem {
        tracing::error!(cause = %fault, "an entry of a batch failed");
    }
    Answered { status: error::status(problem).to_string(), outcome: Some(outcome), ..Answered::default() }
}
