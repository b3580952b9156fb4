//! How Consents are enforced, for whoever may know: `Consent/$enforcement-status`.
//!
//! Who filed or keeps a Consent, and the operator, read all of it: what of it is not enforced, what waits, what has
//! come in its place. A recipient learns of a person whom it sees that a policy is in force for it, or that none is, and
//! nothing of the rules for others (consent.md H32).

use crate::audit;
use crate::auth::Caller;
use crate::consent::{Directive, Recipient};
use crate::fhir::interaction::Interaction;
use crate::fhir::{Instant, Issue};
use crate::store::Stored;

use super::grounds::Grounds;
use super::record::{self, Request};
use super::{Context, Error, No, believe, read, revoke, worklist};

/// How one Consent stands now.
#[derive(Clone, Debug)]
pub struct Enforcement {
    /// `Consent/c1/_history/2`.
    pub version: String,
    pub status: String,
    pub in_force: bool,
    /// Why it is not: `not-active`, `not-privacy`, `not-begun`, `ended`, `no-evidence`, `replaced`.
    pub reasons: Vec<&'static str>,
    /// `Consent/c2`: what came in its place.
    pub replaced_by: Vec<String>,
    /// JSON pointers of what is not understood: a deny matches there, a permit does not.
    pub unenforced: Vec<String>,
    /// Its permits do not open others' data to who filed it, until they or the operator verify it.
    pub awaits_verification: bool,
    /// `Organization/x`; the exchange itself for everybody's data.
    pub verified_by: Vec<String>,
    pub ends: Option<Instant>,
}

/// One Consent, for who filed or keeps it and for the operator.
///
/// # Errors
/// Unknown for everybody else.
pub async fn enforcement(ctx: &Context, caller: &Caller, request: &Request, id: &str) -> Result<Enforcement, Error> {
    read::allowed(ctx, caller, Interaction::Read, "Consent")?;
    let stored = revoke::kept_by(ctx, caller, request, id, "enforcement-status").await?;
    let mut record = record::start(ctx, caller, request, "enforcement-status", format!("Consent/{id}"));
    record.released.push(audit::Disclosure {
        key: format!("Consent/{id}"),
        version: stored.version,
        party: stored.origin.clone(),
        patient: stored.patient.clone(),
        why: "own",
        decision: None,
    });
    record::keep(ctx, &record).await?;
    let patient = stored.patient.clone().unwrap_or_default();
    let found = standings(ctx, &patient).await?;
    let found = found.into_iter().find(|(of, _)| of.id == stored.id).map(|(_, standing)| standing);
    found.ok_or_else(|| {
        let text = "`Consent.patient`: names no Patient of this exchange, so that nothing of it is enforced";
        Error::one(No::Invalid, Issue::error("business-rule", "consent-without-patient", text).at("Consent.patient"))
    })
}

/// Whether a policy is in force for the caller, about a person whom it sees; and how the Consents stand that are the
/// caller's own to read.
///
/// # Errors
/// Unknown, for a Patient that the caller does not see.
pub async fn policy_in_force(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    patient: &str,
) -> Result<(bool, Vec<Enforcement>), Error> {
    read::allowed(ctx, caller, Interaction::Read, "Patient")?;
    let mut record = record::start(ctx, caller, request, "enforcement-status", format!("Patient/{patient}"));
    let seen = read::look(ctx, caller, "Patient", patient, &mut record).await?;
    record::keep(ctx, &record).await?;
    if seen.is_none_or(|seen| seen.stored.deleted) {
        return Err(Error::unknown("Patient", patient));
    }
    let organization = format!("Organization/{}", caller.partner());
    let house = Recipient::of(&ctx.agencies().await?.world, &organization, None, &[]).house();
    let mut in_force = false;
    let mut own = Vec::new();
    for (stored, standing) in standings(ctx, patient).await? {
        let means = stored.as_resource().is_some_and(|consent| Directive::read(consent).may_permit(&house));
        in_force |= standing.in_force && means;
        if stored.belongs_to(caller.partner()) && caller.may(Interaction::Read, "Consent") {
            own.push(standing);
        }
    }
    Ok((in_force, own))
}

/// All Consents of a person, as they stand now.
async fn standings(ctx: &Context, patient: &str) -> Result<Vec<(Stored, Enforcement)>, Error> {
    let rows = ctx.store.grounds(patient).await?;
    let partners = ctx.partners().await?;
    let grounds = Grounds::of_rows(ctx, &[patient.to_string()], &rows).await?;
    let Some(ground) = grounds.of(patient) else { return Ok(Vec::new()) };
    let patients_origin = rows.iter().find(|row| row.kind == "Patient").map(|row| row.origin.as_str());
    let mut found = Vec::new();
    for standing in ground.directives().standings(ground.world(), ctx.now(), &ctx.zone) {
        let of_it =
            |row: &&Stored| row.kind == "Consent" && standing.directive.key().strip_prefix("Consent/") == Some(&row.id);
        let Some(row) = rows.iter().find(of_it) else { continue };
        let verified = believe::verified_by(rows.iter(), row);
        let house = worklist::house_of(&partners, &row.origin);
        let waits = believe::waits(standing.directive, &row.origin, &house, patients_origin);
        let holder = |id: &String| if id == believe::EVERYBODY { "exchange".to_string() } else { id.clone() };
        let enforcement = Enforcement {
            version: standing.directive.version().to_string(),
            status: revoke::status(row).to_string(),
            in_force: standing.is_in_force(),
            unenforced: standing.directive.unenforced().to_vec(),
            awaits_verification: waits && !verified.contains(believe::EVERYBODY),
            verified_by: verified.iter().map(|id| format!("Organization/{}", holder(id))).collect(),
            reasons: standing.reasons,
            replaced_by: standing.replaced_by,
            ends: standing.ends,
        };
        found.push((row.clone(), enforcement));
    }
    Ok(found)
}
