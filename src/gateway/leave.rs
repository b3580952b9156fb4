//! Rows on their way out: each is decided once more, by itself, redacted, and noted in the record.
//!
//! The statement that found them knew only what is in reach; where the decision says otherwise, it wins.

use std::collections::HashMap;

use crate::audit::{Disclosure, Record};
use crate::consent::{Released, by_right, release};
use crate::fhir::Resource;
use crate::store::{Fault, Stored};

use super::person::Grounds;
use super::record;
use super::{Asking, Context, person};

/// Grounds that are remembered, so that what is about one person is not worked out row by row.
const KNOWN_MAX: usize = 256;

/// Whom rows leave for, and what is known of the people whom they are about.
pub struct Leave<'c> {
    ctx: &'c Context,
    asking: Asking,
    known: HashMap<Vec<String>, Grounds>,
}

impl<'c> Leave<'c> {
    pub fn new(ctx: &'c Context, asking: Asking) -> Leave<'c> {
        Leave { ctx, asking, known: HashMap::new() }
    }

    pub fn asking(&self) -> &Asking {
        &self.asking
    }

    /// Whether a resource needs no question, its current row being this one: own, held by right, or of the directory.
    pub fn is_by_right(&self, current: &Stored) -> bool {
        current.belongs_to(&self.asking.partner) || person::is_directory(&current.kind)
    }

    /// A row as it leaves; `None` if it may not. A deletion has nothing to say and is for who needs no question.
    pub async fn let_out(
        &mut self,
        row: &Stored,
        by_right_now: bool,
        record: &mut Record,
    ) -> Result<Option<Option<Released>>, Fault> {
        let (why, decision, body) = match (by_right_now, row.deleted) {
            (false, true) => return Ok(None),
            (true, deleted) => {
                let why = if person::is_directory(&row.kind) && !row.belongs_to(&self.asking.partner) {
                    "directory"
                } else {
                    "own"
                };
                if deleted {
                    (why, None, None)
                } else {
                    // An older version may have been somebody else's by right.
                    let Some(body) = by_right(&self.asking.partner, row.right(), row.body.clone()) else {
                        return Ok(None);
                    };
                    (why, None, Some(body))
                }
            }
            (false, false) => {
                let Some(resource) = row.resource() else { return Ok(None) };
                let decision = self.decide(&resource).await?;
                let said = record::said(&decision);
                let Some(body) = release(&decision, resource) else { return Ok(None) };
                ("consent", Some(said), Some(body))
            }
        };
        record.released.push(Disclosure {
            key: format!("{}/{}", row.kind, row.id),
            version: row.version,
            party: row.origin.clone(),
            patient: row.patient.clone(),
            why,
            decision,
        });
        Ok(Some(body))
    }

    /// What is decided about one resource now.
    pub async fn decide(&mut self, resource: &Resource) -> Result<crate::consent::Decision, Fault> {
        let people = person::patients(resource);
        if !self.known.contains_key(&people) {
            if self.known.len() >= KNOWN_MAX {
                self.known.clear();
            }
            let grounds = person::grounds_of(self.ctx, &people).await?;
            self.known.insert(people.clone(), grounds);
        }
        match self.known.get(&people) {
            Some(grounds) => Ok(grounds.decide(self.ctx, &self.asking, resource)),
            None => Err(Fault::new("decide", "the grounds were not kept")),
        }
    }
}
