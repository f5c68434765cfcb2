//! Tokens: a named, scoped, expiring right to call methods as an account. Their rows, generating, disabling and removing; typing
//! and checking, editing, regenerating, lists and what verification learns of them are beside.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use diesel::prelude::*;

use crate::account::{self, Account};
use crate::actor::{Actor, Deed, Origin, Relation, Via};
use crate::audit::{self, Subject};
use crate::db::{Conn, MultiBackend};
use crate::error::{Error, OrTaken, Result};
use crate::schema::{accounts, generations, tokens};
use crate::scope::{MethodSymbols, Symbols};
use crate::secret::{Digest, Secret};
use crate::tx::{Change, Tx};
use crate::types::{AccountId, AccountKind, Lines, Stamp, Status, TokenId, TokenKind};

pub mod all;
pub mod cut;
pub mod descent;
pub mod draft;
pub mod edit;
pub mod expiry;
pub mod hand_over;
mod learn;
pub mod list;
pub mod purge;
pub mod query;
pub mod regenerate;
pub mod session;
#[cfg(test)]
mod tests;

use descent::Bounds;
use learn::{facts, known_values};
use purge::forget;

pub use draft::{Expiry, Limits, NewToken, Standing, TokenDraft, check_expiry};
pub use learn::{changed_since, every, how_many, of_value};

const NAME_TAKEN: &str = "This account already has a token with this name. Choose another, or remove that one first.";
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
    // Drawn first: on PostgreSQL it makes the count below and the insert one after the other.
    let version = tx.version()?;
    let owner = &may_hold(tx.conn, actor, &owner.id)?;
    let limit = tx.policy.tokens_per_account;
    if count_of(tx.conn, &owner.id)? >= i64::from(limit) {
        let who = if actor.is(&owner.id) { "You have".to_owned() } else { format!("{} has", owner.name) };
        return Err(Error::invalid(
            "name",
            format!("{who} {limit} of {limit} tokens. Remove one to generate another."),
        ));
    }
    if new.expires_at.is_some_and(|end| end <= tx.now) {
        return Err(Error::invalid("expires_at", "That moment has passed meanwhile. Choose a later day."));
    }
    tx.policy.must_allow(owner.role, tx.now, new.expires_at)?;
    Bounds::of(tx.conn, actor)?.must_hold(&new)?;
    let value = Secret::generate(prefix, tx.random)?;
    let token = Token {
        id: tx.id()?,
        kind: match owner.kind {
            AccountKind::Person => TokenKind::Personal,
            AccountKind::Service => TokenKind::Service,
        },
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

/// The account as it is now, if the actor may generate tokens for it: one that they may not see is missing.
pub fn may_hold(conn: &mut Conn, actor: &Actor, owner: &AccountId) -> Result<Account> {
    let owner = account::by_id(conn, owner)?;
    let relation = account::relation(conn, actor, &owner)?;
    actor.must_see(relation, Deed::SeeTokens)?;
    must_take_values(actor, relation, &owner)?;
    if !owner.is_living() {
        return Err(Error::Forbidden(format!("{} is disabled. Its tokens would be refused.", owner.name)));
    }
    Ok(owner)
}

/// What a search looks into.
fn fold(name: &str, description: &str) -> String {
    format!("{name}\n{description}").to_lowercase()
}

/// A token that the actor may see, by how they stand to its owner. All others are missing, not forbidden.
pub fn visible(conn: &mut Conn, actor: &Actor, id: &TokenId) -> Result<Token> {
    seen(conn, actor, id).map(|(token, ..)| token)
}

fn seen(conn: &mut Conn, actor: &Actor, id: &TokenId) -> Result<(Token, Account, Relation)> {
    let found = tokens::table.filter(tokens::id.eq(id).and(tokens::kind.ne(TokenKind::Session)));
    let token: Token = found.select(Token::as_select()).first(conn)?;
    let owner = account::by_id(conn, &token.owner_id)?;
    let relation = account::relation(conn, actor, &owner)?;
    actor.must_see(relation, Deed::SeeTokens)?;
    Ok((token, owner, relation))
}

/// A token that the actor may change: visible, and not removed. The role is told last, as it tells that the token is there.
pub fn changeable(conn: &mut Conn, actor: &Actor, id: &TokenId) -> Result<Token> {
    let (token, _, relation) = unremoved(conn, actor, id)?;
    actor.must_as(relation, Deed::ChangeTokens)?;
    Ok(token)
}

/// A token whose value the actor may be shown: it acts as its owner, so that one must not be above the actor.
pub fn renewable(conn: &mut Conn, actor: &Actor, id: &TokenId) -> Result<Token> {
    let (token, owner, relation) = unremoved(conn, actor, id)?;
    must_take_values(actor, relation, &owner)?;
    Ok(token)
}

fn unremoved(conn: &mut Conn, actor: &Actor, id: &TokenId) -> Result<(Token, Account, Relation)> {
    let found = seen(conn, actor, id)?;
    if found.0.removed_at.is_some() { Err(Error::Missing) } else { Ok(found) }
}

/// Whether the actor may be shown a value that acts as the owner.
pub fn must_take_values(actor: &Actor, relation: Relation, owner: &Account) -> Result<()> {
    actor.must_as(relation, Deed::TakeValues)?;
    must_reach(actor, owner)
}

/// Whether the actor may give the owner's tokens more than they have.
pub fn must_reach(actor: &Actor, owner: &Account) -> Result<()> {
    if actor.is(&owner.id) { Ok(()) } else { actor.must_reach(owner.role) }
}

/// The account that a token speaks for, as the actor of what its value does in Hallpass itself. The index has let it in; here
/// it is looked at again, in the transaction of what it does.
pub fn speaker(conn: &mut Conn, id: &TokenId, generation: i64, now: Stamp, origin: Origin) -> Result<Actor> {
    let value: Generation = generations::table.find((id, generation)).select(Generation::as_select()).first(conn)?;
    if value.ends_at.is_some_and(|end| end <= now) {
        return Err(Error::SignedOut);
    }
    let token: Token = tokens::table.find(id).select(Token::as_select()).first(conn)?;
    let account = account::by_id(conn, &token.owner_id)?;
    match status(&token, None, !account.is_living(), now, TimeDelta::zero()) {
        Status::Removed | Status::Expired | Status::Disabled | Status::Frozen => Err(Error::SignedOut),
        Status::Grace | Status::Expiring | Status::Active => Ok(Actor {
            account: Some(account.id),
            name: account.name,
            role: account.role,
            via: Via::Token { id: id.clone(), generation },
            origin,
        }),
    }
}

/// The token that an actor speaks by.
pub fn spoken_by(conn: &mut Conn, actor: &Actor) -> Result<Token> {
    let Via::Token { id, .. } = &actor.via else { return Err(Error::SignedOut) };
    Ok(tokens::table.find(id).select(Token::as_select()).first(conn)?)
}

/// The value of it that was sent.
pub fn value_spoken_by(conn: &mut Conn, actor: &Actor) -> Result<Generation> {
    let Via::Token { id, generation } = &actor.via else { return Err(Error::SignedOut) };
    Ok(generations::table.find((id, generation)).select(Generation::as_select()).first(conn)?)
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
    let is_gone = |token: &Token| token.removed_at.is_some() || token.kind == TokenKind::Session;
    if selected.len() != wanted.len() || selected.iter().any(is_gone) {
        return Err(Error::Missing);
    }
    let owners: BTreeSet<&AccountId> = selected.iter().map(|token| &token.owner_id).collect();
    let mut relations = Vec::with_capacity(owners.len());
    for owner in owners {
        let owner = account::by_id(conn, owner)?;
        let relation = account::relation(conn, actor, &owner)?;
        actor.must_see(relation, Deed::SeeTokens)?;
        relations.push(relation);
    }
    // Only when all of them are known to be seen: a refusal tells that they are there.
    relations.into_iter().try_for_each(|relation| actor.must_as(relation, Deed::ChangeTokens))?;
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
        for owner in owners {
            must_reach(actor, &account::by_id(tx.conn, owner)?)?;
        }
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
        let detail = serde_json::json!({ "before": { "enabled": !enabled }, "after": { "enabled": enabled } });
        audit::record(tx, actor, action, subject, Some(&token.owner_id), detail)?;
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
    let Some((token, value)) = found else { return Ok(None) };
    let owner = account::by_id(conn, &token.owner_id)?;
    let relation = account::relation(conn, actor, &owner)?;
    Ok(actor.may_as(relation, Deed::SeeTokens).then_some((token, value)))
}

/// The name of each token of these that there is, and whether it is removed.
pub fn names(conn: &mut Conn, ids: &[TokenId]) -> Result<Vec<(TokenId, String, bool)>> {
    let rows = tokens::table.filter(tokens::id.eq_any(ids));
    Ok(rows.select((tokens::id, tokens::name, tokens::removed_at.is_not_null())).load(conn)?)
}

/// Whether any token has or had that value.
pub fn is_value(conn: &mut Conn, digest: Digest) -> Result<bool> {
    let count: i64 = generations::table.filter(generations::digest.eq(digest.hex())).count().get_result(conn)?;
    Ok(count > 0)
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

/// How many tokens of each account may still live: neither removed nor past their end.
pub fn living_by_owner(conn: &mut Conn, owners: &[AccountId], now: Stamp) -> Result<BTreeMap<AccountId, i64>> {
    let counted = tokens::table
        .filter(tokens::owner_id.eq_any(owners).and(tokens::removed_at.is_null()))
        .filter(tokens::expires_at.is_null().or(tokens::expires_at.gt(now)))
        .filter(tokens::kind.ne(TokenKind::Session))
        .group_by(tokens::owner_id)
        .select((tokens::owner_id, diesel::dsl::count_star()));
    Ok(counted.load::<(AccountId, i64)>(conn)?.into_iter().collect())
}

/// The same tokens themselves, by name.
pub fn living_of(conn: &mut Conn, owner: &AccountId, now: Stamp) -> Result<Vec<Token>> {
    let living = tokens::table
        .filter(tokens::owner_id.eq(owner).and(tokens::removed_at.is_null()))
        .filter(tokens::expires_at.is_null().or(tokens::expires_at.gt(now)))
        .filter(tokens::kind.ne(TokenKind::Session))
        .order((tokens::name_key, tokens::id));
    Ok(living.select(Token::as_select()).load(conn)?)
}
