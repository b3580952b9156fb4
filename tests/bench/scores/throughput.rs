//! What a whole check costs: base definition, profiles, invariants, codes, all problems collected, one thread.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant as Watch};

use handoff::fhir::{Resource, read};
use handoff::profile::{Against, Profiles};

use crate::speed::gather;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const ROUNDS: u32 = 100;

pub fn run() -> bool {
    let started = Watch::now();
    let profiles = Profiles::bundled();
    println!("definitions at hand: {:?}", started.elapsed());
    let mut texts = Vec::new();
    gather(&Path::new(ROOT).join("../shared/examples"), &mut texts);
    if texts.is_empty() {
        println!("skipped: no ../shared/examples");
        return true;
    }
    let resources: Vec<(&str, usize, Resource)> = texts
        .iter()
        .filter_map(|(name, text)| {
            let resource = read::resource(text.as_bytes()).ok()?;
            Some((name.as_str(), resource.to_bytes().len(), resource))
        })
        .collect();
    let started = Watch::now();
    let refused = resources.iter().filter(|(_, _, it)| profiles.examine(it, &Against::default()).has_errors()).count();
    println!("the first round, which compiles what it needs: {:?}; refused: {refused}", started.elapsed());
    let mut total = Duration::ZERO;
    let mut slowest: Vec<(f64, usize, &str)> = Vec::new();
    for (name, size, resource) in &resources {
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            let watch = Watch::now();
            let _ = black_box(profiles.examine(resource, &Against::default()));
            best = best.min(watch.elapsed());
        }
        total += best;
        slowest.push((best.as_secs_f64() * 1e6, *size, name));
    }
    slowest.sort_by(|one, two| two.0.total_cmp(&one.0));
    for (us, size, name) in slowest.iter().take(8) {
        println!("{us:>8.1} us {size:>7} bytes  {name}");
    }
    let requests: Vec<f64> =
        slowest.iter().filter(|(.., name)| name.contains("ServiceRequest")).map(|(us, ..)| *us).collect();
    let (us, kb) = (total.as_secs_f64() * 1e6, slowest.iter().map(|(_, size, _)| size).sum::<usize>() as f64 / 1024.0);
    let count = resources.len() as f64;
    println!(
        "throughput: {:.0} resources/s of {:.1} KB ({:.1} us each, {:.1} us for 5.5 KB); a ServiceRequest {:.1} us",
        1e6 * count / us,
        kb / count,
        us / count,
        us / kb * 5.5,
        requests.iter().sum::<f64>() / requests.len().max(1) as f64,
    );
    true
}
