//! The command line: one file a command. Machine-readable output on stdout, everything else on stderr; a mistake is
//! one clear line and exit status 2.

mod beside;
mod decide;
mod demo;
mod enrol;
mod import;
mod labels;
mod log;
mod profiles;
mod regimes;
mod serve;
mod token;
mod validate;

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::Config;
use crate::fhir::{Outcome, Resource, read, xml};
use crate::gateway::{Clock, Context, Ids};
use crate::profile::Profiles;

/// A FHIR R4 gateway for case management.
#[derive(Parser)]
#[command(name = "handoff", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the exchange.
    Serve(serve::Serve),
    /// Create a small exchange with synthetic people and serve it, ready to click.
    Demo(demo::Demo),
    /// Bring a database up to date.
    Migrate(Common),
    /// Partners: the agencies on the exchange.
    #[command(subcommand)]
    Partner(enrol::PartnerCommand),
    /// Clients: the systems that sign in for a partner.
    #[command(subcommand)]
    Client(enrol::ClientCommand),
    /// Users: the people who sign in to the console.
    #[command(subcommand)]
    User(enrol::UserCommand),
    /// Print an access token for a registered client, alone.
    Token(token::Token),
    /// Validate resources; prints an OperationOutcome a line. Exit 0 valid, 1 not, 2 unusable.
    Validate(validate::Validate),
    /// Answer decision cases; prints a decision a line.
    Decide(decide::Decide),
    /// Definitions: what is bundled, and packages to add.
    #[command(subcommand)]
    Profiles(profiles::ProfilesCommand),
    /// Law as data: what is in force, and documents to lay over it.
    #[command(subcommand)]
    Regimes(regimes::RegimesCommand),
    /// Labels: the lists by which resources are labelled when they are written.
    #[command(subcommand)]
    Labels(labels::LabelsCommand),
    /// The consent log.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Bring in resources for a partner, with the same checks as over HTTP.
    Import(import::Import),
}

/// What every command that opens a database takes.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// sqlite:PATH or postgres://user@host/name
    #[arg(long)]
    database: Option<String>,
    /// A configuration file that goes over the defaults.
    #[arg(long)]
    config: Option<String>,
    /// Use the database as it is.
    #[arg(long)]
    no_migrate: bool,
}

impl Common {
    fn config(&self) -> Result<Config, String> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Some(url) = &self.database {
            config.database.url.clone_from(url);
        }
        Ok(config)
    }

    async fn context(&self) -> Result<Context, String> {
        crate::serve::context(self.config()?, !self.no_migrate, Clock::System, Ids::Random).await
    }
}

/// Parses, runs, and turns the outcome into an exit status.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return fail(&mistake(&error)),
        Err(help) => {
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    let quiet = !matches!(cli.command, Command::Serve(_));
    let filter =
        EnvFilter::try_from_env("HANDOFF_LOG").unwrap_or_else(|_| EnvFilter::new(if quiet { "warn" } else { "info" }));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    match runtime.block_on(dispatch(cli.command)) {
        Ok(code) => code,
        Err(message) => fail(&message),
    }
}

async fn dispatch(command: Command) -> Result<ExitCode, String> {
    match command {
        Command::Serve(serve) => serve.run().await,
        Command::Demo(demo) => demo.run().await,
        Command::Migrate(common) => migrate(&common).await,
        Command::Partner(partner) => partner.run().await,
        Command::Client(client) => client.run().await,
        Command::User(user) => user.run().await,
        Command::Token(token) => token.run().await,
        Command::Validate(validate) => validate.run(),
        Command::Decide(decide) => decide.run(),
        Command::Profiles(profiles) => profiles.run().await,
        Command::Regimes(regimes) => regimes.run().await,
        Command::Labels(labels) => labels.run().await,
        Command::Log(log) => log.run().await,
        Command::Import(import) => import.run().await,
    }
}

async fn migrate(common: &Common) -> Result<ExitCode, String> {
    let ctx = crate::serve::context(common.config()?, true, Clock::System, Ids::Random).await?;
    crate::serve::up_to_date(&ctx).await?;
    say("the database is up to date");
    Ok(ExitCode::SUCCESS)
}

/// What clap has to say, as one line: what is wrong, without the usage.
fn mistake(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said = text.split("\n\nUsage").next().unwrap_or("");
    let words: Vec<&str> = said.trim_start_matches("error: ").split_whitespace().collect();
    format!("{} (--help says more)", words.join(" "))
}

fn fail(message: &str) -> ExitCode {
    say(message.lines().collect::<Vec<&str>>().join("; ").trim());
    ExitCode::from(2)
}

/// A resource from a file: XML by its first character, JSON otherwise.
fn resource(bytes: &[u8], definitions: &Profiles) -> Result<Resource, Outcome> {
    if is_xml(bytes) { xml::resource(bytes, definitions).map_err(Outcome) } else { Ok(read::resource(bytes)?) }
}

fn is_xml(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    text.trim_ascii_start().starts_with(b"<")
}

/// A line for the person at the terminal.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A line for the program that reads us.
fn put(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
