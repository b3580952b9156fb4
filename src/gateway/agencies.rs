//! The agencies of the exchange and the law over them, as decisions see them: made once for all requests, and again
//! when the registry changes.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use crate::consent::{Regimes, World};
use crate::partner::Partner;

/// The partners and what follows from them.
pub struct Agencies {
    pub partners: Arc<Vec<Partner>>,
    /// Their Organizations, for whoever asks who belongs to whom.
    pub world: Arc<World>,
    pub regimes: Arc<Regimes>,
    /// Partners whose directory entries nobody else reads (rules.md 2).
    pub shelters: Vec<String>,
    /// The documents that they were read from: equal documents are equal agencies.
    documents: Vec<String>,
    /// The operator's law, over the one that is bundled.
    law: Option<String>,
    fingerprint: String,
}

impl Agencies {
    pub fn read(documents: Vec<String>, law: Option<String>) -> Agencies {
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
        Agencies {
            shelters: partners.iter().filter(hides).map(|one| one.id.clone()).collect(),
            world: Arc::new(World::new(partners.iter().map(Partner::organization).collect())),
            partners: Arc::new(partners),
            regimes,
            fingerprint: fingerprint(&documents, law.as_deref()),
            documents,
            law,
        }
    }

    /// One text for the whole of them.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub fn is_of(&self, documents: &[String], law: Option<&str>) -> bool {
        self.documents == documents && self.law.as_deref() == law
    }
}

/// The law that is bundled changes with the program alone.
fn fingerprint(documents: &[String], law: Option<&str>) -> String {
    let text = format!("{}\n{}\n{}", env!("CARGO_PKG_VERSION"), documents.join("\n"), law.unwrap_or(""));
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
