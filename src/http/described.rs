//! What the statement, the OpenAPI document and the pages say of this server: gathered once, kept for each address.

use axum::http::HeaderMap;

use crate::fhir::bundle;
use crate::fhir::capability::Described;
use crate::fhir::{read, terms};
use crate::gateway::Context;

use super::asked;

/// The FHIR API's address as the caller knows it.
pub fn base(ctx: &Context, headers: &HeaderMap) -> String {
    format!("{}/fhir", asked::base(ctx, headers))
}

pub fn described<'a>(ctx: &'a Context, base: &'a str) -> Described<'a> {
    let listed = ctx.profiles.list();
    let is_base = |url: &str, kind: &str| url.ends_with(&format!("/StructureDefinition/{kind}"));
    let mut guides: Vec<(String, String)> = listed
        .iter()
        .filter_map(|one| one.package.split_once('@'))
        .filter(|(name, _)| !name.starts_with("hl7.fhir.uv.extensions"))
        .map(|(name, version)| (name.to_string(), version.to_string()))
        .collect();
    guides.dedup();
    let profiles = listed
        .into_iter()
        .filter(|one| one.kind == "resource" && !is_base(&one.url, &one.type_name))
        .map(|one| (one.type_name, one.url))
        .collect();
    Described {
        base,
        kinds: ctx.profiles.kinds(),
        params: &ctx.params,
        profiles,
        guides,
        compartments: ctx.profiles.compartments().collect(),
        at: ctx.now(),
        version: env!("CARGO_PKG_VERSION"),
        client_assigned: ctx.config.ids.client_assigned,
        limits: limits(ctx),
    }
}

/// Each bound in words, from where it is enforced.
fn limits(ctx: &Context) -> Vec<String> {
    let search = &ctx.config.search;
    vec![
        format!(
            "`_count`: {} rows on a page by default, at most {}; a larger one is answered with that many",
            search.count_default, search.count_max
        ),
        format!(
            "a search: at most {} parameters, {} values of one and {} of all; more is 400",
            search.parameters_max, search.values_max, search.tests_max
        ),
        format!("a chain or `_has`: at most {} steps; more is 400", search.chain_max),
        format!("all chains of a search: at most {} places over all their targets; more is 400", search.steps_max),
        format!("`_sort`: at most {} keys; more is 400", search.sort_max),
        format!(
            "`_include` and `_revinclude`: at most {} of a search; they bring at most {} resources to a page, in at most {} rounds of `:iterate`, and the Bundle says when there is more",
            search.includes_max, search.included_max, search.iterations_max
        ),
        format!("a Bundle: at most {} entries; more is 400", bundle::ENTRIES_MAX),
        format!("`ValueSet/$expand`: at most {} codes of an answer; `offset` leads on", terms::COUNT_MAX),
        format!("a body: at most {} bytes; more is 413", ctx.config.server.body_max_bytes),
        format!("JSON: at most {} levels deep; deeper is 400", read::DEPTH_MAX),
    ]
}

/// A document that is made once for each address it is asked at.
pub fn kept(ctx: &Context, what: &str, base: &str, make: impl FnOnce(&Described) -> String) -> Vec<u8> {
    let key = format!("{what} {base}");
    if let Some(known) = ctx.described(&key) {
        return known.as_bytes().to_vec();
    }
    let text = make(&described(ctx, base));
    ctx.describe(&key, &text);
    text.into_bytes()
}
