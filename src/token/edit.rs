//! Editing a token: everything but its id, owner and values. What was narrowed holds from the answer on; what was widened is an
//! event of its own.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::descent::Bounds;
use super::draft::{ADMINS_EXTEND, EXPIRED};
use super::{NAME_TAKEN, NewToken, Standing, Token, changeable, facts, fold, must_reach, values_of};
use crate::account;
use crate::actor::Actor;
use crate::audit::{self, Subject};
use crate::catalogue::Catalogue;
use crate::error::{Error, OrMissing, OrTaken, Result};
use crate::schema::tokens;
use crate::tx::{Change, Tx};
use crate::types::{Stamp, TokenId};

/// A checked edit: what the confirmation keeps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Edit {
    pub id: TokenId,
    /// The version that was on the page: an edit of something that changed meanwhile is not made.
    pub seen: i64,
    pub to: NewToken,
}

/// What an edit changes: JSON by field name, as it was and as it is to be. Empty where nothing changes.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Difference {
    pub before: Map<String, Value>,
    pub after: Map<String, Value>,
}

impl Difference {
    pub fn between(before: &Token, after: &Token) -> Difference {
        let mut difference = Difference::default();
        let mut put = |field: &str, was: Value, is: Value| {
            if was != is {
                difference.before.insert(field.into(), was);
                difference.after.insert(field.into(), is);
            }
        };
        macro_rules! compare {
            ($($field:ident),*; $($list:ident),*) => {
                $(put(stringify!($field), serde_json::json!(before.$field), serde_json::json!(after.$field));)*
                $(if !before.$list.is_same_set(&after.$list) {
                    put(stringify!($list), serde_json::json!(before.$list), serde_json::json!(after.$list));
                })*
            };
        }
        compare!(name, description, expires_at, access_set, rate_per_minute, enabled; scopes, allow, ip_allow);
        difference
    }

    pub fn is_empty(&self) -> bool {
        self.after.is_empty()
    }
}

impl Edit {
    /// The token as it would be.
    pub fn applied(&self, token: &Token) -> Token {
        let to = self.to.clone();
        Token {
            name_key: to.name.to_lowercase(),
            folded: fold(&to.name, &to.description),
            name: to.name,
            description: to.description,
            expires_at: to.expires_at,
            access_set: to.access_set,
            scopes: to.scopes,
            allow: to.allow,
            ip_allow: to.ip_allow,
            rate_per_minute: to.rate_per_minute.map(i64::from),
            enabled: to.enabled,
            ..token.clone()
        }
    }
}

/// Makes the edit, unless somebody else was faster.
pub fn edit(tx: &mut Tx<'_>, actor: &Actor, catalogue: &Catalogue, edit: &Edit) -> Result<Token> {
    let version = tx.version()?;
    let before = changeable(tx.conn, actor, &edit.id)?;
    must_reach(actor, &account::by_id(tx.conn, &before.owner_id)?)?;
    if before.version != edit.seen {
        return Err(Error::Stale);
    }
    let mut after = edit.applied(&before);
    let bounds = Bounds::of(tx.conn, actor)?;
    bounds.must_reach(&before)?;
    bounds.must_hold(&after.settings())?;
    let difference = Difference::between(&before, &after);
    if difference.is_empty() {
        return Ok(before);
    }
    let is_past = |end: Option<Stamp>| end.is_some_and(|end| end <= tx.now);
    if after.expires_at != before.expires_at && is_past(before.expires_at) {
        return Err(Error::invalid("expires_at", EXPIRED));
    }
    if after.expires_at != before.expires_at && is_past(after.expires_at) {
        return Err(Error::invalid("expires_at", "That moment has passed meanwhile. Choose a later day."));
    }
    if after.expires_at != before.expires_at && is_later(after.expires_at, before.expires_at) {
        must_extend(tx, actor, &before, after.expires_at)?;
    }
    after.version = version;
    diesel::update(tokens::table.find(&after.id))
        .set((
            (
                tokens::name.eq(&after.name),
                tokens::name_key.eq(&after.name_key),
                tokens::description.eq(&after.description),
                tokens::folded.eq(&after.folded),
                tokens::expires_at.eq(after.expires_at),
                tokens::enabled.eq(after.enabled),
            ),
            (
                tokens::access_set.eq(&after.access_set),
                tokens::scopes.eq(&after.scopes),
                tokens::allow.eq(&after.allow),
                tokens::ip_allow.eq(&after.ip_allow),
                tokens::rate_per_minute.eq(after.rate_per_minute),
                tokens::version.eq(after.version),
            ),
        ))
        .execute(tx.conn)
        .or_taken("name", NAME_TAKEN)
        .and_then(|changed| Ok(changed).or_missing())?;
    let detail = serde_json::to_value(&difference).map_err(Error::internal)?;
    let subject = || Subject::token(&after.id, &after.name);
    audit::record(tx, actor, "token.edit", subject(), Some(&after.owner_id), detail)?;
    let added = added(catalogue, &before, &after);
    if !added.is_empty() {
        let detail = serde_json::json!({ "added": added });
        audit::record(tx, actor, "token.widen", subject(), Some(&after.owner_id), detail)?;
    }
    let values = values_of(tx.conn, &after.id)?;
    tx.changed(Change::Token(facts(&after, &values, tx.now)));
    Ok(after)
}

/// No expiry is the latest of all.
pub(super) fn is_later(end: Option<Stamp>, than: Option<Stamp>) -> bool {
    than.is_some_and(|than| end.is_none_or(|end| end > than))
}

/// Refuses to move an expiry further away where the policy of now does not let the actor, or not as far.
pub(super) fn must_extend(tx: &mut Tx<'_>, actor: &Actor, token: &Token, end: Option<Stamp>) -> Result<()> {
    if !Standing::of(token, actor, tx.policy).may_extend {
        return Err(Error::invalid("expires_at", ADMINS_EXTEND));
    }
    let owner = crate::account::by_id(tx.conn, &token.owner_id)?;
    let current = values_of(tx.conn, &token.id)?.into_iter().find(|value| value.ends_at.is_none());
    tx.policy.must_allow(owner.role, current.map_or(token.created_at, |value| value.created_at), end)
}

/// The scopes that an edit adds: methods that the token may use from now on, and wildcards that will take in more later.
pub fn added(catalogue: &Catalogue, before: &Token, after: &Token) -> Vec<String> {
    let gained = catalogue.gained(&before.scopes, &after.scopes, !after.allow.is_empty());
    let methods = gained.iter().map(|(api, method)| format!("{}/{}", api.slug, method.short()));
    let wildcards =
        after.scopes.iter().filter(|scope| scope.ends_with('*') && !before.scopes.iter().any(|had| had == *scope));
    methods.chain(wildcards.map(str::to_owned)).collect()
}
