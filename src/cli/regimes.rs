//! `handoff regimes list` and `import`: law as data.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::consent::{REGIME_LISTS, Regimes};
use crate::fhir::{Element, read};
use crate::gateway;

use super::{Common, put, say};

#[derive(Subcommand)]
pub enum RegimesCommand {
    /// The law in force, an item a line: list, id, bundled or loaded, title.
    List(Common),
    /// Lay a document over what is in force, item by item of the same id; nothing changes if any of it is not understood.
    Import(Import),
}

#[derive(Args)]
pub struct Import {
    file: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// A document of more is none.
const BYTES_MAX: u64 = 4 << 20;

impl RegimesCommand {
    pub async fn run(self) -> Result<ExitCode, String> {
        match self {
            RegimesCommand::List(common) => list(&common).await,
            RegimesCommand::Import(import) => import.run().await,
        }
    }
}

impl Import {
    async fn run(self) -> Result<ExitCode, String> {
        let told = |error: std::io::Error| format!("{}: {error}", self.file.display());
        if std::fs::metadata(&self.file).map_err(told)?.len() > BYTES_MAX {
            return Err(format!("{}: more than {BYTES_MAX} bytes", self.file.display()));
        }
        let bytes = std::fs::read(&self.file).map_err(told)?;
        let document = read::json(&bytes).map_err(|issue| {
            format!("{}: {} ({})", self.file.display(), issue.text, issue.location.unwrap_or_default())
        })?;
        let ctx = self.common.context().await?;
        if let Err(problems) = gateway::regimes::load(&ctx, &document).await {
            for problem in &problems {
                say(&format!("{}: {}: {}", self.file.display(), problem.expression, problem.text));
            }
            return Ok(ExitCode::from(1));
        }
        put(&format!("regimes\t{}", document["version"].as_str().unwrap_or("")));
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(common: &Common) -> Result<ExitCode, String> {
    let asked = common.database.is_some() || common.config.is_some();
    // Without a database to ask, the list is of what is bundled, and no database comes into being.
    let loaded = if asked { gateway::regimes::loaded(&common.context().await?).await? } else { None };
    let shipped = Regimes::shipped();
    let whole = loaded.as_ref().map_or_else(|| shipped.clone(), |above| Regimes::merged(&shipped, above));
    for list in REGIME_LISTS {
        for item in Element::new(&whole).each(list) {
            let id = item.text("id").unwrap_or("");
            let is_loaded = |above: &Value| Element::new(above).each(list).any(|own| own.text("id") == Some(id));
            let from = if loaded.as_ref().is_some_and(is_loaded) { "loaded" } else { "bundled" };
            let title = item.text("title").or_else(|| item.text("text")).unwrap_or("");
            put(&format!("{list}\t{id}\t{from}\t{title}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
