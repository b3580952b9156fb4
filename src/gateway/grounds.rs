//! A person's grounds: the consents that decide about them, and whom to believe.

use std::collections::HashMap;
use std::sync::Arc;

use crate::consent::{Decision, DefaultPolicy, Directives, Facts, People, Policy, Residual, World, decide, specialise};
use crate::fhir::{Instant, Resource};
use crate::partner::Partner;
use crate::store::{Fault, Stored, Tx};

use super::believe::believed;
use super::person::{patients, question};
use super::{Asking, Context};

/// What decisions about some people are made from.
///
/// Each person's grounds are their own: what one person's record says, of teams, links or consents, has no say about
/// another. Only a resource that names several is decided on all of theirs together (R11).
pub struct Grounds {
    each: HashMap<String, Ground>,
    together: Ground,
}

/// Consents, and the people, teams and agencies that they point at.
struct Ground {
    world: World,
    people: People,
}

/// The grounds for one resource: those of everyone it names.
pub async fn grounds_for(ctx: &Context, resource: &Resource) -> Result<Grounds, Fault> {
    grounds_of(ctx, &patients(resource)).await
}

pub async fn grounds_of(ctx: &Context, patients: &[String]) -> Result<Grounds, Fault> {
    Ok(Grounds::build(ctx, &ctx.partners().await?, rows_of(ctx, patients).await?))
}

pub async fn rows_of(ctx: &Context, patients: &[String]) -> Result<Vec<Stored>, Fault> {
    let mut rows = Vec::new();
    for patient in patients {
        rows.extend(ctx.store.grounds(patient).await?);
    }
    Ok(rows)
}

/// What answers where no consent speaks.
pub fn default(ctx: &Context) -> DefaultPolicy {
    DefaultPolicy::named(&ctx.config.consent.default).unwrap_or(DefaultPolicy::Deny)
}

/// As [`grounds_of`], seeing what a transaction wrote.
pub async fn grounds_within(
    ctx: &Context,
    tx: &mut Tx,
    partners: &[Partner],
    bucket: i64,
    patients: &[String],
) -> Result<Grounds, Fault> {
    let mut rows = Vec::new();
    for patient in patients {
        let home = tx.bucket_of("Patient", patient).await?.unwrap_or(bucket);
        rows.extend(tx.grounds(home, patient).await?);
    }
    Ok(Grounds::build(ctx, partners, rows))
}

impl Grounds {
    pub fn build(ctx: &Context, partners: &[Partner], rows: Vec<Stored>) -> Grounds {
        let agencies = Arc::new(World::new(partners.iter().map(Partner::organization).collect()));
        let mut of_each: HashMap<String, Vec<&Stored>> = HashMap::new();
        for row in &rows {
            of_each.entry(row.patient.clone().unwrap_or_default()).or_default().push(row);
        }
        let together = Ground::build(ctx, &agencies, rows.iter());
        let each =
            of_each.into_iter().map(|(patient, rows)| (patient, Ground::build(ctx, &agencies, rows.into_iter())));
        Grounds { each: each.collect(), together }
    }

    /// What decides about a resource: its person's grounds, or those of all whom it names.
    fn about(&self, resource: &Resource) -> &Ground {
        match patients(resource).as_slice() {
            [one] => self.each.get(one).unwrap_or(&self.together),
            _ => &self.together,
        }
    }

    pub fn decide(&self, ctx: &Context, asking: &Asking, resource: &Resource) -> Decision {
        let Ground { world, people } = self.about(resource);
        decide(people, world, &question(ctx, world, asking), &Facts::of(resource, world))
    }

    /// What that is laid over: whom the consents point at.
    pub fn world_of(&self, resource: &Resource) -> &World {
        &self.about(resource).world
    }

    /// The consents of everybody whom a resource names, for a question of one's own.
    pub fn people_of(&self, resource: &Resource) -> &People {
        &self.about(resource).people
    }

    /// What of one person's record is permitted.
    pub fn residual(&self, ctx: &Context, asking: &Asking, patient: &str) -> Residual {
        let Ground { world, people } = self.each.get(patient).unwrap_or(&self.together);
        let (key, question) = (format!("Patient/{patient}"), question(ctx, world, asking));
        match people.get(&key) {
            Some(directives) => specialise(directives, world, &question),
            None => specialise(&Directives::of(&key, Vec::new(), world, people.policy()), world, &question),
        }
    }

    /// When time alone would change what is decided about a person.
    pub fn changes_at(&self, ctx: &Context, asking: &Asking, patient: &str) -> Option<Instant> {
        self.residual(ctx, asking, patient).changes_at()
    }
}

impl Ground {
    fn build<'r>(ctx: &Context, agencies: &Arc<World>, rows: impl Iterator<Item = &'r Stored> + Clone) -> Ground {
        let mut world = World::over(agencies.clone());
        let directives = believed(rows, &mut world);
        let policy = Policy::with_default(default(ctx));
        let people = People::of(directives, &world, &policy);
        Ground { world, people }
    }
}
