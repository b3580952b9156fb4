//! The gateway over HTTP, by actors, on a fixed clock, with both databases underneath.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod assertion;
mod bad_bundles;
mod bad_input;
mod console;
mod everything;
mod examples;
mod export;
mod harness;
mod held;
mod history;
mod log;
mod origin;
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
