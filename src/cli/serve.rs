//! `handoff serve`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

use super::Common;

#[derive(Args)]
pub struct Serve {
    /// Where to listen.
    #[arg(long)]
    bind: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl Serve {
    pub async fn run(self) -> Result<ExitCode, String> {
        let mut config = self.common.config()?;
        if let Some(bind) = self.bind {
            config.server.bind = bind;
        }
        let bind = config.server.bind.clone();
        let migrate = !self.common.no_migrate;
        let ctx =
            crate::serve::context(config, migrate, crate::gateway::Clock::System, crate::gateway::Ids::Random).await?;
        for (kind, url) in ctx.config.validation.named() {
            if !ctx.profiles.has(url) {
                return Err(format!(
                    "validation.profiles.{kind}: `{url}` is not at hand; `handoff profiles import` adds it"
                ));
            }
        }
        if migrate {
            crate::serve::up_to_date(&ctx).await?;
        }
        let listener = TcpListener::bind(&bind).await.map_err(|error| format!("--bind {bind}: {error}"))?;
        if ctx.config.server.base_url.is_none() && !bind.starts_with("127.") && !bind.starts_with("localhost") {
            tracing::warn!(
                "server.base_url is not set: clients elsewhere cannot sign in, since their tokens name no address of ours"
            );
        }
        tracing::info!(bind, "serving");
        crate::serve::serve(Arc::new(ctx), listener).await?;
        Ok(ExitCode::SUCCESS)
    }
}
