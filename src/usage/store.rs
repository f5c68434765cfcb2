//! What was gathered goes to the tables here: counters are added to, last use only moves forward.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use chrono::TimeDelta;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde::Serialize;

use super::{ADDRESSES, Counts, Gathered, OfToken, Tally};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::refusal;
use crate::schema::{callers, calls, tokens};
use crate::tx::Tx;
use crate::types::{AccountId, Stamp, TokenId};

const KEPT_FOR: TimeDelta = TimeDelta::days(90);
/// Ids, or rows, of one statement.
const CHUNK: usize = 500;

/// Many rows with one statement: to take one apart for each costs SQLite more than the rows do. They come as a list in JSON,
/// as no query for both databases has that many; `columns` are their names in `new`, and what PostgreSQL has to take them for.
fn put<Row: Serialize>(
    conn: &mut Conn,
    rows: &[Row],
    columns: &[(&str, &str)],
    statement: impl Fn(&str) -> String,
) -> Result<()> {
    let of = |column: fn(usize, &(&str, &str)) -> String| -> String {
        columns.iter().enumerate().map(|(nth, named)| column(nth, named)).collect::<Vec<_>>().join(", ")
    };
    for rows in rows.chunks(CHUNK) {
        let list = serde_json::to_string(rows).map_err(Error::internal)?;
        match conn {
            Conn::Postgres(conn) => {
                let columns = of(|nth, (name, kind)| format!("(e->>{nth})::{kind} AS {name}"));
                let new = format!("(SELECT {columns} FROM json_array_elements($1::json) AS e) AS new");
                diesel::sql_query(statement(&new)).bind::<Text, _>(list).execute(conn)?;
            }
            Conn::Sqlite(conn) => {
                let columns = of(|nth, (name, _)| format!("value->>{nth} AS {name}"));
                let new = format!("(SELECT {columns} FROM json_each(?)) AS new");
                diesel::sql_query(statement(&new)).bind::<Text, _>(list).execute(conn)?;
            }
        }
    }
    Ok(())
}

/// Everything in the order of its keys, so that of two processes that flush at once one waits and none is broken off. A
/// token that was purged meanwhile has no row to hang anything on: it is passed over.
pub fn save(tx: &mut Tx<'_>, gathered: &Gathered) -> Result<()> {
    let ids: Vec<TokenId> = gathered.tokens.keys().map(|id| (*id).into()).collect();
    let mut known: BTreeMap<TokenId, (AccountId, String)> = BTreeMap::new();
    for chunk in ids.chunks(CHUNK) {
        let rows: Vec<(TokenId, AccountId, String)> = tokens::table
            .filter(tokens::id.eq_any(chunk))
            .select((tokens::id, tokens::owner_id, tokens::name))
            .load(tx.conn)?;
        known.extend(rows.into_iter().map(|(id, owner, name)| (id, (owner, name))));
    }
    let sorted: Vec<(&TokenId, &OfToken)> =
        known.keys().filter_map(|id| Some((id, gathered.tokens.get(&id.uuid()?)?))).collect();
    save_uses(tx.conn, &sorted)?;
    save_generations(tx.conn, &sorted)?;
    save_calls(tx.conn, &sorted)?;
    save_callers(tx.conn, &sorted)?;
    refusal::save(tx.conn, &gathered.refusals, &known)
}

/// Another process may have seen a later use.
fn save_uses(conn: &mut Conn, of: &[(&TokenId, &OfToken)]) -> Result<()> {
    let rows = of.iter().filter_map(|(token, of)| {
        let last = of.last.as_ref()?;
        Some((token.as_str(), as_text(last.at), text(last.ip), last.agent.as_str()))
    });
    let columns = [("token_id", "text"), ("used_at", "timestamp"), ("ip", "text"), ("agent", "text")];
    put(conn, &rows.collect::<Vec<_>>(), &columns, |new| {
        format!(
            "INSERT INTO uses (token_id, used_at, ip, agent) SELECT token_id, used_at, ip, agent FROM {new} WHERE true \
             ON CONFLICT (token_id) DO UPDATE SET used_at = excluded.used_at, ip = excluded.ip, agent = excluded.agent \
             WHERE uses.used_at <= excluded.used_at"
        )
    })
}

/// Beside the token's row, so that use never changes its version.
fn save_generations(conn: &mut Conn, of: &[(&TokenId, &OfToken)]) -> Result<()> {
    let rows = of
        .iter()
        .flat_map(|(token, of)| of.generations.iter().map(|(number, at)| (token.as_str(), *number, as_text(*at))));
    let columns = [("id", "text"), ("nth", "bigint"), ("at", "timestamp")];
    put(conn, &rows.collect::<Vec<_>>(), &columns, |new| {
        format!(
            "UPDATE generations SET used_at = new.at FROM {new} WHERE token_id = new.id AND number = new.nth \
             AND (used_at IS NULL OR used_at < new.at)"
        )
    })
}

fn save_calls(conn: &mut Conn, of: &[(&TokenId, &OfToken)]) -> Result<()> {
    let mut rows = Vec::new();
    for (token, of) in of {
        for (day, counted) in &of.days {
            let day = day.to_string();
            rows.extend(counted.methods.0.iter().map(|(method, counts)| {
                (token.as_str(), day.clone(), method.as_str(), counts.accepted, counts.refused)
            }));
        }
    }
    put(conn, &rows, &counted("method"), |new| add_to("calls", "method", new))
}

fn save_callers(conn: &mut Conn, of: &[(&TokenId, &OfToken)]) -> Result<()> {
    let written = written(conn, of)?;
    let mut rows = Vec::new();
    for (token, of) in of {
        for (day, counted) in &of.days {
            let day = day.to_string();
            let before = written.get(&((*token).clone(), day.clone())).copied().unwrap_or_default();
            let full = before + counted.addresses.0.len() > ADDRESSES;
            let known = if full { Some(written_addresses(conn, token, &day)?) } else { None };
            let bounded = bounded(&counted.addresses, known);
            rows.extend(
                bounded
                    .into_iter()
                    .map(|(ip, counts)| (token.as_str(), day.clone(), ip, counts.accepted, counts.refused)),
            );
        }
    }
    put(conn, &rows, &counted("ip"), |new| add_to("callers", "ip", new))
}

fn counted(key: &str) -> [(&str, &str); 5] {
    [("token_id", "text"), ("day", "text"), (key, "text"), ("accepted", "bigint"), ("refused", "bigint")]
}

fn add_to(table: &str, key: &str, new: &str) -> String {
    format!(
        "INSERT INTO {table} (token_id, day, {key}, accepted, refused) \
         SELECT token_id, day, {key}, accepted, refused FROM {new} WHERE true \
         ON CONFLICT (token_id, day, {key}) DO UPDATE SET \
         accepted = {table}.accepted + excluded.accepted, refused = {table}.refused + excluded.refused"
    )
}

/// As diesel writes an instant into SQLite; PostgreSQL reads it too.
fn as_text(at: Stamp) -> String {
    at.utc().naive_utc().format("%F %T%.f").to_string()
}

/// How many addresses the table has of each token and day.
fn written(conn: &mut Conn, of: &[(&TokenId, &OfToken)]) -> Result<HashMap<(TokenId, String), usize>> {
    let mut written = HashMap::new();
    let first = of.iter().filter_map(|(_, of)| of.days.iter().map(|(day, _)| day).min()).min().map(ToString::to_string);
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
fn bounded(addresses: &Tally<Option<IpAddr>>, known: Option<HashSet<String>>) -> BTreeMap<String, Counts> {
    let sorted: BTreeMap<String, Counts> = addresses.0.iter().map(|(ip, counts)| (text(*ip), *counts)).collect();
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
