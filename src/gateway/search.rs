//! Searching: a query within a reach, each row decided again as it leaves.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::Record;
use crate::auth::Caller;
use crate::consent::{Action, Reach, Released};
use crate::fhir::Issue;
use crate::fhir::interaction::Interaction;
use crate::fhir::search::{Query, SortKey, query};
use crate::fhir::view::View;
use crate::store::{After, Page, Stored};

use super::grounds::Grounds;
use super::leave::{Leave, Leaving};
use super::reach::WEIGHT_MAX;
use super::record::{self, Request};
use super::{Asking, Context, Error, No, emergency, grounds, include, person, provenance, reach, read};

/// What is searched.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// One type.
    Type(&'a str),
    /// The types that `_type` names, or all.
    System,
    /// What belongs to somebody, of one type or of all (FHIR R4 compartmentdefinition.html).
    Compartment { owner: (&'a str, &'a str), kind: Option<&'a str> },
}

/// A search as it was asked.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    pub scope: Scope<'a>,
    pub pairs: &'a [(String, String)],
    /// The address of the API, which references may begin with.
    pub base: &'a str,
    /// `Prefer: handling=strict`.
    pub strict: bool,
}

impl<'a> Search<'a> {
    /// One of our own making: what it does not understand is a mistake.
    pub fn of(kind: &'a str, pairs: &'a [(String, String)]) -> Search<'a> {
        Search { scope: Scope::Type(kind), pairs, base: "", strict: true }
    }
}

/// A page of a search.
pub struct Found {
    /// Where it was searched, behind the base: `CarePlan`, `Patient/7/CarePlan`.
    pub path: String,
    /// What matches, and what comes along.
    pub matches: Vec<Row>,
    pub included: Vec<Row>,
    pub total: Option<i64>,
    /// The sealed token of the next page.
    pub next: Option<String>,
    pub applied: Vec<(String, String)>,
    pub warnings: Vec<Issue>,
}

/// A resource that leaves: `Type/id`, and the bytes to answer with.
pub struct Row {
    pub key: String,
    pub body: Released,
}

/// What decides about the rows of one search.
pub(super) struct Sight<'a> {
    pub ctx: &'a Context,
    pub caller: &'a Caller,
    pub asking: Asking,
    pub reach: Reach,
    grounds: Grounds,
    view: View,
}

/// # Errors
/// Every parameter that cannot be read; under `strict` every one that is not known.
pub async fn search(ctx: &Context, caller: &Caller, request: &Request, asked: &Search<'_>) -> Result<Found, Error> {
    let (query, path) = question(ctx, caller, asked)?;
    let after = query.page.as_deref().map(|sealed| open_page(ctx, caller, sealed, &query.order)).transpose()?;
    emergency::only(caller, query.patient())?;

    let asking = Asking::new(caller, Action::Access);
    let kinds = kinds(ctx, caller, &query);
    for tried in 0..TRIES {
        let (reach, grounds) = match tried {
            0 => reach::reach_as_known(ctx, &asking, &kinds, query.patient()).await?,
            _ => reach::reach(ctx, &asking, &kinds, query.patient()).await?,
        };
        let mut sight = Sight { ctx, caller, asking: asking.clone(), reach, grounds, view: query.view.clone() };
        let mut record = record::start(ctx, caller, request, "search-type", path.clone());
        record.parameters = asked.pairs.iter().map(|(name, _)| name.clone()).collect();
        record.patient = query.patient().map(str::to_string);
        let looked = look(&mut sight, &query, after.as_ref(), &mut record).await?;
        // What is known of everybody was asked for before the rows were, of one person after.
        if query.patient().is_none() || sight.grounds.are_current(ctx).await? {
            record::keep(ctx, &record).await?;
            let Looked { matches, included, total, next, warnings } = looked;
            return Ok(Found { path, matches, included, total, next, applied: query.applied, warnings });
        }
    }
    let text = "the person's consents are changing while this search looks at them: try again";
    Err(Error::one(No::Conflict, Issue::error("conflict", "conflict", text)))
}

/// How often a search is made again because what decides about its person has moved meanwhile.
const TRIES: usize = 5;

/// What one look found, before it is known that it still holds.
struct Looked {
    matches: Vec<Row>,
    included: Vec<Row>,
    total: Option<i64>,
    next: Option<String>,
    warnings: Vec<Issue>,
}

async fn look(
    sight: &mut Sight<'_>,
    query: &Query,
    after: Option<&After>,
    record: &mut Record,
) -> Result<Looked, Error> {
    fit(query, &mut sight.reach);
    let (ctx, caller) = (sight.ctx, sight.caller);
    let page = if query.only_total { None } else { Some(ctx.store.search(query, &sight.reach, after).await?) };
    let total = total(ctx, query, &sight.reach, page.as_ref()).await?;
    let mut warnings = query.warnings.clone();
    let (mut matches, mut included, mut next) = (Vec::new(), Vec::new(), None);
    if let Some(page) = page {
        next = page.next.and_then(|after| ctx.keys.seal(caller.partner(), &after.text()));
        let mut along = Vec::new();
        if !query.includes.is_empty() {
            let found = include::along(sight, query, &page.rows).await?;
            warnings.extend(found.warning);
            along = found.rows;
        }
        if query.patient().is_none() {
            let of_others = page.rows.iter().chain(&along).filter(|row| !sight.is_by_right(row));
            let named: BTreeSet<String> =
                of_others.filter_map(Stored::as_resource).flat_map(person::patients).collect();
            sight.grounds = grounds::grounds_of(ctx, &named.into_iter().collect::<Vec<_>>()).await?;
        }
        included = sight.let_all_out(along, record).await?;
        matches = sight.let_all_out(page.rows, record).await?;
    }
    if sight.reach.withheld() {
        let text = "more people than are looked at in one search have consents that may concern you; name a patient to see theirs";
        warnings.push(Issue::warning("incomplete", "people-withheld", text));
    }
    Ok(Looked { matches, included, total, next, warnings })
}

/// The query, and where behind the base it was asked.
fn question(ctx: &Context, caller: &Caller, asked: &Search) -> Result<(Query, String), Error> {
    let mut pairs = asked.pairs.to_vec();
    // `self` says which types were searched.
    let named: Vec<(String, String)> = pairs.iter().filter(|(name, _)| name == "_type").cloned().collect();
    let links = match asked.scope {
        Scope::Compartment { owner, .. } => Some(links(ctx, owner.0)?),
        _ => None,
    };
    let kinds = match asked.scope {
        Scope::Type(kind) | Scope::Compartment { kind: Some(kind), .. } => vec![kind.to_string()],
        Scope::System | Scope::Compartment { kind: None, .. } => {
            let lies = |kind: &String| links.is_none_or(|links| links.contains_key(kind));
            let served = ctx.profiles.kinds().iter().filter(|kind| *kind != "AuditEvent" && lies(kind));
            let served: Vec<String> = served.cloned().collect();
            // Those that are named are asked for; of all, those that the scopes cover.
            let named = query::types(&mut pairs, &served).map_err(|issue| Error::one(No::Unreadable, issue))?;
            let may = |kind: &String| caller.may(Interaction::SearchType, kind);
            named.unwrap_or_else(|| served.into_iter().filter(may).collect())
        }
    };
    for kind in &kinds {
        read::allowed(ctx, caller, Interaction::SearchType, kind)?;
    }
    let reading = ctx.reading(caller, asked.base, asked.strict);
    let mut query = Query::read(&kinds, &pairs, &reading).map_err(|issues| Error::No(No::Unreadable, issues))?;
    covered(ctx, caller, &query)?;
    if kinds.len() != 1 {
        query.applied.splice(0..0, named);
    }
    let path = match asked.scope {
        Scope::Type(kind) => kind.to_string(),
        Scope::System => String::new(),
        Scope::Compartment { owner, kind } => {
            if let Some(links) = links {
                query.within(owner, links);
            }
            format!("{}/{}/{}", owner.0, owner.1, kind.unwrap_or("*"))
        }
    };
    Ok((query, path))
}

/// A query asks something of each type that it searches and that its chains lead through: the scopes cover them all.
pub(super) fn covered(ctx: &Context, caller: &Caller, query: &Query) -> Result<(), Error> {
    query.kinds_touched().into_iter().try_for_each(|kind| read::allowed(ctx, caller, Interaction::SearchType, kind))
}

/// Leaves as much of a reach as a statement can say once for each step of a query; of everybody's rows twice, since
/// those whose views are older than they are are looked for by themselves.
fn fit(query: &Query, reach: &mut Reach) {
    let max = WEIGHT_MAX / (query.steps() + 1) / if query.patient().is_none() { 2 } else { 1 };
    if reach.weight() > max {
        *reach = reach.clone().within_weight(max);
    }
}

/// Whether a statement can say all of a reach, for who must not overlook anything.
pub(super) fn bounded(query: &Query, reach: &Reach) -> Result<(), Error> {
    if (query.steps() + 1) * reach.weight() <= WEIGHT_MAX {
        return Ok(());
    }
    let text = "the consents of too many people would have to be looked at for each step of this search: name a patient, or use fewer chains";
    Err(Error::one(No::Unreadable, Issue::error("too-costly", "search-too-wide", text)))
}

/// Which parameters of which types lead into somebody's compartment.
fn links<'a>(ctx: &'a Context, owner: &str) -> Result<&'a BTreeMap<String, Vec<String>>, Error> {
    ctx.profiles.compartment(owner).ok_or_else(|| {
        let text = "this type has no compartment; Patient, Encounter, Practitioner, RelatedPerson and Device have one";
        Error::one(No::Unknown, Issue::error("not-supported", "no-compartment", text))
    })
}

/// The types of which the query may show or ask something.
fn kinds(ctx: &Context, caller: &Caller, query: &Query) -> Vec<String> {
    let mut kinds: BTreeSet<String> = query.kinds_touched().into_iter().map(str::to_string).collect();
    for one in &query.includes {
        kinds.extend(include::kinds(ctx, caller, one));
    }
    kinds.into_iter().collect()
}

impl Sight<'_> {
    fn is_by_right(&self, stored: &Stored) -> bool {
        stored.belongs_to(self.caller.partner()) || person::is_directory(&stored.kind)
    }

    /// Rows as this caller sees them, noted as released; those are left out where the filter and the decision disagree.
    async fn let_all_out(&self, rows: Vec<Stored>, record: &mut Record) -> Result<Vec<Row>, Error> {
        let mut leave = Leave::new(self.ctx, self.asking.clone());
        let mut found = Vec::with_capacity(rows.len());
        for stored in rows {
            found.extend(self.let_out(stored, &mut leave, record).await?);
        }
        Ok(found)
    }

    async fn let_out(&self, stored: Stored, leave: &mut Leave<'_>, record: &mut Record) -> Result<Option<Row>, Error> {
        let kind = stored.kind.clone();
        let decided = if leave.is_by_right(&stored) {
            None
        } else {
            let Some(resource) = stored.resource() else { return Ok(None) };
            let decision = match kind.as_str() {
                provenance::KIND => provenance::decide(self.ctx, &self.asking, &resource).await?,
                _ => self.grounds.decide(self.ctx, &self.asking, &resource),
            };
            Some((decision, resource))
        };
        let Some(Leaving { body: Some(body), noted, .. }) = leave.show(stored, decided).await? else {
            // The filter and the decision must agree; where they do not, deny and say so.
            tracing::error!(resource.kind = %kind, request.id = %record.request_id, "reach and decision disagree: withheld");
            return Ok(None);
        };
        let body = match &self.view {
            View::Whole => Some(body),
            view => self.ctx.profiles.outline(&kind).and_then(|outline| body.seen_as(view, &outline)),
        };
        let Some(body) = body else { return Ok(None) };
        let key = noted.key.clone();
        record.released.push(noted);
        Ok(Some(Row { key, body }))
    }
}

/// Exact, or not there: a first page that holds all is its own total; a person's record is counted; everybody's only
/// when that is asked for.
async fn total(ctx: &Context, query: &Query, reach: &Reach, page: Option<&Page>) -> Result<Option<i64>, Error> {
    let whole = page.filter(|page| page.next.is_none() && query.page.is_none());
    Ok(match (whole, query.total) {
        (_, Some(false)) if !query.only_total => None,
        (Some(page), _) => Some(page.rows.len() as i64),
        (None, None) if query.patient().is_none() && !query.only_total => None,
        _ => Some(ctx.store.count(query, reach).await?),
    })
}

fn open_page(ctx: &Context, caller: &Caller, sealed: &str, order: &[SortKey]) -> Result<After, Error> {
    let after = ctx.keys.open(caller.partner(), sealed).and_then(|text| After::parse(&text, order));
    after.ok_or_else(|| {
        let text = "`_page`: expected the token of a `next` link that was given to you; start again without it";
        Error::one(No::Unreadable, Issue::error("value", "page-token", text))
    })
}
