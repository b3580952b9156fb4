//! `handoff demo`: a whole small exchange with synthetic people, ready to click.
//!
//! The people and referrals are our own fixtures, submitted through the same flow as anybody's. A demo's database
//! is new each time; its sign-in links work only because the demo turns them on.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

use crate::auth::Caller;
use crate::config::Config;
use crate::fhir::bundle;
use crate::fhir::interaction::Interaction;
use crate::fhir::read;
use crate::gateway::{self, Asked, Change, Clock, Context, Error, Ids, Request, Written, enroll, sign_in};
use crate::partner::{Client, Kind, Mode, Partner, Role, User};

use super::put;

#[derive(Args)]
pub struct Demo {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8080")]
    bind: String,
    /// Where the demo's database goes; a folder of its own in the system's temporary one if not given.
    #[arg(long)]
    dir: Option<PathBuf>,
}

const PARTNERS: [(&str, &str, Kind, Mode); 4] = [
    ("river-clinic", "River Clinic", Kind::Clinic, Mode::Poller),
    ("harbor-housing", "Harbor Housing Agency", Kind::Housing, Mode::Light),
    ("county-social-service", "County Social Service", Kind::SocialService, Mode::Poller),
    ("corner-food-bank", "Corner Food Bank", Kind::Food, Mode::Light),
];

/// Id, partner, role, and what the person would look at first.
const USERS: [(&str, &str, Role, &str); 4] = [
    ("hana", "harbor-housing", Role::AgencyStaff, "Hana of the housing agency, with Ana's referral in her inbox"),
    ("felix", "corner-food-bank", Role::AgencyStaff, "Felix of the food bank, with Carla's referral in his inbox"),
    ("clara", "river-clinic", Role::CaseManager, "Clara of the clinic, who sent them and sees that Ben's is held"),
    ("omar", "river-clinic", Role::Compliance, "Omar, compliance officer, who reads the consent log"),
];

const ANA: &str = include_str!("../../fixtures/ana.json");
const BEN: &str = include_str!("../../fixtures/ben.json");
const CARLA: &str = include_str!("../../fixtures/carla.json");
const BEN_CONSENT: &str = include_str!("../../fixtures/ben-consent.json");

/// A demo's tokens outlive the afternoon.
const TOKEN_SECS: i64 = 86_400;

impl Demo {
    pub async fn run(self) -> Result<ExitCode, String> {
        let listener = TcpListener::bind(&self.bind).await.map_err(|error| format!("--bind {}: {error}", self.bind))?;
        let address = format!("http://{}", listener.local_addr().map_err(|error| error.to_string())?);
        let dir = self.dir.unwrap_or_else(|| std::env::temp_dir().join(format!("handoff-demo-{}", std::process::id())));
        std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        for file in ["demo.db", "demo.db-wal", "demo.db-shm"] {
            let _ = std::fs::remove_file(dir.join(file));
        }
        let mut config = Config::load(None)?;
        config.database.url = format!("sqlite:{}", dir.join("demo.db").display());
        config.server.base_url = Some(address.clone());
        config.delivery.allow_private = true;
        config.console.sign_in_links = true;
        let ctx = Arc::new(crate::serve::context(config, true, Clock::System, Ids::Random).await?);
        let people = fill(&ctx).await?;
        put(&welcome(&ctx, &address, &dir, &people).await?);
        crate::serve::serve(ctx, listener).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The ids that the welcome shows.
struct People {
    ana: String,
    ana_condition: String,
    ben: String,
}

async fn fill(ctx: &Context) -> Result<People, String> {
    for (id, name, kind, mode) in PARTNERS {
        let (id, name) = (id.to_string(), name.to_string());
        let partner = Partner { id: id.clone(), name, kind, mode, endpoint: None, regimes: vec![], part_of: None };
        enroll::partner(ctx, &partner).await?;
        let client = Client {
            id: format!("{id}-system"),
            partner: id,
            scope: "system/*.cruds".to_string(),
            purposes: Vec::new(),
            jwks: None,
            jwks_url: None,
            revoked: false,
            btg: false,
            practitioner: None,
        };
        enroll::client(ctx, &client).await?;
    }
    for (id, partner, role, _) in USERS {
        enroll::user(
            ctx,
            &User { id: id.to_string(), partner: partner.to_string(), role, btg: false, practitioner: None },
        )
        .await?;
    }
    let ana = submit(ctx, ANA).await?;
    let ben = submit(ctx, BEN).await?;
    submit(ctx, CARLA).await?;
    let id = |written: &[Written], kind: &str| {
        written.iter().find(|one| one.kind == kind).map(|one| one.id.clone()).unwrap_or_default()
    };
    Ok(People { ana: id(&ana, "Patient"), ana_condition: id(&ana, "Condition"), ben: id(&ben, "Patient") })
}

/// Submits a fixture as the clinic's system would.
async fn submit(ctx: &Context, fixture: &str) -> Result<Vec<Written>, String> {
    let sent = read::resource(fixture.as_bytes()).map_err(|issue| issue.text)?;
    let (_, entries) = bundle::read(sent).map_err(|_| "a fixture is no transaction".to_string())?;
    let asked = entries.into_iter().enumerate().filter_map(|(entry, sent)| {
        Some(Asked { change: Change::Create(sent.resource?), entry, full_url: sent.full_url })
    });
    let request = Request { id: "demo".to_string() };
    let caller = Caller::operator("river-clinic");
    let written = gateway::submit(ctx, &caller, &request, Interaction::Transaction, asked.collect()).await;
    written.map_err(|error| match error {
        Error::Fault(fault) => fault.to_string(),
        Error::No(_, issues) => issues.first().map_or(String::new(), |issue| issue.text.clone()),
    })
}

async fn welcome(ctx: &Context, address: &str, dir: &std::path::Path, people: &People) -> Result<String, String> {
    let mut lines = vec![
        "handoff demo: a clinic, a housing agency, a social service and a food bank, with synthetic people."
            .to_string(),
        format!("Everything is in {} and is made anew each time. Stop with Ctrl-C.", dir.display()),
        String::new(),
        format!("Open the console at {address}/console, signed in with one click as"),
    ];
    for (id, _, _, who) in USERS {
        let link = sign_in::link_for(ctx, id).await?.ok_or("a user of the demo is missing")?;
        lines.push(format!("  {who}:"));
        lines.push(format!("    {address}/console/sign-in?link={link}"));
    }
    let token = |client: &'static str| async move {
        let granted = sign_in::token_for(ctx, client, None, TOKEN_SECS).await;
        granted.map(|granted| granted.token).map_err(|_| format!("no token for {client}"))
    };
    let (social, clinic) = (token("county-social-service-system").await?, token("river-clinic-system").await?);
    let consent = BEN_CONSENT.replace("PATIENT", &people.ben).replace('\n', " ");
    let consent = consent.split_whitespace().collect::<Vec<&str>>().join(" ");
    lines.extend([
        String::new(),
        "Try it as a program would:".to_string(),
        "1. The social service asks for Ana's plan, and gets what her consent gives it:".to_string(),
        format!("curl -s -H 'Authorization: Bearer {social}' '{address}/fhir/CarePlan?patient={}'", people.ana),
        "2. It asks for her diagnosis by id, which her consent does not give: 404, as if there were none:".to_string(),
        format!("curl -s -H 'Authorization: Bearer {social}' '{address}/fhir/Condition/{}'", people.ana_condition),
        "3. The clinic files Ben's consent: his held referral goes to the food bank by itself (look at Felix's inbox):".to_string(),
        format!("curl -s -H 'Authorization: Bearer {clinic}' -H 'Content-Type: application/fhir+json' {address}/fhir/Consent -d '{consent}'"),
        String::new(),
        "Then read in the log, as Omar, who saw what and which line of which consent allowed it.".to_string(),
    ]);
    Ok(lines.join("\n"))
}
