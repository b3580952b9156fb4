//! `handoff profiles import` and `list`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::profile::import::Batch;
use crate::profile::{Package, Profiles};
use crate::serve::PackageDocument;

use super::{Common, put, say};

#[derive(Subcommand)]
pub enum ProfilesCommand {
    /// Add the definitions of a FHIR package (.tgz) or a folder of definitions: to the database, or as files.
    Import(Import),
    /// The definitions at hand, a line each: package, version, kind, type, URL.
    List(Common),
}

#[derive(Args)]
pub struct Import {
    /// Packages, or folders of definitions; folders without a `package.json` are taken together.
    #[arg(required = true)]
    from: Vec<PathBuf>,
    /// Only these types of a package, comma-separated, and what they need.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Write the facts here instead of into the database.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

impl ProfilesCommand {
    pub async fn run(self) -> Result<ExitCode, String> {
        match self {
            ProfilesCommand::Import(import) => import.run().await,
            ProfilesCommand::List(common) => list(&common).await,
        }
    }
}

impl Import {
    async fn run(self) -> Result<ExitCode, String> {
        let (mut loose, mut whole) = (Batch::default(), Vec::new());
        for from in &self.from {
            let batch = read(from)?;
            let batch = if self.only.is_empty() { batch } else { batch.only(&self.only, &Profiles::bundled()) };
            if batch.id.is_some() { whole.push(batch) } else { loose.join(batch) }
        }
        // Facts for files stand on each other alone, so that what we ship can be made again from nothing.
        let mut known = if self.out.is_some() && whole.is_empty() { Profiles::default() } else { Profiles::bundled() };
        let mut packages = Vec::new();
        for part in loose.split().into_iter().chain(whole) {
            let package = part.into_package(&known);
            known = known.with(Package::from_files(&package.name, &package.version, &package.files()));
            packages.push(package);
        }
        for package in &packages {
            for refused in &package.refused {
                say(&format!("not used: {}: {}", refused.what, refused.why));
            }
            let (name, version) = (&package.name, &package.version);
            match &self.out {
                Some(out) => write(&out.join(format!("{name}@{version}")), package)?,
                None => keep(&self.common, package).await?,
            }
            put(&format!("{name}@{version}"));
        }
        if packages.is_empty() { Err("no definitions were found in it".to_string()) } else { Ok(ExitCode::SUCCESS) }
    }
}

async fn list(common: &Common) -> Result<ExitCode, String> {
    let url = common.config()?.database.url;
    // Without a database to ask, the list is of what is bundled, and no database comes into being.
    let is_there = url.strip_prefix("sqlite:").is_none_or(|path| Path::new(path).exists());
    let lines = if is_there { common.context().await?.profiles.list() } else { Profiles::bundled().list() };
    for line in lines {
        put(&format!("{}\t{}\t{}\t{}\t{}", line.package, line.version, line.kind, line.type_name, line.url));
    }
    Ok(ExitCode::SUCCESS)
}

/// Definitions from a package or a folder.
pub fn read(path: &Path) -> Result<Batch, String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    if !path.is_dir() {
        let bytes = std::fs::read(path).map_err(told)?;
        if path.extension().is_some_and(|end| end == "tgz" || end == "gz")
            && !path.to_string_lossy().ends_with(".ndjson.gz")
        {
            return Batch::from_tgz(&bytes).map_err(|issue| format!("{}: {}", path.display(), issue.text));
        }
        let mut batch = Batch::default();
        batch.add_file(&path.to_string_lossy(), &bytes);
        return Ok(batch);
    }
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(path).map_err(told)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut batch = Batch::default();
    for file in files.into_iter().filter(|file| file.is_file()) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        batch.add_file(&name, &std::fs::read(&file).map_err(told)?);
    }
    Ok(batch)
}

fn write(folder: &Path, package: &Package) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(told)?;
    for (name, bytes) in package.files() {
        std::fs::write(folder.join(name), bytes).map_err(told)?;
    }
    Ok(())
}

async fn keep(common: &Common, package: &Package) -> Result<(), String> {
    let ctx = common.context().await?;
    let files = package.files().into_iter().map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned()));
    let document =
        PackageDocument { name: package.name.clone(), version: package.version.clone(), files: files.collect() };
    let body = serde_json::to_string(&document).map_err(|error| error.to_string())?;
    let mut tx = ctx.store.begin().await.map_err(|fault| fault.to_string())?;
    tx.register("package", &format!("{}@{}", document.name, document.version), &body, true).await?;
    tx.commit().await.map_err(|fault| fault.to_string())
}
