//! The crank of exports: claims a job, goes on with its list for some pages, and lets go of it.
//!
//! A page and the word on how far the list got are one transaction under the job's fence, so that a restart goes on
//! where the last page ended and two nodes do not list twice. Nothing leaves here; what is listed was in reach and
//! permitted when it was met.

use std::collections::{BTreeMap, HashSet};

use crate::consent::{Action, Reach};
use crate::fhir::Instant;
use crate::fhir::export::Pairs;
use crate::fhir::search::Query;
use crate::store::{After, ExportJob, ExportLine, ExportState, Fault, RecordOf, RecordPlace, Stored};

use super::super::leave::{Leave, Leaving};
use super::super::{Asking, Context, Error, No, person, reach};
use super::{Reached, Wanted};

/// Pages of one turn.
const PAGES: usize = 10;
/// Types or people of one page, at most.
const STEPS: usize = 50;
/// How long a claim lasts before another node may take the job over.
const LEASE_SECS: i64 = 60;
/// Lines of exports that nobody sees which are removed in one turn.
const CLEARED: usize = 5_000;
/// Ids of one filter, within what a search takes as values of one parameter.
const IDS_MAX: usize = 64;

/// One turn; answers how many pages were listed. Zero means that nothing waits.
///
/// # Errors
/// What the database said; the job is then taken up again when its claim has run out.
pub async fn turn(ctx: &Context) -> Result<usize, Error> {
    for id in ctx.store.spent_exports(ctx.now(), 1).await? {
        let mut tx = ctx.store.begin().await?;
        tx.clear_export(&id, CLEARED).await?;
        tx.commit().await?;
    }
    let Some(due) = ctx.store.due_exports(ctx.now(), 1).await?.into_iter().next() else { return Ok(0) };
    let mut tx = ctx.store.begin().await?;
    let claimed = tx.claim_export(&due, ctx.now().plus_secs(LEASE_SECS)).await?;
    tx.commit().await?;
    match claimed {
        Some(job) => work(ctx, job).await,
        // Somebody else is at it.
        None => Ok(0),
    }
}

async fn work(ctx: &Context, mut job: ExportJob) -> Result<usize, Error> {
    let wanted = Wanted::of(&job)?;
    let mut reached: Reached = serde_json::from_str(&job.reached).map_err(Fault::of("read an export"))?;
    let asking = Asking::of(&job.partner, &wanted.purposes, Action::Disclose);
    let mut lister = Lister {
        ctx,
        wanted: &wanted,
        reach: None,
        leave: Leave::new(ctx, asking.clone()),
        asking,
        pointed_at: HashSet::new(),
        withheld: false,
    };
    for page in 1..=PAGES {
        let mut lines = BTreeMap::new();
        let mut over = false;
        // Types and people of which there is little share a page.
        for _ in 0..STEPS {
            let (found, more) = lister.page(&reached).await?;
            lines.extend(found.into_iter().map(|line| ((line.kind.clone(), line.id.clone()), line)));
            over = more.is_none();
            reached = more.unwrap_or(reached);
            if over || lines.len() >= ctx.config.export.page_rows {
                break;
            }
        }
        let lines: Vec<ExportLine> = lines.into_values().collect();
        let now = ctx.now();
        job.reached = serde_json::to_string(&reached).map_err(Fault::of("write an export"))?;
        job.listed += lines.len() as i64;
        job.withheld |= lister.withheld;
        // After the last page of a turn whoever comes first goes on.
        job.due_at = if page == PAGES { now } else { now.plus_secs(LEASE_SECS) };
        if over {
            job.state = ExportState::Done;
            job.finished_at = now;
            job.expires_at = now.plus_secs(ctx.config.export.retention_hours * 3_600);
        }
        let mut tx = ctx.store.begin().await?;
        let held = tx.list_export(&job, &lines).await?;
        tx.commit().await?;
        if over || !held {
            return Ok(page);
        }
    }
    Ok(PAGES)
}

struct Lister<'a> {
    ctx: &'a Context,
    wanted: &'a Wanted,
    asking: Asking,
    /// What is in reach, with whose it is: of everybody, or of one person.
    reach: Option<(Option<String>, Reach)>,
    leave: Leave<'a>,
    /// The directory's entries that were followed in this turn.
    pointed_at: HashSet<String>,
    withheld: bool,
}

type Page = (Vec<ExportLine>, Option<Reached>);

impl Lister<'_> {
    /// The next page of the list, and where to go on; `None` at its end.
    async fn page(&mut self, reached: &Reached) -> Result<Page, Error> {
        let (rows, more) = match &self.wanted.patients {
            Some(patients) => match patients.get(reached.step) {
                Some(patient) => self.of_person(patient, reached).await?,
                None => return Ok((Vec::new(), None)),
            },
            None => match searches(self.wanted).into_iter().nth(reached.step) {
                Some((kind, filter)) => self.of_kind(kind, filter, reached).await?,
                None => return Ok((Vec::new(), None)),
            },
        };
        let mut lines = Vec::new();
        for stored in rows {
            let by_right = self.leave.is_by_right(&stored);
            let Some(leaving) = self.leave.let_out(&stored, by_right).await? else {
                tracing::error!(resource.kind = %stored.kind, "reach and decision disagree: not exported");
                continue;
            };
            if self.wanted.compartments {
                let keys = leaving.body.map(|body| body.references()).unwrap_or_default();
                for key in keys {
                    lines.extend(self.directory(key).await?);
                }
            }
            lines.push(line(&stored));
        }
        let more = more.unwrap_or(Reached { step: reached.step + 1, behind: None });
        Ok((lines, Some(more)))
    }

    async fn of_kind(
        &mut self,
        kind: &str,
        filter: Option<&Pairs>,
        reached: &Reached,
    ) -> Result<(Vec<Stored>, Option<Reached>), Error> {
        let mut pairs = filter.cloned().unwrap_or_default();
        if let Some(since) = self.wanted.since {
            pairs.push(("_lastUpdated".into(), format!("ge{}", Instant(since))));
        }
        // Oldest first: what is changed while the list is made moves behind its end, and is met once more.
        pairs.push(("_sort".into(), "_lastUpdated".into()));
        let query = self.query(kind, pairs, self.ctx.config.export.page_rows)?;
        let after = reached.behind.as_ref().and_then(|(_, place)| After::parse(place, &query.order));
        let reach = self.reach(None).await?;
        let page = self.ctx.store.search(&query, &reach, after.as_ref()).await?;
        let behind = page.next.map(|next| (kind.to_string(), next.text()));
        let more = behind.map(|behind| Reached { step: reached.step, behind: Some(behind) });
        let named = |stored: &Stored| !self.wanted.compartments || stored.patient.is_some();
        Ok((page.rows.into_iter().filter(named).collect(), more))
    }

    async fn of_person(&mut self, patient: &str, reached: &Reached) -> Result<(Vec<Stored>, Option<Reached>), Error> {
        let kinds: Vec<String> = self.wanted.kinds.iter().filter(|kind| !person::is_directory(kind)).cloned().collect();
        let of = RecordOf { patient, kinds: &kinds, since: self.wanted.since.map(Instant), during: None };
        let behind = reached.behind.clone().map(|(kind, id)| RecordPlace { kind, id });
        let reach = self.reach(Some(patient)).await?;
        let limit = self.ctx.config.export.page_rows;
        let rows = self.ctx.store.record_within(&of, &reach, behind.as_ref(), limit).await?;
        let last = rows.last().filter(|_| rows.len() == limit);
        let behind = last.map(|last| (last.kind.clone(), last.id.clone()));
        let more = behind.map(|behind| Reached { step: reached.step, behind: Some(behind) });
        Ok((self.selected(rows, &reach).await?, more))
    }

    /// Those rows that pass a filter of their type.
    async fn selected(&self, rows: Vec<Stored>, reach: &Reach) -> Result<Vec<Stored>, Error> {
        let mut passed = HashSet::new();
        for kind in rows.iter().map(|row| row.kind.as_str()).collect::<HashSet<&str>>() {
            let ids: Vec<&str> = rows.iter().filter(|row| row.kind == kind).map(|row| row.id.as_str()).collect();
            for filter in self.wanted.filters_of(kind) {
                for ids in ids.chunks(IDS_MAX) {
                    let mut pairs = filter.clone();
                    pairs.push(("_id".into(), ids.join(",")));
                    let query = self.query(kind, pairs, IDS_MAX)?;
                    let found = self.ctx.store.search(&query, reach, None).await?;
                    passed.extend(found.rows.into_iter().map(|row| (row.kind, row.id)));
                }
            }
        }
        let fits = |row: &Stored| {
            self.wanted.filters_of(&row.kind).is_empty() || passed.contains(&(row.kind.clone(), row.id.clone()))
        };
        Ok(rows.into_iter().filter(fits).collect())
    }

    /// An entry of the directory that something points at, once a turn.
    async fn directory(&mut self, key: String) -> Result<Option<ExportLine>, Error> {
        let wanted = key
            .split_once('/')
            .filter(|(kind, _)| person::is_directory(kind) && self.wanted.kinds.iter().any(|wanted| wanted == kind));
        let Some((kind, id)) = wanted else { return Ok(None) };
        if !self.pointed_at.insert(key.clone()) {
            return Ok(None);
        }
        let reach = reach::own(self.ctx, &self.asking.partner).await?;
        let stored = self.ctx.store.read(kind, id, &reach).await?.filter(|stored| !stored.deleted);
        let Some(stored) = stored else { return Ok(None) };
        let leaving = self.leave.let_out(&stored, true).await?;
        let fits = |leaving: &Leaving| self.wanted.since.is_none_or(|since| leaving.updated_at.0 >= since);
        if !leaving.as_ref().is_some_and(fits) {
            return Ok(None);
        }
        Ok(self.selected(vec![stored], &reach).await?.first().map(line))
    }

    /// What is in reach, worked out once a turn: whoever fetches a file is asked about again.
    async fn reach(&mut self, patient: Option<&str>) -> Result<Reach, Error> {
        if let Some((of, reach)) = &self.reach
            && of.as_deref() == patient
        {
            return Ok(reach.clone());
        }
        let reach = match patient {
            Some(patient) => reach::reach_of_one(self.ctx, &self.asking, patient).await?.0,
            None => reach::reach_of_all(self.ctx, &self.asking).await?,
        };
        self.withheld |= reach.withheld();
        self.reach = Some((patient.map(str::to_string), reach.clone()));
        Ok(reach)
    }

    fn query(&self, kind: &str, mut pairs: Pairs, count: usize) -> Result<Query, Error> {
        pairs.push(("_count".into(), count.to_string()));
        Query::read(&[kind.to_string()], &pairs, &self.ctx.reading_all("", true))
            .map_err(|issues| Error::No(No::Unreadable, issues))
    }
}

/// Types and filters, one search each. In compartments the directory is followed, not searched.
fn searches(wanted: &Wanted) -> Vec<(&String, Option<&Pairs>)> {
    let searched = |kind: &&String| !wanted.compartments || !person::is_directory(kind);
    let mut found = Vec::new();
    for kind in wanted.kinds.iter().filter(searched) {
        let filters = wanted.filters_of(kind);
        if filters.is_empty() {
            found.push((kind, None));
        }
        found.extend(filters.into_iter().map(|filter| (kind, Some(filter))));
    }
    found
}

fn line(stored: &Stored) -> ExportLine {
    let Stored { kind, bucket, id, version, .. } = stored.clone();
    ExportLine { kind, bucket, id, version }
}
