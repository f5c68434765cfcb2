//! `hallpass token …`: what a person does with tokens from a terminal, over the REST API.

use chrono::{DateTime, Local, TimeDelta, Utc};
use clap::{Args, Subcommand};

use super::client::{Client, Exit, Failure, Where};
use super::login;
use super::output::{self, Output};
use crate::api::json::{NewToken, Regeneration, Revealed, Token, TokenEdit, Whoami};
use crate::app::Clock;
use crate::scope::Scope;
use crate::types::{Stamp, Status, parse_net};
use crate::when;

#[derive(Subcommand)]
pub enum Command {
    /// Generate a token; its value is printed this once
    #[command(
        after_help = "Examples:\n  hallpass token create --name ci --expiration-days 30 --scope zones:listZones\n  hallpass token create --name reader --access-set read-only --ttl 24h --ip 10.0.0.0/8 --rate 60\n  hallpass token create backup --name nightly --scope \"zones:*\" --allow zones:example.org\n  value=$(hallpass token create --name script --scope zones:listZones -q)"
    )]
    Create(Create),
    /// List tokens
    #[command(
        after_help = "Examples:\n  hallpass token list --include-expired -o wide\n  hallpass token list --all --status expiring -o json"
    )]
    List(List),
    /// Everything about tokens, by id or name
    #[command(after_help = "Example:\n  hallpass token describe deploy old")]
    Describe {
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Change what is named; all else stays
    #[command(
        after_help = "Examples:\n  hallpass token edit deploy --description \"Deploys the zones\" --scope zones:listZones\n  hallpass token edit deploy --disable"
    )]
    Edit(Edit),
    /// Make a new value; the old one stops at once, or after a grace period
    #[command(after_help = "Example:\n  hallpass token regenerate deploy --grace 24h -q > deploy.value")]
    Regenerate(Regenerate),
    /// Remove tokens: their values are dead at once, their rows stay for history
    #[command(visible_alias = "remove")]
    #[command(after_help = "Examples:\n  hallpass token revoke deploy\n  hallpass token revoke old --purge")]
    Revoke {
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// Delete the rows too, for good
        #[arg(long)]
        purge: bool,
        #[command(flatten)]
        to: Where,
    },
    /// Sign in with the value of a token; - reads it without echo
    #[command(after_help = "Example:\n  hallpass token login \"$VALUE\" --url https://hallpass.example.org")]
    Login {
        value: String,
        #[command(flatten)]
        to: Where,
    },
    /// Whose token this is, and what it may do
    #[command(after_help = "Example:\n  hallpass token whoami -o json")]
    Whoami {
        #[command(flatten)]
        shown: Shown,
    },
}

/// Where to, and how it is shown.
#[derive(Args)]
pub struct Shown {
    #[command(flatten)]
    to: Where,
    /// How to print it
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Args)]
pub struct Create {
    /// For whom: e-mail address, name or id of another account [default: oneself]
    account: Option<String>,
    /// [default: token- and five letters]
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    expiry: Expiry,
    /// A right: SERVICE:METHOD, SERVICE:* or *; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    scopes: Vec<String>,
    /// A named choice of methods, instead of scopes
    #[arg(long, value_name = "SLUG", conflicts_with = "scopes")]
    access_set: Option<String>,
    /// Narrow it to a resource: SERVICE:ID or SERVICE:*; may be repeated
    #[arg(long = "allow", value_name = "SERVICE:ID", value_parser = resource)]
    allow: Vec<String>,
    /// An address or network that it may be used from; may be repeated
    #[arg(long = "ip", value_name = "CIDR", value_parser = net)]
    ips: Vec<String>,
    /// Requests per minute
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// Print the value alone
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    shown: Shown,
}

/// When a token ends. Of these at most one.
#[derive(Args)]
#[group(multiple = false)]
pub struct Expiry {
    /// The end of the day that many days from today
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    expiration_days: Option<u32>,
    /// After a while, such as 30d or 24h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    ttl: Option<TimeDelta>,
    /// A day, such as 2027-03-01, or an instant, such as 2027-03-01T12:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    expires_at: Option<String>,
    /// Never, where the policy allows it
    #[arg(long)]
    never: bool,
}

#[derive(Args)]
pub struct List {
    /// Everybody's tokens, for administrators
    #[arg(long)]
    all: bool,
    /// Expired ones too
    #[arg(long)]
    include_expired: bool,
    /// Removed ones too
    #[arg(long, visible_alias = "include-removed")]
    include_revoked: bool,
    /// Those of one status
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// Words of the name or description, or the first characters of a value
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// created, name, expires or used, with - in front for the other direction
    #[arg(long, allow_hyphen_values = true)]
    sort: Option<String>,
    /// Print ids alone
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Args)]
pub struct Edit {
    id: String,
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    expiry: Expiry,
    /// Its rights from now on, instead of all that it has; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    scopes: Vec<String>,
    /// Its allow list from now on; may be repeated
    #[arg(long = "allow", value_name = "SERVICE:ID", value_parser = resource)]
    allow: Vec<String>,
    /// Its addresses from now on; may be repeated
    #[arg(long = "ip", value_name = "CIDR", value_parser = net)]
    ips: Vec<String>,
    /// Requests per minute
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Refuse its calls until it is enabled
    #[arg(long)]
    disable: bool,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Args)]
pub struct Regenerate {
    id: String,
    /// For how long the old value is accepted too, such as 24h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    grace: Option<TimeDelta>,
    /// A new expiry; needed for a token that has expired
    #[command(flatten)]
    expiry: Expiry,
    /// Print the value alone
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    shown: Shown,
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(create) => generate(create),
        Command::List(list) => show_list(list),
        Command::Describe { ids, shown } => describe(&ids, &shown),
        Command::Edit(change) => edit(change),
        Command::Regenerate(wish) => regenerate(wish),
        Command::Revoke { ids, purge, to } => revoke(&ids, purge, &to),
        Command::Login { value, to } => login::login_with(&to, value),
        Command::Whoami { shown } => whoami(&shown),
    }
}

fn generate(create: Create) -> Result<(), Failure> {
    let client = Client::signed_in(&create.shown.to)?;
    let (expires_at, lifetime_days) = create.expiry.asked();
    let new = NewToken {
        name: create.name,
        description: create.description,
        owner: create.account,
        expires_at,
        lifetime_days,
        scopes: some(create.scopes),
        access_set: create.access_set,
        allow: some(create.allow),
        ip_allow: some(create.ips),
        rate_per_minute: create.rate,
    };
    let made: Revealed = client.send_once("/api/v1/tokens", &new)?;
    output::revealed(&made, create.quiet, create.shown.output)
}

fn show_list(list: List) -> Result<(), Failure> {
    let client = Client::signed_in(&list.shown.to)?;
    let tokens = every(&client, &list)?;
    match list.quiet {
        true => output::lines(tokens.iter().map(|token| token.id.clone())),
        false => output::tokens(&tokens, list.shown.output),
    }
}

/// All pages of the list.
fn every(client: &Client, list: &List) -> Result<Vec<Token>, Failure> {
    let asked =
        [("all", list.all), ("include_expired", list.include_expired), ("include_removed", list.include_revoked)];
    let mut query: Vec<(&str, &str)> =
        asked.into_iter().filter(|(_, is)| *is).map(|(name, _)| (name, "true")).collect();
    let status = list.status.map(|status| status.as_str());
    let given = [("status", status), ("q", list.search.as_deref()), ("sort", list.sort.as_deref())];
    query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
    client.every("/api/v1/tokens", &query)
}

fn describe(ids: &[String], shown: &Shown) -> Result<(), Failure> {
    let client = Client::signed_in(&shown.to)?;
    let tokens: Vec<Token> = ids.iter().map(|id| find(&client, id)).collect::<Result<_, _>>()?;
    output::described(&tokens, shown.output)
}

/// By id, or by the name of a token of one's own.
fn find(client: &Client, named: &str) -> Result<Token, Failure> {
    if uuid::Uuid::try_parse(named).is_ok() {
        return client.get(&format!("/api/v1/tokens/{named}"));
    }
    let found: Vec<Token> = client.every("/api/v1/tokens", &[("q", named), ("include_expired", "true")])?;
    let found = found.into_iter().find(|token| token.name == named);
    found.ok_or_else(|| Failure::new(Exit::Missing, format!("You have no token {named}.")))
}

fn edit(change: Edit) -> Result<(), Failure> {
    let client = Client::signed_in(&change.shown.to)?;
    let token = find(&client, &change.id)?;
    let (expires_at, lifetime_days) = change.expiry.asked();
    let edit = TokenEdit {
        name: change.name,
        description: change.description,
        // Days count from today, as they do for a new token.
        expires_at: expires_at.or_else(|| lifetime_days.map(|days| Some(in_days(days)))),
        scopes: some(change.scopes),
        allow: some(change.allow),
        ip_allow: some(change.ips),
        rate_per_minute: change.rate.map(Some),
        enabled: match (change.enable, change.disable) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        },
    };
    if serde_json::to_value(&edit)
        .is_ok_and(|edit| edit.as_object().is_some_and(|all| all.values().all(|v| v.is_null())))
    {
        return Err("Nothing to change was named: see hallpass token edit --help.".to_owned().into());
    }
    let token: Token = client.send("PATCH", &format!("/api/v1/tokens/{}", token.id), &edit)?;
    output::described(&[token], change.shown.output)
}

fn regenerate(wish: Regenerate) -> Result<(), Failure> {
    let client = Client::signed_in(&wish.shown.to)?;
    let token = find(&client, &wish.id)?;
    let (expires_at, lifetime_days) = wish.expiry.asked();
    let grace_seconds = wish.grace.map(|grace| u32::try_from(grace.num_seconds()));
    let grace_seconds =
        grace_seconds.transpose().map_err(|_| Failure::from("This grace period is too long.".to_owned()))?;
    let body = Regeneration {
        previous_expires_at: None,
        grace_seconds,
        expires_at: expires_at.or_else(|| lifetime_days.map(|days| Some(in_days(days)))),
    };
    let made: Revealed = client.send_once(&format!("/api/v1/tokens/{}/regenerate", token.id), &body)?;
    output::revealed(&made, wish.quiet, wish.shown.output)
}

/// Each of them; what failed is told at the end, and those before it stay removed.
fn revoke(ids: &[String], purge: bool, to: &Where) -> Result<(), Failure> {
    let client = Client::signed_in(to)?;
    let mut failed: Option<Failure> = None;
    for id in ids {
        let query = if purge { "?purge=true" } else { "" };
        let removed = match uuid::Uuid::try_parse(id) {
            Ok(_) => Ok(id.clone()),
            Err(_) => find(&client, id).map(|token| token.id),
        };
        match removed.and_then(|id| client.delete(&format!("/api/v1/tokens/{id}{query}"))) {
            Ok(()) => println!("{} {id}.", if purge { "Deleted" } else { "Removed" }),
            Err(failure) => {
                let sentence = format!("{id}: {}", failure.sentence);
                failed = Some(match failed {
                    Some(before) => Failure { sentence: format!("{}\n{sentence}", before.sentence), ..before },
                    None => Failure { sentence, ..failure },
                });
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

fn whoami(shown: &Shown) -> Result<(), Failure> {
    let me: Whoami = Client::signed_in(&shown.to)?.get("/api/v1/whoami")?;
    output::whoami(&me, shown.output)
}

impl Expiry {
    /// So long from now.
    pub fn after(span: TimeDelta) -> Expiry {
        Expiry { expiration_days: None, ttl: Some(span), expires_at: None, never: false }
    }

    /// `expires_at` and `lifetime_days` of a call: whole days are left to Hallpass, which knows the policy's zone.
    pub fn asked(&self) -> (Option<Option<String>>, Option<u32>) {
        let whole_days = |span: &TimeDelta| {
            u32::try_from(span.num_days()).ok().filter(|_| *span == TimeDelta::days(span.num_days()))
        };
        match (&self.ttl, &self.expires_at, self.expiration_days, self.never) {
            (_, _, Some(days), _) => (None, Some(days)),
            (Some(span), ..) => match whole_days(span) {
                Some(days) => (None, Some(days)),
                None => (Some(Some(rfc3339(now() + *span))), None),
            },
            (_, Some(when), ..) => (Some(Some(when.clone())), None),
            (.., true) => (Some(None), None),
            _ => (None, None),
        }
    }
}

fn some(list: Vec<String>) -> Option<Vec<String>> {
    Some(list).filter(|list| !list.is_empty())
}

pub fn now() -> DateTime<Utc> {
    Clock::of_the_machine().now().utc()
}

fn in_days(days: u32) -> String {
    let day = now().with_timezone(&Local).date_naive().checked_add_days(chrono::Days::new(days.into()));
    day.map(|day| day.to_string()).unwrap_or_default()
}

fn rfc3339(instant: DateTime<Utc>) -> String {
    Stamp::from(instant).rfc3339()
}

/// Checked before it is sent: the shape alone, as what there is Hallpass knows.
pub fn scope(typed: &str) -> Result<String, String> {
    let full = if typed == "*" || typed.contains('/') { typed.to_owned() } else { format!("api/{typed}") };
    match Scope::parse(&full) {
        Some(_) => Ok(typed.to_owned()),
        None => Err("a scope is SERVICE:METHOD, SERVICE:* or *, with API/ in front where there are several".into()),
    }
}

pub fn resource(typed: &str) -> Result<String, String> {
    match typed.split_once(':') {
        Some((service, id)) if !service.is_empty() && !id.is_empty() => Ok(typed.to_owned()),
        _ => Err("a resource is SERVICE:ID or SERVICE:*".into()),
    }
}

pub fn net(typed: &str) -> Result<String, String> {
    parse_net(typed).map(|_| typed.to_owned()).ok_or_else(|| "an address or network, such as 10.0.0.0/8".into())
}

fn status(typed: &str) -> Result<Status, String> {
    Status::parse(typed).ok_or_else(|| {
        let words: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
        format!("one of {}", words.join(", "))
    })
}

/// `30d`, `24h`, `90min`; a bare number is no duration.
pub fn duration(typed: &str) -> Result<TimeDelta, String> {
    let wrong = || "a duration, such as 30d, 24h or 90min".to_owned();
    let span = humantime::parse_duration(typed.trim()).map_err(|_| wrong())?;
    TimeDelta::from_std(span).ok().filter(|span| *span > TimeDelta::zero()).ok_or_else(wrong)
}

pub fn instant(typed: &str) -> Result<String, String> {
    let typed = typed.trim();
    match DateTime::parse_from_rfc3339(typed).is_ok() || when::parse_day(typed).is_ok() {
        true => Ok(typed.to_owned()),
        false => Err("a day, such as 2027-03-01, or an instant, such as 2027-03-01T12:00:00Z".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_days_are_left_to_hallpass_and_hours_are_counted_here() {
        let of = |ttl: &str| Expiry::after(duration(ttl).unwrap()).asked();
        assert_eq!(of("30d"), (None, Some(30)));
        assert_eq!(of("24h"), (None, Some(1)));
        assert!(matches!(of("36h"), (Some(Some(_)), None)));
    }

    #[test]
    fn what_is_typed_wrong_is_told_before_anything_is_sent() {
        for wrong in ["", "30", "-3d", "0h", "thirty days"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        for wrong in ["zones", "", ":", "zones:", "a b:c"] {
            assert!(scope(wrong).is_err(), "{wrong}");
        }
        for right in ["*", "zones:*", "zones:listZones", "pdns/zones:listZones"] {
            assert!(scope(right).is_ok(), "{right}");
        }
        assert!(resource("zones:example.org").is_ok() && resource("zones").is_err());
        assert!(instant("2027-03-01").is_ok() && instant("01-03-2027").is_ok() && instant("soon").is_err());
    }
}
