//! Checking what is about to be written: structure and profiles, the rules of the exchange, where references lead.

use std::collections::HashMap;

use serde_json::Value;

use crate::auth::Caller;
use crate::consent::Directive;
use crate::fhir::interaction::Interaction;
use crate::fhir::{Issue, Outcome, Resource, Severity};
use crate::profile::{Against, AtHand, Forms, Judged, Valid};
use crate::store::Stored;

use super::plan::Planned;
use super::record::Request;
use super::targets::Targets;
use super::{Context, Error, No, forms, shared, transition};

/// Every problem of every resource at once.
pub async fn check(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    interaction: Interaction,
    planned: &mut [Planned],
) -> Result<Vec<Option<Valid>>, Error> {
    let mut targets = Targets::default();
    for one in planned.iter() {
        one.resource.iter().for_each(|resource| targets.add(resource, &one.origin));
    }
    let forms = forms::at_hand(ctx, caller, planned.iter().filter_map(|one| one.resource.as_ref())).await?;
    let unreleased = shared::check(ctx, planned).await?;
    let judged = judged(ctx, caller, planned, &forms);
    let (mut valid, mut issues) = (Vec::with_capacity(planned.len()), Vec::new());
    for ((at, one), checked) in planned.iter_mut().enumerate().zip(judged) {
        let (Some(resource), Some(checked)) = (&one.resource, checked) else {
            valid.push(None);
            continue;
        };
        let mut found = rules(ctx, one, resource);
        found.extend(unreleased.iter().filter(|(of, _)| *of == at).map(|(_, issue)| issue.clone()));
        match &checked {
            Ok(checked) => one.notes.extend(checked.warnings().0.iter().cloned()),
            Err(outcome) => found.extend(outcome.0.iter().cloned()),
        }
        if !found.iter().any(|issue| issue.severity == Severity::Error) {
            let before = one.current.as_ref().and_then(Stored::as_resource);
            found.extend(targets.check(ctx, caller, request, resource, before).await?);
        }
        let (errors, notes): (Vec<Issue>, Vec<Issue>) =
            found.into_iter().partition(|issue| issue.severity == Severity::Error);
        one.notes.extend(notes);
        let errors = Error::No(No::Invalid, errors);
        let bundled = interaction == Interaction::Transaction;
        if let Error::No(_, errors) = if bundled { errors.within_entry(one.entry) } else { errors } {
            issues.extend(errors);
        }
        valid.push(checked.ok());
    }
    if issues.is_empty() { Ok(valid) } else { Err(Error::No(No::Invalid, issues)) }
}

/// Each by its definitions, with the others of the request at hand.
fn judged(ctx: &Context, caller: &Caller, planned: &[Planned], forms: &Forms) -> Vec<Option<Result<Valid, Outcome>>> {
    let (together, known) = (Together::of(planned), Judged::default());
    let check = |resource: &Resource| {
        let terms = ctx.config.validation.terms(caller.partner(), resource.kind());
        let against = Against { at_hand: &together, judged: Some(&known), forms, terms: &terms, ..Against::default() };
        ctx.profiles.check(resource, &against)
    };
    planned.iter().map(|one| one.resource.as_ref().map(check)).collect()
}

/// What is written in one request, by the references to it.
struct Together<'p>(HashMap<String, &'p Value>);

impl<'p> Together<'p> {
    fn of(planned: &'p [Planned]) -> Together<'p> {
        let several = if planned.len() > 1 { planned } else { &[] };
        let resources = several.iter().filter_map(|one| one.resource.as_ref());
        Together(resources.map(|resource| (resource.key(), resource.value())).collect())
    }
}

impl AtHand for Together<'_> {
    fn find(&self, reference: &str) -> Option<&Value> {
        self.0.get(reference).copied()
    }
}

/// The rules of the exchange that a type brings with it.
fn rules(ctx: &Context, one: &Planned, resource: &Resource) -> Vec<Issue> {
    match resource.kind() {
        "Task" if one.is_new() => transition::check_new(resource),
        "Consent" => one.broken.iter().cloned().chain(Directive::problems(resource, &ctx.regimes())).collect(),
        _ => one.broken.clone(),
    }
}
