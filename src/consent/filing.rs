//! What is refused, or warned of, when a Consent is filed (rules.md 24, consent.md sections 5 and 9).
//!
//! R4's own invariants never ask a privacy consent for its patient; we do. What is merely not understood is stored
//! and denies: a warning names it.

use super::directive::{Answer, Directive, stated_answer};
use super::regime::{FilingRule, POLICY, Refuse, Regimes, is_within_any};
use super::rule::Rule;
use crate::fhir::{Issue, Resource};

/// The root is the first level.
pub const LEVELS_MAX: usize = 8;
pub const PROVISIONS_MAX: usize = 1_000;

impl Directive {
    /// Everything that is wrong with a Consent, as one that is to be in force.
    pub fn problems(consent: &Resource, regimes: &Regimes) -> Vec<Issue> {
        let directive = Directive::read(consent);
        let mut issues = Vec::new();
        let levels = levels(&directive.root);
        if levels > LEVELS_MAX {
            let text = format!("expected provisions nested at most {LEVELS_MAX} deep, found {levels}");
            issues.push(Issue::error("too-costly", "consent-too-deep", text).at("Consent.provision"));
        }
        let count = count(&directive.root);
        if count > PROVISIONS_MAX {
            let text = format!("expected at most {PROVISIONS_MAX} provisions, found {count}");
            issues.push(Issue::error("too-costly", "consent-too-long", text).at("Consent.provision"));
        }
        if directive.is_privacy && directive.patient.is_none() {
            let text = "expected a reference to the Patient whose consent it is";
            issues.push(Issue::error("business-rule", "consent-without-patient", text).at("Consent.patient"));
        }
        if directive.is_privacy && directive.is_active {
            issues.extend(unanswered(consent));
            let refusing = regimes.filing_rules().iter().filter(|rule| directive.is_refused_by(rule));
            issues.extend(refusing.map(|rule| {
                let text = format!("{} (`{}`)", rule.text, rule.id);
                Issue::error("business-rule", "consent-against-regime", text).at(rule.expression.clone())
            }));
        }
        issues.extend(directive.unenforced().iter().map(|pointer| {
            let text = "not understood: read as a deny where it denies, and as nothing where it permits";
            Issue::warning("not-supported", "consent-not-enforceable", text).at(expression(pointer))
        }));
        issues
    }

    fn is_refused_by(&self, rule: &FilingRule) -> bool {
        if !self.policies.iter().any(|uri| uri.strip_prefix(POLICY) == Some(rule.policy.as_str())) {
            return false;
        }
        match &rule.refuse {
            Refuse::MixedPurposes { within, besides } => {
                let stated = purposes(&self.root);
                let has_aside = stated.iter().any(|purpose| is_within_any(purpose, besides));
                let has_other =
                    stated.iter().any(|purpose| is_within_any(purpose, within) && !is_within_any(purpose, besides));
                has_aside && has_other
            }
            Refuse::NoEnd => self.period.as_ref().is_none_or(|period| !period.has_end()),
            Refuse::SignedByRelatedAlone => {
                let by = |kind: &str| self.performers.iter().any(|signer| signer.starts_with(kind));
                by("RelatedPerson/") && !by("Patient/")
            }
            Refuse::Whatever => true,
        }
    }
}

fn unanswered(consent: &Resource) -> Option<Issue> {
    let root = consent.root();
    if stated_answer(root) != Answer::Unclear {
        return None;
    }
    let has = (root.get("provision").get("type").exists(), root.get("policyRule").exists());
    let (text, at) = match has {
        (true, true) => ("expected a type that agrees with `policyRule`", "Consent.provision.type"),
        (true, false) => ("expected `permit` or `deny`", "Consent.provision.type"),
        // It says neither yes nor no: it is kept as it was signed, and while it stands nothing is released (R2).
        (false, true) => {
            return Some(silent(
                "expected one of `OPTIN`, `OPTINR`, `OPTOUT`, `OPTOUTE`, `EMRGONLY`",
                "Consent.policyRule",
            ));
        }
        (false, false) => {
            return Some(silent("expected a type, or a `policyRule` in its place", "Consent.provision.type"));
        }
    };
    Some(Issue::error("business-rule", "consent-contradicts-itself", text).at(at))
}

fn silent(expected: &str, at: &str) -> Issue {
    let text = format!(
        "{expected}: as it is, it cannot be carried out, and nothing of the person is released while it is in force"
    );
    Issue::warning("business-rule", "consent-not-computable", text).at(at)
}

fn levels(rule: &Rule) -> usize {
    1 + rule.children.iter().map(levels).max().unwrap_or(0)
}

fn count(rule: &Rule) -> usize {
    1 + rule.children.iter().map(count).sum::<usize>()
}

fn purposes(rule: &Rule) -> Vec<&str> {
    let own = rule.purpose.iter().flat_map(|purposes| &purposes.known).map(String::as_str);
    own.chain(rule.children.iter().flat_map(purposes)).collect()
}

/// `/provision/provision/0/securityLabel/1` is `Consent.provision.provision[0].securityLabel[1]`.
fn expression(pointer: &str) -> String {
    pointer.split('/').skip(1).fold("Consent".to_string(), |path, part| match part.parse::<usize>() {
        Ok(place) => format!("{path}[{place}]"),
        Err(_) => format!("{path}.{part}"),
    })
}
