//! Sessions: a person signed in at one browser. The row is what counts; the browser holds a key whose digest finds it.

pub mod everywhere;

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::account::{self, Account};
use crate::actor::{Actor, Origin, Via};
use crate::app::App;
use crate::audit::{self, Subject};
use crate::db::{Conn, MultiBackend};
use crate::error::{Error, OrMissing, Result};
use crate::password::Password;
use crate::policy::Policy;
use crate::schema::{accounts, sessions};
use crate::secret::Digest;
use crate::tx::Tx;
use crate::types::{AccountId, Role, SessionId, Stamp};
use crate::when::Zone;

/// `seen_at` is written at most this often.
const SEEN_EVERY: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = sessions)]
#[diesel(check_for_backend(MultiBackend))]
pub struct Session {
    pub id: SessionId,
    /// Of the key in the cookie; `None` until the cookie is made.
    pub digest: Option<String>,
    pub account_id: AccountId,
    pub created_at: Stamp,
    pub seen_at: Stamp,
    pub ip: String,
    pub agent: String,
}

/// Which of one's sessions are to end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Which {
    These(Vec<SessionId>),
    /// Every one but the present.
    Others,
}

/// Signs in: checks the password, makes the row.
pub async fn sign_in(
    app: &Arc<App>,
    email: &str,
    password: Password,
    zone: Option<Zone>,
    origin: Origin,
) -> Result<Session> {
    let account = prove(app, email, password, &origin).await?;
    app.write(move |tx| {
        account::guess_zone(tx, &account, zone)?;
        start(tx, &account, origin)
    })
    .await
}

/// The account that a password is right for; a wrong one is told to its owner.
pub async fn prove(app: &Arc<App>, email: &str, password: Password, origin: &Origin) -> Result<Account> {
    let checked = account::check_password(app, email, password).await;
    if let Err(Error::Unconfirmed { .. }) = &checked {
        let (email, origin) = (email.to_owned(), origin.clone());
        app.write(move |tx| refused(tx, &email, origin)).await?;
    }
    checked
}

/// Makes a session for an account that has just proved itself; the former one of that browser is ended by its cookie.
pub fn start(tx: &mut Tx<'_>, account: &Account, origin: Origin) -> Result<Session> {
    // Between the proof and this transaction the account may have been disabled or given another password.
    tx.version()?;
    let now = account::by_id(tx.conn, &account.id)?;
    if !now.enabled || now.password != account.password {
        return Err(Error::SignedOut);
    }
    let session = Session {
        id: tx.id()?,
        digest: None,
        account_id: account.id.clone(),
        created_at: tx.now,
        seen_at: tx.now,
        ip: origin.ip.clone(),
        agent: origin.agent.chars().take(300).collect(),
    };
    diesel::insert_into(sessions::table).values(&session).execute(tx.conn)?;
    let actor = actor(account, &session.id, origin);
    let subject = Subject::session(&session.id);
    audit::record(tx, &actor, "session.sign_in", subject, Some(&account.id), serde_json::json!({}))?;
    Ok(session)
}

/// A wrong password is told to the account's owner. For an address without an account the same row is written with no
/// owner: the time that it takes must not tell the two apart.
fn refused(tx: &mut Tx<'_>, email: &str, origin: Origin) -> Result<()> {
    let account = account::by_email(tx.conn, email)?;
    let actor = Actor { account: None, name: "somebody".into(), via: Via::SignIn, origin, role: Role::Viewer };
    let nobody = AccountId::from("-");
    let (id, name) = account.as_ref().map_or((&nobody, "unknown"), |account| (&account.id, account.name.as_str()));
    let owner = account.as_ref().map(|account| &account.id);
    audit::record(tx, &actor, "session.refuse", Subject::account(id, name), owner, serde_json::json!({}))
}

pub fn actor(account: &Account, session: &SessionId, origin: Origin) -> Actor {
    Actor {
        account: Some(account.id.clone()),
        name: account.name.clone(),
        role: account.role,
        via: Via::Session(session.clone()),
        origin,
    }
}

/// Gives the row the digest of the key that its cookie carries from now on.
pub fn bind(tx: &mut Tx<'_>, id: &SessionId, key: Digest) -> Result<()> {
    diesel::update(sessions::table.find(id)).set(sessions::digest.eq(key.hex())).execute(tx.conn).or_missing()
}

/// The living session of a key, with its account. A disabled account has none.
pub fn find(conn: &mut Conn, key: Digest, now: Stamp, policy: &Policy) -> Result<Option<Session>> {
    let row = sessions::table
        .inner_join(accounts::table)
        .filter(sessions::digest.eq(key.hex()))
        .filter(sessions::seen_at.gt(now.minus(policy.idle())))
        .filter(sessions::created_at.gt(now.minus(policy.lifetime())))
        .filter(accounts::enabled.eq(true))
        .select(Session::as_select())
        .first(conn);
    Ok(row.optional()?)
}

/// The account that a living session belongs to.
pub fn account_of(conn: &mut Conn, id: &SessionId) -> Result<Option<Account>> {
    let row =
        sessions::table.inner_join(accounts::table).filter(sessions::id.eq(id)).filter(accounts::enabled.eq(true));
    Ok(row.select(Account::as_select()).first(conn).optional()?)
}

/// Whether the session's last use is old enough to be written again.
pub fn is_stale(session: &Session, now: Stamp) -> bool {
    now > session.seen_at.plus(SEEN_EVERY)
}

pub fn touch(tx: &mut Tx<'_>, id: &SessionId) -> Result<()> {
    diesel::update(sessions::table.find(id)).set(sessions::seen_at.eq(tx.now)).execute(tx.conn)?;
    Ok(())
}

/// Ends the session of a key: signing out, or a new key for the same browser.
pub fn end(tx: &mut Tx<'_>, key: Digest) -> Result<()> {
    diesel::delete(sessions::table.filter(sessions::digest.eq(key.hex()))).execute(tx.conn)?;
    Ok(())
}

/// Signs out, by the person's own wish.
pub fn sign_out(tx: &mut Tx<'_>, actor: &Actor, id: &SessionId) -> Result<()> {
    diesel::delete(sessions::table.find(id)).execute(tx.conn)?;
    audit::record(tx, actor, "session.sign_out", Subject::session(id), actor.account.as_ref(), serde_json::json!({}))
}

/// The living sessions of an account, the present one first, then those seen last.
pub fn living(
    conn: &mut Conn,
    account: &AccountId,
    present: &SessionId,
    now: Stamp,
    policy: &Policy,
) -> Result<Vec<Session>> {
    let rows = sessions::table
        .filter(sessions::account_id.eq(account))
        .filter(sessions::seen_at.gt(now.minus(policy.idle())))
        .filter(sessions::created_at.gt(now.minus(policy.lifetime())))
        .order((sessions::id.eq(present).desc(), sessions::seen_at.desc(), sessions::id.desc()));
    Ok(rows.select(Session::as_select()).load(conn)?)
}

/// When accounts were last seen in a session that still has a row.
pub fn last_seen(conn: &mut Conn, accounts: &[AccountId]) -> Result<BTreeMap<AccountId, Stamp>> {
    let seen = sessions::table
        .filter(sessions::account_id.eq_any(accounts))
        .group_by(sessions::account_id)
        .select((sessions::account_id, diesel::dsl::max(sessions::seen_at)));
    let seen: Vec<(AccountId, Option<Stamp>)> = seen.load(conn)?;
    Ok(seen.into_iter().filter_map(|(account, at)| Some((account, at?))).collect())
}

/// Rows that no request can use any more.
pub fn prune(tx: &mut Tx<'_>) -> Result<usize> {
    let (idle, lifetime) = (tx.now.minus(tx.policy.idle()), tx.now.minus(tx.policy.lifetime()));
    let ended = sessions::table.filter(sessions::seen_at.le(idle).or(sessions::created_at.le(lifetime)));
    Ok(diesel::delete(ended).execute(tx.conn)?)
}
