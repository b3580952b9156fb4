//! One store suite, run on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agree;
mod agree_in_sql;
mod hostile;
mod oracle;
mod plans;
mod stories;
mod suite;
