//! A person's grounds: the consents that decide about them, and whom to believe.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::consent::{
    Decision, DefaultPolicy, Directives, Facts, Policy, Question, Residual, World, decide_by_all, specialise,
};
use crate::fhir::{Instant, Resource};
use crate::store::{Fault, Stored, Tx};

use super::agencies::Agencies;
use super::believe::believed;
use super::enroll::OPERATOR;
use super::person::{patients, question};
use super::{Asking, Context};

/// What decisions about some people are made from.
///
/// Each person's grounds are their own: what one person's record says, of teams, links or consents, has no say about
/// another. A resource that names several is decided by each, and all must permit (R11).
pub struct Grounds {
    agencies: Arc<Agencies>,
    each: HashMap<String, Arc<Ground>>,
}

/// One person's consents, and the people, teams and agencies that they point at.
pub struct Ground {
    /// `None` where the person has none, so that nothing is kept.
    epoch: Option<i64>,
    agencies: Arc<Agencies>,
    world: World,
    directives: Directives,
    bytes: usize,
    has_consent: bool,
    /// What remains of it for who has asked, and from when on that was so.
    residuals: Mutex<HashMap<Asking, (Instant, Arc<Residual>)>>,
}

/// Bytes that even a person counts for of whom nothing is on file.
const BARE: usize = 512;
/// Askers whose residuals are kept beside one person's grounds.
const ASKERS_MAX: usize = 64;

/// The grounds for one resource: those of everyone it names.
pub async fn grounds_for(ctx: &Context, resource: &Resource) -> Result<Grounds, Fault> {
    grounds_of(ctx, &patients(resource)).await
}

/// As they are now, whatever was kept of them.
pub async fn grounds_of(ctx: &Context, patients: &[String]) -> Result<Grounds, Fault> {
    let epochs = ctx.store.epochs(patients).await?;
    grounds_at(ctx, patients, &epochs).await
}

/// As they are at these epochs, which came with the data that is to be decided.
pub async fn grounds_at(ctx: &Context, patients: &[String], epochs: &[Option<i64>]) -> Result<Grounds, Fault> {
    let agencies = ctx.agencies().await?;
    let mut each = HashMap::with_capacity(patients.len());
    for (patient, epoch) in patients.iter().zip(epochs) {
        let kept = ctx.kept.get(patient).filter(|ground| ground.is_of(*epoch, &agencies));
        let ground = match kept {
            Some(ground) => ground,
            None => load(ctx, &agencies, patient, *epoch).await?,
        };
        each.insert(patient.clone(), ground);
    }
    Ok(Grounds { agencies, each })
}

/// As they were last known: to be used first and asked afterwards whether they are [`current`](Grounds::are_current).
pub async fn grounds_as_known(ctx: &Context, patients: &[String]) -> Result<Grounds, Fault> {
    let agencies = ctx.agencies().await?;
    let known = |patient: &String| ctx.kept.get(patient).filter(|ground| ground.is_by(&agencies));
    let each: Option<HashMap<String, Arc<Ground>>> =
        patients.iter().map(|patient| Some((patient.clone(), known(patient)?))).collect();
    match each {
        Some(each) => Ok(Grounds { agencies, each }),
        None => grounds_of(ctx, patients).await,
    }
}

/// As [`grounds_of`], seeing what a transaction wrote.
pub async fn grounds_within(ctx: &Context, tx: &mut Tx, bucket: i64, patients: &[String]) -> Result<Grounds, Fault> {
    let agencies = ctx.agencies().await?;
    let mut each = HashMap::with_capacity(patients.len());
    for patient in patients {
        let home = tx.bucket_of("Patient", patient).await?.unwrap_or(bucket);
        let rows = tx.grounds(home, patient).await?;
        let mut named = Vec::new();
        for (kind, id) in related(&rows) {
            named.extend(tx.current(&kind, &id).await?);
        }
        each.insert(patient.clone(), Arc::new(Ground::build(ctx, &agencies, (patient, None), &rows, &named)));
    }
    Ok(Grounds { agencies, each })
}

/// What is on file of these people, for who asks about other times or other consents.
pub async fn rows_of(ctx: &Context, patients: &[String]) -> Result<Vec<Stored>, Fault> {
    let mut rows = Vec::new();
    for patient in patients {
        rows.extend(ctx.store.grounds(patient).await?);
    }
    Ok(rows)
}

/// INVARIANT: the epoch was read before the rows. What moved it in between makes these grounds newer than they say,
/// and they are read once more; never older.
async fn load(
    ctx: &Context,
    agencies: &Arc<Agencies>,
    patient: &str,
    epoch: Option<i64>,
) -> Result<Arc<Ground>, Fault> {
    let rows = ctx.store.grounds(patient).await?;
    let mut named = Vec::new();
    let related = related(&rows);
    for (kind, id) in &related {
        named.extend(ctx.store.for_decision(kind, id).await?);
    }
    let ground = Arc::new(Ground::build(ctx, agencies, (patient, epoch), &rows, &named));
    // What a plan refers to changes with the plan, which moves no epoch: such grounds are read each time.
    if epoch.is_some() && related.is_empty() {
        ctx.kept.put(patient, ground.clone());
    }
    Ok(ground)
}

/// What the Consents among these rows name as `related`.
fn related(rows: &[Stored]) -> BTreeSet<(String, String)> {
    let consents = rows.iter().filter(|row| row.kind == "Consent" && row.body.contains("\"related\""));
    let mut found = BTreeSet::new();
    for consent in consents.filter_map(Stored::as_resource) {
        consent.root().get("provision").walk(&mut |element| {
            for data in element.each("data").filter(|data| data.text("meaning") == Some("related")) {
                let named = data.reference("reference");
                let local = named.as_ref().and_then(|named| named.local());
                found.extend(local.map(|(kind, id)| (kind.to_string(), id.to_string())));
            }
        });
    }
    found
}

/// What answers where no consent speaks.
pub fn default(ctx: &Context) -> DefaultPolicy {
    DefaultPolicy::named(&ctx.config.consent.default).unwrap_or(DefaultPolicy::Deny)
}

impl Grounds {
    /// Nobody's.
    pub async fn none(ctx: &Context) -> Result<Grounds, Fault> {
        Ok(Grounds { agencies: ctx.agencies().await?, each: HashMap::new() })
    }

    /// As they would be if this were on file.
    pub async fn of_rows(ctx: &Context, patients: &[String], rows: &[Stored]) -> Result<Grounds, Fault> {
        let agencies = ctx.agencies().await?;
        let mut each = HashMap::with_capacity(patients.len());
        for patient in patients {
            let own = rows.iter().filter(|row| row.patient.as_ref() == Some(patient));
            let own: Vec<Stored> = own.cloned().collect();
            let mut named = Vec::new();
            for (kind, id) in related(&own) {
                named.extend(ctx.store.for_decision(&kind, &id).await?);
            }
            each.insert(patient.clone(), Arc::new(Ground::build(ctx, &agencies, (patient, None), &own, &named)));
        }
        Ok(Grounds { each, agencies })
    }

    /// One person's.
    pub fn of(&self, patient: &str) -> Option<&Ground> {
        self.each.get(patient).map(Arc::as_ref)
    }

    /// Whether nothing has moved since they were read.
    pub async fn are_current(&self, ctx: &Context) -> Result<bool, Fault> {
        let (patients, known): (Vec<String>, Vec<Option<i64>>) =
            self.each.iter().map(|(patient, ground)| (patient.clone(), ground.epoch)).unzip();
        Ok(patients.is_empty() || ctx.store.epochs(&patients).await? == known)
    }

    /// Whether nobody has said anything: then there is nothing to work out.
    pub fn are_silent(&self) -> bool {
        !self.each.values().any(|ground| ground.has_consent)
    }

    pub fn decide(&self, ctx: &Context, asking: &Asking, resource: &Resource) -> Decision {
        let named = patients(resource);
        let known: Option<Vec<&Arc<Ground>>> = named.iter().map(|patient| self.each.get(patient)).collect();
        // Whoever is not known here does not permit.
        let known = known.unwrap_or_default();
        let residuals: Vec<Arc<Residual>> = known.iter().map(|ground| ground.residual(ctx, asking)).collect();
        let facts = Facts::known_to(resource, known.iter().map(|ground| &ground.world));
        decide_by_all(&residuals.iter().map(Arc::as_ref).collect::<Vec<&Residual>>(), &facts)
    }

    /// What of one person's record is permitted; `None` for who is not known here.
    pub fn residual(&self, ctx: &Context, asking: &Asking, patient: &str) -> Option<Arc<Residual>> {
        self.each.get(patient).map(|ground| ground.residual(ctx, asking))
    }

    /// The facts of a resource as one person's record knows them.
    pub fn facts(&self, resource: &Resource, patient: &str) -> Facts {
        Facts::of(resource, self.each.get(patient).map_or(&self.agencies.world, |ground| &ground.world))
    }

    /// Whether a Provenance of the person's record says who wrote something.
    pub fn names_authors(&self, patient: &str) -> bool {
        self.each.get(patient).is_some_and(|ground| ground.world.of_kind("Provenance").next().is_some())
    }

    /// When time alone would change what is decided about a person.
    pub fn changes_at(&self, ctx: &Context, asking: &Asking, patient: &str) -> Option<Instant> {
        self.residual(ctx, asking, patient)?.changes_at()
    }
}

impl Ground {
    /// `named` is what the person's consents name, for what it refers to.
    fn build(
        ctx: &Context,
        agencies: &Arc<Agencies>,
        (patient, epoch): (&str, Option<i64>),
        rows: &[Stored],
        named: &[Stored],
    ) -> Ground {
        let mut world = World::over(agencies.world.clone());
        let of_person = rows.iter().find(|row| row.kind == "Patient" && row.id == patient);
        for row in named {
            let is_believed = row.origin == OPERATOR || of_person.is_some_and(|person| person.origin == row.origin);
            let writer = (!is_believed).then(|| format!("Organization/{}", row.origin));
            row.resource().into_iter().for_each(|resource| world.mention(resource, writer.clone()));
        }
        let filed = believed(rows.iter(), &mut world);
        let policy = Policy::with_default(default(ctx)).under(agencies.regimes.clone());
        let directives = Directives::of(&format!("Patient/{patient}"), filed, &world, &policy);
        Ground {
            epoch,
            agencies: agencies.clone(),
            world,
            directives,
            bytes: BARE + rows.iter().map(|row| row.body.len()).sum::<usize>(),
            has_consent: rows.iter().any(|row| row.kind == "Consent"),
            residuals: Mutex::default(),
        }
    }

    fn is_of(&self, epoch: Option<i64>, agencies: &Arc<Agencies>) -> bool {
        epoch.is_some() && self.epoch == epoch && self.is_by(agencies)
    }

    fn is_by(&self, agencies: &Arc<Agencies>) -> bool {
        Arc::ptr_eq(&self.agencies, agencies)
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    pub fn directives(&self) -> &Directives {
        &self.directives
    }

    /// What remains of them for a question of one's own.
    pub fn specialised(&self, question: &Question) -> Residual {
        specialise(&self.directives, &self.world, question)
    }

    /// How much they were read from.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What remains of them for an asker, now.
    fn residual(&self, ctx: &Context, asking: &Asking) -> Arc<Residual> {
        let now = ctx.now();
        let mut residuals = self.residuals.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that went back is asked anew, as one that went on.
        let holds = |(since, residual): &&(Instant, Arc<Residual>)| {
            *since <= now && residual.changes_at().is_none_or(|changes_at| now < changes_at)
        };
        if let Some((_, residual)) = residuals.get(asking).filter(holds) {
            return residual.clone();
        }
        let residual = Arc::new(specialise(&self.directives, &self.world, &question(ctx, &self.world, asking)));
        if residuals.len() >= ASKERS_MAX {
            residuals.clear();
        }
        residuals.insert(asking.clone(), (now, residual.clone()));
        residual
    }
}
