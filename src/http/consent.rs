//! What is done with a Consent besides writing it: `$revoke`, `$verify`, `$enforcement-status`, and the work list of
//! who reviews them (`$work-list`, `$expiring`, `$work-done`).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::fhir::{Issue, Reference};
use crate::gateway::{self, Context, Disclosed, Enforcement};
use crate::store::Work;

use super::answer;
use super::asked::{Address, Asked};
use super::error::Problem;
use super::operation::{Pairs, not_here, sent};

type One = Address<(String, String)>;

const KIND: &str = "Consent";
/// A year of days is more than any list of what ends soon.
const DAYS_MAX: i64 = 3_660;

pub async fn revoke(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): One,
    Query(mut pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    only_here("$revoke", &kind)?;
    pairs.extend(sent(&ctx, &asked, body).await?);
    let reason = value(&pairs, "reason");
    let done = gateway::revoke(&ctx, &asked.caller, &asked.request, &id, reason).await?;
    let consent: Value = serde_json::from_str(&done.consent.into_text()).unwrap_or(Value::Null);
    let mut parameters = vec![json!({"name": "return", "resource": consent})];
    parameters.extend(done.disclosed.iter().map(disclosed));
    parameters.push(json!({"name": "more", "valueBoolean": done.more}));
    Ok(listed(parameters))
}

pub async fn verify(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): One,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    only_here("$verify", &kind)?;
    sent(&ctx, &asked, body).await?;
    gateway::verify_consent(&ctx, &asked.caller, &asked.request, &id).await?;
    Ok(listed(vec![json!({"name": "verified", "valueReference": {"reference": format!("Consent/{id}")}})]))
}

/// Of one Consent, for who filed or keeps it.
pub async fn enforcement(
    State(ctx): State<Arc<Context>>,
    Address((kind, id)): One,
    asked: Asked,
) -> Result<Response, Problem> {
    only_here("$enforcement-status", &kind)?;
    let found = gateway::enforcement(&ctx, &asked.caller, &asked.request, &id).await?;
    Ok(listed(vec![standing(&found)]))
}

/// Of a person, for who asks: whether a policy is in force for it.
pub async fn policy_in_force(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
) -> Result<Response, Problem> {
    only_here("$enforcement-status", &kind)?;
    let patient = value(&pairs, "patient").map(|text| id_of(text, "Patient"));
    let patient = patient.ok_or_else(|| {
        let text = "`patient`: expected the id of a Patient";
        Problem::unreadable(Issue::error("required", "parameter-value", text))
    })?;
    let (in_force, own) = gateway::policy_in_force(&ctx, &asked.caller, &asked.request, patient).await?;
    let mut parameters = vec![json!({"name": "policy-in-force", "valueBoolean": in_force})];
    parameters.extend(own.iter().map(standing));
    Ok(listed(parameters))
}

pub async fn work_list(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
) -> Result<Response, Problem> {
    only_here("$work-list", &kind)?;
    items(&ctx, &asked, &pairs, value(&pairs, "what")).await
}

pub async fn expiring(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(pairs): Query<Pairs>,
    asked: Asked,
) -> Result<Response, Problem> {
    only_here("$expiring", &kind)?;
    items(&ctx, &asked, &pairs, Some(gateway::EXPIRING)).await
}

pub async fn work_done(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    Query(mut pairs): Query<Pairs>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    only_here("$work-done", &kind)?;
    pairs.extend(sent(&ctx, &asked, body).await?);
    let (Some(about), Some(what)) = (value(&pairs, "about"), value(&pairs, "what")) else {
        let text = "`about`, `what`: expected those of an item of `$work-list`";
        return Err(Problem::unreadable(Issue::error("required", "parameter-value", text)));
    };
    gateway::dismiss(&ctx, &asked.caller, &asked.request, about, what).await?;
    Ok(listed(vec![json!({"name": "done", "valueString": about})]))
}

async fn items(ctx: &Context, asked: &Asked, pairs: &Pairs, what: Option<&str>) -> Result<Response, Problem> {
    let within = match value(pairs, "within") {
        None => gateway::SOON_SECS,
        Some(text) => {
            let days = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok());
            let days = days.filter(|days| (0..=DAYS_MAX).contains(days)).ok_or_else(|| {
                let text = format!("`within`: expected days such as `30d`, at most `{DAYS_MAX}d`");
                Problem::unreadable(Issue::error("value", "parameter-value", text))
            })?;
            days * 86_400
        }
    };
    let found = gateway::work_list(ctx, &asked.caller, &asked.request, within, what).await?;
    Ok(listed(found.iter().map(item).collect()))
}

fn item(one: &Work) -> Value {
    let mut parts = vec![
        json!({"name": "what", "valueCode": one.what}),
        json!({"name": "about", "valueString": one.about}),
        json!({"name": "partner", "valueReference": {"reference": format!("Organization/{}", one.partner)}}),
        json!({"name": "at", "valueInstant": one.at.to_string()}),
        json!({"name": "due", "valueInstant": one.due_at.to_string()}),
    ];
    if !one.patient.is_empty() {
        let patient = json!({"reference": format!("Patient/{}", one.patient)});
        parts.push(json!({"name": "patient", "valueReference": patient}));
    }
    if one.what == gateway::UNENFORCEABLE {
        parts.extend(one.detail.split(' ').map(|pointer| json!({"name": "not-enforced", "valueString": pointer})));
    } else if one.what == gateway::EMERGENCY {
        parts.push(json!({"name": "detail", "valueString": one.detail}));
    }
    json!({"name": "item", "part": parts})
}

fn disclosed(one: &Disclosed) -> Value {
    json!({"name": "disclosed", "part": [
        {"name": "to", "valueReference": {"reference": one.to}},
        {"name": "what", "valueReference": {"reference": one.what}},
        {"name": "at", "valueInstant": one.at.to_string()},
    ]})
}

fn standing(one: &Enforcement) -> Value {
    let reference = |name: &str, key: &String| json!({"name": name, "valueReference": {"reference": key}});
    let mut parts = vec![
        reference("consent", &one.version),
        json!({"name": "status", "valueCode": one.status}),
        json!({"name": "in-force", "valueBoolean": one.in_force}),
    ];
    parts.extend(one.reasons.iter().map(|reason| json!({"name": "reason", "valueCode": reason})));
    parts.extend(one.replaced_by.iter().map(|key| reference("replaced-by", key)));
    parts.extend(one.unenforced.iter().map(|at| json!({"name": "not-enforced", "valueString": at})));
    if one.awaits_verification {
        parts.push(json!({"name": "reason", "valueCode": gateway::AWAITING}));
    }
    parts.extend(one.verified_by.iter().map(|key| reference("verified-by", key)));
    if let Some(ends) = one.ends {
        parts.push(json!({"name": "ends", "valueInstant": ends.to_string()}));
    }
    json!({"name": "consent", "part": parts})
}

/// FHIR forbids empty lists.
pub(super) fn listed(parameters: Vec<Value>) -> Response {
    let mut body = json!({"resourceType": "Parameters"});
    if !parameters.is_empty() {
        body["parameter"] = Value::Array(parameters);
    }
    answer::json(StatusCode::OK, body.to_string().into_bytes())
}

fn only_here(operation: &str, kind: &str) -> Result<(), Problem> {
    if kind == KIND { Ok(()) } else { Err(not_here(operation, KIND)) }
}

pub(super) fn value<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

/// The id of a reference to a type, or the text itself.
fn id_of<'t>(text: &'t str, kind: &str) -> &'t str {
    Reference::parse(text).id_of(kind).unwrap_or(text)
}
