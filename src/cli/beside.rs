//! What `--with` puts at hand: definitions, and the Questionnaires that responses answer.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::profile::{Forms, Profiles};

use super::{profiles, resource};

/// Definitions from packages, folders and files, beside the bundled ones.
pub fn definitions(paths: &[PathBuf]) -> Result<Profiles, String> {
    let mut definitions = Profiles::bundled();
    for path in paths {
        for part in profiles::read(path)?.split() {
            let package = part.into_package(&definitions);
            definitions = definitions.with(package);
        }
    }
    Ok(definitions)
}

/// Questionnaires from the same files, by themselves or in a Bundle; whatever is none is passed over.
pub fn forms(paths: &[PathBuf], definitions: &Profiles) -> Result<Forms, String> {
    let mut forms = Forms::default();
    for path in paths {
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        let files: Vec<PathBuf> = if path.is_dir() {
            std::fs::read_dir(path).map_err(told)?.filter_map(|entry| Some(entry.ok()?.path())).collect()
        } else {
            vec![path.clone()]
        };
        for file in files.iter().filter(|file| is_resource(file)) {
            let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let Ok(found) = resource(&bytes, definitions) else { continue };
            forms.add(found.value());
            let entries = found.value().get("entry").and_then(Value::as_array);
            entries.into_iter().flatten().filter_map(|entry| entry.get("resource")).for_each(|form| forms.add(form));
        }
    }
    Ok(forms)
}

fn is_resource(file: &Path) -> bool {
    file.is_file() && file.extension().is_some_and(|end| end == "json" || end == "xml")
}
