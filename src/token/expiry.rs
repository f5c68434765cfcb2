//! One new expiry for many tokens: each within the policy of its owner's role, and those for which it cannot be stay as they are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::edit::Difference;
use super::{CHUNK, Expiry, Limits, Standing, Token, check_expiry, facts, known_values, must_reach, select};
use crate::account::{self, Account};
use crate::actor::Actor;
use crate::audit::{self, Subject};
use crate::catalogue::Catalogue;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::policy::Policy;
use crate::schema::{generations, tokens};
use crate::tx::{Change, Tx};
use crate::types::{AccountId, Stamp, TokenId};
use crate::when::Zone;

/// A day as typed, and the time zone of who typed it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewDay {
    pub day: String,
    pub zone: String,
}

/// What a new day would do to each of the chosen tokens.
#[derive(Default)]
pub struct Plan {
    /// With the new end.
    pub moved: Vec<(Token, Stamp)>,
    /// That stop on that day already.
    pub same: usize,
    /// Why others stay as they are, and how many.
    pub kept: BTreeMap<String, usize>,
}

impl NewDay {
    fn zone(&self) -> Zone {
        self.zone.parse().unwrap_or(Zone::UTC)
    }

    /// Says what is wrong with the day whatever token it is for.
    pub fn check(&self, now: Stamp) -> Result<()> {
        let (policy, catalogue) =
            (Arc::new(Policy { max_lifetime: 36_500, ..Policy::default() }), Catalogue::default());
        let limits = Limits {
            catalogue: &catalogue,
            policy,
            role: crate::types::Role::Owner,
            zone: self.zone(),
            now,
            since: now,
            standing: None,
        };
        let checked = check_expiry(&Expiry::Day(self.day.clone()), &limits);
        checked.map(drop).map_err(|sentence| Error::invalid("expires_at", sentence))
    }
}

/// Looks at each of the tokens, without changing any.
pub fn plan(
    conn: &mut Conn,
    actor: &Actor,
    policy: &Arc<Policy>,
    now: Stamp,
    ids: &[TokenId],
    to: &NewDay,
) -> Result<Plan> {
    let chosen = select(conn, actor, ids)?;
    let since = generated(conn, &chosen)?;
    let mut owners: HashMap<AccountId, Account> = HashMap::new();
    let catalogue = Catalogue::default();
    let mut plan = Plan::default();
    for token in chosen {
        let owner = match owners.get(&token.owner_id) {
            Some(owner) => owner,
            None => {
                let owner = account::by_id(conn, &token.owner_id)?;
                owners.entry(token.owner_id.clone()).or_insert(owner)
            }
        };
        let limits = Limits {
            catalogue: &catalogue,
            policy: policy.clone(),
            role: owner.role,
            zone: to.zone(),
            now,
            since: since.get(&token.id).copied().unwrap_or(token.created_at),
            standing: Some(Standing::of(&token, actor, policy)),
        };
        let later = |end: Stamp| token.expires_at.is_some_and(|standing| standing < end);
        match check_expiry(&Expiry::Day(to.day.clone()), &limits) {
            Ok(end) if end == token.expires_at => plan.same += 1,
            Ok(Some(end)) if later(end) && must_reach(actor, owner).is_err() => {
                let sentence = "Their owner's role is above yours, so you can only bring their end nearer.";
                *plan.kept.entry(sentence.into()).or_default() += 1;
            }
            Ok(Some(end)) => plan.moved.push((token, end)),
            Ok(None) => plan.same += 1,
            Err(sentence) => *plan.kept.entry(sentence).or_default() += 1,
        }
    }
    Ok(plan)
}

/// Sets what can be set; the answer is the names of those that were changed.
pub fn set(tx: &mut Tx<'_>, actor: &Actor, ids: &[TokenId], to: &NewDay) -> Result<Vec<String>> {
    let version = tx.version()?;
    let (policy, now) = (Arc::new(tx.policy.clone()), tx.now);
    to.check(now)?;
    let plan = plan(tx.conn, actor, &policy, now, ids, to)?;
    let before: Vec<Token> = plan.moved.iter().map(|(token, _)| token.clone()).collect();
    let values = known_values(tx.conn, &before, now)?;
    let mut by_end: BTreeMap<i64, (Stamp, Vec<&TokenId>)> = BTreeMap::new();
    for (token, end) in &plan.moved {
        by_end.entry(end.millis()).or_insert_with(|| (*end, Vec::new())).1.push(&token.id);
    }
    for (end, ids) in by_end.values() {
        for chunk in ids.chunks(CHUNK) {
            let rows = tokens::table.filter(tokens::id.eq_any(chunk.iter().copied()));
            diesel::update(rows).set((tokens::expires_at.eq(end), tokens::version.eq(version))).execute(tx.conn)?;
        }
    }
    let mut names = Vec::with_capacity(plan.moved.len());
    for (token, end) in plan.moved {
        let after = Token { expires_at: Some(end), version, ..token.clone() };
        let detail = serde_json::to_value(Difference::between(&token, &after)).map_err(Error::internal)?;
        let subject = Subject::token(&after.id, &after.name);
        audit::record(tx, actor, "token.edit", subject, Some(&after.owner_id), detail)?;
        let known = values.get(&after.id).map_or(&[][..], Vec::as_slice);
        tx.changed(Change::Token(facts(&after, known, now)));
        names.push(after.name);
    }
    Ok(names)
}

/// When the current value of each was generated: from then on the policy counts.
fn generated(conn: &mut Conn, of: &[Token]) -> Result<HashMap<TokenId, Stamp>> {
    let mut since = HashMap::with_capacity(of.len());
    for chunk in of.chunks(CHUNK) {
        let current = generations::table
            .filter(generations::token_id.eq_any(chunk.iter().map(|token| &token.id)))
            .filter(generations::ends_at.is_null())
            .select((generations::token_id, generations::created_at));
        since.extend(current.load::<(TokenId, Stamp)>(conn)?);
    }
    Ok(since)
}
