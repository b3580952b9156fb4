//! `Consent/$revoke`: a Consent that was in force is so no more when the answer arrives, on every node.
//!
//! Its new version is `inactive`, a Provenance says who did it, when and why; referrals that it carried are withdrawn
//! in the same transaction (rules.md 16). It stays readable for who could read it. The answer lists what was disclosed
//! under it, as far as the log is this caller's to read.

use serde_json::Value;

use crate::audit;
use crate::auth::Caller;
use crate::consent::Released;
use crate::fhir::reference::is_id;
use crate::fhir::{Element, Instant, Issue};
use crate::profile::Against;
use crate::store::{LogFilter, Stored};

use super::record::{self, Request};
use super::referral::Desk;
use super::{Context, Error, No, deed, place, worklist};

/// What became of it.
pub struct Revoked {
    pub consent: Released,
    pub disclosed: Vec<Disclosed>,
    /// There is more in the log than is listed here.
    pub more: bool,
}

/// Something that left under the Consent.
#[derive(Clone, Debug, PartialEq)]
pub struct Disclosed {
    /// `Organization/x`.
    pub to: String,
    /// `Goal/7/_history/2`.
    pub what: String,
    pub at: Instant,
}

/// Records that are looked through, and rows that are listed.
const RECORDS_MAX: usize = 2_000;
const LISTED_MAX: usize = 500;
const REASON_MAX: usize = 1_000;
const TRIES: usize = 3;

/// # Errors
/// Unknown, for who neither filed nor keeps it; that it never was in force.
pub async fn revoke(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    id: &str,
    reason: Option<&str>,
) -> Result<Revoked, Error> {
    deed::covered(caller)?;
    if reason.is_some_and(|reason| reason.chars().count() > REASON_MAX) {
        let text = format!("`reason`: expected at most {REASON_MAX} characters");
        return Err(Error::one(No::Invalid, Issue::error("too-long", "parameter-value", text)));
    }
    let mut tries = TRIES;
    let stored = loop {
        tries -= 1;
        let stored = kept_by(ctx, caller, request, id, "revoke").await?;
        if status(&stored) == "inactive" {
            break stored;
        }
        match once(ctx, caller, request, &stored, reason).await {
            // Who was first may still wait for the disk: an empty write is on disk when theirs is, and then it is seen.
            Err(Error::No(No::Conflict, _)) if tries > 0 => ctx.store.begin().await?.commit().await?,
            done => break done?,
        }
    };
    let (disclosed, more) = disclosed(ctx, caller, &stored).await?;
    let consent = Released::to_keeper(&stored.origin, stored.right(), stored.body.clone());
    let consent = consent.ok_or_else(|| Error::unknown("Consent", id))?;
    Ok(Revoked { consent, disclosed, more })
}

/// A Consent for who filed or keeps it, and for the operator; for everybody else there is none.
///
/// # Errors
/// Unknown; the attempt is in the log.
pub(super) async fn kept_by(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    id: &str,
    interaction: &'static str,
) -> Result<Stored, Error> {
    let stored = if is_id(id) { ctx.store.for_decision("Consent", id).await? } else { None };
    match stored.filter(|stored| !stored.deleted) {
        Some(stored) if caller.is_operator() || stored.belongs_to(caller.partner()) => Ok(stored),
        found => Err(refuse(ctx, caller, request, id, found.as_ref(), interaction).await?),
    }
}

/// Notes that somebody asked for a Consent that is not theirs to know of; what to answer.
pub(super) async fn refuse(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    id: &str,
    stored: Option<&Stored>,
    interaction: &'static str,
) -> Result<Error, Error> {
    let key = format!("Consent/{id}");
    let mut record = record::start(ctx, caller, request, interaction, key.clone());
    record.refused.push(audit::Refusal {
        key,
        patient: stored.and_then(|stored| stored.patient.clone()),
        party: stored.map(|stored| stored.origin.clone()),
        why: if stored.is_some() { "not-opened" } else { "unknown" }.to_string(),
        decision: None,
    });
    record::keep(ctx, &record).await?;
    Ok(Error::unknown("Consent", id))
}

pub(super) fn status(consent: &Stored) -> &str {
    consent.as_resource().and_then(|consent| consent.root().text("status")).unwrap_or("")
}

async fn once(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    stored: &Stored,
    reason: Option<&str>,
) -> Result<Stored, Error> {
    if status(stored) != "active" {
        let text = format!("expected a Consent that is `active`, found `{}`", status(stored));
        return Err(Error::one(
            No::Invalid,
            Issue::error("business-rule", "consent-not-active", text).at("Consent.status"),
        ));
    }
    let Some(mut consent) = stored.resource() else { return Err(Error::unknown("Consent", &stored.id)) };
    let at = ctx.now().max(stored.updated_at.plus_millis(1));
    consent.set("status", "inactive");
    consent.stamp(&stored.id, stored.version + 1, at, &format!("Organization/{}", stored.origin));
    // What was stored was valid; a status cannot break it, and what is stored is kept as it came.
    let valid = ctx.profiles.check(&consent, &Against::default()).map_err(|found| Error::No(No::Invalid, found.0))?;
    let partners = ctx.partners().await?;
    let desk = Desk { ctx, partners: &partners };
    let mut record = record::start(ctx, caller, request, "revoke", format!("Consent/{}", stored.id));
    record.released.push(audit::Disclosure {
        key: format!("Consent/{}", stored.id),
        version: stored.version + 1,
        party: stored.origin.clone(),
        patient: stored.patient.clone(),
        why: "written",
        decision: None,
    });
    let place = place::of(ctx, valid.resource(), stored.bucket, &stored.origin);
    let mut tx = ctx.store.begin().await?;
    let mut homes = Vec::new();
    for patient in &place.patients {
        let home = tx.bucket_of("Patient", patient).await?.unwrap_or(stored.bucket);
        tx.move_epoch(home, patient).await?;
        homes.push((home, patient.clone()));
    }
    if !tx.put(&valid, &place, Some(stored.version)).await? {
        return Err(super::submit::lost_race("Consent", &stored.id));
    }
    worklist::file(ctx, &mut tx, &partners, (stored.bucket, &stored.origin), valid.resource()).await?;
    deed::witness(ctx, &mut tx, caller, stored, stored.version + 1, ("revoke", reason), at).await?;
    for (home, patient) in homes {
        desk.turned(&mut tx, home, &patient, &mut record).await?;
    }
    tx.record(&record::row(&record, Some(stored.bucket))).await?;
    tx.commit().await?;
    let written = ctx.store.for_decision("Consent", &stored.id).await?;
    written.ok_or_else(|| Error::unknown("Consent", &stored.id))
}

/// What left under a Consent, in the words of the records that this caller may read, newest first.
async fn disclosed(ctx: &Context, caller: &Caller, consent: &Stored) -> Result<(Vec<Disclosed>, bool), Error> {
    let under = format!("Consent/{}/_history/", consent.id);
    let party = Some(caller.partner().to_string());
    let filter = LogFilter { party, patient: consent.patient.clone(), limit: RECORDS_MAX, ..LogFilter::default() };
    let rows = ctx.store.log(&filter).await?;
    let mut more = rows.len() == RECORDS_MAX;
    let mut found = Vec::new();
    for row in rows.iter().filter(|row| row.body.contains(&under)) {
        let Some(seen) = audit::seen_by(caller.partner(), &row.body) else { continue };
        let record = Element::new(&seen);
        for entry in record.each("released") {
            let rules = entry.get("decision");
            let carried = rules.each("reasons").any(|reason| {
                reason.text("effect") == Some("permit")
                    && reason.text("consent").is_some_and(|said| said.starts_with(&under))
            });
            if !carried {
                continue;
            }
            if found.len() == LISTED_MAX {
                more = true;
                break;
            }
            // What was referred or delivered went to the partner that the entry names.
            let to = match entry.text("why") {
                Some("referred") => entry.text("party"),
                _ => record.text("partner"),
            };
            let version = entry.get("version").value().and_then(Value::as_i64).unwrap_or(0);
            found.push(Disclosed {
                to: format!("Organization/{}", to.unwrap_or("")),
                what: format!("{}/_history/{version}", entry.text("key").unwrap_or("")),
                at: row.at,
            });
        }
    }
    Ok((found, more))
}
