//! The gateway over HTTP: requests become callers and plain values, answers become statuses and headers.
//!
//! No rule of the exchange lives here. `router` is a table of contents, `error` the only place that picks a status.

mod answer;
mod asked;
mod audit_event;
mod bundle;
mod consent;
mod decide;
mod described;
mod docs;
mod emergency;
mod error;
mod export;
mod format;
mod headers;
mod history;
mod instance;
mod located;
mod media;
mod openapi;
mod operation;
mod page;
mod prefer;
mod public;
mod reading;
mod router;
mod search;
mod terminology;
mod token;
mod types;
mod validate;

pub use asked::request_id;
pub use router::router;
