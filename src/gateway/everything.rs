//! `Patient/$everything`: a person's record as far as it is in reach, and whom in the directory it points at.
//!
//! The record comes first, the Patient leading; when it is told, the directory follows, so that each entry is there
//! once, however it is paged.

use std::collections::BTreeSet;

use crate::audit::{Disclosure, Record};
use crate::auth::Caller;
use crate::consent::{Action, Reach, Released};
use crate::fhir::everything::Asked;
use crate::fhir::interaction::Interaction;
use crate::fhir::{Issue, Severity};
use crate::store::{RecordOf, RecordPlace};

use super::history::page_token;
use super::leave::{Leave, Leaving};
use super::record::{self, Request};
use super::{Asking, Context, Error, No, emergency, person, reach, read};

/// A page of a person's record.
pub struct Everything {
    /// Key, and bytes to answer with.
    pub rows: Vec<(String, Released)>,
    /// Exact, or not there.
    pub total: Option<i64>,
    /// The sealed token of the next page.
    pub next: Option<String>,
    pub applied: Vec<(String, String)>,
    pub warnings: Vec<Issue>,
}

/// Where a page starts.
#[derive(Clone, Debug)]
enum From {
    Record(Option<RecordPlace>),
    /// Behind this key of the directory.
    Directory(String),
}

/// Rows of one statement.
const FETCHED: usize = 200;

/// # Errors
/// Unknown, for a Patient that the caller does not see; types beyond its scopes; a page token that is none.
pub async fn everything(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    id: &str,
    asked: Asked,
) -> Result<Everything, Error> {
    read::allowed(ctx, caller, Interaction::Read, "Patient")?;
    emergency::only(caller, Some(id))?;
    let mut warnings = asked.warnings;
    let kinds = kinds(ctx, caller, &asked.kinds, asked.strict, &mut warnings)?;
    let from = match &asked.page {
        Some(sealed) => open_page(ctx, caller, id, sealed).ok_or_else(page_token)?,
        None => From::Record(None),
    };
    let mut record = record::start(ctx, caller, request, "everything", format!("Patient/{id}"));
    record.parameters = asked.names;
    let seen = read::look(ctx, caller, "Patient", id, &mut record).await?;
    // What is shown is noted entry by entry.
    record.released.clear();
    let Some(seen) = seen.filter(|seen| !seen.stored.deleted || seen.stored.belongs_to(caller.partner())) else {
        record::keep(ctx, &record).await?;
        return Err(Error::unknown("Patient", id));
    };
    if seen.stored.deleted {
        record::keep(ctx, &record).await?;
        return Err(read::gone("Patient", id));
    }
    record.patient = Some(id.to_string());

    let asking = Asking::new(caller, Action::Access);
    let (personal, directory): (Vec<String>, Vec<String>) =
        kinds.into_iter().partition(|kind| !person::is_directory(kind));
    let (reach, _) = reach::reach_of_one(ctx, &asking, id).await?;
    let of = RecordOf { patient: id, kinds: &personal, since: asked.since, during: asked.during };
    let mut walk = Walk { ctx, of, reach, directory, leave: Leave::new(ctx, asking), pointed_at: BTreeSet::new() };

    let first = matches!(from, From::Record(None));
    let (rows, next) = walk.page(from, asked.count, &mut record).await?;
    record::keep(ctx, &record).await?;
    let total = (first && next.is_none()).then_some(rows.len() as i64);
    let next = next.and_then(|from| seal_page(ctx, caller, id, &from));
    Ok(Everything { rows, total, next, applied: asked.applied, warnings })
}

/// The types that are wanted, as far as they are served and the scopes go.
pub(super) fn kinds(
    ctx: &Context,
    caller: &Caller,
    wanted: &[String],
    strict: bool,
    warnings: &mut Vec<Issue>,
) -> Result<Vec<String>, Error> {
    let covered = |kind: &String| caller.may(Interaction::SearchType, kind) && caller.may(Interaction::Read, kind);
    let served = || ctx.profiles.kinds().iter().filter(|kind| kind.as_str() != "AuditEvent");
    if wanted.is_empty() {
        let kinds: Vec<String> = served().filter(|kind| covered(kind)).cloned().collect();
        return if kinds.is_empty() { Err(Error::scopes("search-type", "*")) } else { Ok(kinds) };
    }
    let unknown = || {
        let text = "`_type` names a type that is not served here; /fhir/metadata lists those that are";
        Issue::error("not-supported", "parameter-value", text)
    };
    let mut kinds = Vec::new();
    for kind in wanted {
        if !served().any(|known| known == kind) {
            warnings.push(Issue { severity: Severity::Warning, ..unknown() });
        } else if !covered(kind) {
            return Err(Error::scopes("search-type", kind));
        } else if !kinds.contains(kind) {
            kinds.push(kind.clone());
        }
    }
    let some_unknown = wanted.iter().any(|kind| !served().any(|known| known == kind));
    if kinds.is_empty() || (strict && some_unknown) {
        return Err(Error::one(No::Unreadable, unknown()));
    }
    Ok(kinds)
}

struct Walk<'a> {
    ctx: &'a Context,
    of: RecordOf<'a>,
    reach: Reach,
    /// The types of the directory that are wanted.
    directory: Vec<String>,
    leave: Leave<'a>,
    /// Whom of the directory the record points at, as far as it was walked.
    pointed_at: BTreeSet<String>,
}

type Rows = Vec<(String, Released)>;

impl Walk<'_> {
    async fn page(&mut self, from: From, count: usize, record: &mut Record) -> Result<(Rows, Option<From>), Error> {
        let mut rows = Vec::new();
        let behind = match from {
            From::Record(behind) => {
                let whole = behind.is_none();
                if let Some(next) = self.record(behind, count, &mut rows, record).await? {
                    return Ok((rows, Some(From::Record(Some(next)))));
                }
                if !whole {
                    self.look_through().await?;
                }
                String::new()
            }
            From::Directory(behind) => {
                self.look_through().await?;
                behind
            }
        };
        let more = self.directory(behind, count, &mut rows, record).await?;
        Ok((rows, more.map(From::Directory)))
    }

    /// Fills the page from the record; answers where to go on, if there is more.
    async fn record(
        &mut self,
        mut behind: Option<RecordPlace>,
        count: usize,
        rows: &mut Rows,
        record: &mut Record,
    ) -> Result<Option<RecordPlace>, Error> {
        let mut last = behind.clone();
        loop {
            let found = self.ctx.store.record_within(&self.of, &self.reach, behind.as_ref(), FETCHED).await?;
            let exhausted = found.len() < FETCHED;
            for stored in found {
                let place = RecordPlace { kind: stored.kind.clone(), id: stored.id.clone() };
                let by_right = self.leave.is_by_right(&stored);
                let Some((body, noted)) = out(self.leave.let_out(&stored, by_right).await?) else {
                    // The filter and the decision must agree; where they do not, deny and say so.
                    tracing::error!(resource.kind = %stored.kind, "reach and decision disagree: withheld");
                    behind = Some(place);
                    continue;
                };
                if rows.len() == count {
                    return Ok(last);
                }
                self.point(&body);
                rows.push((noted.key.clone(), body));
                record.released.push(noted);
                last = Some(place.clone());
                behind = Some(place);
            }
            if exhausted {
                return Ok(None);
            }
        }
    }

    /// Finds out whom the whole record points at, when this page does not tell it all.
    async fn look_through(&mut self) -> Result<(), Error> {
        let (mut behind, ctx) = (None, self.ctx);
        loop {
            let found = ctx.store.record_within(&self.of, &self.reach, behind.as_ref(), FETCHED).await?;
            for stored in &found {
                let by_right = self.leave.is_by_right(stored);
                if let Some((body, _)) = out(self.leave.let_out(stored, by_right).await?) {
                    self.point(&body);
                }
            }
            match found.last() {
                Some(last) if found.len() == FETCHED => {
                    behind = Some(RecordPlace { kind: last.kind.clone(), id: last.id.clone() });
                }
                _ => return Ok(()),
            }
        }
    }

    fn point(&mut self, body: &Released) {
        let of_directory = |key: &String| {
            key.split_once('/').is_some_and(|(kind, _)| self.directory.iter().any(|wanted| wanted == kind))
        };
        self.pointed_at.extend(body.references().into_iter().filter(of_directory));
    }

    /// Fills the page from the directory; answers behind which key to go on, if there is more.
    async fn directory(
        &mut self,
        behind: String,
        count: usize,
        rows: &mut Rows,
        record: &mut Record,
    ) -> Result<Option<String>, Error> {
        let mut last = behind.clone();
        for key in self.pointed_at.iter().filter(|key| **key > behind) {
            let Some((kind, id)) = key.split_once('/') else { continue };
            let stored = self.ctx.store.read(kind, id, &self.reach).await?;
            let since = self.of.since;
            let fits = |updated_at| since.is_none_or(|since| updated_at >= since);
            let Some(stored) = stored.filter(|stored| !stored.deleted) else { continue };
            let leaving = self.leave.let_out(&stored, true).await?;
            let Some(leaving) = leaving.filter(|leaving| fits(leaving.updated_at)) else { continue };
            if rows.len() == count {
                return Ok(Some(last));
            }
            if let Some((body, noted)) = out(Some(leaving)) {
                rows.push((key.clone(), body));
                record.released.push(noted);
            }
            last.clone_from(key);
        }
        Ok(None)
    }
}

/// What is there to be shown: a record has no deletions.
fn out(leaving: Option<Leaving>) -> Option<(Released, Disclosure)> {
    let Leaving { body, noted, .. } = leaving?;
    Some((body?, noted))
}

fn seal_page(ctx: &Context, caller: &Caller, id: &str, from: &From) -> Option<String> {
    let text = match from {
        From::Record(None) => return None,
        From::Record(Some(place)) => format!("everything {id} record {}/{}", place.kind, place.id),
        From::Directory(behind) => format!("everything {id} directory {behind}"),
    };
    ctx.keys.seal(caller.partner(), &text)
}

fn open_page(ctx: &Context, caller: &Caller, id: &str, sealed: &str) -> Option<From> {
    let text = ctx.keys.open(caller.partner(), sealed)?;
    let rest = text.strip_prefix("everything ")?.strip_prefix(id)?;
    if let Some(behind) = rest.strip_prefix(" directory ") {
        return Some(From::Directory(behind.to_string()));
    }
    let (kind, id) = rest.strip_prefix(" record ")?.split_once('/')?;
    Some(From::Record(Some(RecordPlace { kind: kind.to_string(), id: id.to_string() })))
}
