//! What a search on one person's data costs when there is a hundred times as much beside it.
//!
//!     cargo bench --bench scale                              10 thousand and 1 million resources, SQLite
//!     cargo bench --bench scale -- 10000 100000              other sizes
//!     HANDOFF_BENCH_DATABASE=postgres://… cargo bench --bench scale
//!
//! Every size is the same exchange grown further: people with ten resources each, brought in by transactions with
//! every check on. Then the same searches run on people drawn from all of them, and the ratio of the costs is printed.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on has failed; it prints")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use handoff::auth::Caller;
use handoff::config::Config;
use handoff::fhir::Resource;
use handoff::fhir::interaction::Interaction;
use handoff::gateway::{self, Asked, Change, Clock, Context, Ids, Request, Search, enroll};
use handoff::partner::{Kind, Mode, Partner};
use serde_json::{Value, json};

const PARTNER: &str = "river-clinic";
/// Resources of one person.
const EACH: usize = 10;
/// People of one transaction.
const TOGETHER: usize = 20;
/// Searches of one kind that are timed.
const ROUNDS: usize = 400;

const SEARCHES: [(&str, &str); 8] = [
    ("Observation", "patient=ID&category=survey"),
    ("Observation", "patient=ID&code=http://loinc.org|x-3"),
    ("Observation", "patient=ID&date=ge2026-01-02"),
    ("CarePlan", "patient=ID&category=assess-plan&_include=CarePlan:goal"),
    ("Goal", "patient=ID&_sort=-start-date"),
    ("Condition", "patient=ID&patient.family=FAMILY"),
    ("Patient", "_id=ID&_revinclude=Goal:patient"),
    ("Patient", "family=FAMILY&birthdate=1990-05-17"),
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10_000, 1_000_000] } else { sizes };
    let folder = std::env::temp_dir().join(format!("handoff-scale-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut config = Config::load(None).unwrap();
    config.database.url = std::env::var("HANDOFF_BENCH_DATABASE")
        .unwrap_or_else(|_| format!("sqlite:{}", folder.join("scale.db").display()));
    let ctx = handoff::serve::context(config, true, Clock::System, Ids::Random).await.unwrap();
    let ctx = Arc::new(ctx);
    let partner = Partner {
        id: PARTNER.into(),
        name: PARTNER.into(),
        kind: Kind::Clinic,
        mode: Mode::Poller,
        endpoint: None,
        regimes: vec![],
        part_of: None,
    };
    enroll::partner(&ctx, &partner).await.unwrap();
    let caller = Caller::operator(PARTNER);

    let mut people: Vec<(String, usize)> = Vec::new();
    let mut first: Vec<Duration> = Vec::new();
    for size in sizes {
        let began = Instant::now();
        let before = people.len() * EACH;
        while people.len() * EACH < size {
            people.extend(grow(&ctx, &caller, people.len()).await);
            while gateway::number(&ctx).await.unwrap() > 0 {}
        }
        let grown = people.len() * EACH - before;
        println!(
            "\n{} resources ({:.0}/s brought in)",
            people.len() * EACH,
            grown as f64 / began.elapsed().as_secs_f64()
        );
        let costs = search(&ctx, &caller, &people).await;
        for (at, ((kind, query), cost)) in SEARCHES.iter().zip(&costs).enumerate() {
            let ratio = first.get(at).map_or(String::new(), |first| {
                format!("   {:.2} times the first", cost.as_secs_f64() / first.as_secs_f64())
            });
            println!("{:>8.0} us  {kind}?{query}{ratio}", cost.as_secs_f64() * 1e6);
        }
        if first.is_empty() {
            first = costs;
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}

/// The median of each search, over people drawn from all.
async fn search(ctx: &Context, caller: &Caller, people: &[(String, usize)]) -> Vec<Duration> {
    let mut costs = Vec::new();
    let request = Request { id: "bench".into() };
    for (kind, query) in SEARCHES {
        let mut taken = Vec::new();
        for round in 0..ROUNDS + 20 {
            let (id, number) = &people[round.wrapping_mul(7_919) % people.len()];
            let pairs: Vec<(String, String)> = query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| {
                    (name.to_string(), value.replace("ID", id).replace("FAMILY", &format!("Sample{number}")))
                })
                .collect();
            let began = Instant::now();
            let found = gateway::search(ctx, caller, &request, &Search::of(kind, &pairs)).await.ok().unwrap();
            taken.push(began.elapsed());
            assert!(!found.matches.is_empty(), "{kind}?{query} of {id}");
        }
        let mut taken = taken.split_off(20);
        taken.sort();
        costs.push(taken[taken.len() / 2]);
    }
    costs
}

/// One transaction: people with what is known of them.
async fn grow(ctx: &Context, caller: &Caller, from: usize) -> Vec<(String, usize)> {
    let mut asked = Vec::new();
    for number in from..from + TOGETHER {
        for (at, resource) in record(number).into_iter().enumerate() {
            let full_url = Some(format!("urn:uuid:00000000-0000-4000-8000-{:012}", number * EACH + at));
            let change = Change::Create(Resource::from_value(resource).unwrap());
            asked.push(Asked { change, entry: asked.len(), full_url });
        }
    }
    let request = Request { id: "bench".into() };
    let written = gateway::submit(ctx, caller, &request, Interaction::Transaction, asked).await.ok().unwrap();
    let patients = written.into_iter().filter(|one| one.kind == "Patient").map(|one| one.id);
    patients.zip(from..).collect()
}

fn record(number: usize) -> Vec<Value> {
    let name = |at: usize| format!("urn:uuid:00000000-0000-4000-8000-{:012}", number * EACH + at);
    let person = json!({"reference": name(0)});
    let mut record = vec![
        json!({"resourceType": "Patient", "active": true, "gender": "female", "birthDate": "1990-05-17",
            "name": [{"family": format!("Sample{number}"), "given": ["Ana"]}],
            "identifier": [{"system": "https://river-clinic.example/mrn", "value": number.to_string()}]}),
        json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": person,
            "category": [{"coding": [{"system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan"}]}],
            "goal": [{"reference": name(2)}]}),
        json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "a home"},
            "subject": person, "startDate": "2026-02-01"}),
        json!({"resourceType": "Condition", "subject": person,
            "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "Z59.0"}]}}),
    ];
    for at in record.len()..EACH {
        record.push(json!({"resourceType": "Observation", "status": "final", "subject": person,
            "effectiveDateTime": format!("2026-01-{:02}", at),
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": format!("x-{}", at % 4)}]},
            "valueQuantity": {"value": at, "unit": "h", "system": "http://unitsofmeasure.org", "code": "h"}}));
    }
    record
}
