//! Search as FHIR means it, before any database: which parameters there are, what a resource says for each, and
//! what a caller asked.

pub mod conditional;
pub mod criterion;
pub mod definitions;
pub mod extract;
pub mod include;
pub mod order;
mod parameter;
pub mod params;
pub mod path;
pub mod query;
#[cfg(test)]
mod tests;
mod value;

pub use conditional::Criteria;
pub use criterion::{Criterion, Filter, Test};
pub use definitions::{Definitions, Searchable};
pub use extract::{Entry, IndexValue, fold};
pub use include::Include;
pub use order::{SortBy, SortKey};
pub use params::{Component, Fact, Param, ParamKind, Params, Part};
pub use query::{Limits, Query, Reading};
