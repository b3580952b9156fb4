//! Ids, buckets and references: what is checked next is what will be stored.

use std::collections::HashMap;

use serde_json::json;

use crate::fhir::{Reference, Resource};
use crate::partner::Partner;
use crate::store::{bucket_in, bucket_of_name};

use super::plan::Planned;
use super::{Context, Error, person};

/// What a Bundle calls its entries, with the reference and the version that each comes to.
pub type Addresses = HashMap<String, (String, i64)>;

/// Gives ids and buckets, turns the Bundle's own addresses into references, and stamps what is the server's. A
/// `meta.source` that was sent is kept in a Provenance at the end of the list (rules.md 4). `addresses` are those of
/// entries that turned out to be there already.
pub async fn link(ctx: &Context, planned: &mut Vec<Planned>, mut addresses: Addresses) -> Result<(), Error> {
    let now = ctx.now();
    let partners = ctx.partners().await?;
    let regimes = ctx.regimes();
    let is_unlinkable = |one: &Partner| {
        regimes.discretion(one.kind.code(), &one.regimes).is_some_and(|discretion| discretion.unlinkable)
    };
    let unlinkable = |origin: &str| partners.iter().any(|one| one.id == origin && is_unlinkable(one));
    let mut homes: HashMap<String, i64> = HashMap::new();
    // Patients first: what is about them lives in their bucket.
    for people in [true, false] {
        for one in planned.iter_mut().filter(|one| (one.kind == "Patient") == people) {
            if let Some(resource) = &mut one.resource {
                if !addresses.is_empty() {
                    let base = base(one.full_url.as_deref());
                    resource.rewrite_references(&|text| answer(&addresses, base, text));
                }
                if one.bucket < 0 {
                    one.bucket = bucket(ctx, &homes, resource, &one.id).await?;
                }
                if one.id.is_empty() {
                    // The ids of some partners must not link people (rules.md 11).
                    let hidden = unlinkable(&one.origin);
                    one.id = if hidden { ctx.ids.unlinkable() } else { ctx.ids.in_bucket(one.bucket, now) };
                }
            }
            if people {
                homes.insert(one.id.clone(), one.bucket);
            }
            if let Some(url) = one.full_url.as_deref().filter(|url| is_name(url)) {
                let version = one.current.as_ref().map_or(0, |current| current.version) + 1;
                addresses.insert(url.to_string(), (format!("{}/{}", one.kind, one.id), version));
            }
        }
    }
    let mut sources = Vec::new();
    for one in planned.iter_mut() {
        let updated_at = one.current.as_ref().map_or(now, |current| now.max(current.updated_at.plus_millis(1)));
        let version = one.current.as_ref().map_or(0, |current| current.version) + 1;
        let origin = format!("Organization/{}", one.origin);
        if let Some(resource) = &mut one.resource {
            if !addresses.is_empty() {
                let base = base(one.full_url.as_deref());
                resource.rewrite_links(&|text| answer(&addresses, base, text), &|path| ctx.profiles.is_link(path));
            }
            let sent = resource.source().filter(|sent| *sent != origin).map(str::to_string);
            resource.stamp(&one.id, version, updated_at, &origin);
            sources.extend(sent.map(|sent| (one.bucket, resource.key(), one.origin.clone(), sent)));
        }
    }
    for (bucket, target, origin, sent) in sources {
        let mut provenance = Resource::new("Provenance");
        let id = ctx.ids.in_bucket(bucket, now);
        provenance.set("target", json!([{"reference": target}]));
        provenance.set("recorded", now.to_string());
        provenance.set("agent", json!([{"who": {"reference": format!("Organization/{origin}")}}]));
        let what = json!({"identifier": {"system": "urn:ietf:rfc:3986", "value": sent}});
        provenance.set("entity", json!([{"role": "source", "what": what}]));
        provenance.stamp(&id, 1, now, &format!("Organization/{origin}"));
        planned.push(Planned::new(provenance, bucket, &origin));
    }
    Ok(())
}

/// Whether a `fullUrl` is a name of the Bundle's own; `Patient/7` is a name of ours already.
pub fn is_name(full_url: &str) -> bool {
    full_url.starts_with("urn:") || full_url.contains("://")
}

/// What a reference leads to within the Bundle. A relative one is read from the base of its own entry's `fullUrl`
/// first (FHIR R4 bundle.html#references); one that names a version names the one that comes of this Bundle.
fn answer(addresses: &Addresses, base: Option<&str>, text: &str) -> Option<String> {
    let (name, versioned) = text.split_once("/_history/").map_or((text, false), |(name, _)| (name, true));
    let inside = || addresses.get(&format!("{}/{name}", base?));
    let (key, version) = addresses.get(name).or_else(inside)?;
    Some(if versioned { format!("{key}/_history/{version}") } else { key.clone() })
}

/// `https://ehr.example/fhir` of `https://ehr.example/fhir/Patient/7`.
fn base(full_url: Option<&str>) -> Option<&str> {
    match Reference::parse(full_url?) {
        Reference::Absolute { base, .. } => Some(base),
        _ => None,
    }
}

/// The bucket of a new resource: its person's, or its own.
async fn bucket(ctx: &Context, homes: &HashMap<String, i64>, resource: &Resource, id: &str) -> Result<i64, Error> {
    if resource.kind() != "Patient"
        && let Some(patient) = person::patients(resource).first()
    {
        let home = homes.get(patient).copied();
        let home = if home.is_some() { home } else { ctx.store.bucket_of("Patient", patient).await? };
        return Ok(home.unwrap_or_else(|| bucket_of_name(patient)));
    }
    Ok(match id {
        "" => ctx.ids.bucket(ctx.now()),
        id => bucket_in(id).unwrap_or_else(|| bucket_of_name(id)),
    })
}
