//! The agencies of the exchange and the law over them, as decisions see them: made once for all requests, and again
//! when the registry changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use crate::consent::{Regimes, World};
use crate::fhir::Resource;
use crate::partner::Partner;
use crate::store::Stored;

use super::enroll::OPERATOR;
use super::place;

/// The partners and what follows from them.
pub struct Agencies {
    pub partners: Arc<Vec<Partner>>,
    /// Their Organizations and who works there, for whoever asks who belongs to whom.
    pub world: Arc<World>,
    pub regimes: Arc<Regimes>,
    /// Partners whose directory entries nobody else reads (rules.md 2).
    pub shelters: Vec<String>,
    /// Types of which they have entries that nobody else reads.
    pub hidden: Arc<BTreeSet<String>>,
    /// The documents that they were read from: equal documents are equal agencies.
    documents: Vec<String>,
    /// The operator's law, over the one that is bundled.
    law: Option<String>,
    /// The last write of somebody's role.
    staffing: Option<String>,
    fingerprint: String,
}

impl Agencies {
    /// `staff` are the PractitionerRoles that are on file, since the last write of one.
    pub fn read(
        documents: Vec<String>,
        law: Option<String>,
        (staffing, staff): (Option<String>, &[Stored]),
    ) -> Agencies {
        let partners: Vec<Partner> = documents.iter().filter_map(|body| serde_json::from_str(body).ok()).collect();
        let regimes = match &law {
            None => Regimes::bundled(),
            // What cannot be read closes everything.
            Some(text) => {
                let above = serde_json::from_str(text).unwrap_or(Value::Null);
                let read = if above.is_null() { Value::Null } else { Regimes::merged(&Regimes::shipped(), &above) };
                Arc::new(Regimes::read(&read))
            }
        };
        let hides = |one: &&Partner| regimes.discretion(one.kind.code(), &one.regimes).is_some();
        let known = partners.iter().map(Partner::organization).chain(staff.iter().filter_map(employed));
        let world = Arc::new(World::new(known.collect()));
        let discreet = partners.iter().filter_map(|one| regimes.discretion(one.kind.code(), &one.regimes));
        let hidden = Arc::new(discreet.flat_map(|discretion| discretion.hidden.iter().cloned()).collect());
        Agencies {
            hidden,
            shelters: partners.iter().filter(hides).map(|one| one.id.clone()).collect(),
            world,
            partners: Arc::new(partners),
            regimes,
            fingerprint: fingerprint(&documents, law.as_deref()),
            documents,
            law,
            staffing,
        }
    }

    /// One text for the whole of them.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub fn is_of(&self, documents: &[String], law: Option<&str>, staffing: Option<&str>) -> bool {
        self.documents == documents && self.law.as_deref() == law && self.staffing.as_deref() == staffing
    }
}

/// A role that its employer, or the operator, says somebody has: nobody else's word counts (rules.md 20).
fn employed(row: &Stored) -> Option<Resource> {
    let role = row.resource()?;
    let employer = place::organization(&role, "organization")?;
    (row.origin == employer || row.origin == OPERATOR).then_some(role)
}

/// The law that is bundled changes with the program alone.
fn fingerprint(documents: &[String], law: Option<&str>) -> String {
    let text = format!("{}\n{}\n{}", env!("CARGO_PKG_VERSION"), documents.join("\n"), law.unwrap_or(""));
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
