//! The question put to consent: who asks for what, why, when.

use super::who::Recipient;
use crate::fhir::{Instant, Zone};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Read, vread, search, history.
    Access,
    /// Push, export, referral, notification.
    Disclose,
    /// Create.
    Collect,
    /// Update and patch.
    Correct,
}

#[derive(Clone, Debug)]
pub struct Question {
    pub recipient: Recipient,
    pub purposes: Vec<String>,
    pub action: Action,
    pub at: Instant,
    /// In which bare dates are read where a consent states no zone of its own.
    pub zone: Zone,
    pub emergency: Option<Emergency>,
}

/// A declaration (consent.md section 6). Whether it stands is for `emergency` to say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Emergency {
    pub reason: String,
    /// Whom it was declared for: `Patient/x`.
    pub patient: Option<String>,
    /// Whom the request is about; `None` when it is about several.
    pub asked_for: Option<String>,
    pub declared_at: Option<Instant>,
}

impl Action {
    /// The code of `consentaction`.
    pub fn code(self) -> &'static str {
        match self {
            Action::Access => "access",
            Action::Disclose => "disclose",
            Action::Collect => "collect",
            Action::Correct => "correct",
        }
    }

    pub fn named(code: &str) -> Option<Action> {
        [Action::Access, Action::Disclose, Action::Collect, Action::Correct].into_iter().find(|own| own.code() == code)
    }
}
