//! What comes along with a page: `_include` and `_revinclude`, round after round within a bound.

use std::collections::{BTreeMap, BTreeSet};

use crate::fhir::Issue;
use crate::fhir::search::{Include, ParamKind, Query};
use crate::store::Stored;

use super::search::Sight;
use super::{Context, Error};

/// Rows that come along, each once and none that matches, and what is said when there were more.
pub(super) struct Along {
    pub rows: Vec<Stored>,
    pub warning: Option<Issue>,
}

/// Bucket, type and id of a row.
type Spot = (i64, String, String);

pub(super) async fn along(sight: &Sight<'_>, query: &Query, matches: &[Stored]) -> Result<Along, Error> {
    let limits = &sight.ctx.config.search;
    let spot = |row: &Stored| (row.bucket, row.kind.clone(), row.id.clone());
    let mut known: BTreeSet<Spot> = matches.iter().map(spot).collect();
    let mut along: BTreeMap<Spot, Stored> = BTreeMap::new();
    let mut fresh: Vec<Spot> = known.iter().cloned().collect();
    let mut is_cut = false;
    for round in 0..=limits.iterations_max {
        let mut next = Vec::new();
        for include in query.includes.iter().filter(|include| round == 0 || include.iterate) {
            let of: Vec<Spot> = fresh.iter().filter(|(_, kind, _)| starts_from(include, kind)).cloned().collect();
            let room = limits.included_max.saturating_sub(along.len());
            let kinds = kinds(sight.ctx, include);
            let found = sight.ctx.store.included(include, &of, &kinds, &sight.reach, room).await?;
            is_cut |= found.len() > room;
            for row in found.into_iter().take(room) {
                if known.insert(spot(&row)) {
                    next.push(spot(&row));
                    along.insert(spot(&row), row);
                }
            }
        }
        fresh = next;
        if fresh.is_empty() {
            break;
        }
        is_cut |= round == limits.iterations_max && query.includes.iter().any(|include| include.iterate);
    }
    let warning = is_cut.then(|| {
        let text = format!(
            "more would come along than {} resources and {} rounds of `:iterate`, the bounds of this server; ask for what is missing by its own search",
            limits.included_max, limits.iterations_max
        );
        Issue::warning("incomplete", "includes-bounded", text)
    });
    Ok(Along { rows: along.into_values().collect(), warning })
}

/// Whether an include follows the references of (or, in reverse, to) rows of a type.
fn starts_from(include: &Include, kind: &str) -> bool {
    let named = if include.reverse { &include.target } else { &include.source };
    named.as_deref().is_none_or(|named| named == kind)
}

/// The types that an include may bring along.
pub(super) fn kinds(ctx: &Context, include: &Include) -> Vec<String> {
    let served = || ctx.profiles.kinds().iter().filter(|kind| *kind != "AuditEvent").cloned();
    if include.reverse {
        return include.source.as_ref().map_or_else(|| served().collect(), |source| vec![source.clone()]);
    }
    if let Some(target) = &include.target {
        return vec![target.clone()];
    }
    let Some(source) = &include.source else { return served().collect() };
    let followed = ctx.params.of(source).filter(|param| {
        param.kind == ParamKind::Reference && include.param.as_ref().is_none_or(|code| *code == param.code)
    });
    let targets: Vec<&[String]> = followed.map(|param| param.targets.as_slice()).collect();
    let open = |targets: &[String]| targets.is_empty() || targets.iter().any(|kind| kind == "Resource");
    if targets.iter().any(|targets| open(targets)) {
        return served().collect();
    }
    served().filter(|kind| targets.iter().any(|targets| targets.contains(kind))).collect()
}
