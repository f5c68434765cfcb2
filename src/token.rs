//! Tokens: a named, scoped, expiring right to call methods as an account. Their rows, generating, disabling, removing, and what
//! verification learns of them; typing and checking, editing, regenerating and lists are beside.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use diesel::prelude::*;
use uuid::Uuid;

use crate::account::Account;
use crate::actor::{Actor, Deed, Origin, Via};
use crate::audit::{self, Subject};
use crate::db::{Conn, MultiBackend};
use crate::error::{Error, OrTaken, Result};
use crate::schema::{accounts, generations, tokens};
use crate::scope::{MethodSymbols, Symbols};
use crate::secret::{Digest, Secret};
use crate::tx::{Change, TokenFacts, Tx, ValueFacts};
use crate::types::{AccountId, Lines, Stamp, Status, TokenId, TokenKind};

pub mod descent;
pub mod draft;
pub mod edit;
pub mod list;
pub mod purge;
pub mod query;
pub mod regenerate;
pub mod session;
#[cfg(test)]
mod tests;

use descent::Bounds;
use purge::forget;

pub use draft::{Expiry, Limits, NewToken, Standing, TokenDraft, check_expiry};

const NAME_TAKEN: &str = "You already have a token with this name. Choose another, or remove that one first.";
/// For how long verification remembers a value that has ended, to tell its owner when it is used.
const REMEMBERED: TimeDelta = TimeDelta::days(90);
/// How many tokens one change may name.
pub const MOST_AT_ONCE: usize = 10_000;
/// Ids in one statement: well below what a database takes as parameters.
const CHUNK: usize = 1_000;

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

/// Whether a name is free among the owner's tokens that are not removed, `except` aside: said at the form, held by a unique
/// index.
pub fn check_free(conn: &mut Conn, owner: &AccountId, name: &str, except: Option<&TokenId>) -> Result<()> {
    let same: Vec<TokenId> = tokens::table
        .filter(tokens::owner_id.eq(owner).and(tokens::name.eq(name)).and(tokens::removed_at.is_null()))
        .select(tokens::id)
        .load(conn)?;
    match same.iter().any(|id| Some(id) != except) {
        false => Ok(()),
        true => Err(Error::invalid("name", NAME_TAKEN)),
    }
}

/// How many tokens of an account count against the policy's limit.
pub fn count_of(conn: &mut Conn, owner: &AccountId) -> Result<i64> {
    let counted = tokens::table.filter(tokens::owner_id.eq(owner).and(tokens::removed_at.is_null()));
    Ok(counted.filter(tokens::kind.ne(TokenKind::Session)).count().get_result(conn)?)
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
    Bounds::of(tx.conn, actor)?.must_hold(&new)?;
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
        enabled: new.enabled,
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
    match token.kind != TokenKind::Session && sees(actor, &token) {
        true => Ok(token),
        false => Err(Error::Missing),
    }
}

fn sees(actor: &Actor, token: &Token) -> bool {
    actor.is(&token.owner_id) || actor.may(Deed::Administer)
}

/// A token that the actor may change: visible, and not removed. Its role is told last, as it tells that the token is there.
pub fn changeable(conn: &mut Conn, actor: &Actor, id: &TokenId) -> Result<Token> {
    let token = visible(conn, actor, id)?;
    if token.removed_at.is_some() {
        return Err(Error::Missing);
    }
    actor.must(Deed::GenerateOwnTokens)?;
    Ok(token)
}

/// Whether the actor may give a token more than it has: their own, or one of an account that is not above them.
pub fn must_reach(conn: &mut Conn, actor: &Actor, owner: &AccountId) -> Result<()> {
    if actor.is(owner) || crate::account::by_id(conn, owner)?.role <= actor.role {
        return Ok(());
    }
    Err(Error::Forbidden("This token belongs to an account whose role is above yours.".into()))
}

/// The account that a token speaks for, as the actor of what its value does in Hallpass itself. The index has let it in; here
/// it is looked at again, in the transaction of what it does.
pub fn speaker(conn: &mut Conn, id: &TokenId, now: Stamp, origin: Origin) -> Result<Actor> {
    let token: Token = tokens::table.find(id).select(Token::as_select()).first(conn)?;
    let account = crate::account::by_id(conn, &token.owner_id)?;
    match status(&token, None, !account.enabled, now, TimeDelta::zero()) {
        Status::Removed | Status::Expired | Status::Disabled | Status::Frozen => Err(Error::SignedOut),
        Status::Grace | Status::Expiring | Status::Active => Ok(Actor {
            account: Some(account.id),
            name: account.name,
            role: account.role,
            via: Via::Token(id.clone()),
            origin,
        }),
    }
}

/// The token that an actor speaks by.
pub fn spoken_by(conn: &mut Conn, actor: &Actor) -> Result<Token> {
    let Via::Token(id) = &actor.via else { return Err(Error::SignedOut) };
    Ok(tokens::table.find(id).select(Token::as_select()).first(conn)?)
}

/// All of them, each [`changeable`], in the order of their ids; or an error.
pub fn select(conn: &mut Conn, actor: &Actor, ids: &[TokenId]) -> Result<Vec<Token>> {
    if ids.len() > MOST_AT_ONCE {
        return Err(Error::invalid("id", "Select up to 10,000 tokens at once."));
    }
    let mut wanted: Vec<&TokenId> = ids.iter().collect();
    wanted.sort();
    wanted.dedup();
    let mut selected: Vec<Token> = Vec::with_capacity(wanted.len());
    for chunk in wanted.chunks(CHUNK) {
        let rows = tokens::table.filter(tokens::id.eq_any(chunk.iter().copied())).order(tokens::id);
        selected.extend(rows.select(Token::as_select()).load::<Token>(conn)?);
    }
    let gone = |token: &Token| !sees(actor, token) || token.removed_at.is_some() || token.kind == TokenKind::Session;
    if selected.len() != wanted.len() || selected.iter().any(gone) {
        return Err(Error::Missing);
    }
    actor.must(Deed::GenerateOwnTokens)?;
    Ok(selected)
}

/// Disables or enables all of them or none; the answer is the names of those that were not so already.
pub fn set_enabled(tx: &mut Tx<'_>, actor: &Actor, ids: &[TokenId], enabled: bool) -> Result<Vec<String>> {
    let version = tx.version()?;
    let mut changed = select(tx.conn, actor, ids)?;
    changed.retain(|token| token.enabled != enabled);
    let bounds = Bounds::of(tx.conn, actor)?;
    changed.iter().try_for_each(|token| bounds.must_reach(token))?;
    if enabled {
        let owners: BTreeSet<&AccountId> = changed.iter().map(|token| &token.owner_id).collect();
        owners.into_iter().try_for_each(|owner| must_reach(tx.conn, actor, owner))?;
    }
    let values = known_values(tx.conn, &changed, tx.now)?;
    for chunk in changed.chunks(CHUNK) {
        let rows = tokens::table.filter(tokens::id.eq_any(chunk.iter().map(|token| &token.id)));
        diesel::update(rows).set((tokens::enabled.eq(enabled), tokens::version.eq(version))).execute(tx.conn)?;
    }
    let action = if enabled { "token.enable" } else { "token.disable" };
    for token in &mut changed {
        (token.enabled, token.version) = (enabled, version);
        let subject = Subject::token(&token.id, &token.name);
        audit::record(tx, actor, action, subject, Some(&token.owner_id), serde_json::json!({}))?;
        let known = values.get(&token.id).map_or(&[][..], Vec::as_slice);
        tx.changed(Change::Token(facts(token, known, tx.now)));
    }
    Ok(changed.into_iter().map(|token| token.name).collect())
}

/// Removes all of them or none. The rows stay for history; the values are dead when this is answered.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, ids: &[TokenId]) -> Result<Vec<String>> {
    let version = tx.version()?;
    let mut removed = select(tx.conn, actor, ids)?;
    for chunk in removed.chunks(CHUNK) {
        let rows = tokens::table.filter(tokens::id.eq_any(chunk.iter().map(|token| &token.id)));
        diesel::update(rows).set((tokens::removed_at.eq(tx.now), tokens::version.eq(version))).execute(tx.conn)?;
    }
    for token in &mut removed {
        (token.removed_at, token.version) = (Some(tx.now), version);
        let detail = serde_json::json!({ "scopes": token.scopes, "expires_at": token.expires_at });
        let subject = Subject::token(&token.id, &token.name);
        audit::record(tx, actor, "token.remove", subject, Some(&token.owner_id), detail)?;
        tx.changed(Change::Token(facts(token, &[], tx.now)));
    }
    Ok(removed.into_iter().map(|token| token.name).collect())
}

/// The values of a token, newest first.
pub fn values_of(conn: &mut Conn, id: &TokenId) -> Result<Vec<Generation>> {
    let values = generations::table.filter(generations::token_id.eq(id)).order(generations::number.desc());
    Ok(values.select(Generation::as_select()).load(conn)?)
}

/// The token and generation that a value belongs to, if the actor may see it; a removed token's too.
pub fn by_value(conn: &mut Conn, actor: &Actor, digest: Digest) -> Result<Option<(Token, Generation)>> {
    let found: Option<(Token, Generation)> = generations::table
        .inner_join(tokens::table)
        .filter(generations::digest.eq(digest.hex()))
        .select((Token::as_select(), Generation::as_select()))
        .first(conn)
        .optional()?;
    Ok(found.filter(|(token, _)| sees(actor, token)))
}

/// Whether any token has or had that value.
pub fn is_value(conn: &mut Conn, digest: Digest) -> Result<bool> {
    let count: i64 = generations::table.filter(generations::digest.eq(digest.hex())).count().get_result(conn)?;
    Ok(count > 0)
}

/// The values that verification knows, by token.
fn known_values(conn: &mut Conn, of: &[Token], now: Stamp) -> Result<BTreeMap<TokenId, Vec<Generation>>> {
    let mut known: BTreeMap<TokenId, Vec<Generation>> = BTreeMap::new();
    for chunk in of.chunks(CHUNK) {
        let rows = generations::table
            .filter(generations::token_id.eq_any(chunk.iter().map(|token| &token.id)))
            .filter(generations::ends_at.is_null().or(generations::ends_at.gt(now.minus(REMEMBERED))))
            .select(Generation::as_select());
        for value in rows.load::<Generation>(conn)? {
            known.entry(value.token_id.clone()).or_default().push(value);
        }
    }
    Ok(known)
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

/// What verification learns of a token.
fn facts(token: &Token, values: &[Generation], now: Stamp) -> TokenFacts {
    let known = values.iter().filter(|value| value.ends_at.is_none_or(|end| now.minus(REMEMBERED) < end));
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
        values: known
            .filter_map(|value| {
                let digest = Digest::from_hex(&value.digest)?;
                Some(ValueFacts { digest, number: value.number, ends_at: value.ends_at })
            })
            .collect(),
    }
}

/// What the index takes of a row: no more is read for a million of them.
#[derive(Queryable, Selectable)]
#[diesel(table_name = tokens)]
#[diesel(check_for_backend(MultiBackend))]
struct Row {
    id: TokenId,
    owner_id: AccountId,
    version: i64,
    name: String,
    scopes: Lines,
    allow: Lines,
    ip_allow: Lines,
    rate_per_minute: Option<i64>,
    enabled: bool,
    expires_at: Option<Stamp>,
    removed_at: Option<Stamp>,
}

/// Every token whose version is above `seen`, for the index, with the values that it knows. With `seen` below every version
/// whole tables are read as they lie: through the index of versions each row would be looked for.
pub fn changed_since(conn: &mut Conn, seen: i64, now: Stamp, mut learn: impl FnMut(TokenFacts)) -> Result<()> {
    let every = generations::table
        .filter(generations::ends_at.is_null().or(generations::ends_at.gt(now.minus(REMEMBERED))))
        .select((generations::token_id, generations::number, generations::digest, generations::ends_at));
    let of = tokens::id.eq(generations::token_id).and(tokens::version.gt(seen));
    let changed = every.filter(diesel::dsl::exists(tokens::table.filter(of)));
    let mut values: Vec<(Uuid, ValueFacts)> = Vec::new();
    let mut keep = |row: QueryResult<(TokenId, i64, String, Option<Stamp>)>| -> Result<()> {
        let (id, number, digest, ends_at) = row?;
        let value = Digest::from_hex(&digest).map(|digest| ValueFacts { digest, number, ends_at });
        values.extend(id.uuid().zip(value));
        Ok(())
    };
    match seen < 0 {
        true => every.load_iter(conn)?.try_for_each(&mut keep)?,
        false => changed.load_iter(conn)?.try_for_each(&mut keep)?,
    }
    values.sort_by_key(|(id, _)| *id);
    let mut tell = |row: QueryResult<Row>| -> Result<()> {
        let row = row?;
        let id = row.id.uuid();
        let from = values.partition_point(|(of, _)| Some(*of) < id);
        let of = values.iter().skip(from).take_while(|(of, _)| Some(*of) == id);
        learn(TokenFacts {
            id: row.id,
            owner: row.owner_id,
            version: row.version,
            name: row.name,
            scopes: row.scopes,
            allow: row.allow,
            ip_allow: row.ip_allow,
            rate_per_minute: row.rate_per_minute.and_then(|rate| u32::try_from(rate).ok()),
            enabled: row.enabled,
            expires_at: row.expires_at,
            removed: row.removed_at.is_some(),
            values: of.map(|(_, value)| value.clone()).collect(),
        });
        Ok(())
    };
    match seen < 0 {
        true => tokens::table.select(Row::as_select()).load_iter(conn)?.try_for_each(&mut tell)?,
        false => {
            let changed = tokens::table.filter(tokens::version.gt(seen)).select(Row::as_select());
            changed.load_iter(conn)?.try_for_each(&mut tell)?
        }
    }
    purge::changed_since(conn, seen, learn)
}
