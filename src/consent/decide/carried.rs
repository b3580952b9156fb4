//! A resource that goes where others go: a Provenance with its targets (rules.md 19).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Decision, Effect, Reason};

impl Decision {
    /// The decision on a resource that shows if all of `others` do, each with the decision on it; `None` is one that
    /// needs no decision. Without any it is withheld.
    pub fn carried(key: &str, others: &[Option<Decision>]) -> Decision {
        let decided: Vec<&Decision> = others.iter().flatten().collect();
        let is_released = !others.is_empty() && decided.iter().all(|decision| decision.is_released);
        let mut reasons: Vec<Reason> = Vec::new();
        for reason in decided.iter().flat_map(|decision| &decision.reasons) {
            if !reasons.contains(reason) {
                reasons.push(reason.clone());
            }
        }
        let effects = |effect: Effect| decided.iter().any(|decision| decision.effect == effect);
        let effect = match is_released {
            true => Effect::Permit,
            false if effects(Effect::Deny) || !effects(Effect::Indeterminate) => Effect::Deny,
            false => Effect::Indeterminate,
        };
        let purposes = decided.iter().map(|decision| decision.purposes().clone()).reduce(|all, own| &all & &own);
        Decision {
            resource: key.into(),
            effect,
            is_released,
            is_decided: decided.iter().any(|decision| decision.is_decided),
            states_action: false,
            purposes: purposes.filter(|purposes| !purposes.is_empty()).map(Arc::new),
            obligations: decided.iter().flat_map(|decision| decision.obligations.clone()).collect::<BTreeSet<String>>(),
            reasons,
            withheld: Vec::new(),
        }
    }
}
