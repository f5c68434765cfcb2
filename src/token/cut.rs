//! Tokens that a policy would not allow any more: how many there are, and the moving of their ends to its limits. Found in the
//! index, which knows them all: a million rows with their values and owners take the database many seconds.

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;
use diesel::prelude::*;
use uuid::Uuid;

use super::{Generation, Token, facts, known_values};
use crate::account;
use crate::actor::{Actor, Deed};
use crate::audit::{self, Subject};
use crate::error::{OrMissing, Result};
use crate::index::{self, Index};
use crate::policy::Policy;
use crate::schema::{generations, tokens};
use crate::tx::{Change, Tx};
use crate::types::{Role, Stamp, TokenId};

/// Tokens that the index has, of the accounts of one role, that a policy does not allow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Excess {
    pub role: Role,
    /// They live longer than the role's days from the generation of their value.
    pub long: i64,
    /// They have no expiry, and may not.
    pub never: i64,
    /// Of both: their days are over already.
    pub past: i64,
    /// Their former value lives longer than it may.
    pub graces: i64,
    /// Of those: the time for which it may live is over already.
    pub graces_past: i64,
}

/// What became of tokens that were cut.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Tokens of which something ends earlier than before.
    pub tokens: usize,
    /// Of those, how many stopped at once, or their former value did.
    pub ended: usize,
}

/// Where a policy wants what lives too long to end; `None` where it may stay. It may be in the past.
struct Limits {
    end: Option<Stamp>,
    former: Option<Stamp>,
}

impl Limits {
    /// Of a living token: since when its value is there, its end, and those of its former values.
    fn of(
        policy: &Policy,
        role: Role,
        since: Stamp,
        end: Option<Stamp>,
        mut former: impl Iterator<Item = Stamp>,
        now: Stamp,
    ) -> Limits {
        let grace = since.plus(policy.grace());
        let is_long = !policy.allows(role, since, end);
        Limits {
            end: is_long.then(|| since.plus(TimeDelta::days(policy.max_days(role).into()))),
            former: former.any(|end| end > now && end > grace).then_some(grace),
        }
    }

    fn of_known(policy: &Policy, token: &index::Token, now: Stamp) -> Option<(Role, Limits)> {
        let is_over = token.expires_at.is_some_and(|end| end <= now);
        let role = token.account.role();
        (!is_over).then(|| (role, Limits::of(policy, role, token.since, token.expires_at, token.former_ends(), now)))
    }

    /// Moments that have passed become now, or are none without `end_now`.
    fn from(self, now: Stamp, end_now: bool) -> Limits {
        let at = |limit: Stamp| if limit > now { Some(limit) } else { end_now.then_some(now) };
        Limits { end: self.end.and_then(at), former: self.former.and_then(at) }
    }

    fn is_none(&self) -> bool {
        self.end.is_none() && self.former.is_none()
    }
}

/// What a policy does not allow, by the owner's role.
pub fn excess(index: &Index, policy: &Policy, now: Stamp) -> Vec<Excess> {
    let mut found: BTreeMap<Role, Excess> = BTreeMap::new();
    index.each(|token| {
        let Some((role, limits)) = Limits::of_known(policy, token, now).filter(|(_, limits)| !limits.is_none()) else {
            return;
        };
        let none = || Excess { role, long: 0, never: 0, past: 0, graces: 0, graces_past: 0 };
        let excess = found.entry(role).or_insert_with(none);
        if let Some(limit) = limits.end {
            *(if token.expires_at.is_some() { &mut excess.long } else { &mut excess.never }) += 1;
            excess.past += i64::from(limit <= now);
        }
        if let Some(limit) = limits.former {
            excess.graces += 1;
            excess.graces_past += i64::from(limit <= now);
        }
    });
    found.into_values().collect()
}

/// Those that [`cut`] would change, in the order of their ids: 16 bytes for each.
pub fn too_long(index: &Index, policy: &Policy, end_now: bool, now: Stamp) -> Vec<Uuid> {
    let mut found = Vec::new();
    index.each(|token| {
        let limits = Limits::of_known(policy, token, now).map(|(_, limits)| limits.from(now, end_now));
        if limits.is_some_and(|limits| !limits.is_none()) {
            found.push(token.id);
        }
    });
    found.sort_unstable();
    found
}

/// Moves what lives too long to the policy's limit, counted from the generation of the value: an expiry, and the end of a
/// former value. What is past that limit ends at once, or stays as it is without `end_now`.
pub fn cut(tx: &mut Tx<'_>, actor: &Actor, policy: &Policy, end_now: bool, ids: &[Uuid]) -> Result<Cut> {
    actor.must(Deed::Administer)?;
    let version = tx.version()?;
    let ids: Vec<TokenId> = ids.iter().map(|id| TokenId::from(*id)).collect();
    let rows = tokens::table
        .filter(tokens::id.eq_any(&ids).and(tokens::removed_at.is_null()))
        .filter(tokens::expires_at.is_null().or(tokens::expires_at.gt(tx.now)))
        .order(tokens::id);
    let found: Vec<Token> = rows.select(Token::as_select()).load(tx.conn)?;
    let owners = account::by_ids(tx.conn, found.iter().map(|token| token.owner_id.clone()).collect())?;
    let mut values: HashMap<TokenId, Vec<Generation>> = known_values(tx.conn, &found, tx.now)?.into_iter().collect();
    let mut done = Cut::default();
    for mut token in found {
        let (Some(owner), Some(values)) = (owners.get(&token.owner_id), values.remove(&token.id)) else { continue };
        token.version = version;
        let ended = shorten(tx, actor, policy, end_now, token, values, owner.role)?;
        done.tokens += usize::from(ended.is_some());
        done.ended += usize::from(ended == Some(true));
    }
    Ok(done)
}

/// Whether something of the token stopped at once; `None` where nothing was changed.
fn shorten(
    tx: &mut Tx<'_>,
    actor: &Actor,
    policy: &Policy,
    end_now: bool,
    mut token: Token,
    mut values: Vec<Generation>,
    role: Role,
) -> Result<Option<bool>> {
    let now = tx.now;
    let Some(since) = values.iter().find(|value| value.ends_at.is_none()).map(|value| value.created_at) else {
        return Ok(None);
    };
    let ends = values.iter().filter_map(|value| value.ends_at);
    let limits = Limits::of(policy, role, since, token.expires_at, ends, now).from(now, end_now);
    if limits.is_none() {
        return Ok(None);
    }
    let (mut before, mut after) = (serde_json::json!({}), serde_json::json!({}));
    if let Some(end) = limits.end {
        before["expires_at"] = serde_json::json!(token.expires_at);
        after["expires_at"] = serde_json::json!(end);
        token.expires_at = Some(end);
    }
    if let Some(end) = limits.former {
        let is_late = |value: &&mut Generation| value.ends_at.is_some_and(|of| of > end);
        for former in values.iter_mut().filter(is_late) {
            before["previous_expires_at"] = serde_json::json!(former.ends_at);
            after["previous_expires_at"] = serde_json::json!(end);
            end_former(tx, former, end)?;
        }
    }
    diesel::update(tokens::table.find(&token.id))
        .set((tokens::expires_at.eq(token.expires_at), tokens::version.eq(token.version)))
        .execute(tx.conn)
        .or_missing()?;
    let detail = serde_json::json!({ "before": before, "after": after, "by": "policy" });
    let subject = Subject::token(&token.id, &token.name);
    audit::record(tx, actor, "token.edit", subject, Some(&token.owner_id), detail)?;
    tx.changed(Change::Token(facts(&token, &values, now)));
    Ok(Some(limits.end == Some(now) || limits.former == Some(now)))
}

fn end_former(tx: &mut Tx<'_>, former: &mut Generation, end: Stamp) -> Result<()> {
    former.ends_at = Some(end);
    let row = generations::table.find((&former.token_id, former.number));
    diesel::update(row).set(generations::ends_at.eq(end)).execute(tx.conn).or_missing()
}
