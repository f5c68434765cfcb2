//! A token as typed, and as checked against the catalogue and the policy: for generating and for editing alike.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Token;
use crate::actor::{Actor, Deed, wording};
use crate::catalogue::Catalogue;
use crate::error::{Error, Problem, Result};
use crate::policy::Policy;
use crate::scope::Scope;
use crate::secret::Random;
use crate::types::{Extender, Lines, Role, Stamp, is_unprintable, parse_net};
use crate::when::{self, Zone};

pub const NAME_MOST: usize = 100;
const DESCRIPTION_MOST: usize = 500;
const ALLOW_MOST: usize = 128;
pub(super) const ADMINS_EXTEND: &str =
    "The policy lets only administrators move an expiry further away. Choose an earlier day.";
/// An expired value never lives again, whoever edits its token.
pub(super) const EXPIRED: &str = "This token has expired. Regenerate its value to give it a new expiry.";

/// When a token is wished to end, as a form or program says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// The end of the day that many days from today.
    Days(u32),
    /// A day as typed: the end of it in the person's time zone.
    Day(String),
    /// An instant, as programs say it.
    At(Stamp),
    Never,
}

/// A token as typed, whatever the medium.
#[derive(Clone, Debug)]
pub struct TokenDraft {
    /// `None` where it was left out altogether.
    pub name: Option<String>,
    pub description: String,
    pub expiry: Expiry,
    /// Slug of an access set; then the typed scopes are left aside.
    pub access_set: Option<String>,
    pub scopes: Vec<String>,
    pub allow: Vec<String>,
    pub ip_allow: Vec<String>,
    pub rate_per_minute: String,
    pub enabled: bool,
}

/// A checked token: what the confirmation keeps and [`generate`] takes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewToken {
    pub name: String,
    pub description: String,
    pub expires_at: Option<Stamp>,
    pub access_set: Option<String>,
    pub scopes: Lines,
    pub allow: Lines,
    pub ip_allow: Lines,
    pub rate_per_minute: Option<u32>,
    pub enabled: bool,
}

impl Token {
    /// What of it can be edited and copied.
    pub fn settings(&self) -> NewToken {
        NewToken {
            name: self.name.clone(),
            description: self.description.clone(),
            expires_at: self.expires_at,
            access_set: self.access_set.clone(),
            scopes: self.scopes.clone(),
            allow: self.allow.clone(),
            ip_allow: self.ip_allow.clone(),
            rate_per_minute: self.rate_per_minute.and_then(|rate| u32::try_from(rate).ok()),
            enabled: self.enabled,
        }
    }
}

/// What a draft is held against.
pub struct Limits<'a> {
    pub catalogue: &'a Catalogue,
    pub policy: Arc<Policy>,
    pub role: Role,
    pub zone: Zone,
    pub now: Stamp,
    /// When the value was generated, or is: from then on the policy counts.
    pub since: Stamp,
    /// The token as it stands, where one is edited.
    pub standing: Option<Standing>,
}

/// What an edit may leave as it is, whatever the policy says of new tokens.
#[derive(Clone, Copy)]
pub struct Standing {
    pub expires_at: Option<Stamp>,
    /// Whether the editor may move the expiry further away.
    pub may_extend: bool,
}

impl Standing {
    pub fn of(token: &Token, actor: &Actor, policy: &Policy) -> Standing {
        let may_extend = policy.extend_expiry == Extender::Owner || actor.may(Deed::Administer);
        Standing { expires_at: token.expires_at, may_extend }
    }
}

impl TokenDraft {
    /// Everything that can be said without the database, all problems at once.
    pub fn check(&self, limits: &Limits<'_>, random: &Random) -> Result<NewToken> {
        let mut problems = Vec::new();
        let name = keep(&mut problems, "name", self.check_name(random)?);
        let description = keep(&mut problems, "description", check_description(&self.description));
        let expires_at = keep(&mut problems, "expires_at", check_expiry(&self.expiry, limits));
        let (access_set, scopes) = keep(&mut problems, "m", self.check_access(limits)).unwrap_or_default();
        let allow = keep(&mut problems, "allow", check_allow(&self.allow, limits.catalogue));
        let ip_allow = keep(&mut problems, "ip_allow", check_addresses(&self.ip_allow));
        let rate_per_minute = keep(&mut problems, "rate_per_minute", check_rate(&self.rate_per_minute));
        match (name, description, expires_at, allow, ip_allow, rate_per_minute) {
            (Some(name), Some(description), Some(expires_at), Some(allow), Some(ip_allow), Some(rate_per_minute))
                if problems.is_empty() =>
            {
                let enabled = self.enabled;
                Ok(NewToken {
                    name,
                    description,
                    expires_at,
                    access_set,
                    scopes,
                    allow,
                    ip_allow,
                    rate_per_minute,
                    enabled,
                })
            }
            _ => Err(Error::Invalid(problems)),
        }
    }

    /// A name that was left out is `token-` and five letters; an empty one is a mistake.
    fn check_name(&self, random: &Random) -> Result<Result<String, String>> {
        let Some(typed) = &self.name else {
            return Ok(Ok(format!("token-{}", random.letters(5)?.as_str())));
        };
        let name = typed.trim();
        Ok(match name.chars().count() {
            0 => Err("Give the token a name that says what uses it, such as ci-deploy.".into()),
            n if n > NAME_MOST => Err(format!("A name has up to {NAME_MOST} characters; this has {n}.")),
            _ if name.chars().any(is_unprintable) => Err("A name cannot hold control characters.".into()),
            _ => Ok(name.to_owned()),
        })
    }

    fn check_access(&self, limits: &Limits<'_>) -> Result<(Option<String>, Lines), String> {
        if let Some(slug) = &self.access_set {
            let set = limits.catalogue.set(slug).filter(|set| limits.role >= set.least_role);
            let set = set.ok_or_else(|| format!("There is no access set “{slug}”. Choose one of those below."))?;
            if set.scopes.is_empty() {
                return Err(format!("The access set “{}” holds no method yet. Choose another, or Custom.", set.name));
            }
            return Ok((Some(slug.clone()), set.scopes.clone()));
        }
        let mut scopes = BTreeSet::new();
        for typed in self.scopes.iter().map(|typed| typed.trim()).filter(|typed| !typed.is_empty()) {
            let full = limits.catalogue.resolve(typed)?;
            if let Some(Scope::Method(api, service, name)) = Scope::parse(&full) {
                let method = limits.catalogue.method(api, service, name).map(|(_, method)| method);
                if let Some(method) = method.filter(|method| method.least_role > limits.role) {
                    return Err(format!("{} needs the role {}.", method.short(), wording(method.least_role)));
                }
            }
            scopes.insert(full);
        }
        if scopes.is_empty() {
            return Err("Choose at least one method. A token without methods could do nothing.".into());
        }
        Ok((None, scopes.iter().collect()))
    }
}

fn keep<T>(problems: &mut Vec<Problem>, field: &'static str, checked: Result<T, String>) -> Option<T> {
    checked.map_err(|sentence| problems.push(Problem { field, sentence })).ok()
}

fn check_description(typed: &str) -> Result<String, String> {
    let description = typed.trim();
    match description.chars().count() {
        n if n > DESCRIPTION_MOST => {
            Err(format!("A description has up to {DESCRIPTION_MOST} characters; this has {n}."))
        }
        _ if description.chars().any(is_unprintable) => Err("A description cannot hold control characters.".into()),
        _ => Ok(description.to_owned()),
    }
}

/// The instant at which the token stops, within the policy: a day means the end of it in the person's zone. What an edited
/// token has already it may keep, and what brings its end nearer is always within the policy.
pub fn check_expiry(expiry: &Expiry, limits: &Limits<'_>) -> Result<Option<Stamp>, String> {
    let now = limits.now.utc();
    let today = when::day_of(now, limits.zone);
    let day = match expiry {
        Expiry::Never => None,
        Expiry::Days(days) => Some(when::in_days(now, *days, limits.zone)),
        Expiry::Day(typed) if typed.trim().is_empty() => {
            return Err("Choose the day on which the token stops working.".into());
        }
        Expiry::Day(typed) => Some(when::parse_day(typed.trim()).map_err(|problem| problem.to_string())?),
        Expiry::At(instant) if *instant <= limits.now && !limits.has_end(*instant) => {
            return Err("That moment is in the past. Choose a later one.".into());
        }
        Expiry::At(instant) => Some(when::day_of(instant.utc(), limits.zone)),
    };
    let new = match expiry {
        Expiry::At(instant) => Some(*instant),
        _ => day.map(|day| Stamp::from(when::end_of_day(day, limits.zone))),
    };
    if let Some(standing) = &limits.standing {
        let same_day = |end: Stamp| match expiry {
            Expiry::At(instant) => *instant == end,
            _ => Some(when::day_of(end.utc(), limits.zone)) == day,
        };
        match standing.expires_at {
            None if new.is_none() => return Ok(None),
            Some(end) if same_day(end) => return Ok(Some(end)),
            Some(end) if end <= limits.now => {
                return Err(EXPIRED.into());
            }
            _ => {}
        }
    }
    match (day, &limits.standing) {
        (Some(day), _) if day < today && !matches!(expiry, Expiry::At(_)) => {
            return Err("That day is in the past. Choose today or a later day.".into());
        }
        // `None` is the latest of all ends.
        (_, Some(standing)) if new.is_some() && standing.expires_at.is_none_or(|end| new < Some(end)) => {
            return Ok(new);
        }
        (_, Some(standing)) if !standing.may_extend => {
            return Err(ADMINS_EXTEND.into());
        }
        _ => {}
    }
    match day {
        None if limits.policy.allow_never => {}
        None => return Err("The policy does not allow tokens without an expiry. Choose a date.".into()),
        Some(day) if day > limits.last_day() => {
            let most = when::span_of(limits.policy.max_days(limits.role));
            let from = if limits.standing.is_some() { " from when its value was generated" } else { "" };
            return Err(format!("The policy allows up to {most}{from}. Choose an earlier day."));
        }
        Some(_) => {}
    }
    Ok(new)
}

impl Limits<'_> {
    /// Whether the edited token ends at that instant already.
    fn has_end(&self, instant: Stamp) -> bool {
        self.standing.is_some_and(|standing| standing.expires_at == Some(instant))
    }

    /// The latest day that the policy allows.
    pub fn last_day(&self) -> chrono::NaiveDate {
        when::in_days(self.since.utc(), self.policy.max_days(self.role), self.zone)
    }
}

fn check_allow(typed: &[String], catalogue: &Catalogue) -> Result<Lines, String> {
    let entries = check_lines(typed, |line| {
        let (service, id) = line.split_once(':').unwrap_or((line, ""));
        if id.is_empty() || line.chars().any(|c| c.is_control() || c.is_whitespace()) || id.len() > 300 {
            return Err(format!("“{line}” is not an entry like SERVICE:ID or SERVICE:*."));
        }
        let full = catalogue.resolve(&format!("{service}:*"))?;
        Ok(format!("{}{id}", full.trim_end_matches('*')))
    })?;
    match entries.len() {
        n if n > ALLOW_MOST => Err(format!("An allow list has up to {ALLOW_MOST} entries; this has {n}.")),
        _ => Ok(entries.iter().collect()),
    }
}

fn check_addresses(typed: &[String]) -> Result<Lines, String> {
    let entries = check_lines(typed, |line| match parse_net(line) {
        Some(_) => Ok(line.to_owned()),
        None => Err(format!("“{line}” is not an address or network, such as 10.4.0.17 or 2001:db8::/32.")),
    })?;
    match entries.len() {
        n if n > ALLOW_MOST => Err(format!("An address list has up to {ALLOW_MOST} entries; this has {n}.")),
        _ => Ok(entries.iter().collect()),
    }
}

/// Every line that is not empty, checked; what is wrong is told line by line, the first three.
fn check_lines(typed: &[String], check: impl Fn(&str) -> Result<String, String>) -> Result<Vec<String>, String> {
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for (nth, line) in typed.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match check(line.trim()) {
            Ok(entry) => right.push(entry),
            Err(sentence) => wrong.push(format!("Line {}: {sentence}", nth + 1)),
        }
    }
    if wrong.is_empty() {
        return Ok(right);
    }
    let more = wrong.len().saturating_sub(3);
    wrong.truncate(3);
    if more > 0 {
        wrong.push(format!("And {}.", when::count(more as u64, "more line")));
    }
    Err(wrong.join(" "))
}

fn check_rate(typed: &str) -> Result<Option<u32>, String> {
    match typed.trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(rate @ 1..=1_000_000) => Ok(Some(rate)),
            _ => Err("Requests per minute are a whole number from 1 to 1,000,000, or nothing.".into()),
        },
    }
}
