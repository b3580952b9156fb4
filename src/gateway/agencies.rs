//! The agencies of the exchange as decisions see them: made once for all requests, and again when the registry changes.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use crate::consent::World;
use crate::partner::{Kind, Partner};

/// The partners and what follows from them.
#[derive(Debug)]
pub struct Agencies {
    pub partners: Arc<Vec<Partner>>,
    /// Their Organizations, for whoever asks who belongs to whom.
    pub world: Arc<World>,
    /// Partners whose directory entries nobody else reads (rules.md 2).
    pub shelters: Vec<String>,
    /// The documents that they were read from: equal documents are equal agencies.
    documents: Vec<String>,
    fingerprint: String,
}

impl Agencies {
    pub fn read(documents: Vec<String>) -> Agencies {
        let partners: Vec<Partner> = documents.iter().filter_map(|body| serde_json::from_str(body).ok()).collect();
        let shelters = partners.iter().filter(|one| one.kind == Kind::VictimService).map(|one| one.id.clone());
        Agencies {
            shelters: shelters.collect(),
            world: Arc::new(World::new(partners.iter().map(Partner::organization).collect())),
            partners: Arc::new(partners),
            fingerprint: fingerprint(&documents),
            documents,
        }
    }

    /// One text for the whole of them.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub fn is_of(&self, documents: &[String]) -> bool {
        self.documents == documents
    }
}

fn fingerprint(documents: &[String]) -> String {
    let hash = digest(&SHA256, documents.join("\n").as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
