//! The lists that labels are set by: the bundled ones with an operator's laid over them, as documents of the registry.
//!
//! A running server knows within a second that they have changed; what was stored by others is labelled again
//! (`relabel`).

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::consent::{LabelDocument, LabelLists, ListedLabels};
use crate::fhir::{Instant, Issue, read};
use crate::store::Fault;

use super::Context;

/// How long lists are believed before the registry is asked whether they have changed.
const FRESH_MILLIS: i64 = 1_000;

/// What is known of the lists, to be asked by every write.
#[derive(Default)]
pub struct Shelf(Mutex<Option<(Instant, Arc<Current>)>>);

/// The lists of now.
pub struct Current {
    pub lists: LabelLists,
    /// Moves when anything of them does.
    pub stamp: String,
    /// When they were last changed by an operator.
    pub changed_at: Instant,
    head: Option<String>,
}

/// What the registry says first: that the documents have changed, so that they need not be read to know it.
#[derive(Serialize, Deserialize)]
struct Head {
    stamp: String,
    at: i64,
}

impl Shelf {
    /// The lists as they were within the last second.
    pub async fn current(&self, ctx: &Context) -> Result<Arc<Current>, Fault> {
        let now = ctx.now();
        let kept = self.kept();
        if let Some((at, current)) = &kept
            && now < at.plus_millis(FRESH_MILLIS)
        {
            return Ok(current.clone());
        }
        let head = ctx.store.document("labels-head", "head").await?;
        let current = match kept.filter(|(_, current)| current.head == head) {
            Some((_, current)) => current,
            None => Arc::new(load(ctx, head).await?),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, current.clone()));
        Ok(current)
    }

    fn kept(&self) -> Option<(Instant, Arc<Current>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

async fn load(ctx: &Context, head: Option<String>) -> Result<Current, Fault> {
    let mut documents = Vec::new();
    for text in ctx.store.documents("labels").await? {
        // What was imported by a newer handoff may say more than we read: then nothing is written by half of it.
        let unread = || Fault::new("read the lists of labels", "a document of the registry cannot be read");
        let json = read::json(text.as_bytes()).map_err(|_| unread())?;
        documents.push(LabelDocument::read(&json).map_err(|_| unread())?);
    }
    let known: Option<Head> = head.as_deref().and_then(|head| serde_json::from_str(head).ok());
    let imported = known.as_ref().map_or("", |head| head.stamp.as_str());
    Ok(Current {
        lists: LabelLists::over_bundled(&documents),
        stamp: hash(&[LabelDocument::bundled_text(), imported]),
        changed_at: Instant(known.as_ref().map_or(0, |head| head.at)),
        head,
    })
}

/// Lays a document over the lists; the one of the same name before it is replaced. Answers `name@version`.
///
/// # Errors
/// Every problem of the document, each with its place; then nothing has changed.
pub async fn import_labels(ctx: &Context, text: &str) -> Result<String, Vec<Issue>> {
    let json: Value = read::json(text.as_bytes()).map_err(|issue| vec![issue])?;
    let document = LabelDocument::read(&json)?;
    if LabelDocument::bundled().is_some_and(|bundled| bundled.name == document.name) {
        let text = "the bundled lists have this name: give yours another, and its lists the ids of those they replace";
        return Err(vec![Issue::error("invalid", "label-lists", text).at("name")]);
    }
    let fault = |fault: Fault| vec![Issue::error("exception", "fault", fault.to_string())];
    let head = Head { stamp: hash(&[text]), at: ctx.now().0 };
    // Of two with one text the instant differs; of others the stamp does.
    let before = ctx.store.document("labels-head", "head").await.map_err(fault)?.unwrap_or_default();
    let head = Head { stamp: hash(&[&before, &head.stamp]), ..head };
    let head = serde_json::to_string(&head).unwrap_or_default();
    let mut tx = ctx.store.begin().await.map_err(fault)?;
    tx.register("labels", &document.name, text, true).await.map_err(fault)?;
    tx.register("labels-head", "head", &head, true).await.map_err(fault)?;
    tx.commit().await.map_err(fault)?;
    ctx.shelf.forget();
    Ok(format!("{}@{}", document.name, document.version))
}

/// The lists of a database, a line each.
///
/// # Errors
/// What the database said.
pub async fn listed_labels(ctx: &Context) -> Result<Vec<ListedLabels>, Fault> {
    Ok(ctx.shelf.current(ctx).await?.lists.listed().to_vec())
}

/// Several texts as one word.
pub fn hash(parts: &[&str]) -> String {
    let text = parts.join("\n");
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
