//! A package: one publisher's definitions in one version, as facts.
//!
//! Its lines are indexed by canonical URL when it is made; a line is parsed when it is first asked for, and what
//! was made of it is kept.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::beyond::Beyond;
use super::facts::{CodeSystem, Compartment, Head, SearchParameter, Structure};
use super::overlay::Overlay;
use super::table::Table;
use super::terminology::Set;

pub const STRUCTURES: &str = "structures.ndjson";
pub const VALUE_SETS: &str = "valuesets.ndjson";
pub const CODE_SYSTEMS: &str = "codesystems.ndjson";
pub const SEARCH_PARAMETERS: &str = "searchparameters.ndjson";
pub const COMPARTMENTS: &str = "compartments.ndjson";

/// One publisher's definitions. `with` puts them beside the bundled ones.
#[derive(Debug, Default)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub(super) structures: Vec<Entry>,
    pub(super) value_sets: Vec<SetLine>,
    pub(super) code_systems: Vec<SystemLine>,
    pub(super) parameters: Vec<Cow<'static, str>>,
    compartments: Vec<Cow<'static, str>>,
    /// What the importer left out, and why.
    pub refused: Vec<Refused>,
}

/// A definition that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub what: String,
    pub why: String,
}

/// A structure: its head at once, the rest on first use.
#[derive(Debug)]
pub struct Entry {
    pub head: Head,
    line: Cow<'static, str>,
    pub(super) table: OnceLock<Option<Table>>,
    pub(super) overlay: OnceLock<Option<Overlay>>,
    pub(super) beyond: OnceLock<Option<Beyond>>,
}

#[derive(Debug)]
pub struct Line {
    pub url: String,
    line: Cow<'static, str>,
}

#[derive(Debug)]
pub struct SetLine {
    pub line: Line,
    pub(super) set: OnceLock<Option<Arc<Set>>>,
}

#[derive(Debug)]
pub struct SystemLine {
    pub line: Line,
    pub(super) system: OnceLock<Option<Arc<CodeSystem>>>,
}

impl Entry {
    pub fn structure(&self) -> Option<Structure> {
        serde_json::from_str(&self.line).ok()
    }
}

impl Line {
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.line).ok()
    }
}

impl Package {
    pub fn new(name: &str, version: &str) -> Package {
        Package { name: name.to_string(), version: version.to_string(), ..Package::default() }
    }

    /// From facts that lie in the binary. `parts` is the files' names with their text.
    pub(super) fn from_text(name: &str, version: &str, parts: &[(&str, &'static str)]) -> Package {
        let mut package = Package::new(name, version);
        for (part, text) in parts {
            for line in text.lines() {
                package.take(part, Cow::Borrowed(line));
            }
        }
        package
    }

    /// From files as [`Package::files`] gave them; a line that cannot be read is listed in `refused`.
    pub fn from_files(name: &str, version: &str, files: &[(String, Vec<u8>)]) -> Package {
        let mut package = Package::new(name, version);
        for (part, bytes) in files {
            for line in String::from_utf8_lossy(bytes).lines() {
                package.take(part, Cow::Owned(line.to_string()));
            }
        }
        package
    }

    pub(super) fn add<T: Serialize>(&mut self, part: &str, facts: &T) {
        if let Ok(line) = serde_json::to_string(facts) {
            self.take(part, Cow::Owned(line));
        }
    }

    fn take(&mut self, part: &str, line: Cow<'static, str>) {
        #[derive(serde::Deserialize)]
        struct Url {
            url: String,
        }
        let url = |line: &str| serde_json::from_str::<Url>(line).ok().map(|found| found.url);
        let read = match part {
            STRUCTURES => serde_json::from_str::<Head>(&line).ok().map(|head| {
                let (table, overlay, beyond) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
                self.structures.push(Entry { head, line, table, overlay, beyond });
            }),
            VALUE_SETS => url(&line).map(|url| {
                self.value_sets.push(SetLine { line: Line { url, line }, set: OnceLock::new() });
            }),
            CODE_SYSTEMS => url(&line).map(|url| {
                self.code_systems.push(SystemLine { line: Line { url, line }, system: OnceLock::new() });
            }),
            SEARCH_PARAMETERS => {
                self.parameters.push(line);
                Some(())
            }
            COMPARTMENTS => url(&line).map(|_| self.compartments.push(line)),
            _ => None,
        };
        if read.is_none() {
            self.refused.push(Refused { what: part.to_string(), why: "a line is no fact of this file".into() });
        }
    }

    /// The package as files, sorted by canonical URL: the same definitions give the same bytes.
    pub fn files<'p>(&'p self) -> Vec<(String, Vec<u8>)> {
        let structures = self.structures.iter().map(|entry| (entry.head.url.as_str(), entry.line.as_ref())).collect();
        let value_sets = self.value_sets.iter().map(|set| (set.line.url.as_str(), set.line.line.as_ref())).collect();
        let systems = self.code_systems.iter().map(|it| (it.line.url.as_str(), it.line.line.as_ref())).collect();
        // A search parameter's line starts with its URL, so that sorting lines sorts by URL; a compartment's too.
        let plain = |lines: &'p [Cow<'static, str>]| lines.iter().map(|line| (line.as_ref(), line.as_ref())).collect();
        [
            (STRUCTURES, sorted(structures)),
            (VALUE_SETS, sorted(value_sets)),
            (CODE_SYSTEMS, sorted(systems)),
            (SEARCH_PARAMETERS, sorted(plain(&self.parameters))),
            (COMPARTMENTS, sorted(plain(&self.compartments))),
        ]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| (name.to_string(), text.into_bytes()))
        .collect()
    }

    pub fn search_parameters(&self) -> impl Iterator<Item = SearchParameter> + '_ {
        self.parameters.iter().filter_map(|line| serde_json::from_str(line).ok())
    }

    pub(super) fn compartments(&self) -> impl Iterator<Item = Compartment> + '_ {
        self.compartments.iter().filter_map(|line| serde_json::from_str(line).ok())
    }

    /// Drops what was made of the lines.
    pub(super) fn forget(&mut self) {
        for entry in &mut self.structures {
            (entry.table, entry.overlay) = (OnceLock::new(), OnceLock::new());
            entry.beyond = OnceLock::new();
        }
        for held in &mut self.value_sets {
            held.set = OnceLock::new();
        }
    }
}

fn sorted(mut lines: Vec<(&str, &str)>) -> String {
    lines.sort_unstable();
    lines.dedup_by_key(|(url, _)| *url);
    lines.iter().map(|(_, line)| format!("{line}\n")).collect()
}
