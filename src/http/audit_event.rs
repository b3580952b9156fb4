//! AuditEvent, the type that the server alone writes: read and search, rendered from the log.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::fhir::bundle::{Found, listing};
use crate::fhir::reference::is_id;
use crate::fhir::{Interval, Issue};
use crate::gateway::{self, Context};
use crate::store::LogFilter;

use super::answer;
use super::asked::Asked;
use super::error::Problem;

pub async fn read(ctx: &Context, asked: &Asked, id: &str) -> Result<Response, Problem> {
    let event = gateway::audit_event(ctx, &asked.caller, &asked.request, id).await?;
    Ok(answer::json(StatusCode::OK, event.to_string().into_bytes()))
}

/// `patient`, `date` (with `ge`, `gt`, `le`, `lt` or none) and `_count`.
pub async fn search(ctx: &Context, asked: &Asked, pairs: &[(String, String)]) -> Result<Response, Problem> {
    let mut filter = LogFilter { limit: 50, ..LogFilter::default() };
    for (name, value) in pairs {
        match name.as_str() {
            "patient" => {
                let id = value.strip_prefix("Patient/").unwrap_or(value);
                if !is_id(id) {
                    let text = "`patient`: expected a reference such as `Patient/7`";
                    return Err(Problem::unreadable(Issue::error("value", "parameter-value", text)));
                }
                filter.patient = Some(id.to_string());
            }
            "_count" => {
                filter.limit = value.parse().map_err(|_| {
                    Problem::unreadable(Issue::error("value", "parameter-value", "`_count`: expected a number of rows"))
                })?;
            }
            "_format" | "_pretty" => {}
            "date" => {
                let (prefix, text) = match value.get(..2) {
                    Some(prefix @ ("ge" | "gt" | "le" | "lt" | "eq")) => (prefix, &value[2..]),
                    _ => ("eq", value.as_str()),
                };
                let day = Interval::of(text, &ctx.zone).ok_or_else(|| {
                    Problem::unreadable(Issue::error(
                        "value",
                        "parameter-value",
                        "`date`: expected a date such as `2026-03`",
                    ))
                })?;
                match prefix {
                    "ge" => filter.from = Some(day.start),
                    "gt" => filter.from = Some(day.end),
                    "le" => filter.until = Some(day.end),
                    "lt" => filter.until = Some(day.start),
                    _ => (filter.from, filter.until) = (Some(day.start), Some(day.end)),
                }
            }
            other => {
                let text = format!(
                    "`{other}` is not a search parameter of `AuditEvent` here; `patient`, `date` and `_count` are"
                );
                return Err(Problem::unreadable(Issue::error("not-supported", "parameter-unknown", text)));
            }
        }
    }
    let events = gateway::audit_events(ctx, &asked.caller, &asked.request, filter).await?;
    let rows = events.into_iter().map(|event| Found {
        full_url: format!("{}/AuditEvent/{}", asked.base, event["id"].as_str().unwrap_or("")),
        resource: Some(event.to_string().into_bytes()),
        rest: json!({"search": {"mode": "match"}}),
    });
    let head = json!({"resourceType": "Bundle", "type": "searchset"});
    Ok(answer::json(StatusCode::OK, listing(head, rows.collect())))
}
