//! One request's record.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::fhir::Instant;

/// How a request came out, in one word for the log's filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing of a person was asked for.
    Open,
    /// The caller's own data.
    Own,
    /// A consent (or an opened default) permitted all that was shown or sent.
    Permit,
    /// Something was asked for by name and refused.
    Deny,
    /// A referral waits for a consent.
    Held,
}

impl Verdict {
    pub fn text(self) -> &'static str {
        match self {
            Verdict::Open => "open",
            Verdict::Own => "own",
            Verdict::Permit => "permit",
            Verdict::Deny => "deny",
            Verdict::Held => "held",
        }
    }
}

/// Something that was shown, stored or sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disclosure {
    /// `CarePlan/7`.
    pub key: String,
    pub version: i64,
    /// The other partner whom it concerns: whose data it is, or to whom it is referred.
    pub party: String,
    /// `own`, `directory`, `consent`, `written`, `referred`, `delivered`.
    pub why: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// What a decision said, when there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Value>,
}

/// Something asked for by name that was not shown, or a referral that is held.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refusal {
    pub key: String,
    /// `unknown`, `no-consent`, `deny`, `held`, …
    pub why: String,
    /// The other partner whom it concerns: whose data it is, or who does not get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Value>,
}

/// Reasons that the asker knows anyway: they are about its own referral.
pub(super) const ITS_OWN: [&str; 2] = ["held", "withdrawn"];

/// What a request did.
#[derive(Clone, Debug)]
pub struct Record {
    pub id: String,
    pub at: Instant,
    pub request_id: String,
    pub partner: String,
    /// The client or user.
    pub subject: String,
    pub purposes: Vec<String>,
    /// `read`, `search-type`, `transaction`, `delivery`, `sign-in`, …
    pub interaction: &'static str,
    /// `CarePlan` or `CarePlan/7`; never a query.
    pub target: String,
    /// The names of the parameters of a search; of a question about consents its codes and partners too.
    pub parameters: Vec<String>,
    /// The person that a search was about.
    pub patient: Option<String>,
    pub released: Vec<Disclosure>,
    pub refused: Vec<Refusal>,
    /// The nature of the emergency under which it was asked (consent.md section 6).
    pub emergency: Option<String>,
}

impl Record {
    pub fn verdict(&self) -> Verdict {
        if let Some(worst) = self.refused.iter().map(|refusal| refusal.why.as_str()).max_by_key(|why| *why != "held") {
            return if worst == "held" { Verdict::Held } else { Verdict::Deny };
        }
        let why = |wanted: &str| self.released.iter().any(|shown| shown.why == wanted);
        if why("consent") || why("referred") || why("delivered") {
            Verdict::Permit
        } else if why("own") || why("written") {
            Verdict::Own
        } else {
            Verdict::Open
        }
    }

    /// The person it is about: the one asked for, else the first one met.
    pub fn patient(&self) -> Option<&str> {
        let met = self.released.iter().filter_map(|shown| shown.patient.as_deref());
        let refused = self.refused.iter().filter_map(|refusal| refusal.patient.as_deref());
        self.patient.as_deref().or_else(|| met.chain(refused).next())
    }

    /// The person whom the asker knows it to be about: refusals aside, but for its own referrals'.
    pub fn known_patient(&self) -> Option<&str> {
        let met = self.released.iter().filter_map(|shown| shown.patient.as_deref());
        let its_own = self.refused.iter().filter(|refusal| ITS_OWN.contains(&refusal.why.as_str()));
        self.patient.as_deref().or_else(|| met.chain(its_own.filter_map(|refusal| refusal.patient.as_deref())).next())
    }

    /// Other partners whose data it concerns, each with the person of theirs that it is about: they may read it too.
    pub fn parties(&self) -> Vec<(String, Option<String>)> {
        let shown = self.released.iter().map(|shown| (Some(&shown.party), &shown.patient));
        let refused = self.refused.iter().map(|refusal| (refusal.party.as_ref(), &refusal.patient));
        let mut parties: BTreeMap<String, Option<String>> = BTreeMap::new();
        for (party, patient) in shown.chain(refused) {
            if let Some(party) = party.filter(|party| !party.is_empty() && **party != self.partner) {
                let known = parties.entry(party.clone()).or_default();
                *known = known.take().or_else(|| patient.clone());
            }
        }
        parties.into_iter().collect()
    }

    /// The bytes that are stored and chained.
    pub fn body(&self) -> String {
        let written = Written {
            id: &self.id,
            at: self.at.to_string(),
            request: &self.request_id,
            partner: &self.partner,
            subject: &self.subject,
            purposes: &self.purposes,
            interaction: self.interaction,
            target: &self.target,
            verdict: self.verdict().text(),
            parameters: &self.parameters,
            patient: self.patient(),
            asked: self.patient.as_deref(),
            emergency: self.emergency.as_deref(),
            released: &self.released,
            refused: &self.refused,
        };
        // Nothing of it can fail to be written as JSON.
        serde_json::to_string(&written).unwrap_or_default()
    }
}

/// The members of a record's body, in their order.
#[derive(Serialize)]
struct Written<'a> {
    id: &'a str,
    at: String,
    request: &'a str,
    partner: &'a str,
    subject: &'a str,
    purposes: &'a [String],
    interaction: &'a str,
    target: &'a str,
    verdict: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    parameters: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    patient: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emergency: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Disclosure]>::is_empty")]
    released: &'a [Disclosure],
    #[serde(skip_serializing_if = "<[Refusal]>::is_empty")]
    refused: &'a [Refusal],
}
