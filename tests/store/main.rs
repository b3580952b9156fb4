//! One store suite, run on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod plans;
mod suite;
