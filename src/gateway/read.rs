//! Reading by id: one resource, one version.
//!
//! Own data and the directory are settled first; only then is a question put. What does not exist and what may not
//! be known end in the same words (rules.md 8), and both are in the log.

use crate::audit::{Disclosure, Record, Refusal};
use crate::auth::Caller;
use crate::consent::{Action, Decision, Released};
use crate::fhir::Resource;
use crate::fhir::interaction::Interaction;
use crate::fhir::reference::is_id;
use crate::fhir::view::View;
use crate::store::{Fault, Stored};

use super::leave::{Leave, Leaving};
use super::record::{self, Request};
use super::{Asking, Context, Error, No, grounds, person, provenance, reach};

/// A resource as this caller sees it.
pub struct Seen {
    pub stored: Stored,
    pub why: &'static str,
    decision: Option<Decision>,
}

/// One version, ready to be answered.
pub struct Version {
    pub kind: String,
    pub id: String,
    pub version: i64,
    pub updated_at: crate::fhir::Instant,
    /// `None` for a deletion.
    pub body: Option<Released>,
}

impl Version {
    /// The part of it that was asked for.
    #[must_use]
    pub fn seen_as(self, ctx: &Context, view: &View) -> Version {
        if *view == View::Whole {
            return self;
        }
        let Version { kind, body, .. } = self;
        let body = body.zip(ctx.profiles.outline(&kind)).and_then(|(body, outline)| body.seen_as(view, &outline));
        Version { kind, body, ..self }
    }
}

/// The current version.
///
/// # Errors
/// Unknown, or gone for who could see the last version.
pub async fn read(ctx: &Context, caller: &Caller, request: &Request, kind: &str, id: &str) -> Result<Version, Error> {
    allowed(ctx, caller, Interaction::Read, kind)?;
    let mut record = record::start(ctx, caller, request, "read", format!("{kind}/{id}"));
    let Some(seen) = look(ctx, caller, kind, id, &mut record).await? else {
        record::keep(ctx, &record).await?;
        return Err(Error::unknown(kind, id));
    };
    record::keep(ctx, &record).await?;
    if seen.stored.deleted { Err(gone(kind, id)) } else { seen.version(ctx, caller).await }
}

/// One version, whether current or not.
///
/// # Errors
/// As [`read`]; a version that never was is unknown too.
pub async fn vread(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    kind: &str,
    id: &str,
    version: &str,
) -> Result<Version, Error> {
    allowed(ctx, caller, Interaction::Vread, kind)?;
    let mut record = record::start(ctx, caller, request, "vread", format!("{kind}/{id}"));
    let seen = look(ctx, caller, kind, id, &mut record).await?;
    let found = match (&seen, number(version)) {
        (Some(seen), Some(version)) if seen.stored.version != version => earlier(ctx, caller, seen, version).await?,
        (Some(seen), Some(_)) if seen.stored.deleted => {
            record::keep(ctx, &record).await?;
            return Err(gone(kind, id));
        }
        (Some(seen), Some(_)) => Some(seen.with(seen.stored.clone()).version(ctx, caller).await?),
        _ => None,
    };
    // A view has the versions in which it changed (rules.md 9).
    let found = found.filter(|found| number(version) == Some(found.version));
    // What is released is that version, not the one that is current.
    match (&found, record.released.pop()) {
        (Some(found), Some(released)) => record.released.push(Disclosure { version: found.version, ..released }),
        (None, Some(Disclosure { key, party, patient, .. })) => {
            let why = "not-opened".to_string();
            record.refused.push(Refusal { key, patient, party: Some(party), why, decision: None });
        }
        _ => {}
    }
    record::keep(ctx, &record).await?;
    found.ok_or_else(|| Error::unknown(kind, &format!("{id}/_history/{version}")))
}

/// A version as we write it: `1`, and neither `+1` nor `01`.
fn number(version: &str) -> Option<i64> {
    version.parse().ok().filter(|number: &i64| number.to_string() == version)
}

async fn earlier(ctx: &Context, caller: &Caller, seen: &Seen, version: i64) -> Result<Option<Version>, Error> {
    match ctx.store.vread(&seen.stored, version).await? {
        Some(older) => within(ctx, caller, seen.with(older)).await,
        None => Ok(None),
    }
}

/// An older version, decided by itself: labels and patients may have been others then. `None` hides it.
async fn within(ctx: &Context, caller: &Caller, mut seen: Seen) -> Result<Option<Version>, Error> {
    if seen.decision.is_some() {
        let Some(resource) = seen.stored.resource() else { return Ok(None) };
        let asking = Asking::new(caller, Action::Access);
        let decision = decided(ctx, &asking, &resource, None).await?;
        if !decision.permits() {
            return Ok(None);
        }
        seen.decision = Some(decision);
    }
    match seen.version(ctx, caller).await {
        // An older version that was somebody else's by right.
        Err(Error::No(No::Unknown, _)) => Ok(None),
        version => version.map(Some),
    }
}

/// What the caller sees of one id; what it does not see is noted in the record with the reason.
pub(super) async fn look(
    ctx: &Context,
    caller: &Caller,
    kind: &str,
    id: &str,
    record: &mut Record,
) -> Result<Option<Seen>, Error> {
    let key = format!("{kind}/{id}");
    if !is_id(id) {
        record.refused.push(Refusal { key, patient: None, party: None, why: "unknown".to_string(), decision: None });
        return Ok(None);
    }
    let refuse = |why: &str, stored: Option<&Stored>, decision: Option<&Decision>| Refusal {
        key: key.clone(),
        patient: stored.and_then(|stored| stored.patient.clone()),
        party: stored.map(|stored| stored.origin.clone()),
        why: why.to_string(),
        decision: decision.map(record::said),
    };
    // One look, whoever asks: the row, and the epoch at which it is decided.
    let Some((stored, epoch)) = ctx.store.with_epoch(kind, id).await? else {
        record.refused.push(refuse("unknown", None, None));
        return Ok(None);
    };
    let is_own = stored.belongs_to(caller.partner());
    if is_own || is_open_directory(ctx, kind, &stored).await? {
        let seen = Seen { stored, why: if is_own { "own" } else { "directory" }, decision: None };
        record.released.push(seen.disclosure(key));
        return Ok(Some(seen));
    }
    // A deletion is known to its own alone; neither control resources nor a shelter's entries are opened by consent.
    let is_opened = !person::is_control(kind) || kind == provenance::KIND;
    let is_open = !stored.deleted && is_opened && !person::is_directory(kind);
    let Some(resource) = stored.as_resource().filter(|_| is_open) else {
        record.refused.push(refuse("not-opened", Some(&stored), None));
        return Ok(None);
    };
    let decision = decided(ctx, &Asking::new(caller, Action::Access), resource, epoch).await?;
    if !decision.permits() {
        record.refused.push(refuse(decision.effect().name(), Some(&stored), Some(&decision)));
        return Ok(None);
    }
    let seen = Seen { stored, why: "consent", decision: Some(decision) };
    record.released.push(seen.disclosure(key));
    Ok(Some(seen))
}

/// Whether it is an entry of the directory that everyone reads (rules.md 2).
async fn is_open_directory(ctx: &Context, kind: &str, stored: &Stored) -> Result<bool, Error> {
    Ok(person::is_directory(kind) && !reach::own(ctx, "").await?.masks(kind, &stored.origin))
}

/// What is decided about one resource: by its people's consents, or for a Provenance by its targets. `epoch` came with
/// the row, for the person whom it names first.
async fn decided(ctx: &Context, asking: &Asking, resource: &Resource, epoch: Option<i64>) -> Result<Decision, Fault> {
    if resource.kind() == provenance::KIND {
        return provenance::decide(ctx, asking, resource).await;
    }
    let patients = person::patients(resource);
    let grounds = match (patients.as_slice(), epoch) {
        ([_], Some(_)) => grounds::grounds_at(ctx, &patients, &[epoch]).await?,
        _ => grounds::grounds_of(ctx, &patients).await?,
    };
    Ok(grounds.decide(ctx, asking, resource))
}

/// Whether the type exists here and the scopes cover it.
pub(super) fn allowed(ctx: &Context, caller: &Caller, interaction: Interaction, kind: &str) -> Result<(), Error> {
    if !ctx.profiles.knows(kind) {
        let text = format!("`{kind}` is not a resource type that is served here; /fhir/metadata lists those that are");
        return Err(Error::one(No::Unknown, crate::fhir::Issue::error("not-supported", "not-supported", text)));
    }
    if caller.may(interaction, kind) { Ok(()) } else { Err(Error::scopes(interaction.code(), kind)) }
}

pub(super) fn gone(kind: &str, id: &str) -> Error {
    let text = format!("`{kind}/{id}` was deleted");
    Error::one(No::Gone, crate::fhir::Issue::error("deleted", "deleted", text))
}

impl Seen {
    fn with(&self, stored: Stored) -> Seen {
        Seen { stored, why: self.why, decision: self.decision.clone() }
    }

    fn disclosure(&self, key: String) -> Disclosure {
        Disclosure {
            key,
            version: self.stored.version,
            party: self.stored.origin.clone(),
            patient: self.stored.patient.clone(),
            why: self.why,
            decision: self.decision.as_ref().map(record::said),
        }
    }

    /// As this caller sees it.
    pub(super) async fn version(self, ctx: &Context, caller: &Caller) -> Result<Version, Error> {
        let Seen { stored, decision, .. } = self;
        let (kind, id) = (stored.kind.clone(), stored.id.clone());
        let decided = match decision {
            Some(decision) => match stored.resource() {
                Some(resource) => Some((decision, resource)),
                None => return Err(Error::unknown(&kind, &id)),
            },
            None => None,
        };
        let left = Leave::new(ctx, Asking::new(caller, Action::Access)).show(stored, decided).await?;
        let Leaving { body, version, updated_at, .. } = left.ok_or_else(|| Error::unknown(&kind, &id))?;
        Ok(Version { kind, id, version, updated_at, body })
    }
}
