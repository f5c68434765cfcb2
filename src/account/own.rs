//! What people change of their own account: name, time zone, date style, and the password.

use diesel::prelude::*;

use super::{Account, by_id, check_name, list};
use crate::actor::Actor;
use crate::audit::{self, Subject};
use crate::error::{Error, OrMissing, Problem, Result};
use crate::schema::{accounts, sessions};
use crate::token;
use crate::tx::Tx;
use crate::types::SessionId;
use crate::when::{DateStyle, Zone};

/// A profile as typed.
#[derive(Clone, Debug)]
pub struct ProfileDraft {
    pub name: String,
    pub time_zone: String,
    pub date_style: String,
}

impl ProfileDraft {
    /// All problems at once.
    fn check(&self) -> Result<(String, Zone, DateStyle)> {
        let zone = self.time_zone.parse::<Zone>().map_err(|problem| problem.to_string());
        let style = self.date_style.parse::<DateStyle>().map_err(|problem| problem.to_string());
        match (check_name(&self.name), zone, style) {
            (Ok(name), Ok(zone), Ok(style)) => Ok((name, zone, style)),
            (name, zone, style) => {
                let problems = [("name", name.err()), ("time_zone", zone.err()), ("date_style", style.err())];
                let problems =
                    problems.into_iter().filter_map(|(field, sentence)| Some(Problem { field, sentence: sentence? }));
                Err(Error::Invalid(problems.collect()))
            }
        }
    }
}

/// It changes no right, so nobody is asked for a password. What is saved unchanged leaves no event.
pub fn edit_profile(tx: &mut Tx<'_>, actor: &Actor, draft: &ProfileDraft) -> Result<Account> {
    let (name, zone, style) = draft.check()?;
    let before = own(tx, actor)?;
    let mut account = before.clone();
    account.name = name;
    account = account.folded();
    account.time_zone = zone.name().to_owned();
    account.date_style = style.as_str().to_owned();
    if shown(&account) == shown(&before) {
        return Ok(before);
    }
    account.version = tx.version()?;
    diesel::update(accounts::table.find(&account.id))
        .set((
            accounts::name.eq(&account.name),
            accounts::name_key.eq(&account.name_key),
            accounts::folded.eq(&account.folded),
            accounts::time_zone.eq(&account.time_zone),
            accounts::date_style.eq(&account.date_style),
            accounts::version.eq(account.version),
        ))
        .execute(tx.conn)
        .or_missing()?;
    list::put_words(tx, &account)?;
    let detail = serde_json::json!({ "before": shown(&before), "after": shown(&account) });
    let subject = Subject::account(&account.id, &account.name);
    audit::record(tx, actor, "account.edit", subject, Some(&account.id), detail)?;
    account.learn(tx)?;
    Ok(account)
}

/// What the profile holds, as the audit log shows it.
fn shown(account: &Account) -> serde_json::Value {
    serde_json::json!({ "name": account.name, "time_zone": account.time_zone, "date_style": account.date_style })
}

/// Ends every other session of the account; the answer is how many those were. The present one stays, and no key leads to
/// it until its cookie is made anew. `checked` is the account as it was when its password was found right.
pub fn change_password(
    tx: &mut Tx<'_>,
    actor: &Actor,
    present: &SessionId,
    checked: &Account,
    phc: &str,
) -> Result<usize> {
    let account = own(tx, actor)?;
    if account.password != checked.password {
        return Err(Error::Unconfirmed { sentence: "That password is not right any more.".into() });
    }
    let sessions_of = || sessions::table.filter(sessions::account_id.eq(&account.id));
    let kept = diesel::update(sessions_of().filter(sessions::id.eq(present)))
        .set(sessions::digest.eq(None::<String>))
        .execute(tx.conn)?;
    if kept == 0 {
        // Somebody ended it while the passwords were hashed: whoever sits there is not to have the last word.
        return Err(Error::SignedOut);
    }
    let ended = diesel::delete(sessions_of().filter(sessions::id.ne(present))).execute(tx.conn)?;
    let ended = ended + token::session::end_all(tx, &account.id)?;
    diesel::update(accounts::table.find(&account.id)).set(accounts::password.eq(phc)).execute(tx.conn).or_missing()?;
    let subject = Subject::account(&account.id, &account.name);
    let detail = serde_json::json!({ "sessions_ended": ended });
    audit::record(tx, actor, "account.password", subject, Some(&account.id), detail)?;
    Ok(ended)
}

/// The actor's account as it is now, under the lock of this change.
fn own(tx: &mut Tx<'_>, actor: &Actor) -> Result<Account> {
    tx.version()?;
    let id = actor.account.as_ref().ok_or(Error::SignedOut)?;
    let account = by_id(tx.conn, id)?;
    if account.enabled { Ok(account) } else { Err(Error::SignedOut) }
}
