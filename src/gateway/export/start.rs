//! The kick-off: everything is read and judged before anybody waits for it.

use crate::auth::Caller;
use crate::consent::Released;
use crate::fhir::export::Asked;
use crate::fhir::search::Query;
use crate::fhir::{Element, Instant, Issue, Reference};
use crate::store::{ExportJob, ExportState};

use super::super::record::{self, Request};
use super::super::{Context, Error, No, emergency, everything, read, search};
use super::{Reached, Wanted};

/// Of whom.
#[derive(Clone, Copy, Debug)]
pub enum ExportOf<'a> {
    Exchange,
    Patients,
    Group(&'a str),
}

/// Starts an export; answers its id.
///
/// # Errors
/// Everything that cannot be read; types beyond the scopes; a Group that the caller does not see; more jobs than a
/// partner may have.
pub async fn start_export(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    of: ExportOf<'_>,
    address: &str,
    asked: Asked,
) -> Result<String, Error> {
    let mut warnings = asked.warnings;
    let mut issues = Vec::new();
    if matches!(of, ExportOf::Exchange) && !asked.patients.is_empty() {
        let text = "`patient` narrows an export of `Patient` or of a Group";
        issues.push(Issue::error("not-supported", "parameter-value", text));
    }
    let kinds = everything::kinds(ctx, caller, &asked.kinds, asked.strict, &mut warnings)?;
    let reading = ctx.reading(caller, "", true);
    for (kind, pairs) in &asked.filters {
        match Query::read(std::slice::from_ref(kind), pairs, &reading) {
            Ok(query) => search::covered(ctx, caller, &query)?,
            Err(more) => issues.extend(more),
        }
    }
    if !issues.is_empty() {
        return Err(Error::No(No::Unreadable, issues));
    }

    emergency::only(caller, None)?;
    let target = match of {
        ExportOf::Exchange => "system".to_string(),
        ExportOf::Patients => "Patient".to_string(),
        ExportOf::Group(id) => format!("Group/{id}"),
    };
    let mut record = record::start(ctx, caller, request, "export", target);
    record.parameters = asked.names;
    let named = (!asked.patients.is_empty()).then_some(asked.patients);
    let patients = match of {
        ExportOf::Exchange => None,
        ExportOf::Patients => named,
        ExportOf::Group(id) => {
            // What leaves is limited to the types that the scopes cover; who the members are is the Group's own matter,
            // and it must be in reach. Bulk clients ask for no scope on it.
            let seen = read::look(ctx, caller, "Group", id, &mut record).await?;
            let Some(seen) = seen.filter(|seen| !seen.stored.deleted) else {
                record::keep(ctx, &record).await?;
                return Err(Error::unknown("Group", id));
            };
            let members = seen.version(ctx, caller).await?.body.map(members).unwrap_or_default();
            let wanted = |id: &String| named.as_ref().is_none_or(|named| named.contains(id));
            Some(members.into_iter().filter(wanted).collect())
        }
    };

    let now = ctx.now();
    let wanted = Wanted {
        request: address.to_string(),
        compartments: !matches!(of, ExportOf::Exchange),
        patients,
        kinds,
        filters: asked.filters,
        since: asked.since.map(|since| since.0),
        purposes: caller.purposes().to_vec(),
        notes: warnings.into_iter().map(|issue| issue.text).collect(),
    };
    let text = |value: Result<String, serde_json::Error>| {
        value.map_err(|error| Error::Fault(crate::store::Fault::of("write an export")(error)))
    };
    let job = ExportJob {
        // It says nothing of its time, and cannot be guessed.
        id: ctx.ids.unlinkable(),
        partner: caller.partner().to_string(),
        subject: caller.subject().to_string(),
        state: ExportState::Running,
        asked: text(serde_json::to_string(&wanted))?,
        reached: text(serde_json::to_string(&Reached::default()))?,
        withheld: false,
        listed: 0,
        created_at: now,
        due_at: now,
        fence: 0,
        asked_at: Instant(0),
        finished_at: Instant(0),
        expires_at: now.plus_secs(ctx.config.export.retention_hours * 3_600),
    };
    let mut tx = ctx.store.begin().await?;
    if !tx.add_export(&job, ctx.config.export.jobs_max).await? {
        let text = format!(
            "{} exports of yours are kept here already (export.jobs_max): delete one, or wait until one expires",
            ctx.config.export.jobs_max
        );
        return Err(Error::one(No::TooMany, Issue::error("throttled", "too-many-exports", text)));
    }
    tx.record(&record::row(&record, None)).await?;
    tx.commit().await?;
    Ok(job.id)
}

/// The Patients among a Group's members, as the caller sees it.
fn members(group: Released) -> Vec<String> {
    let Some(group) = group.into_resource() else { return Vec::new() };
    let active = group.root().each("member").filter(|member| member.flag("inactive") != Some(true));
    let id = |member: Element| {
        let entity = member.get("entity").text("reference").map(Reference::parse)?;
        entity.id_of("Patient").map(str::to_string)
    };
    let mut found: Vec<String> = active.filter_map(id).collect();
    found.sort_unstable();
    found.dedup();
    found
}
