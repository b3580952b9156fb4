//! The verdict on a resource, and the receipt for one that passed.

use std::sync::OnceLock;

use crate::fhir::{Outcome, Resource};

use super::Profiles;
use super::walk::Walk;

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

impl Profiles {
    /// The base definition, the profiles the resource claims, and `also`.
    ///
    /// # Errors
    /// Every problem at once, warnings included, when at least one is an error.
    pub fn check(&self, resource: Resource, also: &[String]) -> Result<Valid, Outcome> {
        let warnings = self.examine(&resource, also);
        if warnings.has_errors() { Err(warnings) } else { Ok(Valid { resource, warnings, text: OnceLock::new() }) }
    }

    /// Everything there is to say, errors or not.
    pub fn examine(&self, resource: &Resource, also: &[String]) -> Outcome {
        let mut walk = Walk::new(self, resource.kind());
        walk.resource(resource.value(), also);
        walk.findings.into_outcome()
    }
}
