//! `handoff labels list`, `import` and `relabel`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::consent::LabelLists;
use crate::fhir::Outcome;
use crate::gateway::{self, Error, Request};

use super::{Common, put, say};

#[derive(Subcommand)]
pub enum LabelsCommand {
    /// The lists at hand, a line each: document, list, what of, labels, how many entries, source.
    List(Common),
    /// Lay a document of lists over the bundled ones; a list replaces the one of the same id. Exit 1 if it is not valid.
    Import(Import),
    /// Label again what is stored by other lists than those of now; a running server does it by itself.
    Relabel(Common),
}

#[derive(Args)]
pub struct Import {
    /// As `profiles/handoff/sensitivity.json`, with a name and a version of its own.
    file: PathBuf,
    #[command(flatten)]
    common: Common,
}

impl LabelsCommand {
    pub async fn run(self) -> Result<ExitCode, String> {
        match self {
            LabelsCommand::List(common) => list(&common).await,
            LabelsCommand::Import(import) => import.run().await,
            LabelsCommand::Relabel(common) => relabel(&common).await,
        }
    }
}

impl Import {
    async fn run(self) -> Result<ExitCode, String> {
        let told = |error: std::io::Error| format!("{}: {error}", self.file.display());
        let text = std::fs::read_to_string(&self.file).map_err(told)?;
        match gateway::import_labels(&self.common.context().await?, &text).await {
            Ok(document) => {
                put(&document);
                Ok(ExitCode::SUCCESS)
            }
            Err(issues) => {
                put(&json!({"file": self.file, "outcome": Outcome(issues).to_value()}).to_string());
                Ok(ExitCode::from(1))
            }
        }
    }
}

async fn list(common: &Common) -> Result<ExitCode, String> {
    let asked = common.database.is_some() || common.config.is_some();
    // Without a database to ask, the list is of what is bundled, and no database comes into being.
    let lines = if asked {
        gateway::listed_labels(&common.context().await?).await.map_err(|fault| fault.to_string())?
    } else {
        LabelLists::over_bundled(&[]).listed().to_vec()
    };
    for line in lines {
        let labels = line.labels.join(",");
        put(&format!("{}\t{}\t{}\t{labels}\t{}\t{}", line.document, line.id, line.of, line.count, line.source));
    }
    Ok(ExitCode::SUCCESS)
}

async fn relabel(common: &Common) -> Result<ExitCode, String> {
    let ctx = common.context().await?;
    loop {
        let request = Request { id: ctx.ids.in_bucket(0, ctx.now()) };
        let step =
            gateway::relabel(&ctx, &request, gateway::RELABELLED_TOGETHER).await.map_err(|error| match error {
                Error::Fault(fault) => fault.to_string(),
                Error::No(_, issues) => issues.first().map_or(String::new(), |issue| issue.text.clone()),
            })?;
        let Some(state) = step else {
            say("the lists have just changed: waiting for writes that began before");
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        say(&format!(
            "{}: {} resources seen, {} changed, {} unfit",
            state.version, state.seen, state.changed, state.unfit
        ));
        if state.done {
            return Ok(ExitCode::SUCCESS);
        }
    }
}
