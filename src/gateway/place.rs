//! Where a resource goes and what is kept beside it: bucket, origin, holder, facts and index rows.

use crate::consent::{Facts, World, without_labelled};
use crate::fhir::search::{Entry, IndexValue, extract};
use crate::fhir::{Element, Reference, Resource};
use crate::store::{Place, RECIPIENT};

use super::Context;

/// The place of a resource that is complete.
pub fn of(ctx: &Context, resource: &Resource, bucket: i64, origin: &str) -> Place {
    let facts = Facts::of(resource, &World::default());
    let patients = facts.patients().iter().filter_map(|key| key.strip_prefix("Patient/")).map(str::to_string).collect();
    // A part that is labelled by itself is found by nobody: a match would tell what a reader may not see.
    let plain = without_labelled(resource);
    let mut entries = extract::entries(&ctx.params, plain.as_ref().unwrap_or(resource), &ctx.zone);
    if resource.kind() == "Consent" {
        entries.extend(recipients(resource.root().get("provision")));
    }
    Place {
        bucket,
        origin: origin.to_string(),
        holder: holder(resource).filter(|holder| holder != origin),
        patients,
        rank: facts.rank().map_or(-1, i64::from),
        labels: facts.labels().iter().cloned().collect(),
        facts: facts.columns(),
        entries,
        views: Vec::new(),
    }
}

/// The partner beside the origin that has it by right: who requested a Task, who keeps a Consent (rules.md 13, 17).
fn holder(resource: &Resource) -> Option<String> {
    let name = match resource.kind() {
        "Task" => "requester",
        "Consent" => "organization",
        _ => return None,
    };
    organization(resource, name)
}

/// The partner that an element points at: `Organization/x` is partner x.
pub fn organization(resource: &Resource, name: &str) -> Option<String> {
    resource.root().reference(name)?.id_of("Organization").map(str::to_string)
}

/// Whom a Consent concerns, for searches over many people: the organisations it names, or anyone. It may say too
/// many, never too few.
fn recipients(root: Element) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut anyone = root.each("actor").next().is_none();
    root.walk(&mut |element| {
        for actor in element.each("actor") {
            match actor.reference("reference") {
                Some(Reference::Relative { kind: "Organization", id, .. }) => found.push(entry(id)),
                _ => anyone = true,
            }
        }
    });
    if anyone {
        found.push(entry("*"));
    }
    found
}

fn entry(id: &str) -> Entry {
    let value = IndexValue::Reference { kind: "Organization".to_string(), id: id.to_string() };
    Entry { param: RECIPIENT.to_string(), value }
}
