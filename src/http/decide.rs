//! `Consent/$decide`: a question as Parameters, its answer as Parameters.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::consent::Decision;
use crate::fhir::{Issue, Severity, what_if};
use crate::gateway::{self, Context, Error, No, ReferralEffect, Told, WhatChange, WhatSeen};

use super::answer;
use super::asked::{Address, Asked, resource};
use super::error::Problem;
use super::operation::not_here;

pub async fn decide(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    asked: Asked,
    body: Body,
) -> Result<Response, Problem> {
    if kind != "Consent" {
        return Err(not_here("$decide", "Consent"));
    }
    let sent = resource(&ctx, &asked, body).await?;
    let question = what_if::read(&sent, &ctx.zone).map_err(|issues| Error::No(No::Unreadable, issues))?;
    let told = gateway::what_if(&ctx, &asked.caller, &asked.request, question).await?;
    let parameters = match told {
        Told::Seen(seen) => of_seen(seen),
        Told::Change(change) => of_change(change),
    };
    let body = json!({"resourceType": "Parameters", "parameter": parameters});
    Ok(answer::json(StatusCode::OK, body.to_string().into_bytes()))
}

fn of_seen(seen: WhatSeen) -> Vec<Value> {
    let mut out = vec![
        json!({"name": "decision", "valueCode": seen.decision}),
        reference("patient", &format!("Patient/{}", seen.patient)),
        reference("recipient", &format!("Organization/{}", seen.recipient)),
        json!({"name": "action", "valueCode": seen.action.code()}),
        json!({"name": "at", "valueInstant": seen.at.to_string()}),
        json!({"name": "data", "valueCode": if seen.data_then { "then" } else { "now" }}),
    ];
    out.extend(seen.purposes.iter().map(|code| json!({"name": "purpose", "valueCode": code})));
    out.extend(seen.obligations.iter().map(|code| json!({"name": "obligation", "valueCode": code})));
    out.extend(seen.counts.iter().map(|count| {
        json!({"name": "count", "part": [
            {"name": "type", "valueCode": count.kind},
            {"name": "seen", "valueInteger": count.seen},
            {"name": "withheld", "valueInteger": count.withheld}]})
    }));
    out.extend(seen.rows.iter().map(|row| {
        let mut part = vec![
            reference("what", &row.key),
            json!({"name": "seen", "valueBoolean": row.seen}),
            json!({"name": "why", "valueCode": row.why}),
        ];
        part.extend(row.decision.iter().flat_map(reasons));
        json!({"name": "resource", "part": part})
    }));
    out.extend(seen.next.iter().map(|token| json!({"name": "next", "valueString": token})));
    out.extend(notes(&seen.notes));
    out
}

fn of_change(change: WhatChange) -> Vec<Value> {
    let mut out = vec![
        reference("patient", &format!("Patient/{}", change.patient)),
        json!({"name": "at", "valueInstant": change.at.to_string()}),
        json!({"name": "of", "valueCode": change.of}),
    ];
    out.extend(change.moved.iter().map(|moved| {
        let mut part = vec![
            reference("recipient", &format!("Organization/{}", moved.recipient)),
            json!({"name": "purpose", "valueCode": moved.purpose}),
            json!({"name": "type", "valueCode": moved.kind}),
            json!({"name": "gained", "valueInteger": moved.gained}),
            json!({"name": "lost", "valueInteger": moved.lost}),
        ];
        part.extend(moved.examples.iter().map(|(key, seen, decision)| {
            let mut part = vec![reference("what", key), json!({"name": "seen", "valueBoolean": seen})];
            part.extend(reasons(decision));
            json!({"name": "example", "part": part})
        }));
        json!({"name": "change", "part": part})
    }));
    out.extend(change.referrals.iter().map(|one| {
        let effect = match one.effect {
            ReferralEffect::Cancelled => "cancelled",
            ReferralEffect::Released => "released",
        };
        json!({"name": "referral", "part": [
            reference("what", &one.task),
            reference("recipient", &format!("Organization/{}", one.owner)),
            {"name": "effect", "valueCode": effect}]})
    }));
    out.extend(notes(&change.notes));
    out
}

/// The rule of a version of a Consent, the row of law or the default that decided.
fn reasons(decision: &Decision) -> Vec<Value> {
    let reason = |reason: &crate::consent::Reason| {
        let mut part = vec![json!({"name": "effect", "valueCode": reason.effect().name()})];
        part.extend(reason.consent().map(|version| reference("consent", version)));
        part.extend(reason.path().map(|path| json!({"name": "path", "valueString": path})));
        part.push(json!({"name": "rule", "valueCode": reason.rule()}));
        part.extend(reason.policy_name().map(|policy| json!({"name": "policy", "valueCode": policy})));
        json!({"name": "reason", "part": part})
    };
    decision.reasons().iter().map(reason).collect()
}

fn notes(issues: &[Issue]) -> Vec<Value> {
    let note = |issue: &Issue| {
        let severity = if issue.severity == Severity::Information { "information" } else { "warning" };
        let mut part = vec![
            json!({"name": "severity", "valueCode": severity}),
            json!({"name": "code", "valueCode": issue.rule}),
            json!({"name": "text", "valueString": issue.text}),
        ];
        if !issue.expression.is_empty() {
            part.push(json!({"name": "expression", "valueString": issue.expression}));
        }
        json!({"name": "note", "part": part})
    };
    issues.iter().map(note).collect()
}

fn reference(name: &str, to: &str) -> Value {
    json!({"name": name, "valueReference": {"reference": to}})
}
