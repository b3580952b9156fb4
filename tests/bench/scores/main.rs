//! Scores against other people's cases: `cargo bench --bench scores -- WHAT PATH`.
//!
//! We ship none of these cases: `PATH` is a checkout of HL7's fhir-test-cases. What is not at hand is said and skipped.

mod validator;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo bench --bench scores -- validator PATH [NAME]   valid or not, as HL7's Java validator says (all of a NAME: what each said)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["validator", path] => validator::run(Path::new(path), None),
        ["validator", path, name] => validator::run(Path::new(path), Some(name)),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::SUCCESS
        }
    }
}
