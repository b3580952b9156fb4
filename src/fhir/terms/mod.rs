//! The questions that are asked of terminology and the answers to them, as FHIR writes both
//! (FHIR R4 terminology-service.html). What the answers are is for who holds the codes to say.

mod answer;
mod ask;

pub use answer::{Contained, Expanded, LookedUp, Outlined, Validated, capabilities, subsumed};
pub use ask::{Expand, Given, Lookup, Subsumes, Validate};

/// A code, as it was sent; what was not said is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coding {
    pub system: String,
    pub code: String,
    pub display: Option<String>,
}

/// Codes of one answer, unless fewer are asked for.
pub const COUNT_MAX: usize = 1_000;
