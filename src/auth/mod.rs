//! Who is calling?
//!
//! Turns an assertion into a token (SMART Backend Services), and a token or a session into a [`Caller`], which
//! every flow demands and only this room makes. It knows keys, scopes and time as arguments; tables it does not
//! know: what was registered comes in as [`Registered`].

mod assertion;
mod caller;
mod jwks;
mod keys;
mod scopes;
mod token;

pub use assertion::{Assertion, Refused, Registered};
pub use caller::{Caller, Way};
pub use jwks::KeySets;
pub use keys::Keys;
pub use scopes::Scopes;
pub use token::{Claims, TTL_MAX_SECS, Use};
