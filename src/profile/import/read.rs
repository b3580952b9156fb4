//! Reads packages and files into a batch, within bounds.
//!
//! A package comes from outside: a small archive may unpack to anything. It is read entry by entry up to the
//! limits below and never written anywhere.

use std::io::{self, Read};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::fhir::Issue;

use super::{Batch, text};
use crate::profile::package::Refused;

/// All of R4 core unpacks to about 100 MB.
pub const UNPACKED_BYTES_MAX: u64 = 512 * 1024 * 1024;
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
pub const ENTRIES_MAX: usize = 50_000;

const USED: [&str; 5] = ["StructureDefinition", "ValueSet", "CodeSystem", "SearchParameter", "CompartmentDefinition"];

impl Batch {
    /// An npm-style package: a gzipped tar with `package/package.json` and definitions beside it.
    ///
    /// # Errors
    /// It is no such archive, or larger than the limits.
    pub fn from_tgz(bytes: &[u8]) -> Result<Batch, Issue> {
        let unreadable = |error: io::Error| {
            Issue::error("structure", "package", format!("the package is no readable gzipped tar: {}", error.kind()))
        };
        let mut batch = Batch::default();
        let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(UNPACKED_BYTES_MAX));
        let mut unpacked = 0_u64;
        for (count, entry) in archive.entries().map_err(unreadable)?.enumerate() {
            let mut entry = entry.map_err(unreadable)?;
            unpacked = unpacked.saturating_add(entry.size());
            if count >= ENTRIES_MAX || unpacked > UNPACKED_BYTES_MAX {
                let text = format!("expected at most {ENTRIES_MAX} entries and {UNPACKED_BYTES_MAX} bytes unpacked");
                return Err(Issue::error("too-costly", "package-size", text));
            }
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let Some(name) =
                path.strip_prefix("package/").filter(|name| name.ends_with(".json") && !name.contains('/'))
            else {
                continue;
            };
            if entry.size() > FILE_BYTES_MAX {
                batch.refused.push(Refused { what: path, why: format!("is larger than {FILE_BYTES_MAX} bytes") });
                continue;
            }
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(unreadable)?;
            match name {
                ".index.json" | "ig-r4.json" => {}
                "package.json" => batch.id = identity(&content),
                name => batch.add_file(name, &content),
            }
        }
        Ok(batch)
    }

    /// One file of a directory: `.json`, `.ndjson` or `.ndjson.gz`; others are passed over.
    pub fn add_file(&mut self, name: &str, bytes: &[u8]) {
        if name.ends_with("package.json") {
            self.id = identity(bytes);
        } else if name.ends_with(".ndjson") {
            self.add_lines(name, bytes);
        } else if name.ends_with(".ndjson.gz") {
            let mut content = Vec::new();
            match GzDecoder::new(bytes).take(UNPACKED_BYTES_MAX).read_to_end(&mut content) {
                Ok(_) => self.add_lines(name, &content),
                Err(error) => {
                    self.refused.push(Refused { what: name.into(), why: format!("is not readable: {}", error.kind()) })
                }
            }
        } else if name.ends_with(".json") {
            self.add_one(name, bytes);
        }
    }

    fn add_lines(&mut self, name: &str, bytes: &[u8]) {
        for (number, line) in
            bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty())
        {
            self.add_one(&format!("{name}:{}", number + 1), line);
        }
    }

    fn add_one(&mut self, name: &str, bytes: &[u8]) {
        let Ok(mut definition) = serde_json::from_slice::<Value>(bytes) else {
            return self.refused.push(Refused { what: name.into(), why: "is not well-formed JSON".into() });
        };
        let kind = text(&definition, "resourceType");
        if kind == "Bundle" {
            let entries = definition.get_mut("entry").and_then(Value::as_array_mut);
            let inside: Vec<Value> =
                entries.into_iter().flatten().filter_map(|entry| Some(entry.get_mut("resource")?.take())).collect();
            for (index, definition) in inside.into_iter().enumerate() {
                self.take(&format!("{name} entry {index}"), definition);
            }
        } else {
            self.take(name, definition);
        }
    }

    fn take(&mut self, name: &str, definition: Value) {
        if !USED.contains(&text(&definition, "resourceType")) {
            return self.refused.push(Refused { what: name.into(), why: "is no definition that is used here".into() });
        }
        if text(&definition, "url").is_empty() {
            return self.refused.push(Refused { what: name.into(), why: "has no canonical `url`".into() });
        }
        self.definitions.push(definition);
    }
}

fn identity(content: &[u8]) -> Option<(String, String)> {
    let found: Value = serde_json::from_slice(content).ok()?;
    // The name becomes a folder of the caller's, so that it must be a plain one.
    let plain = |name: &str| {
        let name = text(&found, name);
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        (is_plain && !name.is_empty() && !name.starts_with('.') && name.len() <= 100).then(|| name.to_string())
    };
    Some((plain("name")?, plain("version")?))
}
