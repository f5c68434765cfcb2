//! One change at one moment: the transaction, its clock and randomness, and what the index learns from it.

use std::cell::Cell;

use diesel::prelude::*;

use crate::audit::Event;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::policy::{Policy, Saved};
use crate::schema::sequence;
use crate::secret::{Digest, Random};
use crate::types::{AccountId, AccountKind, Lines, Role, Stamp, TokenId, TokenKind};

pub struct Tx<'a> {
    pub conn: &'a mut Conn,
    /// The only clock inside a change.
    pub now: Stamp,
    pub policy: &'a Policy,
    pub random: &'a Random,
    version: Option<i64>,
    ids: Cell<u32>,
    changes: Vec<Change>,
    /// What was recorded: it gets its numbers and is written when the verb is done, so that the log's head is locked last.
    pub(crate) events: Vec<Event>,
}

/// What the process has to hear of once the transaction is committed.
pub enum Change {
    Token(TokenFacts),
    Account(AccountFacts),
    Catalogue,
    Policy(Saved),
}

/// All that verification asks of one token, at one version of its row.
#[derive(Clone, Debug)]
pub struct TokenFacts {
    pub id: TokenId,
    pub kind: TokenKind,
    pub owner: AccountId,
    pub version: i64,
    pub name: String,
    pub scopes: Lines,
    pub allow: Lines,
    pub ip_allow: Lines,
    pub rate_per_minute: Option<u32>,
    pub enabled: bool,
    pub expires_at: Option<Stamp>,
    pub removed: bool,
    /// The current value, the previous one while its grace lasts, and those that ended not long ago: they let nobody in, but
    /// their use is told.
    pub values: Vec<ValueFacts>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValueFacts {
    pub digest: Digest,
    /// Of its generation.
    pub number: i64,
    /// When it was generated.
    pub since: Stamp,
    /// The end of its grace, of a previous value.
    pub ends_at: Option<Stamp>,
}

/// All that verification asks of one account, at one version of its row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountFacts {
    pub id: AccountId,
    pub version: i64,
    pub kind: AccountKind,
    /// E-mail address of a person, name of a service account.
    pub label: String,
    /// Names of the teams that a person is in, or that a service account belongs to.
    pub teams: Vec<String>,
    pub role: Role,
    pub enabled: bool,
}

impl<'a> Tx<'a> {
    pub fn new(conn: &'a mut Conn, now: Stamp, policy: &'a Policy, random: &'a Random) -> Tx<'a> {
        Tx { conn, now, policy, random, version: None, ids: Cell::new(0), changes: Vec::new(), events: Vec::new() }
    }

    /// The version of every row that this change touches. It is drawn from one counter row, whose lock is held until the
    /// commit: versions become visible in their order, so whoever follows by `version > seen` can miss nothing.
    pub fn version(&mut self) -> Result<i64> {
        if let Some(version) = self.version {
            return Ok(version);
        }
        let version: i64 = diesel::update(sequence::table.find("change"))
            .set(sequence::value.eq(sequence::value + 1))
            .returning(sequence::value)
            .get_result(self.conn)?;
        self.version = Some(version);
        Ok(version)
    }

    /// A new UUIDv7 (RFC 9562 section 5.7). Those of one change ascend, by a counter in front of the random bits (section 6.2,
    /// method 1): events are read in the order of their ids.
    pub fn id<Id: From<uuid::Uuid>>(&self) -> Result<Id> {
        let mut random = [0; 10];
        self.random.fill(&mut random)?;
        self.ids.set(self.ids.get().wrapping_add(1));
        let count = self.ids.get();
        // 12 bits before the variant and 14 behind it: more than one change may have rows.
        if let Some(counter) = random.first_chunk_mut::<4>() {
            let (high, low) = ((count >> 14 & 0x0fff) as u16, (count & 0x3fff) as u16);
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            *counter = [a, b, c, d];
        }
        let millis = u64::try_from(self.now.millis()).map_err(Error::internal)?;
        Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().into())
    }

    pub fn changed(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub fn into_changes(self) -> Vec<Change> {
        self.changes
    }
}
