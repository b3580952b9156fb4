//! Search as FHIR means it, before any database: which parameters there are, what a resource says for each, and
//! what a caller asked.

pub mod criteria;
pub mod extract;
pub mod params;
pub mod path;
pub mod query;
#[cfg(test)]
mod tests;
mod value;

pub use criteria::Criteria;
pub use extract::{Entry, IndexValue, fold};
pub use params::{Fact, Param, ParamKind, Params};
pub use query::{Filter, Query, Test};
