//! `handoff log verify` and `disclosures`.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::gateway::{self, Checkpoint, Verdict};

use super::{Common, put, say};

#[derive(Subcommand)]
pub enum LogCommand {
    /// Go through the whole log and name the first record that is not what it was. Exit 1 if there is one.
    ///
    /// On success the head of the chain is printed: keep it elsewhere, and a later `--checkpoint` finds a cut tail.
    Verify(Verify),
    /// To whom a person's data went, as a regime has it told on request: a line each, oldest first.
    Disclosures(Disclosures),
}

#[derive(Args)]
pub struct Disclosures {
    /// The id of a Patient.
    #[arg(long)]
    patient: String,
    /// An accounting of the regimes, such as those that `regimes list` names.
    #[arg(long)]
    regime: String,
    #[command(flatten)]
    common: Common,
}

impl Disclosures {
    async fn run(self) -> Result<ExitCode, String> {
        let ctx = self.common.context().await?;
        for one in gateway::accounting(&ctx, &self.patient, &self.regime).await? {
            let line = serde_json::json!({"at": one.at.to_string(), "recipient": one.recipient, "origin": one.origin,
                "purposes": one.purposes, "resource": one.key, "version": one.version, "why": one.why});
            put(&line.to_string());
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Args)]
pub struct Verify {
    /// A head that an earlier run printed.
    #[arg(long)]
    checkpoint: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl LogCommand {
    pub async fn run(self) -> Result<ExitCode, String> {
        let verify = match self {
            LogCommand::Verify(verify) => verify,
            LogCommand::Disclosures(disclosures) => return disclosures.run().await,
        };
        let checkpoint = verify.checkpoint.as_deref().map(read).transpose()?;
        let ctx = verify.common.context().await?;
        match gateway::verify(&ctx, checkpoint.as_ref()).await.map_err(|fault| fault.to_string())? {
            Verdict::Whole { head, waiting } => {
                say(&format!("the log is whole: {} records, {waiting} waiting for their number", head.number));
                put(&serde_json::to_string(&head).map_err(|error| error.to_string())?);
                Ok(ExitCode::SUCCESS)
            }
            Verdict::Broken(found) => {
                let line =
                    serde_json::json!({"broken": {"number": found.number, "record": found.record, "what": found.what}});
                say(&format!("the log is broken: record {} ({}) {}", found.number, found.record, found.what));
                put(&line.to_string());
                Ok(ExitCode::from(1))
            }
        }
    }
}

fn read(path: &str) -> Result<Checkpoint, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("--checkpoint {path}: {error}"))?;
    serde_json::from_str(&text).map_err(|_| format!("--checkpoint {path}: expected the line that `log verify` printed"))
}
