//! A deed on a Consent by somebody other than its text: the Provenance that says who did what and when, and who may.

use serde_json::json;

use crate::auth::Caller;
use crate::fhir::interaction::Interaction;
use crate::fhir::{Instant, Resource};
use crate::profile::Against;
use crate::store::{Fault, Stored, Tx};

use super::enroll::OPERATOR;
use super::{Context, Error, place};

const DEED: &str = "https://handoff.example/fhir/CodeSystem/consent-deed";

/// Whether the caller's token covers changing Consents; who works in the console's compliance pages is covered by the
/// role.
///
/// # Errors
/// That it does not.
pub fn covered(caller: &Caller) -> Result<(), Error> {
    let by_role = caller.is_operator() || caller.roles().iter().any(|role| role == "compliance");
    if by_role || caller.may(Interaction::Update, "Consent") {
        return Ok(());
    }
    Err(Error::scopes("update", "Consent"))
}

/// Writes the Provenance of a deed on one version of a Consent.
///
/// # Errors
/// What the database said.
pub async fn witness(
    ctx: &Context,
    tx: &mut Tx,
    caller: &Caller,
    consent: &Stored,
    version: i64,
    (deed, reason): (&'static str, Option<&str>),
    at: Instant,
) -> Result<(), Error> {
    let origin = if caller.is_operator() { OPERATOR } else { caller.partner() };
    let mut provenance = Resource::new("Provenance");
    provenance.set("target", json!([{"reference": format!("Consent/{}/_history/{version}", consent.id)}]));
    provenance.set("recorded", at.to_string());
    if let Some(reason) = reason {
        provenance.set("reason", json!([{"text": reason}]));
    }
    provenance.set("activity", json!({"coding": [{"system": DEED, "code": deed}]}));
    let who = json!({"reference": format!("Organization/{}", caller.partner())});
    provenance.set("agent", json!([{"who": who}]));
    let id = ctx.ids.in_bucket(consent.bucket, at);
    provenance.stamp(&id, 1, at, &format!("Organization/{origin}"));
    let valid = ctx.profiles.check(&provenance, &Against::default()).map_err(|outcome| {
        let first = outcome.0.first().map_or(String::new(), |issue| issue.text.clone());
        Fault::new("write a Provenance", first)
    })?;
    let place = place::of(ctx, valid.resource(), consent.bucket, origin);
    if !tx.put(&valid, &place, None).await? {
        return Err(Fault::new("write a Provenance", "its id is taken").into());
    }
    Ok(())
}
