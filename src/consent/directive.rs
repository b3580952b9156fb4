//! A directive: what one Consent says, read once.
//!
//! Reading never fails. What is not understood is kept as such, and listed by JSON pointer in `unenforced`: on a deny
//! it matches, on a permit it does not (consent.md R13). Nothing here knows who asks or when.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::label::ACT_CODE;
use super::opens::Opens;
use super::rule::{Actor, Reader, Rule, Who};
use super::span::Span;
use crate::fhir::{Element, Instant, Resource, Zone};

pub(super) const SCOPE: &str = "http://terminology.hl7.org/CodeSystem/consentscope";
const PRIVACY: &str = "patient-privacy";

/// What one version of a Consent says.
#[derive(Clone, Debug)]
pub struct Directive {
    pub(super) key: String,
    pub(super) version: Arc<str>,
    pub(super) is_active: bool,
    /// Active or inactive: it is or was in force.
    pub(super) has_counted: bool,
    pub(super) is_privacy: bool,
    pub(super) patient: Option<String>,
    pub(super) recorded_at: Option<Instant>,
    pub(super) written: Option<String>,
    /// The offset in which it was written.
    zone: Option<Zone>,
    pub(super) performers: BTreeSet<String>,
    pub(super) custodians: BTreeSet<String>,
    pub(super) policies: BTreeSet<String>,
    pub(super) source: Option<String>,
    pub(super) is_signed: bool,
    pub(super) is_verified: bool,
    pub(super) answer: Answer,
    pub(super) period: Option<Span>,
    pub(super) root: Rule,
    pub(super) contained: Vec<Resource>,
    pub(super) opens: Opens,
    /// `Organization/x` that filed it; without one, who may replace any.
    pub(super) filer: Option<String>,
    unenforced: Vec<String>,
}

/// What the root decides (R2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Permit,
    Deny,
    /// Permits purposes within ETREAT and denies all others.
    EmergencyOnly,
    /// Type and policyRule contradict, neither answers, or the whole is modified in a way we do not know.
    Unclear,
}

impl Directive {
    pub fn read(consent: &Resource) -> Directive {
        let root = consent.root();
        let contained: Vec<Resource> =
            root.each("contained").filter_map(|inner| Resource::from_value(inner.value()?.clone())).collect();
        let zone = root.text("dateTime").and_then(Zone::of);
        let version: Arc<str> = match root.get("meta").text("versionId") {
            Some(version) => format!("{}/_history/{version}", consent.key()),
            None => consent.key(),
        }
        .into();
        let mut reader = Reader::new(&version, &contained, zone.as_ref());
        let answer = answer(root, &mut reader);
        let rule = reader.root(root.get("provision"));
        let period = root.get("provision").get("period");
        let verified = root.each("verification").any(|check| check.flag("verified") == Some(true));
        let status = root.text("status").unwrap_or("");
        let texts = |names: Vec<Element>| names.into_iter().filter_map(Element::as_str).map(str::to_string).collect();
        let keys = |name: &str| root.references(name).iter().map(|named| named.key()).collect();
        Directive {
            key: consent.key(),
            is_active: status == "active",
            has_counted: matches!(status, "active" | "inactive"),
            is_privacy: is_privacy(root),
            patient: root.reference("patient").map(|patient| patient.key()),
            recorded_at: consent.updated_at(),
            written: root.text("dateTime").map(str::to_string),
            performers: keys("performer"),
            custodians: keys("organization"),
            policies: texts(root.all("policy.uri")),
            source: root.reference("sourceReference").map(|source| source.key()),
            is_signed: root.get("sourceAttachment").exists() || root.get("sourceReference").exists() || verified,
            is_verified: verified,
            answer,
            period: period.exists().then(|| Span::read_in(period, zone.as_ref())),
            root: rule,
            unenforced: reader.unenforced(),
            version,
            zone,
            contained,
            opens: Opens::Everything,
            filer: None,
        }
    }

    /// `Consent/c1`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// `Consent/c1/_history/1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `Patient/x`, as the consent names it.
    pub fn patient(&self) -> Option<&str> {
        self.patient.as_deref()
    }

    /// JSON pointers of what is not understood and so read narrowly or widely: the work list.
    pub fn unenforced(&self) -> &[String] {
        &self.unenforced
    }

    /// The zone in which its bare dates are read (R5).
    pub(super) fn zone(&self, asked_in: &Zone) -> Zone {
        self.zone.as_ref().unwrap_or(asked_in).clone()
    }

    pub(super) fn own_zone(&self) -> Option<&Zone> {
        self.zone.as_ref()
    }

    pub(super) fn root_actors(&self) -> Vec<&Actor> {
        self.root.actor.iter().flat_map(|actors| &actors.known).collect()
    }

    /// The actors of the root as a set that two consents can be compared by (R10); `None` when one of them is not
    /// understood. `#id` means something in its own consent alone, so what is contained is compared by what it says.
    pub(super) fn root_parties(&self) -> Option<BTreeSet<(Actor, String)>> {
        if self.root.actor.as_ref().is_some_and(|actors| actors.has_unknown) {
            return None;
        }
        let said = |actor: &Actor| match &actor.who {
            Who::Contained(id) => {
                let inner = self.contained.iter().find(|inner| inner.id() == Some(id));
                inner.map(|inner| inner.value().to_string()).unwrap_or_default()
            }
            _ => String::new(),
        };
        Some(self.root_actors().into_iter().map(|actor| (actor.clone(), said(actor))).collect())
    }
}

/// A coding of the scope system in `scope` decides; only if there is none, one in `category` stands in (R1).
fn is_privacy(consent: Element) -> bool {
    let in_system = |name: &str| {
        let codings = consent.concepts(name);
        codings.into_iter().filter(|coding| coding.system == SCOPE).map(|coding| coding.code).collect::<Vec<_>>()
    };
    let scope = in_system("scope");
    let scope = if scope.is_empty() { in_system("category") } else { scope };
    scope.contains(&PRIVACY)
}

fn answer(consent: Element, reader: &mut Reader) -> Answer {
    for name in ["modifierExtension", "implicitRules"] {
        if consent.get(name).exists() {
            reader.note(&format!("/{name}"));
            return Answer::Unclear;
        }
    }
    let provision = consent.get("provision");
    if provision.get("period").exists() && !Span::read(provision.get("period")).is_readable() {
        reader.note("/provision/period");
        return Answer::Unclear;
    }
    let found = stated_answer(consent);
    if found == Answer::Unclear {
        reader.note(if provision.get("type").exists() { "/provision/type" } else { "/policyRule" });
    }
    found
}

/// The root type, or what the policy rule says in its place; one contradicting the other is no answer (R2).
pub(super) fn stated_answer(consent: Element) -> Answer {
    let by_policy: BTreeSet<&str> = consent
        .concepts("policyRule")
        .into_iter()
        .filter(|coding| coding.system == ACT_CODE)
        .filter_map(|coding| match coding.code {
            "OPTIN" | "OPTINR" => Some("permit"),
            "OPTOUT" | "OPTOUTE" => Some("deny"),
            "EMRGONLY" => Some("emergency"),
            _ => None,
        })
        .collect();
    let by_type = consent.get("provision").get("type");
    let mut said = by_policy;
    if by_type.exists() {
        said.insert(by_type.as_str().unwrap_or(""));
    }
    match said.into_iter().collect::<Vec<_>>()[..] {
        ["permit"] => Answer::Permit,
        ["deny"] => Answer::Deny,
        ["emergency"] if !by_type.exists() => Answer::EmergencyOnly,
        _ => Answer::Unclear,
    }
}
