//! May this partner see this, for this purpose, now?
//!
//! A Consent is read once into a `Directive`; a person's directives, the caller, the purposes and the moment
//! `specialise` into a `Residual`, in which only the resource is open. From the same clauses come a `Decision` on one
//! resource and a `Condition` that the store puts into SQL. Semantics: `reference/consent.md`, whose rule numbers
//! (R1 to R15) the comments cite. One sentence carries most of it: a permit reads narrow, a deny reads wide.
//!
//! Pure: no I/O, no clock, no chance. It always answers, and what it cannot read, it denies. It knows no owners:
//! that a partner reads its own data is settled by the gateway before a question is put (rules.md 5).

mod case;
mod clock;
mod condition;
mod decide;
mod directive;
mod directives;
mod emergency;
mod facts;
mod filing;
mod label;
mod law;
mod opens;
mod policy;
mod purpose;
mod question;
mod reach;
mod regime;
mod release;
mod residual;
mod rule;
mod select;
mod span;
mod standing;
mod who;
mod world;

pub use case::Case;
pub use condition::{Atom, Condition};
pub use decide::{Decision, Effect, Reason, Residuals, decide};
pub use directive::Directive;
pub use directives::{Directives, People};
pub use emergency::{LASTS_SECS, ROLE as EMERGENCY_ROLE};
pub use facts::{Facts, references};
pub use label::{ANY_CODE, CONFIDENTIALITY, rank};
pub use opens::Opened;
pub use policy::{Conflict, DefaultPolicy, Policy};
pub use purpose::{ACT_REASON, EMERGENCY as EMERGENCY_TREATMENT, is_known as is_purpose, is_within};
pub use question::{Action, Emergency, Question};
pub use reach::Reach;
pub use release::{DIRECTORY, Released, Right, by_right, is_directory, release};
pub use residual::{Residual, specialise};
pub use standing::Standing;
pub use who::Recipient;
pub use world::{PARTNER_KIND, REGIME, World};

#[cfg(test)]
mod tests;
