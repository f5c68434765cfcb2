//! Changing the policy: what a new one would touch, and saving it, with the tokens that it does not allow kept or cut.

use std::sync::Arc;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actor::{Actor, Deed};
use crate::app::App;
use crate::audit::{self, Event, Subject};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::policy::{Policy, Saved};
use crate::schema::{accounts, sessions, tokens};
use crate::token::cut::{self, Cut, Excess};
use crate::tx::{Change, Tx};
use crate::types::{AccountId, SessionId, Stamp, TokenKind};

/// Parts of the tokens that are cut in the transaction of the change itself; what is left follows in others.
const AT_ONCE: usize = 10;
/// Former policies that are looked through for what somebody else changed.
const REMEMBERED: i64 = 100;

/// A checked policy: what the confirmation keeps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proposal {
    /// The version that was on the page.
    pub seen: i64,
    pub policy: Policy,
}

/// What becomes of tokens that live longer than the new policy allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    Keep,
    /// `end_now`: also those whose time would be over already, which stop at once.
    Cut {
        end_now: bool,
    },
}

/// What a new policy touches, counted now.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Touched {
    pub excess: Vec<Excess>,
    /// Accounts with more tokens than they may have.
    pub crowded: usize,
    /// Living sessions that would be over.
    pub sessions: i64,
    /// Whether the asker's own is among them.
    pub own_session: bool,
}

/// The policy of now with its version, out of the database; `file` counts where nobody has saved one.
pub fn current(conn: &mut Conn, file: &Policy) -> Result<Saved> {
    let saved = Saved::load(conn)?;
    Ok(saved.unwrap_or_else(|| Saved { version: Saved::OF_THE_FILE, policy: file.clone() }))
}

/// The settings that differ: JSON by name, as they were and as they are to be.
pub fn difference(before: &Policy, after: &Policy) -> Result<(Map<String, Value>, Map<String, Value>)> {
    let (before, after) = (members(before)?, members(after)?);
    let differs = |name: &str| before.get(name) != after.get(name);
    let only = |of: &Map<String, Value>| {
        of.iter().filter(|(name, _)| differs(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    Ok((only(&before), only(&after)))
}

fn members(policy: &Policy) -> Result<Map<String, Value>> {
    match serde_json::to_value(policy).map_err(Error::internal)? {
        Value::Object(members) => Ok(members),
        other => Err(Error::internal(format!("a policy is {other}"))),
    }
}

pub fn touched(conn: &mut Conn, now: Stamp, before: &Policy, after: &Policy, present: &SessionId) -> Result<Touched> {
    let (sessions, own_session) = ending(conn, now, before, after, present)?;
    Ok(Touched {
        excess: cut::excess(conn, after, now)?,
        crowded: if after.tokens_per_account < before.tokens_per_account { crowded(conn, after)? } else { 0 },
        sessions,
        own_session,
    })
}

fn crowded(conn: &mut Conn, policy: &Policy) -> Result<usize> {
    let owners: Vec<AccountId> = tokens::table
        .filter(tokens::removed_at.is_null().and(tokens::kind.ne(TokenKind::Session)))
        .group_by(tokens::owner_id)
        .having(diesel::dsl::count_star().gt(i64::from(policy.tokens_per_account)))
        .select(tokens::owner_id)
        .load(conn)?;
    Ok(owners.len())
}

/// Sessions that live under one policy and not under the other.
fn ending(conn: &mut Conn, now: Stamp, before: &Policy, after: &Policy, present: &SessionId) -> Result<(i64, bool)> {
    let of = |policy: &Policy| (now.minus(policy.idle()), now.minus(policy.lifetime()));
    let ((idle, lifetime), (new_idle, new_lifetime)) = (of(before), of(after));
    let ending = sessions::table
        .inner_join(accounts::table)
        .filter(accounts::enabled.eq(true))
        .filter(sessions::seen_at.gt(idle).and(sessions::created_at.gt(lifetime)))
        .filter(sessions::seen_at.le(new_idle).or(sessions::created_at.le(new_lifetime)));
    let count: i64 = ending.count().get_result(conn)?;
    let own: i64 = ending.filter(sessions::id.eq(present)).count().get_result(conn)?;
    Ok((count, own > 0))
}

/// Saves it unless somebody else was faster; from the answer on it counts. Without a difference only the tokens are cut.
pub fn save(tx: &mut Tx<'_>, actor: &Actor, proposal: &Proposal, existing: Existing) -> Result<Cut> {
    // Drawn first: of two who save at once the second finds what the first has saved.
    let version = tx.version()?;
    actor.must(Deed::Administer)?;
    proposal.policy.check()?;
    let present = current(tx.conn, tx.policy)?;
    if present.version != proposal.seen {
        return Err(Error::Stale);
    }
    let (before, after) = difference(&present.policy, &proposal.policy)?;
    if !after.is_empty() {
        let saved = Saved { version, policy: proposal.policy.clone() };
        saved.store(tx.conn)?;
        let word = if existing == Existing::Keep { "keep" } else { "cut" };
        let detail = serde_json::json!({ "before": before, "after": after, "existing": word, "version": version });
        audit::record(tx, actor, "policy.edit", Subject::policy(), None, detail)?;
        tx.changed(Change::Policy(saved));
    }
    let mut done = Cut::default();
    if let Existing::Cut { end_now } = existing {
        for part in 0..AT_ONCE {
            if part > 0 && done.next.is_none() {
                break;
            }
            let next = cut::cut(tx, actor, &proposal.policy, end_now, done.next.as_ref())?;
            done = sum(done, next);
        }
    }
    Ok(done)
}

/// Cuts what is left after [`save`], part by part: a million tokens in one change would keep everybody else waiting.
pub async fn cut_rest(app: &Arc<App>, actor: &Actor, policy: &Policy, end_now: bool, mut done: Cut) -> Result<Cut> {
    while let Some(after) = done.next.take() {
        let (actor, policy) = (actor.clone(), policy.clone());
        let next = app.write(move |tx| cut::cut(tx, &actor, &policy, end_now, Some(&after))).await?;
        done = sum(done, next);
    }
    Ok(done)
}

fn sum(done: Cut, next: Cut) -> Cut {
    Cut { tokens: done.tokens + next.tokens, ended: done.ended + next.ended, next: next.next }
}

/// The policy as it was at a version, and what was changed since, newest first: what the log tells.
pub fn since(conn: &mut Conn, present: &Saved, version: i64) -> Result<(Policy, Vec<Event>)> {
    let mut events = audit::last_of(conn, &Subject::policy(), REMEMBERED)?;
    let detail = |event: &Event| serde_json::from_str::<Value>(&event.detail).unwrap_or_default();
    let is_newer = |event: &Event| detail(event).get("version").and_then(Value::as_i64).is_some_and(|of| of > version);
    events.retain(is_newer);
    let mut was = members(&present.policy)?;
    for event in &events {
        let before = detail(event).get("before").and_then(Value::as_object).cloned().unwrap_or_default();
        was.extend(before);
    }
    let was = serde_json::from_value(Value::Object(was)).map_err(Error::internal)?;
    Ok((was, events))
}

/// Who saved the policy last, and when; nobody as long as the settings file counts.
pub fn last_saved(conn: &mut Conn) -> Result<Option<Event>> {
    Ok(audit::last_of(conn, &Subject::policy(), 1)?.into_iter().next())
}
