//! Writes that hang on what is there: conditional create, update, patch and delete, and references that are searches.
//!
//! What the criteria match is looked for first, so that everything can be judged before the writer's turn; then, in
//! the transaction, whoever has the same criteria waits for a lock, and the same searches are made again. If they do
//! not find the same, nothing is written and all is done anew from what is there now (rules.md 30, 32). So of many
//! who create the same thing at once one does, and the others find it.
//!
//! Criteria match within the caller's reach (rules.md 27): a resource that it does not see is not there. The reach is
//! worked out before the lock and may be older than it; a caller's own resources are in every reach by their origin,
//! so that what its own partner has just committed is found all the same.
//!
//! Scopes: SMART's letters (App Launch 2.2, "Scopes for requesting FHIR resources") name create, update, patch and
//! delete, and say nothing of conditions. Whoever may only write would learn from the answer what is there, so that
//! criteria need `s` beside the letter of the write. An update that creates is "allowed by the update scope".

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use crate::audit::Disclosure;
use crate::auth::Caller;
use crate::consent::{Action, Reach};
use crate::fhir::interaction::Interaction;
use crate::fhir::patch::Patch;
use crate::fhir::search::{Criteria, Query};
use crate::fhir::{Issue, Resource};
use crate::store::{Fault, SLOTS, Stored, Tx};

use super::plan::writable;
use super::record::{self, Request};
use super::submit::{Asked, Change};
use super::{Asking, Context, Error, No, Version, plan, reach, read, search};

/// What is done once it is known what the criteria match.
#[derive(Clone, Debug)]
pub enum Deed {
    Create(Resource),
    Update { resource: Resource, if_match: Option<String> },
    Patch { patch: Patch, if_match: Option<String> },
    Delete { if_match: Option<String> },
}

/// A change whose resource is known.
pub enum Resolved<'a> {
    Do {
        change: Cow<'a, Change>,
        terms: Terms,
    },
    /// It need not be created.
    There(Box<There>),
    /// There is nothing to delete.
    Nothing,
}

/// How a change came to be what it is.
#[derive(Clone, Copy)]
pub struct Terms {
    /// What it is made from was named by a unique identifier, which counts as If-Match.
    pub named: bool,
    /// The interaction whose scope it needs when it creates: an update that creates is an update (SMART, scopes).
    pub creates_by: Interaction,
}

/// What is there already, as the caller sees it.
pub struct There {
    pub version: Version,
    pub disclosures: Vec<Disclosure>,
}

/// What was searched, to be searched again inside the lock.
#[derive(Default)]
pub struct Conditions {
    each: Vec<Condition>,
    /// Some people's consents were not looked at, because there are more than the bound.
    withheld: bool,
}

struct Condition {
    query: Query,
    reach: Arc<Reach>,
    /// The lock, when a write hangs on it; a reference only looks.
    slot: Option<i64>,
    /// The ids that it found, at most `query.count`, sorted.
    found: Vec<String>,
}

const PLAIN: Terms = Terms { named: false, creates_by: Interaction::Create };

/// Most different criteria of one Bundle.
const CRITERIA_MAX: usize = 200;

impl Conditions {
    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// What the caller should know of how far was searched.
    pub fn warning(&self) -> Option<Issue> {
        let text = "more people than are looked at in one search have consents that may concern you: what is theirs was not matched; name a patient to match it";
        self.withheld.then(|| Issue::warning("incomplete", "people-withheld", text))
    }

    /// Takes the locks, and finds out whether everything is still as it was when the changes were planned.
    pub async fn hold(&self, tx: &mut Tx) -> Result<bool, Fault> {
        tx.take_turns(self.each.iter().filter_map(|one| one.slot).collect()).await?;
        for one in &self.each {
            let rows = tx.search(&one.query, &one.reach, one.query.count).await?;
            let mut found: Vec<String> = rows.into_iter().map(|row| row.id).collect();
            found.sort_unstable();
            // Of more than were looked at only the number is the same for sure.
            let full = found.len() >= one.query.count && one.found.len() >= one.query.count;
            if !full && found != one.found {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What each change comes to, with every problem kept at its change.
pub async fn resolve<'a>(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    asked: &'a [Asked],
) -> Result<(Vec<Result<Resolved<'a>, Error>>, Conditions), Error> {
    let mut desk = Desk {
        ctx,
        caller,
        request,
        conditions: Conditions::default(),
        known: HashMap::new(),
        reaches: HashMap::new(),
        doomed: BTreeSet::new(),
        news: BTreeSet::new(),
        limit: 2,
    };
    // Deletions come first (FHIR R4 http.html#trules): what they take is not there for the others.
    let deletes = |one: &&Asked| {
        matches!(one.change, Change::Delete { .. } | Change::Conditional { deed: Deed::Delete { .. }, .. })
    };
    desk.limit += asked.iter().filter(deletes).count();
    let mut resolved = BTreeMap::new();
    for first in [true, false] {
        for (at, one) in asked.iter().enumerate().filter(|(_, one)| deletes(one) == first) {
            let found = desk.change(&one.change).await;
            if let Err(Error::Fault(fault)) = found {
                return Err(Error::Fault(fault));
            }
            if let (true, Ok(Resolved::Do { change, .. })) = (first, &found)
                && let Change::Delete { kind, id, .. } = change.as_ref()
            {
                desk.doomed.insert(format!("{kind}/{id}"));
            }
            resolved.insert(at, found);
        }
    }
    Ok((resolved.into_values().collect(), desk.conditions))
}

struct Desk<'c> {
    ctx: &'c Context,
    caller: &'c Caller,
    request: &'c Request,
    conditions: Conditions,
    /// Criteria that were searched, by what is the same for all who mean the same.
    known: HashMap<String, usize>,
    reaches: HashMap<(Vec<String>, Option<String>), Arc<Reach>>,
    /// What this transaction deletes.
    doomed: BTreeSet<String>,
    /// Criteria by which this transaction creates something.
    news: BTreeSet<String>,
    /// How many rows are looked at: two, and one for each that is deleted here.
    limit: usize,
}

impl Desk<'_> {
    async fn change<'a>(&mut self, change: &'a Change) -> Result<Resolved<'a>, Error> {
        let (criteria, deed) = match change {
            Change::Create(resource) | Change::Update { resource, .. } => {
                let change = match (self.referring(resource).await?, change) {
                    (None, change) => Cow::Borrowed(change),
                    (Some(resource), Change::Update { kind, id, if_match, .. }) => {
                        let (kind, id, if_match) = (kind.clone(), id.clone(), if_match.clone());
                        Cow::Owned(Change::Update { kind, id, resource, if_match })
                    }
                    (Some(resource), _) => Cow::Owned(Change::Create(resource)),
                };
                return Ok(Resolved::Do { change, terms: PLAIN });
            }
            Change::Patch { .. } | Change::Delete { .. } => {
                return Ok(Resolved::Do { change: Cow::Borrowed(change), terms: PLAIN });
            }
            Change::Conditional { criteria, deed } => (criteria, deed),
        };
        let kind = criteria.kind();
        let interaction = match deed {
            Deed::Create(_) => Interaction::Create,
            Deed::Update { .. } => Interaction::Update,
            Deed::Patch { .. } => Interaction::Patch,
            Deed::Delete { .. } => Interaction::Delete,
        };
        writable(self.ctx, self.caller, interaction, kind)?;
        if let Deed::Create(resource) | Deed::Update { resource, .. } = deed
            && resource.kind() != kind
        {
            let text = format!("the body is no `{kind}`, the type of this address");
            return Err(Error::one(No::Unreadable, Issue::error("invalid", "identity", text).at("resourceType")));
        }
        // Of what is deleted beside it, an update is a second deed to the same resource, which is refused later.
        let after_deletions = matches!(deed, Deed::Create(_));
        let found = self.one(criteria, true, after_deletions).await?;
        let terms = Terms { named: criteria.names_identifier(), creates_by: interaction };
        let kind = kind.to_string();
        let change = match (deed, found) {
            (Deed::Create(_), Some(id)) => return self.there(&kind, &id).await,
            (Deed::Create(resource), None) => Change::Create(self.made_once(criteria, resource).await?),
            (Deed::Update { resource, if_match }, Some(id)) => {
                if resource.id().is_some_and(|sent| sent != id) {
                    let text = format!("the criteria match another `{kind}` than the one whose `id` is in the body");
                    let issue = Issue::error("invalid", "identity", text);
                    return Err(Error::one(No::Unreadable, issue.at(format!("{kind}.id"))));
                }
                let mut resource = self.referring(resource).await?.unwrap_or_else(|| resource.clone());
                resource.identify(&id);
                Change::Update { kind, id, resource, if_match: if_match.clone() }
            }
            (Deed::Update { if_match: Some(_), .. }, None) => {
                let text = format!("`If-Match` names a version, but no `{kind}` matches the criteria");
                return Err(Error::one(No::Stale, Issue::error("conflict", "stale", text)));
            }
            (Deed::Update { resource, .. }, None) => {
                let resource = self.made_once(criteria, resource).await?;
                match resource.id().map(str::to_string) {
                    None => Change::Create(resource),
                    // An update that creates, with the rules of one; what is there under that id did not match.
                    Some(id) => {
                        if plan::find(self.ctx, self.caller, self.request, &kind, &id).await?.is_some() {
                            let text = format!("the `{kind}` whose `id` is in the body does not match the criteria");
                            let issue = Issue::error("conflict", "identity", text);
                            return Err(Error::one(No::Conflict, issue.at(format!("{kind}.id"))));
                        }
                        Change::Update { kind, id, resource, if_match: None }
                    }
                }
            }
            (Deed::Patch { patch, if_match }, Some(id)) => {
                Change::Patch { kind, id, patch: patch.clone(), if_match: if_match.clone() }
            }
            (Deed::Patch { .. }, None) => {
                let text = format!("no `{kind}` matches the criteria");
                return Err(Error::one(No::Unknown, Issue::error("not-found", "not-found", text)));
            }
            (Deed::Delete { if_match }, Some(id)) => Change::Delete { kind, id, if_match: if_match.clone() },
            // "An ordinary delete", which succeeds where nothing is (FHIR R4 http.html#3.1.0.7.1).
            (Deed::Delete { .. }, None) => return Ok(Resolved::Nothing),
        };
        Ok(Resolved::Do { change: Cow::Owned(change), terms })
    }

    /// Something that this transaction creates, once by the same criteria.
    async fn made_once(&mut self, criteria: &Criteria, resource: &Resource) -> Result<Resource, Error> {
        if !self.news.insert(criteria.normal()) {
            let text = "an entry before this one creates by the same criteria";
            return Err(Error::one(No::Unreadable, Issue::error("invalid", "bundle-twice", text)));
        }
        Ok(self.referring(resource).await?.unwrap_or_else(|| resource.clone()))
    }

    /// The resource with its searches answered; `None` when it has none.
    async fn referring(&mut self, resource: &Resource) -> Result<Option<Resource>, Error> {
        let searches = resource.conditional_references();
        if searches.is_empty() {
            return Ok(None);
        }
        let (mut answers, mut issues, mut sort) = (HashMap::new(), Vec::new(), No::Invalid);
        for (element, criteria) in searches {
            match self.one(&criteria, false, true).await {
                Ok(Some(id)) => {
                    answers.insert(criteria.normal(), format!("{}/{id}", criteria.kind()));
                }
                Ok(None) => {
                    let text = format!("`{element}`: no `{}` that you see matches the search", criteria.kind());
                    issues.push(Issue::error("not-found", "reference-unresolved", text).at(element));
                }
                Err(Error::No(no, found)) => {
                    sort = no;
                    issues.extend(found.into_iter().map(|issue| issue.at(element.clone())));
                }
                Err(fault) => return Err(fault),
            }
        }
        if !issues.is_empty() {
            return Err(Error::No(sort, issues));
        }
        let mut resource = resource.clone();
        resource.rewrite_references(&|text| answers.get(&Criteria::parse(text)?.normal()).cloned());
        Ok(Some(resource))
    }

    /// The one that matches, if there is one, as it is now or once this transaction's deletions are done.
    async fn one(&mut self, criteria: &Criteria, holds: bool, after_deletions: bool) -> Result<Option<String>, Error> {
        let mut found = self.search(criteria, holds).await?;
        found.retain(|id| !after_deletions || !self.doomed.contains(&format!("{}/{id}", criteria.kind())));
        match found.len() {
            0 | 1 => Ok(found.pop()),
            _ => {
                let text = format!("several `{}` match the criteria: expected one", criteria.kind());
                Err(Error::one(No::Several, Issue::error("multiple-matches", "criteria-several", text)))
            }
        }
    }

    /// The ids that match and are seen; each criteria once.
    async fn search(&mut self, criteria: &Criteria, holds: bool) -> Result<Vec<String>, Error> {
        let (ctx, kind, key) = (self.ctx, criteria.kind(), criteria.normal());
        let at = match self.known.get(&key) {
            Some(at) => *at,
            None => {
                read::allowed(ctx, self.caller, Interaction::SearchType, kind)?;
                if self.known.len() >= CRITERIA_MAX {
                    let text = format!("a Bundle has at most {CRITERIA_MAX} different criteria");
                    return Err(Error::one(No::Unreadable, Issue::error("too-costly", "criteria-too-many", text)));
                }
                let base = ctx.config.server.base_url.as_deref().map(|base| format!("{base}/fhir"));
                let reading = ctx.reading(self.caller, base.as_deref().unwrap_or(""), true);
                let query = criteria.read(&reading).map_err(|issues| Error::No(No::Unreadable, issues))?;
                search::covered(ctx, self.caller, &query)?;
                let query = Query { count: self.limit, ..query };
                let reach = self.reach(&query).await?;
                search::bounded(&query, &reach)?;
                self.conditions.withheld |= reach.withheld();
                let rows: Vec<Stored> = ctx.store.search(&query, &reach, None).await?.rows;
                let mut found: Vec<String> = rows.into_iter().map(|row| row.id).collect();
                found.sort_unstable();
                self.conditions.each.push(Condition { query, reach, slot: None, found });
                self.known.insert(key.clone(), self.conditions.each.len() - 1);
                self.conditions.each.len() - 1
            }
        };
        if holds {
            self.conditions.each[at].slot = Some(slot(self.caller.partner(), &key));
        }
        let mut seen = Vec::new();
        for id in self.conditions.each[at].found.clone() {
            // The filter and the decision must agree; where they do not, it is not there.
            if plan::find(ctx, self.caller, self.request, kind, &id).await?.is_some() {
                seen.push(id);
            }
        }
        Ok(seen)
    }

    async fn reach(&mut self, query: &Query) -> Result<Arc<Reach>, Fault> {
        let kinds: Vec<String> = query.kinds_touched().into_iter().map(str::to_string).collect();
        let key = (kinds, query.patient().map(str::to_string));
        if let Some(known) = self.reaches.get(&key) {
            return Ok(known.clone());
        }
        let asking = Asking::new(self.caller, Action::Access);
        let (reach, _) = reach::reach(self.ctx, &asking, &key.0, query.patient()).await?;
        let reach = Arc::new(reach);
        self.reaches.insert(key, reach.clone());
        Ok(reach)
    }

    async fn there<'a>(&self, kind: &str, id: &str) -> Result<Resolved<'a>, Error> {
        let mut record = record::start(self.ctx, self.caller, self.request, "create", format!("{kind}/{id}"));
        let seen = read::look(self.ctx, self.caller, kind, id, &mut record).await?;
        let version = seen.ok_or_else(|| Error::unknown(kind, id))?.version(self.ctx, self.caller).await?;
        Ok(Resolved::There(Box::new(There { version, disclosures: record.released })))
    }
}

/// One of the locks, by the hash of who asks for what.
fn slot(partner: &str, criteria: &str) -> i64 {
    let hash = digest(&SHA256, format!("{partner}\0{criteria}").as_bytes());
    let first = hash.as_ref().iter().take(4).fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
    first % SLOTS
}
