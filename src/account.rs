//! Accounts: people and service accounts. Their rows, who may see them, and what verification learns of them; people, service
//! accounts, passwords and one's own settings are beside.

mod check;
pub mod invitation;
pub mod leaving;
pub mod list;
mod order;
mod own;
mod person;
pub mod service;

pub use check::{check_password, forget_guesses, guesses_of, hash_error, prune_guesses, record_refused_confirm};
pub use order::{Order, Wish, check_order, obey};
pub use own::{ProfileDraft, change_password, edit_profile};
pub use person::{
    NewPerson, PersonDraft, add_person, changeable_as, disable, enable, end_sessions, guess_zone, person_seen,
    reset_guesses, services_of, set_password, set_role, set_up,
};

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;

use crate::actor::{Actor, Relation};
use crate::db::{Conn, MultiBackend};
use crate::error::{Error, OrMissing, Result};
use crate::guess::account_key;
use crate::schema::{accounts, members, teams};
use crate::team;
use crate::tx::{AccountFacts, Change, Tx};
use crate::types::{AccountId, AccountKind, Role, Stamp, TeamId, is_unprintable};
use crate::when::{DateStyle, Zone};

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
    /// Service accounts only.
    pub description: String,
    /// Service accounts only: the row stays for history.
    pub removed_at: Option<Stamp>,
    /// The name in lower case: what lists are sorted by.
    pub name_key: String,
    /// Name and e-mail address in lower case: what a search looks into.
    pub folded: String,
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
    /// Whether its tokens may be used.
    pub fn is_living(&self) -> bool {
        self.enabled && self.removed_at.is_none()
    }

    /// With what lists are sorted and searched by.
    fn folded(self) -> Account {
        let email = self.email.as_deref().unwrap_or_default();
        let folded = format!("{} {email}", self.name).trim_end().to_lowercase();
        Account { name_key: self.name.to_lowercase(), folded, ..self }
    }

    /// Tells the index of it: called by every verb that raised its version.
    pub(crate) fn learn(&self, tx: &mut Tx<'_>) -> Result<()> {
        let teams = match &self.owner_team_id {
            Some(team) => teams::table.find(team).select(teams::name).load(tx.conn)?,
            None => members::table
                .inner_join(teams::table)
                .filter(members::account_id.eq(&self.id))
                .order(teams::name)
                .select(teams::name)
                .load(tx.conn)?,
        };
        tx.changed(Change::Account(self.facts(teams)));
        Ok(())
    }

    fn facts(&self, teams: Vec<String>) -> AccountFacts {
        AccountFacts {
            id: self.id.clone(),
            version: self.version,
            kind: self.kind,
            label: self.label().to_owned(),
            teams,
            role: self.role,
            enabled: self.is_living(),
        }
    }
}

/// A name without the white space around it.
pub(crate) fn check_name(typed: &str) -> Result<String, String> {
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
pub fn by_id(conn: &mut Conn, id: &AccountId) -> Result<Account> {
    Ok(accounts::table.find(id).select(Account::as_select()).first(conn)?)
}

/// Those of the accounts that there are.
pub fn by_ids(conn: &mut Conn, mut ids: Vec<AccountId>) -> Result<BTreeMap<AccountId, Account>> {
    ids.sort();
    ids.dedup();
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(1_000) {
        let rows = accounts::table.filter(accounts::id.eq_any(chunk)).select(Account::as_select());
        found.extend(rows.load::<Account>(conn)?.into_iter().map(|account| (account.id.clone(), account)));
    }
    Ok(found)
}

/// The name behind what a row says of its maker: an account's id, or the name of who is no account.
pub fn name_of(conn: &mut Conn, maker: &str) -> Result<String> {
    let named = accounts::table.find(AccountId::from(maker)).select(accounts::name).first(conn).optional()?;
    Ok(named.unwrap_or_else(|| maker.to_owned()))
}

/// The names of these accounts.
pub fn names(conn: &mut Conn, ids: &[AccountId]) -> Result<HashMap<AccountId, String>> {
    let rows = accounts::table.filter(accounts::id.eq_any(ids)).select((accounts::id, accounts::name));
    Ok(rows.load::<(AccountId, String)>(conn)?.into_iter().collect())
}

/// The account that a program names: by its id, a person's e-mail address, or a service account's name.
pub fn named(conn: &mut Conn, text: &str) -> Result<AccountId> {
    if text.contains('@') {
        return by_email(conn, text)?.map(|account| account.id).ok_or(Error::Missing);
    }
    let service = accounts::table
        .filter(accounts::kind.eq(AccountKind::Service).and(accounts::removed_at.is_null()))
        .filter(accounts::name.eq(text.replace('\0', " ")))
        .select(accounts::id);
    Ok(service.first(conn).optional()?.unwrap_or_else(|| AccountId::from(text)))
}

pub fn by_email(conn: &mut Conn, email: &str) -> Result<Option<Account>> {
    let key = account_key(email).replace('\0', " ");
    let found = accounts::table.filter(accounts::email_key.eq(key)).select(Account::as_select()).first(conn);
    Ok(found.optional()?)
}

pub fn all(conn: &mut Conn) -> Result<Vec<Account>> {
    Ok(accounts::table.order((accounts::created_at, accounts::id)).select(Account::as_select()).load(conn)?)
}

/// How the actor stands to an account and to its tokens, at this moment.
pub fn relation(conn: &mut Conn, actor: &Actor, of: &Account) -> Result<Relation> {
    let Some(me) = &actor.account else {
        return Ok(if of.kind == AccountKind::Person { Relation::OtherPerson } else { Relation::Other });
    };
    if *me == of.id {
        return Ok(Relation::Own);
    }
    if of.kind == AccountKind::Person {
        return Ok(Relation::OtherPerson);
    }
    if of.owner_account_id.as_ref() == Some(me) {
        return Ok(Relation::OwnService);
    }
    match &of.owner_team_id {
        Some(team) => team::relation(conn, actor, team),
        None => Ok(Relation::Other),
    }
}

/// The teams of these accounts are others by now, or are called otherwise: they get a new version, and the index hears of them.
pub(crate) fn teams_changed(tx: &mut Tx<'_>, ids: &[AccountId]) -> Result<()> {
    let version = tx.version()?;
    for id in ids {
        diesel::update(accounts::table.find(id)).set(accounts::version.eq(version)).execute(tx.conn).or_missing()?;
        by_id(tx.conn, id)?.learn(tx)?;
    }
    Ok(())
}

/// Every account whose version is above `seen`, for the index.
pub fn changed_since(conn: &mut Conn, seen: i64, mut learn: impl FnMut(AccountFacts)) -> Result<()> {
    let names: HashMap<TeamId, String> =
        teams::table.select((teams::id, teams::name)).load(conn)?.into_iter().collect();
    let mut of_people: BTreeMap<AccountId, Vec<String>> = BTreeMap::new();
    let changed = accounts::table.filter(accounts::version.gt(seen));
    let memberships = members::table
        .inner_join(teams::table)
        .filter(members::account_id.eq_any(changed.select(accounts::id)))
        .order(teams::name)
        .select((members::account_id, teams::name));
    for (account, team) in memberships.load::<(AccountId, String)>(conn)? {
        of_people.entry(account).or_default().push(team);
    }
    let rows = accounts::table.filter(accounts::version.gt(seen)).select(Account::as_select());
    for row in rows.load_iter(conn)? {
        let row: Account = row?;
        let teams = match &row.owner_team_id {
            Some(team) => names.get(team).cloned().into_iter().collect(),
            None => of_people.remove(&row.id).unwrap_or_default(),
        };
        learn(row.facts(teams));
    }
    Ok(())
}
