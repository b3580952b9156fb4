//! The law of this room: what a full check by the published snapshots refuses, base and overlay refuse too.
//!
//! These read the published definitions and examples, and are skipped where those are not at hand.

use std::fs;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::fhir::Resource;
use crate::profile::facts::{CodeSystem, bare};
use crate::profile::import::Batch;
use crate::profile::{Against, Profiles, bundled, found};

use super::{errors, examine, profiles};

const TERMINOLOGY: &str = "hl7.terminology.r4";
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");

/// Element names on the way from the root, and the element.
type Elements = Vec<(Vec<String>, Value)>;

/// The published examples, or none where they are not at hand.
pub fn examples() -> Vec<(String, Value)> {
    fn gather(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() { gather(&entry.path(), into) } else { into.push(entry.path()) }
        }
    }
    let mut paths = Vec::new();
    gather(&Path::new(SHARED).join("examples"), &mut paths);
    paths.sort();
    if paths.is_empty() {
        eprintln!("skipped: no examples in {SHARED}");
    }
    let read = |path: &PathBuf| Some((path.display().to_string(), serde_json::from_slice(&fs::read(path).ok()?).ok()?));
    paths.iter().filter_map(read).collect()
}

fn lines(name: &str) -> Vec<Value> {
    let Ok(file) = fs::File::open(Path::new(SHARED).join("definitions").join(name)) else { return vec![] };
    let text = std::io::read_to_string(GzDecoder::new(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The published snapshots by URL, without their slices.
fn snapshots() -> Vec<(String, Elements)> {
    let files = ["us-core-7.0.0.ndjson.gz", "sdohcc-3.0.0.ndjson.gz", "sdc.ndjson.gz"];
    let elements = |definition: &Value| {
        let elements = definition["snapshot"]["element"].as_array().unwrap().iter();
        let plain = elements.filter(|element| !element["id"].as_str().unwrap().contains(':'));
        plain
            .map(|element| {
                (element["path"].as_str().unwrap().split('.').skip(1).map(str::to_string).collect(), element.clone())
            })
            .collect()
    };
    let definitions = files.iter().flat_map(|file| lines(file));
    definitions.map(|definition| (definition["url"].as_str().unwrap().to_string(), elements(&definition))).collect()
}

/// JSON pointers of every value at a path of element names, choices resolved.
fn pointers(value: &Value, path: &[String], at: &str, found: &mut Vec<String>) {
    if let Value::Array(list) = value {
        return (0..list.len()).for_each(|item| pointers(&list[item], path, &format!("{at}/{item}"), found));
    }
    let (Some((name, rest)), Value::Object(object)) = (path.split_first(), value) else {
        if path.is_empty() {
            found.push(at.to_string());
        }
        return;
    };
    let choice = name.strip_suffix("[x]");
    for (json, inner) in object {
        let is_choice = choice.is_some_and(|stem| {
            json.strip_prefix(stem).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))
        });
        if json == name || is_choice {
            pointers(inner, rest, &format!("{at}/{json}"), found);
        }
    }
}

#[test]
fn published_examples_pass_the_profiles_they_claim() {
    for (name, example) in examples() {
        let outcome = examine(example);
        let is_unsupported = outcome.0.iter().any(|issue| issue.rule == "kind-unsupported");
        assert!(is_unsupported || !outcome.has_errors(), "{name}: {:?}", errors(&outcome));
    }
}

#[test]
fn every_required_element_of_a_snapshot_is_missed_when_it_is_dropped() {
    let (snapshots, mut dropped) = (snapshots(), 0);
    for (name, example) in examples() {
        for claimed in claims(&example) {
            let Some((_, elements)) = snapshots.iter().find(|(url, _)| *url == claimed) else { continue };
            for (path, element) in elements.iter().filter(|(path, element)| element["min"] != 0 && !path.is_empty()) {
                let mut parents = Vec::new();
                pointers(&example, &path[..path.len() - 1], "", &mut parents);
                let stem = path[path.len() - 1].trim_end_matches("[x]");
                for parent in parents {
                    let mut broken = example.clone();
                    let Some(object) = broken.pointer_mut(&parent).and_then(Value::as_object_mut) else { continue };
                    let before = object.len();
                    let is_choice = element["path"].as_str().unwrap().ends_with("[x]");
                    object.retain(|json, _| {
                        let json = json.trim_start_matches('_');
                        !(json == stem || is_choice && json.starts_with(stem))
                    });
                    // An object that is now empty is refused as such, and a required one that was absent is no drop.
                    if object.len() == before || object.is_empty() {
                        continue;
                    }
                    let outcome = examine(broken);
                    let at = format!(".{stem}");
                    assert!(
                        errors(&outcome).iter().any(|(expression, _)| expression.ends_with(&at)),
                        "{name}: {claimed} without {parent}{at}: {:?}",
                        errors(&outcome)
                    );
                    dropped += 1;
                }
            }
        }
    }
    assert!(dropped == 0 || dropped > 300, "{dropped}");
    eprintln!("{dropped} required elements dropped, each missed");
}

#[test]
fn every_fixed_patterned_or_required_code_of_a_snapshot_is_missed_when_it_is_changed() {
    let (snapshots, mut changed) = (snapshots(), 0);
    for (name, example) in examples() {
        for claimed in claims(&example) {
            let Some((_, elements)) = snapshots.iter().find(|(url, _)| *url == claimed) else { continue };
            for (path, element) in elements.iter().filter(|(path, _)| !path.is_empty()) {
                let asks = element
                    .as_object()
                    .unwrap()
                    .keys()
                    .any(|key| key.starts_with("fixed") || key.starts_with("pattern"));
                let bound = element["binding"]["strength"] == "required"
                    && element["binding"]["valueSet"].as_str().is_some_and(|url| {
                        let set = profiles().set(bare(url));
                        set.is_some_and(|set| set.is_closed() && set.each().next().is_some())
                    });
                if !asks && !bound {
                    continue;
                }
                let mut places = Vec::new();
                pointers(&example, path, "", &mut places);
                for place in places {
                    let mut broken = example.clone();
                    let value = broken.pointer_mut(&place).unwrap();
                    if !spoil(value) {
                        continue;
                    }
                    let outcome = examine(broken);
                    let rules = ["fixed", "pattern", "binding", "slice"];
                    assert!(
                        errors(&outcome).iter().any(|(_, rule)| rules.contains(rule)),
                        "{name}: {claimed} with another {place}: {:?}",
                        errors(&outcome)
                    );
                    changed += 1;
                }
            }
        }
    }
    assert!(changed == 0 || changed > 150, "{changed}");
    eprintln!("{changed} codes changed, each refused");
}

#[test]
fn the_marks_of_every_required_slice_are_missed_when_they_are_changed() {
    let mut changed = 0;
    let definitions: Vec<Value> =
        ["us-core-7.0.0.ndjson.gz", "sdohcc-3.0.0.ndjson.gz"].iter().flat_map(|file| lines(file)).collect();
    for (name, example) in examples() {
        for claimed in claims(&example) {
            let Some(definition) = definitions.iter().find(|it| it["url"] == *claimed) else { continue };
            let elements = definition["snapshot"]["element"].as_array().unwrap();
            let is_required = |id: &str| elements.iter().any(|element| element["id"] == id && element["min"] != 0);
            for element in elements {
                let id = element["id"].as_str().unwrap();
                let ends = id.match_indices('.').map(|(end, _)| end).chain([id.len()]);
                let slices: Vec<&str> =
                    ends.map(|end| &id[..end]).filter(|id| id.rsplit('.').next().unwrap().contains(':')).collect();
                let mark = element
                    .as_object()
                    .unwrap()
                    .iter()
                    .find(|(key, _)| key.starts_with("fixed") || key.starts_with("pattern"));
                let (Some((_, mark)), false) = (mark, slices.is_empty()) else { continue };
                if !slices.iter().all(|id| is_required(id)) {
                    continue;
                }
                let path: Vec<String> =
                    element["path"].as_str().unwrap().split('.').skip(1).map(str::to_string).collect();
                let mut places = Vec::new();
                pointers(&example, &path, "", &mut places);
                let mut broken = example.clone();
                let code = |value: &Value| value.pointer("/coding/0/code").unwrap_or(value).clone();
                places.retain(|place| code(example.pointer(place).unwrap()) == code(mark));
                if places.is_empty() {
                    continue;
                }
                places.iter().for_each(|place| assert!(spoil(broken.pointer_mut(place).unwrap())));
                assert!(examine(broken).has_errors(), "{name}: {claimed} with another {id}");
                changed += places.len();
            }
        }
    }
    assert!(changed == 0 || changed > 20, "{changed}");
    eprintln!("{changed} marks of slices changed, each refused");
}

fn claims(example: &Value) -> Vec<String> {
    let claimed = example["meta"]["profile"].as_array().map_or(&[][..], Vec::as_slice);
    claimed.iter().filter_map(Value::as_str).map(|url| bare(url).to_string()).collect()
}

/// Another value of the same type; false when the value has no code to change.
fn spoil(value: &mut Value) -> bool {
    match value {
        Value::String(text) => *text = "zzz-other".into(),
        Value::Bool(flag) => *flag = !*flag,
        Value::Object(object) if object.contains_key("coding") => {
            object["coding"].as_array_mut().unwrap().iter_mut().for_each(|coding| coding["code"] = "zzz-other".into());
        }
        Value::Object(object) if object.contains_key("code") => object["code"] = "zzz-other".into(),
        _ => return false,
    }
    true
}

#[test]
fn no_edit_of_an_example_makes_the_check_panic_or_talk_without_end() {
    let mut chance = 7_u64;
    let mut next = move |below: usize| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) as usize % below.max(1)
    };
    let odd = [
        json!(null),
        json!([]),
        json!({}),
        json!([null]),
        json!(""),
        json!("é\u{0001}"),
        json!(-1),
        json!(1e99),
        json!(true),
        json!({"reference": "#"}),
        json!({"resourceType": "Patient"}),
        json!([[{}]]),
        json!({"coding": {"code": 1}}),
        json!("Patient/\u{202e}"),
    ];
    for (name, example) in examples() {
        for _ in 0..40 {
            let mut broken = example.clone();
            for _ in 0..=next(3) {
                let mut all = Vec::new();
                every(&broken, "", &mut all);
                let place = all[next(all.len())].clone();
                if let Some(value) = broken.pointer_mut(&place) {
                    *value = odd[next(odd.len())].clone();
                }
            }
            let Some(resource) = Resource::from_value(broken) else { continue };
            let outcome = profiles().examine(&resource, &Against::default());
            assert!(outcome.0.len() <= found::ISSUES_MAX + 1, "{name}");
        }
    }
}

fn every(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_string());
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(name, inner)| every(inner, &format!("{at}/{}", name.replace('/', "~1")), found))
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(item, inner)| every(inner, &format!("{at}/{item}"), found))
        }
        _ => {}
    }
}

#[test]
fn the_bundled_facts_are_what_the_importer_makes_of_the_published_definitions() {
    let mut batch = Batch::default();
    for folder in ["definitions", "reference/capability"] {
        for entry in fs::read_dir(Path::new(SHARED).join(folder)).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if name.ends_with(".gz") || name.starts_with("SearchParameter") {
                batch.add_file(&name, &fs::read(entry.path()).unwrap());
            }
        }
    }
    if batch.definitions.is_empty() {
        return eprintln!("skipped: no definitions in {SHARED}");
    }
    let mut known = Profiles::default();
    for part in batch.split() {
        let package = part.into_package(&known);
        let held = bundled::packages().into_iter().find(|held| held.name == package.name).unwrap();
        if package.name == TERMINOLOGY {
            // A part of what is bundled, which is of the same version and was not stripped of properties.
            for system in &package.code_systems {
                let codes = |profiles: &Profiles| profiles.code_system(&system.line.url).map(|held| held.codes.clone());
                let given = system.line.read::<CodeSystem>().unwrap().codes;
                assert!(codes(profiles()) == Some(given), "{}", system.line.url);
            }
        } else {
            assert!(held.files() == package.files(), "{}", package.name);
        }
        known = known.with(package);
    }
}

/// These name the archives; `bundled` says where they come from.
#[test]
fn what_is_bundled_is_what_the_importer_makes_of_the_published_packages() {
    let strings = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<String>>();
    for (variable, only) in
        [("HANDOFF_TERMINOLOGY", &["CodeSystem", "ValueSet"][..]), ("HANDOFF_R4_EXAMPLES", &bundled::CLINICAL)]
    {
        let Some(path) = std::env::var_os(variable) else {
            eprintln!("skipped: {variable} names no archive");
            continue;
        };
        let known = Profiles::bundled();
        let package =
            Batch::from_tgz(&fs::read(path).unwrap()).unwrap().only(&strings(only), &known).into_package(&known);
        let held = bundled::packages().into_iter().find(|held| held.name == package.name).unwrap();
        assert!(held.files() == package.files(), "{}", package.name);
    }
}
