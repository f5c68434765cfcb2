//! The audit log: one row for every change, written in the change's own transaction. Rows are only ever added.

use diesel::prelude::*;
use serde_json::Value;

use crate::actor::{Actor, Deed};
use crate::db::{Conn, MultiBackend, like};
use crate::error::{Error, Result};
use crate::schema::events;
use crate::tx::Tx;
use crate::types::{AccountId, ApiId, EventId, SessionId, Stamp, TokenId};

#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = events)]
#[diesel(check_for_backend(MultiBackend))]
pub struct Event {
    pub id: EventId,
    pub at: Stamp,
    /// `NOUN.VERB`, with the verbs of the contract: `token.generate`, `token.remove`, `account.disable`.
    pub action: String,
    pub actor_id: Option<AccountId>,
    pub actor_name: String,
    pub via: String,
    pub subject_kind: String,
    pub subject_id: String,
    pub subject_name: String,
    /// The account in whose activity the event stands.
    pub owner_id: Option<AccountId>,
    /// JSON: what it was before and after, as far as the action has that.
    pub detail: String,
    pub ip: String,
    pub agent: String,
    /// Action, names, address and detail in lower case: what a search looks into.
    pub folded: String,
}

/// What an event is about.
pub struct Subject<'a> {
    kind: &'static str,
    id: &'a str,
    name: &'a str,
}

impl<'a> Subject<'a> {
    pub fn token(id: &'a TokenId, name: &'a str) -> Subject<'a> {
        Subject { kind: "token", id: id.as_str(), name }
    }

    pub fn account(id: &'a AccountId, name: &'a str) -> Subject<'a> {
        Subject { kind: "account", id: id.as_str(), name }
    }

    pub fn api(id: &'a ApiId, slug: &'a str) -> Subject<'a> {
        Subject { kind: "api", id: id.as_str(), name: slug }
    }

    pub fn session(id: &'a SessionId) -> Subject<'a> {
        Subject { kind: "session", id: id.as_str(), name: "" }
    }
}

pub fn record(
    tx: &mut Tx<'_>,
    actor: &Actor,
    action: &'static str,
    subject: Subject<'_>,
    owner: Option<&AccountId>,
    detail: Value,
) -> Result<()> {
    let detail = detail.to_string();
    let words = [action, &actor.name, subject.name, &actor.origin.ip, &detail];
    let event = Event {
        folded: words.join(" ").to_lowercase(),
        id: tx.id()?,
        at: tx.now,
        action: action.to_owned(),
        actor_id: actor.account.clone(),
        actor_name: actor.name.clone(),
        via: actor.via.as_text(),
        subject_kind: subject.kind.to_owned(),
        subject_id: subject.id.to_owned(),
        subject_name: subject.name.to_owned(),
        owner_id: owner.cloned(),
        detail,
        ip: actor.origin.ip.clone(),
        agent: actor.origin.agent.clone(),
    };
    diesel::insert_into(events::table).values(&event).execute(tx.conn)?;
    Ok(())
}

/// What was done to a token from a moment on, oldest first; ten at the most.
pub fn of_token_since(conn: &mut Conn, id: &TokenId, since: Stamp) -> Result<Vec<Event>> {
    let since = events::table.filter(events::subject_id.eq(id.as_str())).filter(events::at.ge(since));
    Ok(since.order(events::id).limit(10).select(Event::as_select()).load(conn)?)
}

/// Which events.
pub struct Ask {
    /// Everybody's, for administrators; else what stands in the actor's own activity.
    pub everyone: bool,
    /// An action, or the beginning of some up to a dot; empty is every one.
    pub action: String,
    pub subject: Option<String>,
    /// Words in any order, all of them found.
    pub q: String,
    pub limit: i64,
    /// The id that the former page ended with. Ids are made from their instant, so that any is a place.
    pub after: Option<EventId>,
}

pub struct Page {
    pub rows: Vec<Event>,
    pub next: Option<EventId>,
    /// At most [`COUNTED`].
    pub total: i64,
}

/// Rows that are counted at the most: a count goes through all of them.
const COUNTED: i64 = 10_000;

/// One page, newest first.
pub fn list(conn: &mut Conn, actor: &Actor, ask: &Ask) -> Result<Page> {
    let owner = match ask.everyone {
        true => actor.must(Deed::Administer).map(|()| None)?,
        false => Some(actor.account.clone().ok_or(Error::SignedOut)?),
    };
    if ask.after.as_ref().is_some_and(|id| id.uuid().is_none()) {
        return Err(Error::invalid("after", "This cursor leads nowhere. Begin again without it."));
    }
    let found = || {
        let mut query = events::table.into_boxed::<MultiBackend>();
        if let Some(owner) = &owner {
            query = query.filter(events::owner_id.eq(owner.clone()));
        }
        if let Some(subject) = &ask.subject {
            query = query.filter(events::subject_id.eq(subject.clone()));
        }
        query = match ask.action.ends_with('.') {
            _ if ask.action.is_empty() => query,
            true => query.filter(events::action.like(format!("{}%", like(&ask.action))).escape('\\')),
            false => query.filter(events::action.eq(ask.action.clone())),
        };
        for word in ask.q.to_lowercase().split_whitespace() {
            query = query.filter(events::folded.like(format!("%{}%", like(word))).escape('\\'));
        }
        query
    };
    let behind = match &ask.after {
        Some(id) => found().filter(events::id.lt(id.clone())),
        None => found(),
    };
    let mut rows: Vec<Event> =
        behind.order(events::id.desc()).limit(ask.limit + 1).select(Event::as_select()).load(conn)?;
    let more = rows.len() as i64 > ask.limit;
    rows.truncate(usize::try_from(ask.limit).unwrap_or_default());
    let counted: Vec<EventId> = found().limit(COUNTED).select(events::id).load(conn)?;
    Ok(Page { next: rows.last().filter(|_| more).map(|row| row.id.clone()), rows, total: counted.len() as i64 })
}
