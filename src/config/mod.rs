//! The configuration: one struct a section, read once.
//!
//! `default.toml` is compiled in and is the documentation of every key. A file given with `--config` goes over it,
//! and the environment over both: `HANDOFF__DELIVERY__ALLOW_PRIVATE=true`.

mod validation;

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::Deserialize;

use crate::fhir::Zone;
use crate::fhir::search::Limits;

pub use validation::{Asked, Level, OfPartner, Terms, Validation};

pub const DEFAULT: &str = include_str!("default.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub exchange: Exchange,
    pub consent: Consent,
    pub labels: Labels,
    pub search: Limits,
    pub ids: Ids,
    pub delivery: Delivery,
    pub export: Export,
    pub console: Console,
    pub validation: Validation,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub bind: String,
    /// Without it, links use the request's Host.
    pub base_url: Option<String>,
    pub body_max_bytes: usize,
    pub body_timeout_secs: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: String,
    pub connections: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    pub timezone: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    pub default: String,
    pub people_max: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    pub classify: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ids {
    pub client_assigned: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    pub allow_private: bool,
    pub timeout_secs: u64,
    pub answer_max_bytes: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    pub jobs_max: usize,
    pub retention_hours: i64,
    pub page_rows: usize,
    pub poll_secs: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Console {
    pub sign_in_links: bool,
}

impl Config {
    /// # Errors
    /// One line that names the key and what was expected there.
    pub fn load(file: Option<&str>) -> Result<Config, String> {
        let mut figment = Figment::from(Toml::string(DEFAULT));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        let config: Config =
            figment.merge(Env::prefixed("HANDOFF__").split("__")).extract().map_err(|error| error.to_string())?;
        config.zone()?;
        let known = ["deny", "permit", "permit-treatment", "permit-normal", "emergency-only"];
        if !known.contains(&config.consent.default.as_str()) {
            return Err(format!(
                "consent.default: expected one of {}, found `{}`",
                known.join(", "),
                config.consent.default
            ));
        }
        Ok(config)
    }

    /// # Errors
    /// That `exchange.timezone` is no IANA zone.
    pub fn zone(&self) -> Result<Zone, String> {
        let name = &self.exchange.timezone;
        Zone::named(name).ok_or_else(|| format!("exchange.timezone: `{name}` is not an IANA time zone"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete() {
        let config = Config::load(None).unwrap();
        assert_eq!(config.consent.default, "deny");
        assert!(!config.delivery.allow_private);
    }
}
