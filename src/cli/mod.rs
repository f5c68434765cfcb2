//! The command line: serving, and what an operator does with the database at hand.

mod account;
mod api;
mod audit;
mod serve;

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::app::{App, Clock, Parts};
use crate::audit::chain::chain_former;
use crate::config::{Config, Settings};
use crate::db::{Db, Place};
use crate::password::{Cost, Hasher, cores};
use crate::secret::Random;
use crate::telemetry;

/// Self-hosted access tokens for any HTTP API, verified at the proxy.
#[derive(Parser)]
#[command(name = "hallpass", version, about, disable_help_subcommand = true)]
struct Line {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Listen and answer (this is what happens without a command)
    Serve,
    /// Bring the database up to this version and stop
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
}

/// Runs the command line; every failure is one sentence on stderr.
pub fn run() -> ExitCode {
    match start(Line::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            // A description may hold what a terminal would obey.
            eprintln!("{}", sentence.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}"));
            ExitCode::FAILURE
        }
    }
}

fn start(line: Line) -> Result<(), String> {
    let config = line.settings.complete()?;
    telemetry::start(config.log, config.log_json);
    match line.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(config),
        Command::Migrate => open(&config).map(|_| println!("The database is up to date.")),
        Command::Account(command) => account::run(&config, command),
        Command::Api(command) => api::run(&config, command),
        Command::Audit(command) => audit::run(&config, command),
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
