//! The decisions of one supposed question, resource by resource.

use std::collections::HashMap;

use crate::consent::{Action, Decision, Facts, Question, Recipient, Residual, decide_by_all};
use crate::fhir::{Instant, Resource};
use crate::gateway::grounds::{Ground, Grounds};
use crate::gateway::{Context, person};
use crate::store::Stored;

/// Who would ask, for what, when.
#[derive(Clone, Debug)]
pub struct Supposed {
    /// A partner's id.
    pub recipient: String,
    pub practitioner: Option<String>,
    pub roles: Vec<String>,
    pub purposes: Vec<String>,
    pub action: Action,
    pub at: Instant,
}

/// What would become of one resource.
pub struct Outcome {
    pub seen: bool,
    /// `own`, `consent`, or what a refusal's effect is called.
    pub why: &'static str,
    /// `None` for what the recipient has by right.
    pub decision: Option<Decision>,
}

/// One question put to one set of consents; what is fixed is worked out once a person.
pub struct Answers<'a> {
    ctx: &'a Context,
    grounds: &'a Grounds,
    supposed: &'a Supposed,
    known: HashMap<String, Residual>,
}

impl<'a> Answers<'a> {
    pub fn new(ctx: &'a Context, grounds: &'a Grounds, supposed: &'a Supposed) -> Answers<'a> {
        Answers { ctx, grounds, supposed, known: HashMap::new() }
    }

    pub fn of(&mut self, row: &Stored) -> Outcome {
        if row.belongs_to(&self.supposed.recipient) {
            return Outcome { seen: true, why: "own", decision: None };
        }
        // What cannot be read is not shown to anybody.
        let Some(resource) = row.as_resource() else { return Outcome { seen: false, why: "unknown", decision: None } };
        let decision = self.decide(resource);
        // Nobody but the origin corrects under a rule that does not say so (rules.md 7).
        let seen = decision.permits() && (self.supposed.action != Action::Correct || decision.states_action());
        let why = if seen {
            "consent"
        } else if decision.permits() {
            "not-listed"
        } else {
            decision.effect().name()
        };
        Outcome { seen, why, decision: Some(decision) }
    }

    pub fn decide(&mut self, resource: &Resource) -> Decision {
        let named = person::patients(resource);
        let grounds: Option<Vec<&Ground>> = named.iter().map(|patient| self.grounds.of(patient)).collect();
        // Whoever is not known here does not permit.
        let grounds = grounds.unwrap_or_default();
        let (ctx, supposed) = (self.ctx, self.supposed);
        for (patient, ground) in named.iter().zip(&grounds) {
            self.known.entry(patient.clone()).or_insert_with(|| {
                let organization = format!("Organization/{}", supposed.recipient);
                let practitioner = supposed.practitioner.as_deref();
                ground.specialised(&Question {
                    recipient: Recipient::of(ground.world(), &organization, practitioner, &supposed.roles)
                        .or_any_staff(),
                    purposes: supposed.purposes.clone(),
                    action: supposed.action,
                    at: supposed.at,
                    zone: ctx.zone.clone(),
                    emergency: None,
                })
            });
        }
        let facts = Facts::known_to(resource, grounds.iter().map(|ground| ground.world()));
        let residuals: Vec<&Residual> = match grounds.is_empty() {
            true => Vec::new(),
            false => named.iter().filter_map(|patient| self.known.get(patient)).collect(),
        };
        decide_by_all(&residuals, &facts)
    }
}
