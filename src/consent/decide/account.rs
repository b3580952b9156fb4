//! How a decision gives account of itself: to the flow that asked, and to the log.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Decision, Effect, Reason};
use crate::consent::parts::{Way, pointer};

impl Decision {
    pub fn permits(&self) -> bool {
        self.is_released
    }

    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether a consent, the law or a refusal decided; otherwise the default policy answered.
    pub fn is_decided(&self) -> bool {
        self.is_decided
    }

    /// Whether a permitting rule lists the action asked for: without that, nobody but the origin may `correct`
    /// (rules.md 7).
    pub fn states_action(&self) -> bool {
        self.states_action
    }

    /// The resource decided on: `Type/id`.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The purposes that are granted, of those asserted.
    pub fn purposes(&self) -> &BTreeSet<String> {
        static NONE: BTreeSet<String> = BTreeSet::new();
        self.purposes.as_deref().unwrap_or(&NONE)
    }

    pub fn obligations(&self) -> &BTreeSet<String> {
        &self.obligations
    }

    /// The parts that stay behind.
    pub(in crate::consent) fn parts_withheld(&self) -> &[Way] {
        &self.withheld
    }

    /// The same without these parts, and with what the others ask for in return.
    #[must_use]
    pub(in crate::consent) fn without(self, withheld: Vec<Way>, owed: BTreeSet<String>) -> Decision {
        let obligations = self.obligations.into_iter().chain(owed).collect();
        Decision { withheld, obligations, ..self }
    }

    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// For the log.
    pub fn to_value(&self) -> Value {
        let mut said = json!({
            "resource": &*self.resource,
            "effect": self.effect.name(),
            "decided": self.is_decided,
            "purposes": self.purposes(),
            "obligations": self.obligations,
            "reasons": self.reasons.iter().map(Reason::to_value).collect::<Vec<Value>>(),
        });
        if !self.withheld.is_empty() {
            said["withheld"] = self.withheld.iter().map(pointer).collect();
        }
        said
    }
}

impl Decision {
    /// The same for who may open these Consents (`Consent/c1`) and is not told of the rules of others.
    #[must_use]
    pub fn told(mut self, opens: impl Fn(&str) -> bool) -> Decision {
        for reason in &mut self.reasons {
            let shown = |version: &str| opens(version.split("/_history/").next().unwrap_or(version));
            if !reason.consent().is_some_and(shown) {
                reason.consent = None;
            }
        }
        self
    }
}

impl Effect {
    pub fn name(self) -> &'static str {
        match self {
            Effect::Permit => "permit",
            Effect::Deny => "deny",
            Effect::Indeterminate => "indeterminate",
        }
    }
}

impl Reason {
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// `Consent/c1/_history/1`.
    pub fn consent(&self) -> Option<&str> {
        self.consent.as_ref().map(|cited| &*cited.consent)
    }

    /// `provision.provision[0]`.
    pub fn path(&self) -> Option<&str> {
        self.consent.as_ref().map(|cited| &*cited.path)
    }

    /// `R4`.
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    pub fn policy_name(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    pub fn to_value(&self) -> Value {
        let mut reason = json!({"effect": self.effect.name()});
        if let Some(cited) = &self.consent {
            reason["consent"] = json!(&*cited.consent);
            reason["path"] = json!(&*cited.path);
        }
        reason["rule"] = json!(self.rule);
        if let Some(policy) = &self.policy {
            reason["policy"] = json!(policy);
        }
        reason
    }
}
