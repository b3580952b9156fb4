//! The log as values: what a record says, how it is chained, and how it reads as an AuditEvent.
//!
//! One record a request. It names resources by type, id and version and quotes rules of consents; it never holds
//! clinical content, tokens or query strings.

mod chain;
mod event;
mod record;
mod view;

pub use chain::{Break, Link, Verifier, hash};
pub use event::audit_event;
pub use record::{Disclosure, Record, Refusal, Verdict};
pub use view::seen_by;
