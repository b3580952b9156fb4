//! What an asker may see, as a filter over one person or many.

use std::collections::BTreeSet;

use crate::consent::{Atom, Condition, DefaultPolicy, Reach};
use crate::store::{Fault, Stored};

use super::grounds::{Grounds, default, grounds_as_known, grounds_of};
use super::person::{is_control, is_directory};
use super::{Asking, Context, grants, quiet};

/// Most resources that one reach names one by one, because a statement cannot carry what is permitted of a person's
/// record; beyond it people are withheld, and the answer says so (rules.md 26).
const KEYS_MAX: usize = 4_000;
/// Most of people and tests together that a statement says.
pub(super) const WEIGHT_MAX: usize = 12_000;
/// Most tests that a statement carries for one person.
const TESTS_MAX: usize = 400;

/// The reach that needs no consent: what is a partner's own, and the directory.
pub async fn own(ctx: &Context, partner: &str) -> Result<Reach, Fault> {
    let agencies = ctx.agencies().await?;
    Ok(Reach::of(partner, Vec::new(), false).masking(agencies.shelters.clone(), agencies.hidden.clone()))
}

/// The same for who searches: what copies do not have is not found by either.
async fn own_alone(ctx: &Context, asking: &Asking) -> Result<Reach, Fault> {
    let found = quiet::of(ctx, asking).await?;
    Ok(own(ctx, &asking.partner).await?.quiet(found.quiet).of_sorts(found.sorts))
}

/// What the asker may see of some types, of one person or of everybody.
pub async fn reach(
    ctx: &Context,
    asking: &Asking,
    kinds: &[String],
    patient: Option<&str>,
) -> Result<(Reach, Grounds), Fault> {
    reach_from(ctx, asking, kinds, patient, Known::Now).await
}

/// The same, of one person as last known: who searches with it asks afterwards whether the grounds
/// [are current](Grounds::are_current). That is one statement where to ask before would be two, since what moves in
/// between has to be seen as well.
pub async fn reach_as_known(
    ctx: &Context,
    asking: &Asking,
    kinds: &[String],
    patient: Option<&str>,
) -> Result<(Reach, Grounds), Fault> {
    reach_from(ctx, asking, kinds, patient, Known::Lately).await
}

/// When what is known of a person was read.
#[derive(Clone, Copy)]
enum Known {
    Now,
    Lately,
}

async fn reach_from(
    ctx: &Context,
    asking: &Asking,
    kinds: &[String],
    patient: Option<&str>,
    known: Known,
) -> Result<(Reach, Grounds), Fault> {
    let decided: Vec<&str> =
        kinds.iter().map(String::as_str).filter(|kind| !is_directory(kind) && is_opened(kind)).collect();
    if decided.is_empty() {
        return Ok((own_alone(ctx, asking).await?, Grounds::none(ctx).await?));
    }
    match patient {
        Some(patient) => about(ctx, asking, &decided, patient, known).await,
        None => Ok((reach_of_all(ctx, asking).await?, Grounds::none(ctx).await?)),
    }
}

/// Whether consent opens some of a type: a Provenance goes with what it is about (rules.md 19).
fn is_opened(kind: &str) -> bool {
    !is_control(kind) || kind == super::provenance::KIND
}

/// What the asker may see of any type, of everybody: as rows say it or, while those are being written, of as many
/// people as are looked at in one search. The grounds are nobody's: who is found is decided when it is found.
pub async fn reach_of_all(ctx: &Context, asking: &Asking) -> Result<Reach, Fault> {
    if let Some(reach) = from_rows(ctx, asking).await? {
        let mut each = Vec::new();
        for alone in asking.each_purpose() {
            each.extend(from_rows(ctx, &alone).await?);
        }
        if each.len() == asking.each_purpose().len() {
            return Ok(reach.by_purpose(each).within_weight(WEIGHT_MAX));
        }
    }
    let bound = ctx.config.consent.people_max;
    let mut patients = concerned(ctx, &asking.partner, "", bound + 1).await?;
    let withheld = patients.len() > bound;
    patients.truncate(bound);
    Ok(reach_of(ctx, asking, patients, withheld).await?.0.within_weight(WEIGHT_MAX))
}

/// As rows say it; `None` as long as they are not all written.
async fn from_rows(ctx: &Context, asking: &Asking) -> Result<Option<Reach>, Fault> {
    let Some(everybody) = grants::everybody(ctx, asking).await? else { return Ok(None) };
    let (reach, _) = reach_of(ctx, asking, everybody.particular, everybody.withheld).await?;
    Ok(Some(reach.granting(everybody.granted)))
}

/// What the asker may see of any type that names one person.
pub async fn reach_of_one(ctx: &Context, asking: &Asking, patient: &str) -> Result<(Reach, Grounds), Fault> {
    about(ctx, asking, &[], patient, Known::Now).await
}

/// What the asker may see of any type, of these people and of the directory.
pub async fn reach_of(
    ctx: &Context,
    asking: &Asking,
    patients: Vec<String>,
    withheld: bool,
) -> Result<(Reach, Grounds), Fault> {
    let grounds = grounds_of(ctx, &patients).await?;
    share(ctx, asking, patients, grounds, withheld).await
}

/// What the asker may see of one person, in these types or, without any, in all.
async fn about(
    ctx: &Context,
    asking: &Asking,
    kinds: &[&str],
    patient: &str,
    known: Known,
) -> Result<(Reach, Grounds), Fault> {
    let alone = vec![patient.to_string()];
    let grounds = match known {
        Known::Now => grounds_of(ctx, &alone).await?,
        Known::Lately => grounds_as_known(ctx, &alone).await?,
    };
    if is_shut(ctx, asking, &grounds) {
        // Everyone whom a resource names must permit (R11), and this one is named in all that is searched.
        return Ok((own_alone(ctx, asking).await?, grounds));
    }
    let beside = ctx.store.named_beside(kinds, patient, ctx.config.consent.people_max).await?;
    if beside.is_empty() {
        return share(ctx, asking, alone, grounds, false).await;
    }
    let patients: Vec<String> = alone.into_iter().chain(beside).collect();
    let grounds = match known {
        Known::Now => grounds_of(ctx, &patients).await?,
        Known::Lately => grounds_as_known(ctx, &patients).await?,
    };
    share(ctx, asking, patients, grounds, false).await
}

/// Under `deny`, where nobody has said anything there is nothing to work out, and nothing but one's own to see.
fn is_shut(ctx: &Context, asking: &Asking, grounds: &Grounds) -> bool {
    asking.emergency.is_none() && default(ctx) == DefaultPolicy::Deny && grounds.are_silent()
}

/// What each of these people permits.
async fn share(
    ctx: &Context,
    asking: &Asking,
    patients: Vec<String>,
    grounds: Grounds,
    mut withheld: bool,
) -> Result<(Reach, Grounds), Fault> {
    let own = own_alone(ctx, asking).await?;
    if is_shut(ctx, asking, &grounds) {
        return Ok((own.over(Vec::new(), withheld), grounds));
    }
    let mut budget = KEYS_MAX;
    let shares = shares(ctx, asking, &patients, &grounds, &mut budget, &mut withheld).await?;
    let mut each = Vec::new();
    if patients.len() > 1 {
        for alone in asking.each_purpose() {
            let shares = self::shares(ctx, &alone, &patients, &grounds, &mut budget, &mut withheld).await?;
            each.push(Reach::of(&asking.partner, shares, false));
        }
    }
    Ok((own.over(shares, withheld).by_purpose(each), grounds))
}

/// What is permitted of each one's record; who does not fit is withheld.
async fn shares(
    ctx: &Context,
    asking: &Asking,
    patients: &[String],
    grounds: &Grounds,
    budget: &mut usize,
    withheld: &mut bool,
) -> Result<Vec<(String, Condition)>, Fault> {
    let mut shares = Vec::new();
    for patient in patients {
        let Some(residual) = grounds.residual(ctx, asking, patient) else { continue };
        let condition = match residual.condition() {
            Condition::Never => continue,
            condition if is_carried(grounds, &condition, patient) => condition,
            _ => match worked_out(ctx, grounds, asking, patient, *budget).await? {
                Some(condition) => condition,
                None => {
                    *withheld = true;
                    continue;
                }
            },
        };
        *budget = budget.saturating_sub(condition.keys());
        shares.push((patient.clone(), condition));
    }
    Ok(shares)
}

/// Whether a statement can carry it: not where there are too many tests, nor where an author is asked for whom only a
/// Provenance names, since that is no column of the row.
fn is_carried(grounds: &Grounds, condition: &Condition, patient: &str) -> bool {
    condition.tests() <= TESTS_MAX && !(condition.asks_for_authors() && grounds.names_authors(patient))
}

/// The people behind an id whose consents may concern a partner.
pub async fn concerned(ctx: &Context, partner: &str, behind: &str, limit: usize) -> Result<Vec<String>, Fault> {
    // Under an opened default, who filed no consent at all is concerned too.
    if default(ctx) != DefaultPolicy::Deny {
        return ctx.store.people(behind, limit).await;
    }
    let parents = ctx.agencies().await?.world.parents(&format!("Organization/{partner}"));
    let above = parents.iter().filter_map(|key| key.strip_prefix("Organization/")).map(str::to_string);
    let recipients: Vec<String> = ["*".to_string(), partner.to_string()].into_iter().chain(above).collect();
    ctx.store.people_who_name(&recipients, behind, limit).await
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
    let Some(residual) = grounds.residual(ctx, asking, patient) else { return Ok(None) };
    let rows = ctx.store.record_of(patient, budget + 1).await?;
    if rows.len() > budget {
        return Ok(None);
    }
    let mut keys = BTreeSet::new();
    for resource in rows.iter().filter_map(Stored::as_resource) {
        // Of several people each one's share is asked by itself: the store wants all of them.
        if residual.decide(&grounds.facts(resource, patient)).permits() {
            keys.insert(resource.key());
        }
    }
    Ok(Some(Condition::is(Atom::Key(keys))))
}
