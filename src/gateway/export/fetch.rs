//! A file of an export, part by part: what was listed is read within a reach, decided for who fetches it at this
//! moment, and noted in the log before it leaves.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::audit::Record;
use crate::auth::Caller;
use crate::consent::{Action, Atom, Condition, Reach};
use crate::fhir::interaction::Interaction;
use crate::fhir::{Issue, Outcome};
use crate::store::{ExportLine, ExportPart, ExportState, Stored};

use super::super::leave::Leave;
use super::super::record::{self, Request};
use super::super::{Asking, Context, Error, person, reach, read};
use super::{Wanted, own_job};

/// A file that is being fetched. No more of it is in memory than one part.
pub struct ExportFile {
    ctx: Arc<Context>,
    caller: Caller,
    request: Request,
    job: String,
    kind: String,
    behind: Option<ExportLine>,
    /// Lines that are no resources of anybody.
    notes: Option<Vec<u8>>,
    begun: bool,
}

/// # Errors
/// Unknown, for anybody else's export and for a file that it does not have; a type beyond the token's scopes.
pub async fn export_file(
    ctx: Arc<Context>,
    caller: Caller,
    request: Request,
    id: &str,
    name: &str,
) -> Result<ExportFile, Error> {
    let job = own_job(&ctx, &caller, id).await?;
    let unknown = || Error::unknown("$export", &format!("{id}/{name}"));
    let kind = name.strip_suffix(".ndjson").filter(|_| job.state == ExportState::Done).ok_or_else(unknown)?;
    let mut notes = None;
    if kind == "OperationOutcome" {
        let note = |text: String| Issue::warning("not-supported", "not-applied", text);
        let mut lines: Vec<Issue> = Wanted::of(&job)?.notes.into_iter().map(note).collect();
        if job.withheld {
            let text = "more people than are looked at in one export have consents that may concern you; export them by Group or by `patient`";
            lines.push(Issue::warning("incomplete", "people-withheld", text));
        }
        let text: Vec<String> =
            lines.into_iter().map(|issue| format!("{}\n", Outcome::from(issue).to_value())).collect();
        notes = Some(text.concat().into_bytes()).filter(|text| !text.is_empty());
        if notes.is_none() {
            return Err(unknown());
        }
    } else {
        if ctx.store.export_lines(id, kind, None, 1).await?.is_empty() {
            return Err(unknown());
        }
        read::allowed(&ctx, &caller, Interaction::SearchType, kind)?;
        read::allowed(&ctx, &caller, Interaction::Read, kind)?;
    }
    let (job, kind) = (job.id, kind.to_string());
    Ok(ExportFile { ctx, caller, request, job, kind, behind: None, notes, begun: false })
}

impl ExportFile {
    /// The next part of the file; `None` at its end. On return its record is on disk.
    ///
    /// # Errors
    /// What the database said; what was not told of then is not told.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if let Some(notes) = self.notes.take() {
            return Ok(Some(notes));
        }
        let ctx = self.ctx.clone();
        loop {
            let rows = ctx.config.export.page_rows;
            let lines = ctx.store.export_lines(&self.job, &self.kind, self.behind.as_ref(), rows).await?;
            let target = format!("$export/{}", self.kind);
            let mut record = record::start(&ctx, &self.caller, &self.request, "export-file", target);
            let Some(last) = lines.last() else { return Ok(None) };
            let part = ExportPart { job: &self.job, kind: &self.kind, behind: self.behind.as_ref(), last };
            let text = self.part(&ctx, &part, &lines, &mut record).await?;
            if !record.released.is_empty() || !self.begun {
                record::keep(&ctx, &record).await?;
            }
            self.begun = true;
            self.behind = Some(last.clone());
            if !text.is_empty() {
                return Ok(Some(text));
            }
        }
    }

    async fn part(
        &self,
        ctx: &Context,
        part: &ExportPart<'_>,
        lines: &[ExportLine],
        record: &mut Record,
    ) -> Result<Vec<u8>, Error> {
        let asking = Asking::new(&self.caller, Action::Disclose);
        let mut leave = Leave::new(ctx, asking);
        let own = reach::own(ctx, self.caller.partner()).await?;
        let mut current = by_id(ctx.store.exported(part, &own).await?);
        if current.len() < lines.len() && !person::is_directory(part.kind) && !person::is_control(part.kind) {
            let reach = self.permitted(ctx, part, &current, &mut leave).await?;
            if !reach.is_own_alone() {
                let more = by_id(ctx.store.exported(part, &reach).await?);
                more.into_iter().for_each(|(id, row)| {
                    current.entry(id).or_insert(row);
                });
            }
        }
        let mut text = Vec::new();
        for line in lines {
            let Some(now) = current.remove(&line.id) else { continue };
            let by_right = leave.is_by_right(&now);
            // The version that was listed, if it is not the current one any more.
            let row = if now.version == line.version {
                now
            } else {
                let Some(older) = ctx.store.vread(&now, line.version).await? else { continue };
                older
            };
            let Some(leaving) = leave.let_out(&row, by_right).await? else { continue };
            let Some(body) = leaving.body else { continue };
            record.released.push(leaving.noted);
            text.extend_from_slice(body.into_text().as_bytes());
            text.push(b'\n');
        }
        Ok(text)
    }

    /// The reach that shows what is permitted now of what is not the caller's own, and nothing else.
    async fn permitted(
        &self,
        ctx: &Context,
        part: &ExportPart<'_>,
        own: &HashMap<String, Stored>,
        leave: &mut Leave<'_>,
    ) -> Result<Reach, Error> {
        let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let judged = ctx.store.exported_for_decision(part).await?;
        for stored in judged.iter().filter(|stored| !own.contains_key(&stored.id)) {
            let Some(resource) = stored.resource() else { continue };
            if leave.decide(&resource).await?.permits() {
                for patient in person::patients(&resource) {
                    keys.entry(patient).or_default().insert(resource.key());
                }
            }
        }
        let people = keys.into_iter().map(|(patient, keys)| (patient, Condition::is(Atom::Key(keys))));
        Ok(Reach::of(self.caller.partner(), people.collect(), false))
    }
}

fn by_id(rows: Vec<Stored>) -> HashMap<String, Stored> {
    rows.into_iter().map(|row| (row.id.clone(), row)).collect()
}
