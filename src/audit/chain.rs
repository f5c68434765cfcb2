//! The chain: each event's hash is made from the hash before it and from every column of its own, so that no row can be changed,
//! removed or moved without all that follow it. It has no key: see the README for what that proves.

use chrono::SecondsFormat;
use diesel::prelude::*;
use sha2::{Digest as _, Sha256};

use super::Event;
use crate::db::{Conn, Db};
use crate::error::{Error, Result};
use crate::schema::{chain, events};
use crate::secret::Digest;
use crate::tx::Tx;
use crate::types::{EventId, Stamp};

pub(super) const HEAD: &str = "head";
pub(super) const CHECKPOINT: &str = "checkpoint";
const FORMER: &str = "former";
/// Rows of one statement: 16 columns of them are within what PostgreSQL binds.
const CHUNK: usize = 500;
/// Former events of one transaction: others write in between.
const FORMER_AT_ONCE: i64 = 1_000;

/// A place in the chain.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Mark {
    /// 0 is in front of the first event.
    pub number: i64,
    /// Empty in front of the first event.
    pub hash: String,
}

impl Mark {
    /// Gives an event the place behind this one.
    fn put(&self, event: &mut Event) -> Mark {
        event.number = self.number + 1;
        event.hash = hash(&self.hash, event);
        Mark { number: event.number, hash: event.hash.clone() }
    }
}

/// SHA-256 over the previous hash, the number and every column, each as its length in bytes, `:`, its text and `,`; a column
/// that is NULL is `-,`. No two rows have the same bytes.
pub fn hash(previous: &str, event: &Event) -> String {
    let (number, at) = (event.number.to_string(), instant(event.at));
    let columns = [
        Some(previous),
        Some(number.as_str()),
        Some(event.id.as_str()),
        Some(at.as_str()),
        Some(event.action.as_str()),
        event.actor_id.as_ref().map(|id| id.as_str()),
        Some(event.actor_name.as_str()),
        Some(event.via.as_str()),
        Some(event.subject_kind.as_str()),
        Some(event.subject_id.as_str()),
        Some(event.subject_name.as_str()),
        event.owner_id.as_ref().map(|id| id.as_str()),
        Some(event.detail.as_str()),
        Some(event.ip.as_str()),
        Some(event.agent.as_str()),
        Some(event.folded.as_str()),
    ];
    let mut sha = Sha256::new();
    for column in columns {
        match column {
            Some(text) => {
                sha.update(format!("{}:", text.len()));
                sha.update(text);
                sha.update(",");
            }
            None => sha.update("-,"),
        }
    }
    Digest::from_bytes(sha.finalize().into()).hex()
}

/// RFC 3339 in UTC with as many digits as the instant has: two that differ by a nanosecond are two texts.
pub fn instant(at: Stamp) -> String {
    at.utc().to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Writes what was recorded in this change, as its last step: the head's lock is held from here to the commit alone.
pub fn seal(tx: &mut Tx<'_>) -> Result<()> {
    let mut events = std::mem::take(&mut tx.events);
    if events.is_empty() {
        return Ok(());
    }
    let mut mark = take_turn(tx.conn, events.len() as i64)?;
    if mark.number > 0 && mark.hash.is_empty() {
        return Err(Error::Busy("The audit log is being brought up to date.".into()));
    }
    for event in &mut events {
        event.id = id(tx, event.at, mark.number + 1)?;
        mark = mark.put(event);
    }
    insert(tx.conn, &events)?;
    let head = (chain::hash.eq(&mark.hash), chain::at.eq(tx.now));
    diesel::update(chain::table.find(HEAD)).set(head).execute(tx.conn)?;
    Ok(())
}

/// The head before that many events, which are its own from now on. Without a head nothing is written at all.
fn take_turn(conn: &mut Conn, events: i64) -> Result<Mark> {
    let head: Option<(i64, String)> = diesel::update(chain::table.find(HEAD))
        .set(chain::number.eq(chain::number + events))
        .returning((chain::number, chain::hash))
        .get_result(conn)
        .optional()?;
    let (number, hash) = head.ok_or_else(|| Error::internal("the audit log has lost its head"))?;
    Ok(Mark { number: number - events, hash })
}

/// A UUIDv7 (RFC 9562 section 5.7) with the number behind its time: in the order of their ids events stand by time, and those
/// of one moment as they were written.
fn id(tx: &Tx<'_>, at: Stamp, number: i64) -> Result<EventId> {
    let mut tail = [0; 10];
    tx.random.fill(&mut tail)?;
    // 12 bits before the variant and 30 behind it.
    if let Some(counter) = tail.first_chunk_mut::<6>() {
        let ([a, b], [c, d, e, f]) =
            (((number >> 30 & 0x0fff) as u16).to_be_bytes(), ((number & 0x3fff_ffff) as u32).to_be_bytes());
        *counter = [a, b, c, d, e, f];
    }
    let millis = u64::try_from(at.millis()).map_err(Error::internal)?;
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid().into())
}

/// PostgreSQL takes many rows with one statement; SQLite, which is no way off, one after the other.
fn insert(conn: &mut Conn, rows: &[Event]) -> Result<()> {
    match conn {
        Conn::Postgres(conn) => {
            for rows in rows.chunks(CHUNK) {
                diesel::insert_into(events::table).values(rows).execute(conn)?;
            }
        }
        Conn::Sqlite(conn) => {
            for row in rows {
                diesel::insert_into(events::table).values(row).execute(conn)?;
            }
        }
    }
    Ok(())
}

/// Where the chain ends, and where what is left of it begins; `None` where somebody removed it.
pub(super) fn mark(conn: &mut Conn, name: &str) -> Result<Option<Mark>> {
    let row: Option<(i64, String)> =
        chain::table.find(name).select((chain::number, chain::hash)).first(conn).optional()?;
    Ok(row.map(|(number, hash)| Mark { number, hash }))
}

/// The last event's place.
pub fn head(conn: &mut Conn) -> Result<Mark> {
    mark(conn, HEAD)?.ok_or_else(|| Error::internal("the audit log has lost its head"))
}

/// Chains the events that were there before the chain was, at the first start; nothing at all later on. The answer is how many
/// those were. Goes on where it was broken off; of two processes each does a part.
pub fn chain_former(db: &Db) -> Result<i64> {
    let mut chained = 0;
    while db.read(|conn| mark(conn, FORMER))?.is_some() {
        chained += db.write(chain_some)?;
    }
    Ok(chained)
}

fn chain_some(conn: &mut Conn) -> Result<i64> {
    take_turn(conn, 0)?;
    let Some(mut place) = mark(conn, FORMER)? else { return Ok(0) };
    let rows = events::table.filter(events::number.gt(place.number)).order(events::number).limit(FORMER_AT_ONCE);
    let mut rows: Vec<Event> = rows.select(Event::as_select()).load(conn)?;
    if rows.is_empty() {
        diesel::update(chain::table.find(HEAD)).set(chain::hash.eq(&place.hash)).execute(conn)?;
        diesel::delete(chain::table.find(FORMER)).execute(conn)?;
        return Ok(0);
    }
    for row in &mut rows {
        place = place.put(row);
        let hash = events::hash.eq(&row.hash);
        diesel::update(events::table.find(&row.id)).set(hash).execute(conn)?;
    }
    let place = (chain::number.eq(place.number), chain::hash.eq(place.hash));
    diesel::update(chain::table.find(FORMER)).set(place).execute(conn)?;
    Ok(rows.len() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event {
            id: "e".into(),
            at: "2026-11-23T09:40:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().into(),
            action: "token.edit".into(),
            actor_id: None,
            actor_name: "Maria".into(),
            via: "session s".into(),
            subject_kind: "token".into(),
            subject_id: "t".into(),
            subject_name: "ci".into(),
            owner_id: Some("o".into()),
            detail: "{}".into(),
            ip: "10.4.0.17".into(),
            agent: "curl".into(),
            folded: "maria".into(),
            number: 7,
            hash: String::new(),
        }
    }

    #[test]
    fn every_column_and_every_border_between_two_columns_counts() {
        type Change = fn(&mut Event);
        let changes: &[Change] = &[
            |e| e.id = "f".into(),
            |e| e.at = e.at.plus(chrono::TimeDelta::nanoseconds(1)),
            |e| e.action = "token.edit2".into(),
            |e| e.actor_id = Some("".into()),
            |e| e.actor_id = Some("-".into()),
            |e| e.actor_name = "Mari".into(),
            |e| (e.actor_name, e.via) = ("Maria5:".into(), "session s".into()),
            |e| e.via = "session".into(),
            |e| e.subject_kind = "".into(),
            |e| e.subject_id = "tc".into(),
            |e| (e.subject_id, e.subject_name) = ("tci".into(), "".into()),
            |e| e.subject_name = "cd".into(),
            |e| e.owner_id = None,
            |e| e.detail = "{ }".into(),
            |e| e.ip = "10.4.0.1".into(),
            |e| (e.ip, e.agent) = ("10.4.0.17,4:curl".into(), "".into()),
            |e| e.agent = "Curl".into(),
            |e| e.folded = "maria ".into(),
            |e| e.number = 8,
        ];
        let mut hashes = vec![hash("", &event()), hash("0", &event())];
        for change in changes {
            let mut changed = event();
            change(&mut changed);
            hashes.push(hash("", &changed));
        }
        let all = hashes.len();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), all);
    }

    #[test]
    fn the_hash_is_made_as_the_readme_says() {
        let text = "0:,1:7,1:e,20:2026-11-23T09:40:00Z,10:token.edit,-,5:Maria,9:session s,5:token,1:t,2:ci,1:o,2:{},\
                    9:10.4.0.17,4:curl,5:maria,";
        assert_eq!(hash("", &event()), Digest::of(text).hex());
    }
}
