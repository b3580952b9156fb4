//! The documents of the registry.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::fhir::Resource;
use crate::fhir::reference::is_id;

/// The code systems of `Organization.type` (reference/consent.md, section 3).
const KIND_SYSTEM: &str = "https://handoff.example/fhir/CodeSystem/partner-kind";
const REGIME_SYSTEM: &str = "https://handoff.example/fhir/CodeSystem/regime";

/// What sort of agency a partner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Clinic,
    Housing,
    SocialService,
    Food,
    VictimService,
    School,
    Payer,
    Landlord,
    LawEnforcement,
    Research,
}

/// How a referral reaches a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// We push to its FHIR API.
    Server,
    /// It subscribes here.
    Subscriber,
    /// It asks here from time to time.
    Poller,
    /// It works in the console's inbox.
    Light,
}

/// What a user does for a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Compliance,
    CaseManager,
    AgencyStaff,
    Supervisor,
    Operator,
}

/// An agency on the exchange; `Organization/{id}` is its face in FHIR.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Partner {
    pub id: String,
    pub name: String,
    pub kind: Kind,
    pub mode: Mode,
    pub endpoint: Option<String>,
    pub regimes: Vec<String>,
    pub part_of: Option<String>,
}

/// A system that signs in for a partner (SMART Backend Services).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Client {
    pub id: String,
    pub partner: String,
    pub scope: String,
    /// Registered purposes, the first being the default; empty for the partner kind's own.
    pub purposes: Vec<String>,
    /// The public keys as a JWK Set, when registered by file.
    pub jwks: Option<String>,
    pub jwks_url: Option<String>,
    pub revoked: bool,
    /// Whether it may declare an emergency (break the glass).
    #[serde(default)]
    pub btg: bool,
    /// Who of the partner's staff it is, as `Practitioner/x`; without one it may be anybody.
    #[serde(default)]
    pub practitioner: Option<String>,
}

/// A person who signs in to the console.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub id: String,
    pub partner: String,
    pub role: Role,
    /// Whether this person may declare an emergency (break the glass).
    #[serde(default)]
    pub btg: bool,
    /// Who of the partner's staff it is, as `Practitioner/x`; without one it may be anybody.
    #[serde(default)]
    pub practitioner: Option<String>,
}

impl Kind {
    /// As `Organization.type` says it.
    pub fn code(self) -> &'static str {
        match self {
            Kind::Clinic => "clinic",
            Kind::Housing => "housing",
            Kind::SocialService => "social-service",
            Kind::Food => "food",
            Kind::VictimService => "victim-service",
            Kind::School => "school",
            Kind::Payer => "payer",
            Kind::Landlord => "landlord",
            Kind::LawEnforcement => "law-enforcement",
            Kind::Research => "research",
        }
    }
}

impl Partner {
    /// # Errors
    /// One line for the operator, naming the flag.
    pub fn check(&self) -> Result<(), String> {
        check_id("--id", &self.id)?;
        if let Some(part_of) = &self.part_of {
            check_id("--part-of", part_of)?;
        }
        if self.name.trim().is_empty() {
            return Err("--name: expected the agency's name".into());
        }
        match (&self.endpoint, self.mode) {
            (None, Mode::Server) => Err("--mode server: needs --endpoint, the base of its FHIR API".into()),
            (Some(url), _) if !url.starts_with("https://") && !url.starts_with("http://") => {
                Err("--endpoint: expected an http or https address".into())
            }
            _ => Ok(()),
        }
    }

    /// The purpose of a client that registered none (rules.md 22).
    pub fn default_purpose(&self) -> &'static str {
        if self.kind == Kind::Clinic { "TREAT" } else { "COC" }
    }

    /// `Organization/{id}`, without the meta that is the server's.
    pub fn organization(&self) -> Resource {
        let concept = |system: &str, code: &str| json!({"coding": [{"system": system, "code": code}]});
        let mut types = vec![concept(KIND_SYSTEM, self.kind.code())];
        types.extend(self.regimes.iter().map(|regime| concept(REGIME_SYSTEM, regime)));
        let mut organization = Resource::new("Organization");
        organization.set("id", self.id.clone());
        organization.set("active", true);
        organization.set("type", types);
        organization.set("name", self.name.clone());
        if let Some(part_of) = &self.part_of {
            organization.set("partOf", json!({"reference": format!("Organization/{part_of}")}));
        }
        organization
    }
}

impl Client {
    /// # Errors
    /// One line for the operator, naming the flag.
    pub fn check(&self) -> Result<(), String> {
        check_id("--id", &self.id)?;
        match &self.jwks_url {
            // T18: keys fetched over plain http are anybody's keys.
            Some(url) if !url.starts_with("https://") => Err("--jwks-url: expected an https address".into()),
            _ => Ok(()),
        }
    }

    /// What it may besides what its scopes say.
    pub fn roles(&self) -> Vec<String> {
        roles(None, self.btg)
    }

    /// The registered purposes, or the one that the partner's kind stands for.
    pub fn purposes(&self, partner: &Partner) -> Vec<String> {
        if self.purposes.is_empty() { vec![partner.default_purpose().to_string()] } else { self.purposes.clone() }
    }
}

impl User {
    /// The role, and what this person may besides.
    pub fn roles(&self) -> Vec<String> {
        roles(Some(self.role.code()), self.btg)
    }
}

fn roles(role: Option<&str>, btg: bool) -> Vec<String> {
    role.into_iter().chain(btg.then_some("btg")).map(str::to_string).collect()
}

impl Role {
    fn code(self) -> &'static str {
        match self {
            Role::Compliance => "compliance",
            Role::CaseManager => "case-manager",
            Role::AgencyStaff => "agency-staff",
            Role::Supervisor => "supervisor",
            Role::Operator => "operator",
        }
    }
}

fn check_id(flag: &str, id: &str) -> Result<(), String> {
    if is_id(id) { Ok(()) } else { Err(format!("{flag}: expected 1 to 64 letters, digits, `-` and `.`, found `{id}`")) }
}
