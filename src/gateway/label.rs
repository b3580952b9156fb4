//! Labels on what is about to be written (rules.md 4, consent.md R9): in the same bytes that are checked and stored.
//!
//! Directory and control resources are no person's data: what they carry is kept, nothing is set. Only whose data it is
//! is told of it, since to anybody else a label can say what is hidden.

use crate::auth::{Caller, Way};
use crate::consent::{Labelling, keep_labels, label as labelled};
use crate::fhir::{Issue, Resource};
use crate::partner::Partner;
use crate::store::Stored;

use super::label_lists::Current;
use super::person::{is_control, is_directory};
use super::plan::Planned;
use super::{Context, Error};

/// Whether the labeller looks at a type.
pub fn is_labelled(kind: &str) -> bool {
    !is_directory(kind) && !is_control(kind)
}

/// The regimes that bind what a partner brings in.
pub fn regimes<'p>(partners: &'p [Partner], origin: &str) -> &'p [String] {
    partners.iter().find(|partner| partner.id == origin).map_or(&[], |partner| &partner.regimes)
}

/// Labels everything that is to be stored, and says to whose data it is what came of it.
pub async fn label(ctx: &Context, caller: &Caller, planned: &mut [Planned]) -> Result<(), Error> {
    let (current, partners) = (ctx.shelf.current(ctx).await?, ctx.partners().await?);
    for one in planned {
        let last = last_living(ctx, one).await?;
        let stored = last.as_ref().or(one.current.as_ref()).and_then(Stored::as_resource);
        let Some(resource) = &mut one.resource else { continue };
        let done = apply(ctx, &current, resource, stored, regimes(&partners, &one.origin));
        one.relabelled = stored.is_some() && done.is_changed;
        if one.origin == caller.partner() || caller.way() == Way::Operator {
            one.notes.extend(notes(&one.kind, &done));
        }
    }
    Ok(())
}

/// The last version of what is brought back: a deletion takes no label away (rules.md 20).
async fn last_living(ctx: &Context, one: &Planned) -> Result<Option<Stored>, Error> {
    let Some(mut at) = one.current.clone().filter(|current| current.deleted && one.resource.is_some()) else {
        return Ok(None);
    };
    while at.deleted && at.version > 1 {
        let Some(before) = ctx.store.vread(&at, at.version - 1).await? else { break };
        at = before;
    }
    Ok(Some(at))
}

/// What `$validate` says of the labels that a resource of this caller's would be stored with.
///
/// # Errors
/// What the database said.
pub async fn foretell(ctx: &Context, caller: &Caller, resource: &Resource) -> Result<Vec<Issue>, Error> {
    if !is_labelled(resource.kind()) || !ctx.config.labels.classify {
        return Ok(Vec::new());
    }
    let (current, partners) = (ctx.shelf.current(ctx).await?, ctx.partners().await?);
    let done = apply(ctx, &current, &mut resource.clone(), None, regimes(&partners, caller.partner()));
    let mut issues = notes(resource.kind(), &done);
    if !done.codes.is_empty() {
        let text = format!("it would be stored with these labels: {}", quoted(&done.codes));
        issues.push(Issue::information("labels", text).at(format!("{}.meta.security", resource.kind())));
    }
    Ok(issues)
}

fn apply(
    ctx: &Context,
    current: &Current,
    resource: &mut Resource,
    stored: Option<&Resource>,
    regimes: &[String],
) -> Labelling {
    if is_labelled(resource.kind()) && ctx.config.labels.classify {
        labelled(resource, stored, &current.lists, regimes)
    } else {
        keep_labels(resource, stored)
    }
}

fn notes(kind: &str, done: &Labelling) -> Vec<Issue> {
    let labels = format!("{kind}.meta.security");
    let mut issues = Vec::new();
    if !done.kept.is_empty() {
        let text = format!("labels are never lowered: kept from the version before: {}", quoted(&done.kept));
        issues.push(Issue::information("labels-kept", text).at(&labels));
    }
    if !done.unknown.is_empty() {
        let text = "a confidentiality code that is not known could be the highest: this is treated as unclassified; \
                    expected one of `U`, `L`, `M`, `N`, `R`, `V`";
        issues.push(Issue::warning("code-invalid", "label-unknown", text).at(&labels));
    }
    if !done.hints.is_empty() {
        let became = if done.is_classified { "it is treated as restricted" } else { "it is treated as unclassified" };
        let text = format!(
            "the text speaks of something sensitive ({}) that no code and no label says: {became}; code it, or put a \
             code of v3-Confidentiality into `meta.security`",
            quoted(&done.hints)
        );
        let at = done.hinted_at.first().cloned().unwrap_or(labels);
        issues.push(Issue::warning("business-rule", "text-unlabelled", text).at(at));
    }
    issues
}

fn quoted(codes: &[String]) -> String {
    codes.iter().map(|code| format!("`{code}`")).collect::<Vec<String>>().join(", ")
}
