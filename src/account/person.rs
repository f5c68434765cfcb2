//! People: added, set up, given a role, disabled and enabled, and their passwords set by an administrator.

use diesel::prelude::*;
use validator::ValidateEmail;

use super::invitation::{end_link, may_give};
use super::{Account, by_email, by_id, check_name, forget_guesses, is_empty, list};
use crate::actor::{Actor, Deed, Relation, Via};
use crate::audit::{self, Subject};
use crate::db::Conn;
use crate::error::{Error, OrMissing, OrTaken, Problem, Result};
use crate::guess::account_key;
use crate::password::{self, Password};
use crate::schema::{accounts, sessions};
use crate::token;
use crate::tx::Tx;
use crate::types::{AccountId, AccountKind, Role, is_unprintable};
use crate::when::{DateStyle, Zone};

const EMAIL_TAKEN: &str = "There is already an account with this e-mail address.";

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
    /// `None` of somebody who is invited.
    phc: Option<String>,
    time_zone: String,
}

impl NewPerson {
    /// Without a password; the draft is checked.
    pub(super) fn invited(draft: &PersonDraft) -> NewPerson {
        NewPerson {
            name: draft.name.trim().to_owned(),
            email: draft.email.trim().to_owned(),
            role: draft.role,
            phc: None,
            time_zone: String::new(),
        }
    }
}

impl PersonDraft {
    /// All problems at once; `least` is the policy's `password_min`.
    pub fn check(&self, password: &Password, least: usize) -> Result<(), Error> {
        let mut problems = self.problems();
        if let Err(problem) = password::judge(password, least, &[self.email.trim(), self.name.trim()]) {
            problems.push(Problem { field: "password", sentence: problem.to_string() });
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
    }

    /// The same of somebody who sets the password themself.
    pub fn check_person(&self) -> Result<(), Error> {
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Err(sentence) = check_name(self.name.trim()) {
            problems.push(Problem { field: "name", sentence });
        }
        let email = self.email.trim();
        if !email.validate_email() || email.len() > 254 || email.chars().any(is_unprintable) {
            let sentence = "This is not an e-mail address, such as maria@example.com.".to_owned();
            problems.push(Problem { field: "email", sentence });
        }
        problems
    }

    /// Said at the form, held by a unique index.
    pub fn check_free(&self, conn: &mut Conn) -> Result<()> {
        match by_email(conn, self.email.trim())? {
            Some(_) => Err(Error::invalid("email", EMAIL_TAKEN)),
            None => Ok(()),
        }
    }

    /// With the finished hash: ready for [`add_person`] or [`set_up`].
    pub fn with(self, phc: String, time_zone: Option<Zone>) -> NewPerson {
        NewPerson {
            name: self.name.trim().to_owned(),
            email: self.email.trim().to_owned(),
            role: self.role,
            phc: Some(phc),
            time_zone: time_zone.map(Zone::name).unwrap_or_default().to_owned(),
        }
    }
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
    may_give(actor, new.role)?;
    insert(tx, actor, new, "account.generate")
}

pub(super) fn insert(tx: &mut Tx<'_>, actor: &Actor, new: NewPerson, action: &'static str) -> Result<Account> {
    let account = Account {
        id: tx.id()?,
        kind: AccountKind::Person,
        name: new.name,
        email_key: Some(account_key(&new.email)),
        email: Some(new.email),
        password: new.phc,
        role: new.role,
        owner_account_id: None,
        owner_team_id: None,
        enabled: true,
        time_zone: new.time_zone,
        date_style: DateStyle::default().as_str().to_owned(),
        created_at: tx.now,
        version: tx.version()?,
        description: String::new(),
        removed_at: None,
        name_key: String::new(),
        folded: String::new(),
    }
    .folded();
    diesel::insert_into(accounts::table).values(&account).execute(tx.conn).or_taken("email", EMAIL_TAKEN)?;
    list::put_words(tx, &account)?;
    // Whoever sets up the program is its first account and acts as themself.
    let actor = match actor.via {
        Via::Setup => &Actor { account: Some(account.id.clone()), name: account.name.clone(), ..actor.clone() },
        _ => actor,
    };
    let detail = serde_json::json!({ "email": account.email, "role": account.role });
    audit::record(tx, actor, action, Subject::account(&account.id, &account.name), Some(&account.id), detail)?;
    account.learn(tx)?;
    Ok(account)
}

/// At the first sign-in, where none is known yet, the browser's zone becomes the account's.
pub fn guess_zone(tx: &mut Tx<'_>, account: &Account, zone: Option<Zone>) -> Result<()> {
    if let Some(zone) = zone.filter(|_| account.time_zone.is_empty()) {
        diesel::update(accounts::table.find(&account.id)).set(accounts::time_zone.eq(zone.name())).execute(tx.conn)?;
    }
    Ok(())
}

/// A person whom the actor may change, as they are now; the version has been drawn before they are read, so that what the index
/// learns under it is the newest.
pub(super) fn changeable(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId) -> Result<Account> {
    let version = tx.version()?;
    let account = by_id(tx.conn, id)?;
    changeable_as(actor, &account)?;
    Ok(Account { version, ..account })
}

/// Whether the actor may change that person. What they may not see is missing; that it is there is told to administrators alone.
pub fn changeable_as(actor: &Actor, account: &Account) -> Result<()> {
    person_seen(actor, account)?;
    if account.role >= Role::Admin { actor.must(Deed::MakeAdmins) } else { Ok(()) }
}

/// A person that the actor may look at as an administrator.
pub fn person_seen(actor: &Actor, account: &Account) -> Result<()> {
    actor.must_see(Relation::OtherPerson, Deed::Administer)?;
    if account.kind == AccountKind::Person { Ok(()) } else { Err(Error::Missing) }
}

/// That nobody has changed the person since they had the version `seen`.
pub(super) fn must_be_unchanged(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId, seen: i64) -> Result<()> {
    tx.version()?;
    let account = by_id(tx.conn, id)?;
    person_seen(actor, &account)?;
    if account.version == seen { Ok(()) } else { Err(Error::Stale) }
}

/// Freezes all tokens of the person and disables their service accounts; sessions and links end, at once. The last owner stays.
pub fn disable(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId) -> Result<Account> {
    let account = changeable(tx, actor, id)?;
    must_leave_an_owner(tx.conn, &account)?;
    end_sessions_of(tx, id)?;
    end_link(tx, id)?;
    for service in services_of(tx.conn, id)? {
        set_enabled(tx, actor, Account { version: account.version, ..service }, false)?;
    }
    set_enabled(tx, actor, account, false)
}

/// The service accounts that belong to a person, by name.
pub fn services_of(conn: &mut Conn, id: &AccountId) -> Result<Vec<Account>> {
    let services = accounts::table
        .filter(accounts::owner_account_id.eq(id).and(accounts::removed_at.is_null()))
        .order((accounts::name_key, accounts::id));
    Ok(services.select(Account::as_select()).load(conn)?)
}

/// Their tokens work again as they did. Their sessions stay ended, and their service accounts disabled: each is looked at first.
pub fn enable(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId) -> Result<Account> {
    let account = changeable(tx, actor, id)?;
    set_enabled(tx, actor, account, true)
}

/// One that is so already leaves no event.
pub(super) fn set_enabled(tx: &mut Tx<'_>, actor: &Actor, account: Account, enabled: bool) -> Result<Account> {
    if account.enabled == enabled {
        return Ok(account);
    }
    let account = Account { enabled, ..account };
    diesel::update(accounts::table.find(&account.id))
        .set((accounts::enabled.eq(enabled), accounts::version.eq(account.version)))
        .execute(tx.conn)
        .or_missing()?;
    let detail = serde_json::json!({ "before": { "enabled": !enabled }, "after": { "enabled": enabled } });
    let action = if enabled { "account.enable" } else { "account.disable" };
    audit::record(tx, actor, action, Subject::account(&account.id, &account.name), Some(&account.id), detail)?;
    account.learn(tx)?;
    Ok(account)
}

/// Gives a role, unless somebody else changed the account since it had the version `seen`. Service accounts that belong to the
/// person come down with them: nobody keeps by a script what they lost themselves.
pub fn set_role(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId, role: Role, seen: i64) -> Result<Account> {
    let version = tx.version()?;
    must_be_unchanged(tx, actor, id, seen)?;
    let account = changeable(tx, actor, id)?;
    may_give(actor, role)?;
    if account.role == role {
        return Ok(account);
    }
    must_leave_an_owner(tx.conn, &account)?;
    let account = put_role(tx, actor, account, role)?;
    for service in services_of(tx.conn, id)?.into_iter().filter(|service| service.role > role) {
        put_role(tx, actor, Account { version, ..service }, role)?;
    }
    Ok(account)
}

pub(super) fn put_role(tx: &mut Tx<'_>, actor: &Actor, account: Account, role: Role) -> Result<Account> {
    let was = account.role;
    let account = Account { role, ..account };
    diesel::update(accounts::table.find(&account.id))
        .set((accounts::role.eq(role), accounts::version.eq(account.version)))
        .execute(tx.conn)
        .or_missing()?;
    let detail = serde_json::json!({ "before": { "role": was }, "after": { "role": role } });
    audit::record(tx, actor, "account.role", Subject::account(&account.id, &account.name), Some(&account.id), detail)?;
    account.learn(tx)?;
    Ok(account)
}

/// The last enabled owner can neither be disabled nor lowered.
pub(super) fn must_leave_an_owner(conn: &mut Conn, leaving: &Account) -> Result<()> {
    let others: i64 = accounts::table
        .filter(accounts::role.eq(Role::Owner).and(accounts::enabled.eq(true)))
        .filter(accounts::kind.eq(AccountKind::Person).and(accounts::password.is_not_null()))
        .filter(accounts::id.ne(&leaving.id))
        .count()
        .get_result(conn)?;
    match leaving.role == Role::Owner && others == 0 {
        true => Err(Error::Forbidden("This is the last owner. Make another owner first.".into())),
        false => Ok(()),
    }
}

/// Ends every session of a person, by an administrator; the answer is how many there were.
pub fn end_sessions(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId) -> Result<usize> {
    let account = changeable(tx, actor, id)?;
    let ended = end_sessions_of(tx, id)?;
    let detail = serde_json::json!({ "sessions": ended });
    audit::record(tx, actor, "account.end_sessions", Subject::account(id, &account.name), Some(id), detail)?;
    Ok(ended)
}

pub(super) fn end_sessions_of(tx: &mut Tx<'_>, id: &AccountId) -> Result<usize> {
    let browsers = diesel::delete(sessions::table.filter(sessions::account_id.eq(id))).execute(tx.conn)?;
    Ok(browsers + token::session::end_all(tx, id)?)
}

/// Lets a person try passwords again who has to wait after wrong ones.
pub fn reset_guesses(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId) -> Result<()> {
    let account = changeable(tx, actor, id)?;
    forget_guesses(tx, account.email_key.as_deref().unwrap_or_default())?;
    let subject = Subject::account(id, &account.name);
    audit::record(tx, actor, "account.reset_guesses", subject, Some(id), serde_json::json!({}))
}

/// A new password: ends every session of the account and forgets the wrong guesses.
pub fn set_password(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId, phc: &str) -> Result<()> {
    let account = changeable(tx, actor, id)?;
    diesel::update(accounts::table.find(id)).set(accounts::password.eq(phc)).execute(tx.conn).or_missing()?;
    end_sessions_of(tx, id)?;
    end_link(tx, id)?;
    forget_guesses(tx, account.email_key.as_deref().unwrap_or_default())?;
    let subject = Subject::account(id, &account.name);
    audit::record(tx, actor, "account.password", subject, Some(id), serde_json::json!({}))
}
