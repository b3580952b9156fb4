//! `handoff token`: an operator's shortcut.

use std::process::ExitCode;

use clap::Args;

use crate::gateway::sign_in::{NoToken, token_for};

use super::{Common, put};

/// A day, for benches and trials; the token endpoint itself never goes beyond 300 seconds.
const TTL_MAX_SECS: i64 = 86_400;

#[derive(Args)]
pub struct Token {
    #[arg(long)]
    client: String,
    #[arg(long, value_delimiter = ',')]
    purpose: Vec<String>,
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(i64).range(1..=TTL_MAX_SECS))]
    ttl_secs: i64,
    #[command(flatten)]
    common: Common,
}

impl Token {
    pub async fn run(self) -> Result<ExitCode, String> {
        let ctx = self.common.context().await?;
        let purpose = (!self.purpose.is_empty()).then_some(self.purpose);
        match token_for(&ctx, &self.client, purpose, self.ttl_secs).await {
            Ok(granted) => {
                put(&granted.token);
                Ok(ExitCode::SUCCESS)
            }
            Err(NoToken::Refused(refused)) => Err(refused.description),
            Err(NoToken::Fault(fault)) => Err(fault.to_string()),
        }
    }
}
