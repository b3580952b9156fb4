//! What comes along with a page: `_include` and `_revinclude`, round after round within a bound.

use std::collections::{BTreeMap, BTreeSet};

use crate::auth::Caller;
use crate::fhir::Issue;
use crate::fhir::interaction::Interaction;
use crate::fhir::search::{Include, Param, ParamKind, Query};
use crate::store::{Follow, Spot, Stored};

use super::search::Sight;
use super::{Context, Error};

/// Rows that come along, each once and none that matches, and what is said when there were more.
pub(super) struct Along {
    pub rows: Vec<Stored>,
    pub warning: Option<Issue>,
}

pub(super) async fn along(sight: &Sight<'_>, query: &Query, matches: &[Stored]) -> Result<Along, Error> {
    let limits = &sight.ctx.config.search;
    let mut known: BTreeSet<Spot> = matches.iter().map(Stored::spot).collect();
    let mut along: BTreeMap<Spot, Stored> = BTreeMap::new();
    let mut fresh: Vec<Spot> = known.iter().cloned().collect();
    let mut is_cut = false;
    for round in 0..=limits.iterations_max {
        let mut next = Vec::new();
        for include in query.includes.iter().filter(|include| round == 0 || include.iterate) {
            let of: Vec<Spot> = fresh.iter().filter(|(_, kind, _)| starts_from(include, kind)).cloned().collect();
            let room = limits.included_max.saturating_sub(along.len());
            let kinds = kinds(sight.ctx, sight.caller, include);
            let Some(follow) = follow(sight.ctx, include, &of, &kinds) else { continue };
            let found = sight.ctx.store.included(&follow, &of, &kinds, &sight.reach, room).await?;
            is_cut |= found.len() > room;
            for row in found.into_iter().take(room) {
                if known.insert(row.spot()) {
                    next.push(row.spot());
                    along.insert(row.spot(), row);
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

/// The references to be followed from these rows, or to them; `None` when there are none.
fn follow(ctx: &Context, include: &Include, of: &[Spot], kinds: &[String]) -> Option<Follow> {
    let rows: BTreeSet<&str> = of.iter().map(|(_, kind, _)| kind.as_str()).collect();
    let sources: Vec<&str> =
        if include.reverse { kinds.iter().map(String::as_str).collect() } else { rows.iter().copied().collect() };
    let mut links = BTreeSet::new();
    for source in sources {
        let wanted = |param: &&Param| {
            param.kind == ParamKind::Reference
                && include.param.as_ref().is_none_or(|code| *code == param.code)
                && (!include.reverse || rows.iter().any(|row| param.points_at(row)))
        };
        links.extend(ctx.params.of(source).filter(wanted).map(|param| (source.to_string(), param.code.clone())));
    }
    if links.is_empty() || of.is_empty() || kinds.is_empty() {
        return None;
    }
    Some(if include.reverse {
        Follow::To { links: links.into_iter().collect() }
    } else {
        let params: BTreeSet<String> = links.into_iter().map(|(_, param)| param).collect();
        Follow::From { params: params.into_iter().collect(), target: include.target.clone() }
    })
}

/// The types that an include may bring along: never what the token's scopes leave out.
pub(super) fn kinds(ctx: &Context, caller: &Caller, include: &Include) -> Vec<String> {
    let may = |kind: &&String| *kind != "AuditEvent" && caller.may(Interaction::Read, kind);
    let served = || ctx.profiles.kinds().iter().filter(may).cloned();
    let named = if include.reverse { &include.source } else { &include.target };
    if let Some(named) = named {
        return served().filter(|kind| kind == named).collect();
    }
    if include.reverse {
        return served().collect();
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
