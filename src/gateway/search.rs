//! Searching: a query within a reach, each row decided again as it leaves.

use crate::audit::Disclosure;
use crate::auth::Caller;
use crate::consent::{Action, Reach, Released, by_right, release};
use crate::fhir::interaction::Interaction;
use crate::fhir::search::Query;
use crate::fhir::search::query::Reading;
use crate::fhir::{Instant, Issue};
use crate::store::{After, Page};

use super::record::{self, Request};
use super::{Asking, Context, Error, No, person, read};

/// A page of a search.
pub struct Found {
    pub kind: String,
    /// Key, and bytes to answer with.
    pub rows: Vec<(String, Released)>,
    pub total: Option<i64>,
    /// The sealed token of the next page.
    pub next: Option<String>,
    pub applied: Vec<(String, String)>,
    pub warnings: Vec<Issue>,
}

/// # Errors
/// Every parameter that cannot be read; under `strict` every one that is not known.
pub async fn search(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    kind: &str,
    pairs: &[(String, String)],
    strict: bool,
) -> Result<Found, Error> {
    read::allowed(ctx, caller, Interaction::SearchType, kind)?;
    let reading = Reading { params: &ctx.params, zone: &ctx.zone, strict, now: ctx.now() };
    let query = Query::read(kind, pairs, &reading).map_err(|issues| Error::No(No::Unreadable, issues))?;
    let after = query.page.as_deref().map(|sealed| open_page(ctx, caller, sealed)).transpose()?;

    let asking = Asking::new(caller, Action::Access);
    let (reach, grounds) = person::reach(ctx, &asking, kind, query.patient()).await?;
    let page = if query.only_total { None } else { Some(ctx.store.search(&query, &reach, after.as_ref()).await?) };
    let total = total(ctx, &query, &reach, page.as_ref()).await?;

    let mut record = record::start(ctx, caller, request, "search-type", kind.to_string());
    record.parameters = pairs.iter().map(|(name, _)| name.clone()).collect();
    record.patient = query.patient().map(str::to_string);
    let mut rows = Vec::new();
    let mut next = None;
    if let Some(page) = page {
        next = page
            .rows
            .last()
            .filter(|_| page.more)
            .and_then(|last| ctx.keys.seal(caller.partner(), &format!("{} {}", last.updated_at.0, last.id)));
        for stored in page.rows {
            let key = format!("{kind}/{}", stored.id);
            let (why, decision, body) = if stored.belongs_to(caller.partner()) || person::is_directory(kind) {
                let why = if stored.belongs_to(caller.partner()) { "own" } else { "directory" };
                let body = by_right(caller.partner(), stored.right(), stored.body.clone());
                (why, None, body)
            } else {
                let Some(resource) = stored.resource() else { continue };
                let decision = grounds.decide(ctx, &asking, &resource);
                if !decision.permits() {
                    // The filter and the decision must agree; where they do not, deny and say so.
                    tracing::error!(resource.kind = kind, request.id = %request.id, "reach and decision disagree: withheld");
                    continue;
                }
                let body = release(&decision, resource);
                ("consent", Some(record::said(&decision)), body)
            };
            let Some(body) = body else { continue };
            record.released.push(Disclosure {
                key: key.clone(),
                version: stored.version,
                party: stored.origin,
                patient: stored.patient,
                why,
                decision,
            });
            rows.push((key, body));
        }
    }
    record::keep(ctx, &record).await?;
    let mut warnings = query.warnings;
    if reach.withheld() {
        let text = "more people than are looked at in one search have consents that may concern you; name a patient to see theirs";
        warnings.push(Issue::warning("incomplete", "people-withheld", text));
    }
    Ok(Found { kind: kind.to_string(), rows, total, next, applied: query.applied, warnings })
}

/// Exact, or not there: a first page that holds all is its own total; a person's record is counted; everybody's only
/// when that is asked for.
async fn total(ctx: &Context, query: &Query, reach: &Reach, page: Option<&Page>) -> Result<Option<i64>, Error> {
    let whole = page.filter(|page| !page.more && query.page.is_none());
    Ok(match (whole, query.total) {
        (_, Some(false)) if !query.only_total => None,
        (Some(page), _) => Some(page.rows.len() as i64),
        (None, None) if query.patient().is_none() && !query.only_total => None,
        _ => Some(ctx.store.count(query, reach).await?),
    })
}

fn open_page(ctx: &Context, caller: &Caller, sealed: &str) -> Result<After, Error> {
    let read = || {
        let text = ctx.keys.open(caller.partner(), sealed)?;
        let (updated_at, id) = text.split_once(' ')?;
        Some(After { updated_at: Instant(updated_at.parse().ok()?), id: id.to_string() })
    };
    read().ok_or_else(|| {
        let text = "`_page`: expected the token of a `next` link that was given to you; start again without it";
        Error::one(No::Unreadable, Issue::error("value", "page-token", text))
    })
}
