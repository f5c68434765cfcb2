//! What was gathered goes to the tables here: counters are added to, last use only moves forward.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use chrono::TimeDelta;
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::{ADDRESSES, Counts, Gathered, OfToken};
use crate::db::Conn;
use crate::error::Result;
use crate::refusal;
use crate::schema::{callers, calls, generations, tokens, uses};
use crate::tx::Tx;
use crate::types::{AccountId, Stamp, TokenId};

const KEPT_FOR: TimeDelta = TimeDelta::days(90);
/// Rows of one statement: 5 columns of them are within what both databases bind.
const CHUNK: usize = 500;

/// PostgreSQL takes many rows with one statement; SQLite, which is no way off, one after the other.
macro_rules! upsert {
    ($conn:expr, $table:path, $rows:expr, |$insert:ident| $upsert:expr) => {
        match $conn {
            Conn::Postgres(conn) => {
                for rows in $rows.chunks(CHUNK) {
                    let $insert = diesel::insert_into($table).values(rows);
                    $upsert.execute(conn)?;
                }
            }
            Conn::Sqlite(conn) => {
                for row in &$rows {
                    let $insert = diesel::insert_into($table).values(row);
                    $upsert.execute(conn)?;
                }
            }
        }
    };
}

#[derive(Insertable)]
#[diesel(table_name = uses)]
struct UseRow<'a> {
    token_id: &'a TokenId,
    used_at: Stamp,
    ip: String,
    agent: &'a str,
}

#[derive(Insertable)]
#[diesel(table_name = calls)]
struct CallRow<'a> {
    token_id: &'a TokenId,
    day: String,
    method: &'a str,
    accepted: i64,
    refused: i64,
}

#[derive(Insertable)]
#[diesel(table_name = callers)]
struct CallerRow<'a> {
    token_id: &'a TokenId,
    day: String,
    ip: String,
    accepted: i64,
    refused: i64,
}

/// Everything in the order of its keys, so that of two processes that flush at once one waits and none is broken off. A
/// token that was purged meanwhile has no row to hang anything on: it is passed over.
pub fn save(tx: &mut Tx<'_>, gathered: &Gathered) -> Result<()> {
    let ids: Vec<&TokenId> = gathered.tokens.keys().collect();
    let mut known: BTreeMap<TokenId, (AccountId, String)> = BTreeMap::new();
    for chunk in ids.chunks(CHUNK) {
        let rows: Vec<(TokenId, AccountId, String)> = tokens::table
            .filter(tokens::id.eq_any(chunk.iter().copied()))
            .select((tokens::id, tokens::owner_id, tokens::name))
            .load(tx.conn)?;
        known.extend(rows.into_iter().map(|(id, owner, name)| (id, (owner, name))));
    }
    let sorted: Vec<(&TokenId, &OfToken)> = known.keys().filter_map(|id| gathered.tokens.get_key_value(id)).collect();
    save_uses(tx.conn, &sorted)?;
    save_generations(tx.conn, &sorted)?;
    save_calls(tx.conn, &sorted)?;
    save_callers(tx.conn, &sorted)?;
    refusal::save(tx.conn, &gathered.refusals, &known)
}

/// Another process may have seen a later use.
fn save_uses(conn: &mut Conn, of: &[(&TokenId, &OfToken)]) -> Result<()> {
    use diesel::query_dsl::methods::FilterDsl as _;
    let rows = of.iter().filter_map(|(token_id, of)| {
        let last = of.last.as_ref()?;
        Some(UseRow { token_id, used_at: last.at, ip: text(last.ip), agent: &last.agent })
    });
    let rows: Vec<UseRow<'_>> = rows.collect();
    upsert!(conn, uses::table, rows, |insert| insert
        .on_conflict(uses::token_id)
        .do_update()
        .set((
            uses::used_at.eq(excluded(uses::used_at)),
            uses::ip.eq(excluded(uses::ip)),
            uses::agent.eq(excluded(uses::agent)),
        ))
        .filter(uses::used_at.le(excluded(uses::used_at))));
    Ok(())
}

/// Beside the token's row, so that use never changes its version.
fn save_generations(conn: &mut Conn, of: &[(&TokenId, &OfToken)]) -> Result<()> {
    for (token, of) in of {
        for (&number, &at) in &of.generations {
            diesel::update(generations::table.find((*token, number)))
                .filter(generations::used_at.is_null().or(generations::used_at.lt(at)))
                .set(generations::used_at.eq(at))
                .execute(conn)?;
        }
    }
    Ok(())
}

fn save_calls(conn: &mut Conn, of: &[(&TokenId, &OfToken)]) -> Result<()> {
    let mut rows = Vec::new();
    for (token_id, of) in of {
        for (day, counted) in &of.days {
            let sorted: BTreeMap<_, _> = counted.methods.iter().collect();
            rows.extend(sorted.into_iter().map(|(method, &Counts { accepted, refused })| CallRow {
                token_id,
                day: day.to_string(),
                method,
                accepted,
                refused,
            }));
        }
    }
    upsert!(conn, calls::table, rows, |insert| insert
        .on_conflict((calls::token_id, calls::day, calls::method))
        .do_update()
        .set((
            calls::accepted.eq(calls::accepted + excluded(calls::accepted)),
            calls::refused.eq(calls::refused + excluded(calls::refused)),
        )));
    Ok(())
}

fn save_callers(conn: &mut Conn, of: &[(&TokenId, &OfToken)]) -> Result<()> {
    let written = written(conn, of)?;
    let mut rows = Vec::new();
    for (token_id, of) in of {
        for (day, counted) in &of.days {
            let day = day.to_string();
            let before = written.get(&((*token_id).clone(), day.clone())).copied().unwrap_or_default();
            let full = before + counted.addresses.len() > ADDRESSES;
            let known = if full { Some(written_addresses(conn, token_id, &day)?) } else { None };
            let bounded = bounded(&counted.addresses, known);
            rows.extend(bounded.into_iter().map(|(ip, Counts { accepted, refused })| CallerRow {
                token_id,
                day: day.clone(),
                ip,
                accepted,
                refused,
            }));
        }
    }
    upsert!(conn, callers::table, rows, |insert| insert
        .on_conflict((callers::token_id, callers::day, callers::ip))
        .do_update()
        .set((
            callers::accepted.eq(callers::accepted + excluded(callers::accepted)),
            callers::refused.eq(callers::refused + excluded(callers::refused)),
        )));
    Ok(())
}

/// How many addresses the table has of each token and day.
fn written(conn: &mut Conn, of: &[(&TokenId, &OfToken)]) -> Result<HashMap<(TokenId, String), usize>> {
    let mut written = HashMap::new();
    let first = of.iter().filter_map(|(_, of)| of.days.keys().next()).min().map(ToString::to_string);
    for chunk in of.chunks(CHUNK) {
        let rows: Vec<(TokenId, String, i64)> = callers::table
            .filter(callers::token_id.eq_any(chunk.iter().map(|(token, _)| *token)))
            .filter(callers::day.ge(first.as_deref().unwrap_or_default()))
            .group_by((callers::token_id, callers::day))
            .select((callers::token_id, callers::day, diesel::dsl::count_star()))
            .load(conn)?;
        let rows = rows.into_iter().map(|(token, day, n)| ((token, day), usize::try_from(n).unwrap_or_default()));
        written.extend(rows);
    }
    Ok(written)
}

fn written_addresses(conn: &mut Conn, token: &TokenId, day: &str) -> Result<HashSet<String>> {
    let of = callers::table.filter(callers::token_id.eq(token).and(callers::day.eq(day)).and(callers::ip.ne("")));
    Ok(of.select(callers::ip).load_iter(conn)?.collect::<QueryResult<_>>()?)
}

/// The counters by address, sorted. Where there may be too many for the token's day, `known` has those that are written:
/// what finds no place is put together under `''`. Two processes that flush at once may each find the last place.
fn bounded(addresses: &HashMap<Option<IpAddr>, Counts>, known: Option<HashSet<String>>) -> BTreeMap<String, Counts> {
    let sorted: BTreeMap<String, Counts> = addresses.iter().map(|(ip, counts)| (text(*ip), *counts)).collect();
    let Some(mut known) = known else { return sorted };
    let mut bounded: BTreeMap<String, Counts> = BTreeMap::new();
    for (ip, counts) in sorted {
        let room = !ip.is_empty() && (known.contains(&ip) || known.len() < ADDRESSES);
        if room {
            known.insert(ip.clone());
        }
        bounded.entry(if room { ip } else { String::new() }).or_default().add(counts);
    }
    bounded
}

fn text(ip: Option<IpAddr>) -> String {
    ip.map(|ip| ip.to_string()).unwrap_or_default()
}

pub fn prune(tx: &mut Tx<'_>) -> Result<usize> {
    let first = tx.now.minus(KEPT_FOR).utc().date_naive().to_string();
    let calls = diesel::delete(calls::table.filter(calls::day.lt(&first))).execute(tx.conn)?;
    let callers = diesel::delete(callers::table.filter(callers::day.lt(&first))).execute(tx.conn)?;
    Ok(calls + callers)
}
