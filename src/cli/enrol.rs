//! `handoff partner add`, `client add`, `user add`.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::gateway::enroll;
use crate::partner::{Client, Kind, Mode, Partner, Role, User};

use super::{Common, say};

#[derive(Subcommand)]
pub enum PartnerCommand {
    /// Add an agency; `Organization/ID` is created with it.
    Add(AddPartner),
}

#[derive(Args)]
pub struct AddPartner {
    #[arg(long)]
    id: String,
    #[arg(long)]
    name: String,
    #[arg(long, value_enum)]
    kind: Kind,
    /// How referrals reach it.
    #[arg(long, value_enum, default_value = "poller")]
    mode: Mode,
    /// The base of its FHIR API.
    #[arg(long)]
    endpoint: Option<String>,
    /// Bodies of law that bind its data: part2, vawa, ferpa, hipaa, hmis.
    #[arg(long, num_args = 1..)]
    regime: Vec<String>,
    /// The partner that it is part of.
    #[arg(long)]
    part_of: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl PartnerCommand {
    pub async fn run(self) -> Result<ExitCode, String> {
        let PartnerCommand::Add(add) = self;
        let partner = Partner {
            id: add.id,
            name: add.name,
            kind: add.kind,
            mode: add.mode,
            endpoint: add.endpoint,
            regimes: add.regime,
            part_of: add.part_of,
        };
        enroll::partner(&add.common.context().await?, &partner).await?;
        say(&format!("partner `{}` is enrolled as Organization/{}", partner.id, partner.id));
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Subcommand)]
pub enum ClientCommand {
    /// Add a system that acts for a partner.
    Add(AddClient),
}

#[derive(Args)]
pub struct AddClient {
    #[arg(long)]
    id: String,
    #[arg(long)]
    partner: String,
    /// What it may ask for, such as 'system/*.cruds'.
    #[arg(long)]
    scope: String,
    /// Purposes of use, the first being the default.
    #[arg(long, value_delimiter = ',')]
    purpose: Vec<String>,
    /// A file with its public keys (JWK Set).
    #[arg(long, conflicts_with = "jwks_url")]
    jwks: Option<String>,
    /// The https address of its public keys.
    #[arg(long)]
    jwks_url: Option<String>,
    /// It may declare an emergency (break the glass).
    #[arg(long)]
    btg: bool,
    /// Who of the partner's staff it acts as: the id of a Practitioner.
    #[arg(long)]
    practitioner: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl ClientCommand {
    pub async fn run(self) -> Result<ExitCode, String> {
        let ClientCommand::Add(add) = self;
        if let Some(unknown) = add.purpose.iter().find(|code| !crate::consent::is_purpose(code)) {
            return Err(format!("--purpose: `{unknown}` is not a code of v3-ActReason's purposes of use"));
        }
        let jwks = add.jwks.as_deref().map(read_keys).transpose()?;
        let client = Client {
            id: add.id,
            partner: add.partner,
            scope: add.scope,
            purposes: add.purpose,
            jwks,
            jwks_url: add.jwks_url,
            revoked: false,
            btg: add.btg,
            practitioner: add.practitioner.map(practitioner),
        };
        enroll::client(&add.common.context().await?, &client).await?;
        say(&format!("client `{}` acts for partner `{}`", client.id, client.partner));
        Ok(ExitCode::SUCCESS)
    }
}

fn practitioner(id: String) -> String {
    format!("Practitioner/{}", id.strip_prefix("Practitioner/").unwrap_or(&id))
}

fn read_keys(path: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("--jwks {path}: {error}"))?;
    let set: Result<jsonwebtoken::jwk::JwkSet, _> = serde_json::from_str(&text);
    set.map(|_| text).map_err(|error| format!("--jwks {path}: expected a JWK Set: {error}"))
}

#[derive(Subcommand)]
pub enum UserCommand {
    /// Add a person who signs in to the console.
    Add(AddUser),
}

#[derive(Args)]
pub struct AddUser {
    #[arg(long)]
    id: String,
    #[arg(long)]
    partner: String,
    #[arg(long, value_enum)]
    role: Role,
    /// This person may declare an emergency (break the glass).
    #[arg(long)]
    btg: bool,
    /// Who of the partner's staff it acts as: the id of a Practitioner.
    #[arg(long)]
    practitioner: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl UserCommand {
    pub async fn run(self) -> Result<ExitCode, String> {
        let UserCommand::Add(add) = self;
        let user = User {
            id: add.id,
            partner: add.partner,
            role: add.role,
            btg: add.btg,
            practitioner: add.practitioner.map(practitioner),
        };
        enroll::user(&add.common.context().await?, &user).await?;
        say(&format!("user `{}` works for partner `{}`", user.id, user.partner));
        Ok(ExitCode::SUCCESS)
    }
}
