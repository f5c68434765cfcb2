//! Changing the policy: what a new one would touch, and saving it, with the tokens that it does not allow kept or cut.

pub mod cutting;

use std::collections::HashMap;
use std::sync::Arc;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actor::{Actor, Deed};
use crate::audit::{self, Event, Subject};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::index::{self, Index};
use crate::policy::{Policy, Saved};
use crate::schema::{accounts, sessions};
use crate::token::cut::{self, Excess};
use crate::tx::{Change, Tx};
use crate::types::{SessionId, Stamp};

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

pub fn touched(
    conn: &mut Conn,
    index: &Index,
    now: Stamp,
    before: &Policy,
    after: &Policy,
    present: &SessionId,
) -> Result<Touched> {
    let (sessions, own_session) = ending(conn, now, before, after, present)?;
    Ok(Touched {
        excess: cut::excess(index, after, now),
        crowded: if after.tokens_per_account < before.tokens_per_account { crowded(index, after) } else { 0 },
        sessions,
        own_session,
    })
}

/// Accounts with more tokens than they may have, expired and disabled ones too: out of the index, which knows them all.
fn crowded(index: &Index, policy: &Policy) -> usize {
    let mut held: HashMap<*const index::Account, u32> = HashMap::new();
    index.each(|token| {
        if !token.is_session {
            *held.entry(Arc::as_ptr(&token.account)).or_default() += 1;
        }
    });
    held.into_values().filter(|count| *count > policy.tokens_per_account).count()
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

/// Saves it unless somebody else was faster; from the answer on it counts. Tokens that are to be cut are noted, for
/// [`cutting`]; without a difference only that.
pub fn save(tx: &mut Tx<'_>, actor: &Actor, proposal: &Proposal, existing: Existing) -> Result<()> {
    // Drawn first: of two who save at once the second finds what the first has saved.
    let version = tx.version()?;
    actor.must(Deed::Administer)?;
    proposal.policy.check()?;
    let present = current(tx.conn, tx.policy)?;
    if present.version != proposal.seen {
        return Err(Error::Stale);
    }
    let (before, after) = difference(&present.policy, &proposal.policy)?;
    let mut saved = present.version;
    if !after.is_empty() {
        saved = version;
        let saved = Saved { version, policy: proposal.policy.clone() };
        saved.store(tx.conn)?;
        let word = if existing == Existing::Keep { "keep" } else { "cut" };
        let detail = serde_json::json!({ "before": before, "after": after, "existing": word, "version": version });
        audit::record(tx, actor, "policy.edit", Subject::policy(), None, detail)?;
        tx.changed(Change::Policy(saved));
    }
    match existing {
        Existing::Cut { end_now } => cutting::begin(tx, actor, saved, end_now),
        // What is still being cut to a former policy is kept now.
        Existing::Keep if !after.is_empty() => cutting::drop_it(tx.conn),
        Existing::Keep => Ok(()),
    }
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
