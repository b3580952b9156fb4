//! The sending side's flow: what is due is claimed, decided **again**, made into a parcel and recorded; later the
//! outcome of the attempt is written down. `delivery` does the sending in between.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::audit::{Disclosure, Refusal};
use crate::auth::Caller;
use crate::consent::{Action, Decision, PSEUDONYM, Released};
use crate::fhir::{Instant, Reference, Resource};
use crate::store::{Delivery, DeliveryState, Stored};

use super::leave::Leave;
use super::record::{self, Request};
use super::{Asking, Context, Error, grounds, person, referral};

/// A delivery that may be sent now, and only until its claim runs out.
#[derive(Debug)]
pub struct Parcel {
    pub delivery: Delivery,
    pub endpoint: String,
    /// A transaction Bundle.
    pub body: Vec<u8>,
}

/// What became of an attempt.
#[derive(Clone, Debug)]
pub struct Settled {
    pub state: DeliveryState,
    pub due_at: Instant,
    /// A status or a reason, for the operator.
    pub outcome: String,
}

/// How long a claim lasts beyond the longest attempt, before another node may take it over (rules.md 33).
const LEASE_SECS: i64 = 15;
/// How far a Task reaches: the request, and what the request points at.
const HOPS: usize = 2;

/// Claims what is due, at most `limit`, and makes parcels of what is still permitted.
///
/// # Errors
/// What the database said.
pub async fn claim(ctx: &Context, request: &Request, limit: usize) -> Result<Vec<Parcel>, Error> {
    let mut parcels = Vec::new();
    for due in ctx.store.due_deliveries(ctx.now(), limit).await? {
        let mut tx = ctx.store.begin().await?;
        let lease_secs = LEASE_SECS + ctx.config.delivery.timeout_secs as i64;
        let claimed = tx.claim(&due, ctx.now().plus_secs(lease_secs)).await?;
        tx.commit().await?;
        if let Some(claimed) = claimed {
            parcels.extend(pack(ctx, request, claimed).await?);
        }
    }
    Ok(parcels)
}

/// Writes down what became of a parcel.
///
/// # Errors
/// What the database said.
pub async fn settle(ctx: &Context, delivery: &Delivery, settled: &Settled) -> Result<(), Error> {
    let done =
        Delivery { state: settled.state, due_at: settled.due_at, attempts: delivery.attempts + 1, ..delivery.clone() };
    let mut tx = ctx.store.begin().await?;
    tx.attempted(&done, ctx.now(), &settled.outcome).await?;
    Ok(tx.commit().await?)
}

/// Decides again and packs; a delivery that is not permitted any more ends here.
async fn pack(ctx: &Context, request: &Request, delivery: Delivery) -> Result<Option<Parcel>, Error> {
    let asking = Asking::of(&delivery.partner, &delivery.purposes, Action::Disclose);
    let recipient = Caller::operator(&delivery.partner);
    let mut record = record::start(ctx, &recipient, request, "delivery", format!("Task/{}", delivery.task));
    record.purposes.clone_from(&delivery.purposes);
    let endpoint = ctx.partner(&delivery.partner).await?.and_then(|partner| partner.endpoint);
    let base = ctx.config.server.base_url.clone().unwrap_or_else(|| format!("http://{}", ctx.config.server.bind));
    let base = format!("{}/fhir", base.trim_end_matches('/'));
    let (mut entries, mut resources) = (Vec::new(), Vec::new());
    let mut leave = Leave::new(ctx, asking.clone());
    if delivery.content == "withdrawn" {
        let url = format!("Task?identifier={base}/Task|{}", delivery.task);
        entries.push(json!({"request": {"method": "DELETE", "url": url}}));
    } else {
        for Met { stored, resource, decision } in reached(ctx, &asking, &delivery.task).await? {
            let (key, version) = (resource.key(), resource.version());
            let said = Some(record::said(&decision));
            let (party, patient) = (stored.origin.clone(), stored.patient.clone());
            let left = leave.show(stored, Some((decision.clone(), resource))).await?;
            match left.and_then(|left| left.body).and_then(Released::into_resource) {
                Some(resource) => {
                    record.released.push(Disclosure { key, version, party, patient, why: "delivered", decision: said });
                    resources.push(resource);
                }
                None => {
                    let why = decision.effect().name().to_string();
                    record.refused.push(Refusal { key, patient, party: Some(party), why, decision: said });
                }
            }
        }
    }
    let names = pseudonyms(&resources);
    entries.extend(resources.into_iter().map(|resource| entry(resource, &base, &names)));
    let task = format!("Task/{}", delivery.task);
    // Since it was put into the outbox, the Task may have gone to somebody else.
    let current = ctx.store.for_decision("Task", &delivery.task).await?.and_then(|stored| stored.resource());
    let for_them = match &current {
        Some(task) => referral::owner(ctx, task).await?.as_deref() == Some(delivery.partner.as_str()),
        None => false,
    };
    if !for_them && delivery.content != "withdrawn" {
        entries.clear();
        record.released.clear();
    }
    let goes = delivery.content == "withdrawn" || record.released.iter().any(|shown| shown.key == task);
    let mut tx = ctx.store.begin().await?;
    tx.record(&record::row(&record, Some(delivery.bucket))).await?;
    let (Some(endpoint), true) = (endpoint, goes) else {
        let withheld = Delivery { state: DeliveryState::Withheld, ..delivery };
        tx.attempted(&withheld, ctx.now(), "withheld: not permitted when it was its turn").await?;
        tx.commit().await?;
        return Ok(None);
    };
    tx.commit().await?;
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    Ok(Some(Parcel { delivery, endpoint, body: bundle.to_string().into_bytes() }))
}

/// A resource on the way from a Task, and whether it may go.
struct Met {
    stored: Stored,
    resource: Resource,
    decision: Decision,
}

/// A Task and what it reaches of its person, the Task last, each decided. What is denied leads nowhere: what it alone
/// points at would tell that it is there.
async fn reached(ctx: &Context, asking: &Asking, task: &str) -> Result<Vec<Met>, Error> {
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    let mut next = vec![("Task".to_string(), task.to_string())];
    for _ in 0..=HOPS {
        for (kind, id) in std::mem::take(&mut next) {
            if !known.insert(format!("{kind}/{id}")) || person::is_directory(&kind) || person::is_control(&kind) {
                continue;
            }
            let stored = ctx.store.for_decision(&kind, &id).await?.filter(|stored| !stored.deleted);
            let Some((stored, resource)) = stored.and_then(|stored| stored.resource().map(|it| (stored, it))) else {
                continue;
            };
            let decision = grounds::grounds_for(ctx, &resource).await?.decide(ctx, asking, &resource);
            if decision.permits() {
                let references = crate::consent::references(resource.root());
                let split = references.iter().filter_map(|key| key.split_once('/'));
                next.extend(split.map(|(kind, id)| (kind.to_string(), id.to_string())));
            }
            found.push(Met { stored, resource, decision });
        }
    }
    found.reverse();
    Ok(found)
}

/// The people who are known to the recipient by a pseudonym: their ids would be a name that agencies share.
fn pseudonyms(resources: &[Resource]) -> BTreeMap<String, String> {
    let name = |resource: &Resource| {
        let identifiers = resource.root().each("identifier");
        let mut names = identifiers.filter(|one| one.text("system") == Some(PSEUDONYM));
        Some((resource.key(), names.next()?.text("value")?.to_string()))
    };
    resources.iter().filter(|resource| resource.kind() == "Patient").filter_map(name).collect()
}

/// One resource as a conditional create on an identifier of ours, so that a second attempt finds the first one's work.
fn entry(mut resource: Resource, base: &str, names: &BTreeMap<String, String>) -> Value {
    let kind = resource.kind().to_string();
    let id = names.get(&resource.key()).map_or_else(|| resource.id().unwrap_or(""), String::as_str).to_string();
    let mut identifiers: Vec<Value> =
        resource.root().each("identifier").filter_map(|one| one.value().cloned()).collect();
    identifiers.push(json!({"system": format!("{base}/{kind}"), "value": id}));
    resource.set("identifier", identifiers);
    resource.remove("id");
    resource.rewrite_references(&|text| {
        let (kind, id) = Reference::parse(text).local()?;
        let id = names.get(&format!("{kind}/{id}")).map_or(id, String::as_str);
        Some(format!("{base}/{kind}/{id}"))
    });
    json!({
        "fullUrl": format!("{base}/{kind}/{id}"),
        "resource": resource.into_value(),
        "request": {"method": "POST", "url": kind, "ifNoneExist": format!("identifier={base}/{kind}|{id}")},
    })
}
