//! Writing: one resource or a whole transaction, all or none.
//!
//! Ids are given and references rewritten first, so that what is checked is what is stored. Everything is judged
//! before the writer's turn, and every problem is said at once. Then, in one transaction: the resources, where the
//! referrals stand, the deliveries that follow, the audit record.

use std::collections::BTreeSet;

use crate::audit::{Disclosure, Record, Refusal};
use crate::auth::Caller;
use crate::fhir::interaction::Interaction;
use crate::fhir::patch::Patch;
use crate::fhir::reference::is_id;
use crate::fhir::search::Criteria;
use crate::fhir::{Instant, Issue, Outcome, Resource};
use crate::profile::{Against, Valid};
use crate::store::{Place, Stored, Tx};

use super::answers::{addresses, answers, target};
use super::check::check;
use super::conditional::{Deed, Resolved, resolve};
use super::label::label;
use super::link::link;
use super::plan::{Planned, judge, plan};
use super::record::{self, Request};
use super::referral::{self, Desk};
use super::{Context, Error, No, emergency, handover, person, place, views, worklist};

/// One thing to be done.
#[derive(Debug)]
pub struct Asked {
    pub change: Change,
    /// Where it stands in its Bundle, for the words of a refusal.
    pub entry: usize,
    /// The entry's `fullUrl`, by which the others of its Bundle may point at it.
    pub full_url: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Change {
    Create(Resource),
    Update {
        kind: String,
        id: String,
        resource: Resource,
        if_match: Option<String>,
    },
    Patch {
        kind: String,
        id: String,
        patch: Patch,
        if_match: Option<String>,
    },
    Delete {
        kind: String,
        id: String,
        if_match: Option<String>,
    },
    /// Which resource, and whether there is one, is what the criteria match.
    Conditional {
        criteria: Criteria,
        deed: Deed,
    },
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Created,
    Updated,
    Deleted,
    /// It was there already, and nothing was changed.
    Found,
    /// There was nothing to delete.
    Nothing,
}

/// What was done.
#[derive(Debug)]
pub struct Written {
    pub kind: String,
    pub id: String,
    pub version: i64,
    pub updated_at: Instant,
    pub done: Done,
    /// Whether the caller named it by criteria, and so has to be told which it is.
    pub by_criteria: bool,
    /// The bytes to answer with; `None` for a deletion, and for what the caller may not read.
    pub body: Option<String>,
    /// Warnings, and what became of a referral.
    pub outcome: Outcome,
}

/// Kinds whose writing may turn decisions about their person (rules.md 25).
const DECISIVE: [&str; 7] = ["Consent", "CareTeam", "Group", "RelatedPerson", "Encounter", "Provenance", "Patient"];
/// How often a write that lost a race is made again from what is current.
const TRIES: usize = 3;

/// # Errors
/// Every problem of every resource; then nothing was stored.
pub async fn submit(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    interaction: Interaction,
    asked: Vec<Asked>,
) -> Result<Vec<Written>, Error> {
    // A declaration opens a record to be read.
    emergency::only(caller, None)?;
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match once(ctx, caller, request, interaction, &asked).await {
            // Who was first may still wait for the disk: an empty write is on disk when theirs is, and then it is seen.
            Err(Error::No(No::Conflict, _)) if tries > 0 => ctx.store.begin().await?.commit().await?,
            Err(Error::No(no @ (No::Unknown | No::NotYours), issues)) => {
                refused(ctx, caller, request, interaction, &asked, no).await?;
                return Err(Error::No(no, issues));
            }
            done => return done,
        }
    }
}

/// An attempt on what the caller may not know of or may not change is in the log, like a read that was refused.
async fn refused(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    interaction: Interaction,
    asked: &[Asked],
    no: No,
) -> Result<(), Error> {
    let why = if no == No::Unknown { "unknown" } else { "not-yours" };
    let mut record = record::start(ctx, caller, request, interaction.code(), "write".to_string());
    // Criteria are searched again, to say which one they matched.
    let (resolved, _) = resolve(ctx, caller, request, asked).await?;
    for one in resolved {
        let Ok(Resolved::Do { change, .. }) = one else { continue };
        let (Change::Update { kind, id, .. } | Change::Patch { kind, id, .. } | Change::Delete { kind, id, .. }) =
            change.as_ref()
        else {
            continue;
        };
        if !ctx.profiles.knows(kind) || !is_id(id) {
            continue;
        }
        let stored = ctx.store.for_decision(kind, id).await?;
        record.refused.push(Refusal {
            key: format!("{kind}/{id}"),
            patient: stored.as_ref().and_then(|stored| stored.patient.clone()),
            party: stored.map(|stored| stored.origin),
            why: why.to_string(),
            decision: None,
        });
    }
    if let [one] = record.refused.as_slice() {
        record.target.clone_from(&one.key);
    }
    if !record.refused.is_empty() {
        record::keep(ctx, &record).await?;
    }
    Ok(())
}

async fn once(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    interaction: Interaction,
    asked: &[Asked],
) -> Result<Vec<Written>, Error> {
    let (mut resolved, conditions) = resolve(ctx, caller, request, asked).await?;
    let mut planned = plan(ctx, caller, request, interaction, asked, &mut resolved).await?;
    link(ctx, &mut planned, addresses(asked, &resolved)).await?;
    planned.iter_mut().for_each(|one| judge(caller, one));
    label(ctx, caller, &mut planned).await?;
    planned.iter_mut().for_each(|one| one.notes.extend(conditions.warning()));
    let checked = check(ctx, caller, request, interaction, &mut planned).await?;
    for (one, valid) in planned.iter_mut().zip(&checked) {
        if let Some(valid) = valid {
            one.views = views::of(ctx, one, valid.resource()).await?;
        }
    }

    let partners = ctx.partners().await?;
    let desk = Desk { ctx, partners: &partners };
    let mut record = record::start(ctx, caller, request, interaction.code(), target(&planned, &resolved));
    for one in &resolved {
        if let Ok(Resolved::There(there)) = one {
            record.released.extend(there.disclosures.iter().cloned());
        }
    }
    if planned.is_empty() {
        record::keep(ctx, &record).await?;
        return Ok(answers(ctx, caller, request, asked, resolved, Vec::new()).await);
    }
    let mut written: Vec<Option<Written>> = planned.iter().map(|_| None).collect();
    let mut tx = ctx.store.begin().await?;
    if !conditions.is_empty() && !conditions.hold(&mut tx).await? {
        // Somebody else was first. Nothing is kept but the turn: on return, what was found is on disk for the next try.
        tx.commit().await?;
        let text = "what the criteria match was changed by somebody else at the same moment: try again";
        return Err(Error::one(No::Conflict, Issue::error("conflict", "conflict", text)));
    }
    // In one order for everybody, so that no two wait for each other.
    let moving = people(&mut tx, planned.iter().filter(|one| is_decisive(one))).await?;
    for one in decided_about(&mut tx, &planned).await? {
        let moves = moving.contains(&one);
        let (home, patient) = one;
        if moves { tx.move_epoch(home, &patient).await? } else { tx.hold_epoch(home, &patient).await? }
    }
    // Tasks last: what decides about them may come in the same Bundle.
    let (tasks, others): (Vec<_>, Vec<_>) =
        checked.into_iter().enumerate().partition(|(at, _)| planned[*at].kind == "Task");
    // Deletions first (FHIR R4 http.html#trules).
    let (deletions, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|(_, valid)| valid.is_none());
    // What is about other resources of the same Bundle, after them.
    let (about, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|(at, _)| planned[*at].kind == "Provenance");
    for (at, valid) in deletions.into_iter().chain(others).chain(about) {
        written[at] = Some(put(&desk, &mut tx, &mut planned[at], valid, &mut record).await?);
    }
    for (at, valid) in tasks {
        written[at] = Some(put_task(&desk, caller, &mut tx, &mut planned[at], valid, &mut record).await?);
    }
    for (home, patient) in people(&mut tx, planned.iter().filter(|one| is_decisive(one))).await? {
        desk.turned(&mut tx, home, &patient, &mut record).await?;
    }
    let bucket = planned.first().map(|one| one.bucket);
    tx.record(&record::row(&record, bucket)).await?;
    let has_staff = planned.iter().any(|one| one.kind == "PractitionerRole");
    if has_staff {
        // The exchange's epoch (rules.md 25): every node hears within a second that somebody's role is another.
        tx.register("exchange", "staffing", &ctx.ids.in_bucket(0, ctx.now()), true).await?;
    }
    tx.commit().await?;
    if has_staff {
        ctx.forget_agencies();
    }
    let written = planned.into_iter().zip(written.into_iter().flatten()).collect();
    Ok(answers(ctx, caller, request, asked, resolved, written).await)
}

async fn put(
    desk: &Desk<'_>,
    tx: &mut Tx,
    one: &mut Planned,
    valid: Option<Valid>,
    record: &mut Record,
) -> Result<Written, Error> {
    let ctx = desk.ctx;
    let Some(valid) = valid else {
        if one.kind == "Provenance" {
            handover::author(ctx, tx, one, None).await?;
        }
        return delete_one(ctx, tx, one, record).await;
    };
    let place = place::of(ctx, valid.resource(), one.bucket, &one.origin);
    let written = store(tx, one, &valid, place, record).await?;
    match one.kind.as_str() {
        "Consent" => {
            worklist::file(ctx, tx, desk.partners, (one.bucket, &one.origin), valid.resource()).await?;
        }
        "Provenance" => {
            handover::revise(ctx, tx, &one.origin, valid.resource()).await?;
            handover::author(ctx, tx, one, Some(valid.resource())).await?;
        }
        _ => {}
    }
    Ok(written)
}

async fn put_task(
    desk: &Desk<'_>,
    caller: &Caller,
    tx: &mut Tx,
    one: &mut Planned,
    valid: Option<Valid>,
    record: &mut Record,
) -> Result<Written, Error> {
    let Some(valid) = valid else {
        handover::take_back(desk.ctx, tx, one, &BTreeSet::new()).await?;
        return delete_one(desk.ctx, tx, one, record).await;
    };
    let filed = tx.referral(one.bucket, &one.id).await?;
    let purposes = filed.as_ref().map_or_else(|| caller.purposes().to_vec(), |filed| filed.purposes.clone());
    let mut task = valid.resource().clone();
    referral::unhold(&mut task);
    let outlook = desk.judge(tx, one.bucket, &task, &purposes, &one.origin).await?;
    if let Some(filed) = &filed {
        desk.leave(tx, filed, outlook.as_ref()).await?;
    }
    if let Some(outlook) = &outlook {
        one.notes.extend(referral::hold(&mut task, outlook));
    }
    // The mark of a held Task is ours: what carries it is checked like anything else.
    let valid = if task == *valid.resource() {
        valid
    } else {
        one.views.clear();
        desk.ctx.profiles.check(&task, &Against::default()).map_err(|found| Error::No(No::Invalid, found.0))?
    };
    let place = place::of(desk.ctx, valid.resource(), one.bucket, &one.origin);
    let written = store(tx, one, &valid, place, record).await?;
    handover::note(desk.ctx, tx, caller.partner(), one, valid.resource()).await?;
    if let Some(outlook) = &outlook {
        let push = one.roles.requester || !one.roles.target;
        desk.settle(tx, one.bucket, valid.resource(), outlook, push, record).await?;
    }
    Ok(written)
}

async fn store(
    tx: &mut Tx,
    one: &mut Planned,
    valid: &Valid,
    place: Place,
    record: &mut Record,
) -> Result<Written, Error> {
    let resource = valid.resource();
    let place = Place { views: std::mem::take(&mut one.views), ..place };
    if !tx.put(valid, &place, one.current.as_ref().map(|current| current.version)).await? {
        return Err(lost_race(&one.kind, &one.id));
    }
    record.released.push(Disclosure {
        key: resource.key(),
        version: resource.version(),
        party: one.origin.clone(),
        patient: place.patients.first().cloned(),
        why: "written",
        decision: None,
    });
    Ok(Written {
        kind: one.kind.clone(),
        id: one.id.clone(),
        version: resource.version(),
        updated_at: resource.updated_at().unwrap_or(Instant(0)),
        done: if one.is_new() { Done::Created } else { Done::Updated },
        by_criteria: false,
        body: Some(valid.text().to_string()),
        outcome: Outcome(std::mem::take(&mut one.notes)),
    })
}

async fn delete_one(ctx: &Context, tx: &mut Tx, one: &Planned, record: &mut Record) -> Result<Written, Error> {
    let Some(current) = &one.current else { return Err(Error::unknown(&one.kind, &one.id)) };
    let (kind, id) = (one.kind.clone(), one.id.clone());
    // A second deletion changes nothing.
    let (mut version, mut updated_at) = (current.version, current.updated_at);
    if !current.deleted {
        version += 1;
        updated_at = ctx.now().max(current.updated_at.plus_millis(1));
        if !tx.delete(current, updated_at).await? {
            return Err(lost_race(&one.kind, &one.id));
        }
    }
    record.released.push(Disclosure {
        key: format!("{kind}/{id}"),
        version,
        party: one.origin.clone(),
        patient: current.patient.clone(),
        why: "written",
        decision: None,
    });
    let (done, by_criteria, body, outcome) = (Done::Deleted, false, None, Outcome::default());
    Ok(Written { kind, id, version, updated_at, done, by_criteria, body, outcome })
}

/// Whether a change may turn decisions about its person.
fn is_decisive(one: &Planned) -> bool {
    DECISIVE.contains(&one.kind.as_str())
}

/// The people whose decisions are taken or turned here.
async fn decided_about(tx: &mut Tx, planned: &[Planned]) -> Result<BTreeSet<(i64, String)>, Error> {
    people(tx, planned.iter().filter(|one| one.kind == "Task" || one.relabelled || is_decisive(one))).await
}

/// The people of some changes, as they were and as they will be, with the buckets that they live in.
async fn people(tx: &mut Tx, of: impl Iterator<Item = &Planned>) -> Result<BTreeSet<(i64, String)>, Error> {
    let mut found = BTreeSet::new();
    for one in of {
        let before = one.current.as_ref().and_then(Stored::resource);
        for patient in before.iter().chain(&one.resource).flat_map(person::patients) {
            let home = tx.bucket_of("Patient", &patient).await?.unwrap_or(one.bucket);
            found.insert((home, patient));
        }
        // One that is about Consents alone turns decisions about those Consents' people.
        for resource in before.iter().chain(&one.resource).filter(|resource| resource.kind() == "Provenance") {
            found.extend(handover::revised_people(tx, &one.origin, resource).await?);
            let authored = handover::authored(tx, &one.origin, resource).await?;
            found.extend(authored.into_iter().map(|(bucket, patient, _)| (bucket, patient)));
        }
    }
    Ok(found)
}

/// Somebody else's version came in between.
pub(super) fn lost_race(kind: &str, id: &str) -> Error {
    let text = format!("`{kind}/{id}` was changed by somebody else at the same moment: read it and try again");
    Error::one(No::Conflict, Issue::error("conflict", "conflict", text))
}
