//! `handoff decide`: decision cases from files, one answer a line.

use std::process::ExitCode;

use clap::Args;

use crate::consent::Case;
use crate::fhir::read;

use super::put;

#[derive(Args)]
pub struct Decide {
    #[arg(required = true)]
    files: Vec<String>,
}

impl Decide {
    pub fn run(self) -> Result<ExitCode, String> {
        for file in self.files {
            let bytes = std::fs::read(&file).map_err(|error| format!("{file}: {error}"))?;
            let value = read::json(&bytes).map_err(|issue| format!("{file}: {}", issue.text))?;
            let case = Case::read(&value).map_err(|why| format!("{file}: not a case: {why}"))?;
            put(&case.answer().to_string());
        }
        Ok(ExitCode::SUCCESS)
    }
}
