//! `hallpass account`: what an operator does for people who cannot help themselves.

use std::sync::Arc;

use clap::Subcommand;
use comfy_table::{Table, presets};

use super::{ask_password, open};
use crate::account::{self, PersonDraft};
use crate::actor::{Actor, wording};
use crate::app::App;
use crate::config::Config;
use crate::error::Error;
use crate::password::{self, Password};
use crate::types::Role;

#[derive(Subcommand)]
pub enum Command {
    /// Add a person; the password comes from a prompt or the first line of standard input
    Add {
        email: String,
        #[arg(long)]
        name: Option<String>,
        /// viewer, token_creator, contributor, admin or owner
        #[arg(long, default_value = "contributor", value_parser = role)]
        role: Role,
    },
    /// List all accounts
    List,
    /// Freeze all tokens of an account and end its sessions
    Disable { email: String },
    /// Set a new password and forget wrong guesses
    Passwd { email: String },
}

fn role(word: &str) -> Result<Role, String> {
    Role::parse(word).ok_or_else(|| "the roles are viewer, token_creator, contributor, admin and owner".into())
}

pub fn run(config: &Config, command: Command) -> Result<(), String> {
    let app = open(config)?;
    match command {
        Command::Add { email, name, role } => add(&app, email, name, role),
        Command::List => list(&app),
        Command::Disable { email } => {
            let done = app.write_now(|tx| {
                let found = account::by_email(tx.conn, &email)?.ok_or(Error::Missing)?;
                account::disable(tx, &Actor::operator(), &found.id)
            });
            done.map(|account| println!("Disabled {}.", account.label())).map_err(|error| of(&email, error))
        }
        Command::Passwd { email } => passwd(&app, &email),
    }
    .map_err(|sentence| sentence.to_string())
}

fn add(app: &Arc<App>, email: String, name: Option<String>, role: Role) -> Result<(), String> {
    let usual = email.split('@').next().unwrap_or_default().to_owned();
    let draft = PersonDraft { name: name.unwrap_or(usual), email: email.clone(), role };
    let password = Password::new(ask_password()?);
    draft.check(&password, app.policy().password_min).map_err(|error| error.to_string())?;
    let phc = app.hasher.hash_blocking(&password).map_err(|cause| cause.to_string())?;
    let new = draft.with(phc, None);
    app.write_now(|tx| account::add_person(tx, &Actor::operator(), new)).map_err(|error| of(&email, error))?;
    println!("Added {email} as {}.", wording(role));
    Ok(())
}

fn list(app: &Arc<App>) -> Result<(), String> {
    let accounts = app.db.read(account::all).map_err(|error| error.to_string())?;
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["E-MAIL OR NAME", "KIND", "ROLE", "STATE", "SINCE"]);
    for account in &accounts {
        table.add_row([
            account.label(),
            account.kind.as_str(),
            account.role.as_str(),
            if account.enabled { "enabled" } else { "disabled" },
            &account.created_at.utc().format("%Y-%m-%d").to_string(),
        ]);
    }
    println!("{table}");
    Ok(())
}

fn passwd(app: &Arc<App>, email: &str) -> Result<(), String> {
    let found = app.db.read(|conn| account::by_email(conn, email)).map_err(|error| error.to_string())?;
    let found = found.ok_or_else(|| of(email, Error::Missing))?;
    let password = Password::new(ask_password()?);
    password::judge(&password, app.policy().password_min, &[email, &found.name])
        .map_err(|problem| problem.to_string())?;
    let phc = app.hasher.hash_blocking(&password).map_err(|cause| cause.to_string())?;
    app.write_now(|tx| account::set_password(tx, &Actor::operator(), &found.id, &phc))
        .map_err(|error| of(email, error))?;
    println!("Changed the password of {email}.");
    Ok(())
}

fn of(email: &str, error: Error) -> String {
    match error {
        Error::Missing => format!("There is no account {email}."),
        other => other.to_string(),
    }
}
