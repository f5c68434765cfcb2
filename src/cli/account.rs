//! `hallpass account`: what an operator does for people who cannot help themselves.

use std::sync::Arc;

use clap::Subcommand;
use comfy_table::{Table, presets};

use super::{ask_password, open};
use crate::account::{self, Account, PersonDraft, invitation};
use crate::actor::{Actor, wording};
use crate::app::App;
use crate::config::Config;
use crate::db::Conn;
use crate::error::Error;
use crate::password::{self, Password};
use crate::token;
use crate::tx::Tx;
use crate::types::{AccountKind, Role};
use crate::when;

#[derive(Subcommand)]
pub enum Command {
    /// Add a person; the password comes from a prompt or the first line of standard input
    #[command(after_help = "Example:\n  hallpass account add lea@example.com --name \"Lea Brandt\" --role admin")]
    Add {
        email: String,
        #[arg(long)]
        name: Option<String>,
        /// viewer, token_creator, contributor, admin or owner
        #[arg(long, default_value = "contributor", value_parser = role)]
        role: Role,
    },
    /// Add a person without a password and print the link, once, by which they set one; for somebody known: a new link
    #[command(after_help = "Example:\n  hallpass account invite lea@example.com --role contributor")]
    Invite {
        email: String,
        #[arg(long)]
        name: Option<String>,
        /// viewer, token_creator, contributor, admin or owner
        #[arg(long, default_value = "contributor", value_parser = role)]
        role: Role,
    },
    /// List all accounts
    #[command(after_help = "Example:\n  hallpass account list")]
    List,
    /// Freeze all tokens of an account and end its sessions; its service accounts are disabled with it
    #[command(after_help = "Example:\n  hallpass account disable jan@example.com")]
    Disable { email: String },
    /// Let a disabled account sign in again, and its tokens pass
    #[command(after_help = "Example:\n  hallpass account enable jan@example.com")]
    Enable { email: String },
    /// Give an account another role
    #[command(after_help = "Example:\n  hallpass account role jan@example.com admin")]
    Role {
        email: String,
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Set a new password and forget wrong guesses
    #[command(after_help = "Example:\n  hallpass account passwd jan@example.com")]
    Passwd { email: String },
}

fn role(word: &str) -> Result<Role, String> {
    Role::parse(word).ok_or_else(|| "the roles are viewer, token_creator, contributor, admin and owner".into())
}

pub fn run(config: &Config, command: Command) -> Result<(), String> {
    let app = open(config)?;
    match command {
        Command::Add { email, name, role } => add(&app, email, name, role),
        Command::Invite { email, name, role } => invite(&app, config, email, name, role),
        Command::List => list(&app),
        Command::Disable { email } => disable(&app, &email),
        Command::Enable { email } => {
            let done = change(&app, &email, |tx, found| account::enable(tx, &Actor::operator(), &found.id));
            done.map(|account| println!("Enabled {}. Service accounts stay disabled.", account.label()))
        }
        Command::Role { email, role } => {
            let operator = Actor::operator();
            let done =
                change(&app, &email, |tx, found| account::set_role(tx, &operator, &found.id, role, found.version));
            done.map(|account| println!("{} has the role {} now.", account.label(), wording(role)))
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

/// Finds the account by its address and does something to it.
fn change(
    app: &Arc<App>,
    email: &str,
    verb: impl FnOnce(&mut Tx<'_>, &Account) -> crate::error::Result<Account>,
) -> Result<Account, String> {
    let done = app.write_now(|tx| {
        let found = account::by_email(tx.conn, email)?.ok_or(Error::Missing)?;
        verb(tx, &found)
    });
    done.map_err(|error| of(email, error))
}

fn invite(app: &Arc<App>, config: &Config, email: String, name: Option<String>, role: Role) -> Result<(), String> {
    let usual = email.split('@').next().unwrap_or_default().to_owned();
    let draft = PersonDraft { name: name.unwrap_or(usual), email: email.clone(), role };
    let made = app.write_now(|tx| match account::by_email(tx.conn, &email)? {
        Some(known) => invitation::make_link(tx, &Actor::operator(), &known.id, known.version),
        None => invitation::invite(tx, &Actor::operator(), &draft),
    });
    let (account, key) = made.map_err(|error| of(&email, error))?;
    let link = config.public_url.join(&format!("invite/{}", key.reveal())).map_err(|cause| cause.to_string())?;
    println!("{link}");
    eprintln!("Pass this link on to {}. It sets a password, works once, for 7 days.", account.label());
    Ok(())
}

fn disable(app: &Arc<App>, email: &str) -> Result<(), String> {
    let now = app.now();
    let mut frozen = (0, 0);
    let account = change(app, email, |tx, found| {
        let services = account::services_of(tx.conn, &found.id)?.len();
        frozen = (token::living_of(tx.conn, &found.id, now)?.len(), services);
        account::disable(tx, &Actor::operator(), &found.id)
    })?;
    println!("Disabled {}.", account.label());
    if frozen != (0, 0) {
        let (tokens, services) =
            (when::count(frozen.0 as u64, "token"), when::count(frozen.1 as u64, "service account"));
        println!("Nothing was removed: {tokens} and {services} are frozen. The account's page hands them over.");
    }
    Ok(())
}

fn list(app: &Arc<App>) -> Result<(), String> {
    let now = app.now();
    let read = |conn: &mut Conn| {
        let (people, services): (Vec<Account>, Vec<Account>) =
            account::all(conn)?.into_iter().partition(|account| account.kind == AccountKind::Person);
        // As many at once as one statement takes.
        let mut listed = Vec::with_capacity(people.len());
        for some in people.chunks(500) {
            listed.append(&mut account::list::dress(conn, some.to_vec(), now)?);
        }
        Ok((listed, services))
    };
    let (people, services) = app.db.read(read).map_err(|error| error.to_string())?;
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["E-MAIL OR NAME", "KIND", "ROLE", "TEAMS", "STATE", "SINCE"]);
    let since = |account: &Account| account.created_at.utc().format("%Y-%m-%d").to_string();
    for listed in &people {
        let (account, teams) = (&listed.account, listed.teams.join(", "));
        let (kind, role, state) = (account.kind.as_str(), account.role.as_str(), listed.state.word());
        table.add_row([account.label(), kind, role, &teams, state, &since(account)]);
    }
    for account in services.iter().filter(|account| account.removed_at.is_none()) {
        let state = if account.enabled { "active" } else { "disabled" };
        table.add_row([account.label(), account.kind.as_str(), account.role.as_str(), "", state, &since(account)]);
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
