//! `handoff demo`.
use clap::Args;
use std::process::ExitCode;
#[derive(Args)]
pub struct Demo {
    #[arg(long)]
    bind: Option<String>,
}
impl Demo {
    pub async fn run(self) -> Result<ExitCode, String> {
        let _ = self.bind;
        Err("not yet".into())
    }
}
