//! The few invariants that are compiled by hand, named by their key.
//!
//! All others lie in the facts as FHIRPath, for the engine that will run them.

use serde_json::{Map, Value};

use crate::fhir::{Instant, Interval, Reference, Zone};

use super::table::Table;
use super::walk::Walk;

/// ext-1: an extension has a value or extensions, and not both.
pub fn extension(walk: &mut Walk, object: &Map<String, Value>) {
    let nested = object.contains_key("extension");
    let valued = object.keys().any(|name| name.trim_start_matches('_').starts_with("value"));
    if nested == valued {
        let found = if nested { "both" } else { "neither" };
        broken(walk, "ext-1", &format!("expected a value or extensions, found {found}"));
    }
}

pub fn object(walk: &mut Walk, table: &Table, object: &Map<String, Value>, is_resource: bool) {
    let has = |name: &str| object.contains_key(name) || object.contains_key(&format!("_{name}"));
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    match table.type_name.as_str() {
        "Period" => {
            let edge = |name: &str| text(name).and_then(|moment| Interval::of(moment, &Zone::utc()));
            if let (Some(start), Some(end)) = (edge("start"), edge("end"))
                && !may_precede(start, end)
            {
                broken(walk, "per-1", "expected `start` not later than `end`");
            }
        }
        "Attachment" if has("data") && !has("contentType") => {
            broken(walk, "att-1", "expected `contentType` beside `data`");
        }
        "Quantity" if has("code") && !has("system") => {
            broken(walk, "qty-3", "expected `system` beside `code`");
        }
        "ContactPoint" if has("value") && !has("system") => {
            broken(walk, "cpt-2", "expected `system` beside `value`");
        }
        "Observation" if is_resource => observation(walk, object),
        "Condition" if is_resource => condition(walk, object),
        "CarePlan" if walk.is_at("activity") && has("detail") && has("reference") => {
            broken(walk, "cpl-3", "expected `detail` or `reference`, found both");
        }
        "Task" if is_resource => {
            let edge = |name: &str| text(name).and_then(|moment| Interval::of(moment, &Zone::utc()));
            if let (Some(authored), Some(modified)) = (edge("authoredOn"), edge("lastModified"))
                && !may_precede(authored, modified)
            {
                broken(walk, "inv-1", "expected `lastModified` not earlier than `authoredOn`");
            }
        }
        "CareTeam" if walk.is_at("participant") && has("onBehalfOf") => {
            let member = object.get("member").and_then(|member| member.get("reference")).and_then(Value::as_str);
            if let Some(Reference::Relative { kind, .. } | Reference::Absolute { kind, .. }) =
                member.map(Reference::parse)
                && kind != "Practitioner"
            {
                broken(walk, "ctm-1", "expected `onBehalfOf` only beside a member that is a Practitioner");
            }
        }
        "Patient"
            if walk.is_at("contact")
                && !["name", "telecom", "address", "organization"].iter().any(|name| has(name)) =>
        {
            broken(walk, "pat-1", "expected `name`, `telecom`, `address` or `organization`, found none");
        }
        _ => {}
    }
}

fn observation(walk: &mut Walk, object: &Map<String, Value>) {
    let has_value = object.keys().any(|name| name.starts_with("value"));
    if has_value && object.contains_key("dataAbsentReason") {
        broken(walk, "obs-6", "expected no `dataAbsentReason` beside a value");
    }
    let codings = |holder: Option<&Value>| -> Vec<(String, String)> {
        let codings = holder.and_then(|concept| concept.get("coding")).and_then(Value::as_array);
        let part = |coding: &Value, name: &str| coding.get(name).and_then(Value::as_str).unwrap_or("").to_string();
        codings.into_iter().flatten().map(|coding| (part(coding, "system"), part(coding, "code"))).collect()
    };
    let own = codings(object.get("code"));
    let components = object.get("component").and_then(Value::as_array).into_iter().flatten();
    if has_value && components.flat_map(|component| codings(component.get("code"))).any(|coding| own.contains(&coding))
    {
        broken(walk, "obs-7", "expected no value beside a component with the Observation's own code");
    }
}

fn condition(walk: &mut Walk, object: &Map<String, Value>) {
    let coded = |name: &str, code: &str| {
        let codings = object.get(name).and_then(|concept| concept.get("coding")).and_then(Value::as_array);
        codings.into_iter().flatten().any(|coding| coding.get("code").and_then(Value::as_str) == Some(code))
    };
    let wrong = coded("verificationStatus", "entered-in-error");
    let stated = object.contains_key("clinicalStatus");
    let abated = object.keys().any(|name| name.starts_with("abatement"));
    if wrong && stated {
        broken(walk, "con-5", "expected no `clinicalStatus` where `verificationStatus` is `entered-in-error`");
    }
    let over = ["inactive", "resolved", "remission"].iter().any(|code| coded("clinicalStatus", code));
    if abated && !over {
        broken(walk, "con-4", "expected `clinicalStatus` as `inactive`, `resolved` or `remission` beside an abatement");
    }
}

/// The end counts to its last moment, and a bare date may be in any zone.
fn may_precede(start: Interval, end: Interval) -> bool {
    const WIDEST_OFFSET_SECS: i64 = 26 * 3600;
    let whole_day = |span: &Interval| span.end.0.saturating_sub(span.start.0) >= 86_400_000_000;
    let slack = if whole_day(&start) != whole_day(&end) { WIDEST_OFFSET_SECS } else { 0 };
    let end = if end.end == Instant::MAX { end.end } else { end.end.plus_secs(slack) };
    start.start < end
}

fn broken(walk: &mut Walk, key: &'static str, text: &str) {
    walk.say(crate::fhir::Issue::error("invariant", key, text));
}
