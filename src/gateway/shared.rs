//! What may enter the store that partners share: of some partners, nothing about a person without that person's
//! time-limited release (consent.md section 5, "Beyond one decision").
//!
//! Which partners, and what a release must have, is data (`discretion` of the regimes). A release may come in the same
//! transaction. Taking away needs none: a deletion, a Consent, the end of a referral.

use std::collections::HashMap;

use crate::consent::{Directive, Directives, Policy, World};
use crate::fhir::{Issue, Resource};

use super::agencies::Agencies;
use super::believe::believed;
use super::plan::Planned;
use super::transition::is_over;
use super::{Context, Error, grounds, person};

/// Every resource that is not released into the shared store, with what would be accepted, by its place in the list.
pub async fn check(ctx: &Context, planned: &[Planned]) -> Result<Vec<(usize, Issue)>, Error> {
    let agencies = ctx.agencies().await?;
    let (partners, regimes) = (&agencies.partners, &agencies.regimes);
    let mut people_known: HashMap<String, (World, Directives)> = HashMap::new();
    let mut issues = Vec::new();
    for (at, one) in planned.iter().enumerate() {
        let Some(resource) = one.resource.as_ref().filter(|resource| is_record(resource)) else { continue };
        let of = partners.iter().find(|partner| partner.id == one.origin);
        let discretion = of.and_then(|of| regimes.discretion(of.kind.code(), &of.regimes));
        let Some(shared) = discretion.and_then(|discretion| discretion.shared.as_ref()) else { continue };
        let people = person::patients(resource);
        let mut released = !people.is_empty();
        for patient in &people {
            if !people_known.contains_key(patient) {
                people_known.insert(patient.clone(), known(ctx, &agencies, planned, patient).await?);
            }
            let released_by =
                |(world, person): &(World, Directives)| shared.is_released(person, world, ctx.now(), &ctx.zone);
            released &= people_known.get(patient).is_some_and(released_by);
        }
        if !released {
            let issue = Issue::error("business-rule", "release-required", shared.text.clone());
            issues.push((at, issue.at(resource.kind())));
        }
    }
    Ok(issues)
}

/// Whether it says something of a person's that was not to be taken back.
fn is_record(resource: &Resource) -> bool {
    let ends = resource.kind() == "Task" && is_over(resource.root().text("status").unwrap_or(""));
    let about = !person::is_directory(resource.kind()) && !person::is_control(resource.kind());
    about && !ends && (!person::patients(resource).is_empty() || resource.kind() == "RelatedPerson")
}

/// What is on file of a person, and what comes with the same request.
async fn known(
    ctx: &Context,
    agencies: &Agencies,
    planned: &[Planned],
    patient: &str,
) -> Result<(World, Directives), Error> {
    let key = format!("Patient/{patient}");
    let rows = ctx.store.grounds(patient).await?;
    let mut world = World::over(agencies.world.clone());
    let mut directives = believed(rows.iter(), &mut world);
    for resource in planned.iter().filter_map(|one| one.resource.as_ref()) {
        match resource.kind() {
            "Consent" => directives.push(Directive::read(resource)),
            "Patient" | "RelatedPerson" => world.add(resource.clone()),
            _ => {}
        }
    }
    let policy = Policy::with_default(grounds::default(ctx)).under(agencies.regimes.clone());
    let person = Directives::of(&key, directives, &world, &policy);
    Ok((world, person))
}
