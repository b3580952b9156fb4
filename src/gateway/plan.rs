//! What a write is made from, and whether its caller may make it: found and judged before anything is checked.

use std::collections::BTreeSet;

use crate::auth::{Caller, Way};
use crate::consent::{Action, Released};
use crate::fhir::interaction::Interaction;
use crate::fhir::merge::merge;
use crate::fhir::offer::offers;
use crate::fhir::patch::{Patch, Unfit};
use crate::fhir::reference::is_id;
use crate::fhir::{Issue, Resource};
use crate::store::Stored;

use super::conditional::{Resolved, Terms};
use super::record::{self, Request};
use super::submit::{Asked, Change};
use super::transition::{self, Roles};
use super::{Asking, Context, Error, No, grounds, person, place, read, referral, worklist};

/// A change that may be made, with what it is made from.
pub struct Planned {
    pub resource: Option<Resource>,
    pub kind: String,
    pub id: String,
    pub bucket: i64,
    pub origin: String,
    pub current: Option<Stored>,
    pub roles: Roles,
    /// What the caller saw of it, until it is judged.
    pub view: Option<Resource>,
    /// Where it stands in its Bundle.
    pub entry: usize,
    pub full_url: Option<String>,
    pub notes: Vec<Issue>,
    /// Rules for a change of what is there already that this one breaks.
    pub broken: Vec<Issue>,
    /// Whether its labels are others than before.
    pub relabelled: bool,
    /// The sorts of readers, and whether it differs for each from what was there.
    pub views: Vec<(String, bool)>,
}

impl Planned {
    /// Something new: its id and, where it is -1, its bucket are still to be given.
    pub fn new(resource: Resource, bucket: i64, origin: &str) -> Planned {
        Planned {
            kind: resource.kind().to_string(),
            id: resource.id().unwrap_or("").to_string(),
            resource: Some(resource),
            bucket,
            origin: origin.to_string(),
            current: None,
            roles: Roles { requester: true, target: false },
            view: None,
            entry: 0,
            full_url: None,
            notes: Vec::new(),
            broken: Vec::new(),
            relabelled: false,
            views: Vec::new(),
        }
    }

    /// Whether nothing is there now: it never was, or was deleted.
    pub fn is_new(&self) -> bool {
        self.current.as_ref().is_none_or(|current| current.deleted)
    }

    /// What is there already, to be changed into `resource`; without one, to be deleted.
    fn from(current: Stored, resource: Option<Resource>, roles: Roles, view: Option<Resource>) -> Planned {
        Planned {
            resource,
            kind: current.kind.clone(),
            id: current.id.clone(),
            bucket: current.bucket,
            origin: current.origin.clone(),
            current: Some(current),
            roles,
            view,
            entry: 0,
            full_url: None,
            notes: Vec::new(),
            broken: Vec::new(),
            relabelled: false,
            views: Vec::new(),
        }
    }
}

/// Finds what each change is made from, and whether this caller may make it. What is there already, or need not be
/// deleted, has no plan.
pub async fn plan(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    interaction: Interaction,
    asked: &[Asked],
    resolved: &mut [Result<Resolved<'_>, Error>],
) -> Result<Vec<Planned>, Error> {
    let alone = !matches!(interaction, Interaction::Transaction);
    let mut planned = Vec::with_capacity(asked.len());
    let mut refused: Option<(No, Vec<Issue>)> = None;
    for (one, resolved) in asked.iter().zip(resolved) {
        let found = match resolved {
            Ok(Resolved::There(_) | Resolved::Nothing) => continue,
            Ok(Resolved::Do { change, terms }) => change_of(ctx, caller, request, change, *terms).await,
            Err(error) => Err(std::mem::replace(error, Error::No(No::Unreadable, Vec::new()))),
        };
        match found.map_err(|error| if alone { error } else { error.within_entry(one.entry) }) {
            Ok(found) => planned.push(Planned { entry: one.entry, full_url: one.full_url.clone(), ..found }),
            // The first says what sort of "no" it is; all are told.
            Err(Error::No(no, issues)) => refused.get_or_insert((no, Vec::new())).1.extend(issues),
            Err(fault) => return Err(fault),
        }
    }
    if let Some((no, issues)) = refused {
        return Err(Error::No(no, issues));
    }
    let twice = twice(&planned);
    if twice.is_empty() { Ok(planned) } else { Err(Error::No(No::Unreadable, twice)) }
}

async fn change_of(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    change: &Change,
    terms: Terms,
) -> Result<Planned, Error> {
    let named = terms.named;
    match change {
        Change::Create(resource) => create(ctx, caller, resource, terms.creates_by),
        Change::Update { kind, id, resource, if_match } => {
            update(ctx, caller, request, (kind, id), resource, if_match.as_deref(), named).await
        }
        Change::Patch { kind, id, patch, if_match } => {
            patched(ctx, caller, request, (kind, id), patch, if_match.as_deref(), named).await
        }
        Change::Delete { kind, id, if_match } => delete(ctx, caller, request, (kind, id), if_match.as_deref()).await,
        // INVARIANT: `conditional::resolve` leaves none.
        Change::Conditional { criteria, .. } => Err(Error::unknown(criteria.kind(), "?")),
    }
}

/// A transaction names each resource and each `fullUrl` once: of two, nobody could say which counts
/// (FHIR R4 http.html#trules).
fn twice(planned: &[Planned]) -> Vec<Issue> {
    let mut known = BTreeSet::new();
    let mut issues = Vec::new();
    for one in planned {
        let named = [Some(format!("{}/{}", one.kind, one.id)).filter(|_| !one.id.is_empty()), one.full_url.clone()];
        if named.into_iter().flatten().any(|name| !known.insert(name)) {
            let text = "this entry is about the same resource or `fullUrl` as one before it";
            issues.push(Issue::error("invalid", "bundle-twice", text).at(format!("Bundle.entry[{}]", one.entry)));
        }
    }
    issues
}

fn create(ctx: &Context, caller: &Caller, resource: &Resource, by: Interaction) -> Result<Planned, Error> {
    let kind = resource.kind();
    writable(ctx, caller, by, kind)?;
    // An operator's import keeps ids (rules.md 11); anybody else is given one.
    let kept = resource.id().filter(|_| caller.way() == Way::Operator);
    let id = kept.unwrap_or("").to_string();
    Ok(Planned { id, ..Planned::new(resource.clone(), -1, caller.partner()) })
}

async fn update(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    (kind, id): (&str, &str),
    resource: &Resource,
    if_match: Option<&str>,
    named: bool,
) -> Result<Planned, Error> {
    writable(ctx, caller, Interaction::Update, kind)?;
    same_identity(kind, id, resource)?;
    let found = match find(ctx, caller, request, kind, id).await? {
        None if if_match.is_none() && may_name(ctx, caller, kind, id).await? => {
            let made = create(ctx, caller, resource, Interaction::Update)?;
            return Ok(Planned { id: id.to_string(), ..made });
        }
        // It may have been created between the two looks.
        None => find(ctx, caller, request, kind, id).await?,
        found => found,
    };
    let (current, view) = found.ok_or_else(|| Error::unknown(kind, id))?;
    versions_agree(kind, number(&current, view.as_ref()), if_match, named)?;
    revised(ctx, caller, current, view, resource.clone()).await
}

/// A patch is applied to what its caller sees; what comes of it is an update like any other.
async fn patched(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    (kind, id): (&str, &str),
    patch: &Patch,
    if_match: Option<&str>,
    named: bool,
) -> Result<Planned, Error> {
    writable(ctx, caller, Interaction::Patch, kind)?;
    if patch.asks() {
        // A test or a path that fails says what is there: that is reading.
        read::allowed(ctx, caller, Interaction::Read, kind)?;
    }
    let (current, view) = find(ctx, caller, request, kind, id).await?.ok_or_else(|| Error::unknown(kind, id))?;
    if current.deleted {
        return Err(read::gone(kind, id));
    }
    let seen = view.ok_or_else(|| Error::unknown(kind, id))?;
    // Before anything of it is tested: a patch that fails would tell what is there.
    rights(ctx, caller, &current, None).await?;
    versions_agree(kind, number(&current, Some(&seen)), if_match, named || patch.names_version())?;
    let resource = patch.apply(&seen, &|path| ctx.profiles.member(path)).map_err(|unfit| match unfit {
        Unfit::Version(issue) => Error::one(No::Stale, issue),
        Unfit::Content(issue) => Error::one(No::Invalid, issue),
    })?;
    revised(ctx, caller, current, Some(seen), resource).await
}

/// By what right the caller may change the current version at all: what it is to a Task, and whether it corrects
/// somebody else's. `new` is what it would be, where that is known already.
async fn rights(
    ctx: &Context,
    caller: &Caller,
    current: &Stored,
    new: Option<&Resource>,
) -> Result<(Roles, bool), Error> {
    let not_yours = || Error::not_yours(&format!("{}/{}", current.kind, current.id));
    let own = current.origin == caller.partner() || caller.way() == Way::Operator;
    let roles = roles(ctx, caller, current, new).await?;
    if current.deleted && !own {
        // What its origin has taken away, nobody else brings back in its name.
        return Err(read::gone(&current.kind, &current.id));
    }
    if own || (current.kind == "Task" && (roles.requester || roles.target)) {
        return Ok((roles, false));
    }
    if decides(&current.kind) {
        return Err(not_yours());
    }
    // Somebody else's resource, under a permit that lists the action: an absent action never gives it (rules.md 7).
    let stored = current.as_resource().ok_or_else(not_yours)?;
    let decision = grounds::grounds_for(ctx, stored).await?.decide(ctx, &Asking::new(caller, Action::Correct), stored);
    if decision.permits() && decision.states_action() { Ok((roles, true)) } else { Err(not_yours()) }
}

/// Whether what is written there opens something to somebody: nobody corrects that in its origin's name (rules.md 20).
fn decides(kind: &str) -> bool {
    person::is_control(kind) || matches!(kind, "CareTeam" | "Group" | "RelatedPerson" | "Encounter")
}

/// The current version made into that one, if this caller may.
async fn revised(
    ctx: &Context,
    caller: &Caller,
    current: Stored,
    view: Option<Resource>,
    mut resource: Resource,
) -> Result<Planned, Error> {
    let (roles, corrects) = rights(ctx, caller, &current, Some(&resource)).await?;
    if let Some(stored) = current.as_resource().filter(|_| corrects) {
        let birth = |one: &Resource| one.root().text("birthDate").map(str::to_string);
        if current.kind == "Patient" && birth(stored) != birth(&resource) {
            // Who must sign hangs on it.
            return Err(Error::not_yours(&format!("Patient/{}", current.id)));
        }
        if let Some(meta) = stored.root().get("meta").value().cloned() {
            resource.set("meta", meta);
        }
    }
    Ok(Planned::from(current, Some(resource), roles, view))
}

/// The rules for a change of what is there already, once its references are those that will be stored: the steps of
/// a Task, whose person it is about.
pub fn judge(caller: &Caller, one: &mut Planned) {
    let current = one.current.as_ref().filter(|current| !current.deleted);
    let Some(stored) = current.and_then(Stored::as_resource) else { return };
    let Some(mut resource) = one.resource.take() else { return };
    let origin = one.origin == caller.partner() || caller.way() == Way::Operator;
    let seen = one.view.take();
    let view = seen.as_ref().unwrap_or(stored);
    if one.kind == "Task" {
        one.broken = transition::check_change(view, &resource, one.roles);
    }
    if !origin {
        // What was hidden from it stays (rules.md 9).
        let free = if one.kind == "Task" && one.roles.target { &transition::TARGET_SETS[..] } else { &[] };
        match merge(stored, view, &resource, free) {
            Ok(merged) => resource = merged,
            Err(refused) => {
                let known: Vec<String> = one.broken.iter().map(|issue| issue.expression.clone()).collect();
                one.broken.extend(refused.into_iter().filter(|at| !known.contains(at)).map(|at| {
                    let text = format!("`{at}` may hold what is hidden from you: send it back as you read it");
                    Issue::error("business-rule", "hidden-not-yours", text).at(at)
                }));
            }
        }
    }
    let takes_part = one.kind == "Task" && !one.roles.requester;
    if takes_part || !origin {
        let (version, updated_at) = (resource.version(), resource.updated_at());
        if takes_part {
            resource = transition::applied(stored.clone(), &resource);
        } else if let Some(meta) = stored.root().get("meta").value().cloned() {
            // Whose view was labelled for it does not write those labels back.
            resource.set("meta", meta);
        }
        let updated_at = updated_at.unwrap_or(crate::fhir::Instant(0));
        resource.stamp(&one.id, version, updated_at, &format!("Organization/{}", one.origin));
    }
    if !origin && person::patients(&resource) != person::patients(stored) {
        let text =
            format!("`{}` is about the person that its origin says: another partner does not change that", one.kind);
        one.broken.push(Issue::error("business-rule", "person-not-yours", text).at(one.kind.clone()));
    }
    one.resource = Some(resource);
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
        versions_agree(kind, current.version, if_match, false)?;
    }
    if kind == "Consent" && !current.deleted && worklist::has_counted(ctx, &current).await? {
        let text = "a Consent that was in force stays on file: end it with `POST Consent/ID/$revoke`, or mark it `entered-in-error`";
        return Err(Error::one(No::Invalid, Issue::error("business-rule", "consent-kept", text).at("Consent")));
    }
    let roles = Roles { requester: true, target: false };
    Ok(Planned::from(current, None, roles, None))
}

/// What the caller sees of a resource that it wants to change; a deletion counts as there.
pub async fn find(
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
    let view = seen.version(ctx, caller).await?.body.and_then(Released::into_resource);
    Ok(Some((stored, view)))
}

/// What the caller is to a Task: T is the owner's partner, the one that employs the owner, or the one that claims.
async fn roles(ctx: &Context, caller: &Caller, current: &Stored, new: Option<&Resource>) -> Result<Roles, Error> {
    let owner = match current.as_resource().filter(|_| current.kind == "Task") {
        Some(task) => referral::owner(ctx, task).await?,
        None => None,
    };
    let claims = current.kind == "Task"
        && owner.is_none()
        && new.is_none_or(|new| place::organization(new, "owner").as_deref() == Some(caller.partner()));
    Ok(Roles {
        requester: current.belongs_to(caller.partner()) || caller.way() == Way::Operator,
        target: owner.as_deref() == Some(caller.partner()) || claims,
    })
}

/// Whether the type exists, is for partners to write, and the scopes cover it.
pub(super) fn writable(ctx: &Context, caller: &Caller, interaction: Interaction, kind: &str) -> Result<(), Error> {
    if !offers(kind, interaction) {
        let text = format!("`{kind}` is written by the server alone");
        return Err(Error::one(No::NotOffered, Issue::error("not-supported", "server-writes", text)));
    }
    read::allowed(ctx, caller, interaction, kind)
}

/// Whether a partner may create by PUT under this id (rules.md 11).
async fn may_name(ctx: &Context, caller: &Caller, kind: &str, id: &str) -> Result<bool, Error> {
    let starts_with = |partner: &str| id.strip_prefix(partner).is_some_and(|rest| rest.starts_with('-'));
    // `river-clinic-7` is river-clinic's, not river's.
    let partners = ctx.partners().await?;
    let longest = partners.iter().map(|one| one.id.as_str()).filter(|one| starts_with(one)).max_by_key(|one| one.len());
    let own = longest == Some(caller.partner());
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

/// The version as its caller knows it: a view has numbers of its own (rules.md 9).
fn number(current: &Stored, view: Option<&Resource>) -> i64 {
    view.map_or(current.version, Resource::version)
}

/// `named`: the version was named in another way, by a patch or a unique identifier (rules.md 12).
fn versions_agree(kind: &str, current: i64, if_match: Option<&str>, named: bool) -> Result<(), Error> {
    let Some(text) = if_match else {
        if kind != "Task" || named {
            return Ok(());
        }
        let text = "updating a Task needs `If-Match` with the version that you read, so that no step is lost";
        return Err(Error::one(No::Unconditional, Issue::error("required", "if-match", text)));
    };
    // FHIR sends weak ETags in If-Match (R4 http.html#concurrency); bare and strong ones are sent too.
    let wanted = text.trim().trim_start_matches("W/").trim_matches('"');
    if wanted == current.to_string() {
        return Ok(());
    }
    let text = format!("`If-Match` names version `{wanted}`, the current one is `{current}`: read it again");
    Err(Error::one(No::Stale, Issue::error("conflict", "stale", text)))
}
