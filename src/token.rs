//! Tokens: a named, scoped, expiring right to call methods as an account. What may be asked, generating, listing, removing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::actor::{Actor, Deed, wording};
use crate::audit::{self, Subject};
use crate::catalogue::Catalogue;
use crate::db::{Conn, MultiBackend};
use crate::error::{Error, OrMissing, OrTaken, Problem, Result};
use crate::policy::Policy;
use crate::schema::{accounts, generations, tokens};
use crate::scope::{MethodSymbols, Scope, Symbols};
use crate::secret::{Digest, Random, Secret};
use crate::tx::{Change, TokenFacts, Tx, ValueFacts};
use crate::types::{AccountId, Lines, Role, Stamp, Status, TokenId, TokenKind, is_unprintable, parse_net};
use crate::when::{self, Zone};

pub mod list;

const NAME_MOST: usize = 100;
const DESCRIPTION_MOST: usize = 500;
const ALLOW_MOST: usize = 128;
const NAME_TAKEN: &str = "You already have a token with this name. Choose another, or remove that one first.";

#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = tokens)]
#[diesel(check_for_backend(MultiBackend))]
pub struct Token {
    pub id: TokenId,
    pub kind: TokenKind,
    pub owner_id: AccountId,
    pub created_by: String,
    pub name: String,
    pub description: String,
    /// The name in lower case: what lists are sorted by.
    pub name_key: String,
    /// Name and description in lower case: what a search looks into, alike on both databases.
    pub folded: String,
    /// Full scopes.
    pub scopes: Lines,
    /// Slug of the access set it was generated with; `None` is the person's own choice.
    pub access_set: Option<String>,
    pub allow: Lines,
    pub ip_allow: Lines,
    pub rate_per_minute: Option<i64>,
    pub enabled: bool,
    pub created_at: Stamp,
    pub expires_at: Option<Stamp>,
    pub removed_at: Option<Stamp>,
    pub version: i64,
}

#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = generations)]
#[diesel(check_for_backend(MultiBackend))]
pub struct Generation {
    pub token_id: TokenId,
    pub number: i64,
    pub digest: String,
    pub starts_with: String,
    pub created_at: Stamp,
    /// Set once it is the previous value.
    pub ends_at: Option<Stamp>,
    /// Its last use; written in batches.
    pub used_at: Option<Stamp>,
}

/// When a token is wished to end, as a form or program says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// The end of the day that many days from today.
    Days(u32),
    /// A day as typed: the end of it in the person's time zone.
    Day(String),
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
}

/// What a draft is held against.
pub struct Limits<'a> {
    pub catalogue: &'a Catalogue,
    pub policy: &'a Policy,
    pub role: Role,
    pub zone: Zone,
    pub now: Stamp,
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
                Ok(NewToken { name, description, expires_at, access_set, scopes, allow, ip_allow, rate_per_minute })
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
                let method = limits.catalogue.api(api).and_then(|api| api.method(service, name));
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

/// The instant at which the token stops, within the policy: a day means the end of it in the person's zone.
pub fn check_expiry(expiry: &Expiry, limits: &Limits<'_>) -> Result<Option<Stamp>, String> {
    let most = limits.policy.max_days(limits.role);
    let now = limits.now.utc();
    let day = match expiry {
        Expiry::Never if limits.policy.allow_never => return Ok(None),
        Expiry::Never => return Err("The policy does not allow tokens without an expiry. Choose a date.".into()),
        Expiry::Days(days) => when::in_days(now, *days, limits.zone),
        Expiry::Day(typed) if typed.trim().is_empty() => {
            return Err("Choose the day on which the token stops working.".into());
        }
        Expiry::Day(typed) => when::parse_day(typed.trim()).map_err(|problem| problem.to_string())?,
    };
    if day < when::day_of(now, limits.zone) {
        return Err("That day is in the past. Choose today or a later day.".into());
    }
    if day > when::in_days(now, most, limits.zone) {
        return Err(format!("The policy allows up to {}. Choose an earlier day.", when::span_of(most)));
    }
    Ok(Some(when::end_of_day(day, limits.zone).into()))
}

fn check_allow(typed: &[String], catalogue: &Catalogue) -> Result<Lines, String> {
    let mut entries = Vec::new();
    for line in typed.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        let (service, id) = line.split_once(':').unwrap_or((line, ""));
        if id.is_empty() || line.chars().any(|c| c.is_control() || c.is_whitespace()) || id.len() > 300 {
            return Err(format!("“{line}” is not an entry like SERVICE:ID or SERVICE:*."));
        }
        let full = catalogue.resolve(&format!("{service}:*"))?;
        entries.push(format!("{}{id}", full.trim_end_matches('*')));
    }
    match entries.len() {
        n if n > ALLOW_MOST => Err(format!("An allow list has up to {ALLOW_MOST} entries; this has {n}.")),
        _ => Ok(entries.iter().collect()),
    }
}

fn check_addresses(typed: &[String]) -> Result<Lines, String> {
    let entries = typed.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    let checked = entries.map(|line| match parse_net(line) {
        Some(_) => Ok(line.to_owned()),
        None => Err(format!("“{line}” is not an address or network, such as 10.4.0.17 or 2001:db8::/32.")),
    });
    let checked: Vec<String> = checked.collect::<Result<_, String>>()?;
    match checked.len() {
        n if n > ALLOW_MOST => Err(format!("An address list has up to {ALLOW_MOST} entries; this has {n}.")),
        _ => Ok(checked.iter().collect()),
    }
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

/// Whether a name is free among the owner's tokens that are not removed: said at the form, held by a unique index.
pub fn check_free(conn: &mut Conn, owner: &AccountId, name: &str) -> Result<()> {
    let same =
        tokens::table.filter(tokens::owner_id.eq(owner).and(tokens::name.eq(name)).and(tokens::removed_at.is_null()));
    match same.count().get_result::<i64>(conn)? {
        0 => Ok(()),
        _ => Err(Error::invalid("name", NAME_TAKEN)),
    }
}

/// How many tokens of an account count against the policy's limit.
pub fn count_of(conn: &mut Conn, owner: &AccountId) -> Result<i64> {
    Ok(tokens::table.filter(tokens::owner_id.eq(owner).and(tokens::removed_at.is_null())).count().get_result(conn)?)
}

/// Makes the token and its first value; the answer is the only place where that value ever is.
pub fn generate(
    tx: &mut Tx<'_>,
    actor: &Actor,
    owner: &Account,
    new: NewToken,
    prefix: &str,
) -> Result<(Token, Secret)> {
    actor.must(Deed::GenerateOwnTokens)?;
    if !actor.is(&owner.id) {
        actor.must(Deed::MakeAdmins)?;
    }
    // Drawn first: on PostgreSQL it makes the count below and the insert one after the other.
    let version = tx.version()?;
    let limit = tx.policy.tokens_per_account;
    if count_of(tx.conn, &owner.id)? >= i64::from(limit) {
        return Err(Error::invalid(
            "name",
            format!("You have {limit} of {limit} tokens. Remove one to generate another."),
        ));
    }
    if new.expires_at.is_some_and(|end| end <= tx.now) {
        return Err(Error::invalid("expires_at", "That moment has passed meanwhile. Choose a later day."));
    }
    let value = Secret::generate(prefix, tx.random)?;
    let token = Token {
        id: tx.id()?,
        kind: TokenKind::Personal,
        owner_id: owner.id.clone(),
        created_by: actor.account.as_ref().map_or_else(|| actor.name.clone(), ToString::to_string),
        name_key: new.name.to_lowercase(),
        folded: fold(&new.name, &new.description),
        name: new.name,
        description: new.description,
        scopes: new.scopes,
        access_set: new.access_set,
        allow: new.allow,
        ip_allow: new.ip_allow,
        rate_per_minute: new.rate_per_minute.map(i64::from),
        enabled: true,
        created_at: tx.now,
        expires_at: new.expires_at,
        removed_at: None,
        version,
    };
    diesel::insert_into(tokens::table).values(&token).execute(tx.conn).or_taken("name", NAME_TAKEN)?;
    let generation = Generation {
        token_id: token.id.clone(),
        number: 1,
        digest: value.digest().hex(),
        starts_with: value.starts_with(),
        created_at: tx.now,
        ends_at: None,
        used_at: None,
    };
    diesel::insert_into(generations::table).values(&generation).execute(tx.conn)?;
    let detail = serde_json::json!({
        "starts_with": generation.starts_with, "scopes": token.scopes, "access_set": token.access_set, "allow": token.allow,
        "ip_allow": token.ip_allow, "rate_per_minute": token.rate_per_minute, "expires_at": token.expires_at,
    });
    audit::record(tx, actor, "token.generate", Subject::token(&token.id, &token.name), Some(&owner.id), detail)?;
    tx.changed(Change::Token(facts(&token, &[generation], tx.now)));
    Ok((token, value))
}

/// What a search looks into.
fn fold(name: &str, description: &str) -> String {
    format!("{name}\n{description}").to_lowercase()
}

/// A token that the actor may see: their own, or any for administrators. All others are missing, not forbidden.
pub fn visible(conn: &mut Conn, actor: &Actor, id: &TokenId) -> Result<Token> {
    let token: Token = tokens::table.find(id).select(Token::as_select()).first(conn)?;
    match actor.is(&token.owner_id) || actor.may(Deed::Administer) {
        true => Ok(token),
        false => Err(Error::Missing),
    }
}

/// Removes all of them or none. The rows stay for history; the values are dead when this is answered.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, ids: &[TokenId]) -> Result<Vec<String>> {
    let version = tx.version()?;
    let mut names = Vec::new();
    for id in ids {
        let mut token = visible(tx.conn, actor, id)?;
        actor.must(Deed::GenerateOwnTokens)?;
        if token.removed_at.is_some() {
            return Err(Error::Missing);
        }
        token.removed_at = Some(tx.now);
        token.version = version;
        diesel::update(tokens::table.find(id))
            .set((tokens::removed_at.eq(tx.now), tokens::version.eq(version)))
            .execute(tx.conn)
            .or_missing()?;
        let detail = serde_json::json!({ "scopes": token.scopes, "expires_at": token.expires_at });
        audit::record(tx, actor, "token.remove", Subject::token(id, &token.name), Some(&token.owner_id), detail)?;
        tx.changed(Change::Token(facts(&token, &[], tx.now)));
        names.push(token.name);
    }
    Ok(names)
}

/// Status, the first that applies. `frozen` is whether the owner's account is disabled.
pub fn status(token: &Token, grace_until: Option<Stamp>, frozen: bool, now: Stamp, notice: TimeDelta) -> Status {
    match () {
        () if token.removed_at.is_some() => Status::Removed,
        () if token.expires_at.is_some_and(|end| end <= now) => Status::Expired,
        () if !token.enabled => Status::Disabled,
        () if frozen => Status::Frozen,
        () if grace_until.is_some_and(|end| now < end) => Status::Grace,
        () if token.expires_at.is_some_and(|end| end <= now.plus(notice)) => Status::Expiring,
        () => Status::Active,
    }
}

/// Living tokens that allow one of the methods (`SERVICE:METHOD`), by name or by a wildcard, each with its owner's name and
/// the places of those methods: what a new description touches.
pub fn touched_by(
    conn: &mut Conn,
    symbols: &Symbols,
    api: &str,
    methods: &[String],
) -> Result<Vec<(Token, String, Vec<usize>)>> {
    let split = methods.iter().filter_map(|short| short.split_once(':'));
    let wanted: Vec<MethodSymbols> =
        split.map(|(service, name)| MethodSymbols::new(symbols, api, service, name)).collect();
    let living = tokens::table
        .inner_join(accounts::table)
        .filter(tokens::removed_at.is_null())
        .filter(tokens::scopes.like(format!("%{api}/%")).or(tokens::scopes.like("%*%")))
        .order((tokens::created_at, tokens::id))
        .select((Token::as_select(), accounts::name));
    let mut touched = Vec::new();
    for row in living.load_iter(conn)? {
        let (token, owner): (Token, String) = row?;
        let set = symbols.set(&token.scopes);
        let places: Vec<usize> =
            wanted.iter().enumerate().filter(|(_, method)| set.grants(method).is_some()).map(|(nth, _)| nth).collect();
        if !places.is_empty() {
            touched.push((token, owner, places));
        }
    }
    Ok(touched)
}

/// Living tokens by the access set that they were generated with.
pub fn count_by_set(conn: &mut Conn) -> Result<BTreeMap<String, usize>> {
    let counted: Vec<(Option<String>, i64)> = tokens::table
        .filter(tokens::removed_at.is_null().and(tokens::access_set.is_not_null()))
        .group_by(tokens::access_set)
        .select((tokens::access_set, diesel::dsl::count_star()))
        .load(conn)?;
    Ok(counted.into_iter().filter_map(|(slug, n)| Some((slug?, usize::try_from(n).ok()?))).collect())
}

fn facts(token: &Token, values: &[Generation], now: Stamp) -> TokenFacts {
    let living = values.iter().filter(|value| value.ends_at.is_none_or(|end| now < end));
    TokenFacts {
        id: token.id.clone(),
        owner: token.owner_id.clone(),
        version: token.version,
        name: token.name.clone(),
        scopes: token.scopes.clone(),
        allow: token.allow.clone(),
        ip_allow: token.ip_allow.clone(),
        rate_per_minute: token.rate_per_minute.and_then(|rate| u32::try_from(rate).ok()),
        enabled: token.enabled,
        expires_at: token.expires_at,
        removed: token.removed_at.is_some(),
        values: living
            .filter_map(|value| {
                let digest = Digest::from_hex(&value.digest)?;
                Some(ValueFacts { digest, number: value.number, ends_at: value.ends_at })
            })
            .collect(),
    }
}

/// Every token whose version is above `seen`, for the index, with its living values.
pub fn changed_since(conn: &mut Conn, seen: i64, now: Stamp, mut learn: impl FnMut(TokenFacts)) -> Result<()> {
    let values = generations::table
        .inner_join(tokens::table)
        .filter(tokens::version.gt(seen))
        .filter(generations::ends_at.is_null().or(generations::ends_at.gt(now)))
        .select(Generation::as_select());
    let mut by_token: BTreeMap<TokenId, Vec<Generation>> = BTreeMap::new();
    for value in values.load_iter(conn)? {
        let value: Generation = value?;
        by_token.entry(value.token_id.clone()).or_default().push(value);
    }
    let changed = tokens::table.filter(tokens::version.gt(seen)).select(Token::as_select());
    for token in changed.load_iter(conn)? {
        let token: Token = token?;
        learn(facts(&token, by_token.get(&token.id).map_or(&[], Vec::as_slice), now));
    }
    Ok(())
}
