//! A partner's answer to a referral: the form becomes one change of the Task, or one transaction with what was done.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::fhir::interaction::Interaction;
use crate::fhir::{Instant, Resource};
use crate::gateway::{self, Asked, Change, Context, Error};

use super::page::{self, Trouble};
use super::session::{Signed, Staff};
use super::steps::{self, Entered};
use super::words::{self, STATUS_REASON};
use super::{look::Look, referral};

const SDOHCC_CODES: &str = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes";

pub async fn answer(
    State(ctx): State<Arc<Context>>,
    staff: Staff,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, Trouble> {
    let signed = staff.signed();
    let entered = Entered::read(&signed.form(body).await?);
    let mut look = Look::new(&ctx, signed);
    let task = referral::task(&mut look, &id).await?;
    let step = steps::open(&task, signed).into_iter().find(|step| step.to == entered.step);
    let problems = match step {
        None => vec![words::moved_on()],
        Some(step) => entered.problems(step),
    };
    let asked_for = look.at(task.root().reference("focus")).await?;
    let problems = if problems.is_empty() { submit(&ctx, signed, task, asked_for, &entered).await? } else { problems };
    if problems.is_empty() {
        return Ok(page::go(&format!("/console/referrals/{id}?done={}", entered.step)));
    }
    // Looked up anew: somebody else's change may be why it was refused.
    let mut look = Look::new(&ctx, signed);
    let task = referral::task(&mut look, &id).await?;
    let content = referral::content(&mut look, &task, &entered, &problems, None).await?;
    Ok(page::refused(signed, "Nothing was changed", content))
}

/// What the gateway had against it, in words; empty when it is done.
async fn submit(
    ctx: &Context,
    signed: &Signed,
    task: Resource,
    asked_for: Option<Resource>,
    entered: &Entered,
) -> Result<Vec<String>, Error> {
    let is_done = entered.step == "completed";
    let procedure = is_done.then(|| procedure(ctx, signed, &task, asked_for.as_ref(), entered));
    let interaction = if procedure.is_some() { Interaction::Transaction } else { Interaction::Update };
    let address = format!("urn:uuid:{}", ctx.ids.in_bucket(0, ctx.now()));
    let task = answered(signed, task, entered, ctx.now(), procedure.is_some().then_some(&address));
    let update = Change::Update {
        kind: "Task".to_string(),
        id: task.id().unwrap_or("").to_string(),
        resource: task,
        if_match: Some(entered.version.clone()),
    };
    let mut asked = Vec::new();
    if let Some(procedure) = procedure {
        asked.push(Asked { change: Change::Create(procedure), entry: 0, full_url: Some(address) });
    }
    asked.push(Asked { change: update, entry: 1, full_url: None });
    match gateway::submit(ctx, &signed.caller, &signed.request, interaction, asked).await {
        Ok(_) => Ok(Vec::new()),
        Err(Error::No(_, issues)) => Ok(issues.iter().map(words::issue).collect()),
        Err(fault) => Err(fault),
    }
}

/// The Task after the step; only what is the owner's to set is touched (rules.md 12).
fn answered(
    signed: &Signed,
    mut task: Resource,
    entered: &Entered,
    now: Instant,
    outcome: Option<&String>,
) -> Resource {
    if entered.step != "note" {
        task.set("status", entered.step.clone());
        match entered.reason_text() {
            Some(text) => task.set("statusReason", reason(entered, &text)),
            None => task.remove("statusReason"),
        }
    }
    if !entered.note.is_empty() {
        let author = json!({"reference": format!("Organization/{}", signed.caller.partner())});
        add(&mut task, "note", json!({"authorReference": author, "time": now.to_string(), "text": entered.note}));
    }
    if let Some(address) = outcome {
        let kind = json!({"coding": [{"system": SDOHCC_CODES, "code": "resulting-activity"}]});
        add(&mut task, "output", json!({"type": kind, "valueReference": {"reference": address}}));
    }
    task.set("lastModified", now.to_string());
    task
}

fn reason(entered: &Entered, text: &str) -> Value {
    if entered.reason.is_empty() {
        return json!({"text": text});
    }
    json!({"coding": [{"system": STATUS_REASON, "code": entered.reason}], "text": text})
}

/// What was done, for the person's record and as the Task's output: in codes, what was asked for, which SDOHCC wants; in
/// words, the partner's own.
fn procedure(
    ctx: &Context,
    signed: &Signed,
    task: &Resource,
    asked_for: Option<&Resource>,
    entered: &Entered,
) -> Resource {
    let partner = json!({"reference": format!("Organization/{}", signed.caller.partner())});
    let mut procedure = Resource::new("Procedure");
    if let Some(request) = task.root().reference("focus").filter(|focus| focus.id_of("ServiceRequest").is_some()) {
        procedure.set("basedOn", json!([{"reference": request.key()}]));
    }
    procedure.set("status", "completed");
    let codings = asked_for.map_or_else(Vec::new, |request| {
        request.root().get("code").each("coding").filter_map(|coding| coding.value().cloned()).collect()
    });
    let code = if codings.is_empty() {
        json!({"text": entered.outcome})
    } else {
        json!({"coding": codings, "text": entered.outcome})
    };
    procedure.set("code", code);
    if let Some(person) = task.root().reference("for") {
        procedure.set("subject", json!({"reference": person.key()}));
    }
    procedure.set("performedDateTime", ctx.zone.date(ctx.now()).to_string());
    procedure.set("performer", json!([{"actor": partner}]));
    procedure
}

fn add(task: &mut Resource, name: &str, item: Value) {
    let mut items: Vec<Value> = task.root().each(name).filter_map(|one| one.value().cloned()).collect();
    items.push(item);
    task.set(name, items);
}
