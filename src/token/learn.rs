//! What verification learns of tokens: of one that has just changed, and of all that changed since.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use diesel::prelude::*;
use uuid::Uuid;

use super::{CHUNK, Generation, Token};
use crate::db::{Conn, MultiBackend};
use crate::error::Result;
use crate::schema::{generations, tokens};
use crate::secret::Digest;
use crate::tx::{TokenFacts, ValueFacts};
use crate::types::{AccountId, Lines, Stamp, TokenId};

/// For how long verification remembers a value that has ended, to tell its owner when it is used.
const REMEMBERED: TimeDelta = TimeDelta::days(90);

/// The values that verification knows, by token.
pub(super) fn known_values(conn: &mut Conn, of: &[Token], now: Stamp) -> Result<BTreeMap<TokenId, Vec<Generation>>> {
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

/// What verification learns of a token.
pub(super) fn facts(token: &Token, values: &[Generation], now: Stamp) -> TokenFacts {
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
        true => tokens::table.select(Row::as_select()).load_iter(conn)?.try_for_each(&mut tell),
        false => {
            let changed = tokens::table.filter(tokens::version.gt(seen)).select(Row::as_select());
            changed.load_iter(conn)?.try_for_each(&mut tell)
        }
    }
}
