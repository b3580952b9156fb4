//! What each person permits to who asks about everybody: kept as rows from the first time that somebody asks, renewed in
//! the transaction of every write that moves the person's epoch (rules.md 26).
//!
//! A row counts at its person's epoch alone, so one that was not renewed opens nothing; and each resource that a search
//! finds through it is decided again as it leaves.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};

use crate::consent::{Action, Condition, Granted};
use crate::fhir::Instant;
use crate::store::{Asker, Fault, Grant, PARTICULAR, Reached, Tx};

use super::grounds::{default, grounds_within};
use super::{Asking, Context, reach};

/// People whose grants one transaction writes.
const STEP: usize = 200;
/// Steps that a first search takes itself; what is more is done while others wait for nothing.
const STEPS_AT_ONCE: usize = 5;
/// Different conditions of one asker that a statement carries.
const SHAPES_MAX: usize = 64;
/// How long what was kept under other agencies stays: another node may not have heard of the new ones.
const STALE_SECS: i64 = 3_600;

/// What is permitted of everybody.
pub struct Everybody {
    pub granted: Granted,
    /// Patients whose condition nobody shares.
    pub particular: Vec<String>,
    /// There are more of those than are looked at in one search.
    pub withheld: bool,
}

/// `None` as long as the rows are not all written: then people are asked one by one, up to a bound.
pub async fn everybody(ctx: &Context, asking: &Asking) -> Result<Option<Everybody>, Fault> {
    if asking.practitioner.is_some() {
        // Rows are kept for partners, not for each of their staff.
        return Ok(None);
    }
    let agencies = agencies(ctx).await?;
    let id = name(&[&asking.partner, &asking.purposes.join(" "), asking.action.code(), &agencies]);
    let mut asker = match ctx.store.asker(&id).await? {
        Some(asker) => asker,
        None => first_asked(ctx, asking, id, agencies).await?,
    };
    if asker.reached != Reached::All {
        return Ok(None);
    }
    let (now, bound) = (ctx.now(), ctx.config.consent.people_max);
    let found = ctx.store.to_work_out(&asker.id, now, bound + STEP).await?;
    let (particular, due): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, is_particular)| *is_particular);
    let mut particular: Vec<String> = particular.into_iter().map(|(patient, _)| patient).collect();
    let mut withheld = false;
    if !due.is_empty() {
        // What time has changed is written down once, for all searches after this one.
        withheld = due.len() > STEP;
        let mut tx = ctx.store.begin().await?;
        let due: Vec<String> = due.into_iter().take(STEP).map(|(patient, _)| patient).collect();
        renew_held(ctx, &mut tx, &mut asker, &due).await?;
        tx.commit().await?;
        let Some(renewed) = ctx.store.asker(&asker.id).await? else { return Ok(None) };
        asker = renewed;
        let found = ctx.store.to_work_out(&asker.id, now, bound + 1).await?;
        particular =
            found.into_iter().filter(|(_, is_particular)| *is_particular).map(|(patient, _)| patient).collect();
    }
    withheld |= particular.len() > bound;
    particular.truncate(bound);
    let shapes = asker.shapes.iter().filter_map(|(id, body)| Some((id.clone(), Condition::of_shape(body)?))).collect();
    Ok(Some(Everybody { granted: Granted { asker: asker.id, at: now, shapes }, particular, withheld }))
}

/// Renews what a person permits to everyone who has asked, after something that decides about the person has changed.
pub async fn renew_all(ctx: &Context, tx: &mut Tx, patient: &str) -> Result<(), Fault> {
    let mut askers = tx.askers().await?;
    if askers.is_empty() {
        return Ok(());
    }
    let agencies = agencies(ctx).await?;
    askers.retain(|asker| asker.agencies == agencies);
    renew(ctx, tx, &mut askers, patient).await
}

/// Goes on with the askers whose people are not all walked, and forgets those of other agencies. Answers whether there
/// is more to do.
///
/// # Errors
/// What the database said.
pub async fn go_on_granting(ctx: &Context) -> Result<bool, Fault> {
    let agencies = agencies(ctx).await?;
    let mut more = false;
    for asker in ctx.store.askers().await? {
        if asker.agencies != agencies {
            if asker.asked_at.plus_secs(STALE_SECS) < ctx.now() {
                let mut tx = ctx.store.begin().await?;
                tx.forget_asker(&asker.id).await?;
                tx.commit().await?;
            }
        } else if let Reached::Behind(_) = asker.reached {
            more |= step(ctx, asker).await?.reached != Reached::All;
        }
    }
    Ok(more)
}

async fn first_asked(ctx: &Context, asking: &Asking, id: String, agencies: String) -> Result<Asker, Fault> {
    let mut asker = Asker {
        id,
        partner: asking.partner.clone(),
        purposes: asking.purposes.clone(),
        action: asking.action.code().to_string(),
        agencies,
        reached: Reached::Behind(String::new()),
        asked_at: ctx.now(),
        shapes: Vec::new(),
    };
    // INVARIANT: it is on disk before the first person is walked. A write that moves an epoch after that renews its
    // row, and one from before is seen by the walk.
    let mut tx = ctx.store.begin().await?;
    tx.keep_asker(&asker).await?;
    tx.commit().await?;
    for _ in 0..STEPS_AT_ONCE {
        asker = step(ctx, asker).await?;
        if asker.reached == Reached::All {
            break;
        }
    }
    Ok(ctx.store.asker(&asker.id).await?.unwrap_or(asker))
}

/// Walks some people and writes what they permit.
async fn step(ctx: &Context, mut asker: Asker) -> Result<Asker, Fault> {
    let Reached::Behind(behind) = &asker.reached else { return Ok(asker) };
    let people = reach::concerned(ctx, &asker.partner, behind, STEP).await?;
    let mut tx = ctx.store.begin().await?;
    renew_held(ctx, &mut tx, &mut asker, &people).await?;
    let reached = match people.last().filter(|_| people.len() == STEP) {
        Some(last) => Reached::Behind(last.clone()),
        None => Reached::All,
    };
    let asker = Asker { reached, ..asker };
    tx.keep_asker(&asker).await?;
    tx.commit().await?;
    Ok(asker)
}

/// Holds the people's epochs first, in the order of every writer, so that none of them moves between what is read of a
/// person and what is written about it.
async fn renew_held(ctx: &Context, tx: &mut Tx, asker: &mut Asker, people: &[String]) -> Result<(), Fault> {
    let mut homes = BTreeSet::new();
    for patient in people {
        homes.insert((tx.bucket_of("Patient", patient).await?.unwrap_or(-1), patient));
    }
    for (home, patient) in &homes {
        tx.hold_epoch(*home, patient).await?;
    }
    for (_, patient) in homes {
        renew(ctx, tx, std::slice::from_mut(asker), patient).await?;
    }
    Ok(())
}

async fn renew(ctx: &Context, tx: &mut Tx, askers: &mut [Asker], patient: &str) -> Result<(), Fault> {
    let home = tx.bucket_of("Patient", patient).await?.unwrap_or(-1);
    let grounds = grounds_within(ctx, tx, home, &[patient.to_string()]).await?;
    let mut grants = Vec::new();
    for asker in askers.iter_mut() {
        let Some(action) = Action::named(&asker.action) else { continue };
        let asking = Asking::of(&asker.partner, &asker.purposes, action);
        let Some(residual) = grounds.residual(ctx, &asking, patient) else { continue };
        grants.extend(if residual.hangs_on_staff() {
            // Nothing moves the person's epoch when somebody begins to work somewhere.
            Some(Grant { asker: asker.id.clone(), shape: None, until: PARTICULAR })
        } else {
            grant(asker, residual.condition(), residual.changes_at())
        });
    }
    let ids: Vec<&str> = askers.iter().map(|asker| asker.id.as_str()).collect();
    tx.grant(patient, &ids, &grants).await
}

/// `None` for who permits nothing, now and ever after.
fn grant(asker: &mut Asker, condition: Condition, changes_at: Option<Instant>) -> Option<Grant> {
    let (id, until) = (asker.id.clone(), changes_at.unwrap_or(Instant::MAX));
    if condition == Condition::Never {
        return changes_at.map(|until| Grant { asker: id, shape: None, until });
    }
    let shape = condition.shape().map(|body| (name(&[&body]), body));
    let is_known = |name: &str| asker.shapes.iter().any(|(known, _)| known == name);
    let Some(shape) = shape.filter(|(name, _)| asker.shapes.len() < SHAPES_MAX || is_known(name)) else {
        return Some(Grant { asker: id, shape: None, until: PARTICULAR });
    };
    if !is_known(&shape.0) {
        asker.shapes.push(shape.clone());
    }
    Some(Grant { asker: id, shape: Some(shape), until })
}

/// The agencies and rules that grants are made under, as one word.
async fn agencies(ctx: &Context) -> Result<String, Fault> {
    Ok(name(&[ctx.agencies().await?.fingerprint(), default(ctx).name(), &ctx.config.exchange.timezone]))
}

/// One word for several.
fn name(words: &[&str]) -> String {
    let hash = digest(&SHA256, words.join("\n").as_bytes());
    hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
