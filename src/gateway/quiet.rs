//! By which parameters a caller does not find what is not its own: those that look at elements which its copies do not
//! have. A match would tell what the copy does not (reference: leak probes H08, H16, H17).
//!
//! What a purpose does not need is worked out for all purposes asked for, the narrowest counting; what a decision then
//! grants may be more, and is still not searched by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::consent::{Kept, LEAST_OF_ALL, Quiet, Regimes, WHOLE, sort};
use crate::fhir::search::Param;
use crate::fhir::search::path::Path;
use crate::partner::Partner;
use crate::store::Fault;

use super::mask::Discreet;
use super::{Asking, Context};

/// What was worked out, for which partners and under which law.
pub struct Worked {
    partners: Arc<Vec<Partner>>,
    regimes: Arc<Regimes>,
    found: Found,
}

/// By what a caller does not find, and of which sorts of readers it is, by type.
#[derive(Clone)]
pub struct Found {
    pub quiet: Arc<Vec<Quiet>>,
    pub sorts: Arc<Vec<(String, String)>>,
}

/// The parameters for this asker.
pub async fn of(ctx: &Context, asking: &Asking) -> Result<Found, Fault> {
    let (partners, regimes) = (ctx.partners().await?, ctx.regimes());
    let key = format!("{} {}", asking.partner, asking.purposes.join(" "));
    if let Some(known) = ctx.quiet_of(&key, |known| {
        let same = Arc::ptr_eq(&known.partners, &partners) && Arc::ptr_eq(&known.regimes, &regimes);
        same.then(|| known.found.clone())
    }) {
        return Ok(known);
    }
    let quiet = Arc::new(worked_out(ctx, asking, &partners, &regimes));
    let found = Found { quiet, sorts: Arc::new(sorts(asking, &partners, &regimes)) };
    ctx.keep_quiet(key, Worked { partners, regimes, found: found.clone() });
    Ok(found)
}

/// Of which sorts of readers an asker is, by type: that of the one list which binds it for all its purposes, else of
/// those who see the least.
fn sorts(asking: &Asking, partners: &[Partner], regimes: &Regimes) -> Vec<(String, String)> {
    let Some(own) = partners.iter().find(|partner| partner.id == asking.partner) else { return Vec::new() };
    let of = |kind: &str, purpose: &String| {
        let bound = regimes.may_owe_the_least(purpose, own.kind.code(), &own.regimes);
        let kept = regimes.minimum.of(kind, own.kind.code(), [purpose.as_str()].into_iter()).filter(|_| bound);
        kept.map_or_else(|| WHOLE.to_string(), |kept| sort(&kept))
    };
    let sort_of = |kind: &str| {
        let found: BTreeSet<String> = asking.purposes.iter().map(|purpose| of(kind, purpose)).collect();
        let first = found.first().filter(|_| found.len() == 1).cloned();
        first.unwrap_or_else(|| LEAST_OF_ALL.to_string())
    };
    let kinds = regimes.minimum.kinds().into_iter();
    kinds.map(|kind| (kind.to_string(), sort_of(kind))).filter(|(_, sort)| sort != WHOLE).collect()
}

fn worked_out(ctx: &Context, asking: &Asking, partners: &[Partner], regimes: &Regimes) -> Vec<Quiet> {
    let mut found = Vec::new();
    if let Some(own) = partners.iter().find(|partner| partner.id == asking.partner) {
        let mut hidden: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for purpose in &asking.purposes {
            if !regimes.may_owe_the_least(purpose, own.kind.code(), &own.regimes) {
                continue;
            }
            for kind in regimes.minimum.kinds() {
                if let Some(kept) = regimes.minimum.of(kind, own.kind.code(), [purpose.as_str()].into_iter()) {
                    hidden.entry(kind).or_default().extend(params(ctx, kind, &kept));
                }
            }
        }
        found.extend(hidden.into_iter().map(|(kind, params)| Quiet { kind: kind.to_string(), params, of: None }));
    }
    let discreet = Discreet::of(partners, regimes, &asking.partner);
    for (partner, discretion) in discreet.partners() {
        for (kind, kept) in &discretion.people {
            let params = params(ctx, kind, kept).collect();
            found.push(Quiet { kind: kind.clone(), params, of: Some(partner.to_string()) });
        }
        let params = params(ctx, "Organization", &discretion.organization).collect();
        found.push(Quiet { kind: "Organization".to_string(), params, of: Some(partner.to_string()) });
    }
    found.retain(|quiet| !quiet.params.is_empty());
    found
}

/// The parameters of a type that look at what is not kept.
fn params<'c>(ctx: &'c Context, kind: &str, kept: &'c Kept) -> impl Iterator<Item = String> + use<'c> {
    ctx.params
        .of(kind)
        .filter(|param| is_hidden(param, kept))
        .map(|param| param.code.clone())
        .collect::<Vec<_>>()
        .into_iter()
}

fn is_hidden(param: &Param, kept: &Kept) -> bool {
    let outer = param.paths.iter().any(|path| leads_out(&path.names(), kept));
    let inner = |path: &Path| {
        let base = param.paths.first().map(Path::names).unwrap_or_default();
        leads_out(&base.into_iter().chain(path.names()).collect::<Vec<&str>>(), kept)
    };
    if param.parts.is_empty() { outer } else { param.parts.iter().flat_map(|part| &part.paths).any(inner) }
}

fn leads_out(names: &[&str], kept: &Kept) -> bool {
    let mut kept = kept;
    for (depth, name) in names.iter().enumerate() {
        if depth == 0 && matches!(*name, "id" | "meta" | "language" | "implicitRules") {
            return false;
        }
        match kept.inside(name) {
            None => return true,
            Some(inner) if inner.is_whole() => return false,
            Some(inner) => kept = inner,
        }
    }
    // An element of which a part is kept is not searched by as a whole.
    !names.is_empty()
}
