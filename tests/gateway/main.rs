//! The gateway over HTTP, by actors, on a fixed clock, with both databases underneath.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod assertion;
mod bad_bundles;
mod bad_input;
mod bundles;
mod capability;
mod chains;
mod clinical;
mod conditional;
mod console;
mod docs;
mod everything;
mod examples;
mod export;
mod finding;
mod formats;
mod harness;
mod held;
mod history;
mod labels;
mod log;
mod origin;
mod patch;
mod races;
mod reach;
mod referral;
mod rest;
mod rights;
mod search;
mod sign_in;
mod sweep;
mod takeover;
mod transactions;
mod twins;
mod worlds;
