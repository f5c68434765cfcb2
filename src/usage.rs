//! Last use of tokens: gathered in memory while verifying, written in one transaction every few seconds and at shutdown.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use diesel::prelude::*;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{tokens, uses};
use crate::tx::Tx;
use crate::types::{Stamp, TokenId};

/// More tokens than this between two flushes: the rest is seen at their next use.
const MOST: usize = 200_000;
const AGENT_MOST: usize = 300;

#[derive(Default)]
pub struct Usage {
    last: Mutex<HashMap<TokenId, Use>>,
}

#[derive(Clone)]
pub struct Use {
    pub at: Stamp,
    pub ip: String,
    pub agent: String,
}

impl Usage {
    pub fn note(&self, token: &TokenId, at: Stamp, ip: String, agent: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() >= MOST && !last.contains_key(token) {
            return;
        }
        let agent = agent.chars().take(AGENT_MOST).filter(|c| !c.is_control()).collect();
        last.insert(token.clone(), Use { at, ip, agent });
    }

    /// Writes what was gathered. When the database refuses, it is kept for the next time, unless it was used since.
    pub fn flush(&self, write: impl FnOnce(&HashMap<TokenId, Use>) -> Result<()>) -> Result<usize> {
        let gathered = std::mem::take(&mut *self.last.lock().unwrap_or_else(PoisonError::into_inner));
        if gathered.is_empty() {
            return Ok(0);
        }
        let written = write(&gathered);
        if written.is_err() {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            for (token, kept) in gathered {
                last.entry(token).or_insert(kept);
            }
            return written.map(|()| 0);
        }
        Ok(gathered.len())
    }
}

/// A token that was purged meanwhile has no row to hang the use on: it is passed over.
pub fn save(tx: &mut Tx<'_>, gathered: &HashMap<TokenId, Use>) -> Result<()> {
    for (token, last) in gathered {
        if diesel::select(diesel::dsl::exists(tokens::table.find(token))).get_result::<bool>(tx.conn)? {
            put(tx.conn, token, last)?;
        }
    }
    Ok(())
}

fn put(conn: &mut Conn, token: &TokenId, last: &Use) -> Result<()> {
    macro_rules! upsert {
        ($conn:expr) => {
            diesel::insert_into(uses::table)
                .values((
                    uses::token_id.eq(token),
                    uses::used_at.eq(last.at),
                    uses::ip.eq(&last.ip),
                    uses::agent.eq(&last.agent),
                ))
                .on_conflict(uses::token_id)
                .do_update()
                .set((uses::used_at.eq(last.at), uses::ip.eq(&last.ip), uses::agent.eq(&last.agent)))
                .execute($conn)?
        };
    }
    match conn {
        Conn::Postgres(conn) => upsert!(conn),
        Conn::Sqlite(conn) => upsert!(conn),
    };
    Ok(())
}
