//! What other people's suites say of us, and what it costs.
//!
//!     cargo bench --bench scores -- fhirpath PATH-TO-fhir-test-cases
//!     cargo bench --bench scores -- validator PATH-TO-fhir-test-cases [NAME]     of a NAME, what each said
//!     cargo bench --bench scores -- speed          invariants alone
//!     cargo bench --bench scores -- throughput     whole checks
//!
//! We ship none of these cases. Each prints its score and what failed; it exits with 1 under the score that is promised.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on has failed; it prints")]

mod fhirpath;
mod speed;
mod throughput;
mod validator;

use std::process::exit;

// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let subject = if words.is_empty() { String::new() } else { words.remove(0) };
    let passed = match (subject.as_str(), words.first()) {
        ("fhirpath", Some(folder)) => fhirpath::run(folder.as_ref()),
        ("validator", Some(folder)) => validator::run(folder.as_ref(), words.get(1).map(String::as_str)),
        ("speed", _) => speed::run(),
        ("throughput", _) => throughput::run(),
        _ => {
            println!("expected `fhirpath PATH`, `validator PATH`, `speed` or `throughput`");
            // `cargo bench` without words runs every bench: this one has then nothing to say.
            true
        }
    };
    if !passed {
        exit(1);
    }
}
