//! A gateway for one test: its own database, a clock that the test moves, ids that count, a crank that the test
//! turns, and actors that speak HTTP to it.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use handoff::config::Config;
use handoff::delivery::{Courier, turn};
use handoff::fhir::Instant;
use handoff::gateway::{self, Clock, Context, Ids, Request, enroll, sign_in};
use handoff::partner::{Client, Kind, Mode, Partner, Role, User};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Where a test's data lives.
#[derive(Clone, Copy, Debug)]
pub enum On {
    Sqlite,
    Postgres,
}

/// Writes the test once and runs it on both databases.
#[macro_export]
macro_rules! on_both {
    ($name:ident) => {
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                super::$name($crate::harness::On::Sqlite).await;
            }

            #[tokio::test]
            async fn postgres() {
                if $crate::harness::postgres().is_some() {
                    super::$name($crate::harness::On::Postgres).await;
                }
            }
        }
    };
}

/// The server for the tests on PostgreSQL. Without one they are skipped, and say so; where the gate requires one,
/// they fail.
pub fn postgres() -> Option<String> {
    let url = std::env::var("HANDOFF_TEST_POSTGRES").ok();
    assert!(url.is_some() || std::env::var("HANDOFF_REQUIRE_POSTGRES").is_err(), "HANDOFF_TEST_POSTGRES is not set");
    if url.is_none() {
        eprintln!("skipped: HANDOFF_TEST_POSTGRES names no server");
    }
    url
}

pub struct TestGateway {
    pub ctx: Arc<Context>,
    pub address: String,
    courier: Courier,
    clock: Arc<AtomicI64>,
    client: reqwest::Client,
    _home: Home,
}

/// A database that goes away with its test.
struct Home(Option<std::path::PathBuf>);

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// The moment at which every test begins, and as a person writes it.
pub const NOW: &str = "2026-03-02T12:00:00Z";

impl TestGateway {
    pub async fn start(on: On) -> TestGateway {
        TestGateway::start_with(on, |_| {}).await
    }

    pub async fn start_with(on: On, configure: impl FnOnce(&mut Config)) -> TestGateway {
        let mut config = Config::load(None).unwrap();
        let (url, home) = database(on).await;
        config.database.url = url;
        config.database.connections = 4;
        config.delivery.allow_private = true;
        configure(&mut config);
        let clock = Arc::new(AtomicI64::new(Instant::parse(NOW).unwrap().0));
        TestGateway::serve(config, clock, 1, home).await
    }

    /// Another process on the same database, by the same clock; as well the same one after a restart.
    pub async fn another_node(&self) -> TestGateway {
        TestGateway::serve(self.ctx.config.clone(), self.clock.clone(), 1 << 32, Home(None)).await
    }

    async fn serve(mut config: Config, clock: Arc<AtomicI64>, first_id: u64, home: Home) -> TestGateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        config.server.bind = listener.local_addr().unwrap().to_string();
        let ids = Ids::Seeded(AtomicU64::new(first_id));
        let ctx = handoff::serve::context(config, true, Clock::Fixed(clock.clone()), ids).await.unwrap();
        let ctx = Arc::new(ctx);
        let address = format!("http://{}", listener.local_addr().unwrap());
        let app = handoff::serve::app(&ctx);
        tokio::spawn(async move { axum::serve(listener, app).await });
        let courier = Courier::new(&ctx.config.delivery).unwrap();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        TestGateway { ctx, address, courier, clock, client, _home: home }
    }

    /// The exchange of the fixtures: a clinic, a housing agency at `endpoint`, a social service and a food bank.
    pub async fn exchange(on: On, endpoint: Option<&str>) -> TestGateway {
        TestGateway::start(on).await.with_partners(endpoint).await
    }

    pub async fn exchange_with(on: On, configure: impl FnOnce(&mut Config)) -> TestGateway {
        TestGateway::start_with(on, configure).await.with_partners(None).await
    }

    async fn with_partners(self, endpoint: Option<&str>) -> TestGateway {
        let gw = self;
        gw.enrol("river-clinic", Kind::Clinic, None).await;
        gw.enrol("harbor-housing", Kind::Housing, endpoint).await;
        gw.enrol("county-social-service", Kind::SocialService, None).await;
        gw.enrol("corner-food-bank", Kind::Food, None).await;
        gw
    }

    pub async fn enrol(&self, id: &str, kind: Kind, endpoint: Option<&str>) {
        self.enrol_as(id, kind, endpoint, None).await;
    }

    /// Loads the law without the rule that keeps a victim service's records out of a shared store unless they were
    /// released into it: for tests that need such records.
    pub async fn lets_shelters_share(&self) {
        let mut law: Value = serde_json::from_str(include_str!("../../profiles/handoff/regimes.json")).unwrap();
        let mut discretion = law["discretion"].take();
        for one in discretion.as_array_mut().unwrap() {
            one.as_object_mut().unwrap().remove("sharedStore");
        }
        let document = json!({"version": "test", "discretion": discretion});
        handoff::gateway::regimes::load(&self.ctx, &document).await.unwrap();
    }

    /// A branch that coordinates care.
    pub async fn enrol_under(&self, id: &str, parent: &str) {
        self.enrol_as(id, Kind::SocialService, None, Some(parent.to_string())).await;
    }

    async fn enrol_as(&self, id: &str, kind: Kind, endpoint: Option<&str>, part_of: Option<String>) {
        let mode = if endpoint.is_some() { Mode::Server } else { Mode::Light };
        let partner = Partner {
            id: id.into(),
            name: id.into(),
            kind,
            mode,
            endpoint: endpoint.map(str::to_string),
            regimes: vec![],
            part_of,
        };
        enroll::partner(&self.ctx, &partner).await.unwrap();
        self.client(&format!("{id}-system"), id, "system/*.cruds").await;
        self.client(&format!("{id}-compliance"), id, "system/AuditEvent.rs").await;
        let user = User {
            id: format!("{id}-worker"),
            partner: id.into(),
            role: Role::AgencyStaff,
            btg: false,
            practitioner: None,
        };
        enroll::user(&self.ctx, &user).await.unwrap();
    }

    pub async fn client(&self, id: &str, partner: &str, scope: &str) {
        let client = Client {
            id: id.into(),
            partner: partner.into(),
            scope: scope.into(),
            purposes: vec![],
            jwks: None,
            jwks_url: None,
            revoked: false,
            btg: false,
            practitioner: None,
        };
        enroll::client(&self.ctx, &client).await.unwrap();
    }

    /// A partner's system, signed in.
    pub async fn system(&self, partner: &str) -> Actor {
        self.signed_in(&format!("{partner}-system")).await
    }

    /// A partner's compliance client, which reads the log alone.
    pub async fn compliance(&self, partner: &str) -> Actor {
        self.signed_in(&format!("{partner}-compliance")).await
    }

    pub async fn signed_in(&self, client: &str) -> Actor {
        let token = sign_in::token_for(&self.ctx, client, None, 300).await.ok().unwrap().token;
        Actor { base: self.address.clone(), token: Some(token), client: self.client.clone() }
    }

    /// Somebody without a token.
    pub fn stranger(&self) -> Actor {
        Actor { base: self.address.clone(), token: None, client: self.client.clone() }
    }

    /// Turns the delivery crank once.
    pub async fn deliver_due(&self) -> usize {
        turn(&self.ctx, &self.courier).await.unwrap()
    }

    /// Turns the crank of exports once; answers how many pages were listed.
    pub async fn export_due(&self) -> usize {
        gateway::export::turn(&self.ctx).await.unwrap()
    }

    /// Turns what the clock turns: the sequencer, and referrals that time alone may change.
    pub async fn tick(&self) {
        gateway::recheck(&self.ctx, &Request { id: "tick".into() }).await.unwrap();
        while gateway::number(&self.ctx).await.unwrap() > 0 {}
    }

    pub fn advance_secs(&self, secs: i64) {
        self.clock.fetch_add(secs * 1_000_000, Ordering::SeqCst);
    }
}

async fn database(on: On) -> (String, Home) {
    let name = format!("handoff_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
    match on {
        On::Sqlite => {
            let folder = std::env::temp_dir().join(&name);
            std::fs::create_dir_all(&folder).unwrap();
            (format!("sqlite:{}", folder.join("test.db").display()), Home(Some(folder)))
        }
        On::Postgres => {
            let server = postgres().unwrap();
            let pool = sqlx::PgPool::connect(&server).await.unwrap();
            sqlx::query(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}"))).execute(&pool).await.unwrap();
            let joint = if server.contains('?') { "&" } else { "?" };
            (format!("{server}{joint}options[search_path]={name}"), Home(None))
        }
    }
}

/// Who speaks to the gateway.
#[derive(Clone)]
pub struct Actor {
    base: String,
    token: Option<String>,
    client: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Actor {
    /// The same, with a token of its own.
    pub fn with_token(&self, token: &str) -> Actor {
        Actor { token: Some(token.to_string()), ..self.clone() }
    }

    /// `http://127.0.0.1:…`, as it addresses the gateway.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<String>) -> Answer {
        let url = if path.starts_with("http") { path.to_string() } else { format!("{}{path}", self.base) };
        let mut request = self.client.request(method, url);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/fhir+json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.body(body.unwrap_or_default()).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, headers, text, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body.to_string())).await
    }

    /// Updates from the version that `body` says it was read at.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        let tag = format!("W/\"{}\"", body["meta"]["versionId"].as_str().unwrap_or("0"));
        self.send(Method::PUT, path, &[("if-match", &tag)], Some(body.to_string())).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None).await
    }

    /// Ends a consent; answers with the operation's Parameters.
    pub async fn revokes(&self, consent: &Value) -> Value {
        self.post(&format!("/fhir/{}/$revoke", key(consent)), &json!({"resourceType": "Parameters"})).await.is(200).body
    }

    /// Creates and answers with what was stored.
    pub async fn creates(&self, resource: &Value) -> Value {
        let kind = resource["resourceType"].as_str().unwrap();
        self.post(&format!("/fhir/{kind}"), resource).await.is(201).body
    }

    /// Submits a transaction of the fixtures; answers the first resource of each type.
    pub async fn submits(&self, bundle: &Value) -> Submitted {
        let answer = self.post("/fhir", bundle).await.is(200);
        Submitted(answer.body["entry"].as_array().unwrap().clone())
    }
}

impl Answer {
    #[track_caller]
    pub fn is(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// The stable codes of an OperationOutcome's issues.
    pub fn rules(&self) -> Vec<String> {
        let issues = self.body["issue"].as_array().cloned().unwrap_or_default();
        issues.iter().map(|issue| issue["details"]["coding"][0]["code"].as_str().unwrap_or("").to_string()).collect()
    }

    /// `Type/id` of a searchset's matches.
    pub fn keys(&self) -> Vec<String> {
        let entries = self.body["entry"].as_array().cloned().unwrap_or_default();
        let matches = entries.iter().filter(|entry| entry["search"]["mode"] == "match");
        matches.map(|entry| key(&entry["resource"])).collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

/// The answers to a transaction.
pub struct Submitted(pub Vec<Value>);

impl Submitted {
    pub fn one(&self, kind: &str) -> Value {
        self.entry(kind)["resource"].clone()
    }

    pub fn entry(&self, kind: &str) -> Value {
        self.0.iter().find(|entry| entry["resource"]["resourceType"] == kind).unwrap().clone()
    }

    pub fn key(&self, kind: &str) -> String {
        key(&self.one(kind))
    }
}

pub fn key(resource: &Value) -> String {
    format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap())
}

/// The exchange of the fixtures, with the clinic's system at hand.
pub async fn start(on: On) -> (TestGateway, Actor) {
    let gw = TestGateway::exchange(on, None).await;
    let clinic = gw.system("river-clinic").await;
    (gw, clinic)
}

/// Somebody whom nothing is known of but a name.
pub fn patient() -> Value {
    json!({"resourceType": "Patient", "name": [{"family": "Sample"}]})
}

/// A transaction of the fixtures.
pub fn fixture(name: &str) -> Value {
    let path = format!("{}/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A fixture without the entries of one type.
pub fn without(name: &str, kind: &str) -> Value {
    let mut bundle = fixture(name);
    let entries = bundle["entry"].as_array_mut().unwrap();
    entries.retain(|entry| entry["resource"]["resourceType"] != kind);
    bundle
}

pub fn entry(resource: &Value) -> Value {
    let kind = resource["resourceType"].as_str().unwrap();
    json!({"resource": resource, "request": {"method": "POST", "url": kind}})
}

/// A partner's own FHIR server: keeps what it is sent and answers with a status that the test sets.
pub struct Receiver {
    pub base: String,
    state: Arc<(Mutex<Vec<Value>>, AtomicUsize)>,
}

impl Receiver {
    pub async fn start() -> Receiver {
        let state = Arc::new((Mutex::new(Vec::new()), AtomicUsize::new(200)));
        let app = Router::new().route("/fhir", axum::routing::post(receive)).with_state(state.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/fhir", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Receiver { base, state }
    }

    pub fn answers(&self, status: u16) {
        self.state.1.store(status.into(), Ordering::SeqCst);
    }

    pub fn received(&self) -> Vec<Value> {
        self.state.0.lock().unwrap().clone()
    }
}

async fn receive(State(state): State<Arc<(Mutex<Vec<Value>>, AtomicUsize)>>, body: Bytes) -> axum::http::StatusCode {
    state.0.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    axum::http::StatusCode::from_u16(state.1.load(Ordering::SeqCst) as u16).unwrap()
}
