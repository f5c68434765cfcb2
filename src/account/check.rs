//! Passwords checked, whoever asks: one counter of wrong ones for each account.

use std::sync::Arc;

use diesel::prelude::*;

use super::{Account, by_email, by_id};
use crate::actor::Actor;
use crate::app::App;
use crate::audit::{self, Subject};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::guess::{Guess, Guesses, account_key};
use crate::password::{HashError, Password};
use crate::schema::{accounts, guesses};
use crate::tx::Tx;
use crate::types::Stamp;

/// Rows of the guessing counter that are kept at the most.
const MOST_GUESSES: i64 = 100_000;

/// Checks a password for an e-mail address, whoever asks and by whatever way: one counter for each account. The
/// failure is counted before the slow check and taken back after a right one, so that guesses at the same moment
/// cannot all see the same count. An address without an account costs the same time and gets the same answers.
pub async fn check_password(app: &Arc<App>, email: &str, password: Password) -> Result<Account> {
    // No account has a longer address, or one with control characters: a counter's row stays small and plain, whatever is typed.
    let key: String = account_key(email).chars().filter(|c| !c.is_control()).take(254).collect();
    let count_key = key.clone();
    let account = app
        .write(move |tx| {
            let wait = count_guess(tx, &count_key)?;
            Ok((wait, by_email(tx.conn, &count_key)?))
        })
        .await?;
    let account = match account {
        (Some(wait), _) => return Err(wait),
        (None, account) => account,
    };
    let known = account.as_ref().filter(|account| account.enabled).and_then(|account| account.password.clone());
    let again = password.again();
    let verdict = match app.hasher.verify(password, known).await {
        Ok(verdict) => verdict,
        Err(cause) => {
            app.write(move |tx| uncount_guess(tx, &key)).await?;
            return Err(hash_error(cause));
        }
    };
    match account {
        Some(account) if verdict.matches => {
            // Best effort: a right password is right, even when nobody has time to hash it anew.
            let stronger = match verdict.needs_rehash {
                true => app.hasher.hash(again).await.ok(),
                false => None,
            };
            app.write(move |tx| {
                forget_guesses(tx, &key)?;
                settle_password(tx, &account, stronger)
            })
            .await
        }
        _ => {
            let now = app.now();
            let failed = app.read(move |conn| guesses_of(conn, &key)).await?;
            Err(Error::Unconfirmed { sentence: failed.sentence(now.utc()) })
        }
    }
}

/// The account as it is now, if the password that was just checked is still its own: hashing takes its time, and the
/// account may have been disabled or given another password meanwhile.
fn settle_password(tx: &mut Tx<'_>, checked: &Account, stronger: Option<String>) -> Result<Account> {
    tx.version()?;
    let account = by_id(tx.conn, &checked.id)?;
    if !account.enabled || account.password != checked.password {
        return Err(Error::Unconfirmed { sentence: "That password is not right any more.".into() });
    }
    if let Some(phc) = stronger {
        diesel::update(accounts::table.find(&account.id)).set(accounts::password.eq(phc)).execute(tx.conn)?;
    }
    by_id(tx.conn, &checked.id)
}

/// A change that was not confirmed stands in the log too, with what it was (`token.remove`, `POST /api/v1/tokens`): somebody may
/// be at a keyboard that is not theirs.
pub fn record_refused_confirm(tx: &mut Tx<'_>, actor: &Actor, change: &str) -> Result<()> {
    let Some(id) = &actor.account else { return Ok(()) };
    let detail = serde_json::json!({ "change": change });
    audit::record(tx, actor, "confirm.refuse", Subject::account(id, &actor.name), Some(id), detail)
}

pub fn hash_error(cause: HashError) -> Error {
    match cause {
        HashError::Busy => Error::Busy("Too many passwords are being checked at this moment.".into()),
        other => Error::internal(other),
    }
}

/// How often a password was wrong for an address, by its key.
pub fn guesses_of(conn: &mut Conn, key: &str) -> Result<Guesses> {
    let row: Option<(i64, Stamp)> =
        guesses::table.find(key).select((guesses::failures, guesses::last_at)).first(conn).optional()?;
    Ok(row.map_or_else(Guesses::default, |(failures, last)| Guesses {
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        last_failure: Some(last.utc()),
    }))
}

/// Counts one failure more, or answers why there is no guess now.
fn count_guess(tx: &mut Tx<'_>, key: &str) -> Result<Option<Error>> {
    let now = tx.now.utc();
    // On PostgreSQL only this lock keeps two guesses from reading the same count.
    tx.version()?;
    let stored = guesses_of(tx.conn, key)?;
    let before = stored.settled(now);
    if before != stored && before.failures > 0 {
        // A clock that ran ahead left it in the future: stored, or that wait would begin anew at every look.
        put_guesses(tx, key, before)?;
    }
    let verdict = before.verdict(now);
    if verdict != Guess::Allowed {
        let sentence = verdict.sentence(now).unwrap_or_default();
        let seconds = verdict.retry_after(now).unwrap_or(1);
        return Ok(Some(Error::Wait { sentence, seconds }));
    }
    put_guesses(tx, key, before.after_failure(now))?;
    Ok(None)
}

fn uncount_guess(tx: &mut Tx<'_>, key: &str) -> Result<()> {
    let counted = guesses::table.find(key).filter(guesses::failures.gt(0));
    diesel::update(counted).set(guesses::failures.eq(guesses::failures - 1)).execute(tx.conn)?;
    Ok(())
}

fn put_guesses(tx: &mut Tx<'_>, key: &str, new: Guesses) -> Result<()> {
    let last = new.last_failure.map_or(tx.now, Stamp::from);
    let values = (guesses::failures.eq(i64::from(new.failures)), guesses::last_at.eq(last));
    let updated = diesel::update(guesses::table.find(key)).set(values).execute(tx.conn)?;
    if updated == 0 {
        diesel::insert_into(guesses::table)
            .values((
                guesses::account_key.eq(key),
                guesses::failures.eq(i64::from(new.failures)),
                guesses::last_at.eq(last),
            ))
            .execute(tx.conn)?;
    }
    Ok(())
}

/// After a right password, or by an administrator.
pub fn forget_guesses(tx: &mut Tx<'_>, key: &str) -> Result<()> {
    diesel::delete(guesses::table.find(key)).execute(tx.conn)?;
    Ok(())
}

/// Counts that no longer matter, a day after the last failure; and, should somebody type a million addresses, the oldest
/// above [`MOST_GUESSES`].
pub fn prune_guesses(tx: &mut Tx<'_>) -> Result<()> {
    let old = guesses::table.filter(guesses::last_at.lt(tx.now.minus(chrono::TimeDelta::days(1))));
    diesel::delete(old).execute(tx.conn)?;
    let newest = guesses::table.order(guesses::last_at.desc()).select(guesses::last_at);
    let first_over: Option<Stamp> = newest.offset(MOST_GUESSES).limit(1).first(tx.conn).optional()?;
    if let Some(limit) = first_over {
        // Never those of an account: typing a hundred thousand addresses must not wipe a victim's count.
        let of_accounts =
            accounts::table.filter(accounts::email_key.is_not_null()).select(accounts::email_key.assume_not_null());
        let over = guesses::table.filter(guesses::last_at.le(limit)).filter(guesses::account_key.ne_all(of_accounts));
        diesel::delete(over).execute(tx.conn)?;
    }
    Ok(())
}
