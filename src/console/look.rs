//! What a page reads about referrals, through the gateway as the signed-in user, each thing once a page.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::fhir::{Element, Instant, Reference, Resource};
use crate::gateway::{self, Context, Error, No, Search};

use super::session::Signed;
use super::words;

/// What a line tells of, besides the Task itself.
const POINTERS: [&str; 4] = ["focus", "for", "requester", "owner"];
/// Ids of one search.
const IDS_MAX: usize = 15;
const COUNT: &str = "15";

/// What was looked up for one page. What the user may not see is `None`, the same as what does not exist.
pub struct Look<'a> {
    pub ctx: &'a Context,
    pub signed: &'a Signed,
    seen: HashMap<String, Option<Resource>>,
}

/// A referral in one line.
pub struct Line {
    pub id: String,
    pub asked_for: Option<String>,
    pub person: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub status: String,
    pub urgent: bool,
    pub held: Option<&'static str>,
    /// Why it was rejected, put on hold, …
    pub reason: Option<String>,
    /// When it was last changed.
    pub since: Option<Instant>,
}

/// A page of lines, and the sealed token of the next one.
pub struct Lines {
    pub lines: Vec<Line>,
    pub next: Option<String>,
}

impl<'a> Look<'a> {
    pub fn new(ctx: &'a Context, signed: &'a Signed) -> Look<'a> {
        Look { ctx, signed, seen: HashMap::new() }
    }

    /// The referrals that match, newest first.
    ///
    /// # Errors
    /// A page token that is not ours, or a fault.
    pub async fn lines(&mut self, pairs: &[(&str, &str)], page: Option<&str>) -> Result<Lines, Error> {
        let own = |(name, value): (&str, &str)| (name.to_string(), value.to_string());
        let pairs: Vec<(String, String)> =
            pairs.iter().copied().chain(page.map(|token| ("_page", token))).map(own).collect();
        let Signed { caller, request, .. } = self.signed;
        let found = gateway::search(self.ctx, caller, request, &Search::of("Task", &pairs)).await?;
        let tasks: Vec<Resource> = found.matches.into_iter().filter_map(|row| row.body.into_resource()).collect();
        self.gather(&tasks).await?;
        let mut lines = Vec::with_capacity(tasks.len());
        for task in &tasks {
            lines.push(self.line(task).await?);
        }
        Ok(Lines { lines, next: found.next })
    }

    /// Looks up what many Tasks point at with one search a type: one record in the log instead of one a row.
    async fn gather(&mut self, tasks: &[Resource]) -> Result<(), Error> {
        let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for task in tasks {
            let references = POINTERS.iter().filter_map(|name| task.root().reference(name)?.local());
            for (kind, id) in references.filter(|(kind, id)| !self.seen.contains_key(&format!("{kind}/{id}"))) {
                wanted.entry(kind).or_default().insert(id);
            }
        }
        let Signed { caller, request, .. } = self.signed;
        for (kind, ids) in wanted {
            let ids: Vec<&str> = ids.into_iter().collect();
            for ids in ids.chunks(IDS_MAX) {
                let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
                let pairs = [pair("_id", &ids.join(",")), pair("_count", COUNT), pair("_total", "none")];
                let found = match gateway::search(self.ctx, caller, request, &Search::of(kind, &pairs)).await {
                    Ok(found) => found.matches,
                    Err(Error::No(..)) => Vec::new(),
                    Err(fault) => return Err(fault),
                };
                self.seen.extend(ids.iter().map(|id| (format!("{kind}/{id}"), None)));
                self.seen.extend(found.into_iter().map(|row| (row.key, row.body.into_resource())));
            }
        }
        Ok(())
    }

    /// # Errors
    /// A fault; what cannot be seen is left out.
    pub async fn line(&mut self, task: &Resource) -> Result<Line, Error> {
        let root = task.root();
        let asked_for =
            self.at(root.reference("focus")).await?.and_then(|request| words::concept(request.root().get("code")));
        let person = self.at(root.reference("for")).await?.and_then(|patient| words::person(&patient));
        let status = root.text("status").unwrap_or("");
        Ok(Line {
            id: task.id().unwrap_or("").to_string(),
            asked_for,
            person,
            from: self.party(root, "requester").await?,
            to: self.party(root, "owner").await?,
            status: status.to_string(),
            urgent: matches!(root.text("priority"), Some("urgent" | "asap" | "stat")),
            held: root
                .concepts("businessStatus")
                .iter()
                .find_map(|coding| words::held(coding.code))
                .filter(|_| !gateway::is_over(status)),
            reason: words::concept(root.get("statusReason")),
            since: task.updated_at(),
        })
    }

    /// The name of the agency that an element points at, or that employs whom it points at.
    pub async fn party(&mut self, root: Element<'_>, name: &str) -> Result<Option<String>, Error> {
        let display = root.get(name).text("display").map(str::to_string);
        let Some(found) = self.at(root.reference(name)).await? else { return Ok(display) };
        let agency = match found.root().reference("organization") {
            Some(employer) => self.at(Some(employer)).await?,
            None => Some(found),
        };
        Ok(agency.and_then(|agency| agency.root().text("name").map(str::to_string)).or(display))
    }

    /// What a reference points at, as far as the user may see it.
    ///
    /// # Errors
    /// A fault.
    pub async fn at(&mut self, reference: Option<Reference<'_>>) -> Result<Option<Resource>, Error> {
        let Some((kind, id)) = reference.and_then(|reference| reference.local()) else { return Ok(None) };
        let key = format!("{kind}/{id}");
        if let Some(known) = self.seen.get(&key) {
            return Ok(known.clone());
        }
        let Signed { caller, request, .. } = self.signed;
        let found = match gateway::read(self.ctx, caller, request, kind, id).await {
            Ok(version) => version.body.and_then(|body| body.into_resource()),
            Err(Error::No(No::Unknown | No::Gone | No::NotYours, _)) => None,
            Err(other) => return Err(other),
        };
        self.seen.insert(key, found.clone());
        Ok(found)
    }
}
