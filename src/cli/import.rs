//! `handoff import`: resources of a partner from files, with the same checks as over HTTP.
//!
//! A transaction Bundle is brought in as one; a collection's entries, the lines of an NDJSON file and single
//! resources one by one, people and directory first, so that a folder can refer within itself. What is refused is
//! answered on stdout with its issues, a line each, and keeps nothing else out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::auth::Caller;
use crate::fhir::bundle::{self, BundleKind};
use crate::fhir::interaction::Interaction;
use crate::fhir::{Issue, Outcome, Resource};
use crate::gateway::{self, Asked, Change, Context, Error, No, Request};
use crate::profile::Profiles;

use super::{Common, put, resource, say};

#[derive(Args)]
pub struct Import {
    /// Whose data it is.
    #[arg(long)]
    partner: String,
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Something to bring in, and where it came from.
struct Item {
    from: String,
    resource: Resource,
}

/// What others refer to comes first.
const ORDER: [&str; 12] = [
    "Organization",
    "Location",
    "Practitioner",
    "HealthcareService",
    "PractitionerRole",
    "Questionnaire",
    "Patient",
    "RelatedPerson",
    "Encounter",
    "Condition",
    "Goal",
    "ServiceRequest",
];

impl Import {
    pub async fn run(self) -> Result<ExitCode, String> {
        let ctx = self.common.context().await?;
        if ctx.partner(&self.partner).await.map_err(|fault| fault.to_string())?.is_none() {
            return Err(format!("--partner: `{}` is not known; `handoff partner add` adds it", self.partner));
        }
        let mut refused = 0;
        let mut items = Vec::new();
        for file in files(&self.paths)? {
            let bytes = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            refused += take(&file, &bytes, &ctx.profiles, &mut items);
        }
        items.sort_by_key(|item| ORDER.iter().position(|kind| *kind == item.resource.kind()).unwrap_or(ORDER.len()));
        let caller = Caller::operator(&self.partner);
        let bar = ProgressBar::new(items.len() as u64);
        bar.set_style(
            ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta}").map_err(|error| error.to_string())?,
        );
        let mut stored = 0;
        // A reference to what comes later is tried again once that is there.
        let mut waiting = items;
        loop {
            let before = waiting.len();
            let mut left = Vec::new();
            let mut answers = Vec::new();
            for item in waiting {
                let request = Request { id: format!("import-{}", ctx.now().0) };
                match bring(&ctx, &caller, &request, &item).await {
                    Ok(count) => {
                        stored += count;
                        bar.inc(1);
                    }
                    Err(Error::Fault(fault)) => return Err(fault.to_string()),
                    Err(Error::No(_, issues)) => {
                        answers.push((item.from.clone(), item.resource.key(), Outcome(issues)));
                        left.push(item);
                    }
                }
            }
            let stuck = left.len() == before;
            waiting = left;
            if stuck || waiting.is_empty() {
                for (from, key, outcome) in &answers {
                    put(&json!({"file": from, "resource": key, "outcome": outcome.to_value()}).to_string());
                }
                refused += answers.len();
                break;
            }
        }
        bar.finish_and_clear();
        say(&format!("{stored} resources stored for partner `{}`, {refused} files or resources refused", self.partner));
        Ok(ExitCode::from(u8::from(refused > 0)))
    }
}

async fn bring(ctx: &Context, caller: &Caller, request: &Request, item: &Item) -> Result<usize, Error> {
    if item.resource.kind() == "Bundle"
        && let Ok((BundleKind::Transaction, entries)) = bundle::read(item.resource.clone())
    {
        if let Some(index) = entries.iter().position(|entry| !matches!(entry.method.as_str(), "POST" | "PUT")) {
            let text = "an import creates and updates: expected POST or PUT";
            let issue = Issue::error("not-supported", "bundle-request", text);
            return Err(Error::one(No::Unreadable, issue.at(format!("Bundle.entry[{index}].request.method"))));
        }
        let asked: Vec<Asked> = entries
            .into_iter()
            .enumerate()
            .filter_map(|(index, entry)| {
                let (kind, id) = entry.url.split_once('/').unwrap_or((&entry.url, ""));
                let change = match (entry.method.as_str(), entry.resource) {
                    ("POST", Some(resource)) => Change::Create(resource),
                    ("PUT", Some(resource)) => Change::Update {
                        kind: kind.to_string(),
                        id: id.to_string(),
                        resource,
                        if_match: entry.if_match,
                    },
                    _ => return None,
                };
                Some(Asked { change, entry: index, full_url: entry.full_url })
            })
            .collect();
        return Ok(gateway::submit(ctx, caller, request, Interaction::Transaction, asked).await?.len());
    }
    let resource = item.resource.clone();
    // Brought in again, a resource is a new version of itself; a Task's version is then the current one.
    let change = match resource.id().map(str::to_string) {
        Some(id) => {
            let kind = resource.kind().to_string();
            let current = ctx.store.for_decision(&kind, &id).await?;
            let if_match = current.map(|current| current.version.to_string());
            Change::Update { kind, id, resource, if_match }
        }
        None => Change::Create(resource),
    };
    Ok(gateway::submit(ctx, caller, request, Interaction::Update, vec![Asked { change, entry: 0, full_url: None }])
        .await?
        .len())
}

/// Takes a file apart; answers how much of it could not be read, having said so.
fn take(file: &Path, bytes: &[u8], definitions: &Profiles, items: &mut Vec<Item>) -> usize {
    let from = file.display().to_string();
    let lines: Vec<&[u8]> = if from.ends_with(".ndjson") {
        bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect()
    } else {
        vec![bytes]
    };
    let mut unreadable = 0;
    for line in lines {
        match resource(line, definitions) {
            Ok(resource) => items.extend(unpack(&from, resource)),
            Err(outcome) => {
                unreadable += 1;
                put(&json!({"file": from, "outcome": outcome.to_value()}).to_string());
            }
        }
    }
    unreadable
}

/// A collection's entries one by one; anything else as it is.
fn unpack(from: &str, resource: Resource) -> Vec<Item> {
    let kind = resource.root().text("type").unwrap_or("");
    if resource.kind() != "Bundle" || !matches!(kind, "collection" | "searchset" | "history" | "batch") {
        return vec![Item { from: from.to_string(), resource }];
    }
    let entries = resource.root().each("entry").filter_map(|entry| entry.get("resource").value().cloned());
    entries.filter_map(Resource::from_value).map(|resource| Item { from: from.to_string(), resource }).collect()
}

/// The files of a path, folders walked in order.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for path in paths {
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        if !std::fs::metadata(path).map_err(told)?.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut inside: Vec<PathBuf> =
            std::fs::read_dir(path).map_err(told)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        inside.sort();
        let ends = ["json", "ndjson", "xml"];
        inside
            .retain(|inner| inner.is_dir() || inner.extension().is_some_and(|end| ends.iter().any(|one| end == *one)));
        found.extend(files(&inside)?);
    }
    Ok(found)
}
