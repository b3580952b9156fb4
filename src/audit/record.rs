//! One request's record.

use std::collections::BTreeMap;

use serde_json::{Value, json};

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
#[derive(Clone, Debug, PartialEq)]
pub struct Disclosure {
    /// `CarePlan/7`.
    pub key: String,
    pub version: i64,
    /// The other partner whom it concerns: whose data it is, or to whom it is referred.
    pub party: String,
    pub patient: Option<String>,
    /// `own`, `directory`, `consent`, `written`, `referred`, `delivered`.
    pub why: &'static str,
    /// What a decision said, when there was one.
    pub decision: Option<Value>,
}

/// Something asked for by name that was not shown, or a referral that is held.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub key: String,
    pub patient: Option<String>,
    /// The other partner whom it concerns: whose data it is, or who does not get it.
    pub party: Option<String>,
    /// `unknown`, `no-consent`, `deny`, `held`, …
    pub why: String,
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
    /// The names of the parameters of a search.
    pub parameters: Vec<String>,
    /// The person that a search was about.
    pub patient: Option<String>,
    pub released: Vec<Disclosure>,
    pub refused: Vec<Refusal>,
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
        let mut body = json!({
            "id": self.id,
            "at": self.at.to_string(),
            "request": self.request_id,
            "partner": self.partner,
            "subject": self.subject,
            "purposes": self.purposes,
            "interaction": self.interaction,
            "target": self.target,
            "verdict": self.verdict().text(),
        });
        let mut put = |name: &str, value: Value| body[name] = value;
        if !self.parameters.is_empty() {
            put("parameters", json!(self.parameters));
        }
        if let Some(patient) = self.patient() {
            put("patient", json!(patient));
        }
        if let Some(patient) = &self.patient {
            put("asked", json!(patient));
        }
        if !self.released.is_empty() {
            let released = self.released.iter().map(|shown| {
                let mut entry =
                    json!({"key": shown.key, "version": shown.version, "party": shown.party, "why": shown.why});
                if let Some(patient) = &shown.patient {
                    entry["patient"] = json!(patient);
                }
                if let Some(decision) = &shown.decision {
                    entry["decision"] = decision.clone();
                }
                entry
            });
            put("released", released.collect());
        }
        if !self.refused.is_empty() {
            let refused = self.refused.iter().map(|refusal| {
                let mut entry = json!({"key": refusal.key, "why": refusal.why});
                if let Some(party) = &refusal.party {
                    entry["party"] = json!(party);
                }
                if let Some(patient) = &refusal.patient {
                    entry["patient"] = json!(patient);
                }
                if let Some(decision) = &refusal.decision {
                    entry["decision"] = decision.clone();
                }
                entry
            });
            put("refused", refused.collect());
        }
        body.to_string()
    }
}
