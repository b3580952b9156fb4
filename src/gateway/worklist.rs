//! The work list: Consents that are not enforced in full, that wait for the holder of the data, that end soon, and
//! emergency accesses to be reviewed.
//!
//! What is on it is written in the transaction that caused it, so that nobody has to go looking. An item is seen by
//! the compliance of the partner that it is for, and by the operator.

use std::collections::BTreeSet;

use crate::auth::Caller;
use crate::consent::Directive;
use crate::fhir::interaction::Interaction;
use crate::fhir::{Instant, Issue, Resource};
use crate::partner::Partner;
use crate::store::{Stored, Tx, Work, WorkOf, WorkState};

use super::record::{self, Request};
use super::{Context, Error, No, believe, place};

/// Most items of one answer.
pub const ITEMS_MAX: usize = 500;
/// What ends within this is on the list without being asked for.
pub const SOON_SECS: i64 = 30 * 86_400;

pub const AWAITING: &str = "awaiting-verification";
pub const UNENFORCEABLE: &str = "unenforceable";
pub const EXPIRING: &str = "expiring";
pub const EMERGENCY: &str = "emergency-review";

/// Puts on the lists what a Consent as it is now leaves to do, and takes off what it does not any more.
///
/// # Errors
/// What the database said.
pub async fn file(
    ctx: &Context,
    tx: &mut Tx,
    partners: &[Partner],
    (bucket, origin): (i64, &str),
    consent: &Resource,
) -> Result<(), Error> {
    let about = consent.key();
    tx.drop_work(bucket, &about, &[]).await?;
    let directive = Directive::read(consent);
    let Some(patient) = directive.patient().and_then(|key| key.strip_prefix("Patient/")).map(str::to_string) else {
        return Ok(());
    };
    if !directive.is_meant() {
        return Ok(());
    }
    let custodian = place::organization(consent, "organization");
    let keepers: BTreeSet<String> = [origin.to_string()].into_iter().chain(custodian).collect();
    let now = ctx.now();
    let item = |what: &str, partner: &str, detail: String, due_at: Instant| Work {
        bucket,
        about: about.clone(),
        what: what.to_string(),
        partner: partner.to_string(),
        patient: patient.clone(),
        detail,
        at: now,
        due_at,
        state: WorkState::Open,
        closed_by: None,
    };
    for keeper in &keepers {
        if !directive.unenforced().is_empty() {
            tx.put_work(&item(UNENFORCEABLE, keeper, directive.unenforced().join(" "), now)).await?;
        }
        if let Some(ends) = directive.ends(&ctx.zone).filter(|ends| *ends > now) {
            tx.put_work(&item(EXPIRING, keeper, ends.to_string(), ends)).await?;
        }
    }
    let patients_origin = tx.current("Patient", &patient).await?.map(|stored| stored.origin);
    let house = house_of(partners, origin);
    if believe::waits(&directive, origin, &house, patients_origin.as_deref()) {
        tx.put_work(&item(AWAITING, origin, consent.version().to_string(), now)).await?;
    }
    Ok(())
}

/// A partner with all that have somebody above them in common with it, as `Organization/x`.
pub fn house_of(partners: &[Partner], partner: &str) -> BTreeSet<String> {
    let chain = |id: &str| {
        let mut chain = vec![id.to_string()];
        while let Some(above) =
            partners.iter().find(|one| Some(&one.id) == chain.last()).and_then(|one| one.part_of.clone())
            && !chain.contains(&above)
        {
            chain.push(above);
        }
        chain
    };
    let own = chain(partner);
    let related =
        partners.iter().map(|one| one.id.clone()).filter(|id| chain(id).iter().any(|above| own.contains(above)));
    related.chain([partner.to_string()]).map(|id| format!("Organization/{id}")).collect()
}

/// Whether somebody who reads the log of their partner asks, or keeps its Consents.
fn reviews(caller: &Caller) -> Result<(), Error> {
    let may = |kind: &str| caller.may(Interaction::SearchType, kind);
    if may("AuditEvent") || may("Consent") { Ok(()) } else { Err(Error::scopes("search-type", "Consent")) }
}

/// What waits for the caller's partner, what ends within that time included, the most urgent first.
///
/// # Errors
/// That the caller's scopes cover neither AuditEvent nor Consent.
pub async fn work_list(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    within_secs: i64,
    what: Option<&str>,
) -> Result<Vec<Work>, Error> {
    reviews(caller)?;
    let record = record::start(ctx, caller, request, "work-list", "Consent".to_string());
    record::keep(ctx, &record).await?;
    let of = if caller.is_operator() { WorkOf::Everybody } else { WorkOf::Partner(caller.partner()) };
    let mut found =
        ctx.store.open_work(of, &ctx.agencies().await?.shelters, ctx.now().plus_secs(within_secs), ITEMS_MAX).await?;
    found.retain(|one| what.is_none_or(|what| one.what == what));
    Ok(found)
}

/// Takes an item off the caller's list: somebody has looked at it.
///
/// # Errors
/// That there is none such on it, or that it is not dismissed but verified.
pub async fn dismiss(ctx: &Context, caller: &Caller, request: &Request, about: &str, what: &str) -> Result<(), Error> {
    reviews(caller)?;
    if what == AWAITING {
        let text = "what waits for verification is verified, or its Consent revoked: it is not dismissed";
        return Err(Error::one(No::Invalid, Issue::error("business-rule", "work-not-dismissed", text)));
    }
    let unknown = || {
        let text = "there is no such item on your work list";
        Error::one(No::Unknown, Issue::error("not-found", "not-found", text))
    };
    let found = ctx.store.work(about, what, caller.partner()).await?.ok_or_else(unknown)?;
    let record = record::start(ctx, caller, request, "work-done", found.about.clone());
    let mut tx = ctx.store.begin().await?;
    let closed = tx.close_work(&found, caller.subject(), ctx.now()).await?;
    tx.record(&record::row(&record, Some(found.bucket))).await?;
    tx.commit().await?;
    if closed { Ok(()) } else { Err(unknown()) }
}

/// Whether a Consent is or ever was in force: such a one stays (issue 4, 7).
///
/// # Errors
/// What the database said.
pub async fn has_counted(ctx: &Context, current: &Stored) -> Result<bool, Error> {
    let counted = |stored: &Stored| stored.as_resource().is_some_and(|consent| Directive::read(consent).has_counted());
    if counted(current) {
        return Ok(true);
    }
    for version in (1..current.version).rev() {
        if ctx.store.vread(current, version).await?.is_some_and(|older| counted(&older)) {
            return Ok(true);
        }
    }
    Ok(false)
}
