//! What consent costs: the same searches and reads by who brought the data in, for whom no consent is asked, and by
//! another partner, to whom every resource is decided.
//!
//!     cargo bench --bench consent                            20 000 people with ten resources each
//!     cargo bench --bench consent -- 100000                  a million resources
//!     HANDOFF_BENCH_DATABASE=postgres://… cargo bench --bench consent
//!
//! Each person has five Consents, of which half of the people deny the other partner what the other half permits.
//! A search of the one is narrowed to those who permit, so that both answer with the same rows.

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

const OWN: &str = "river-clinic";
const OTHER: &str = "harbor-housing";
/// Resources of one person, beside the Consents.
const EACH: usize = 10;
const CONSENTS: usize = 5;
/// People of one transaction.
const TOGETHER: usize = 10;
/// Times that each is asked.
const ROUNDS: usize = 300;

/// CODE tells those who permit from those who deny, NUMBER is somebody who permits.
const SEARCHES: [(&str, &str); 6] = [
    ("Observation", "code=http://loinc.org|yes-NUMBER&_count=20"),
    ("Observation", "category=survey&_count=20"),
    ("Goal", "lifecycle-status=active&_count=20&_sort=-start-date&start-date=2026-02-DAY"),
    ("Condition", "code=http://hl7.org/fhir/sid/icd-10-cm|Z59.0&_count=50"),
    ("CarePlan", "patient=ID&_include=CarePlan:goal"),
    ("Observation", "patient=ID&category=survey"),
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let people = std::env::args().filter_map(|word| word.parse().ok()).next_back().unwrap_or(20_000);
    let folder = std::env::temp_dir().join(format!("handoff-consent-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut config = Config::load(None).unwrap();
    config.database.url = std::env::var("HANDOFF_BENCH_DATABASE")
        .unwrap_or_else(|_| format!("sqlite:{}", folder.join("consent.db").display()));
    let ctx = Arc::new(handoff::serve::context(config, true, Clock::System, Ids::Random).await.unwrap());
    for (id, kind) in [(OWN, Kind::Clinic), (OTHER, Kind::Housing)] {
        let partner = Partner {
            id: id.into(),
            name: id.into(),
            kind,
            mode: Mode::Poller,
            endpoint: None,
            regimes: vec![],
            part_of: None,
        };
        enroll::partner(&ctx, &partner).await.unwrap();
    }
    let (own, other) = (Caller::operator(OWN), Caller::operator(OTHER));

    let began = Instant::now();
    let mut grown: Vec<(String, usize)> = Vec::new();
    while grown.len() < people {
        grown.extend(grow(&ctx, &own, grown.len()).await);
        while gateway::number(&ctx).await.unwrap() > 0 {}
    }
    println!("{people} people, {} resources, {:.0} s", people * (EACH + CONSENTS), began.elapsed().as_secs_f64());
    let began = Instant::now();
    while gateway::search(&ctx, &other, &request(), &Search::of("Goal", &[])).await.is_err() {}
    while gateway::go_on_granting(&ctx).await.unwrap() {}
    println!("the other's first search of everybody, and all grants written: {:.1} s", began.elapsed().as_secs_f64());

    let who: Vec<(String, usize)> = grown.into_iter().filter(|(_, number)| permits(*number)).collect();
    for (kind, query) in SEARCHES {
        let (alone, with) = pair(&ctx, [&own, &other], &who, kind, query).await;
        let ratio = with.as_secs_f64() / alone.as_secs_f64();
        println!("{:>8.0} us own {:>8.0} us consent {ratio:>6.2}  {kind}?{query}", us(alone), us(with));
    }
    let (mut alone, mut with) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (id, _) = &who[round.wrapping_mul(7_919) % who.len()];
        for (caller, taken) in [(&own, &mut alone), (&other, &mut with)] {
            // The second look: the first one has to read the person's consents.
            for look in 0..2 {
                let began = Instant::now();
                gateway::read(&ctx, caller, &request(), "Patient", id).await.ok().unwrap();
                if look == 1 {
                    taken.push(began.elapsed());
                }
            }
        }
    }
    let (alone, with) = (median(alone), median(with));
    println!("{:>8.0} us own {:>8.0} us consent {:>6.2}  read", us(alone), us(with), us(with) / us(alone));
    let _ = std::fs::remove_dir_all(folder);
}

/// The medians of one search by two callers in turn.
async fn pair(
    ctx: &Context,
    callers: [&Caller; 2],
    who: &[(String, usize)],
    kind: &str,
    query: &str,
) -> (Duration, Duration) {
    let mut taken = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        let (id, number) = &who[round.wrapping_mul(7_919) % who.len()];
        let text = query.replace("ID", id).replace("NUMBER", &(number % 500).to_string());
        let text = text.replace("DAY", &format!("{:02}", 1 + round % 28));
        let pairs: Vec<(String, String)> = text
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        for (caller, taken) in callers.iter().zip(&mut taken) {
            let began = Instant::now();
            let found = gateway::search(ctx, caller, &request(), &Search::of(kind, &pairs)).await.ok().unwrap();
            taken.push(began.elapsed());
            assert!(!found.matches.is_empty(), "{kind}?{text}");
        }
    }
    let [alone, with] = taken;
    (median(alone), median(with))
}

fn median(mut taken: Vec<Duration>) -> Duration {
    taken.sort();
    taken[taken.len() / 2]
}

fn us(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn request() -> Request {
    Request { id: "bench".into() }
}

fn permits(number: usize) -> bool {
    number.is_multiple_of(2)
}

/// One transaction: people with what is known of them and what they say about it.
async fn grow(ctx: &Context, caller: &Caller, from: usize) -> Vec<(String, usize)> {
    let mut asked = Vec::new();
    for number in from..from + TOGETHER {
        for (at, resource) in record(number).into_iter().enumerate() {
            let place = number * (EACH + CONSENTS) + at;
            let full_url = Some(format!("urn:uuid:00000000-0000-4000-8000-{place:012}"));
            let change = Change::Create(Resource::from_value(resource).unwrap());
            asked.push(Asked { change, entry: asked.len(), full_url });
        }
    }
    let written = gateway::submit(ctx, caller, &request(), Interaction::Transaction, asked).await.ok().unwrap();
    let patients = written.into_iter().filter(|one| one.kind == "Patient").map(|one| one.id);
    patients.zip(from..).collect()
}

fn record(number: usize) -> Vec<Value> {
    let name = |at: usize| format!("urn:uuid:00000000-0000-4000-8000-{:012}", number * (EACH + CONSENTS) + at);
    let person = json!({"reference": name(0)});
    let coded = |system: &str, code: &str| json!([{"coding": [{"system": system, "code": code}]}]);
    let answer = if permits(number) { "yes" } else { "no" };
    let mut record = vec![
        json!({"resourceType": "Patient", "active": true, "birthDate": "1990-05-17",
            "name": [{"family": format!("Sample{number}"), "given": ["Ana"]}]}),
        json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": person,
            "category": coded("http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "assess-plan"),
            "goal": [{"reference": name(2)}]}),
        json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "a home"},
            "subject": person, "startDate": format!("2026-02-{:02}", 1 + number / 2 % 28)}),
        json!({"resourceType": "Condition", "subject": person, "code": coded("http://hl7.org/fhir/sid/icd-10-cm", "Z59.0")[0],
            "clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "active")[0]}),
    ];
    for at in record.len()..EACH {
        record.push(json!({"resourceType": "Observation", "status": "final", "subject": person,
            "effectiveDateTime": format!("2026-01-{at:02}"),
            "category": coded("http://terminology.hl7.org/CodeSystem/observation-category", "survey"),
            "code": coded("http://loinc.org", &format!("{answer}-{}", number % 500))[0]}));
    }
    let recipient = json!([{"role": coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")[0],
        "reference": {"reference": format!("Organization/{OTHER}")}}]);
    let kinds = ["Goal", "Observation", "Condition", "CarePlan"];
    for at in 0..CONSENTS {
        let mut provision = json!({"type": "permit", "actor": recipient,
            "period": {"start": "2026-01-01", "end": "2036-01-01"}});
        if at > 0 {
            provision["class"] = json!([{"system": "http://hl7.org/fhir/resource-types", "code": kinds[at - 1]}]);
        }
        if !permits(number) && at == 0 {
            provision["type"] = json!("deny");
        }
        record.push(json!({"resourceType": "Consent", "status": "active", "patient": person,
            "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")[0],
            "category": coded("http://loinc.org", "59284-0"), "dateTime": "2026-01-15T10:00:00Z",
            "policy": [{"uri": format!("https://example.org/form-{at}")}], "provision": provision}));
    }
    record
}
