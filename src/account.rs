//! Accounts: people and service accounts, their roles and passwords, and the counter of wrong passwords.

mod own;

pub use own::{ProfileDraft, change_password, edit_profile};

use std::sync::Arc;

use diesel::prelude::*;
use validator::ValidateEmail;

use crate::actor::{Actor, Deed, Via};
use crate::app::App;
use crate::audit::{self, Subject};
use crate::db::{Conn, MultiBackend};
use crate::error::{Error, OrMissing, OrTaken, Problem, Result};
use crate::guess::{Guess, Guesses, account_key};
use crate::password::{self, HashError, Password};
use crate::schema::{accounts, guesses, sessions};
use crate::token;
use crate::tx::{AccountFacts, Change, Tx};
use crate::types::{AccountId, AccountKind, Role, Stamp, TeamId, is_unprintable};
use crate::when::{DateStyle, Zone};

/// Rows of the guessing counter that are kept at the most.
const MOST_GUESSES: i64 = 100_000;

#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = accounts)]
#[diesel(check_for_backend(MultiBackend))]
pub struct Account {
    pub id: AccountId,
    pub kind: AccountKind,
    pub name: String,
    /// As typed; people only.
    pub email: Option<String>,
    /// Folded, so that one address has one account whatever its spelling.
    pub email_key: Option<String>,
    /// PHC text of argon2id; people only.
    pub password: Option<String>,
    pub role: Role,
    pub owner_account_id: Option<AccountId>,
    pub owner_team_id: Option<TeamId>,
    pub enabled: bool,
    /// Empty until a browser has told it.
    pub time_zone: String,
    pub date_style: String,
    pub created_at: Stamp,
    pub version: i64,
}

impl Account {
    /// What other programs know the account by: a person's e-mail address, a service account's name.
    pub fn label(&self) -> &str {
        self.email.as_deref().unwrap_or(&self.name)
    }

    pub fn zone(&self) -> Zone {
        self.time_zone.parse().unwrap_or(Zone::UTC)
    }

    pub fn dates(&self) -> DateStyle {
        self.date_style.parse().unwrap_or_default()
    }

    fn facts(&self) -> AccountFacts {
        AccountFacts {
            id: self.id.clone(),
            version: self.version,
            kind: self.kind,
            label: self.label().to_owned(),
            role: self.role,
            enabled: self.enabled,
        }
    }
}

/// A person as typed in a form or at the command line, beside the password.
#[derive(Clone, Debug)]
pub struct PersonDraft {
    pub name: String,
    pub email: String,
    pub role: Role,
}

/// A checked person whose password is hashed already.
pub struct NewPerson {
    name: String,
    email: String,
    role: Role,
    phc: String,
    time_zone: String,
}

impl PersonDraft {
    /// All problems at once; `least` is the policy's `password_min`.
    pub fn check(&self, password: &Password, least: usize) -> Result<(), Error> {
        let mut problems = Vec::new();
        let name = self.name.trim();
        if let Err(sentence) = check_name(name) {
            problems.push(Problem { field: "name", sentence });
        }
        let email = self.email.trim();
        if !email.validate_email() || email.len() > 254 {
            let sentence = "This is not an e-mail address, such as maria@example.com.".to_owned();
            problems.push(Problem { field: "email", sentence });
        }
        if let Err(problem) = password::judge(password, least, &[email, name]) {
            problems.push(Problem { field: "password", sentence: problem.to_string() });
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
    }

    /// With the finished hash: ready for [`add_person`] or [`set_up`].
    pub fn with(self, phc: String, time_zone: Option<Zone>) -> NewPerson {
        NewPerson {
            name: self.name.trim().to_owned(),
            email: self.email.trim().to_owned(),
            role: self.role,
            phc,
            time_zone: time_zone.map(Zone::name).unwrap_or_default().to_owned(),
        }
    }
}

/// A person's name, without the white space around it.
fn check_name(typed: &str) -> Result<String, String> {
    let name = typed.trim();
    match name.chars().count() {
        0 | 101.. => Err("A name has 1 to 100 characters.".into()),
        _ if name.chars().any(is_unprintable) => {
            Err("A name cannot hold control characters, nor characters that hide or turn the text around them.".into())
        }
        _ => Ok(name.to_owned()),
    }
}

/// Whether the program waits for its first owner.
pub fn is_empty(conn: &mut Conn) -> Result<bool> {
    let people: i64 = accounts::table.filter(accounts::kind.eq(AccountKind::Person)).count().get_result(conn)?;
    Ok(people == 0)
}

/// The first owner. Only while there is no account, whoever else tried at the same moment.
pub fn set_up(tx: &mut Tx<'_>, actor: &Actor, new: NewPerson) -> Result<Account> {
    // Drawing the version first takes the writer's turn, so that of two set-ups one finds the other's account.
    tx.version()?;
    if !is_empty(tx.conn)? {
        return Err(Error::Missing);
    }
    insert(tx, actor, new, "account.setup")
}

pub fn add_person(tx: &mut Tx<'_>, actor: &Actor, new: NewPerson) -> Result<Account> {
    actor.must(if new.role >= Role::Admin { Deed::MakeAdmins } else { Deed::Administer })?;
    insert(tx, actor, new, "account.generate")
}

fn insert(tx: &mut Tx<'_>, actor: &Actor, new: NewPerson, action: &'static str) -> Result<Account> {
    let account = Account {
        id: tx.id()?,
        kind: AccountKind::Person,
        name: new.name,
        email_key: Some(account_key(&new.email)),
        email: Some(new.email),
        password: Some(new.phc),
        role: new.role,
        owner_account_id: None,
        owner_team_id: None,
        enabled: true,
        time_zone: new.time_zone,
        date_style: DateStyle::default().as_str().to_owned(),
        created_at: tx.now,
        version: tx.version()?,
    };
    let taken = "There is already an account with this e-mail address.";
    diesel::insert_into(accounts::table).values(&account).execute(tx.conn).or_taken("email", taken)?;
    // Whoever sets up the program is its first account and acts as themself.
    let actor = match actor.via {
        Via::Setup => &Actor { account: Some(account.id.clone()), name: account.name.clone(), ..actor.clone() },
        _ => actor,
    };
    let detail = serde_json::json!({ "email": account.email, "role": account.role });
    audit::record(tx, actor, action, Subject::account(&account.id, &account.name), Some(&account.id), detail)?;
    tx.changed(Change::Account(account.facts()));
    Ok(account)
}

/// At the first sign-in, where none is known yet, the browser's zone becomes the account's.
pub fn guess_zone(tx: &mut Tx<'_>, account: &Account, zone: Option<Zone>) -> Result<()> {
    if let Some(zone) = zone.filter(|_| account.time_zone.is_empty()) {
        diesel::update(accounts::table.find(&account.id)).set(accounts::time_zone.eq(zone.name())).execute(tx.conn)?;
    }
    Ok(())
}

pub fn by_id(conn: &mut Conn, id: &AccountId) -> Result<Account> {
    Ok(accounts::table.find(id).select(Account::as_select()).first(conn)?)
}

pub fn by_email(conn: &mut Conn, email: &str) -> Result<Option<Account>> {
    let key = account_key(email).replace('\0', " ");
    let found = accounts::table.filter(accounts::email_key.eq(key)).select(Account::as_select()).first(conn);
    Ok(found.optional()?)
}

pub fn all(conn: &mut Conn) -> Result<Vec<Account>> {
    Ok(accounts::table.order((accounts::created_at, accounts::id)).select(Account::as_select()).load(conn)?)
}

/// Freezes all tokens of the account and ends its sessions, at once. The last owner stays.
pub fn disable(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId) -> Result<Account> {
    actor.must(Deed::Administer)?;
    // Drawn before the row is read, so that what the index learns under this version is the newest.
    let version = tx.version()?;
    let mut account = by_id(tx.conn, id)?;
    if account.role >= Role::Admin {
        actor.must(Deed::MakeAdmins)?;
    }
    account.version = version;
    if account.role == Role::Owner && owners(tx.conn)? < 2 {
        return Err(Error::Forbidden("This is the last owner. Make another owner first.".into()));
    }
    account.enabled = false;
    diesel::update(accounts::table.find(id))
        .set((accounts::enabled.eq(false), accounts::version.eq(account.version)))
        .execute(tx.conn)
        .or_missing()?;
    diesel::delete(sessions::table.filter(sessions::account_id.eq(id))).execute(tx.conn)?;
    token::session::end_all(tx, id)?;
    let detail = serde_json::json!({ "before": { "enabled": true }, "after": { "enabled": false } });
    audit::record(tx, actor, "account.disable", Subject::account(id, &account.name), Some(id), detail)?;
    tx.changed(Change::Account(account.facts()));
    Ok(account)
}

fn owners(conn: &mut Conn) -> Result<i64> {
    let living = accounts::table.filter(accounts::role.eq(Role::Owner).and(accounts::enabled.eq(true)));
    Ok(living.count().get_result(conn)?)
}

/// A new password: ends every session of the account and forgets the wrong guesses.
pub fn set_password(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId, phc: &str) -> Result<()> {
    actor.must(Deed::Administer)?;
    let account = by_id(tx.conn, id)?;
    diesel::update(accounts::table.find(id)).set(accounts::password.eq(phc)).execute(tx.conn).or_missing()?;
    diesel::delete(sessions::table.filter(sessions::account_id.eq(id))).execute(tx.conn)?;
    token::session::end_all(tx, id)?;
    forget_guesses(tx, account.email_key.as_deref().unwrap_or_default())?;
    let subject = Subject::account(id, &account.name);
    audit::record(tx, actor, "account.password", subject, Some(id), serde_json::json!({}))
}

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

/// A change that was not confirmed stands in the log too: somebody may be at a keyboard that is not theirs.
pub fn record_refused_confirm(tx: &mut Tx<'_>, actor: &Actor) -> Result<()> {
    let Some(id) = &actor.account else { return Ok(()) };
    audit::record(tx, actor, "confirm.refuse", Subject::account(id, &actor.name), Some(id), serde_json::json!({}))
}

pub fn hash_error(cause: HashError) -> Error {
    match cause {
        HashError::Busy => Error::Busy("Too many passwords are being checked at this moment.".into()),
        other => Error::internal(other),
    }
}

fn guesses_of(conn: &mut Conn, key: &str) -> Result<Guesses> {
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

/// Every account whose version is above `seen`, for the index.
pub fn changed_since(conn: &mut Conn, seen: i64, mut learn: impl FnMut(AccountFacts)) -> Result<()> {
    let rows = accounts::table.filter(accounts::version.gt(seen)).select(Account::as_select());
    for row in rows.load_iter(conn)? {
        let row: Account = row?;
        learn(row.facts());
    }
    Ok(())
}
