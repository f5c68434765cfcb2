//! The command line: serving, what an operator does with the database at hand, and what people do over the REST API.

mod account;
mod api;
mod apply;
mod audit;
mod client;
mod hosts;
mod login;
mod manual;
mod output;
mod serve;
mod token;

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::app::{App, Clock, Parts};
use crate::audit::chain::chain_former;
use crate::config::{Config, Settings};
use crate::db::{Db, Place};
use crate::password::{Cost, Hasher, cores};
use crate::secret::Random;
use crate::telemetry;
use client::Failure;

/// Self-hosted access tokens for any HTTP API, verified at the proxy.
#[derive(Parser)]
#[command(name = "hallpass", version, about, disable_help_subcommand = true)]
#[command(after_help = "Example:\n  hallpass --listen 127.0.0.1:8080 --public-url https://hallpass.example.org")]
struct Line {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Listen and answer (this is what happens without a command)
    #[command(
        after_help = "Example:\n  hallpass serve --public-url https://hallpass.example.org --trusted-proxies 10.0.0.7"
    )]
    Serve,
    /// Bring the database up to this version and stop
    #[command(after_help = "Example:\n  hallpass migrate")]
    Migrate,
    /// People who sign in
    #[command(subcommand)]
    Account(account::Command),
    /// API descriptions
    #[command(subcommand)]
    Api(api::Command),
    /// The audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Sign in to a running Hallpass: for the token commands
    #[command(after_help = "Example:\n  hallpass login https://hallpass.example.org --email maria@example.com")]
    Login {
        /// Its address, such as https://hallpass.example.org [default: that of the last sign-in]
        #[arg(env = "HALLPASS_URL")]
        url: Option<String>,
        #[arg(long)]
        email: Option<String>,
    },
    /// End that session
    #[command(after_help = "Example:\n  hallpass logout")]
    Logout {
        #[arg(env = "HALLPASS_URL")]
        url: Option<String>,
    },
    /// Access tokens, over the REST API
    #[command(subcommand)]
    Token(token::Command),
    /// Make what a file declares: APIs, teams, service accounts, tokens, policy
    #[command(after_help = apply::EXAMPLE)]
    Apply(apply::Apply),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  hallpass completions bash > hallpass.bash")]
    Completions { shell: clap_complete::Shell },
    /// Write the man pages into a folder
    #[command(after_help = "Example:\n  hallpass man man1")]
    Man { folder: std::path::PathBuf },
}

/// Runs the command line; every failure is one sentence on stderr.
pub fn run() -> ExitCode {
    let line = Line::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
    match start(line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A description or an answer may hold what a terminal would obey.
            eprintln!("{}", failure.sentence.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}"));
            failure.exit.into()
        }
    }
}

/// The whole command line. The settings of the server stand apart in the help of every command.
fn command() -> clap::Command {
    Line::command().mut_args(|argument| match argument.is_global_set() {
        true => argument.help_heading("Settings of the server").hide_short_help(true),
        false => argument,
    })
}

fn start(line: Line) -> Result<(), Failure> {
    match line.command.unwrap_or(Command::Serve) {
        Command::Login { url, email } => login::login(url, email),
        Command::Logout { url } => login::logout(url),
        Command::Token(command) => token::run(command),
        Command::Apply(apply) => apply::run(&apply),
        Command::Completions { shell } => manual::completions(command(), shell),
        Command::Man { folder } => manual::write(command(), &folder),
        local => Ok(at_the_database(line.settings, local)?),
    }
}

/// What needs the settings, and all but a running server.
fn at_the_database(settings: Settings, command: Command) -> Result<(), String> {
    let config = settings.complete()?;
    telemetry::start(config.log, config.log_json);
    match command {
        Command::Migrate => open(&config).map(|_| println!("The database is up to date.")),
        Command::Account(command) => account::run(&config, command),
        Command::Api(command) => api::run(&config, command),
        Command::Audit(command) => audit::run(&config, command),
        _ => serve::run(config),
    }
}

/// Makes the data folder (0700) and the database file (0600; SQLite gives its side files the same mode), and migrates.
fn open(config: &Config) -> Result<Arc<App>, String> {
    let folder = &config.data_dir;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|cause| format!("The data folder {} cannot be made: {cause}.", folder.display()))?;
    if let Place::Sqlite(path) = &config.database {
        make_file(Path::new(path))?;
    }
    let threads = config.hashing_threads.unwrap_or_else(cores);
    let random = Random::of_the_machine();
    let salts = random.clone();
    let hasher = Hasher::new(threads, Cost::STANDARD, move || {
        let mut salt = [0; 16];
        // Without randomness nothing of this program is safe: it stops here.
        if salts.fill(&mut salt).is_err() {
            std::process::abort();
        }
        salt
    })
    .map_err(|cause| format!("The threads for hashing passwords cannot be started: {cause}."))?;
    let readers = u32::try_from(cores().get() * 2).unwrap_or(4).clamp(4, 16);
    let db = Db::open(&config.database, readers)?;
    chain_former(&db).map_err(|error| format!("The audit log cannot be brought up to date: {error}"))?;
    let app = App::new(Parts {
        db,
        policy: config.policy.clone(),
        prefix: config.prefix.clone(),
        hasher,
        random,
        clock: Clock::of_the_machine(),
    });
    app.follow_policy().map_err(|error| error.to_string())?;
    Ok(app)
}

fn make_file(path: &Path) -> Result<(), String> {
    let made = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    made.map(drop).map_err(|cause| format!("The database file {} cannot be opened: {cause}.", path.display()))
}

/// A password from the terminal without echo, twice, or the first line of standard input.
fn ask_password() -> Result<String, String> {
    use std::io::IsTerminal;
    let failed = |cause: std::io::Error| format!("The password cannot be read: {cause}.");
    if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("Password: ").map_err(failed)?;
        let again = rpassword::prompt_password("Password again: ").map_err(failed)?;
        return if first == again { Ok(first) } else { Err("The two passwords are not the same.".into()) };
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(failed)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
