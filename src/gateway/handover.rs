//! What the owner of a Task hands over: a resource of its own that it names as output.
//!
//! That is its holder's word that it may go to who asked, as far as the consent permits otherwise: a permit which its
//! own filer gave itself opens this one resource without a further verification (rules.md 17). Written when the
//! Task is, with the person's epoch moved; taken back with the reference. And what a Provenance says of Consents.

use std::collections::BTreeSet;

use crate::fhir::{Element, Resource};
use crate::store::{AUTHORED, HANDED, REVISED, Statement, Tx};

use super::enroll::OPERATOR;
use super::plan::Planned;
use super::{Context, Error, believe, grants, person, place};

/// Notes what a Task's owner, and nobody else, has put into its outputs.
///
/// # Errors
/// What the database said.
pub async fn note(ctx: &Context, tx: &mut Tx, owner: &str, one: &Planned, task: &Resource) -> Result<(), Error> {
    if !one.roles.target || one.roles.requester {
        // Whoever else writes the Task hands nothing over, and may take it back.
        return keep_only(ctx, tx, one, task).await;
    }
    let source = task.key();
    let people: BTreeSet<String> = person::patients(task).into_iter().collect();
    let mut recipients = BTreeSet::from([one.origin.clone()]);
    recipients.extend(place::organization(task, "requester"));
    recipients.remove(owner);
    let mut handed = Vec::new();
    for (kind, id) in outputs(task) {
        let stored = tx.current(&kind, &id).await?.filter(|stored| !stored.deleted && stored.origin == owner);
        let Some(resource) = stored.and_then(|stored| stored.resource()) else { continue };
        let about = person::patients(&resource);
        let decided = !person::is_directory(&kind) && !person::is_control(&kind);
        if decided && !about.is_empty() && about.iter().all(|patient| people.contains(patient)) {
            handed.extend(about.into_iter().map(|patient| (patient, resource.key())));
        }
    }
    for patient in &people {
        let bucket = tx.bucket_of("Patient", patient).await?.unwrap_or(one.bucket);
        let had_some = tx.unstate(bucket, patient, owner, &source).await? > 0;
        for (_, key) in handed.iter().filter(|(of, _)| of == patient) {
            for recipient in &recipients {
                let said = Statement {
                    bucket,
                    patient: patient.clone(),
                    what: HANDED,
                    about: key.clone(),
                    holder: owner.to_string(),
                    recipient: recipient.clone(),
                    source: source.clone(),
                    at: ctx.now(),
                };
                tx.state(&said).await?;
            }
        }
        if had_some || handed.iter().any(|(of, _)| of == patient) {
            tx.move_epoch(bucket, patient).await?;
            grants::renew_all(ctx, tx, patient).await?;
        }
    }
    Ok(())
}

/// Takes back what was handed over by a Task that says so no longer: it was recorded in error, or the output is gone
/// from it.
async fn keep_only(ctx: &Context, tx: &mut Tx, one: &Planned, task: &Resource) -> Result<(), Error> {
    let void = task.root().text("status") == Some("entered-in-error");
    let named = if void { BTreeSet::new() } else { outputs(task) };
    let keys = named.into_iter().map(|(kind, id)| format!("{kind}/{id}")).collect();
    take_back(ctx, tx, one, &keys).await
}

/// Takes back what was handed over by a Task, but for these: all of it, where the Task is deleted.
///
/// # Errors
/// What the database said.
pub async fn take_back(ctx: &Context, tx: &mut Tx, one: &Planned, kept: &BTreeSet<String>) -> Result<(), Error> {
    let Some(before) = one.current.as_ref().and_then(|current| current.as_resource()) else { return Ok(()) };
    for patient in person::patients(before) {
        let bucket = tx.bucket_of("Patient", &patient).await?.unwrap_or(one.bucket);
        if tx.take_back(bucket, &patient, &before.key(), kept).await? > 0 {
            tx.move_epoch(bucket, &patient).await?;
            grants::renew_all(ctx, tx, &patient).await?;
        }
    }
    Ok(())
}

/// Notes that a Consent is said to be a revision of another, with the people whom those are about: a Provenance of
/// Consents alone names nobody itself.
///
/// # Errors
/// What the database said.
pub async fn revise(ctx: &Context, tx: &mut Tx, origin: &str, provenance: &Resource) -> Result<(), Error> {
    for (new, older) in believe::revised(provenance) {
        if let Some((bucket, patient)) = about(tx, origin, &new, &older).await? {
            let said = Statement {
                bucket,
                patient,
                what: REVISED,
                about: new.clone(),
                holder: origin.to_string(),
                recipient: older.clone(),
                source: older.clone(),
                at: ctx.now(),
            };
            tx.state(&said).await?;
        }
    }
    Ok(())
}

/// Notes whom a Provenance names as authors, with the people whose resources it is about: one that names none of them
/// itself is not among their grounds. Whose word counts is settled here: the writer's of the resource, the Patient's
/// origin's and the operator's.
///
/// # Errors
/// What the database said.
pub async fn author(ctx: &Context, tx: &mut Tx, one: &Planned, provenance: Option<&Resource>) -> Result<(), Error> {
    let source = format!("Provenance/{}", one.id);
    if let Some(before) = one.current.as_ref().and_then(|current| current.as_resource()) {
        for (bucket, patient, _) in authored(tx, &one.origin, before).await? {
            tx.unauthor(bucket, &patient, &source).await?;
        }
    }
    let Some(provenance) = provenance else { return Ok(()) };
    let authors = authors(provenance);
    for (bucket, patient, about) in authored(tx, &one.origin, provenance).await? {
        for author in &authors {
            let said = Statement {
                bucket,
                patient: patient.clone(),
                what: AUTHORED,
                about: about.clone(),
                holder: one.origin.clone(),
                recipient: author.clone(),
                source: source.clone(),
                at: ctx.now(),
            };
            tx.state(&said).await?;
        }
    }
    Ok(())
}

/// The people of the resources that a Provenance is about, with their buckets, where its origin's word counts.
pub async fn authored(
    tx: &mut Tx,
    origin: &str,
    provenance: &Resource,
) -> Result<BTreeSet<(i64, String, String)>, Error> {
    let mut found = BTreeSet::new();
    if authors(provenance).is_empty() {
        return Ok(found);
    }
    for target in provenance.root().references("target") {
        let Some((kind, id)) = target.local().filter(|(kind, _)| *kind != "Patient") else { continue };
        let Some(stored) = tx.current(kind, id).await? else { continue };
        for patient in stored.as_resource().map(person::patients).unwrap_or_default() {
            let record = tx.current("Patient", &patient).await?;
            let is_patients = record.is_some_and(|record| record.origin == origin);
            if is_patients || stored.origin == origin || origin == OPERATOR {
                let bucket = tx.bucket_of("Patient", &patient).await?.unwrap_or(stored.bucket);
                found.insert((bucket, patient, format!("{kind}/{id}")));
            }
        }
    }
    Ok(found)
}

fn authors(provenance: &Resource) -> BTreeSet<String> {
    let is_author =
        |agent: &Element| agent.concepts("type").iter().any(|coding| matches!(coding.code, "author" | "AUT"));
    let agents = provenance.root().each("agent").filter(is_author).collect::<Vec<Element>>();
    agents.into_iter().filter_map(|agent| agent.reference("who")).map(|who| who.key()).collect()
}

/// Whom the Consents are about that a Provenance says to be revisions, with their buckets.
///
/// # Errors
/// What the database said.
pub async fn revised_people(
    tx: &mut Tx,
    origin: &str,
    provenance: &Resource,
) -> Result<BTreeSet<(i64, String)>, Error> {
    let mut found = BTreeSet::new();
    for (new, older) in believe::revised(provenance) {
        found.extend(about(tx, origin, &new, &older).await?);
    }
    Ok(found)
}

/// Whose Consents these are, if who says that one revises the other may say so (rules.md 20).
async fn about(tx: &mut Tx, origin: &str, new: &str, older: &str) -> Result<Option<(i64, String)>, Error> {
    let id = |key: &str| key.strip_prefix("Consent/").unwrap_or("").to_string();
    let older = tx.current("Consent", &id(older)).await?;
    if !older.is_some_and(|older| origin == OPERATOR || older.belongs_to(origin)) {
        return Ok(None);
    }
    let Some(stored) = tx.current("Consent", &id(new)).await? else { return Ok(None) };
    let Some(patient) = stored.patient else { return Ok(None) };
    Ok(Some((tx.bucket_of("Patient", &patient).await?.unwrap_or(stored.bucket), patient)))
}

/// What a Task's outputs refer to here.
fn outputs(task: &Resource) -> BTreeSet<(String, String)> {
    let named = task.root().each("output").filter_map(|output: Element| output.reference("valueReference"));
    let local = named.filter_map(|reference| reference.local().map(|(kind, id)| (kind.to_string(), id.to_string())));
    local.collect()
}
