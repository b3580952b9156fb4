//! `handoff validate`: one OperationOutcome a line, in the order of the files, which may be JSON or XML.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::fhir::{Issue, position};
use crate::profile::{Against, Profiles};

use super::{profiles, put, resource, say};

#[derive(Args)]
pub struct Validate {
    /// Files, or `-` for standard input.
    #[arg(required = true)]
    files: Vec<String>,
    /// A profile to check besides those that the resource claims.
    #[arg(long)]
    profile: Vec<String>,
    /// Definitions that should be at hand: a package, a folder, a file.
    #[arg(long)]
    with: Vec<PathBuf>,
}

impl Validate {
    pub fn run(self) -> Result<ExitCode, String> {
        let mut definitions = Profiles::bundled();
        for path in &self.with {
            for part in profiles::read(path)?.split() {
                let package = part.into_package(&definitions);
                definitions = definitions.with(package);
            }
        }
        let (mut judged, mut refused) = (0, 0);
        for file in &self.files {
            let bytes = match bytes(file) {
                Ok(bytes) => bytes,
                Err(error) => {
                    say(&format!("{file}: {error}"));
                    continue;
                }
            };
            let outcome = match resource(&bytes, &definitions) {
                Ok(resource) => {
                    let unknown = !definitions.knows(resource.kind());
                    let text = || format!("`{}` is not a resource type with a definition at hand", resource.kind());
                    let mut outcome = definitions.examine(&resource, &Against::of(&self.profile));
                    if unknown && !outcome.has_errors() {
                        outcome.0.push(Issue::error("not-supported", "not-supported", text()).at("resourceType"));
                    }
                    outcome
                }
                Err(outcome) => outcome,
            };
            let mut outcome = outcome;
            if bytes.trim_ascii_start().starts_with(b"{") {
                position::locate(&bytes, &mut outcome);
            }
            judged += 1;
            refused += usize::from(outcome.has_errors());
            put(&outcome.to_value().to_string());
        }
        Ok(match (judged, refused) {
            (0, _) => ExitCode::from(2),
            (_, 0) if judged == self.files.len() => ExitCode::SUCCESS,
            _ => ExitCode::from(1),
        })
    }
}

fn bytes(file: &str) -> std::io::Result<Vec<u8>> {
    if file != "-" {
        return std::fs::read(file);
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
}
