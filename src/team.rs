//! Teams: people with a role in them, so that a leaver's scripts go on.

use diesel::prelude::*;

use crate::actor::{Actor, Relation};
use crate::db::{Conn, MultiBackend};
use crate::error::Result;
use crate::schema::{members, teams};
use crate::types::{AccountId, Stamp, TeamId, TeamRole};

#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = teams)]
#[diesel(check_for_backend(MultiBackend))]
pub struct Team {
    pub id: TeamId,
    pub name: String,
    pub created_at: Stamp,
    pub version: i64,
    pub description: String,
}

/// How the actor stands to a team and to what belongs to it, at this moment.
pub fn relation(conn: &mut Conn, actor: &Actor, team: &TeamId) -> Result<Relation> {
    let Some(me) = &actor.account else { return Ok(Relation::Other) };
    let role: Option<TeamRole> = members::table.find((team, me)).select(members::role).first(conn).optional()?;
    Ok(match role {
        Some(TeamRole::Manager) => Relation::Manager,
        Some(TeamRole::Member) => Relation::Member,
        None => Relation::Other,
    })
}

/// The teams that an account is in, by name, each with its role there.
pub fn of_account(conn: &mut Conn, account: &AccountId) -> Result<Vec<(Team, TeamRole)>> {
    let rows = members::table.inner_join(teams::table).filter(members::account_id.eq(account)).order(teams::name);
    Ok(rows.select((Team::as_select(), members::role)).load(conn)?)
}
