//! The exchange's policy: what answers when no consent speaks, what evidence a consent needs, which switchable
//! overlays are on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::condition::{Atom, Condition};
use super::label::NORMAL;
use super::purpose::{EMERGENCY, TREATMENT, is_within};
use super::regime::Regimes;
use crate::fhir::Element;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub default: DefaultPolicy,
    pub conflict: Conflict,
    /// A consent counts only with a true `verification.verified`.
    pub needs_verification: bool,
    /// The overlays of `regimes.json` that are switched on, by id.
    pub overlays: BTreeSet<String>,
    /// The law of the exchange.
    pub regimes: Arc<Regimes>,
}

/// What answers when every consent is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultPolicy {
    Deny,
    Permit,
    PermitTreatment,
    PermitNormal,
    EmergencyOnly,
}

/// How several consents of one person are combined, by name. There is one way (consent.md R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Deny beats what is unclear, which beats permit, which beats silence. A consent that was recorded strictly later
    /// on the same policies, custodians and recipients, or that states what it revises, takes the older one's place: all
    /// of it while it is usable itself, and its permits for good.
    DenyOverrides,
}

impl Policy {
    /// Nothing is open that no consent opens.
    pub fn deny() -> Policy {
        Policy::with_default(DefaultPolicy::Deny)
    }

    pub fn with_default(default: DefaultPolicy) -> Policy {
        let (conflict, overlays, regimes) = (Conflict::DenyOverrides, BTreeSet::new(), Regimes::bundled());
        Policy { default, conflict, needs_verification: false, overlays, regimes }
    }

    /// The same under another law than the bundled.
    #[must_use]
    pub fn under(self, regimes: Arc<Regimes>) -> Policy {
        Policy { regimes, ..self }
    }

    /// The `policy` of a case file.
    ///
    /// # Errors
    /// A sentence naming the member that is not known.
    pub fn read(policy: Element) -> Result<Policy, String> {
        let name = policy.text("default").unwrap_or("deny");
        let default =
            DefaultPolicy::named(name).ok_or_else(|| format!("policy.default: `{name}` is no default policy"))?;
        let name = policy.text("conflict").unwrap_or(Conflict::DenyOverrides.name());
        let conflict = Conflict::named(name)
            .ok_or_else(|| format!("policy.conflict: expected `{}`, found `{name}`", Conflict::DenyOverrides.name()))?;
        let listed = |name: &str| policy.each(name).filter_map(Element::as_str).map(str::to_string);
        Ok(Policy {
            needs_verification: listed("evidence").any(|evidence| evidence == "verification"),
            overlays: listed("overlays").collect(),
            conflict,
            ..Policy::with_default(default)
        })
    }
}

impl Conflict {
    pub fn named(name: &str) -> Option<Conflict> {
        [Conflict::DenyOverrides].into_iter().find(|known| known.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Conflict::DenyOverrides => "deny-overrides",
        }
    }
}

impl DefaultPolicy {
    pub fn named(name: &str) -> Option<DefaultPolicy> {
        use DefaultPolicy::{Deny, EmergencyOnly, Permit, PermitNormal, PermitTreatment};
        [Deny, Permit, PermitTreatment, PermitNormal, EmergencyOnly].into_iter().find(|known| known.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            DefaultPolicy::Deny => "deny",
            DefaultPolicy::Permit => "permit",
            DefaultPolicy::PermitTreatment => "permit-treatment",
            DefaultPolicy::PermitNormal => "permit-normal",
            DefaultPolicy::EmergencyOnly => "emergency-only",
        }
    }

    /// What it opens for a purpose.
    pub(super) fn opens(self, purpose: &str) -> Condition {
        match self {
            DefaultPolicy::Deny => Condition::Never,
            DefaultPolicy::Permit => Condition::Always,
            DefaultPolicy::PermitTreatment => Condition::constant(is_within(purpose, TREATMENT)),
            DefaultPolicy::PermitNormal => Condition::is(Atom::RankAtMost(NORMAL)),
            DefaultPolicy::EmergencyOnly => Condition::constant(is_within(purpose, EMERGENCY)),
        }
    }
}
