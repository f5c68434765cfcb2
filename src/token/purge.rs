//! Purging: a token's row is deleted for good, with its values and counts. What stays is the event, and a stone by which other
//! processes learn that its values are dead.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::{Token, facts, seen};
use crate::actor::{Actor, Deed};
use crate::audit::{self, Subject};
use crate::db::Conn;
use crate::error::{OrMissing, Result};
use crate::schema::{tokens, tombstones};
use crate::tx::{Change, TokenFacts, Tx};
use crate::types::{AccountId, Lines, Stamp, TokenId, TokenKind};

/// Longer than a process could be away from its database and go on by what it knew.
const MEMORY: TimeDelta = TimeDelta::days(30);

/// Deletes a token for good, one that was removed before as well.
pub fn purge(tx: &mut Tx<'_>, actor: &Actor, id: &TokenId) -> Result<()> {
    tx.version()?;
    let (token, _, relation) = seen(tx.conn, actor, id)?;
    actor.must_as(relation, Deed::ChangeTokens)?;
    let detail = serde_json::json!({
        "description": token.description, "scopes": token.scopes, "created_at": token.created_at,
        "expires_at": token.expires_at, "removed_at": token.removed_at,
    });
    let subject = Subject::token(&token.id, &token.name);
    audit::record(tx, actor, "token.purge", subject, Some(&token.owner_id), detail)?;
    forget(tx, &token)
}

/// Deletes the row and tells the index, here and elsewhere.
pub(super) fn forget(tx: &mut Tx<'_>, token: &Token) -> Result<()> {
    let version = tx.version()?;
    let gone = Token { removed_at: Some(tx.now), version, ..token.clone() };
    diesel::delete(tokens::table.find(&token.id)).execute(tx.conn).or_missing()?;
    let stone = (
        tombstones::token_id.eq(&token.id),
        tombstones::owner_id.eq(&token.owner_id),
        tombstones::at.eq(tx.now),
        tombstones::version.eq(version),
    );
    diesel::insert_into(tombstones::table).values(stone).execute(tx.conn)?;
    tx.changed(Change::Token(facts(&gone, &[], tx.now)));
    Ok(())
}

/// Tokens that were purged by a change above `seen`, for the index.
pub(super) fn changed_since(conn: &mut Conn, seen: i64, mut learn: impl FnMut(TokenFacts)) -> Result<()> {
    // Who begins knows nothing that could be forgotten.
    if seen < 0 {
        return Ok(());
    }
    let rows = tombstones::table.filter(tombstones::version.gt(seen));
    let rows = rows.select((tombstones::token_id, tombstones::owner_id, tombstones::version));
    for (id, owner, version) in rows.load::<(TokenId, AccountId, i64)>(conn)? {
        learn(TokenFacts {
            id,
            kind: TokenKind::Personal,
            owner,
            version,
            name: String::new(),
            scopes: Lines::default(),
            allow: Lines::default(),
            ip_allow: Lines::default(),
            rate_per_minute: None,
            enabled: false,
            expires_at: None,
            removed: true,
            values: Vec::new(),
        });
    }
    Ok(())
}

pub fn prune(tx: &mut Tx<'_>) -> Result<usize> {
    let old: Stamp = tx.now.minus(MEMORY);
    Ok(diesel::delete(tombstones::table.filter(tombstones::at.lt(old))).execute(tx.conn)?)
}
