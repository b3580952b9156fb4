//! Labels set anew on what is stored, when the lists are others than those that it was labelled by: a newer handoff, an
//! operator's list, a partner that came under a regime.
//!
//! In bounded steps, each one transaction: new versions of what changes, their records in the log, the epochs of their
//! people, and how far the walk has come. Who stops it loses nothing; who goes on does nothing twice. It only adds: a
//! label that no list asks for any more stays (rules.md 20).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::{Disclosure, Record};
use crate::auth::Caller;
use crate::consent::label;
use crate::fhir::{Outcome, Resource};
use crate::partner::Partner;
use crate::profile::{Against, Valid};
use crate::store::{Spot, Stored, Tx};

use super::enroll::OPERATOR;
use super::label::{is_labelled, regimes};
use super::label_lists::{Current, hash};
use super::record::{self, Request};
use super::referral::Desk;
use super::{Context, Error, person, place};

/// Resources of one step, so that other writers need not wait for long.
pub const RELABELLED_TOGETHER: usize = 100;
/// How long writes that began with the lists of before may take: those of other nodes, which know a change within a
/// second.
const SETTLED_MILLIS: i64 = 2_000;

/// How far the walk has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relabelled {
    /// What it labels by, as one word.
    stamp: String,
    after: Option<Spot>,
    /// The lists, by name and version.
    pub version: String,
    pub seen: u64,
    pub changed: u64,
    /// Those that could not be labelled, since they break a rule that is newer than they are.
    pub unfit: u64,
    pub done: bool,
}

/// What is to be written of one resource.
struct Change {
    stored: Stored,
    valid: Valid,
}

/// One step of that many resources. `None`: the lists changed just now, and writes that began before may still be under way.
///
/// # Errors
/// What the database said; then the step was not taken.
pub async fn relabel(ctx: &Context, request: &Request, together: usize) -> Result<Option<Relabelled>, Error> {
    let (current, partners) = (ctx.shelf.current(ctx).await?, ctx.partners().await?);
    let stamp = stamp(&current, &partners);
    let state = ctx.store.document("labels-state", "relabel").await?;
    let state: Relabelled = state.and_then(|state| serde_json::from_str(&state).ok()).unwrap_or_default();
    let mut state = if state.stamp == stamp {
        state
    } else {
        if ctx.now() < current.changed_at.plus_millis(SETTLED_MILLIS) {
            return Ok(None);
        }
        Relabelled { stamp, version: current.lists.version().to_string(), ..Relabelled::default() }
    };
    if state.done || !ctx.config.labels.classify {
        return Ok(Some(Relabelled { done: true, ..state }));
    }
    let rows = ctx.store.walk(state.after.as_ref(), together).await?;
    state.done = rows.len() < together;
    state.after = rows.last().map(Stored::spot).or(state.after);
    let mut changes = Vec::new();
    for stored in rows.into_iter().filter(|stored| !stored.deleted && is_labelled(&stored.kind)) {
        state.seen += 1;
        match changed(ctx, &current, &partners, &stored) {
            Ok(valid) => changes.extend(valid.map(|valid| Change { stored, valid })),
            Err(_) => {
                tracing::warn!(resource.kind = %stored.kind, request.id = %request.id, "could not be labelled again");
                state.unfit += 1;
            }
        }
    }
    write(ctx, request, &partners, changes, &mut state).await?;
    Ok(Some(state))
}

/// What the labels of everything depend on.
fn stamp(current: &Current, partners: &[Partner]) -> String {
    let mut bound: Vec<String> = Vec::new();
    for partner in partners {
        let asked = partner.regimes.iter().filter(|regime| current.lists.knows_regime(regime));
        bound.extend(asked.map(|regime| format!("{} {regime}", partner.id)));
    }
    bound.sort_unstable();
    hash(&[&current.stamp, &bound.join("\n")])
}

/// The next version of a resource whose labels change; as an error, what keeps one from being stored as it is.
fn changed(ctx: &Context, current: &Current, partners: &[Partner], stored: &Stored) -> Result<Option<Valid>, Outcome> {
    let Some(mut resource) = stored.resource() else { return Err(Outcome::default()) };
    let before = resource.clone();
    if !label(&mut resource, Some(&before), &current.lists, regimes(partners, &stored.origin)).is_changed {
        return Ok(None);
    }
    let updated_at = ctx.now().max(stored.updated_at.plus_millis(1));
    resource.stamp(&stored.id, stored.version + 1, updated_at, &format!("Organization/{}", stored.origin));
    ctx.profiles.check(&resource, &Against::default()).map(Some)
}

async fn write(
    ctx: &Context,
    request: &Request,
    partners: &[Partner],
    changes: Vec<Change>,
    state: &mut Relabelled,
) -> Result<(), Error> {
    let mut tx = ctx.store.begin().await?;
    // In one order, as every write takes them.
    let mut people: BTreeMap<(i64, String), bool> = BTreeMap::new();
    for Change { stored, valid } in &changes {
        for patient in person::patients(valid.resource()) {
            let home = tx.bucket_of("Patient", &patient).await?.unwrap_or(stored.bucket);
            *people.entry((home, patient)).or_default() |= stored.kind == "Task";
        }
    }
    for (home, patient) in people.keys() {
        tx.hold_epoch(*home, patient).await?;
    }
    let mut records: BTreeMap<(i64, Option<String>), Record> = BTreeMap::new();
    for change in &changes {
        state.changed += u64::from(put(ctx, request, &mut tx, change, &mut records).await?);
    }
    // A referral that its new labels take out of a consent is withdrawn with them (rules.md 16).
    let desk = Desk { ctx, partners };
    for ((home, patient), _) in people.into_iter().filter(|(_, has_task)| *has_task) {
        let open = tx.open_referrals(home, &patient).await?;
        let record = records.entry((home, Some(patient))).or_insert_with(|| start(ctx, request, "Task"));
        desk.reconsider(&mut tx, open, record).await?;
    }
    for ((bucket, _), record) in &records {
        tx.record(&record::row(record, Some(*bucket))).await?;
    }
    let said = serde_json::to_string(&state).unwrap_or_default();
    tx.register("labels-state", "relabel", &said, true).await?;
    Ok(tx.commit().await?)
}

/// Whether it was written: who came in between wrote by the lists of today.
async fn put(
    ctx: &Context,
    request: &Request,
    tx: &mut Tx,
    change: &Change,
    records: &mut BTreeMap<(i64, Option<String>), Record>,
) -> Result<bool, Error> {
    let Change { stored, valid } = change;
    let resource: &Resource = valid.resource();
    let place = place::of(ctx, resource, stored.bucket, &stored.origin);
    if !tx.put(valid, &place, Some(stored.version)).await? {
        return Ok(false);
    }
    let patient = place.patients.first().cloned();
    // A record is about one person.
    let record =
        records.entry((stored.bucket, patient.clone())).or_insert_with(|| start(ctx, request, &resource.key()));
    record.released.push(Disclosure {
        key: resource.key(),
        version: resource.version(),
        party: stored.origin.clone(),
        patient,
        why: "written",
        decision: None,
    });
    Ok(true)
}

fn start(ctx: &Context, request: &Request, target: &str) -> Record {
    record::start(ctx, &Caller::operator(OPERATOR), request, "relabel", target.to_string())
}
