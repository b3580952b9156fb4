//! `Consent/$verify`: the holder of data says that somebody else's permit counts for it (rules.md 17).
//!
//! A partner speaks for its own data, the operator for everybody's; nobody verifies what lets itself in. What was
//! verified is one version: a change of the Consent needs the word again.

use crate::audit;
use crate::auth::Caller;
use crate::fhir::Issue;
use crate::fhir::reference::is_id;
use crate::store::{Statement, VERIFIED};

use super::record::{self, Request};
use super::referral::Desk;
use super::revoke::{refuse, status};
use super::{Context, Error, No, believe, deed, worklist};

/// # Errors
/// Unknown, for who holds nothing of the person; not yours, for the house of who filed it; that it is not active.
pub async fn verify(ctx: &Context, caller: &Caller, request: &Request, id: &str) -> Result<(), Error> {
    deed::covered(caller)?;
    let stored = if is_id(id) { ctx.store.for_decision("Consent", id).await? } else { None };
    let stored = stored.filter(|stored| !stored.deleted);
    let Some((stored, patient)) = stored.as_ref().and_then(|stored| Some((stored, stored.patient.clone()?))) else {
        return Err(refuse(ctx, caller, request, id, stored.as_ref(), "verify").await?);
    };
    let holds = caller.is_operator() || ctx.store.holds_data(caller.partner(), &patient).await?;
    if !holds && !stored.belongs_to(caller.partner()) {
        return Err(refuse(ctx, caller, request, id, Some(stored), "verify").await?);
    }
    let partners = ctx.partners().await?;
    let own_house =
        worklist::house_of(&partners, &stored.origin).contains(&format!("Organization/{}", caller.partner()));
    if !holds || (own_house && !caller.is_operator()) {
        let text = "a permit is verified by who holds data that it opens, not by who filed it or is let in by it";
        return Err(Error::one(No::NotYours, Issue::error("forbidden", "not-yours", text)));
    }
    if status(stored) != "active" {
        let text = format!("expected a Consent that is `active`, found `{}`", status(stored));
        return Err(Error::one(
            No::Invalid,
            Issue::error("business-rule", "consent-not-active", text).at("Consent.status"),
        ));
    }
    let now = ctx.now();
    let holder = if caller.is_operator() { believe::EVERYBODY } else { caller.partner() };
    let mut record = record::start(ctx, caller, request, "verify", format!("Consent/{id}"));
    record.released.push(audit::Disclosure {
        key: format!("Consent/{id}"),
        version: stored.version,
        party: stored.origin.clone(),
        patient: Some(patient.clone()),
        why: "written",
        decision: None,
    });
    let desk = Desk { ctx, partners: &partners };
    let mut tx = ctx.store.begin().await?;
    let bucket = tx.bucket_of("Patient", &patient).await?.unwrap_or(stored.bucket);
    tx.move_epoch(bucket, &patient).await?;
    // Somebody may have changed it since it was looked at.
    if tx.current("Consent", id).await?.is_none_or(|current| current.version != stored.version) {
        return Err(super::submit::lost_race("Consent", id));
    }
    let said = Statement {
        bucket,
        patient: patient.clone(),
        what: VERIFIED,
        about: format!("Consent/{id}"),
        holder: holder.to_string(),
        recipient: String::new(),
        source: stored.version.to_string(),
        at: now,
    };
    tx.state(&said).await?;
    if caller.is_operator() {
        tx.drop_work(stored.bucket, &said.about, &[worklist::UNENFORCEABLE, worklist::EXPIRING]).await?;
    }
    deed::witness(ctx, &mut tx, caller, stored, stored.version, ("verify", None), now).await?;
    desk.turned(&mut tx, bucket, &patient, &mut record).await?;
    tx.record(&record::row(&record, Some(stored.bucket))).await?;
    Ok(tx.commit().await?)
}
