//! The verdict on a resource, and the receipt for one that passed.

use std::sync::OnceLock;

use crate::config::Terms;
use crate::fhir::{Outcome, Resource};

use super::Profiles;
use super::around::{Around, AtHand, Nothing};
use super::terms;
use super::walk::{Judged, Walk};
use super::whole::{self, Forms};

/// A resource that passed its base definition and the profiles it claims. Made only here.
#[derive(Clone, Debug)]
pub struct Valid {
    resource: Resource,
    warnings: Outcome,
    text: OnceLock<String>,
}

impl Valid {
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The bytes that are stored and answered, written once.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| self.resource.value().to_string())
    }

    pub fn into_resource(self) -> Resource {
        self.resource
    }

    /// What was noticed and does not refuse: unknown profiles, codes that nobody here can check.
    pub fn warnings(&self) -> &Outcome {
        &self.warnings
    }
}

/// What a resource is judged by besides what it claims.
#[derive(Clone, Copy)]
pub struct Against<'a> {
    /// Canonicals of further profiles.
    pub profiles: &'a [String],
    pub at_hand: &'a dyn AtHand,
    /// What others of the same request found out about what they refer to.
    pub judged: Option<&'a Judged>,
    /// Questionnaires that it may answer.
    pub forms: &'a Forms,
    /// What the exchange asks of its sender.
    pub terms: &'a Terms,
    /// Somebody asks how it fits: what is no fault and worth knowing is said too.
    pub is_thorough: bool,
}

static NO_FORMS: Forms = Forms::none();
static NO_TERMS: Terms = Terms::none();

impl Default for Against<'_> {
    fn default() -> Self {
        Against {
            profiles: &[],
            at_hand: &Nothing,
            judged: None,
            forms: &NO_FORMS,
            terms: &NO_TERMS,
            is_thorough: false,
        }
    }
}

impl<'a> Against<'a> {
    pub fn of(profiles: &'a [String]) -> Against<'a> {
        Against { profiles, ..Against::default() }
    }
}

impl Profiles {
    /// The base definition, the profiles the resource claims, and those asked for.
    ///
    /// # Errors
    /// Every problem at once, warnings included, when at least one is an error.
    pub fn check(&self, resource: &Resource, against: &Against) -> Result<Valid, Outcome> {
        let warnings = self.examine(resource, against);
        if warnings.has_errors() {
            return Err(warnings);
        }
        Ok(Valid { resource: resource.clone(), warnings, text: OnceLock::new() })
    }

    /// Everything there is to say, errors or not.
    pub fn examine(&self, resource: &Resource, against: &Against) -> Outcome {
        let mut outcome = self.walked(resource, against);
        whole::examine(self, resource, against.forms, &mut outcome);
        terms::recommend(self, resource, against.terms, &mut outcome);
        terms::weigh(against.terms, &mut outcome);
        outcome
    }

    /// Element by element, with the profiles that it claims and must fit.
    pub(super) fn walked(&self, resource: &Resource, against: &Against) -> Outcome {
        let mut walk = Walk::new(self, Around::of(resource.value(), against.at_hand));
        walk.is_thorough = against.is_thorough;
        walk.judged = against.judged.cloned().unwrap_or_default();
        let required: Vec<String> = against.profiles.iter().chain(&against.terms.required).cloned().collect();
        walk.resource(resource.value(), &required);
        walk.findings.into_outcome()
    }
}
