//! Rows on their way out: each is decided once more, by itself, redacted, and noted in the record.
//!
//! The statement that found them knew only what is in reach; where the decision says otherwise, it wins.

use std::collections::HashMap;

use crate::audit::Disclosure;
use crate::consent::{Decision, Released, by_right, release};
use crate::fhir::Resource;
use crate::store::{Fault, Stored};

use super::grounds::Grounds;
use super::record;
use super::{Asking, Context, grounds, person, provenance};

/// Grounds that are remembered, so that what is about one person is not worked out row by row.
const KNOWN_MAX: usize = 256;

/// Whom rows leave for, and what is known of the people whom they are about.
pub struct Leave<'c> {
    ctx: &'c Context,
    asking: Asking,
    known: HashMap<Vec<String>, Grounds>,
}

/// A row that may leave.
pub struct Leaving {
    /// `None` for a deletion.
    pub body: Option<Released>,
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
            return Ok(leaving(&self.asking.partner, row.clone(), None));
        }
        let Some(resource) = row.resource() else { return Ok(None) };
        let decision = self.decide(&resource).await?;
        Ok(leaving(&self.asking.partner, row.clone(), Some((decision, resource))))
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
}

/// A row as it leaves for a partner: decided and redacted, or by right where no decision is given. `None` if it may not.
pub fn leaving(partner: &str, mut row: Stored, decided: Option<(Decision, Resource)>) -> Option<Leaving> {
    let own = row.belongs_to(partner);
    let why = match &decided {
        Some(_) => "consent",
        None if person::is_directory(&row.kind) && !own => "directory",
        None => "own",
    };
    let (decision, body) = match decided {
        Some((decision, resource)) => (Some(record::said(&decision)), Some(release(&decision, resource)?)),
        None if row.deleted => (None, None),
        None => {
            let body = std::mem::take(&mut row.body);
            // An older version may have been somebody else's by right.
            (None, Some(by_right(partner, row.right(), body)?))
        }
    };
    let key = format!("{}/{}", row.kind, row.id);
    let Stored { version, origin: party, patient, .. } = row;
    Some(Leaving { body, noted: Disclosure { key, version, party, patient, why, decision } })
}
