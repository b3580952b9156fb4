//! Enrolling partners, clients and users: an operator's deeds. Doing one again changes nothing (rules.md 34).

use crate::auth::{Keys, Scopes};
use crate::consent::Columns;
use crate::fhir::Resource;
use crate::partner::{Client, Partner, User};
use crate::profile::{Against, Profiles, Valid};
use crate::store::{Fault, Place, Store, Tx, bucket_of_name};

use super::Context;

/// The origin of what the operator brings in itself.
pub const OPERATOR: &str = "exchange";

/// Enrols a partner, with `Organization/{id}` as its face.
///
/// # Errors
/// One line that names the flag, or what the database said.
pub async fn partner(ctx: &Context, partner: &Partner) -> Result<(), String> {
    partner.check()?;
    if let Some(parent) = &partner.part_of
        && ctx.partner(parent).await.map_err(text)?.is_none()
    {
        return Err(format!("--part-of: partner `{parent}` is not known; add it first"));
    }
    let mut tx = ctx.store.begin().await.map_err(text)?;
    register(&mut tx, "partner", &partner.id, partner).await?;
    put_organization(ctx, &mut tx, partner.organization()).await?;
    tx.commit().await.map_err(text)?;
    ctx.forget_registry();
    Ok(())
}

/// Enrols a client of a known partner.
///
/// # Errors
/// One line that names the flag, or what the database said.
pub async fn client(ctx: &Context, client: &Client) -> Result<(), String> {
    client.check()?;
    Scopes::read(&client.scope).map_err(|word| format!("--scope: `{word}` is not a scope such as system/*.cruds"))?;
    known_partner(ctx, &client.partner).await?;
    let mut tx = ctx.store.begin().await.map_err(text)?;
    register(&mut tx, "client", &client.id, client).await?;
    tx.commit().await.map_err(text)?;
    ctx.forget_registry();
    Ok(())
}

/// Enrols a user of a known partner.
///
/// # Errors
/// One line that names the flag, or what the database said.
pub async fn user(ctx: &Context, user: &User) -> Result<(), String> {
    known_partner(ctx, &user.partner).await?;
    let mut tx = ctx.store.begin().await.map_err(text)?;
    register(&mut tx, "user", &user.id, user).await?;
    tx.commit().await.map_err(text)
}

/// The exchange's keys: made once, then read.
///
/// # Errors
/// What the database said, or that the machine has no randomness.
pub async fn keys(store: &Store) -> Result<Keys, String> {
    if store.document("key", "exchange").await.map_err(text)?.is_none() {
        let document = Keys::generate().ok_or("the system gives no random bytes")?;
        let mut tx = store.begin().await.map_err(text)?;
        // Two processes may start at once: the first one's keys stay.
        tx.register("key", "exchange", &document, false).await.map_err(text)?;
        tx.commit().await.map_err(text)?;
    }
    let document = store.document("key", "exchange").await.map_err(text)?;
    document.as_deref().and_then(Keys::read).ok_or_else(|| "the stored keys cannot be read".to_string())
}

async fn known_partner(ctx: &Context, id: &str) -> Result<(), String> {
    match ctx.partner(id).await.map_err(text)? {
        Some(_) => Ok(()),
        None => Err(format!("--partner: `{id}` is not known; `handoff partner add --id {id} …` adds it")),
    }
}

async fn register(tx: &mut Tx, kind: &str, id: &str, document: &impl serde::Serialize) -> Result<(), String> {
    let body = serde_json::to_string(document).map_err(text)?;
    tx.register(kind, id, &body, true).await.map(|_| ()).map_err(text)
}

async fn put_organization(ctx: &Context, tx: &mut Tx, mut organization: Resource) -> Result<(), String> {
    let id = organization.id().unwrap_or("").to_string();
    let current = tx.current("Organization", &id).await.map_err(text)?;
    if let Some(stored) = current.as_ref().and_then(|current| current.resource()) {
        let same = |name: &str| stored.root().get(name).value() == organization.root().get(name).value();
        if ["name", "type", "partOf"].iter().all(|name| same(name)) {
            return Ok(());
        }
    }
    let replaces = current.as_ref().map(|current| current.version);
    organization.stamp(&id, replaces.unwrap_or(0) + 1, ctx.now(), &format!("Organization/{OPERATOR}"));
    let valid = check(&ctx.profiles, organization)?;
    let entries = crate::fhir::search::extract::entries(&ctx.params, valid.resource(), &ctx.zone);
    let place = Place {
        bucket: current.map_or_else(|| bucket_of_name(&id), |current| current.bucket),
        origin: OPERATOR.to_string(),
        holder: None,
        patients: Vec::new(),
        rank: -1,
        labels: Vec::new(),
        facts: Columns::default(),
        entries,
        views: Vec::new(),
    };
    tx.put(&valid, &place, replaces).await.map(|_| ()).map_err(text)
}

fn check(profiles: &Profiles, resource: Resource) -> Result<Valid, String> {
    profiles.check(&resource, &Against::default()).map_err(|outcome| {
        outcome.0.first().map_or_else(|| "the Organization is not valid".to_string(), |issue| issue.text.clone())
    })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl From<Fault> for String {
    fn from(fault: Fault) -> String {
        fault.to_string()
    }
}
