//! Handing a token over to another account: same id, name and history, fewer rights where the new owner's role reaches less far,
//! and always a new value, as somebody else may know the old one.

use diesel::prelude::*;

use super::regenerate::renew;
use super::{Token, check_free, count_of, facts, must_take_values, unremoved, values_of};
use crate::account::{self, Account};
use crate::actor::{Actor, Deed, wording};
use crate::audit::{self, Subject};
use crate::catalogue::Catalogue;
use crate::error::{Error, OrMissing, OrTaken, Result};
use crate::schema::tokens;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::tx::{Change, Tx};
use crate::types::{AccountKind, Lines, Role, TokenId, TokenKind};

const NAME_TAKEN: &str = "The new owner already has a token with this name.";

/// The scopes that are left under a role: methods that need more are taken out. A wildcard stays, as the role of the account is
/// looked at with every call.
pub fn cut(catalogue: &Catalogue, scopes: &Lines, role: Role) -> Lines {
    let reaches = |text: &&str| match Scope::parse(text) {
        Some(Scope::Method(api, service, name)) => {
            catalogue.method(api, service, name).is_none_or(|(_, method)| method.least_role <= role)
        }
        _ => true,
    };
    scopes.iter().filter(reaches).collect()
}

/// Gives the token to `to`, if it is still as it was at the version `seen`; the answer is the only place where its new value
/// ever is. The old values are dead when this is answered.
pub fn hand_over(
    tx: &mut Tx<'_>,
    actor: &Actor,
    catalogue: &Catalogue,
    (id, seen): (&TokenId, i64),
    to: &Account,
    prefix: &str,
) -> Result<(Token, Secret)> {
    let version = tx.version()?;
    let (before, from, relation) = unremoved(tx.conn, actor, id)?;
    actor.must_as(relation, Deed::ChangeTokens)?;
    let relation = account::relation(tx.conn, actor, to)?;
    must_take_values(actor, relation, to)?;
    if before.version != seen {
        return Err(Error::Stale);
    }
    must_have_room(tx, to, &before)?;
    let scopes = cut(catalogue, &before.scopes, to.role);
    if scopes.is_empty() && !before.scopes.is_empty() {
        let sentence =
            format!("{} could do nothing under the role {}. Choose otherwise.", before.name, wording(to.role));
        return Err(Error::Forbidden(sentence));
    }
    let is_whole = scopes == before.scopes;
    let token = Token {
        owner_id: to.id.clone(),
        kind: if to.kind == AccountKind::Service { TokenKind::Service } else { TokenKind::Personal },
        access_set: before.access_set.clone().filter(|_| is_whole),
        scopes,
        version,
        ..before.clone()
    };
    diesel::update(tokens::table.find(id))
        .set((
            tokens::owner_id.eq(&token.owner_id),
            tokens::kind.eq(token.kind),
            tokens::access_set.eq(&token.access_set),
            tokens::scopes.eq(&token.scopes),
            tokens::version.eq(version),
        ))
        .execute(tx.conn)
        .or_taken("name", NAME_TAKEN)
        .and_then(|changed| Ok(changed).or_missing())?;
    let mut values = values_of(tx.conn, id)?;
    let now = tx.now;
    let (new, value) = renew(tx, id, &mut values, now, prefix)?;
    let detail = serde_json::json!({
        "starts_with": new.starts_with,
        "before": { "owner": from.label(), "scopes": before.scopes },
        "after": { "owner": to.label(), "scopes": token.scopes },
    });
    // Both owners find it in their activity.
    for owner in [&from.id, &to.id] {
        audit::record(tx, actor, "token.hand_over", Subject::token(id, &token.name), Some(owner), detail.clone())?;
    }
    values.push(new);
    tx.changed(Change::Token(facts(&token, &values, tx.now)));
    Ok((token, value))
}

fn must_have_room(tx: &mut Tx<'_>, to: &Account, token: &Token) -> Result<()> {
    if !to.is_living() {
        return Err(Error::Forbidden(format!("{} is disabled. Its tokens would be refused.", to.name)));
    }
    let limit = tx.policy.tokens_per_account;
    if count_of(tx.conn, &to.id)? >= i64::from(limit) {
        return Err(Error::Forbidden(format!("{} has {limit} of {limit} tokens.", to.name)));
    }
    check_free(tx.conn, &to.id, &token.name, None).map_err(|_| Error::Forbidden(NAME_TAKEN.into()))
}
