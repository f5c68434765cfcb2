//! The log as programs read it: one's own activity, or everybody's, with as many rows as they ask for.

use diesel::prelude::*;

use super::Event;
use super::chain::head;
use super::filter::{Filter, plan};
use super::log::{Way, look, may_see};
use crate::actor::Actor;
use crate::db::{Conn, MultiBackend, like};
use crate::error::{Error, Result};
use crate::schema::events;
use crate::types::EventId;

/// Rows of one's own that are counted at the most: a count goes through all of them.
const COUNTED: i64 = 10_000;

pub struct Listed {
    pub rows: Vec<Event>,
    pub next: Option<EventId>,
    /// `None` where counting would go through the whole log.
    pub total: Option<i64>,
}

/// Everybody's events, newest first, behind `after`. A page may hold fewer rows than were asked for and still have a next one:
/// one look goes through so many rows and no more.
pub fn everybody_s(
    conn: &mut Conn,
    actor: &Actor,
    filter: &Filter,
    after: Option<&EventId>,
    most: i64,
) -> Result<Listed> {
    may_see(actor)?;
    check(after)?;
    let total = filter.is_empty().then(|| head(conn)).transpose()?.map(|head| head.number);
    let Some(plan) = plan(conn, filter)? else {
        return Ok(Listed { rows: Vec::new(), next: None, total: Some(0) });
    };
    let look = look(conn, &plan, Way::Back, after, most)?;
    Ok(Listed { rows: look.rows, next: look.next, total })
}

/// What stands in the actor's own activity, newest first. Of the filter count action, subject and words.
pub fn own(conn: &mut Conn, actor: &Actor, filter: &Filter, after: Option<&EventId>, most: i64) -> Result<Listed> {
    let owner = actor.account.clone().ok_or(Error::SignedOut)?;
    check(after)?;
    let found = || {
        let mut query = events::table.filter(events::owner_id.eq(owner.clone())).into_boxed::<MultiBackend>();
        if !filter.subject.is_empty() {
            query = query.filter(events::subject_id.eq(filter.subject.clone()));
        }
        query = match filter.action.contains('.') {
            _ if filter.action.is_empty() => query,
            true => query.filter(events::action.eq(filter.action.clone())),
            false => query.filter(events::action.like(format!("{}.%", like(&filter.action))).escape('\\')),
        };
        for word in filter.q.to_lowercase().split_whitespace() {
            query = query.filter(events::folded.like(format!("%{}%", like(word))).escape('\\'));
        }
        query
    };
    let behind = match after {
        Some(id) => found().filter(events::id.lt(id.clone())),
        None => found(),
    };
    let mut rows: Vec<Event> = behind.order(events::id.desc()).limit(most + 1).select(Event::as_select()).load(conn)?;
    let more = rows.len() as i64 > most;
    rows.truncate(usize::try_from(most).unwrap_or_default());
    let counted: Vec<EventId> = found().limit(COUNTED).select(events::id).load(conn)?;
    let next = rows.last().filter(|_| more).map(|row| row.id.clone());
    Ok(Listed { rows, next, total: Some(counted.len() as i64) })
}

/// Ids are made from their instant, so that any of them is a place in the log.
fn check(after: Option<&EventId>) -> Result<()> {
    match after.is_some_and(|id| id.uuid().is_none()) {
        true => Err(Error::invalid("after", "This cursor leads nowhere. Begin again without it.")),
        false => Ok(()),
    }
}
