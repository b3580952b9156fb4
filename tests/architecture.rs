//! The house rule: an import may only point down, and rooms of one layer (1 to 4) do not import each other.
//!
//! Layers 0 and 1 besides do no I/O and own no clock; SQL lives in `store` alone; only `serve` spawns; only
//! `http/error.rs` and the console's own page pick a status.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

const LAYERS: [(&str, u8); 15] = [
    ("fhir", 0),
    ("config", 0),
    ("profile", 1),
    ("consent", 1),
    ("audit", 1),
    ("store", 2),
    ("auth", 2),
    ("partner", 2),
    ("gateway", 3),
    ("http", 4),
    ("console", 4),
    ("delivery", 4),
    ("main", 5),
    ("cli", 5),
    ("serve", 5),
];

fn layer(room: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == room).map(|(_, layer)| *layer)
}

fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &mut found);
    found
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&root).unwrap();
            let room =
                inside.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_string();
            (room, inside.to_path_buf(), std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a text names, comments aside: `crate::store::…` and `use crate::{console, http}`.
fn rooms_named(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut rooms = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let names = rest.strip_prefix('{').and_then(|list| list.split('}').next()).unwrap_or(rest);
        let many = rest.starts_with('{');
        for name in names.split(',').take(if many { usize::MAX } else { 1 }) {
            rooms.push(name.trim().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect());
        }
    }
    rooms
}

#[test]
fn imports_point_down() {
    let mut broken = Vec::new();
    for (room, path, text) in sources() {
        let Some(own) = layer(&room) else { continue };
        for named in rooms_named(&text) {
            let Some(other) = layer(&named) else { continue };
            let down = other < own || named == room || (own == other && matches!(own, 0 | 5));
            if !down {
                broken.push(format!("{} imports {named}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_room_has_a_layer() {
    for (room, path, _) in sources() {
        assert!(room == "lib" || layer(&room).is_some(), "{} is in no layer", path.display());
    }
}

#[test]
fn the_core_does_no_io_and_owns_no_clock() {
    for (room, path, text) in sources() {
        // Reading files is what configuration is; figment does it.
        if layer(&room).is_none_or(|layer| layer > 1) {
            continue;
        }
        for word in
            ["std::fs", "std::net", "tokio", "SystemTime", "Instant::now", "reqwest", "sqlx", "rand::", "println!"]
        {
            let used = text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(word));
            // Tests read published examples from files.
            let is_test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
            assert!(!used || is_test, "{} uses {word}", path.display());
        }
    }
}

#[test]
fn sql_lives_in_the_store_and_spawning_in_serve() {
    for (room, path, text) in sources() {
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let has = |word: &str| code.iter().any(|line| line.contains(word));
        if room != "store" {
            for word in ["\"SELECT ", "\"INSERT INTO ", "\"UPDATE ", "\"DELETE FROM ", "sqlx::"] {
                assert!(!has(word), "{} holds SQL", path.display());
            }
        }
        assert!(room == "serve" || !has("tokio::spawn"), "{} spawns", path.display());
        let names_drivers = has("sqlx::") || has("rusqlite::");
        let drives = ["db.rs", "sqlite.rs", "postgres.rs"].iter().any(|file| path.ends_with(file));
        assert!(!names_drivers || drives, "{} knows a driver", path.display());
    }
}
