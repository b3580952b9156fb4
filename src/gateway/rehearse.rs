//! What a write would say, and nothing stored: `$validate`.
//!
//! The content is judged as on a write. With a mode, the whole way of a write is gone up to the writer's turn, by the
//! same functions in the same order, so that what is foretold is what happens.

use crate::auth::Caller;
use crate::consent::Directive;
use crate::fhir::interaction::Interaction;
use crate::fhir::validate::{Mode, Validate};
use crate::fhir::{Issue, Outcome, Resource, Severity};
use crate::profile::Against;

use super::answers::addresses;
use super::check::check;
use super::conditional::resolve;
use super::label::{foretell, label};
use super::link::link;
use super::plan::{self, judge, plan};
use super::record::Request;
use super::submit::{Asked, Change};
use super::{Context, Error, No, emergency, forms, read};

/// Of a type, or of one resource by its id.
#[derive(Clone, Copy, Debug)]
pub struct Rehearsed<'a> {
    pub kind: &'a str,
    pub id: Option<&'a str>,
    pub if_match: Option<&'a str>,
}

/// # Errors
/// That what is asked for is no question: no resource, another type, an unknown profile.
pub async fn rehearse(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    of: Rehearsed<'_>,
    asked: Validate,
) -> Result<Outcome, Error> {
    if !caller.may(Interaction::Validate, of.kind) {
        return Err(Error::scopes("validate", of.kind));
    }
    // A declaration opens a record to be read.
    emergency::only(caller, None)?;
    let Validate { resource, mode, profiles, is_held: _ } = asked;
    let mut found = unknown(ctx, &profiles);
    if let Some(resource) = resource.as_ref().filter(|resource| resource.kind() != of.kind) {
        let text = format!("the body is no `{}`, the type of this address", of.kind);
        let issue = Issue::error("invalid", "identity", text).at(format!("{}.resourceType", resource.kind()));
        return Err(Error::one(No::Unreadable, issue));
    }
    let missing = || {
        let text = "expected a resource as the body, or a Parameters with a `resource`";
        Error::one(No::Unreadable, Issue::error("required", "resource-missing", text))
    };
    let judged = match mode {
        Some(Mode::Delete) => None,
        Some(Mode::Profile) => Some(stored(ctx, caller, request, of).await?),
        _ => Some(resource.ok_or_else(missing)?),
    };
    if let Some(resource) = &judged {
        found.extend(content(ctx, caller, resource, &profiles).await?);
    }
    let change = match (mode, judged) {
        (Some(Mode::Create), Some(resource)) => Some((Interaction::Create, Change::Create(resource))),
        (Some(Mode::Update), Some(resource)) => {
            let id = of.id.or(resource.id()).unwrap_or("").to_string();
            let if_match = version(ctx, caller, request, of, &id).await?;
            Some((Interaction::Update, Change::Update { kind: of.kind.to_string(), id, resource, if_match }))
        }
        (Some(Mode::Delete), _) => {
            let id = of.id.ok_or_else(|| {
                let text = "`mode` `delete` asks about one resource: expected the address of one";
                Error::one(No::Unreadable, Issue::error("invalid", "identity", text))
            })?;
            let (kind, id, if_match) = (of.kind.to_string(), id.to_string(), of.if_match.map(str::to_string));
            Some((Interaction::Delete, Change::Delete { kind, id, if_match }))
        }
        _ => None,
    };
    if let Some((interaction, change)) = change {
        let said = match deed(ctx, caller, request, interaction, change).await {
            Ok(notes) => notes,
            Err(Error::No(_, issues)) => issues,
            Err(fault) => return Err(fault),
        };
        for issue in said {
            if !found.contains(&issue) {
                found.push(issue);
            }
        }
    }
    found.sort_by_key(|issue| issue.severity);
    Ok(Outcome(found))
}

/// A profile that is asked for by name is to be at hand; one that a resource claims is worth a warning alone.
fn unknown(ctx: &Context, profiles: &[String]) -> Vec<Issue> {
    let unknown = profiles.iter().filter(|url| !ctx.profiles.has(url));
    let issues = unknown.map(|_| {
        let text = "a profile that was asked for is not known here: nothing was compared with it";
        Issue::error("not-found", "profile-unknown", text)
    });
    issues.collect()
}

/// What is wrong with a resource by itself, whoever writes it and whatever is on file.
async fn content(
    ctx: &Context,
    caller: &Caller,
    resource: &Resource,
    profiles: &[String],
) -> Result<Vec<Issue>, Error> {
    let forms = forms::at_hand(ctx, caller, std::iter::once(resource)).await?;
    let terms = ctx.config.validation.terms(caller.partner(), resource.kind());
    let against = || Against { profiles, forms: &forms, terms: &terms, is_thorough: true, ..Against::default() };
    let mut outcome = ctx.profiles.examine(resource, &against());
    if resource.kind() == "Consent" {
        outcome.0.extend(Directive::problems(resource, &ctx.regimes()));
    }
    outcome.0.extend(foretell(ctx, caller, resource).await?);
    Ok(outcome.0)
}

/// What is on file under an id, as the caller sees it.
async fn stored(ctx: &Context, caller: &Caller, request: &Request, of: Rehearsed<'_>) -> Result<Resource, Error> {
    let id = of.id.ok_or_else(|| {
        let text = "`mode` `profile` asks about what is stored: expected the address of one resource";
        Error::one(No::Unreadable, Issue::error("invalid", "identity", text))
    })?;
    // It is a read, with its record and its refusals.
    let found = read::read(ctx, caller, request, of.kind, id).await?;
    let resource = found.body.and_then(crate::consent::Released::into_resource);
    resource.ok_or_else(|| Error::unknown(of.kind, id))
}

/// The version that an update names; a Task that is only rehearsed is taken to be at the version that its caller sees,
/// so that more is said than that none was named.
async fn version(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    of: Rehearsed<'_>,
    id: &str,
) -> Result<Option<String>, Error> {
    if of.if_match.is_some() || of.kind != "Task" || !caller.may(Interaction::Update, of.kind) {
        return Ok(of.if_match.map(str::to_string));
    }
    let found = plan::find(ctx, caller, request, of.kind, id).await?;
    Ok(found.map(|(current, view)| view.map_or(current.version, |view| view.version()).to_string()))
}

async fn deed(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    interaction: Interaction,
    change: Change,
) -> Result<Vec<Issue>, Error> {
    let asked = [Asked { change, entry: 0, full_url: None }];
    let (mut resolved, _) = resolve(ctx, caller, request, &asked).await?;
    let mut planned = plan(ctx, caller, request, interaction, &asked, &mut resolved).await?;
    link(ctx, &mut planned, addresses(&asked, &resolved)).await?;
    planned.iter_mut().for_each(|one| judge(caller, one));
    label(ctx, caller, &mut planned).await?;
    check(ctx, caller, request, interaction, &mut planned).await?;
    Ok(planned.into_iter().flat_map(|one| one.notes).filter(|note| note.severity != Severity::Error).collect())
}
