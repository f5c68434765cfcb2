//! The audit log: one row for every change, written in the change's own transaction. Rows are only ever added.

use diesel::prelude::*;
use serde_json::Value;

use crate::actor::Actor;
use crate::db::{Conn, MultiBackend};
use crate::error::Result;
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

    /// There is one.
    pub fn policy() -> Subject<'static> {
        Subject { kind: "policy", id: "policy", name: "policy" }
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

/// The last events of a subject, newest first.
pub fn last_of(conn: &mut Conn, subject: &Subject<'_>, most: i64) -> Result<Vec<Event>> {
    let of = events::table.filter(events::subject_id.eq(subject.id)).filter(events::subject_kind.eq(subject.kind));
    Ok(of.order(events::id.desc()).limit(most).select(Event::as_select()).load(conn)?)
}
