//! Confirmations: a filled form that waits for its password, bound to one session and one action, used once, for ten minutes.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use crate::db::Conn;
use crate::error::{Error, OrMissing, Replay, Result};
use crate::policy::{Confirm, Policy};
use crate::schema::{confirmations, sessions};
use crate::secret::{Digest, Secret};
use crate::tx::Tx;
use crate::types::{AccountId, SessionId, Stamp};

/// How long a person may take for the password.
const LIFE: TimeDelta = TimeDelta::minutes(10);
/// How long a used one is remembered, so that a replay is told apart from an unknown one; and how long the form itself can be
/// gone back to, whose session may have ended meanwhile.
const MEMORY: TimeDelta = TimeDelta::hours(24);
/// Characters of the largest form that is kept beyond its time: descriptions of whole APIs are not.
const KEPT_LARGEST: i32 = 256 * 1024;

diesel::define_sql_function!(fn length(text: diesel::sql_types::Text) -> diesel::sql_types::Integer);

/// What is to be confirmed: a confirmation of one action is none for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    GenerateToken,
    EditToken,
    RegenerateToken,
    EndGrace,
    DisableTokens,
    EnableTokens,
    RemoveTokens,
    ChangeAllTokens,
    EndSessions,
    ChangeAccount,
    InviteAccount,
    LinkAccount,
    LeaveAccount,
    ImportApi,
    EditApi,
    RemoveApi,
    SaveAccessSet,
    RemoveAccessSet,
    MakeTeam,
    EditTeam,
    ChangeMembers,
    RemoveTeam,
    MakeServiceAccount,
    EditServiceAccount,
    GiveServiceAccount,
    DisableServiceAccount,
    EnableServiceAccount,
    RemoveServiceAccount,
    SavePolicy,
}

impl Action {
    /// As it is kept, and as the log names it.
    pub fn word(self) -> &'static str {
        match self {
            Action::GenerateToken => "token.generate",
            Action::EditToken => "token.edit",
            Action::RegenerateToken => "token.regenerate",
            Action::EndGrace => "token.end_grace",
            Action::DisableTokens => "token.disable",
            Action::EnableTokens => "token.enable",
            Action::RemoveTokens => "token.remove",
            Action::ChangeAllTokens => "token.change_all",
            Action::EndSessions => "session.end",
            Action::ChangeAccount => "account.change",
            Action::InviteAccount => "account.invite",
            Action::LinkAccount => "account.link",
            Action::LeaveAccount => "account.leave",
            Action::ImportApi => "api.import",
            Action::EditApi => "api.edit",
            Action::RemoveApi => "api.remove",
            Action::SaveAccessSet => "access_set.save",
            Action::RemoveAccessSet => "access_set.remove",
            Action::MakeTeam => "team.make",
            Action::EditTeam => "team.edit",
            Action::ChangeMembers => "team.members",
            Action::RemoveTeam => "team.remove",
            Action::MakeServiceAccount => "service_account.make",
            Action::EditServiceAccount => "service_account.edit",
            Action::GiveServiceAccount => "service_account.give",
            Action::DisableServiceAccount => "service_account.disable",
            Action::EnableServiceAccount => "service_account.enable",
            Action::RemoveServiceAccount => "service_account.remove",
            Action::SavePolicy => "policy.edit",
        }
    }

    /// Whether a password given not long ago may be enough. What decides who may do what (policy, roles, passwords) always asks,
    /// and so does whatever is not named here.
    fn may_go_by_window(self) -> bool {
        matches!(
            self,
            Action::GenerateToken
                | Action::EditToken
                | Action::RegenerateToken
                | Action::EndGrace
                | Action::DisableTokens
                | Action::EnableTokens
                | Action::RemoveTokens
                | Action::EndSessions
                | Action::ImportApi
                | Action::EditApi
                | Action::RemoveApi
                | Action::SaveAccessSet
                | Action::RemoveAccessSet
        )
    }
}

/// The row that remembers a given password: a confirmation of nothing else.
const PASSWORD: &str = "password";

/// Whether a change asks for the password now: the policy says always, or none was given in that session within its window.
/// Signing in gives one.
pub fn asks_password(
    conn: &mut Conn,
    now: Stamp,
    policy: &Policy,
    session: &SessionId,
    action: Action,
) -> Result<bool> {
    let Confirm::Within(minutes) = policy.confirm else { return Ok(true) };
    if !action.may_go_by_window() {
        return Ok(true);
    }
    let since = now.minus(TimeDelta::minutes(minutes.into()));
    let signed_in = sessions::table.find(session).filter(sessions::created_at.gt(since));
    let given = confirmations::table
        .filter(confirmations::session_id.eq(session).and(confirmations::action.eq(PASSWORD)))
        .filter(confirmations::created_at.gt(since));
    let fresh =
        diesel::select(diesel::dsl::exists(signed_in).or(diesel::dsl::exists(given))).get_result::<bool>(conn)?;
    Ok(!fresh)
}

/// Remembers that the right password was given in that session now, where the policy has a use for it.
pub fn note_password(tx: &mut Tx<'_>, account: &AccountId, session: &SessionId) -> Result<()> {
    if tx.policy.confirm == Confirm::Always {
        return Ok(());
    }
    let row = (
        confirmations::digest.eq(Digest::of(&tx.random.base62(32)?).hex()),
        confirmations::account_id.eq(account),
        confirmations::session_id.eq(session),
        confirmations::action.eq(PASSWORD),
        confirmations::payload.eq(""),
        confirmations::created_at.eq(tx.now),
        confirmations::used_at.eq(Some(tx.now)),
    );
    diesel::insert_into(confirmations::table).values(row).execute(tx.conn)?;
    Ok(())
}

/// Keeps the filled form; the answer is the key that the confirm page carries.
pub fn propose<T: Serialize>(
    tx: &mut Tx<'_>,
    account: &AccountId,
    session: &SessionId,
    action: Action,
    payload: &T,
) -> Result<Secret> {
    let key = Secret::new(tx.random.base62(32)?.to_string());
    diesel::insert_into(confirmations::table)
        .values((
            confirmations::digest.eq(key.digest().hex()),
            confirmations::account_id.eq(account),
            confirmations::session_id.eq(session),
            confirmations::action.eq(action.word()),
            confirmations::payload.eq(serde_json::to_string(payload).map_err(Error::internal)?),
            confirmations::created_at.eq(tx.now),
        ))
        .execute(tx.conn)?;
    Ok(key)
}

/// Looks at what waits, for showing it again beside a wrong password.
pub fn look<T: DeserializeOwned>(
    conn: &mut Conn,
    now: Stamp,
    session: &SessionId,
    action: Action,
    key: &str,
) -> Result<T> {
    let row: Option<(String, Stamp, Option<Stamp>)> = confirmations::table
        .find(Digest::of(key).hex())
        .filter(confirmations::session_id.eq(session).and(confirmations::action.eq(action.word())))
        .select((confirmations::payload, confirmations::created_at, confirmations::used_at))
        .first(conn)
        .optional()?;
    match row {
        Some((_, _, Some(_))) => Err(Error::Replayed(Replay::Used)),
        Some((payload, created_at, None)) if now < created_at.plus(LIFE) => {
            serde_json::from_str(&payload).map_err(Error::internal)
        }
        _ => Err(Error::Replayed(Replay::TooOld)),
    }
}

/// Looks at what waits, for filling the form again: for the same account from whichever session, and longer than it could be
/// confirmed. It gives no right to anything.
pub fn look_back<T: DeserializeOwned>(
    conn: &mut Conn,
    now: Stamp,
    account: &AccountId,
    action: Action,
    key: &str,
) -> Result<T> {
    let row: Option<(String, Option<Stamp>)> = confirmations::table
        .find(Digest::of(key).hex())
        .filter(confirmations::account_id.eq(account).and(confirmations::action.eq(action.word())))
        .filter(confirmations::created_at.gt(now.minus(MEMORY)))
        .select((confirmations::payload, confirmations::used_at))
        .first(conn)
        .optional()?;
    match row {
        Some((_, Some(_))) => Err(Error::Replayed(Replay::Used)),
        Some((payload, None)) => serde_json::from_str(&payload).map_err(Error::internal),
        None => Err(Error::Replayed(Replay::TooOld)),
    }
}

/// Takes it for good, in the transaction of the change itself: two posts of one confirmation make one change.
pub fn take<T: DeserializeOwned>(tx: &mut Tx<'_>, session: &SessionId, action: Action, key: &str) -> Result<T> {
    let digest = Digest::of(key).hex();
    let free = confirmations::table
        .find(&digest)
        .filter(confirmations::used_at.is_null())
        .filter(confirmations::session_id.eq(session).and(confirmations::action.eq(action.word())));
    let taken = diesel::update(free).set(confirmations::used_at.eq(tx.now)).execute(tx.conn)?;
    if taken == 0 {
        // Says which of the reasons it was.
        return look::<T>(tx.conn, tx.now, session, action, key).and(Err(Error::Replayed(Replay::TooOld)));
    }
    let (payload, created_at): (String, Stamp) = confirmations::table
        .find(&digest)
        .select((confirmations::payload, confirmations::created_at))
        .first(tx.conn)?;
    if tx.now >= created_at.plus(LIFE) {
        return Err(Error::Replayed(Replay::TooOld));
    }
    // What was confirmed is in the audit log now; the form need not stay.
    diesel::update(confirmations::table.find(&digest)).set(confirmations::payload.eq("")).execute(tx.conn)?;
    serde_json::from_str(&payload).map_err(Error::internal)
}

/// Notes, in the transaction of the change, what a taken confirmation made: an id, for who confirms it once more.
pub fn note_outcome(tx: &mut Tx<'_>, key: &str, id: &str) -> Result<()> {
    let row = confirmations::table.find(Digest::of(key).hex()).filter(confirmations::used_at.is_not_null());
    diesel::update(row).set(confirmations::payload.eq(id)).execute(tx.conn).or_missing()
}

/// What a used confirmation of this session made.
pub fn outcome(conn: &mut Conn, session: &SessionId, action: Action, key: &str) -> Result<Option<String>> {
    let made: Option<String> = confirmations::table
        .find(Digest::of(key).hex())
        .filter(confirmations::session_id.eq(session).and(confirmations::action.eq(action.word())))
        .filter(confirmations::used_at.is_not_null())
        .select(confirmations::payload)
        .first(conn)
        .optional()?;
    Ok(made.filter(|id| !id.is_empty()))
}

/// Drops what is past use; a large form whose time has run out goes at once.
pub fn prune(tx: &mut Tx<'_>) -> Result<usize> {
    let large = confirmations::table
        .filter(confirmations::used_at.is_null())
        .filter(length(confirmations::payload).gt(KEPT_LARGEST));
    diesel::delete(large.filter(confirmations::created_at.lt(tx.now.minus(LIFE)))).execute(tx.conn)?;
    let old = confirmations::table.filter(confirmations::created_at.lt(tx.now.minus(MEMORY)));
    Ok(diesel::delete(old).execute(tx.conn)?)
}
