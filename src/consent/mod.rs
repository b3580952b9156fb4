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
mod discretion;
mod document;
mod emergency;
mod facts;
mod filing;
mod footing;
mod label;
mod labeller;
mod law;
mod mark;
mod minimum;
mod opens;
mod own_time;
mod parts;
mod policy;
mod purpose;
mod question;
mod reach;
mod reading;
mod redact;
mod regime;
mod release;
mod residual;
mod rule;
mod select;
mod sensitivity;
mod shape;
mod span;
mod standing;
mod views;
mod who;
mod words;
mod world;

pub use case::Case;
pub use condition::{Atom, Condition};
pub use decide::{Decision, Effect, Reason, Residuals, decide, decide_by_all};
pub use directive::Directive;
pub use directives::{Directives, People};
pub use discretion::{Discretion, Shared};
pub use document::problems as regime_problems;
pub use emergency::{LASTS_SECS, ROLE as EMERGENCY_ROLE};
pub use facts::{Columns, Facts, references};
pub use footing::Footing;
pub use label::{ANY_CODE, CONFIDENTIALITY, rank};
pub use labeller::{Labelling, keep as keep_labels, label};
pub use minimum::Kept;
pub use opens::Opened;
pub use parts::without_labelled;
pub use policy::{Conflict, DefaultPolicy, Policy};
pub use purpose::{ACT_REASON, EMERGENCY as EMERGENCY_TREATMENT, is_known as is_purpose, is_within};
pub use question::{Action, Emergency, Question};
pub use reach::{Granted, Quiet, Reach};
pub use reading::{Language, Line, Names, Reading, name_of, reading};
pub use redact::{Handling, Masks, PSEUDONYM};
pub use regime::{Accounting, LISTS as REGIME_LISTS, Regimes};
pub use release::{DIRECTORY, Released, Right, by_right, is_directory, release};
pub use residual::{Residual, specialise};
pub use sensitivity::{Document as LabelDocument, Listed as ListedLabels, Lists as LabelLists};
pub use standing::Standing;
pub use views::{LEAST_OF_ALL, WHOLE, of as views, sort};
pub use who::Recipient;
pub use world::{PARTNER_KIND, REGIME, World};

#[cfg(test)]
mod tests;
