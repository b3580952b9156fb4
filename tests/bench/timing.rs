//! Whether time tells what is hidden from what is not there (reference: consent.md, section 7, H38).
//!
//!     cargo bench --bench timing                    10 000 probes of each sort
//!     cargo bench --bench timing -- 2000            fewer
//!     TMPDIR=/dev/shm cargo bench --bench timing    without the noise of a disk, as a patient attacker averages it out
//!     HANDOFF_BENCH_DATABASE=postgres://… cargo bench --bench timing
//!
//! One exchange. A county probes ids over HTTP, one after the other, in an order that is drawn: those of resources
//! that are there and hidden from it, and those that the same server might have drawn and did not. For each sort of
//! probe the medians of both are printed, their ratio, and the two-sided p of a Mann-Whitney test that they are the
//! same. It holds if p is above 0.01, or the medians are within one per cent of each other.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on has failed; it prints")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use handoff::auth::Caller;
use handoff::config::Config;
use handoff::fhir::Resource;
use handoff::fhir::interaction::Interaction;
use handoff::gateway::{self, Asked, Change, Clock, Context, Ids, Request, enroll, sign_in};
use handoff::partner::{Client, Kind, Mode, Partner};
use handoff::store::bucket_in;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Resources of one person, and of one transaction.
const EACH: usize = 100;
const WARM: usize = 200;

/// What is hidden, and by what.
#[derive(Clone, Copy)]
enum Hidden {
    /// Of somebody who consented to nothing.
    Stranger,
    /// Of somebody whose consent gives the county other types.
    Type,
}

/// A sort of probe.
const PROBES: [(&str, Method); 4] = [
    ("read", Method::GET),
    ("vread", Method::GET),
    ("search by id", Method::GET),
    ("conditional create", Method::POST),
];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let probes = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(10_000);
    let folder = std::env::temp_dir().join(format!("handoff-timing-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut config = Config::load(None).unwrap();
    config.database.url = std::env::var("HANDOFF_BENCH_DATABASE")
        .unwrap_or_else(|_| format!("sqlite:{}", folder.join("timing.db").display()));
    let ctx = Arc::new(handoff::serve::context(config, true, Clock::System, Ids::Random).await.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/fhir", listener.local_addr().unwrap());
    let app = handoff::serve::app(&ctx);
    tokio::spawn(async move { axum::serve(listener, app).await });
    for (id, kind) in [("river-clinic", Kind::Clinic), ("county", Kind::SocialService)] {
        enrol(&ctx, id, kind).await;
    }
    let token = sign_in::token_for(&ctx, "county", None, 86_400).await.ok().unwrap().token;
    let prober = Prober { client: reqwest::Client::new(), base, bearer: format!("Bearer {token}") };

    println!("{probes} probes of each sort and world; microseconds");
    println!("{:<32}{:>10}{:>10}{:>9}{:>12}", "", "hidden", "absent", "ratio", "p");
    for (name, hidden) in [("of a stranger", Hidden::Stranger), ("of a type not given", Hidden::Type)] {
        for (probe, method) in PROBES {
            let there = grow(&ctx, hidden, probes).await;
            let absent = there.iter().map(|(kind, id, _)| {
                let id = ctx.ids.in_bucket(bucket_in(id).unwrap_or(0), ctx.now());
                (*kind, id.clone(), id)
            });
            let absent: Vec<(&str, String, String)> = absent.collect();
            let (mut of_hidden, mut of_absent) = (Vec::new(), Vec::new());
            for at in 0..probes {
                // A drawn order, so that neither is always the first.
                let hidden_first = ctx.ids.unlinkable().as_bytes()[0].is_multiple_of(2);
                for is_hidden in [hidden_first, !hidden_first] {
                    let of = if is_hidden { &there[at] } else { &absent[at] };
                    let taken = prober.ask(probe, &method, of).await;
                    if at >= WARM.min(probes / 10) {
                        if is_hidden { of_hidden.push(taken) } else { of_absent.push(taken) }
                    }
                }
            }
            let (one, other) = (median(&of_hidden), median(&of_absent));
            let (ratio, p) = (one / other, mann_whitney(&of_hidden, &of_absent));
            let holds = if p > 0.01 || (ratio - 1.0).abs() <= 0.01 { "holds" } else { "DOES NOT HOLD" };
            println!("{:<32}{one:>10.1}{other:>10.1}{ratio:>9.3}{p:>12.2e}   {holds}", format!("{probe} {name}"));
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}

struct Prober {
    client: reqwest::Client,
    base: String,
    bearer: String,
}

impl Prober {
    async fn ask(&self, probe: &str, method: &Method, (kind, id, identifier): &(&str, String, String)) -> Duration {
        let path = match probe {
            "read" => format!("{kind}/{id}"),
            "vread" => format!("{kind}/{id}/_history/1"),
            "search by id" => format!("{kind}?_id={id}"),
            _ => "Patient".to_string(),
        };
        let mut request = self.client.request(method.clone(), format!("{}/{path}", self.base));
        request = request.header("authorization", &self.bearer);
        if *method == Method::POST {
            // A Patient of its own, unless somebody has that identifier: of what is hidden, one does.
            request = request.header("if-none-exist", format!("identifier=http://id|{identifier}"));
            request = request.header("content-type", "application/fhir+json");
            request = request.body(json!({"resourceType": "Patient"}).to_string());
        }
        let began = Instant::now();
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let taken = began.elapsed();
        let expected = match probe {
            "read" | "vread" => 404,
            "search by id" => 200,
            _ => 201,
        };
        assert_eq!(status, expected, "{probe}: {text}");
        assert!(expected != 200 || text.contains("\"total\":0"), "{text}");
        taken
    }
}

async fn enrol(ctx: &Context, id: &str, kind: Kind) {
    let (name, mode) = (id.to_string(), Mode::Poller);
    let partner = Partner { id: id.into(), name, kind, mode, endpoint: None, regimes: vec![], part_of: None };
    enroll::partner(ctx, &partner).await.unwrap();
    let client = Client {
        btg: false,
        id: id.into(),
        partner: id.into(),
        scope: "system/*.cruds".into(),
        purposes: vec![],
        jwks: None,
        jwks_url: None,
        revoked: false,
        practitioner: None,
    };
    enroll::client(ctx, &client).await.unwrap();
}

/// Resources that are hidden from the county: type, id, and an identifier that somebody hidden has.
async fn grow(ctx: &Context, hidden: Hidden, count: usize) -> Vec<(&'static str, String, String)> {
    let caller = Caller::operator("river-clinic");
    let request = Request { id: "bench".into() };
    let mut grown = Vec::new();
    while grown.len() < count {
        let urn = |at: usize| format!("urn:uuid:00000000-0000-4000-8000-{at:012}");
        let mut resources = vec![json!({"resourceType": "Patient"})];
        let subject = json!({"reference": urn(0)});
        if let Hidden::Type = hidden {
            resources.push(consent(&subject));
        }
        let mut identifiers = Vec::new();
        for _ in 0..EACH {
            resources.push(json!({"resourceType": "Condition", "subject": subject}));
            // What the conditional create runs into: other people, of whom the county knows nothing either.
            let identifier = ctx.ids.unlinkable();
            resources
                .push(json!({"resourceType": "Patient", "identifier": [{"system": "http://id", "value": identifier}]}));
            identifiers.push(identifier);
        }
        let asked = resources.into_iter().enumerate().map(|(entry, resource)| {
            let change = Change::Create(Resource::from_value(resource).unwrap());
            Asked { change, entry, full_url: Some(urn(entry)) }
        });
        let written = gateway::submit(ctx, &caller, &request, Interaction::Transaction, asked.collect()).await;
        let written = written.ok().unwrap();
        let conditions = written.into_iter().filter(|one| one.kind == "Condition");
        grown.extend(conditions.zip(identifiers).map(|(one, identifier)| ("Condition", one.id, identifier)));
    }
    while gateway::number(ctx).await.unwrap() > 0 {}
    grown
}

/// The county may see who it is, and what that person aims at.
fn consent(patient: &Value) -> Value {
    let coding = |system: &str, code: &str| json!({"coding": [{"system": system, "code": code}]});
    let terms = "http://terminology.hl7.org/CodeSystem";
    let kinds = ["Patient", "Goal"].map(|code| json!({"system": "http://hl7.org/fhir/resource-types", "code": code}));
    json!({"resourceType": "Consent", "status": "active", "patient": patient, "dateTime": "2026-01-01T00:00:00Z",
        "scope": coding(&format!("{terms}/consentscope"), "patient-privacy"),
        "category": [coding("http://loinc.org", "59284-0")],
        "policyRule": coding(&format!("{terms}/v3-ActCode"), "OPTIN"),
        "provision": {"type": "permit", "class": kinds, "actor": [{
            "role": coding(&format!("{terms}/v3-ParticipationType"), "IRCP"),
            "reference": {"reference": "Organization/county"}}]}})
}

/// In microseconds.
fn median(taken: &[Duration]) -> f64 {
    let mut sorted = taken.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2].as_secs_f64() * 1e6
}

/// The two-sided p of the rank-sum test, by its normal approximation with ties (Mann and Whitney 1947).
fn mann_whitney(one: &[Duration], other: &[Duration]) -> f64 {
    let mut all: Vec<(Duration, bool)> = one.iter().map(|taken| (*taken, true)).collect();
    all.extend(other.iter().map(|taken| (*taken, false)));
    all.sort();
    let (mut ranks, mut ties, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let same = all[at..].iter().take_while(|(taken, _)| *taken == all[at].0).count();
        let rank = at as f64 + (same as f64 + 1.0) / 2.0;
        ranks += rank * all[at..at + same].iter().filter(|(_, is_one)| *is_one).count() as f64;
        ties += (same as f64).powi(3) - same as f64;
        at += same;
    }
    let (n, m) = (one.len() as f64, other.len() as f64);
    let total = n + m;
    let u = ranks - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * ((total + 1.0) - ties / (total * (total - 1.0)));
    erfc((u - n * m / 2.0).abs() / variance.sqrt() / 2.0_f64.sqrt())
}

/// 1 - erf(x) for x ≥ 0, to seven digits (Abramowitz and Stegun 7.1.26 is less exact; this is Chebyshev's, Numerical
/// Recipes 6.2).
fn erfc(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.5 * x);
    let terms = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let sum = terms.iter().rev().fold(0.0, |sum, term| sum * t + term);
    t * (-x * x + sum).exp()
}
