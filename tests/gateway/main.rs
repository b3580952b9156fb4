//! The gateway over HTTP, by actors, on a fixed clock, with both databases underneath.

mod bad_input;
mod examples;
mod harness;
mod held;
mod log;
mod origin;
mod referral;
mod rest;
mod search;
mod sign_in;
