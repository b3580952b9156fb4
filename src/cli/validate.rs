//! `handoff validate`: one OperationOutcome a line, in the order of the files, which may be JSON or XML.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::consent::{Directive, Regimes};
use crate::fhir::{Issue, position};
use crate::profile::Against;

use super::{beside, put, resource, say};

#[derive(Args)]
pub struct Validate {
    /// Files, or `-` for standard input.
    #[arg(required = true)]
    files: Vec<String>,
    /// A profile to check besides those that the resource claims.
    #[arg(long)]
    profile: Vec<String>,
    /// What should be at hand: definitions and Questionnaires, as a package, a folder or a file.
    #[arg(long)]
    with: Vec<PathBuf>,
}

impl Validate {
    pub fn run(self) -> Result<ExitCode, String> {
        let definitions = beside::definitions(&self.with)?;
        let forms = beside::forms(&self.with, &definitions)?;
        let regimes = Regimes::bundled();
        let against = Against { profiles: &self.profile, forms: &forms, is_thorough: true, ..Against::default() };
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
                    let mut outcome = definitions.examine(&resource, &against);
                    for url in self.profile.iter().filter(|url| !definitions.has(url)) {
                        let text =
                            format!("profile `{url}` is not at hand: `--with` adds a package, a folder or a file");
                        outcome.0.push(Issue::error("not-found", "profile-unknown", text));
                    }
                    if resource.kind() == "Consent" {
                        outcome.0.extend(Directive::problems(&resource, &regimes));
                    }
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
