//! The audit log: one row for every change, written in the change's own transaction. Rows are only ever added, each chained to
//! the one before it by a hash; the oldest go when an operator says how long they are kept.

pub mod chain;
pub mod export;
pub mod filter;
pub mod log;
pub mod own;
pub mod prove;
pub mod retention;

use diesel::prelude::*;
use serde_json::Value;

use crate::actor::Actor;
use crate::db::{Conn, MultiBackend};
use crate::error::Result;
use crate::schema::events;
use crate::tx::Tx;
use crate::types::{AccountId, ApiId, EventId, SessionId, Stamp, TeamId, TokenId};

#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = events)]
#[diesel(check_for_backend(MultiBackend))]
pub struct Event {
    pub id: EventId,
    pub at: Stamp,
    /// `NOUN.VERB`, with the verbs of the contract: `token.generate`, `token.remove`, `account.disable`.
    pub action: String,
    pub actor_id: Option<AccountId>,
    /// Who: a person, a service account, the operator at the command line.
    pub actor_name: String,
    /// As whom: `session ID`, `token ID`, `command line`.
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
    /// Its place in the chain: 1, 2, 3 … without gaps.
    pub number: i64,
    /// SHA-256 as hex: see [`chain::hash`].
    pub hash: String,
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

    pub fn team(id: &'a TeamId, name: &'a str) -> Subject<'a> {
        Subject { kind: "team", id: id.as_str(), name }
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

/// It is written when the verb is done: see [`chain::seal`].
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
        // Made with its number.
        id: EventId::from(""),
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
        number: 0,
        hash: String::new(),
    };
    tx.events.push(event);
    Ok(())
}

/// A change that the rules forbid to somebody whom we know: what was asked for (`POST /settings/tokens/{id}`), where, and the
/// sentence of the refusal.
pub fn record_refused_change(tx: &mut Tx<'_>, actor: &Actor, route: &str, path: &str, why: &str) -> Result<()> {
    let subject = Subject { kind: "route", id: route, name: path };
    record(tx, actor, "change.refuse", subject, actor.account.as_ref(), serde_json::json!({ "why": why }))
}

/// What was done to a token from a moment on, oldest first; ten at the most.
pub fn of_token_since(conn: &mut Conn, id: &TokenId, since: Stamp) -> Result<Vec<Event>> {
    let since = events::table.filter(events::subject_id.eq(id.as_str())).filter(events::at.ge(since));
    Ok(since.order(events::id).limit(10).select(Event::as_select()).load(conn)?)
}

/// When an account last did something that is in its own activity.
pub fn last_act_of(conn: &mut Conn, account: &AccountId) -> Result<Option<Stamp>> {
    let own = events::table.filter(events::owner_id.eq(account).and(events::actor_id.eq(account)));
    Ok(own.order(events::id.desc()).select(events::at).first(conn).optional()?)
}

/// The last events of a subject, newest first.
pub fn last_of(conn: &mut Conn, subject: &Subject<'_>, most: i64) -> Result<Vec<Event>> {
    let of = events::table.filter(events::subject_id.eq(subject.id)).filter(events::subject_kind.eq(subject.kind));
    Ok(of.order(events::id.desc()).limit(most).select(Event::as_select()).load(conn)?)
}
