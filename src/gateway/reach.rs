//! What an asker may see, as a filter over one person or many.

use std::collections::BTreeSet;

use crate::consent::{Atom, Condition, DefaultPolicy, Facts, Reach};
use crate::partner::Kind;
use crate::store::{Fault, Stored};

use super::grounds::{Grounds, default, rows_of};
use super::person::{is_control, is_directory};
use super::{Asking, Context};

/// Most resources that one reach names one by one, because SQL cannot carry what is permitted of a person's record;
/// beyond it people are withheld, and the answer says so (rules.md 26).
const KEYS_MAX: usize = 4_000;

/// The reach that needs no consent: what is a partner's own, and the directory.
pub async fn own(ctx: &Context, partner: &str) -> Result<Reach, Fault> {
    let partners = ctx.partners().await?;
    let shelters = partners.iter().filter(|one| one.kind == Kind::VictimService).map(|one| one.id.clone());
    Ok(Reach::of(partner, Vec::new(), false).masking(shelters.collect()))
}

/// What the asker may see of some types, of one person or of everybody.
pub async fn reach(
    ctx: &Context,
    asking: &Asking,
    kinds: &[String],
    patient: Option<&str>,
) -> Result<(Reach, Grounds), Fault> {
    let decided: Vec<&str> =
        kinds.iter().map(String::as_str).filter(|kind| !is_directory(kind) && is_opened(kind)).collect();
    if decided.is_empty() {
        return own_alone(ctx, asking, false).await;
    }
    match patient {
        Some(patient) => about(ctx, asking, &decided, patient).await,
        None => reach_of_all(ctx, asking).await,
    }
}

/// Whether consent opens some of a type: a Provenance goes with what it is about (rules.md 19).
fn is_opened(kind: &str) -> bool {
    !is_control(kind) || kind == super::provenance::KIND
}

/// What the asker may see of any type, of everybody.
pub async fn reach_of_all(ctx: &Context, asking: &Asking) -> Result<(Reach, Grounds), Fault> {
    let (patients, withheld) = people(ctx, asking).await?;
    reach_of(ctx, asking, patients, withheld).await
}

/// What the asker may see of any type that names one person.
pub async fn reach_of_one(ctx: &Context, asking: &Asking, patient: &str) -> Result<(Reach, Grounds), Fault> {
    about(ctx, asking, &[], patient).await
}

/// What the asker may see of any type, of these people and of the directory.
pub async fn reach_of(
    ctx: &Context,
    asking: &Asking,
    patients: Vec<String>,
    withheld: bool,
) -> Result<(Reach, Grounds), Fault> {
    let rows = rows_of(ctx, &patients).await?;
    if is_silent(ctx, asking, &rows) {
        return own_alone(ctx, asking, withheld).await;
    }
    share(ctx, asking, patients, rows, withheld).await
}

/// What the asker may see of one person, in these types or, without any, in all.
async fn about(ctx: &Context, asking: &Asking, kinds: &[&str], patient: &str) -> Result<(Reach, Grounds), Fault> {
    let mut rows = ctx.store.grounds(patient).await?;
    if is_silent(ctx, asking, &rows) {
        // Everyone whom a resource names must permit (R11), and this one is named in all that is searched.
        return own_alone(ctx, asking, false).await;
    }
    let beside = ctx.store.named_beside(kinds, patient, ctx.config.consent.people_max).await?;
    rows.extend(rows_of(ctx, &beside).await?);
    let patients = std::iter::once(patient.to_string()).chain(beside).collect();
    share(ctx, asking, patients, rows, false).await
}

/// Under `deny`, where nobody has said anything there is nothing to work out, and nothing but one's own to see.
fn is_silent(ctx: &Context, asking: &Asking, rows: &[Stored]) -> bool {
    asking.emergency.is_none() && default(ctx) == DefaultPolicy::Deny && !rows.iter().any(|row| row.kind == "Consent")
}

async fn own_alone(ctx: &Context, asking: &Asking, withheld: bool) -> Result<(Reach, Grounds), Fault> {
    let own = own(ctx, &asking.partner).await?;
    Ok((own.over(Vec::new(), withheld), Grounds::build(ctx, &[], Vec::new())))
}

/// What each of these people permits.
async fn share(
    ctx: &Context,
    asking: &Asking,
    patients: Vec<String>,
    rows: Vec<Stored>,
    mut withheld: bool,
) -> Result<(Reach, Grounds), Fault> {
    let own = own(ctx, &asking.partner).await?;
    let mut budget = KEYS_MAX;
    let grounds = Grounds::build(ctx, &ctx.partners().await?, rows);
    let mut shares = Vec::new();
    for patient in patients {
        let condition = match grounds.residual(ctx, asking, &patient).condition() {
            Condition::Never => continue,
            condition if condition.is_plain() => condition,
            _ => match worked_out(ctx, &grounds, asking, &patient, budget).await? {
                Some(condition) => condition,
                None => {
                    withheld = true;
                    continue;
                }
            },
        };
        budget = budget.saturating_sub(condition.keys());
        shares.push((patient, condition));
    }
    Ok((own.over(shares, withheld), grounds))
}

/// Whose consents may concern the asker, up to the bound; whether somebody was left out.
async fn people(ctx: &Context, asking: &Asking) -> Result<(Vec<String>, bool), Fault> {
    let bound = ctx.config.consent.people_max;
    let mut recipients = vec!["*".to_string(), asking.partner.clone()];
    let partners = ctx.partners().await?;
    let parent = |id: &str| partners.iter().find(|one| one.id == id).and_then(|one| one.part_of.clone());
    let mut next = parent(&asking.partner);
    while let Some(id) = next.filter(|id| !recipients.contains(id)) {
        next = parent(&id);
        recipients.push(id);
    }
    // Under an opened default, who filed no consent at all is concerned too.
    let mut patients = if default(ctx) != DefaultPolicy::Deny {
        ctx.store.people(bound + 1).await?
    } else {
        ctx.store.people_who_name(&recipients, bound + 1).await?
    };
    let withheld = patients.len() > bound;
    patients.truncate(bound);
    Ok((patients, withheld))
}

/// A condition that SQL cannot carry, as the list of what it permits of this person's record.
/// `None` for more resources than the budget has room for.
async fn worked_out(
    ctx: &Context,
    grounds: &Grounds,
    asking: &Asking,
    patient: &str,
    budget: usize,
) -> Result<Option<Condition>, Fault> {
    let rows = ctx.store.record_of(patient, budget + 1).await?;
    if rows.len() > budget {
        return Ok(None);
    }
    let residual = grounds.residual(ctx, asking, patient);
    let mut keys = BTreeSet::new();
    for resource in rows.iter().filter_map(Stored::resource) {
        // Of several people each one's share is asked by itself: the store wants all of them.
        let facts = Facts::of(&resource, grounds.world_of(&resource));
        if residual.decide(&facts).permits() {
            keys.insert(resource.key());
        }
    }
    Ok(Some(Condition::is(Atom::Key(keys))))
}
