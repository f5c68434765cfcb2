//! One-time links: an invited person sets their first password by one, somebody who forgot theirs a new one. Nothing is mailed;
//! who makes a link passes it on.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::person::{changeable, changeable_as, end_sessions_of, insert, must_be_unchanged};
use super::{Account, NewPerson, PersonDraft, by_id, forget_guesses};
use crate::actor::{Actor, Deed, Origin, Relation, Via};
use crate::audit::{self, Subject};
use crate::db::Conn;
use crate::error::{Error, OrMissing, Result};
use crate::schema::{accounts, invitations};
use crate::secret::{Digest, Secret};
use crate::tx::Tx;
use crate::types::{AccountId, AccountKind, Role, Stamp};
use crate::when::Zone;

/// For how long a link may be used.
pub const LINK_LIFE: TimeDelta = TimeDelta::days(7);

/// Adds a person without a password; the answer is the only place where the key of their link ever is.
pub fn invite(tx: &mut Tx<'_>, actor: &Actor, draft: &PersonDraft) -> Result<(Account, Secret)> {
    may_give(actor, draft.role)?;
    draft.check_person()?;
    let account = insert(tx, actor, NewPerson::invited(draft), "account.invite")?;
    let key = put_link(tx, actor, &account.id)?;
    Ok((account, key))
}

/// Whether the actor may make an account with that role, or give it.
pub fn may_give(actor: &Actor, role: Role) -> Result<()> {
    actor.must_see(Relation::OtherPerson, Deed::Administer)?;
    if role >= Role::Admin {
        actor.must(Deed::MakeAdmins)?;
    }
    actor.must_reach(role)
}

/// A new link in place of a former one: for somebody invited, or to set a new password. Until it is used the old password goes
/// on.
pub fn make_link(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId, seen: i64) -> Result<(Account, Secret)> {
    must_be_unchanged(tx, actor, id, seen)?;
    let account = changeable(tx, actor, id)?;
    check_link(tx.conn, actor, id)?;
    let what = if account.password.is_none() { "invitation" } else { "password" };
    let detail = serde_json::json!({ "link": what });
    audit::record(tx, actor, "account.invite", Subject::account(id, &account.name), Some(id), detail)?;
    let key = put_link(tx, actor, id)?;
    Ok((account, key))
}

/// Whether somebody's link makes sense: not one's own, and not that of a disabled account.
pub fn check_link(conn: &mut Conn, actor: &Actor, id: &AccountId) -> Result<Account> {
    let account = by_id(conn, id)?;
    changeable_as(actor, &account)?;
    if actor.is(id) {
        return Err(Error::Forbidden("Change your own password under Settings, Password.".into()));
    }
    match account.enabled {
        true => Ok(account),
        false => Err(Error::Forbidden("This account is disabled. Enable it first.".into())),
    }
}

fn put_link(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId) -> Result<Secret> {
    let key = Secret::new(tx.random.base62(32)?.to_string());
    diesel::delete(invitations::table.find(id)).execute(tx.conn)?;
    diesel::insert_into(invitations::table)
        .values((
            invitations::account_id.eq(id),
            invitations::digest.eq(key.digest().hex()),
            invitations::created_by.eq(actor.account.as_ref().map_or_else(|| actor.name.clone(), ToString::to_string)),
            invitations::created_at.eq(tx.now),
        ))
        .execute(tx.conn)?;
    Ok(key)
}

/// The account whose link that key is. One that is unknown, used, too old or of a disabled account is missing.
pub fn by_key(conn: &mut Conn, key: &str, now: Stamp) -> Result<Account> {
    let row = invitations::table
        .inner_join(accounts::table)
        .filter(invitations::digest.eq(Digest::of(key).hex()))
        .filter(invitations::created_at.gt(now.minus(LINK_LIFE)))
        .filter(accounts::enabled.eq(true).and(accounts::kind.eq(AccountKind::Person)));
    Ok(row.select(Account::as_select()).first(conn)?)
}

/// Uses the link up: sets the password, ends every session and forgets wrong guesses.
pub fn accept(tx: &mut Tx<'_>, key: &str, phc: String, zone: Option<Zone>, origin: Origin) -> Result<Account> {
    // Drawn first: of two who come with one key the second finds it used.
    let version = tx.version()?;
    let before = by_key(tx.conn, key, tx.now)?;
    diesel::delete(invitations::table.find(&before.id)).execute(tx.conn).or_missing()?;
    let time_zone = match zone.filter(|_| before.time_zone.is_empty()) {
        Some(zone) => zone.name().to_owned(),
        None => before.time_zone.clone(),
    };
    let account = Account { password: Some(phc), time_zone, version, ..before.clone() };
    diesel::update(accounts::table.find(&account.id))
        .set((
            accounts::password.eq(&account.password),
            accounts::time_zone.eq(&account.time_zone),
            accounts::version.eq(version),
        ))
        .execute(tx.conn)
        .or_missing()?;
    let ended = end_sessions_of(tx, &account.id)?;
    forget_guesses(tx, account.email_key.as_deref().unwrap_or_default())?;
    let actor = Actor {
        account: Some(account.id.clone()),
        name: account.name.clone(),
        role: account.role,
        via: Via::Invitation,
        origin,
    };
    let detail = serde_json::json!({ "first": before.password.is_none(), "sessions_ended": ended });
    let subject = Subject::account(&account.id, &account.name);
    audit::record(tx, &actor, "account.accept", subject, Some(&account.id), detail)?;
    account.learn(tx)?;
    Ok(account)
}

/// Until when the link of an account works or has worked; `None` where there is none.
pub fn link_until(conn: &mut Conn, id: &AccountId) -> Result<Option<Stamp>> {
    let made: Option<Stamp> = invitations::table.find(id).select(invitations::created_at).first(conn).optional()?;
    Ok(made.map(|at| at.plus(LINK_LIFE)))
}

/// The link of an account that is disabled or got its password otherwise is dead. The row of somebody invited stays: it says so.
pub(super) fn end_link(tx: &mut Tx<'_>, id: &AccountId) -> Result<()> {
    let long_ago = tx.now.minus(LINK_LIFE);
    let row = invitations::table.find(id).filter(invitations::created_at.gt(long_ago));
    diesel::update(row).set(invitations::created_at.eq(long_ago)).execute(tx.conn)?;
    Ok(())
}
