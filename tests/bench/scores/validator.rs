//! Agreement with the recorded outcomes of HL7's Java validator (fhir-test-cases, `validator/manifest.json`).
//!
//! Counted: R4 cases in JSON whose resource is of a type that has a definition here, judged against the base definition
//! and, where the case names a profile, against that. A case that needs a package we do not have, or is of a module that
//! compares files instead of judging them, is skipped by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use handoff::fhir::{Issue, Outcome, Severity, read};
use handoff::profile::{Against, Forms, Profiles, import::Batch};
use serde_json::Value;

/// Modules that test something else than the verdict on a FHIR resource.
const OTHER_MODULES: [&str; 6] = ["matchetype", "shc", "cda", "cdshooks", "json5", "api"];

/// Percent of the verdicts that agree, at least; of the valid that are refused, at most.
const AGREED_MIN: f64 = 85.0;
const REFUSED_MAX: f64 = 2.0;

#[derive(Default)]
struct Score {
    agreed: usize,
    judged: usize,
    valid: usize,
    valid_refused: usize,
    errors: usize,
    errors_located: usize,
    skipped: BTreeMap<&'static str, Vec<String>>,
    wrong: Vec<String>,
}

pub fn run(cases: &Path, only: Option<&str>) -> bool {
    let folder = cases.join("validator");
    let Some(manifest) = json(&folder.join("manifest.json")) else {
        println!("skipped: {} has no validator/manifest.json", cases.display());
        return true;
    };
    let mut score = Score::default();
    for case in list(&manifest, "test-cases") {
        if only.is_some_and(|only| only != text(case, "name")) || !text(case, "version").starts_with("4.0") {
            continue;
        }
        one(&folder, case, only.is_some(), &mut score);
    }
    report(&score)
}

fn one(folder: &Path, case: &Value, tell: bool, score: &mut Score) {
    let name = text(case, "name").to_string();
    let mut skip = |why| score.skipped.entry(why).or_default().push(name.clone());
    if !text(case, "file").ends_with(".json") {
        return skip("not JSON");
    }
    if case.get("use-test").and_then(Value::as_bool) == Some(false) {
        return skip("switched off");
    }
    if OTHER_MODULES.contains(&text(case, "module")) {
        return skip("another kind of test");
    }
    if !list(case, "packages").is_empty() {
        return skip("needs packages");
    }
    let Ok(bytes) = std::fs::read(folder.join(text(case, "file"))) else { return skip("no file") };
    let mut profiles = with(Profiles::bundled(), folder, list(case, "supporting").iter().chain(list(case, "profiles")));
    let supporting = || list(case, "supporting").iter().chain(list(case, "profiles"));
    let mut forms = Forms::default();
    supporting().filter_map(|file| json(&folder.join(file.as_str()?))).for_each(|file| forms.add(&file));
    let kind = read::resource(&bytes).ok().map(|resource| resource.kind().to_string());
    if kind.is_some_and(|kind| !profiles.knows(&kind)) {
        return skip("another type");
    }
    if let Some(recorded) = recorded(folder, case) {
        compare(&name, &judge(&profiles, &bytes, &forms, &[]), &recorded, tell, score);
    }
    let Some(profile) = case.get("profile") else { return };
    let Some(recorded) = recorded(folder, profile) else { return };
    let source = folder.join(text(profile, "source"));
    let Some(definition) = json(&source) else {
        score.skipped.entry("a profile that is not JSON").or_default().push(name);
        return;
    };
    let files = list(profile, "supporting").iter().chain(profile.get("source"));
    profiles = with(profiles, folder, files);
    let also = [text(&definition, "url").to_string()];
    compare(&format!("{name} (profile)"), &judge(&profiles, &bytes, &forms, &also), &recorded, tell, score);
}

fn judge(profiles: &Profiles, bytes: &[u8], forms: &Forms, also: &[String]) -> Outcome {
    match read::resource(bytes) {
        Ok(resource) => profiles.examine(&resource, &Against { forms, ..Against::of(also) }),
        Err(issue) => issue.into(),
    }
}

fn compare(name: &str, ours: &Outcome, recorded: &Value, tell: bool, score: &mut Score) {
    let places: BTreeSet<String> = ours.0.iter().filter(|it| is_error(it)).map(|it| plain(&it.expression)).collect();
    let found_too = |issue: &Value| places_of(issue).any(|place| is_found(&places, &place));
    let theirs: Vec<&Value> = list(recorded, "issue")
        .iter()
        .filter(|issue| matches!(text(issue, "severity"), "error" | "fatal"))
        .filter(|issue| !is_of_a_server(issue) || found_too(issue))
        .collect();
    let (is_valid, refuses) = (theirs.is_empty(), ours.has_errors());
    score.judged += 1;
    score.agreed += usize::from(is_valid != refuses);
    score.valid += usize::from(is_valid);
    score.valid_refused += usize::from(is_valid && refuses);
    for issue in theirs.iter().filter(|issue| places_of(issue).next().is_some()) {
        score.errors += 1;
        score.errors_located += usize::from(found_too(issue));
    }
    if tell {
        println!("== {name}");
        for issue in &theirs {
            println!("  HL7   {} {}: {}", text(issue, "code"), issue["expression"], text(&issue["details"], "text"));
        }
        for issue in list(recorded, "issue").iter().filter(|issue| text(issue, "severity") == "warning") {
            println!("  HL7   warning {}: {}", issue["expression"], text(&issue["details"], "text"));
        }
        for issue in &ours.0 {
            println!("  ours  {:?} {} {}: {}", issue.severity, issue.rule, issue.expression, issue.text);
        }
    }
    if is_valid == refuses {
        let why = match (ours.0.iter().find(|issue| is_error(issue)), theirs.first()) {
            (Some(issue), _) => format!("refused: {} {}: {}", issue.rule, issue.expression, issue.text),
            (None, Some(issue)) => {
                format!("let through: {}: {}", issue["expression"], text(&issue["details"], "text"))
            }
            (None, None) => String::new(),
        };
        score.wrong.push(format!("{name}: {why}"));
    }
}

fn places_of(issue: &Value) -> impl Iterator<Item = String> {
    list(issue, "expression").iter().chain(list(issue, "location")).filter_map(Value::as_str).map(plain)
}

/// What only a terminology server could say; the score is without one. It counts where we say the same.
fn is_of_a_server(issue: &Value) -> bool {
    list(issue, "extension").iter().any(|extension| text(extension, "url").ends_with("/operationoutcome-issue-server"))
}

/// An error at the element, or at the one around it: the two validators say what is missing at either.
fn is_found(places: &BTreeSet<String>, place: &str) -> bool {
    let around = |path: &str| path.rsplit_once('.').map(|(around, _)| around.to_string());
    places.contains(place)
        || around(place).is_some_and(|around| places.contains(&around))
        || places.iter().any(|ours| around(ours).is_some_and(|around| around == place))
}

fn is_error(issue: &Issue) -> bool {
    issue.severity == Severity::Error
}

/// One spelling for both: without notes, types and the type of a resource in a Bundle.
fn plain(expression: &str) -> String {
    let mut text = String::new();
    let mut rest = expression;
    while let Some((before, after)) = rest.split_once("/*") {
        text.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    let mut found: Vec<&str> = Vec::new();
    for step in text.split('.').filter(|step| !step.starts_with("ofType(")) {
        found.push(step);
    }
    found.join(".")
}

fn report(score: &Score) -> bool {
    for (why, names) in &score.skipped {
        println!("skipped, {why}: {}", names.len());
    }
    for line in &score.wrong {
        println!("- {line}");
    }
    let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
    println!(
        "verdicts: {} of {} agree ({:.1} %); of {} valid, {} are refused ({:.1} %); of {} located errors, {} at the same place ({:.1} %)",
        score.agreed,
        score.judged,
        share(score.agreed, score.judged),
        score.valid,
        score.valid_refused,
        share(score.valid_refused, score.valid),
        score.errors,
        score.errors_located,
        share(score.errors_located, score.errors),
    );
    share(score.agreed, score.judged) >= AGREED_MIN && share(score.valid_refused, score.valid) <= REFUSED_MAX
}

fn with<'v>(mut profiles: Profiles, folder: &Path, files: impl Iterator<Item = &'v Value>) -> Profiles {
    let mut batch = Batch::default();
    for file in files.filter_map(Value::as_str) {
        if let Ok(bytes) = std::fs::read(folder.join(file)) {
            batch.add_file(file, &bytes);
        }
    }
    for part in batch.split() {
        let package = part.into_package(&profiles);
        profiles = profiles.with(package);
    }
    profiles
}

/// The outcome that HL7's validator gave, in the case or in a file of its own.
fn recorded(folder: &Path, case: &Value) -> Option<Value> {
    match case.get("java")? {
        Value::String(file) => json(&folder.join("outcomes").join(file)),
        inline => inline.get("outcome").cloned().or_else(|| Some(inline.clone())),
    }
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
