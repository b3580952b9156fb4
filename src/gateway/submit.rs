//! Writing: one resource or a whole transaction, all or none.
//!
//! Ids are given and references rewritten first, so that what is checked is what is stored. Everything is judged
//! before the writer's turn, and every problem is said at once. Then, in one transaction: the resources, where the
//! referrals stand, the deliveries that follow, the audit record.

use std::collections::HashMap;

use crate::audit::{Disclosure, Record};
use crate::auth::{Caller, Way};
use crate::consent::{Directive, Released};
use crate::fhir::interaction::Interaction;
use crate::fhir::reference::is_id;
use crate::fhir::{Instant, Issue, Outcome, Resource, Severity};
use crate::profile::Valid;
use crate::store::{Place, Stored, Tx, bucket_in, bucket_of_name};

use super::record::{self, Request};
use super::referral::{self, Desk};
use super::targets::Targets;
use super::transition::{self, Roles};
use super::{Context, Error, No, person, place, read};

/// One thing to be done.
#[derive(Debug)]
pub struct Asked {
    pub change: Change,
    /// Where it stands in its Bundle, for the words of a refusal.
    pub entry: usize,
    /// The entry's `fullUrl`, by which the others of its Bundle may point at it.
    pub full_url: Option<String>,
}

#[derive(Debug)]
pub enum Change {
    Create(Resource),
    Update { kind: String, id: String, resource: Resource, if_match: Option<String> },
    Delete { kind: String, id: String, if_match: Option<String> },
}

/// What was done.
#[derive(Debug)]
pub struct Written {
    pub kind: String,
    pub id: String,
    pub version: i64,
    pub updated_at: Instant,
    pub created: bool,
    /// The stored bytes; `None` for a deletion.
    pub body: Option<String>,
    /// Warnings, and what became of a referral.
    pub outcome: Outcome,
}

/// A change that may be made, with what it is made from.
struct Planned {
    resource: Option<Resource>,
    kind: String,
    id: String,
    bucket: i64,
    origin: String,
    current: Option<Stored>,
    roles: Roles,
    entry: usize,
    full_url: Option<String>,
    notes: Vec<Issue>,
    /// Rules of the Task's machine that the change breaks.
    broken: Vec<Issue>,
}

/// Kinds whose writing may turn decisions about their person (rules.md 25).
const DECISIVE: [&str; 7] = ["Consent", "CareTeam", "Group", "RelatedPerson", "Encounter", "Provenance", "Patient"];
/// How often a write that lost a race is made again from what is current.
const TRIES: usize = 3;

/// # Errors
/// Every problem of every resource; then nothing was stored.
pub async fn submit(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    interaction: Interaction,
    asked: Vec<Asked>,
) -> Result<Vec<Written>, Error> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match once(ctx, caller, request, interaction, &asked).await {
            Err(Error::No(No::Conflict, _)) if tries > 0 => {}
            done => return done,
        }
    }
}

async fn once(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    interaction: Interaction,
    asked: &[Asked],
) -> Result<Vec<Written>, Error> {
    let mut planned = plan(ctx, caller, request, interaction, asked).await?;
    link(ctx, &mut planned).await?;
    let checked = check(ctx, caller, request, interaction, &mut planned).await?;

    let partners = ctx.partners().await?;
    let desk = Desk { ctx, partners: &partners };
    let target = match planned.as_slice() {
        [one] => format!("{}/{}", one.kind, one.id),
        _ => "Bundle".to_string(),
    };
    let mut record = record::start(ctx, caller, request, interaction.code(), target);
    let mut written: Vec<Option<Written>> = planned.iter().map(|_| None).collect();
    let mut tx = ctx.store.begin().await?;
    // Tasks last: what decides about them may come in the same Bundle.
    let (tasks, others): (Vec<_>, Vec<_>) =
        checked.into_iter().enumerate().partition(|(at, _)| planned[*at].kind == "Task");
    for (at, valid) in others {
        written[at] = Some(put(ctx, &mut tx, &mut planned[at], valid, &mut record).await?);
    }
    for (at, valid) in tasks {
        written[at] = Some(put_task(&desk, caller, &mut tx, &mut planned[at], valid, &mut record).await?);
    }
    let moved = planned.iter().filter(|one| DECISIVE.contains(&one.kind.as_str()));
    let mut people: Vec<(i64, String)> = moved.flat_map(people_of).collect();
    people.sort();
    people.dedup();
    for (bucket, patient) in people {
        let home = tx.bucket_of("Patient", &patient).await?.unwrap_or(bucket);
        let open = tx.open_referrals(home, &patient).await?;
        desk.reconsider(&mut tx, open, &mut record).await?;
    }
    let bucket = planned.first().map(|one| one.bucket);
    tx.record(&record::row(&record, bucket)).await?;
    tx.commit().await?;
    let mut answers = Vec::with_capacity(written.len());
    for (one, done) in planned.iter().zip(written.into_iter().flatten()) {
        let own = one.origin == caller.partner()
            || one.current.as_ref().is_some_and(|stored| stored.belongs_to(caller.partner()));
        answers.push(if own || done.body.is_none() { done } else { view(ctx, caller, request, done).await? });
    }
    Ok(answers)
}

/// Finds what each change is made from, and whether this caller may make it.
async fn plan(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    interaction: Interaction,
    asked: &[Asked],
) -> Result<Vec<Planned>, Error> {
    let alone = !matches!(interaction, Interaction::Transaction);
    let mut planned = Vec::with_capacity(asked.len());
    let mut refused: Option<(No, Vec<Issue>)> = None;
    for one in asked {
        let found = match &one.change {
            Change::Create(resource) => create(ctx, caller, resource),
            Change::Update { kind, id, resource, if_match } => {
                update(ctx, caller, request, (kind, id), resource, if_match.as_deref()).await
            }
            Change::Delete { kind, id, if_match } => {
                delete(ctx, caller, request, (kind, id), if_match.as_deref()).await
            }
        };
        match found.map_err(|error| if alone { error } else { error.within_entry(one.entry) }) {
            Ok(found) => planned.push(Planned { entry: one.entry, full_url: one.full_url.clone(), ..found }),
            // The first says what sort of "no" it is; all are told.
            Err(Error::No(no, issues)) => refused.get_or_insert((no, Vec::new())).1.extend(issues),
            Err(fault) => return Err(fault),
        }
    }
    refused.map_or(Ok(planned), |(no, issues)| Err(Error::No(no, issues)))
}

fn create(ctx: &Context, caller: &Caller, resource: &Resource) -> Result<Planned, Error> {
    let kind = resource.kind();
    writable(ctx, caller, Interaction::Create, kind)?;
    // An operator's import keeps ids (rules.md 11); anybody else is given one.
    let kept = resource.id().filter(|_| caller.way() == Way::Operator);
    Ok(Planned {
        resource: Some(resource.clone()),
        kind: kind.to_string(),
        id: kept.unwrap_or("").to_string(),
        bucket: -1,
        origin: caller.partner().to_string(),
        current: None,
        roles: Roles { requester: true, target: false },
        entry: 0,
        full_url: None,
        notes: Vec::new(),
        broken: Vec::new(),
    })
}

async fn update(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    (kind, id): (&str, &str),
    resource: &Resource,
    if_match: Option<&str>,
) -> Result<Planned, Error> {
    writable(ctx, caller, Interaction::Update, kind)?;
    same_identity(kind, id, resource)?;
    let found = match find(ctx, caller, request, kind, id).await? {
        None if may_name(ctx, caller, kind, id).await? => {
            let made = create(ctx, caller, resource)?;
            return Ok(Planned { id: id.to_string(), ..made });
        }
        // It may have been created between the two looks.
        None => find(ctx, caller, request, kind, id).await?,
        found => found,
    };
    let (current, view) = found.ok_or_else(|| Error::unknown(kind, id))?;
    versions_agree(kind, &current, if_match)?;
    let roles = roles(ctx, caller, &current, resource).await?;
    if current.origin != caller.partner()
        && caller.way() != Way::Operator
        && !(kind == "Task" && (roles.requester || roles.target))
    {
        return Err(Error::not_yours(&format!("{kind}/{id}")));
    }
    let mut broken = Vec::new();
    let mut resource = resource.clone();
    if let Some(view) = view.filter(|_| kind == "Task") {
        broken = transition::check_change(&view, &resource, roles);
        if let Some(stored) = current.resource().filter(|_| !roles.requester) {
            resource = transition::applied(stored, &resource);
        }
    }
    Ok(Planned {
        resource: Some(resource),
        kind: kind.to_string(),
        id: id.to_string(),
        bucket: current.bucket,
        origin: current.origin.clone(),
        current: Some(current),
        roles,
        entry: 0,
        full_url: None,
        notes: Vec::new(),
        broken,
    })
}

async fn delete(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    (kind, id): (&str, &str),
    if_match: Option<&str>,
) -> Result<Planned, Error> {
    writable(ctx, caller, Interaction::Delete, kind)?;
    let (current, _) = find(ctx, caller, request, kind, id).await?.ok_or_else(|| Error::unknown(kind, id))?;
    if current.origin != caller.partner() {
        return Err(Error::not_yours(&format!("{kind}/{id}")));
    }
    if if_match.is_some() {
        versions_agree(kind, &current, if_match)?;
    }
    Ok(Planned {
        resource: None,
        kind: kind.to_string(),
        id: id.to_string(),
        bucket: current.bucket,
        origin: current.origin.clone(),
        current: Some(current),
        roles: Roles { requester: true, target: false },
        entry: 0,
        full_url: None,
        notes: Vec::new(),
        broken: Vec::new(),
    })
}

/// Gives ids and buckets, and turns the Bundle's own addresses into references.
async fn link(ctx: &Context, planned: &mut [Planned]) -> Result<(), Error> {
    let now = ctx.now();
    let mut addresses: HashMap<String, String> = HashMap::new();
    // Patients first: what is about them lives in their bucket.
    for people in [true, false] {
        for one in planned.iter_mut().filter(|one| (one.kind == "Patient") == people) {
            if let Some(resource) = &mut one.resource {
                resource.rewrite_references(&|text| addresses.get(text).cloned());
                if one.bucket < 0 {
                    one.bucket = bucket(ctx, resource, &one.id).await?;
                }
                if one.id.is_empty() {
                    one.id = ctx.ids.in_bucket(one.bucket, now);
                }
            }
            if let Some(url) = &one.full_url {
                addresses.insert(url.clone(), format!("{}/{}", one.kind, one.id));
            }
        }
    }
    for one in planned.iter_mut() {
        let updated_at = one.current.as_ref().map_or(now, |current| now.max(current.updated_at.plus_millis(1)));
        let version = one.current.as_ref().map_or(0, |current| current.version) + 1;
        if let Some(resource) = &mut one.resource {
            resource.rewrite_references(&|text| addresses.get(text).cloned());
            resource.stamp(&one.id, version, updated_at, &format!("Organization/{}", one.origin));
        }
    }
    Ok(())
}

/// The bucket of a new resource: its person's, or its own.
async fn bucket(ctx: &Context, resource: &Resource, id: &str) -> Result<i64, Error> {
    if resource.kind() != "Patient"
        && let Some(patient) = person::patients(resource).first()
    {
        return Ok(ctx.store.bucket_of("Patient", patient).await?.unwrap_or_else(|| bucket_of_name(patient)));
    }
    Ok(match id {
        "" => ctx.ids.bucket(ctx.now()),
        id => bucket_in(id).unwrap_or_else(|| bucket_of_name(id)),
    })
}

/// Every problem of every resource at once.
async fn check(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    interaction: Interaction,
    planned: &mut [Planned],
) -> Result<Vec<Option<Valid>>, Error> {
    let mut targets = Targets::default();
    planned.iter().filter_map(|one| one.resource.as_ref()).for_each(|resource| targets.add(resource));
    let (mut valid, mut issues) = (Vec::with_capacity(planned.len()), Vec::new());
    for one in planned.iter_mut() {
        let Some(resource) = &one.resource else {
            valid.push(None);
            continue;
        };
        let mut found = rules(one, resource);
        let checked = ctx.profiles.check(resource.clone(), &[]);
        match &checked {
            Ok(checked) => one.notes.extend(checked.warnings().0.iter().cloned()),
            Err(outcome) => found.extend(outcome.0.iter().cloned()),
        }
        if !found.iter().any(|issue| issue.severity == Severity::Error) {
            found.extend(targets.check(ctx, caller, request, resource).await?);
        }
        let (errors, notes): (Vec<Issue>, Vec<Issue>) =
            found.into_iter().partition(|issue| issue.severity == Severity::Error);
        one.notes.extend(notes);
        let prefix = format!("Bundle.entry[{}].resource", one.entry);
        let bundled = interaction == Interaction::Transaction;
        issues.extend(errors.into_iter().map(|issue| if bundled { issue.within(&prefix) } else { issue }));
        valid.push(checked.ok());
    }
    if issues.is_empty() { Ok(valid) } else { Err(Error::No(No::Invalid, issues)) }
}

/// The rules of the exchange that a type brings with it.
fn rules(one: &Planned, resource: &Resource) -> Vec<Issue> {
    match resource.kind() {
        "Task" if one.current.is_none() => transition::check_new(resource),
        "Task" => one.broken.clone(),
        "Consent" => Directive::problems(resource),
        _ => Vec::new(),
    }
}

async fn put(
    ctx: &Context,
    tx: &mut Tx,
    one: &mut Planned,
    valid: Option<Valid>,
    record: &mut Record,
) -> Result<Written, Error> {
    let Some(valid) = valid else { return delete_one(ctx, tx, one, record).await };
    let place = place::of(ctx, valid.resource(), one.bucket, &one.origin);
    store(tx, one, &valid, &place, record).await
}

async fn put_task(
    desk: &Desk<'_>,
    caller: &Caller,
    tx: &mut Tx,
    one: &mut Planned,
    valid: Option<Valid>,
    record: &mut Record,
) -> Result<Written, Error> {
    let Some(valid) = valid else { return delete_one(desk.ctx, tx, one, record).await };
    let filed = tx.referral(one.bucket, &one.id).await?;
    let purposes = filed.map_or_else(|| caller.purposes().to_vec(), |filed| filed.purposes);
    let mut task = valid.resource().clone();
    referral::unhold(&mut task);
    let outlook = desk.judge(tx, one.bucket, &task, &purposes, &one.origin).await?;
    if let Some(outlook) = &outlook {
        one.notes.extend(referral::hold(&mut task, outlook, &purposes));
    }
    // The mark of a held Task is ours: what carries it is checked like anything else.
    let valid = if task == *valid.resource() {
        valid
    } else {
        desk.ctx.profiles.check(task, &[]).map_err(|found| Error::No(No::Invalid, found.0))?
    };
    let place = place::of(desk.ctx, valid.resource(), one.bucket, &one.origin);
    let written = store(tx, one, &valid, &place, record).await?;
    if let Some(outlook) = &outlook {
        let push = one.roles.requester || !one.roles.target;
        desk.settle(tx, one.bucket, valid.resource(), &purposes, outlook, push, record).await?;
    }
    Ok(written)
}

async fn store(
    tx: &mut Tx,
    one: &mut Planned,
    valid: &Valid,
    place: &Place,
    record: &mut Record,
) -> Result<Written, Error> {
    let resource = valid.resource();
    if !tx.put(valid, place, one.current.as_ref().map(|current| current.version)).await? {
        return Err(lost_race(&one.kind, &one.id));
    }
    record.released.push(Disclosure {
        key: resource.key(),
        version: resource.version(),
        party: one.origin.clone(),
        patient: place.patients.first().cloned(),
        why: "written",
        decision: None,
    });
    Ok(Written {
        kind: one.kind.clone(),
        id: one.id.clone(),
        version: resource.version(),
        updated_at: resource.updated_at().unwrap_or(Instant(0)),
        created: one.current.is_none(),
        body: Some(resource.value().to_string()),
        outcome: Outcome(std::mem::take(&mut one.notes)),
    })
}

async fn delete_one(ctx: &Context, tx: &mut Tx, one: &Planned, record: &mut Record) -> Result<Written, Error> {
    let Some(current) = &one.current else { return Err(Error::unknown(&one.kind, &one.id)) };
    let updated_at = ctx.now().max(current.updated_at.plus_millis(1));
    if !current.deleted && !tx.delete(current, updated_at).await? {
        return Err(lost_race(&one.kind, &one.id));
    }
    record.released.push(Disclosure {
        key: format!("{}/{}", one.kind, one.id),
        version: current.version + 1,
        party: one.origin.clone(),
        patient: current.patient.clone(),
        why: "written",
        decision: None,
    });
    let (kind, id) = (one.kind.clone(), one.id.clone());
    Ok(Written {
        kind,
        id,
        version: current.version + 1,
        updated_at,
        created: false,
        body: None,
        outcome: Outcome::default(),
    })
}

/// The people whose decisions a change may turn, with the bucket of those who come with it.
fn people_of(one: &Planned) -> Vec<(i64, String)> {
    let before = one.current.as_ref().and_then(Stored::resource);
    let both = before.iter().chain(&one.resource);
    both.flat_map(person::patients).map(|patient| (one.bucket, patient)).collect()
}

/// What the caller sees of a resource that it wants to change; a deletion counts as there.
async fn find(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    kind: &str,
    id: &str,
) -> Result<Option<(Stored, Option<Resource>)>, Error> {
    // A look on the way to a write: the write's record says what came of it.
    let mut unlogged = record::start(ctx, caller, request, "read", format!("{kind}/{id}"));
    let Some(seen) = read::look(ctx, caller, kind, id, &mut unlogged).await? else { return Ok(None) };
    let stored = seen.stored.clone();
    let view = seen.version(caller)?.body.and_then(Released::into_resource);
    Ok(Some((stored, view)))
}

/// What a writer that has it by no right of its own is answered with: its view of what it wrote.
async fn view(ctx: &Context, caller: &Caller, request: &Request, mut written: Written) -> Result<Written, Error> {
    let seen = find(ctx, caller, request, &written.kind, &written.id).await?;
    written.body = seen.and_then(|(_, view)| view).map(|view| view.value().to_string());
    Ok(written)
}

/// What the caller is to a Task: T is the owner's partner, the one that employs the owner, or the one that claims.
async fn roles(ctx: &Context, caller: &Caller, current: &Stored, new: &Resource) -> Result<Roles, Error> {
    let task = current.resource();
    let owner = task.as_ref().and_then(|task| task.root().reference("owner"));
    let owner = match owner.and_then(|owner| owner.local()) {
        Some(("PractitionerRole", id)) => {
            let role = ctx.store.for_decision("PractitionerRole", id).await?.and_then(|stored| stored.resource());
            role.and_then(|role| place::organization(&role, "organization")).or_else(|| Some(String::new()))
        }
        Some((_, id)) => Some(id.to_string()),
        None => None,
    };
    let claims = owner.is_none() && place::organization(new, "owner").as_deref() == Some(caller.partner());
    Ok(Roles {
        requester: current.belongs_to(caller.partner()) || caller.way() == Way::Operator,
        target: owner.as_deref() == Some(caller.partner()) || claims,
    })
}

/// Whether the type exists, is for partners to write, and the scopes cover it.
fn writable(ctx: &Context, caller: &Caller, interaction: Interaction, kind: &str) -> Result<(), Error> {
    if kind == "AuditEvent" {
        let text = "AuditEvents are written by the server alone";
        return Err(Error::one(No::NotOffered, Issue::error("not-supported", "server-writes", text)));
    }
    read::allowed(ctx, caller, interaction, kind)
}

/// Whether a partner may create by PUT under this id (rules.md 11).
async fn may_name(ctx: &Context, caller: &Caller, kind: &str, id: &str) -> Result<bool, Error> {
    let own = id.strip_prefix(caller.partner()).is_some_and(|rest| rest.starts_with('-'));
    let may = caller.way() == Way::Operator || (ctx.config.ids.client_assigned && own);
    Ok(may && is_id(id) && ctx.store.for_decision(kind, id).await?.is_none())
}

fn same_identity(kind: &str, id: &str, resource: &Resource) -> Result<(), Error> {
    if resource.kind() == kind && resource.id() == Some(id) {
        return Ok(());
    }
    let text = format!("the body must be a `{kind}` whose `id` is the one in the address");
    Err(Error::one(No::Unreadable, Issue::error("invalid", "identity", text).at(format!("{kind}.id"))))
}

fn versions_agree(kind: &str, current: &Stored, if_match: Option<&str>) -> Result<(), Error> {
    let Some(text) = if_match else {
        if kind != "Task" {
            return Ok(());
        }
        let text = "updating a Task needs `If-Match` with the version that you read, so that no step is lost";
        return Err(Error::one(No::Unconditional, Issue::error("required", "if-match", text)));
    };
    // FHIR sends weak ETags in If-Match (R4 http.html#concurrency); bare and strong ones are sent too.
    let wanted = text.trim().trim_start_matches("W/").trim_matches('"');
    if wanted == current.version.to_string() {
        return Ok(());
    }
    let text = format!("`If-Match` names version `{wanted}`, the current one is `{}`: read it again", current.version);
    Err(Error::one(No::Stale, Issue::error("conflict", "stale", text)))
}

/// Somebody else's version came in between.
pub(super) fn lost_race(kind: &str, id: &str) -> Error {
    let text = format!("`{kind}/{id}` was changed by somebody else at the same moment: read it and try again");
    Error::one(No::Conflict, Issue::error("conflict", "conflict", text))
}
