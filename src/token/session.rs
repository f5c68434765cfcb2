//! Session tokens: what `POST /api/v1/auth/login` gives to who knows the password. They stand for their person in Hallpass's
//! own API and nowhere else, for a day, and are shown among the sessions, not among the tokens.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::list::{Listed, dress};
use super::{Generation, Token, facts, fold, forget, spoken_by};
use crate::account::{self, Account};
use crate::actor::{Actor, Origin, Via};
use crate::audit::{self, Subject};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::policy::{Confirm, Policy};
use crate::schema::{generations, tokens, uses};
use crate::scope::OWN_API;
use crate::secret::Secret;
use crate::tx::{Change, Tx};
use crate::types::{AccountId, Lines, SessionId, Stamp, TokenId, TokenKind};

pub const LIFE: TimeDelta = TimeDelta::hours(24);
/// For how long the row of one that is over is kept.
const MEMORY: TimeDelta = TimeDelta::days(7);

/// Signs a program in, for an account that has just proved itself.
pub fn generate(tx: &mut Tx<'_>, account: &Account, origin: Origin, prefix: &str) -> Result<(Token, Secret)> {
    let version = tx.version()?;
    // Between the proof and this transaction the account may have been disabled or given another password.
    let now = account::by_id(tx.conn, &account.id)?;
    if !now.enabled || now.password != account.password {
        return Err(Error::SignedOut);
    }
    let value = Secret::generate(prefix, tx.random)?;
    let id: TokenId = tx.id()?;
    let name = format!("session {id}");
    let token = Token {
        kind: TokenKind::Session,
        owner_id: account.id.clone(),
        created_by: account.id.to_string(),
        name_key: name.clone(),
        folded: fold(&name, ""),
        name,
        description: String::new(),
        scopes: [format!("{OWN_API}/*")].iter().collect(),
        access_set: None,
        allow: Lines::default(),
        ip_allow: Lines::default(),
        rate_per_minute: None,
        enabled: true,
        created_at: tx.now,
        expires_at: Some(tx.now.plus(LIFE)),
        removed_at: None,
        version,
        id,
    };
    diesel::insert_into(tokens::table).values(&token).execute(tx.conn)?;
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
    // Signing in is its first use.
    let agent: String = origin.agent.chars().take(300).collect();
    let first =
        (uses::token_id.eq(&token.id), uses::used_at.eq(tx.now), uses::ip.eq(&origin.ip), uses::agent.eq(agent));
    diesel::insert_into(uses::table).values(first).execute(tx.conn)?;
    let actor = Actor {
        account: Some(account.id.clone()),
        name: now.name.clone(),
        role: now.role,
        via: Via::Token { id: token.id.clone(), generation: 1 },
        origin,
    };
    let detail = serde_json::json!({ "starts_with": generation.starts_with });
    audit::record(tx, &actor, "session.sign_in", Subject::session(&named(&token)), Some(&account.id), detail)?;
    tx.changed(Change::Token(facts(&token, &[generation], tx.now)));
    Ok((token, value))
}

/// The actor's session token with the person whom it stands for; `None` for whoever speaks by anything else.
pub fn of(conn: &mut Conn, actor: &Actor) -> Result<Option<(Token, Account)>> {
    if !matches!(actor.via, Via::Token { .. }) {
        return Ok(None);
    }
    let token = spoken_by(conn, actor)?;
    if token.kind != TokenKind::Session {
        return Ok(None);
    }
    let account = account::by_id(conn, &token.owner_id)?;
    Ok(Some((token, account)))
}

/// Whether a change asks for the password now: the policy says always, or signing in was longer ago than its window.
pub fn asks_password(token: &Token, now: Stamp, policy: &Policy) -> bool {
    match policy.confirm {
        Confirm::Always => true,
        Confirm::Within(minutes) => token.created_at <= now.minus(TimeDelta::minutes(minutes.into())),
    }
}

/// Ends the session token that the actor speaks by.
pub fn sign_out(tx: &mut Tx<'_>, actor: &Actor) -> Result<()> {
    tx.version()?;
    let token = spoken_by(tx.conn, actor)?;
    if token.kind != TokenKind::Session {
        return Err(Error::Forbidden("This is no session: remove the token instead.".into()));
    }
    let detail = serde_json::json!({});
    let owner = token.owner_id.clone();
    audit::record(tx, actor, "session.sign_out", Subject::session(&named(&token)), Some(&owner), detail)?;
    stop(tx, token)
}

/// The living session tokens of an account, newest first.
pub fn living(conn: &mut Conn, account: &AccountId, now: Stamp) -> Result<Vec<Listed>> {
    let rows = of_account(conn, account, now)?;
    dress(conn, rows, now, TimeDelta::zero())
}

/// Ends one that was found among those of its account.
pub fn end(tx: &mut Tx<'_>, id: &SessionId) -> Result<()> {
    tx.version()?;
    let token = tokens::table.find(TokenId::from(id.as_str())).filter(tokens::kind.eq(TokenKind::Session));
    let token = token.select(Token::as_select()).first(tx.conn)?;
    stop(tx, token)
}

/// Ends all of an account, with what it was that ended them: a new password, or that the account was disabled.
pub fn end_all(tx: &mut Tx<'_>, account: &AccountId) -> Result<usize> {
    tx.version()?;
    let living = of_account(tx.conn, account, tx.now)?;
    let count = living.len();
    living.into_iter().try_for_each(|token| stop(tx, token))?;
    Ok(count)
}

/// Rows that have been over for a while: nothing is left to tell of them.
pub fn prune(tx: &mut Tx<'_>) -> Result<usize> {
    let past = tx.now.minus(MEMORY);
    let over = tokens::table.filter(tokens::kind.eq(TokenKind::Session)).filter(tokens::expires_at.lt(past));
    let rows: Vec<Token> = over.limit(1_000).select(Token::as_select()).load(tx.conn)?;
    let count = rows.len();
    rows.iter().try_for_each(|token| forget(tx, token))?;
    Ok(count)
}

fn of_account(conn: &mut Conn, account: &AccountId, now: Stamp) -> Result<Vec<Token>> {
    let rows = tokens::table
        .filter(tokens::owner_id.eq(account).and(tokens::kind.eq(TokenKind::Session)))
        .filter(tokens::removed_at.is_null().and(tokens::expires_at.gt(now)))
        .order(tokens::id.desc());
    Ok(rows.select(Token::as_select()).load(conn)?)
}

fn stop(tx: &mut Tx<'_>, mut token: Token) -> Result<()> {
    (token.removed_at, token.version) = (Some(tx.now), tx.version()?);
    diesel::update(tokens::table.find(&token.id))
        .set((tokens::removed_at.eq(tx.now), tokens::version.eq(token.version)))
        .execute(tx.conn)?;
    tx.changed(Change::Token(facts(&token, &[], tx.now)));
    Ok(())
}

/// As the audit log names it: a session like those of browsers.
pub fn named(token: &Token) -> SessionId {
    SessionId::from(token.id.as_str())
}
