//! Histories: of one resource, of a type, of the whole exchange (FHIR R4 http.html#history).
//!
//! A version shows if its resource is in reach now and the version itself is permitted: labels and patients may have
//! been others then. A page is filled from what may be shown, so that what may not leaves no gap in it.

use crate::audit::Record;
use crate::auth::Caller;
use crate::consent::{Action, Reach};
use crate::fhir::history::Asked;
use crate::fhir::interaction::Interaction;
use crate::fhir::{Instant, Issue};
use crate::store::{Past, PastPlace, Stored};

use super::leave::{Leave, Leaving};
use super::record::{self, Request};
use super::{Asking, Context, Error, No, Version, emergency, person, reach, read};

/// Whose history.
#[derive(Clone, Copy, Debug)]
pub enum Of<'a> {
    Exchange,
    Type(&'a str),
    One(&'a str, &'a str),
}

/// A page of a history.
pub struct Versions {
    pub entries: Vec<Version>,
    /// Exact, or not there.
    pub total: Option<i64>,
    /// The sealed token of the next page.
    pub next: Option<String>,
    pub applied: Vec<(String, String)>,
    pub warnings: Vec<Issue>,
}

/// Most versions that are looked at for one page; one that had to be skipped over more than these is short.
const LOOKED_AT_MAX: usize = 10_000;
/// Fewest that are fetched at once, so that a page of one does not ask version by version.
const FETCHED_MIN: usize = 20;

/// # Errors
/// Unknown, for one resource that the caller cannot see now; scopes that cover nothing of it; a page token that is none.
pub async fn history(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    of: Of<'_>,
    asked: Asked,
) -> Result<Versions, Error> {
    let (interaction, target) = match of {
        Of::Exchange => (Interaction::HistorySystem, "system".to_string()),
        Of::Type(kind) => (Interaction::HistoryType, kind.to_string()),
        Of::One(kind, id) => (Interaction::HistoryInstance, format!("{kind}/{id}")),
    };
    let kinds = kinds(ctx, caller, of, interaction)?;
    if !matches!(of, Of::One(..)) {
        emergency::only(caller, None)?;
    }
    let behind = asked.page.as_deref().map(|sealed| open_page(ctx, caller, sealed)).transpose()?;
    let mut record = record::start(ctx, caller, request, interaction.code(), target);
    record.parameters = asked.names;

    let asking = Asking::new(caller, Action::Access);
    let (reach, one) = match of {
        Of::Exchange => (reach::reach_of_all(ctx, &asking).await?, None),
        Of::Type(kind) => (reach::reach(ctx, &asking, &[kind.to_string()], None).await?.0, None),
        Of::One(kind, id) => match one(ctx, caller, kind, id, &mut record).await? {
            Some((reach, stored)) => (reach, Some(stored)),
            None => {
                record::keep(ctx, &record).await?;
                return Err(Error::unknown(kind, id));
            }
        },
    };
    let past = Past { kinds: &kinds, one: one.as_ref(), since: asked.since, at: asked.at };
    let first = behind.is_none();
    let (entries, next) = page(ctx, &past, &reach, behind, asked.count, Leave::new(ctx, asking), &mut record).await?;
    record::keep(ctx, &record).await?;

    let mut warnings = asked.warnings;
    if reach.withheld() {
        let text = "more people than are looked at in one history have consents that may concern you";
        warnings.push(Issue::warning("incomplete", "people-withheld", text));
    }
    let total = (first && next.is_none()).then_some(entries.len() as i64);
    let next = next.and_then(|place| seal_page(ctx, caller, &place));
    Ok(Versions { entries, total, next, applied: asked.applied, warnings })
}

/// The kinds that it is about, as far as the scopes go.
fn kinds(ctx: &Context, caller: &Caller, of: Of<'_>, interaction: Interaction) -> Result<Vec<String>, Error> {
    if let Of::Type(kind) | Of::One(kind, _) = of {
        read::allowed(ctx, caller, interaction, kind)?;
        if kind == "AuditEvent" {
            let text = "an AuditEvent is written once: it has no history";
            return Err(Error::one(No::NotOffered, Issue::error("not-supported", "server-writes", text)));
        }
        return Ok(vec![kind.to_string()]);
    }
    let kinds = ctx.profiles.kinds().iter().filter(|kind| kind.as_str() != "AuditEvent");
    let kinds: Vec<String> = kinds.filter(|kind| caller.may(interaction, kind)).cloned().collect();
    if kinds.is_empty() { Err(Error::scopes(interaction.code(), "*")) } else { Ok(kinds) }
}

/// One resource that the caller sees now, and the reach that shows it alone.
async fn one(
    ctx: &Context,
    caller: &Caller,
    kind: &str,
    id: &str,
    record: &mut Record,
) -> Result<Option<(Reach, Stored)>, Error> {
    let Some(seen) = read::look(ctx, caller, kind, id, record).await? else { return Ok(None) };
    // What is shown is noted version by version.
    record.released.clear();
    let reach = match (seen.why, seen.stored.resource()) {
        ("consent", Some(resource)) => Reach::of(caller.partner(), person::just(&resource), false),
        _ => reach::own(ctx, caller.partner()).await?,
    };
    Ok(Some((reach, seen.stored)))
}

/// Walks until the page is full or nothing is left; answers where to go on.
async fn page(
    ctx: &Context,
    past: &Past<'_>,
    reach: &Reach,
    mut behind: Option<PastPlace>,
    count: usize,
    mut leave: Leave<'_>,
    record: &mut Record,
) -> Result<(Vec<Version>, Option<PastPlace>), Error> {
    let (mut entries, mut looked_at) = (Vec::new(), 0);
    let mut last = None;
    loop {
        let limit = (count + 1 - entries.len()).max(FETCHED_MIN);
        let found = ctx.store.versions(past, reach, behind.as_ref(), limit).await?;
        let exhausted = found.len() < limit;
        looked_at += found.len();
        for kept in found {
            let stored = &kept.stored;
            let place = PastPlace {
                updated_at: stored.updated_at,
                kind: stored.kind.clone(),
                id: stored.id.clone(),
                version: stored.version,
            };
            let mut current = stored.clone();
            current.holder = kept.holder;
            let by_right = leave.is_by_right(&current);
            // A version that differs from the one before it in hidden parts alone is no version of this view; of those
            // that were current at a moment, the oldest stands for it.
            let was_there = past.at.is_some_and(|at| stored.updated_at <= at.start);
            let leaving = leave.let_out(stored, by_right).await?;
            if let Some(leaving) = leaving.filter(|leaving| was_there || leaving.version == stored.version) {
                if entries.len() == count {
                    // One more than fits: there is a next page, which will say it.
                    return Ok((entries, last));
                }
                let Leaving { version, updated_at, body, noted } = leaving;
                let Stored { kind, id, .. } = kept.stored;
                entries.push(Version { kind, id, version, updated_at, body });
                record.released.push(noted);
                last = Some(place.clone());
            }
            behind = Some(place);
        }
        if exhausted {
            return Ok((entries, None));
        }
        if looked_at >= LOOKED_AT_MAX {
            return Ok((entries, behind));
        }
    }
}

fn seal_page(ctx: &Context, caller: &Caller, place: &PastPlace) -> Option<String> {
    let PastPlace { updated_at, kind, id, version } = place;
    ctx.keys.seal(caller.partner(), &format!("history {} {kind} {id} {version}", updated_at.0))
}

fn open_page(ctx: &Context, caller: &Caller, sealed: &str) -> Result<PastPlace, Error> {
    let read = || {
        let text = ctx.keys.open(caller.partner(), sealed)?;
        let mut words = text.strip_prefix("history ")?.split(' ');
        let updated_at = Instant(words.next()?.parse().ok()?);
        let (kind, id) = (words.next()?.to_string(), words.next()?.to_string());
        Some(PastPlace { updated_at, kind, id, version: words.next()?.parse().ok()? })
    };
    read().ok_or_else(page_token)
}

/// That a page token is none of ours, or somebody else's.
pub(super) fn page_token() -> Error {
    let text = "`_page`: expected the token of a `next` link that was given to you; start again without it";
    Error::one(No::Unreadable, Issue::error("value", "page-token", text))
}
