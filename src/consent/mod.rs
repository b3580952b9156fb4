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
mod classify;
mod clock;
mod condition;
mod decide;
mod directive;
mod directives;
mod emergency;
mod facts;
mod filing;
mod label;
mod labeller;
mod law;
mod policy;
mod purpose;
mod question;
mod reach;
mod regime;
mod release;
mod residual;
mod rule;
mod select;
mod sensitivity;
mod span;
mod who;
mod words;
mod world;

pub use case::Case;
pub use condition::{Atom, Condition};
pub use decide::{Decision, Effect, Reason, Residuals, decide};
pub use directive::Directive;
pub use directives::{Directives, People};
pub use facts::{Facts, references};
pub use label::{ANY_CODE, CONFIDENTIALITY, rank};
pub use labeller::{Labelling, keep as keep_labels, label};
pub use policy::{Conflict, DefaultPolicy, Policy};
pub use purpose::{ACT_REASON, is_known as is_purpose, is_within};
pub use question::{Action, Emergency, Question};
pub use reach::Reach;
pub use release::{DIRECTORY, Released, Right, by_right, is_directory, release};
pub use residual::{Residual, specialise};
pub use sensitivity::{Document as LabelDocument, Listed as ListedLabels, Lists as LabelLists};
pub use who::Recipient;
pub use world::{PARTNER_KIND, REGIME, World};

#[cfg(test)]
mod tests;
