//! The agencies of the exchange as decisions see them: made once for all requests, and again when the registry changes.

use std::sync::Arc;

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
}

impl Agencies {
    pub fn read(documents: Vec<String>) -> Agencies {
        let partners: Vec<Partner> = documents.iter().filter_map(|body| serde_json::from_str(body).ok()).collect();
        let shelters = partners.iter().filter(|one| one.kind == Kind::VictimService).map(|one| one.id.clone());
        Agencies {
            shelters: shelters.collect(),
            world: Arc::new(World::new(partners.iter().map(Partner::organization).collect())),
            partners: Arc::new(partners),
            documents,
        }
    }

    pub fn is_of(&self, documents: &[String]) -> bool {
        self.documents == documents
    }
}
