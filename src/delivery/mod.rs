//! The outbound side: what is due is claimed and packed by `gateway`, sent here, and settled by `gateway` again.
//!
//! `run` is a crank and the loop that turns it; a test turns it by hand. `schedule` is pure. `client` is the only
//! place that connects to addresses that partners gave us.

mod client;
mod run;
mod schedule;

pub use client::Courier;
pub use run::{turn, work};
