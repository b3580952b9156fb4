//! Handoff: a FHIR R4 gateway for case management.
//!
//! A clinic, a housing agency and a social service each keep their own system; handoff is where a person's shared
//! plan lives, where referrals pass from one to the other and come back with an outcome, and where every disclosure
//! is checked against what the person consented to.
//!
//! # The house
//! An import may only point down, and rooms of one layer (1 to 4) do not import each other; `tests/architecture.rs`
//! holds us to it.
//!
//! | layer | rooms |
//! |---|---|
//! | 5 | `main` [`cli`] [`serve`] |
//! | 4 | [`http`] [`console`] [`delivery`] |
//! | 3 | [`gateway`] |
//! | 2 | [`store`] [`auth`] [`partner`] |
//! | 1 | [`profile`] [`consent`] [`audit`] |
//! | 0 | [`fhir`] [`config`] |
//!
//! # What always holds
//! - Nothing leaves without a decision: only a [`consent::Released`] can be sent, and only a
//!   [`consent::Reach`] gets rows out of the store.
//! - Nothing is stored unchecked: the store takes a [`profile::Valid`].
//! - Nothing acknowledged is lost: a 2xx means that data, decision, audit record and delivery are on disk together.
//! - Layers 0 and 1 do no I/O and own no clock.
//!
//! # The three walks
//! - **An EHR posts a referral**: `http` makes a Caller and a Bundle, [`gateway::submit`] checks all, puts all,
//!   decides the disclosure to the Task's owner, records, enqueues or holds, commits. Later `delivery` turns its
//!   crank: [`gateway::claim`] decides again, `delivery` sends, [`gateway::settle`] writes down what became of it.
//! - **A partner searches**: [`gateway::search`] reads the query, works out the reach, runs one statement that knows
//!   only what may be seen, decides each row again as it leaves, records, answers.
//! - **A compliance officer opens the log**: a session is a Caller, [`gateway::disclosures`] records the look and
//!   gives the records that this partner may read.

pub mod audit;
pub mod auth;
pub mod cli;
pub mod config;
pub mod consent;
pub mod console;
pub mod delivery;
pub mod fhir;
pub mod gateway;
pub mod http;
pub mod partner;
pub mod profile;
pub mod serve;
pub mod store;
