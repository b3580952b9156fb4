//! What a writer is told of what it asked for: what was made, what was there already, and no more than it may read.

use crate::auth::Caller;
use crate::consent::Released;
use crate::fhir::Outcome;
use crate::fhir::interaction::Interaction;

use super::conditional::{Deed, Resolved};
use super::link::{Addresses, is_name};
use super::plan::{Planned, find};
use super::record::Request;
use super::submit::{Asked, Change, Done, Written};
use super::{Context, Error, Version};

/// What a request was about, for its record.
pub fn target(planned: &[Planned], resolved: &[Result<Resolved<'_>, Error>]) -> String {
    match (resolved, planned) {
        ([Ok(Resolved::There(there))], _) => format!("{}/{}", there.version.kind, there.version.id),
        ([_], [one, ..]) => format!("{}/{}", one.kind, one.id),
        _ => "Bundle".to_string(),
    }
}

/// The names of entries that are there already, for the others of their Bundle.
pub fn addresses(asked: &[Asked], resolved: &[Result<Resolved<'_>, Error>]) -> Addresses {
    let there = asked.iter().zip(resolved).filter_map(|(one, resolved)| match resolved {
        Ok(Resolved::There(there)) => {
            let url = one.full_url.clone().filter(|url| is_name(url))?;
            let Version { kind, id, version, .. } = &there.version;
            Some((url, (format!("{kind}/{id}"), *version)))
        }
        _ => None,
    });
    there.collect()
}

/// An answer to each that was asked; what the server added besides is no answer to anything.
pub async fn answers(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    asked: &[Asked],
    resolved: Vec<Result<Resolved<'_>, Error>>,
    written: Vec<(Planned, Written)>,
) -> Vec<Written> {
    let mut written = written.into_iter();
    let mut answers = Vec::with_capacity(asked.len());
    for (one, resolved) in asked.iter().zip(resolved) {
        let by_criteria = matches!(one.change, Change::Conditional { .. });
        match resolved {
            Ok(Resolved::There(there)) => {
                let Version { kind, id, version, updated_at, body } = there.version;
                let body = body.map(Released::into_text);
                let outcome = Outcome::default();
                answers.push(Written { kind, id, version, updated_at, done: Done::Found, by_criteria, body, outcome });
            }
            Ok(Resolved::Nothing) => answers.push(Written {
                kind: String::new(),
                id: String::new(),
                version: 0,
                updated_at: ctx.now(),
                done: Done::Nothing,
                by_criteria,
                body: None,
                outcome: Outcome::default(),
            }),
            _ => {
                let Some((made, mut done)) = written.next() else { continue };
                done.by_criteria = by_criteria;
                let own = made.origin == caller.partner();
                let mut done = if own || done.body.is_none() { done } else { view(ctx, caller, request, done).await };
                if patches(&one.change) && !caller.may(Interaction::Read, &done.kind) {
                    // A patch says little of the resource: its answer is no way to read without the scope for it.
                    done.body = None;
                }
                answers.push(done);
            }
        }
    }
    answers
}

fn patches(change: &Change) -> bool {
    matches!(change, Change::Patch { .. } | Change::Conditional { deed: Deed::Patch { .. }, .. })
}

/// What a writer that has it by no right of its own is answered with: its view of what it wrote.
async fn view(ctx: &Context, caller: &Caller, request: &Request, mut written: Written) -> Written {
    // It is stored: what goes wrong from here on is no reason to say that it is not.
    let seen = find(ctx, caller, request, &written.kind, &written.id).await.unwrap_or_default();
    let view = seen.and_then(|(_, view)| view);
    if let Some(view) = &view {
        (written.version, written.updated_at) = (view.version(), view.updated_at().unwrap_or(written.updated_at));
    }
    written.body = Some(view.map_or(String::new(), |view| view.value().to_string()));
    written
}
