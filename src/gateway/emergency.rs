//! Breaking the glass (consent.md section 6): a declaration for one person that stands for fifteen minutes.
//!
//! A client or user with the role `btg` of a clinic declares; requests that name the declaration in the header
//! `X-Emergency-Access` are then decided under it, and under nothing else: one that does not stand refuses the whole
//! request. Each is alerted of in the transaction that discloses: a review item for the compliance of who declared, one
//! for each partner whose data were opened. Declarations are rows, so that every node knows them.

use std::collections::BTreeSet;

use crate::audit;
use crate::auth::Caller;
use crate::consent::{Action, EMERGENCY_ROLE, Emergency, LASTS_SECS};
use crate::fhir::interaction::Interaction;
use crate::fhir::reference::is_id;
use crate::fhir::{Element, Instant, Issue};
use crate::partner::Kind;
use crate::store::{Declared, Fault, Stored, Work, WorkState};

use super::leave::Leave;
use super::record::{self, Request};
use super::{Asking, Context, Error, No, person, read, worklist};

/// Where a request names the declaration under which it is asked.
pub const EMERGENCY_HEADER: &str = "x-emergency-access";
const REASON_MAX: usize = 500;
/// Most of a person's resources that are looked at to say whether some are restricted.
const LOOKED_AT_MAX: usize = 2_000;

/// A declaration that was made.
#[derive(Clone, Debug)]
pub struct Declaration {
    pub id: String,
    pub patient: String,
    pub until: Instant,
}

/// Declares an emergency of one person.
///
/// # Errors
/// Not yours, for who has not the role or is no clinic; what is wrong with the reason; unknown, for nobody and for whom
/// a victim service brought in.
pub async fn declare(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    patient: &str,
    reason: &str,
) -> Result<Declaration, Error> {
    entitled(ctx, caller).await?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX {
        let text = format!("`reason`: expected the nature of the emergency, in 1 to {REASON_MAX} characters");
        return Err(Error::one(
            No::Invalid,
            Issue::error("required", "emergency-reason", text).at("Parameters.parameter"),
        ));
    }
    let stored = known(ctx, caller, request, patient).await?;
    let now = ctx.now();
    let declared = Declared {
        id: ctx.ids.unlinkable(),
        bucket: stored.bucket,
        patient: patient.to_string(),
        partner: caller.partner().to_string(),
        subject: caller.subject().to_string(),
        reason: reason.to_string(),
        at: now,
    };
    let caller = caller.clone().in_emergency(as_asked(&declared));
    let mut record = record::start(ctx, &caller, request, "emergency-access", format!("Patient/{patient}"));
    record.patient = Some(patient.to_string());
    let mut tx = ctx.store.begin().await?;
    tx.declare(&declared).await?;
    tx.put_work(&review(&declared.id, caller.partner(), &record, stored.bucket, reason, BTreeSet::new())).await?;
    tx.record(&record::row(&record, Some(stored.bucket))).await?;
    tx.commit().await?;
    Ok(Declaration { id: declared.id, patient: declared.patient, until: now.plus_secs(LASTS_SECS) })
}

/// Whether there is something of a person that the caller does not see: for who may break the glass alone, and never of
/// what a victim service brought in.
///
/// # Errors
/// As [`declare`].
pub async fn restricted(ctx: &Context, caller: &Caller, request: &Request, patient: &str) -> Result<bool, Error> {
    entitled(ctx, caller).await?;
    known(ctx, caller, request, patient).await?;
    let agencies = ctx.agencies().await?;
    let is_shelter = |origin: &str| agencies.shelters.iter().any(|shelter| shelter == origin);
    let mut leave = Leave::new(ctx, Asking::new(caller, Action::Access));
    let mut restricted = false;
    for row in ctx.store.record_of(patient, LOOKED_AT_MAX).await? {
        if restricted || leave.is_by_right(&row) || person::is_control(&row.kind) || is_shelter(&row.origin) {
            continue;
        }
        if let Some(resource) = row.as_resource() {
            restricted = !leave.decide(resource).await?.permits();
        }
    }
    let mut record = record::start(ctx, caller, request, "emergency-access", format!("Patient/{patient}"));
    record.patient = Some(patient.to_string());
    record::keep(ctx, &record).await?;
    Ok(restricted)
}

/// The caller under the declaration that a request names.
///
/// # Errors
/// Not yours, for one that is not there, another's, or over: the whole request is refused.
pub async fn under(ctx: &Context, caller: Caller, request: &Request, id: &str) -> Result<Caller, Error> {
    let found = if is_id(id) { ctx.store.declared(id).await? } else { None };
    let stands = |one: &Declared| {
        one.partner == caller.partner()
            && one.subject == caller.subject()
            && one.at <= ctx.now()
            && ctx.now() < one.at.plus_secs(LASTS_SECS)
    };
    let found = match entitled(ctx, &caller).await {
        Ok(()) => found.filter(stands),
        Err(Error::No(..)) => None,
        Err(fault) => return Err(fault),
    };
    if let Some(declared) = found {
        return Ok(caller.in_emergency(as_asked(&declared)));
    }
    let mut record = record::start(ctx, &caller, request, "emergency-access", "refused".to_string());
    let (key, why) = ("emergency".to_string(), "not-standing".to_string());
    record.refused.push(audit::Refusal { key, why, party: None, patient: None, decision: None });
    record::keep(ctx, &record).await?;
    let text = "`X-Emergency-Access`: expected a declaration of your own that stands; nothing was asked without it";
    Err(Error::one(No::NotYours, Issue::error("forbidden", "emergency", text)))
}

/// Under a declaration, only what is about its one person may be asked.
///
/// # Errors
/// That it is about somebody else, or about several.
pub fn only(caller: &Caller, patient: Option<&str>) -> Result<(), Error> {
    let Some(declared) = caller.emergency() else { return Ok(()) };
    let about = patient.map(|id| format!("Patient/{id}"));
    if about.is_some() && about == declared.patient {
        return Ok(());
    }
    let text = "under `X-Emergency-Access` only the person of the declaration is asked about: read by id, or search with `patient`";
    Err(Error::one(No::NotYours, Issue::error("forbidden", "emergency", text)))
}

/// Writes the record of a request under a declaration, with the alerts that follow from what it disclosed.
pub(super) async fn keep(ctx: &Context, record: &audit::Record) -> Result<(), Fault> {
    let mut tx = ctx.store.begin().await?;
    let mut opened: BTreeSet<&str> = BTreeSet::new();
    let mut owed: BTreeSet<String> = BTreeSet::new();
    for shown in &record.released {
        let said = shown.decision.as_ref().map(Element::new);
        let duties: Vec<&str> =
            said.map(|said| said.each("obligations").filter_map(Element::as_str).collect()).unwrap_or_default();
        if duties.contains(&"alert-privacy-officer") {
            opened.insert(&shown.party);
            owed.extend(duties.into_iter().filter(|code| *code == "notify-programme").map(str::to_string));
        }
    }
    let row = record::row(record, None);
    let reason = record.emergency.as_deref().unwrap_or("");
    for partner in opened.into_iter().filter(|partner| **partner != record.partner) {
        // One for each disclosure of a minute would bury the others: one for each person, who asked, and hour.
        let about = format!("{}.{}.{}", record.subject, record.patient().unwrap_or(""), record.at.as_secs() / 3_600);
        tx.put_work(&review(&about, partner, record, 0, reason, owed.clone())).await?;
    }
    tx.record(&row).await?;
    tx.commit().await
}

fn review(
    about: &str,
    partner: &str,
    record: &audit::Record,
    bucket: i64,
    reason: &str,
    owed: BTreeSet<String>,
) -> Work {
    let owed: Vec<String> = owed.into_iter().collect();
    let owed = if owed.is_empty() { String::new() } else { format!(" ({})", owed.join(", ")) };
    Work {
        bucket,
        about: about.to_string(),
        what: worklist::EMERGENCY.to_string(),
        partner: partner.to_string(),
        patient: record.patient().unwrap_or("").to_string(),
        detail: format!("{} of {}: {reason}{owed}", record.subject, record.partner),
        at: record.at,
        due_at: record.at,
        state: WorkState::Open,
        closed_by: None,
    }
}

/// Who may declare: the role, at a clinic, with a purpose of treatment in emergencies.
async fn entitled(ctx: &Context, caller: &Caller) -> Result<(), Error> {
    let clinic = ctx.partner(caller.partner()).await?.is_some_and(|partner| partner.kind == Kind::Clinic);
    if clinic && caller.may_break_glass() && caller.may(Interaction::Read, "Patient") {
        return Ok(());
    }
    let text =
        format!("an emergency is declared by a clinic's client or user that is registered with `{EMERGENCY_ROLE}`");
    Err(Error::one(No::NotYours, Issue::error("forbidden", "emergency", text)))
}

/// The Patient, if there is one that this may be asked about.
async fn known(ctx: &Context, caller: &Caller, request: &Request, patient: &str) -> Result<Stored, Error> {
    read::allowed(ctx, caller, Interaction::Read, "Patient")?;
    let agencies = ctx.agencies().await?;
    let is_shelter = |origin: &str| agencies.shelters.iter().any(|shelter| shelter == origin);
    let stored = if is_id(patient) { ctx.store.for_decision("Patient", patient).await? } else { None };
    match stored {
        Some(stored) if !stored.deleted && !is_shelter(&stored.origin) => Ok(stored),
        found => {
            let mut record = record::start(ctx, caller, request, "emergency-access", format!("Patient/{patient}"));
            let (key, why) =
                (format!("Patient/{patient}"), if found.is_some() { "deny" } else { "unknown" }.to_string());
            let party = found.as_ref().map(|stored| stored.origin.clone());
            let about = found.and_then(|stored| stored.patient);
            record.refused.push(audit::Refusal { key, why, party, patient: about, decision: None });
            record::keep(ctx, &record).await?;
            Err(Error::unknown("Patient", patient))
        }
    }
}

fn as_asked(declared: &Declared) -> Emergency {
    let patient = Some(format!("Patient/{}", declared.patient));
    Emergency { reason: declared.reason.clone(), asked_for: patient.clone(), patient, declared_at: Some(declared.at) }
}
