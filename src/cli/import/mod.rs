//! `handoff import`: resources of a partner from files, with the same checks as over HTTP.
//!
//! A transaction Bundle is brought in as one; a collection's entries, the lines of an NDJSON file and single
//! resources one by one, people and directory first, so that a folder can refer within itself. What is refused is
//! answered on stdout with its issues, a line each, and keeps nothing else out.
//!
//! Files are read twice: once to find what is in them, and piece by piece as each is brought in, so that memory bounds
//! no file but a transaction's and XML's.

mod outline;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::auth::Caller;
use crate::fhir::bundle;
use crate::fhir::interaction::Interaction;
use crate::fhir::{Element, Issue, Outcome, Resource, read};
use crate::gateway::{self, Asked, Change, Context, Error, No, Request};
use crate::profile::Profiles;

use super::{Common, is_xml, put, resource, say};
use outline::{Stretch, outline};

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
    from: Rc<Path>,
    kind: String,
    content: Content,
}

enum Content {
    /// A resource's text.
    Alone(Stretch),
    /// A Bundle's entry.
    Entry(Stretch),
    /// What was read from XML.
    Held(Box<Resource>),
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
            refused +=
                take(&file, &ctx.profiles, &mut items).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        items.sort_by_key(|item| ORDER.iter().position(|kind| *kind == item.kind).unwrap_or(ORDER.len()));
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
                let resource = match item.read().map_err(|error| format!("{}: {error}", item.from.display()))? {
                    Ok(resource) => resource,
                    Err(outcome) => {
                        answers.push((item.from.clone(), item.kind.clone(), outcome));
                        left.push(item);
                        continue;
                    }
                };
                let key = resource.key();
                match bring(&ctx, &caller, &request, resource).await {
                    Ok(count) => {
                        stored += count;
                        bar.inc(1);
                    }
                    Err(Error::Fault(fault)) => return Err(fault.to_string()),
                    Err(Error::No(_, issues)) => {
                        answers.push((item.from.clone(), key, Outcome(issues)));
                        left.push(item);
                    }
                }
            }
            let stuck = left.len() == before;
            waiting = left;
            if stuck || waiting.is_empty() {
                for (from, key, outcome) in &answers {
                    let from = from.display().to_string();
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

async fn bring(ctx: &Context, caller: &Caller, request: &Request, resource: Resource) -> Result<usize, Error> {
    if resource.kind() == "Bundle" && resource.root().text("type") == Some("transaction") {
        let (_, entries) = bundle::read(resource).map_err(|issues| Error::No(No::Unreadable, issues))?;
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

/// Finds what a file brings; answers how much of it could not be read, having said so.
fn take(file: &Path, definitions: &Profiles, items: &mut Vec<Item>) -> std::io::Result<usize> {
    let from: Rc<Path> = Rc::from(file);
    let mut text = BufReader::new(File::open(file)?);
    let whole = Stretch { from: 0, len: std::fs::metadata(file)?.len() };
    let mut unreadable = 0;
    if is_xml(text.fill_buf()?) {
        let mut bytes = Vec::new();
        text.read_to_end(&mut bytes)?;
        match resource(&bytes, definitions) {
            Ok(resource) => items.extend(unpack(&from, resource)),
            Err(outcome) => unreadable += refuse(file, 0, &outcome),
        }
    } else if file.extension().is_some_and(|end| end == "ndjson") {
        let (mut line, mut at) = (Vec::new(), 0);
        while text.read_until(b'\n', &mut line)? > 0 {
            let stretch = Stretch { from: at, len: line.len() as u64 };
            if !line.trim_ascii().is_empty() {
                unreadable += find(&from, line.as_slice(), stretch, items)?;
            }
            at += stretch.len;
            line.clear();
        }
    } else {
        unreadable += find(&from, text, whole, items)?;
    }
    Ok(unreadable)
}

/// Finds what a JSON text brings: a collection's entries one by one; anything else as it is.
fn find(from: &Rc<Path>, text: impl BufRead, whole: Stretch, items: &mut Vec<Item>) -> std::io::Result<usize> {
    let outlined = outline(text, whole.from)?;
    let around = match read::resource(&outlined.around) {
        Ok(around) => around,
        Err(issue) => return Ok(refuse(from, whole.from, &issue.into())),
    };
    if !is_taken_apart(&around) {
        let kind = around.kind().to_string();
        items.push(Item { from: from.clone(), kind, content: Content::Alone(whole) });
        return Ok(0);
    }
    let mut file = File::open(from)?;
    let mut unreadable = 0;
    for stretch in outlined.entries {
        match entry(&stretch.read(&mut file)?) {
            Ok(Some(resource)) => {
                let kind = resource.kind().to_string();
                items.push(Item { from: from.clone(), kind, content: Content::Entry(stretch) });
            }
            Ok(None) => {}
            Err(outcome) => unreadable += refuse(from, stretch.from, &outcome),
        }
    }
    Ok(unreadable)
}

/// Says what cannot be read: lines and columns are counted from the byte at which it begins.
fn refuse(file: &Path, byte: u64, outcome: &Outcome) -> usize {
    put(&json!({"file": file.display().to_string(), "byte": byte, "outcome": outcome.to_value()}).to_string());
    1
}

impl Item {
    fn read(&self) -> std::io::Result<Result<Resource, Outcome>> {
        let read = |stretch: &Stretch| stretch.read(&mut File::open(&self.from)?);
        Ok(match &self.content {
            Content::Held(resource) => Ok((**resource).clone()),
            Content::Alone(stretch) => read::resource(&read(stretch)?).map_err(Outcome::from),
            Content::Entry(stretch) => entry(&read(stretch)?).and_then(|found| {
                found.ok_or_else(|| Issue::structure("the file has changed while it was imported").into())
            }),
        })
    }
}

impl Stretch {
    fn read(self, file: &mut File) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.from))?;
        file.take(self.len).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The resource of a Bundle's entry; one without is nothing to bring in.
fn entry(bytes: &[u8]) -> Result<Option<Resource>, Outcome> {
    let entry = read::json(bytes)?;
    Ok(Element::new(&entry).get("resource").value().cloned().and_then(Resource::from_value))
}

/// Whether its entries are brought in one by one.
fn is_taken_apart(resource: &Resource) -> bool {
    let kind = resource.root().text("type").unwrap_or("");
    resource.kind() == "Bundle" && matches!(kind, "collection" | "searchset" | "history" | "batch")
}

/// As [`find`], of what was read from XML.
fn unpack(from: &Rc<Path>, resource: Resource) -> Vec<Item> {
    let item = |resource: Resource| {
        let kind = resource.kind().to_string();
        Item { from: from.clone(), kind, content: Content::Held(Box::new(resource)) }
    };
    if !is_taken_apart(&resource) {
        return vec![item(resource)];
    }
    let entries = resource.root().each("entry").filter_map(|entry| entry.get("resource").value().cloned());
    entries.filter_map(Resource::from_value).map(item).collect()
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
