//! Regenerating: a new value for the same token. The former one dies at once, or at the end of a grace period.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::descent::Bounds;
use super::edit::{is_later, must_extend};
use super::{Generation, NewToken, Token, changeable, facts, renewable, values_of};
use crate::actor::Actor;
use crate::audit::{self, Subject};
use crate::error::{Error, OrMissing, Problem, Result};
use crate::policy::Policy;
use crate::schema::{generations, tokens};
use crate::secret::Secret;
use crate::tx::{Change, Tx};
use crate::types::{Stamp, TokenId};
use crate::when::{self, Zone};

/// For how long the former value is wished to live on, as a form says it: `grace`, and `previous_expires_at` for `custom`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grace<'a> {
    None,
    Hours(u32),
    Until(&'a str),
    /// As programs say it.
    Seconds(u32),
    At(Stamp),
}

impl<'a> Grace<'a> {
    pub fn typed(grace: &str, previous_expires_at: &'a str) -> Result<Grace<'a>, String> {
        match grace.trim() {
            "0" | "0h" => Ok(Grace::None),
            "custom" => Ok(Grace::Until(previous_expires_at)),
            hours => match hours.strip_suffix('h').unwrap_or(hours).parse() {
                Ok(hours) => Ok(Grace::Hours(hours)),
                Err(_) => {
                    Err("Choose when the old value stops: now, after 24 or 72 hours, or at a moment of your own."
                        .into())
                }
            },
        }
    }
}

/// A checked wish for a new value: what the confirmation keeps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Renewal {
    pub id: TokenId,
    /// The version that was on the page.
    pub seen: i64,
    /// When the former value stops; `None` is at once.
    pub previous_ends_at: Option<Stamp>,
    /// The token's expiry from then on.
    pub expires_at: Option<Stamp>,
}

/// What a token says to regenerating it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Situation {
    pub expired: bool,
    /// When a former value stops that still lives.
    pub in_grace_until: Option<Stamp>,
}

impl Situation {
    pub fn of(token: &Token, values: &[Generation], now: Stamp) -> Situation {
        Situation {
            expired: token.expires_at.is_some_and(|end| end <= now),
            in_grace_until: values.iter().filter_map(|value| value.ends_at).filter(|end| now < *end).max(),
        }
    }

    /// Whether the former value may be kept at all.
    fn may_keep(self) -> Result<(), &'static str> {
        if self.expired {
            return Err("The old value has expired, so it cannot be kept. Stop it now.");
        }
        if self.in_grace_until.is_some() {
            return Err("An older value is still in its grace period. End that first, or stop all old values now.");
        }
        Ok(())
    }
}

/// The instant at which the former value stops, within the policy and the token's own life; problems are at their fields.
pub fn check_grace(
    grace: Grace<'_>,
    situation: Situation,
    expires_at: Option<Stamp>,
    policy: &Policy,
    now: Stamp,
    zone: Zone,
) -> Result<Option<Stamp>, Problem> {
    let wrong = |field, sentence: String| Problem { field, sentence };
    let end = match grace {
        Grace::None | Grace::Hours(0) | Grace::Seconds(0) => return Ok(None),
        Grace::Seconds(seconds) => now.plus(chrono::TimeDelta::seconds(seconds.into())),
        Grace::At(end) => end,
        Grace::Hours(hours) => now.plus(chrono::TimeDelta::hours(hours.into())),
        Grace::Until(typed) => {
            when::parse_moment(typed, zone).map_err(|problem| wrong("previous_expires_at", problem.to_string()))?.into()
        }
    };
    let field = if matches!(grace, Grace::Until(_) | Grace::At(_)) { "previous_expires_at" } else { "grace" };
    situation.may_keep().map_err(|sentence| wrong("grace", sentence.into()))?;
    if end <= now {
        return Err(wrong(field, "That moment has passed. Choose a later one, or stop the old value now.".into()));
    }
    if end > now.plus(policy.grace()) {
        return Err(wrong(field, too_long(policy)));
    }
    Ok(Some(expires_at.map_or(end, |last| last.min(end))))
}

/// Makes the new value; the answer is the only place where it ever is. At most two values live: whatever is older than the
/// one before ends now.
pub fn regenerate(tx: &mut Tx<'_>, actor: &Actor, wish: &Renewal, prefix: &str) -> Result<(Token, Secret)> {
    let version = tx.version()?;
    let mut token = renewable(tx.conn, actor, &wish.id)?;
    if token.version != wish.seen {
        return Err(Error::Stale);
    }
    let bounds = Bounds::of(tx.conn, actor)?;
    bounds.must_reach(&token)?;
    bounds.must_hold(&NewToken { expires_at: wish.expires_at, ..token.settings() })?;
    let mut values = values_of(tx.conn, &token.id)?;
    let situation = Situation::of(&token, &values, tx.now);
    if wish.previous_ends_at.is_some() {
        situation.may_keep().map_err(|sentence| Error::invalid("grace", sentence))?;
    }
    if wish.expires_at.is_some_and(|end| end <= tx.now) {
        return Err(Error::invalid("expires_at", "This token has expired. Choose a new expiry."));
    }
    within_policy(tx, actor, &token, situation, wish)?;
    let former = values.iter().find(|value| value.ends_at.is_none()).map(|value| value.starts_with.clone());
    let end = wish.previous_ends_at.filter(|end| *end > tx.now).unwrap_or(tx.now);
    let (new, value) = renew(tx, &token.id, &mut values, end, prefix)?;
    let was = token.expires_at;
    (token.version, token.expires_at) = (version, wish.expires_at);
    diesel::update(tokens::table.find(&token.id))
        .set((tokens::version.eq(version), tokens::expires_at.eq(token.expires_at)))
        .execute(tx.conn)
        .or_missing()?;
    let mut detail = serde_json::json!({
        "starts_with": new.starts_with, "previous_starts_with": former, "previous_ends_at": end,
    });
    if was != token.expires_at {
        detail["before"] = serde_json::json!({ "expires_at": was });
        detail["after"] = serde_json::json!({ "expires_at": token.expires_at });
    }
    let subject = Subject::token(&token.id, &token.name);
    audit::record(tx, actor, "token.regenerate", subject, Some(&token.owner_id), detail)?;
    values.push(new);
    tx.changed(Change::Token(facts(&token, &values, tx.now)));
    Ok((token, value))
}

/// A new value, after which the present one ends at `end`; `values` is what the token had, newest first.
pub(super) fn renew(
    tx: &mut Tx<'_>,
    id: &TokenId,
    values: &mut [Generation],
    end: Stamp,
    prefix: &str,
) -> Result<(Generation, Secret)> {
    end_values(tx, values, end)?;
    let value = Secret::generate(prefix, tx.random)?;
    let new = Generation {
        token_id: id.clone(),
        number: values.first().map_or(1, |last| last.number + 1),
        digest: value.digest().hex(),
        starts_with: value.starts_with(),
        created_at: tx.now,
        ends_at: None,
        used_at: None,
    };
    diesel::insert_into(generations::table).values(&new).execute(tx.conn)?;
    Ok((new, value))
}

/// The policy of now, which may be another than when the form was filled in. An expired token begins anew, from now; one that
/// lives keeps its expiry, and has it moved away under the rules of an edit.
fn within_policy(tx: &mut Tx<'_>, actor: &Actor, token: &Token, situation: Situation, wish: &Renewal) -> Result<()> {
    if wish.previous_ends_at.is_some_and(|end| end > tx.now.plus(tx.policy.grace())) {
        return Err(Error::invalid("grace", too_long(tx.policy)));
    }
    if situation.expired {
        let owner = crate::account::by_id(tx.conn, &token.owner_id)?;
        return tx.policy.must_allow(owner.role, tx.now, wish.expires_at);
    }
    match is_later(wish.expires_at, token.expires_at) {
        true => must_extend(tx, actor, token, wish.expires_at),
        false => Ok(()),
    }
}

fn too_long(policy: &Policy) -> String {
    match policy.max_grace {
        0 => "The policy does not let an old value live on. Stop it now.".to_owned(),
        days => format!("The policy keeps an old value for up to {}. Choose an earlier moment.", when::span_of(days)),
    }
}

/// Ends the grace period of the token as it was at that version: the former value is dead when this is answered.
pub fn end_grace(tx: &mut Tx<'_>, actor: &Actor, id: &TokenId, seen: i64) -> Result<Token> {
    let version = tx.version()?;
    let mut token = changeable(tx.conn, actor, id)?;
    if token.version != seen {
        return Err(Error::Stale);
    }
    let mut values = values_of(tx.conn, id)?;
    let Some(until) = Situation::of(&token, &values, tx.now).in_grace_until else {
        return Err(Error::invalid("grace", "No old value is left to end: its grace period is over."));
    };
    let former = values.iter().find(|value| value.ends_at == Some(until)).map(|value| value.starts_with.clone());
    let now = tx.now;
    let (current, mut older): (Vec<_>, Vec<_>) = values.drain(..).partition(|value| value.ends_at.is_none());
    end_values(tx, &mut older, now)?;
    values.extend(current.into_iter().chain(older));
    token.version = version;
    diesel::update(tokens::table.find(id)).set(tokens::version.eq(version)).execute(tx.conn).or_missing()?;
    let detail = serde_json::json!({ "previous_starts_with": former, "was_to_end_at": until });
    let subject = Subject::token(id, &token.name);
    audit::record(tx, actor, "token.end_grace", subject, Some(&token.owner_id), detail)?;
    tx.changed(Change::Token(facts(&token, &values, tx.now)));
    Ok(token)
}

/// The current value ends at `end`, and all that live longer than now beside it end now.
fn end_values(tx: &mut Tx<'_>, values: &mut [Generation], end: Stamp) -> Result<()> {
    for value in values.iter_mut() {
        let ends = match value.ends_at {
            None => end,
            Some(former) if former > tx.now => tx.now,
            Some(_) => continue,
        };
        value.ends_at = Some(ends);
        let row = generations::table.find((&value.token_id, value.number));
        diesel::update(row).set(generations::ends_at.eq(ends)).execute(tx.conn).or_missing()?;
    }
    Ok(())
}
