//! The log as it is read: pages by key, newest first. An index decides which rows are looked at; whatever else is asked for is
//! looked for among a bounded number of them, so that a page costs the same with a thousand events and with millions.

use diesel::prelude::*;

use super::Event;
use super::chain::{CHECKPOINT, head, mark};
use super::filter::{Filter, Indexed, Plan, Query, Rows, actions, moment, plan};
use crate::actor::{Actor, Deed};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::schema::events;
use crate::types::{EventId, Stamp};

pub const PAGE: i64 = 50;
/// Rows that one look goes through, where no index finds what is asked for.
pub const WINDOW: i64 = 8_000;

pub struct Page {
    pub rows: Vec<Event>,
    /// What the next page comes after.
    pub older: Option<EventId>,
    /// What the page before this one comes after; `None` where that is the first page.
    pub newer: Option<EventId>,
    /// Set where the page ends because enough was looked through: the moment down to which it was.
    pub looked_back_to: Option<Stamp>,
    /// All events that there are, whatever the filter.
    pub events: i64,
    /// The actions that stand in the log.
    pub actions: Vec<String>,
}

/// One page behind the event `after`, which need not be there any more. Missing for who may not administer.
pub fn page(conn: &mut Conn, actor: &Actor, filter: &Filter, after: Option<&EventId>) -> Result<Page> {
    may_see(actor)?;
    let events = head(conn)?.number - mark(conn, CHECKPOINT)?.unwrap_or_default().number;
    let actions = actions(conn)?;
    let plan = plan(conn, filter)?;
    let look = match &plan {
        Some(plan) => look(conn, plan, Way::Back, after, PAGE)?,
        None => Look { rows: Vec::new(), next: None, is_cut: false },
    };
    let newer = match (&plan, after) {
        (Some(plan), Some(after)) => newer(conn, plan, after)?,
        _ => None,
    };
    Ok(Page {
        looked_back_to: look.next.as_ref().filter(|_| look.is_cut).and_then(moment),
        older: look.next,
        rows: look.rows,
        newer,
        events,
        actions,
    })
}

/// The page before ends with `after` itself, so that it comes after the last of as many rows in front of that.
fn newer(conn: &mut Conn, plan: &Plan, after: &EventId) -> Result<Option<EventId>> {
    let front = look(conn, plan, Way::Forth, Some(after), PAGE)?;
    let last = front.rows.last().filter(|_| front.rows.len() as i64 == PAGE).map(|row| row.id.clone());
    Ok(last.or(front.next.filter(|_| front.is_cut)))
}

pub(super) fn may_see(actor: &Actor) -> Result<()> {
    if actor.may(Deed::Administer) { Ok(()) } else { Err(Error::Missing) }
}

/// Which way the log is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Back,
    Forth,
}

pub(super) struct Look {
    pub rows: Vec<Event>,
    /// Behind what the next look goes on; `None` at the end.
    pub next: Option<EventId>,
    /// Whether it ended because it had gone through [`WINDOW`] rows.
    pub is_cut: bool,
}

/// At most that many rows that match. Where filters are asked for together, it is the one that leads furthest whose index is
/// followed.
pub(super) fn look(conn: &mut Conn, plan: &Plan, way: Way, after: Option<&EventId>, most: i64) -> Result<Look> {
    let bounds = Bounds::of(plan, way, after);
    let is_found = plan.patterns.is_empty() && plan.indexed.len() < 2 && plan.indexed.iter().all(Indexed::is_exact);
    let (led_by, edge) = match is_found {
        true => ((!plan.indexed.is_empty()).then_some(0), None),
        false => leader(conn, plan, &bounds)?,
    };
    let bounds = match &edge {
        Some(edge) => bounds.up_to(edge),
        None => bounds,
    };
    let mut rows: Vec<Event> = Vec::new();
    for part in parts(plan, led_by) {
        let others = plan.indexed.iter().enumerate().filter(|(nth, of)| Some(*nth) != led_by || !of.is_exact());
        let query = others.fold(part.query(), |query, (_, indexed)| indexed.among(query));
        let words = plan.patterns.iter().cloned();
        let query = words.fold(query, |query, word| query.filter(events::folded.like(word).escape('\\')));
        rows.extend(bounds.narrow(query).limit(most + 1).select(Event::as_select()).load::<Event>(conn)?);
    }
    rows.sort_by(|a, b| if way == Way::Back { b.id.cmp(&a.id) } else { a.id.cmp(&b.id) });
    let is_more = rows.len() as i64 > most;
    rows.truncate(usize::try_from(most).unwrap_or_default());
    Ok(match is_more {
        true => Look { next: rows.last().map(|row| row.id.clone()), rows, is_cut: false },
        false => Look { rows, is_cut: edge.is_some(), next: edge },
    })
}

fn parts(plan: &Plan, led_by: Option<usize>) -> Vec<Rows> {
    led_by.and_then(|nth| plan.indexed.get(nth)).map_or_else(|| vec![Rows::All], Indexed::rows)
}

/// The filter whose [`WINDOW`] rows lead furthest, and where they end; no end where there are fewer of them.
fn leader(conn: &mut Conn, plan: &Plan, bounds: &Bounds) -> Result<(Option<usize>, Option<EventId>)> {
    let filters: Vec<Option<usize>> = match plan.indexed.len() {
        0 => vec![None],
        n => (0..n).map(Some).collect(),
    };
    let mut furthest: Option<(Option<usize>, EventId)> = None;
    for led_by in filters {
        let parts = parts(plan, led_by);
        let share = (WINDOW / parts.len().max(1) as i64).max(1);
        let mut nearest: Option<EventId> = None;
        for part in parts {
            let edge = bounds.narrow(part.query()).offset(share).limit(1).select(events::id).first(conn).optional()?;
            nearest = match (nearest, edge) {
                (Some(one), Some(other)) => Some(if bounds.is_further(&one, &other) { other } else { one }),
                (one, other) => one.or(other),
            };
        }
        match nearest {
            None => return Ok((led_by, None)),
            Some(edge) if furthest.as_ref().is_none_or(|(_, known)| bounds.is_further(&edge, known)) => {
                furthest = Some((led_by, edge));
            }
            Some(_) => {}
        }
    }
    Ok(furthest.map_or((None, None), |(led_by, edge)| (led_by, Some(edge))))
}

/// Between which ids, and in which order.
#[derive(Clone)]
struct Bounds {
    way: Way,
    from: Option<EventId>,
    until: Option<EventId>,
    /// Behind it, and not it.
    after: Option<EventId>,
    /// Up to it, and it too.
    edge: Option<EventId>,
}

impl Bounds {
    fn of(plan: &Plan, way: Way, after: Option<&EventId>) -> Bounds {
        Bounds { way, from: plan.from.clone(), until: plan.until.clone(), after: after.cloned(), edge: None }
    }

    fn up_to(self, edge: &EventId) -> Bounds {
        Bounds { edge: Some(edge.clone()), ..self }
    }

    fn is_further(&self, one: &EventId, other: &EventId) -> bool {
        if self.way == Way::Back { one < other } else { one > other }
    }

    fn narrow(&self, query: Query) -> Query {
        let (mut low, mut high) = (self.from.clone(), self.until.clone());
        let mut query = match self.way {
            Way::Back => {
                high = high.into_iter().chain(self.after.clone()).min();
                low = low.into_iter().chain(self.edge.clone()).max();
                query.order(events::id.desc())
            }
            Way::Forth => {
                let query = query.order(events::id.asc());
                let query = match &self.edge {
                    Some(edge) => query.filter(events::id.le(edge.clone())),
                    None => query,
                };
                match &self.after {
                    Some(after) => query.filter(events::id.gt(after.clone())),
                    None => query,
                }
            }
        };
        if let Some(low) = low {
            query = query.filter(events::id.ge(low));
        }
        if let Some(high) = high {
            query = query.filter(events::id.lt(high));
        }
        query
    }
}
