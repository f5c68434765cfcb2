//! The saved policy: one row of `settings`, as JSON.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::Policy;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::schema::settings;

const ROW: &str = "policy";

/// A policy as it was saved, with the version of that change: of two, the one with the higher version counts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Saved {
    pub version: i64,
    pub policy: Policy,
}

impl Saved {
    /// The version of the settings file's policy: every saved one is newer.
    pub const OF_THE_FILE: i64 = -1;

    /// What anybody has saved; `None` as long as the settings file counts.
    pub fn load(conn: &mut Conn) -> Result<Option<Saved>> {
        let row: Option<String> = settings::table.find(ROW).select(settings::value).first(conn).optional()?;
        row.map(|json| serde_json::from_str(&json).map_err(Error::internal)).transpose()
    }

    /// Writes the one row. The version is the transaction's own: whoever follows the database reads it again.
    pub fn store(&self, conn: &mut Conn) -> Result<()> {
        let json = serde_json::to_string(self).map_err(Error::internal)?;
        let present = diesel::update(settings::table.find(ROW)).set(settings::value.eq(&json)).execute(conn)?;
        if present == 0 {
            let row = (settings::name.eq(ROW), settings::value.eq(&json));
            diesel::insert_into(settings::table).values(row).execute(conn)?;
        }
        Ok(())
    }
}
