//! Members of a team: who is in it, as what, and who changes that.

use diesel::prelude::*;
use serde_json::json;

use super::{Team, visible};
use crate::account::{self, Account};
use crate::actor::{Actor, Deed, Relation};
use crate::audit::{self, Subject};
use crate::db::Conn;
use crate::error::{Error, OrMissing, Result};
use crate::schema::{accounts, members};
use crate::tx::Tx;
use crate::types::{AccountId, AccountKind, Stamp, TeamId, TeamRole};

/// A person in a team.
pub struct Member {
    pub account: Account,
    pub role: TeamRole,
    pub since: Stamp,
}

/// Managers first, then by name.
pub fn all(conn: &mut Conn, team: &TeamId) -> Result<Vec<Member>> {
    let rows: Vec<(Account, TeamRole, Stamp)> = members::table
        .inner_join(accounts::table)
        .filter(members::team_id.eq(team))
        .order((members::role, accounts::name_key, accounts::id))
        .select((Account::as_select(), members::role, members::created_at))
        .load(conn)?;
    Ok(rows.into_iter().map(|(account, role, since)| Member { account, role, since }).collect())
}

/// The living person of an e-mail address, for adding them: `field` is where it was typed.
pub fn by_email(conn: &mut Conn, typed: &str, field: &'static str) -> Result<Account> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(Error::invalid(field, "Type the e-mail address of a person who has an account here."));
    }
    match account::by_email(conn, typed)?.filter(|account| account.kind == AccountKind::Person && account.is_living()) {
        Some(account) => Ok(account),
        None => Err(Error::invalid(
            field,
            "Nobody with this e-mail address has an account that is enabled. Service accounts are in no team.",
        )),
    }
}

pub(super) fn person(conn: &mut Conn, id: &AccountId, field: &'static str) -> Result<Account> {
    let account = account::by_id(conn, id)?;
    match account.kind == AccountKind::Person && account.is_living() {
        true => Ok(account),
        false => Err(Error::invalid(field, "Only people whose account is enabled can be in a team.")),
    }
}

pub(super) fn insert(tx: &mut Tx<'_>, team: &TeamId, account: &AccountId, role: TeamRole) -> Result<()> {
    let row = (
        members::team_id.eq(team),
        members::account_id.eq(account),
        members::role.eq(role),
        members::created_at.eq(tx.now),
    );
    diesel::insert_into(members::table).values(row).execute(tx.conn)?;
    Ok(())
}

/// Adds a person who is not in the team yet.
pub fn add(tx: &mut Tx<'_>, actor: &Actor, team: &TeamId, id: &AccountId, role: TeamRole) -> Result<()> {
    tx.version()?;
    let team = managed(tx.conn, actor, team)?;
    let account = person(tx.conn, id, "email")?;
    if role_of(tx.conn, &team.id, id)?.is_some() {
        return Err(Error::invalid("email", format!("{} is in this team already.", account.name)));
    }
    insert(tx, &team.id, id, role)?;
    tell(tx, actor, "team.add_member", &team, &account, (None, Some(role)))
}

/// Makes a manager of a member, or a member of a manager; the last manager stays one.
pub fn set(tx: &mut Tx<'_>, actor: &Actor, team: &TeamId, id: &AccountId, role: TeamRole) -> Result<()> {
    tx.version()?;
    let team = managed(tx.conn, actor, team)?;
    let was = role_of(tx.conn, &team.id, id)?.ok_or(Error::Missing)?;
    if was == role {
        return Ok(());
    }
    must_leave_a_manager(tx.conn, &team, id)?;
    diesel::update(members::table.find((&team.id, id))).set(members::role.eq(role)).execute(tx.conn).or_missing()?;
    let account = account::by_id(tx.conn, id)?;
    tell(tx, actor, "team.set_member", &team, &account, (Some(was), Some(role)))
}

/// Takes a person out of the team; the last manager stays.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, team: &TeamId, id: &AccountId) -> Result<()> {
    tx.version()?;
    let team = managed(tx.conn, actor, team)?;
    let was = role_of(tx.conn, &team.id, id)?.ok_or(Error::Missing)?;
    must_leave_a_manager(tx.conn, &team, id)?;
    diesel::delete(members::table.find((&team.id, id))).execute(tx.conn).or_missing()?;
    let account = account::by_id(tx.conn, id)?;
    tell(tx, actor, "team.remove_member", &team, &account, (Some(was), None))
}

/// The event stands in the member's own activity too, and the proxies hear of the member's teams. The roles are those before
/// and after.
fn tell(
    tx: &mut Tx<'_>,
    actor: &Actor,
    action: &'static str,
    team: &Team,
    member: &Account,
    (was, role): (Option<TeamRole>, Option<TeamRole>),
) -> Result<()> {
    let detail = json!({ "member": member.label(), "before": { "role": was }, "after": { "role": role } });
    audit::record(tx, actor, action, Subject::team(&team.id, &team.name), Some(&member.id), detail)?;
    account::teams_changed(tx, std::slice::from_ref(&member.id))
}

/// Whether the actor changes the members of a team to which they stand so.
pub fn may_change(actor: &Actor, relation: Relation) -> bool {
    actor.may_as(relation, Deed::ChangeMembers)
}

/// A team whose members the actor may change.
pub fn managed(conn: &mut Conn, actor: &Actor, id: &TeamId) -> Result<Team> {
    let (team, relation) = visible(conn, actor, id)?;
    match may_change(actor, relation) {
        true => Ok(team),
        false if relation == Relation::Manager => actor.must_as(relation, Deed::ChangeMembers).map(|()| team),
        false => Err(Error::Forbidden("Only the managers of this team and administrators change its members.".into())),
    }
}

fn role_of(conn: &mut Conn, team: &TeamId, account: &AccountId) -> Result<Option<TeamRole>> {
    Ok(members::table.find((team, account)).select(members::role).first(conn).optional()?)
}

/// Another manager has to be there who can act.
pub fn must_leave_a_manager(conn: &mut Conn, team: &Team, leaving: &AccountId) -> Result<()> {
    if role_of(conn, &team.id, leaving)? != Some(TeamRole::Manager) {
        return Ok(());
    }
    let others: i64 = members::table
        .inner_join(accounts::table)
        .filter(members::team_id.eq(&team.id).and(members::role.eq(TeamRole::Manager)))
        .filter(members::account_id.ne(leaving).and(accounts::enabled.eq(true)))
        .count()
        .get_result(conn)?;
    match others {
        0 => Err(Error::Forbidden(format!(
            "This is the last manager of {}. Make another member a manager first.",
            team.name
        ))),
        _ => Ok(()),
    }
}
