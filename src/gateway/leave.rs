//! Rows on their way out: each is decided once more, by itself, redacted, numbered, and noted in the record.
//!
//! The statement that found them knew only what is in reach; where the decision says otherwise, it wins. A row of which
//! something was taken out leaves as a view: it carries the number and the moment of the oldest version that says the
//! same, so that what changed in the hidden parts alone changes nothing for its reader (rules.md 9).

use std::collections::HashMap;

use crate::audit::Disclosure;
use crate::consent::{Decision, Handling, Masks, Released, by_right, release};
use crate::fhir::view::Outline;
use crate::fhir::{Instant, Resource};
use crate::store::{Fault, Stored};

use super::grounds::Grounds;
use super::mask::Discreet;
use super::record;
use super::{Asking, Context, grounds, person, provenance};

/// Grounds that are remembered, so that what is about one person is not worked out row by row.
const KNOWN_MAX: usize = 256;
/// How many versions a view is followed back; one that said the same for longer carries the number found there.
const VERSIONS_MAX: usize = 1_000;

/// Whom rows leave for, and what is known of the people whom they are about.
pub struct Leave<'c> {
    ctx: &'c Context,
    asking: Asking,
    known: HashMap<Vec<String>, Grounds>,
}

/// A row that may leave, as its reader sees it.
pub struct Leaving {
    /// `None` for a deletion.
    pub body: Option<Released>,
    /// The view's number and moment.
    pub version: i64,
    pub updated_at: Instant,
    pub noted: Disclosure,
}

impl<'c> Leave<'c> {
    pub fn new(ctx: &'c Context, asking: Asking) -> Leave<'c> {
        Leave { ctx, asking, known: HashMap::new() }
    }

    /// Whether a resource needs no question, its current row being this one: own, held by right, or of the directory.
    pub fn is_by_right(&self, current: &Stored) -> bool {
        current.belongs_to(&self.asking.partner) || person::is_directory(&current.kind)
    }

    /// A row as it may leave, and what the record says of it then; `None` if it may not. A deletion has nothing to
    /// say and is for who needs no question.
    pub async fn let_out(&mut self, row: &Stored, by_right_now: bool) -> Result<Option<Leaving>, Fault> {
        if by_right_now {
            return self.show(row.clone(), None).await;
        }
        let Some(resource) = row.resource() else { return Ok(None) };
        let decision = self.decide(&resource).await?;
        self.show(row.clone(), Some((decision, resource))).await
    }

    /// What is decided about one resource now.
    pub async fn decide(&mut self, resource: &Resource) -> Result<Decision, Fault> {
        if resource.kind() == provenance::KIND {
            return provenance::decide(self.ctx, &self.asking, resource).await;
        }
        let people = person::patients(resource);
        if !self.known.contains_key(&people) {
            if self.known.len() >= KNOWN_MAX {
                self.known.clear();
            }
            let grounds = grounds::grounds_of(self.ctx, &people).await?;
            self.known.insert(people.clone(), grounds);
        }
        match self.known.get(&people) {
            Some(grounds) => Ok(grounds.decide(self.ctx, &self.asking, resource)),
            None => Err(Fault::new("decide", "the grounds were not kept")),
        }
    }

    /// A row as it leaves: decided and redacted, or by right where no decision is given. `None` if it may not.
    pub async fn show(
        &mut self,
        mut row: Stored,
        decided: Option<(Decision, Resource)>,
    ) -> Result<Option<Leaving>, Fault> {
        let own = row.belongs_to(&self.asking.partner);
        let why = match &decided {
            Some(_) => "consent",
            None if person::is_directory(&row.kind) && !own => "directory",
            None => "own",
        };
        let said = decided.as_ref().map(|(decision, _)| record::said(decision));
        let asked = decided.is_some();
        let (mut version, mut updated_at) = (row.version, row.updated_at);
        let body = if row.deleted && !asked {
            None
        } else {
            // An older version may have been somebody else's by right.
            let Some(mut body) = self.released(&mut row, decided).await? else { return Ok(None) };
            if body.is_redacted() {
                (version, updated_at) = self.oldest(&row, &body, asked).await?;
                body = body.numbered(version, updated_at);
            }
            Some(body)
        };
        let key = format!("{}/{}", row.kind, row.id);
        let Stored { version: shown, origin: party, patient, .. } = row;
        let noted = Disclosure { key, version: shown, party, patient, why, decision: said };
        Ok(Some(Leaving { body, version, updated_at, noted }))
    }

    async fn released(
        &self,
        row: &mut Stored,
        decided: Option<(Decision, Resource)>,
    ) -> Result<Option<Released>, Fault> {
        let partner = self.asking.partner.as_str();
        if row.origin == partner && decided.is_none() {
            let body = std::mem::take(&mut row.body);
            return Ok(by_right(partner, row.right(), body, None));
        }
        let (ctx, partners) = (self.ctx, self.ctx.partners().await?);
        let regimes = ctx.regimes();
        let discreet = Discreet::of(&partners, &regimes, partner);
        let masks = if row.origin == partner { Masks::default() } else { discreet.masks(ctx, row).await? };
        let discretion = discreet.partner(&row.origin).filter(|discretion| discretion.is_pseudonymous());
        let pseudonym = discretion.map(|_| ctx.keys.pseudonym(partner, &format!("{}/{}", row.kind, row.id)));
        let outline = |kind: &str| -> Option<Box<dyn Outline + '_>> {
            ctx.profiles.outline(kind).map(|outline| -> Box<dyn Outline> { Box::new(outline) })
        };
        let to = Handling {
            kind: partners.iter().find(|one| one.id == partner).map_or("", |one| one.kind.code()),
            regimes: &regimes,
            masks: &masks,
            discretion,
            pseudonym: pseudonym.as_deref(),
            outline: &outline,
        };
        Ok(match decided {
            Some((decision, resource)) => release(&decision, resource, &to),
            None => {
                let body = std::mem::take(&mut row.body);
                by_right(partner, row.right(), body, Some(&to))
            }
        })
    }

    /// Number and moment of the oldest version that says the same to this reader, version by version back.
    async fn oldest(&mut self, row: &Stored, body: &Released, asked: bool) -> Result<(i64, Instant), Fault> {
        let mut oldest = (row.version, row.updated_at);
        for _ in 0..VERSIONS_MAX {
            if oldest.0 <= 1 {
                break;
            }
            let older = self.ctx.store.vread(row, oldest.0 - 1).await?;
            let Some(mut older) = older.filter(|older| !older.deleted) else { break };
            let decided = match older.resource().filter(|_| asked) {
                Some(resource) => Some((self.decide(&resource).await?, resource)),
                None => None,
            };
            let (version, updated_at) = (older.version, older.updated_at);
            match self.released(&mut older, decided).await? {
                Some(said) if said.says_the_same_as(body) => oldest = (version, updated_at),
                _ => break,
            }
        }
        Ok(oldest)
    }
}
