//! Service accounts: they cannot sign in, belong to a person or a team, and hold tokens. Made, edited, given away, disabled and
//! removed; their lists are beside.

pub mod list;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::person::{put_role, set_enabled as put_enabled};
use super::{Account, by_id, check_name, relation};
use crate::actor::{Actor, Deed, Relation, wording};
use crate::audit::{self, Subject};
use crate::db::Conn;
use crate::error::{Error, OrMissing, OrTaken, Problem, Result};
use crate::schema::{accounts, teams, tokens};
use crate::team::{self, check_description};
use crate::token::{self, MOST_AT_ONCE};
use crate::tx::Tx;
use crate::types::{AccountId, AccountKind, Role, TeamId, TokenId};
use crate::when::DateStyle;

/// Letters that a made name has, so that a number fits behind it.
const NAME_MADE: usize = 95;
const NAME_TAKEN: &str = "There is already a service account with this name. Choose another.";

/// Whom a service account belongs to: never to another service account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    Person(AccountId),
    Team(TeamId),
}

/// A service account as typed.
#[derive(Clone, Debug)]
pub struct ServiceDraft {
    pub name: String,
    pub description: String,
    /// As typed or chosen.
    pub role: String,
}

/// A checked one: what the confirmation keeps and [`make`] and [`edit`] take.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewService {
    pub name: String,
    pub description: String,
    pub role: Role,
}

impl ServiceDraft {
    /// All problems at once; `known` is the account that is edited.
    pub fn check(&self, conn: &mut Conn, actor: &Actor, known: Option<&Account>) -> Result<NewService> {
        let mut problems = Vec::new();
        let mut wrong = |field, sentence| problems.push(Problem { field, sentence });
        let name = check_service_name(&self.name).map_err(|sentence| wrong("name", sentence)).ok();
        let description = check_description(&self.description).map_err(|s| wrong("description", s)).ok();
        let role = match Role::parse(&self.role) {
            Some(role) if known.is_some_and(|known| known.role == role) => Some(role),
            Some(role) => {
                actor.must_reach(role).map_err(|refused| wrong("role", refused.to_string())).ok().map(|()| role)
            }
            None => {
                wrong("role", "Choose one of the roles.".to_owned());
                None
            }
        };
        if let Some(name) = &name {
            let same: Vec<AccountId> =
                living().filter(accounts::name.eq(name.clone())).select(accounts::id).load(conn)?;
            if same.iter().any(|id| known.is_none_or(|known| known.id != *id)) {
                wrong("name", NAME_TAKEN.to_owned());
            }
        }
        match (name, description, role) {
            (Some(name), Some(description), Some(role)) if problems.is_empty() => {
                Ok(NewService { name, description, role })
            }
            _ => Err(Error::Invalid(problems)),
        }
    }
}

/// Other programs tell accounts by this name: it must not look like a person's e-mail address.
fn check_service_name(typed: &str) -> Result<String, String> {
    match check_name(typed) {
        Ok(name) if name.contains('@') => {
            Err("A service account's name cannot hold @, so that nobody takes it for a person.".into())
        }
        checked => checked,
    }
}

#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn living() -> _ {
    let kind: AccountKind = AccountKind::Service;
    accounts::table.filter(accounts::kind.eq(kind)).filter(accounts::removed_at.is_null())
}

/// A new service account without tokens.
pub fn make(tx: &mut Tx<'_>, actor: &Actor, new: &NewService, owner: &Owner) -> Result<Account> {
    let version = tx.version()?;
    actor.must_reach(new.role)?;
    let owned_by = may_own(tx.conn, actor, owner, new.role)?;
    let (owner_account_id, owner_team_id) = columns(owner);
    let account = Account {
        id: tx.id()?,
        kind: AccountKind::Service,
        name: new.name.clone(),
        email: None,
        email_key: None,
        password: None,
        role: new.role,
        owner_account_id,
        owner_team_id,
        enabled: true,
        time_zone: String::new(),
        date_style: DateStyle::default().as_str().to_owned(),
        created_at: tx.now,
        version,
        description: new.description.clone(),
        removed_at: None,
        name_key: String::new(),
        folded: String::new(),
    }
    .folded();
    diesel::insert_into(accounts::table).values(&account).execute(tx.conn).or_taken("name", NAME_TAKEN)?;
    let detail = json!({ "role": account.role, "owner": owned_by, "description": account.description });
    record(tx, actor, "account.generate", &account, detail)?;
    account.learn(tx)?;
    Ok(account)
}

fn columns(owner: &Owner) -> (Option<AccountId>, Option<TeamId>) {
    match owner {
        Owner::Person(id) => (Some(id.clone()), None),
        Owner::Team(id) => (None, Some(id.clone())),
    }
}

fn record(
    tx: &mut Tx<'_>,
    actor: &Actor,
    action: &'static str,
    account: &Account,
    detail: serde_json::Value,
) -> Result<()> {
    audit::record(tx, actor, action, Subject::account(&account.id, &account.name), Some(&account.id), detail)
}

/// The name of an owner to whom the actor may give a service account of that role: themself, a team of theirs, or, by an
/// administrator, anybody. What they may not see is missing.
pub fn may_own(conn: &mut Conn, actor: &Actor, owner: &Owner, role: Role) -> Result<String> {
    match owner {
        Owner::Team(id) => {
            let (team, relation) = team::visible(conn, actor, id)?;
            actor.must_as(relation, Deed::ChangeServiceAccount)?;
            Ok(team.name)
        }
        Owner::Person(id) => {
            let account = by_id(conn, id)?;
            let relation = relation(conn, actor, &account)?;
            actor.must_see(relation, Deed::SeeTokens)?;
            actor.must_as(Relation::OwnService, Deed::ChangeServiceAccount)?;
            if account.kind == AccountKind::Service {
                let sentence = "A service account belongs to a person or a team, not to another service account.";
                return Err(Error::invalid("owner", sentence));
            }
            if !account.is_living() {
                return Err(Error::invalid("owner", format!("{} is disabled. Choose another owner.", account.name)));
            }
            if role > account.role {
                let (above, has) = (wording(role), wording(account.role));
                let sentence = format!("The role {above} is above that of {}, {has}.", account.name);
                return Err(Error::invalid("role", sentence));
            }
            Ok(account.name)
        }
    }
}

/// A name for it that is free: small letters, digits and hyphens of the words, with a number behind them where that is taken.
pub(super) fn free_name(conn: &mut Conn, words: &str) -> Result<String> {
    let lower = words.to_lowercase();
    let plain: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let base: String = plain.join("-").chars().take(NAME_MADE).collect();
    let base = if base.is_empty() { "service".to_owned() } else { base };
    let mut name = base.clone();
    for nth in 2.. {
        let same = accounts::table
            .filter(accounts::name.eq(&name))
            .filter(accounts::kind.eq(AccountKind::Service).and(accounts::removed_at.is_null()));
        if same.count().get_result::<i64>(conn)? == 0 {
            break;
        }
        name = format!("{base}-{nth}");
    }
    Ok(name)
}

/// What an id of a form means: a team, or else an account.
pub fn owner_of_id(conn: &mut Conn, id: &str) -> Result<Owner> {
    let team: Option<TeamId> = teams::table.find(TeamId::from(id)).select(teams::id).first(conn).optional()?;
    Ok(team.map_or_else(|| Owner::Person(id.into()), Owner::Team))
}

/// The owner that an administrator names: a person by e-mail address, or a team by its name.
pub fn owner_of_name(conn: &mut Conn, actor: &Actor, typed: &str, field: &'static str) -> Result<Owner> {
    actor.must(Deed::Administer)?;
    let typed = typed.trim();
    if typed.contains('@') {
        return Ok(Owner::Person(team::member::by_email(conn, typed, field)?.id));
    }
    let team: Option<TeamId> = teams::table.filter(teams::name.eq(typed)).select(teams::id).first(conn).optional()?;
    let nobody = || Error::invalid(field, "There is no team with this name. Type an e-mail address or a team's name.");
    team.map(Owner::Team).ok_or_else(nobody)
}

/// A service account that the actor may see, with how they stand to it. All others, and removed ones, are missing.
pub fn visible(conn: &mut Conn, actor: &Actor, id: &AccountId) -> Result<(Account, Relation)> {
    let account = by_id(conn, id)?;
    if account.kind != AccountKind::Service || account.removed_at.is_some() {
        return Err(Error::Missing);
    }
    let relation = relation(conn, actor, &account)?;
    actor.must_see(relation, Deed::SeeServiceAccount)?;
    Ok((account, relation))
}

/// One that the actor may change, at the version of this change.
fn changeable(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId, seen: Option<i64>) -> Result<Account> {
    let version = tx.version()?;
    let (account, relation) = visible(tx.conn, actor, id)?;
    actor.must_as(relation, Deed::ChangeServiceAccount)?;
    match seen.is_some_and(|seen| seen != account.version) {
        true => Err(Error::Stale),
        false => Ok(Account { version, ..account }),
    }
}

/// Name, description and role, unless somebody else changed it since it had the version `seen`.
pub fn edit(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId, seen: i64, to: &NewService) -> Result<Account> {
    let before = changeable(tx, actor, id, Some(seen))?;
    let mut account = before.clone();
    if to.role != before.role {
        actor.must_reach(before.role)?;
        actor.must_reach(to.role)?;
        if let Some(owner) = owner_of(&before) {
            may_own(tx.conn, actor, &owner, to.role)?;
        }
        account = put_role(tx, actor, account, to.role)?;
    }
    (account.name, account.description) = (to.name.clone(), to.description.clone());
    let account = account.folded();
    let shown = |account: &Account| json!({ "name": account.name, "description": account.description });
    if shown(&account) == shown(&before) {
        return Ok(account);
    }
    diesel::update(accounts::table.find(id))
        .set((
            accounts::name.eq(&account.name),
            accounts::name_key.eq(&account.name_key),
            accounts::folded.eq(&account.folded),
            accounts::description.eq(&account.description),
            accounts::version.eq(account.version),
        ))
        .execute(tx.conn)
        .or_taken("name", NAME_TAKEN)?;
    let detail = json!({ "before": shown(&before), "after": shown(&account) });
    record(tx, actor, "account.edit", &account, detail)?;
    account.learn(tx)?;
    Ok(account)
}

/// Whom it belongs to.
pub fn owner_of(account: &Account) -> Option<Owner> {
    let person = account.owner_account_id.clone().map(Owner::Person);
    person.or_else(|| account.owner_team_id.clone().map(Owner::Team))
}

/// Another owner, unless somebody else changed it since it had the version `seen`. Its tokens and their values stay.
pub fn give(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId, seen: i64, owner: &Owner) -> Result<Account> {
    let before = changeable(tx, actor, id, Some(seen))?;
    actor.must_reach(before.role)?;
    let to = may_own(tx.conn, actor, owner, before.role)?;
    if owner_of(&before).as_ref() == Some(owner) {
        return Ok(before);
    }
    let from = owner_name(tx.conn, &before)?;
    let (owner_account_id, owner_team_id) = columns(owner);
    let account = Account { owner_account_id, owner_team_id, ..before };
    diesel::update(accounts::table.find(id))
        .set((
            accounts::owner_account_id.eq(&account.owner_account_id),
            accounts::owner_team_id.eq(&account.owner_team_id),
            accounts::version.eq(account.version),
        ))
        .execute(tx.conn)
        .or_missing()?;
    let detail = json!({ "before": { "owner": from }, "after": { "owner": to } });
    record(tx, actor, "account.give", &account, detail)?;
    account.learn(tx)?;
    Ok(account)
}

/// The name of its owner; empty where there is none.
pub fn owner_name(conn: &mut Conn, account: &Account) -> Result<String> {
    owner_of(account).map_or_else(|| Ok(String::new()), |owner| name_of_owner(conn, &owner))
}

pub fn name_of_owner(conn: &mut Conn, owner: &Owner) -> Result<String> {
    Ok(match owner {
        Owner::Person(id) => by_id(conn, id)?.name,
        Owner::Team(id) => teams::table.find(id).select(teams::name).first(conn)?,
    })
}

/// Disabled, all its tokens are refused; enabled, they work again as they did.
pub fn set_enabled(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId, enabled: bool) -> Result<Account> {
    let account = changeable(tx, actor, id, None)?;
    if enabled {
        actor.must_reach(account.role)?;
    }
    put_enabled(tx, actor, account, enabled)
}

/// Removes it with its tokens; the answer is how many those were. The rows stay for history.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, id: &AccountId) -> Result<(Account, usize)> {
    let account = changeable(tx, actor, id, None)?;
    let held: Vec<TokenId> = tokens::table
        .filter(tokens::owner_id.eq(id).and(tokens::removed_at.is_null()))
        .select(tokens::id)
        .load(tx.conn)?;
    for some in held.chunks(MOST_AT_ONCE) {
        token::remove(tx, actor, some)?;
    }
    let account = Account { removed_at: Some(tx.now), ..account };
    diesel::update(accounts::table.find(id))
        .set((accounts::removed_at.eq(account.removed_at), accounts::version.eq(account.version)))
        .execute(tx.conn)
        .or_missing()?;
    record(tx, actor, "account.remove", &account, json!({ "tokens": held.len() }))?;
    account.learn(tx)?;
    Ok((account, held.len()))
}
