//! The log for a file: oldest first, a part at a time, so that neither memory nor a transaction grows with it.

use diesel::prelude::*;

use super::Event;
use super::chain::head;
use super::filter::{Filter, Plan, plan};
use super::log::{Way, look, may_see};
use crate::actor::Actor;
use crate::db::Conn;
use crate::error::Result;
use crate::schema::events;
use crate::types::EventId;

/// Rows in memory at a time.
const CHUNK: i64 = 500;

/// Everything that was written when it began.
pub struct Export {
    plan: Option<Plan>,
    after: Option<EventId>,
    /// The newest event, and its number: what is written meanwhile is left out, or there might be no end.
    last: Option<EventId>,
    number: i64,
}

impl Export {
    /// Missing for who may not administer.
    pub fn begin(conn: &mut Conn, actor: &Actor, filter: &Filter) -> Result<Export> {
        may_see(actor)?;
        let number = head(conn)?.number;
        let last = events::table.order(events::id.desc()).select(events::id).first(conn).optional()?;
        Ok(Export { plan: plan(conn, filter)?, after: None, last, number })
    }

    /// The next rows, which may be none; `None` at the end.
    pub fn more(&mut self, conn: &mut Conn) -> Result<Option<Vec<Event>>> {
        let (Some(plan), Some(last)) = (&self.plan, &self.last) else { return Ok(None) };
        let looked = look(conn, plan, Way::Forth, self.after.as_ref(), CHUNK)?;
        let mut rows = looked.rows;
        rows.retain(|row| row.id <= *last && row.number <= self.number);
        match looked.next.filter(|next| next < last) {
            Some(next) => self.after = Some(next),
            None => self.plan = None,
        }
        Ok(Some(rows))
    }
}
