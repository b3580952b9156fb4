//! FHIR as data.
//!
//! The one place that walks FHIR JSON. It reads, names, finds and rebuilds; it does no I/O, owns no clock and
//! knows no rule of the exchange. A resource is JSON kept as it came: unknown extensions, the order of keys and
//! the zeros of `1.50` survive, because nothing here turns JSON into anything narrower.

pub mod bundle;
pub mod capability;
pub mod element;
pub mod everything;
pub mod export;
pub mod fhirpath;
pub mod history;
pub mod interaction;
mod links;
pub mod merge;
pub mod meta;
pub mod offer;
pub mod outcome;
pub mod parameters;
pub mod patch;
pub mod position;
pub mod read;
pub mod reference;
pub mod resource;
pub mod search;
pub mod terms;
pub mod time;
pub mod validate;
pub mod view;
pub mod what_if;
pub mod xml;

pub use element::{Coding, Element};
pub use outcome::{Issue, Outcome, Severity};
pub use reference::Reference;
pub use resource::Resource;
pub use time::{Instant, Interval, Zone};
