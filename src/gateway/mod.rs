//! What the gateway does, one file a deed, each read from top to bottom.
//!
//! A flow takes the [`Context`], a [`Caller`](crate::auth::Caller) and plain values, and brings the lower rooms
//! together in the order that the receipts demand: check, decide, write, record, commit. It knows neither HTTP nor
//! HTML nor SQL.

mod accounting;
mod agencies;
mod answers;
mod believe;
mod check;
mod claim;
mod conditional;
mod consents;
mod context;
mod deed;
mod disclosures;
mod emergency;
mod enforcement;
pub mod enroll;
mod error;
mod everything;
pub mod export;
mod forms;
mod grants;
mod grounds;
mod handover;
mod history;
mod include;
mod kept;
mod label;
mod label_lists;
mod leave;
mod link;
mod mask;
mod meta;
mod person;
mod place;
mod plan;
mod provenance;
mod quiet;
mod reach;
mod read;
mod record;
mod referral;
pub mod regimes;
mod rehearse;
mod reindex;
mod relabel;
mod revoke;
mod search;
mod sequence;
mod shared;
pub mod sign_in;
mod submit;
mod targets;
mod terminology;
mod transition;
mod verify;
mod views;
mod what_if;
mod worklist;

pub use accounting::{Accounted, accounting};
pub use claim::{Parcel, Settled, claim, settle};
pub use conditional::Deed;
pub use consents::{ConsentLine, OpenedConsent, consents_of, language_of, open_consent};
pub use context::{Clock, Context, Ids};
pub use disclosures::{LogEntry, Shown, audit_event, audit_events, disclosures};
pub use emergency::{Declaration, EMERGENCY_HEADER, declare, restricted, under};
pub use enforcement::{Enforcement, enforcement, policy_in_force};
pub use error::{Error, No};
pub use everything::{Everything, everything};
pub use export::{
    ExportFile, ExportOf, ExportStatus, Manifest, cancel_export, export_file, export_status, start_export,
};
pub use grants::go_on_granting;
pub use history::{Of as HistoryOf, Versions, history};
pub use label_lists::{import_labels, listed_labels};
pub use meta::{change_meta, meta_of};
pub use person::Asking;
pub use read::{Seen, Version, read, vread};
pub use record::Request;
pub use referral::recheck;
pub use rehearse::{Rehearsed, rehearse};
pub use reindex::reindex;
pub use relabel::{RELABELLED_TOGETHER, Relabelled, relabel};
pub use revoke::{Disclosed, Revoked, revoke};
pub use search::{Found, Row, Scope, Search, search};
pub use sequence::{Checkpoint, Verdict, number, verify};
pub use submit::{Asked, Change, Done, Written, submit};
pub use terminology::{Question, ask};
pub use transition::{Roles, is_over, next_steps};
pub use verify::verify as verify_consent;
pub use what_if::{
    Change as WhatChange, Count, Moved, ReferralEffect, ReferralMoved, Row as WhatRow, Seen as WhatSeen, Told, what_if,
};
pub use worklist::{AWAITING, EMERGENCY, EXPIRING, SOON_SECS, UNENFORCEABLE, dismiss, work_list};
