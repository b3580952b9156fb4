//! The gateway over HTTP, by actors, on a fixed clock, with both databases underneath.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod bad_input;
mod console;
mod examples;
mod harness;
mod held;
mod log;
mod origin;
mod referral;
mod rest;
mod search;
mod sign_in;
