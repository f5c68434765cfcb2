//! What verification learns of tokens: of one that has just changed, and of all that changed since.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use diesel::prelude::*;
use uuid::Uuid;

use super::{CHUNK, Generation, Token, purge};
use crate::db::{Conn, Db, MultiBackend};
use crate::error::{Error, Result};
use crate::schema::{generations, tokens};
use crate::secret::Digest;
use crate::tx::{TokenFacts, ValueFacts};
use crate::types::{AccountId, Lines, Stamp, TokenId, TokenKind};

/// For how long verification remembers a value that has ended, to tell its owner when it is used.
const REMEMBERED: TimeDelta = TimeDelta::days(90);

/// Tokens that a thread takes at once.
const PART: i64 = 4_000;
const MOST_THREADS: usize = 4;

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
        kind: token.kind,
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
                Some(ValueFacts { digest, number: value.number, since: value.created_at, ends_at: value.ends_at })
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
    kind: TokenKind,
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

impl Row {
    /// `values` are those of many tokens, by their ids.
    fn facts(self, values: &[(Uuid, ValueFacts)]) -> TokenFacts {
        let id = self.id.uuid();
        let from = values.partition_point(|(of, _)| Some(*of) < id);
        let own = values.iter().skip(from).take_while(|(of, _)| Some(*of) == id);
        TokenFacts {
            id: self.id,
            kind: self.kind,
            owner: self.owner_id,
            version: self.version,
            name: self.name,
            scopes: self.scopes,
            allow: self.allow,
            ip_allow: self.ip_allow,
            rate_per_minute: self.rate_per_minute.and_then(|rate| u32::try_from(rate).ok()),
            enabled: self.enabled,
            expires_at: self.expires_at,
            removed: self.removed_at.is_some(),
            values: own.map(|(_, value)| value.clone()).collect(),
        }
    }
}

/// Removed ones too.
pub fn how_many(conn: &mut Conn) -> Result<usize> {
    let count: i64 = tokens::table.count().get_result(conn)?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Every token with the values that the index knows, in parts that several threads take in turns: a million rows are more
/// work than one of them does in a moment. Each part is read as of one moment, no earlier than the call.
pub fn every(db: &Db, now: Stamp, learn: impl Fn(TokenFacts) + Sync) -> Result<()> {
    // Where the next part begins; `None` where the last one is taken.
    let next = Mutex::new(Some(TokenId::from("")));
    let read = || {
        db.scan(|conn| {
            while let Some((after, until)) = take_part(conn, &next)? {
                learn_part(conn, &after, until.as_ref(), now, &learn)?;
            }
            Ok(())
        })
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(read)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err("a thread broke off".to_owned().into())))
    })
}

/// Behind which id a part begins, and with which it ends; the last one has no end.
fn take_part(conn: &mut Conn, next: &Mutex<Option<TokenId>>) -> Result<Option<(TokenId, Option<TokenId>)>> {
    let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(after) = next.take() else { return Ok(None) };
    let behind = tokens::table.filter(tokens::id.gt(&after)).order(tokens::id);
    let until: Option<TokenId> = behind.offset(PART).select(tokens::id).first(conn).optional()?;
    next.clone_from(&until);
    Ok(Some((after, until)))
}

fn learn_part(
    conn: &mut Conn,
    after: &TokenId,
    until: Option<&TokenId>,
    now: Stamp,
    learn: impl Fn(TokenFacts),
) -> Result<()> {
    let mut values = remembered(now).filter(generations::token_id.gt(after)).select(VALUE).into_boxed::<MultiBackend>();
    let mut rows = tokens::table.filter(tokens::id.gt(after)).select(Row::as_select()).into_boxed::<MultiBackend>();
    if let Some(until) = until {
        values = values.filter(generations::token_id.le(until));
        rows = rows.filter(tokens::id.le(until));
    }
    let values = sorted(values.load_iter(conn)?)?;
    rows.load_iter::<Row, _>(conn)?.try_for_each(|row| {
        learn(row?.facts(&values));
        Ok(())
    })
}

/// The token that a value is or was of, with the values that the index knows.
pub fn of_value(conn: &mut Conn, digest: &Digest, now: Stamp) -> Result<Option<TokenFacts>> {
    let of = generations::table.filter(generations::digest.eq(digest.hex())).select(generations::token_id);
    let Some(id) = of.first::<TokenId>(conn).optional()? else { return Ok(None) };
    let values = sorted(remembered(now).filter(generations::token_id.eq(&id)).select(VALUE).load_iter(conn)?)?;
    let row = tokens::table.find(&id).select(Row::as_select()).first(conn).optional()?;
    Ok(row.map(|row: Row| row.facts(&values)))
}

/// Every token whose version is above `seen`, for the index, with the values that it knows.
pub fn changed_since(conn: &mut Conn, seen: i64, now: Stamp, mut learn: impl FnMut(TokenFacts)) -> Result<()> {
    let of = tokens::id.eq(generations::token_id).and(tokens::version.gt(seen));
    let changed = remembered(now).filter(diesel::dsl::exists(tokens::table.filter(of))).select(VALUE);
    let values = sorted(changed.load_iter(conn)?)?;
    let changed = tokens::table.filter(tokens::version.gt(seen)).select(Row::as_select());
    changed.load_iter::<Row, _>(conn)?.try_for_each(|row| {
        learn(row?.facts(&values));
        Ok::<(), Error>(())
    })?;
    purge::changed_since(conn, seen, learn)
}

type ValueRow = (TokenId, i64, String, Stamp, Option<Stamp>);

type ValueColumns =
    (generations::token_id, generations::number, generations::digest, generations::created_at, generations::ends_at);

const VALUE: ValueColumns =
    (generations::token_id, generations::number, generations::digest, generations::created_at, generations::ends_at);

/// By their tokens' ids.
fn sorted(rows: impl Iterator<Item = QueryResult<ValueRow>>) -> Result<Vec<(Uuid, ValueFacts)>> {
    let mut values = Vec::new();
    for row in rows {
        let (id, number, digest, since, ends_at) = row?;
        let value = Digest::from_hex(&digest).map(|digest| ValueFacts { digest, number, since, ends_at });
        values.extend(id.uuid().zip(value));
    }
    values.sort_by_key(|(id, _)| *id);
    Ok(values)
}

#[diesel::dsl::auto_type]
fn remembered(now: Stamp) -> _ {
    let since: Stamp = now.minus(REMEMBERED);
    generations::table.filter(generations::ends_at.is_null().or(generations::ends_at.gt(since)))
}
