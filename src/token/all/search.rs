//! What is gathered to be filtered and sorted in memory: an owner's tokens, what a search finds, a span of time.

use std::collections::HashSet;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use super::walk::{end_of, of};
use super::{Ask, Key, MOST, MOST_SORTED, Tab, Times};
use crate::db::Conn;
use crate::error::Result;
use crate::schema::{accounts, generations, tokens};
use crate::types::{AccountId, TokenId};

/// Owners whose tokens a search by their name looks at.
const MOST_OWNERS: usize = 1_000;
const CHUNK: usize = 1_000;

/// The columns of a [`Key`].
macro_rules! key {
    () => {
        (
            tokens::id,
            tokens::name_key,
            tokens::created_at,
            tokens::expires_at,
            tokens::used_at,
            tokens::enabled,
            diesel::dsl::sql::<diesel::sql_types::Bool>($crate::token::all::BROAD),
        )
    };
}
pub(super) use key;

/// What begins so, in a column that has an index by bytes.
macro_rules! beginning {
    ($query:expr, $column:literal, $start:expr) => {{
        let (start, column) = ($start, concat!($column, " COLLATE \"binary\""));
        let query = $query.filter(sql::<Bool>(&format!("{column} >= ")).bind::<Text, _>(start.to_owned())).into_boxed();
        match end_of(start) {
            Some(end) => query.filter(sql::<Bool>(&format!("{column} < ")).bind::<Text, _>(end)),
            None => query,
        }
    }};
}

/// Whatever the tab; and whether there is more than could be looked at.
pub fn gather(conn: &mut Conn, ask: &Ask) -> Result<(Vec<Key>, bool)> {
    let typed = ask.q.trim();
    if let Some(owner) = &ask.owner {
        let mut keys = of_owners(conn, std::slice::from_ref(owner), MOST)?;
        let cut = keys.len() > MOST;
        keys.truncate(MOST);
        if !typed.is_empty() {
            let (start, valued) = (typed.to_lowercase(), HashSet::<TokenId>::from_iter(by_value(conn, typed)?));
            keys.retain(|key| key.name_key.starts_with(&start) || valued.contains(&key.id));
        }
        return Ok((keys, cut));
    }
    let mut keys = by_name(conn, &typed.to_lowercase())?;
    let owners = owners_named(conn, &typed.to_lowercase())?;
    let mut cut = owners.len() > MOST_OWNERS;
    keys.extend(of_owners(conn, owners.get(..MOST_OWNERS).unwrap_or(&owners), MOST_SORTED)?);
    let valued = by_value(conn, typed)?;
    for chunk in valued.chunks(CHUNK) {
        let some = tokens::table.filter(tokens::removed_at.is_null()).filter(tokens::id.eq_any(chunk));
        keys.extend(some.select(key!()).load::<Key>(conn)?);
    }
    keys.sort_by(|a, b| a.id.cmp(&b.id));
    keys.dedup_by(|a, b| a.id == b.id);
    cut |= keys.len() > MOST_SORTED;
    keys.truncate(MOST_SORTED);
    Ok((keys, cut))
}

/// The tokens of a tab that is a span of time, as many as are sorted.
pub fn of_span(conn: &mut Conn, tab: Tab, times: Times) -> Result<Vec<Key>> {
    Ok(of(tab, times).limit(MOST_SORTED as i64).select(key!()).load(conn)?)
}

fn by_name(conn: &mut Conn, start: &str) -> Result<Vec<Key>> {
    let named = beginning!(tokens::table.filter(tokens::removed_at.is_null()), "name_key", start);
    Ok(named.limit(MOST_SORTED as i64 + 1).select(key!()).load(conn)?)
}

/// Accounts by the beginning of their name or e-mail address, up to one more than are looked at.
fn owners_named(conn: &mut Conn, start: &str) -> Result<Vec<AccountId>> {
    let most = MOST_OWNERS as i64 + 1;
    let named = beginning!(accounts::table, "name_key", start);
    let mut ids: Vec<AccountId> = named.limit(most).select(accounts::id).load(conn)?;
    let mailed = beginning!(accounts::table, "email_key", start);
    ids.extend(mailed.limit(most).select(accounts::id).load::<AccountId>(conn)?);
    ids.sort();
    ids.dedup();
    Ok(ids)
}

fn of_owners(conn: &mut Conn, owners: &[AccountId], most: usize) -> Result<Vec<Key>> {
    let mut keys: Vec<Key> = Vec::new();
    for chunk in owners.chunks(CHUNK) {
        let room = (most + 1).saturating_sub(keys.len());
        let theirs = tokens::table.filter(tokens::removed_at.is_null()).filter(tokens::owner_id.eq_any(chunk));
        keys.extend(theirs.limit(room as i64).select(key!()).load::<Key>(conn)?);
    }
    Ok(keys)
}

/// Values are told by their first characters, a former one's too; in them upper and lower case are not the same.
fn by_value(conn: &mut Conn, start: &str) -> Result<Vec<TokenId>> {
    let begun = beginning!(generations::table, "starts_with", start);
    let ids = begun.limit(MOST_SORTED as i64 + 1).select(generations::token_id);
    Ok(ids.load(conn)?)
}
