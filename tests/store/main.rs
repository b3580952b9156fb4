//! One store suite, run on both databases.

mod suite;
