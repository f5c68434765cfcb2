//! Repeated calls: under a key that a program chose, what was made once is not made again (draft-ietf-httpapi-idempotency-key-header).

use chrono::TimeDelta;
use diesel::prelude::*;

use crate::error::{Error, Result};
use crate::schema::repeats;
use crate::secret::Digest;
use crate::tx::Tx;
use crate::types::{AccountId, Stamp};

/// For how long a key is remembered.
pub const MEMORY: TimeDelta = TimeDelta::hours(24);
const OTHER_CALL: &str = "This key was used within the last 24 hours for another call. Choose a new key for each call.";

/// A call by its key: whose it is, what is asked, and the body that came along.
pub struct Call {
    key: Digest,
    body: Digest,
}

impl Call {
    /// `deed` tells calls to different addresses apart.
    pub fn new(account: &AccountId, key: &str, deed: &str, body: Digest) -> Call {
        let asked = format!("{deed}\n{}", body.hex());
        Call { key: Digest::of(&format!("{account}\n{key}")), body: Digest::of(&asked) }
    }

    /// The id of what this call has made before; an error where its key belongs to another one.
    pub fn made(&self, tx: &mut Tx<'_>) -> Result<Option<String>> {
        // Of two at the same moment the second waits here for the first.
        tx.version()?;
        let row: Option<(String, String, Stamp)> = repeats::table
            .find(self.key.hex())
            .select((repeats::body, repeats::made, repeats::at))
            .first(tx.conn)
            .optional()?;
        match row {
            Some((_, _, at)) if at <= tx.now.minus(MEMORY) => {
                diesel::delete(repeats::table.find(self.key.hex())).execute(tx.conn)?;
                Ok(None)
            }
            Some((body, _, _)) if body != self.body.hex() => Err(Error::invalid("Idempotency-Key", OTHER_CALL)),
            found => Ok(found.map(|(_, made, _)| made)),
        }
    }

    /// Notes what it made, in the transaction that made it.
    pub fn note(&self, tx: &mut Tx<'_>, made: &str) -> Result<()> {
        let row = (
            repeats::call.eq(self.key.hex()),
            repeats::body.eq(self.body.hex()),
            repeats::made.eq(made),
            repeats::at.eq(tx.now),
        );
        diesel::insert_into(repeats::table).values(row).execute(tx.conn)?;
        Ok(())
    }
}

pub fn prune(tx: &mut Tx<'_>) -> Result<usize> {
    Ok(diesel::delete(repeats::table.filter(repeats::at.le(tx.now.minus(MEMORY)))).execute(tx.conn)?)
}
