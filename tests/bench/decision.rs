//! What a decision costs: reading a Consent, fixing a question, deciding on a resource (issue 4, speed).
//!
//!     cargo bench --bench decision
//!
//! Half of the consents are about the caller, the rest about others; rules use every selector. Each figure is the
//! median and the 99th percentile of single calls, beside the bound that issue 4 gives it.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on has failed; it prints")]

use std::hint::black_box;
use std::time::{Duration, Instant as Watch};

use handoff::consent::{Action, Directive, Directives, Facts, Policy, Question, Recipient, World, specialise};
use handoff::fhir::{Instant, Resource, Zone};
use serde_json::{Value, json};

// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: &str = "2026-11-22T12:00:00-05:00";

fn main() {
    let world = world();
    let eight: Vec<Resource> = (0..10).map(|id| consent(id, 8)).collect();
    let rows: Vec<Resource> = (0..64).map(row).collect();
    let facts: Vec<Facts> = rows.iter().map(|row| Facts::of(row, &world)).collect();

    let read = times(2_000, |at| {
        black_box(Directive::read(&eight[at % eight.len()]));
    });
    print("compile a Consent of 8 rules", &read, "50 µs");

    let person = person(&eight, &world);
    let question = question(&world);
    let fixed = times(2_000, |_| {
        black_box(specialise(&person, &world, &question));
    });
    print("specialise 10 consents of 8 rules", &fixed, "");
    let residual = specialise(&person, &world, &question);
    let decided = times(200_000, |at| {
        black_box(residual.decide(&facts[at % facts.len()]));
    });
    print("decide at 10 consents of 8 rules", &decided, "1 µs at p99");
    let shown = facts.iter().filter(|facts| residual.decide(facts).permits()).count();
    println!("    {shown} of {} permitted", facts.len());
    let condition = residual.condition();
    let held = times(200_000, |at| {
        black_box(condition.holds(&facts[at % facts.len()]));
    });
    print("its condition, on a resource", &held, "");

    let fifty: Vec<Resource> = (0..200).map(|id| consent(id, 50)).collect();
    let read = times(200, |at| {
        black_box(Directive::read(&fifty[at % fifty.len()]));
    });
    print("compile a Consent of 50 rules", &read, "");
    let many = self::person(&fifty, &world);
    let fixed = times(100, |_| {
        black_box(specialise(&many, &world, &question));
    });
    print("specialise 200 consents of 50 rules", &fixed, "1 ms");
    let told = times(50, |_| {
        black_box(specialise(&many, &world, &question).condition());
    });
    print("and their condition", &told, "");

    let crowd: Vec<Directive> = (0..10_000).map(|id| Directive::read(&consent(id, 1))).collect();
    let built = times(3, |_| {
        black_box(Directives::of("Patient/ana", crowd.clone(), &world, &Policy::deny()));
    });
    print("10 000 consents of one person, taken together", &built, "");
    let crowd = Directives::of("Patient/ana", crowd, &world, &Policy::deny());
    let fixed = times(10, |_| {
        black_box(specialise(&crowd, &world, &question));
    });
    print("10 000 consents, specialised", &fixed, "");
    let residual = specialise(&crowd, &world, &question);
    let decided = times(500, |at| {
        black_box(residual.decide(&facts[at % facts.len()]));
    });
    print("10 000 consents, decided", &decided, "");
}

fn times(rounds: usize, mut once: impl FnMut(usize)) -> Vec<Duration> {
    (0..rounds.min(64)).for_each(&mut once);
    let mut found: Vec<Duration> = (0..rounds)
        .map(|round| {
            let began = Watch::now();
            once(round);
            began.elapsed()
        })
        .collect();
    found.sort();
    found
}

fn print(what: &str, times: &[Duration], bound: &str) {
    let micros = |at: usize| times[at.min(times.len() - 1)].as_nanos() as f64 / 1_000.0;
    let (half, most) = (micros(times.len() / 2), micros(times.len() * 99 / 100));
    let bound = if bound.is_empty() { String::new() } else { format!("   (bound: {bound})") };
    println!("{what}: {half:.2} µs, p99 {most:.2} µs{bound}");
}

fn world() -> World {
    let organization = |id: &str, kind: &str| {
        json!({"resourceType": "Organization", "id": id, "type": [{"coding": [
            {"system": handoff::consent::PARTNER_KIND, "code": kind}]}]})
    };
    let mut all = vec![json!({"resourceType": "Patient", "id": "ana", "birthDate": "1984-03-09"})];
    all.extend([organization("clinic", "clinic"), organization("harbor", "housing")]);
    all.extend((0..50).map(|id| organization(&format!("other-{id}"), "clinic")));
    World::new(all.into_iter().map(|one| Resource::from_value(one).unwrap()).collect())
}

fn person(consents: &[Resource], world: &World) -> Directives {
    Directives::of("Patient/ana", consents.iter().map(Directive::read).collect(), world, &Policy::deny())
}

fn question(world: &World) -> Question {
    Question {
        recipient: Recipient::of(world, "Organization/harbor", None, &[]),
        purposes: vec!["TREAT".to_string()],
        action: Action::Access,
        at: Instant::parse(NOW).unwrap(),
        zone: Zone::of(NOW).unwrap(),
        emergency: None,
    }
}

/// A permit with exceptions; every other one is somebody else's.
fn consent(id: usize, rules: usize) -> Resource {
    let whose = if id.is_multiple_of(2) { "harbor".to_string() } else { format!("other-{}", id % 50) };
    let nested: Vec<Value> = (1..rules).map(|place| exception(id * 7 + place)).collect();
    let made = json!({
        "resourceType": "Consent", "id": format!("c{id}"), "status": "active",
        "meta": {"versionId": "1", "lastUpdated": "2026-01-15T15:00:05Z"},
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "patient": {"reference": "Patient/ana"}, "dateTime": "2026-01-15T10:00:00-05:00",
        "performer": [{"reference": "Patient/ana"}],
        "policy": [{"uri": format!("https://handoff.example/fhir/policy/p{id}")}],
        "organization": [{"reference": "Organization/clinic"}],
        "provision": {
            "type": "permit", "period": {"start": "2026-01-01", "end": "2027-12-31"},
            "actor": [actor(&whose)], "purpose": [{"system": handoff::consent::ACT_REASON, "code": "TREAT"}],
            "provision": nested,
        },
    });
    Resource::from_value(made).unwrap()
}

fn actor(id: &str) -> Value {
    let role =
        json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]});
    json!({"role": role, "reference": {"reference": format!("Organization/{id}")}})
}

fn exception(place: usize) -> Value {
    let act = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let mut rule = json!({"type": if place.is_multiple_of(3) { "permit" } else { "deny" }});
    let (name, value) = match place % 7 {
        0 => ("securityLabel", json!([{"system": act, "code": "HIV"}, {"system": act, "code": "ETH"}])),
        1 => ("class", json!([{"system": "http://hl7.org/fhir/resource-types", "code": "Condition"}])),
        2 => ("code", json!([{"coding": [{"system": "http://loinc.org", "code": format!("{place}-0")}]}])),
        3 => ("dataPeriod", json!({"start": "2020-01-01", "end": "2020-12-31"})),
        4 => ("purpose", json!([{"system": handoff::consent::ACT_REASON, "code": "HMARKT"}])),
        5 => ("actor", json!([actor(&format!("other-{}", place % 50))])),
        _ => (
            "data",
            json!([{"meaning": "instance", "reference": {"reference": format!("Observation/o{}", place % 64)}}]),
        ),
    };
    rule[name] = value;
    rule
}

fn row(id: usize) -> Resource {
    let rank = ["N", "N", "R", "L"][id % 4];
    let made = json!({
        "resourceType": if id % 8 == 7 { "Condition" } else { "Observation" }, "id": format!("o{id}"),
        "subject": {"reference": "Patient/ana"}, "status": "final", "effectiveDateTime": "2026-02-03T10:00:00-05:00",
        "meta": {"source": "Organization/clinic", "security": [{"system": handoff::consent::CONFIDENTIALITY, "code": rank}]},
        "code": {"coding": [{"system": "http://loinc.org", "code": format!("{id}-0")}]},
        "performer": [{"reference": "Organization/clinic"}],
    });
    Resource::from_value(made).unwrap()
}
