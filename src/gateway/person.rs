//! A person's grounds: the consents that decide about them, and whom to believe.
//!
//! Decides which of what partners filed counts (rules.md 17, 20), puts the questions, and turns the answers for one
//! person or many into a reach.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::auth::Caller;
use crate::consent::{
    Action, Atom, Condition, Decision, DefaultPolicy, Directive, Directives, Facts, People, Policy, Question, Reach,
    Recipient, Residual, World, decide, specialise,
};
use crate::fhir::{Instant, Resource};
use crate::partner::{Kind, Partner};
use crate::store::{Fault, Stored, Tx};

use super::Context;
use super::enroll::OPERATOR;

/// Most resources that one reach names one by one, because SQL cannot carry what is permitted of a person's record;
/// beyond it people are withheld, and the answer says so (rules.md 26).
const KEYS_MAX: usize = 4_000;

/// Who asks, or for whom it is asked, why and what for.
#[derive(Clone, Debug)]
pub struct Asking {
    pub partner: String,
    pub purposes: Vec<String>,
    pub action: Action,
}

impl Asking {
    pub fn new(caller: &Caller, action: Action) -> Asking {
        Asking { partner: caller.partner().to_string(), purposes: caller.purposes().to_vec(), action }
    }
}

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

/// Types that every authenticated caller reads (rules.md 2).
pub fn is_directory(kind: &str) -> bool {
    crate::consent::is_directory(kind)
}

/// Types that no consent opens (rules.md 17 to 19).
pub fn is_control(kind: &str) -> bool {
    matches!(kind, "Consent" | "AuditEvent" | "Provenance" | "Subscription")
}

/// The ids of the patients whom a resource is about, the first one giving it its bucket.
pub fn patients(resource: &Resource) -> Vec<String> {
    let named = Facts::patients_of(resource);
    named.iter().filter_map(|key| key.strip_prefix("Patient/")).map(str::to_string).collect()
}

/// The grounds for one resource: those of everyone it names.
pub async fn grounds_for(ctx: &Context, resource: &Resource) -> Result<Grounds, Fault> {
    grounds_of(ctx, &patients(resource)).await
}

pub async fn grounds_of(ctx: &Context, patients: &[String]) -> Result<Grounds, Fault> {
    Ok(Grounds::build(ctx, &ctx.partners().await?, rows_of(ctx, patients).await?))
}

async fn rows_of(ctx: &Context, patients: &[String]) -> Result<Vec<Stored>, Fault> {
    let mut rows = Vec::new();
    for patient in patients {
        rows.extend(ctx.store.grounds(patient).await?);
    }
    Ok(rows)
}

/// What answers where no consent speaks.
fn default(ctx: &Context) -> DefaultPolicy {
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
    fn build(ctx: &Context, partners: &[Partner], rows: Vec<Stored>) -> Grounds {
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

    /// What of one person's record is permitted.
    fn residual(&self, ctx: &Context, asking: &Asking, patient: &str) -> Residual {
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
        let origins: Vec<(&str, &str)> = rows
            .clone()
            .filter(|row| row.kind == "Patient")
            .map(|row| (row.id.as_str(), row.origin.as_str()))
            .collect();
        let mut directives = Vec::new();
        for row in rows {
            let of_person =
                origins.iter().find(|(id, _)| Some(*id) == row.patient.as_deref()).map(|(_, origin)| *origin);
            let believed = row.origin == OPERATOR || of_person == Some(row.origin.as_str());
            let Some(mut resource) = row.resource() else { continue };
            if row.kind == "Consent" {
                let directive = Directive::read(&resource);
                // A permit of somebody else's opens that somebody's own data; a deny of anybody's counts.
                let own = format!("Organization/{}", row.origin);
                directives.push(if believed { directive } else { directive.opens_only(&own) });
            } else if believed {
                // A link is one side's word until it is confirmed (rules.md 20, 21); nothing confirms one yet.
                resource.remove("link");
                world.add(resource);
            }
        }
        let policy = Policy::with_default(default(ctx));
        let people = People::of(directives, &world, &policy);
        Ground { world, people }
    }
}

fn question(ctx: &Context, world: &World, asking: &Asking) -> Question {
    Question {
        recipient: Recipient::of(world, &format!("Organization/{}", asking.partner), None, &[]),
        purposes: asking.purposes.clone(),
        action: asking.action,
        at: ctx.now(),
        zone: ctx.zone.clone(),
        emergency: None,
    }
}

/// The reach that shows one resource which was just decided: its people, and it alone.
pub fn just(resource: &Resource) -> Vec<(String, Condition)> {
    let key = Condition::Is(Atom::Key(BTreeSet::from([resource.key()])));
    patients(resource).into_iter().map(|patient| (patient, key.clone())).collect()
}

/// The reach that needs no consent: what is a partner's own, and the directory.
pub async fn own(ctx: &Context, partner: &str) -> Result<Reach, Fault> {
    let partners = ctx.partners().await?;
    let shelters = partners.iter().filter(|one| one.kind == Kind::VictimService).map(|one| one.id.clone());
    Ok(Reach::of(partner, Vec::new(), false).masking(shelters.collect()))
}

/// What the asker may see of some types, of one person or of everybody.
pub async fn reach(
    ctx: &Context,
    asking: &Asking,
    kinds: &[String],
    patient: Option<&str>,
) -> Result<(Reach, Grounds), Fault> {
    let decided: Vec<&str> =
        kinds.iter().map(String::as_str).filter(|kind| !is_directory(kind) && !is_control(kind)).collect();
    if decided.is_empty() {
        return own_alone(ctx, asking, false).await;
    }
    match patient {
        Some(patient) => about(ctx, asking, &decided, patient).await,
        None => reach_of_all(ctx, asking).await,
    }
}

/// What the asker may see of any type, of everybody.
pub async fn reach_of_all(ctx: &Context, asking: &Asking) -> Result<(Reach, Grounds), Fault> {
    let (patients, withheld) = people(ctx, asking).await?;
    reach_of(ctx, asking, patients, withheld).await
}

/// What the asker may see of any type that names one person.
pub async fn reach_of_one(ctx: &Context, asking: &Asking, patient: &str) -> Result<(Reach, Grounds), Fault> {
    about(ctx, asking, &[], patient).await
}

/// What the asker may see of any type, of these people and of the directory.
pub async fn reach_of(
    ctx: &Context,
    asking: &Asking,
    patients: Vec<String>,
    withheld: bool,
) -> Result<(Reach, Grounds), Fault> {
    let rows = rows_of(ctx, &patients).await?;
    if is_silent(ctx, &rows) {
        return own_alone(ctx, asking, withheld).await;
    }
    share(ctx, asking, patients, rows, withheld).await
}

/// What the asker may see of one person, in these types or, without any, in all.
async fn about(ctx: &Context, asking: &Asking, kinds: &[&str], patient: &str) -> Result<(Reach, Grounds), Fault> {
    let mut rows = ctx.store.grounds(patient).await?;
    if is_silent(ctx, &rows) {
        // Everyone whom a resource names must permit (R11), and this one is named in all that is searched.
        return own_alone(ctx, asking, false).await;
    }
    let beside = ctx.store.named_beside(kinds, patient, ctx.config.consent.people_max).await?;
    rows.extend(rows_of(ctx, &beside).await?);
    let patients = std::iter::once(patient.to_string()).chain(beside).collect();
    share(ctx, asking, patients, rows, false).await
}

/// Under `deny`, where nobody has said anything there is nothing to work out, and nothing but one's own to see.
fn is_silent(ctx: &Context, rows: &[Stored]) -> bool {
    default(ctx) == DefaultPolicy::Deny && !rows.iter().any(|row| row.kind == "Consent")
}

async fn own_alone(ctx: &Context, asking: &Asking, withheld: bool) -> Result<(Reach, Grounds), Fault> {
    let own = own(ctx, &asking.partner).await?;
    Ok((own.over(Vec::new(), withheld), Grounds::build(ctx, &[], Vec::new())))
}

/// What each of these people permits.
async fn share(
    ctx: &Context,
    asking: &Asking,
    patients: Vec<String>,
    rows: Vec<Stored>,
    mut withheld: bool,
) -> Result<(Reach, Grounds), Fault> {
    let own = own(ctx, &asking.partner).await?;
    let mut budget = KEYS_MAX;
    let grounds = Grounds::build(ctx, &ctx.partners().await?, rows);
    let mut shares = Vec::new();
    for patient in patients {
        let condition = match grounds.residual(ctx, asking, &patient).condition() {
            Condition::Never => continue,
            condition if condition.is_plain() => condition,
            _ => match worked_out(ctx, &grounds, asking, &patient, budget).await? {
                Some(condition) => condition,
                None => {
                    withheld = true;
                    continue;
                }
            },
        };
        budget = budget.saturating_sub(condition.keys());
        shares.push((patient, condition));
    }
    Ok((own.over(shares, withheld), grounds))
}

/// Whose consents may concern the asker, up to the bound; whether somebody was left out.
async fn people(ctx: &Context, asking: &Asking) -> Result<(Vec<String>, bool), Fault> {
    let bound = ctx.config.consent.people_max;
    let mut recipients = vec!["*".to_string(), asking.partner.clone()];
    let partners = ctx.partners().await?;
    let parent = |id: &str| partners.iter().find(|one| one.id == id).and_then(|one| one.part_of.clone());
    let mut next = parent(&asking.partner);
    while let Some(id) = next.filter(|id| !recipients.contains(id)) {
        next = parent(&id);
        recipients.push(id);
    }
    // Under an opened default, who filed no consent at all is concerned too.
    let mut patients = if default(ctx) != DefaultPolicy::Deny {
        ctx.store.people(bound + 1).await?
    } else {
        ctx.store.people_who_name(&recipients, bound + 1).await?
    };
    let withheld = patients.len() > bound;
    patients.truncate(bound);
    Ok((patients, withheld))
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
    let rows = ctx.store.record_of(patient, budget + 1).await?;
    if rows.len() > budget {
        return Ok(None);
    }
    let residual = grounds.residual(ctx, asking, patient);
    let mut keys = BTreeSet::new();
    for resource in rows.iter().filter_map(Stored::resource) {
        // Of several people each one's share is asked by itself: the store wants all of them.
        let facts = Facts::of(&resource, &grounds.about(&resource).world);
        if residual.decide(&facts).permits() {
            keys.insert(resource.key());
        }
    }
    Ok(Some(Condition::is(Atom::Key(keys))))
}
