//! Who asks, and whom a resource is about.

use std::collections::BTreeSet;

use crate::auth::Caller;
use crate::consent::{Action, Atom, Condition, Emergency, Facts, Question, Recipient, World};
use crate::fhir::Resource;

use super::Context;

/// Who asks, or for whom it is asked, why and what for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asking {
    pub partner: String,
    pub purposes: Vec<String>,
    pub action: Action,
    /// What who asks may besides, such as `btg`.
    pub roles: Vec<String>,
    /// `Practitioner/x`, where it is known which of the partner's staff asks.
    pub practitioner: Option<String>,
    /// The declaration under which it is asked.
    pub emergency: Option<Emergency>,
}

impl Asking {
    pub fn new(caller: &Caller, action: Action) -> Asking {
        Asking {
            roles: caller.roles().to_vec(),
            practitioner: caller.practitioner().map(str::to_string),
            emergency: caller.emergency().cloned(),
            ..Asking::of(caller.partner(), caller.purposes(), action)
        }
    }

    /// For a partner, by nobody in particular.
    pub fn of(partner: &str, purposes: &[String], action: Action) -> Asking {
        let (roles, practitioner, emergency) = (Vec::new(), None, None);
        Asking { partner: partner.to_string(), purposes: purposes.to_vec(), action, roles, practitioner, emergency }
    }

    /// The same for each of several purposes by itself; nothing for one, or for an emergency, which has its own.
    pub fn each_purpose(&self) -> Vec<Asking> {
        if self.purposes.len() < 2 || self.emergency.is_some() {
            return Vec::new();
        }
        self.purposes.iter().map(|purpose| Asking { purposes: vec![purpose.clone()], ..self.clone() }).collect()
    }
}

/// Types that every authenticated caller reads (rules.md 2).
pub fn is_directory(kind: &str) -> bool {
    crate::consent::is_directory(kind)
}

/// Types that no consent opens (rules.md 17 to 19).
pub fn is_control(kind: &str) -> bool {
    matches!(kind, "Consent" | "AuditEvent" | "Provenance" | "Subscription")
}

/// The ids of the patients whom a resource is about, the first one giving it its bucket.
pub fn patients(resource: &Resource) -> Vec<String> {
    let named = Facts::patients_of(resource);
    named.iter().filter_map(|key| key.strip_prefix("Patient/")).map(str::to_string).collect()
}

/// What is asked of consent.
pub fn question(ctx: &Context, world: &World, asking: &Asking) -> Question {
    let organization = format!("Organization/{}", asking.partner);
    Question {
        recipient: Recipient::of(world, &organization, asking.practitioner.as_deref(), &asking.roles).or_any_staff(),
        purposes: asking.purposes.clone(),
        action: asking.action,
        at: ctx.now(),
        zone: ctx.zone.clone(),
        emergency: asking.emergency.clone(),
    }
}

/// The reach that shows one resource which was just decided: its people, and it alone.
pub fn just(resource: &Resource) -> Vec<(String, Condition)> {
    let key = Condition::is(Atom::Key(BTreeSet::from([resource.key()])));
    patients(resource).into_iter().map(|patient| (patient, key.clone())).collect()
}
