//! Teams: people with a role in them, so that a leaver's scripts go on. Made, edited, removed and listed; members are beside.

pub mod member;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::account::{self, Account, check_name};
use crate::actor::{Actor, Deed, Relation};
use crate::audit::{self, Subject};
use crate::db::{Conn, MultiBackend, like};
use crate::error::{Error, OrMissing, OrTaken, Problem, Result};
use crate::schema::{accounts, members, teams};
use crate::tx::Tx;
use crate::types::{AccountId, AccountKind, Stamp, TeamId, TeamRole, is_unprintable};

const NAME_TAKEN: &str = "There is already a team with this name. Choose another.";
const DESCRIPTION_MOST: usize = 500;
/// Rows of a list's page.
pub const PAGE: i64 = 50;

#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = teams)]
#[diesel(check_for_backend(MultiBackend))]
pub struct Team {
    pub id: TeamId,
    pub name: String,
    pub created_at: Stamp,
    /// Of its name and description; members do not raise it.
    pub version: i64,
    pub description: String,
}

/// A team as typed.
#[derive(Clone, Default, Debug)]
pub struct TeamDraft {
    pub name: String,
    pub description: String,
}

/// A checked team: what the confirmation keeps and [`make`] and [`edit`] take.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewTeam {
    pub name: String,
    pub description: String,
}

impl TeamDraft {
    /// All problems at once; `except` is the team that is edited.
    pub fn check(&self, conn: &mut Conn, except: Option<&TeamId>) -> Result<NewTeam> {
        let mut problems = Vec::new();
        let mut wrong = |field, sentence| problems.push(Problem { field, sentence });
        let name = check_team_name(&self.name).map_err(|sentence| wrong("name", sentence)).ok();
        let description = check_description(&self.description).map_err(|s| wrong("description", s)).ok();
        if let Some(name) = &name {
            let same: Vec<TeamId> = teams::table.filter(teams::name.eq(name)).select(teams::id).load(conn)?;
            if same.iter().any(|id| Some(id) != except) {
                wrong("name", NAME_TAKEN.to_owned());
            }
        }
        match (name, description) {
            (Some(name), Some(description)) if problems.is_empty() => Ok(NewTeam { name, description }),
            _ => Err(Error::Invalid(problems)),
        }
    }
}

/// Names go into one header, set apart by commas.
fn check_team_name(typed: &str) -> Result<String, String> {
    match check_name(typed) {
        Ok(name) if name.contains(',') => Err("A team's name cannot hold a comma.".into()),
        checked => checked,
    }
}

pub(crate) fn check_description(typed: &str) -> Result<String, String> {
    let description = typed.trim();
    match description.chars().count() {
        n if n > DESCRIPTION_MOST => {
            Err(format!("A description has up to {DESCRIPTION_MOST} characters; this has {n}."))
        }
        _ if description.chars().any(is_unprintable) => Err("A description cannot hold control characters.".into()),
        _ => Ok(description.to_owned()),
    }
}

/// A new team with its first managers, at least one.
pub fn make(tx: &mut Tx<'_>, actor: &Actor, new: &NewTeam, managers: &[AccountId]) -> Result<Team> {
    actor.must_see(Relation::Own, Deed::Administer)?;
    let version = tx.version()?;
    if managers.is_empty() {
        return Err(Error::invalid("manager", "A team has at least one manager. Name one by e-mail address."));
    }
    let team = Team {
        id: tx.id()?,
        name: new.name.clone(),
        created_at: tx.now,
        version,
        description: new.description.clone(),
    };
    diesel::insert_into(teams::table).values(&team).execute(tx.conn).or_taken("name", NAME_TAKEN)?;
    let mut names = Vec::with_capacity(managers.len());
    for manager in managers {
        let account = member::person(tx.conn, manager, "manager")?;
        member::insert(tx, &team.id, &account.id, TeamRole::Manager)?;
        names.push(account.label().to_owned());
    }
    let detail = json!({ "description": team.description, "managers": names });
    audit::record(tx, actor, "team.make", Subject::team(&team.id, &team.name), None, detail)?;
    account::teams_changed(tx, managers)?;
    Ok(team)
}

/// Renames and describes, unless somebody else did so since the team had the version `seen`.
pub fn edit(tx: &mut Tx<'_>, actor: &Actor, id: &TeamId, seen: i64, to: &NewTeam) -> Result<Team> {
    let version = tx.version()?;
    let before = administered(tx.conn, actor, id)?;
    if before.version != seen {
        return Err(Error::Stale);
    }
    let team = Team { name: to.name.clone(), description: to.description.clone(), version, ..before.clone() };
    let shown = |team: &Team| json!({ "name": team.name, "description": team.description });
    if shown(&team) == shown(&before) {
        return Ok(before);
    }
    diesel::update(teams::table.find(id))
        .set((teams::name.eq(&team.name), teams::description.eq(&team.description), teams::version.eq(version)))
        .execute(tx.conn)
        .or_taken("name", NAME_TAKEN)?;
    let detail = json!({ "before": shown(&before), "after": shown(&team) });
    audit::record(tx, actor, "team.edit", Subject::team(id, &team.name), None, detail)?;
    if team.name != before.name {
        let mut concerned: Vec<AccountId> =
            members::table.filter(members::team_id.eq(id)).select(members::account_id).load(tx.conn)?;
        concerned.extend(services_of(tx.conn, id)?.into_iter().map(|service| service.id));
        account::teams_changed(tx, &concerned)?;
    }
    Ok(team)
}

/// Removes a team that owns nothing any more.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, id: &TeamId) -> Result<Team> {
    let version = tx.version()?;
    let team = administered(tx.conn, actor, id)?;
    must_own_nothing(tx.conn, &team)?;
    let former: Vec<AccountId> =
        members::table.filter(members::team_id.eq(id)).select(members::account_id).load(tx.conn)?;
    diesel::delete(members::table.filter(members::team_id.eq(id))).execute(tx.conn)?;
    // Rows of removed service accounts stay for history, without the team that they belonged to.
    diesel::update(accounts::table.filter(accounts::owner_team_id.eq(id)))
        .set((accounts::owner_team_id.eq(None::<TeamId>), accounts::version.eq(version)))
        .execute(tx.conn)?;
    diesel::delete(teams::table.find(id)).execute(tx.conn).or_missing()?;
    let detail = json!({ "members": former.len() });
    audit::record(tx, actor, "team.remove", Subject::team(id, &team.name), None, detail)?;
    account::teams_changed(tx, &former)?;
    Ok(team)
}

/// Refuses where service accounts would be left without an owner.
pub fn must_own_nothing(conn: &mut Conn, team: &Team) -> Result<()> {
    const NAMED: usize = 5;
    let owned = services_of(conn, &team.id)?;
    if owned.is_empty() {
        return Ok(());
    }
    let mut names: Vec<String> = owned.iter().take(NAMED).map(|service| service.name.clone()).collect();
    if let Some(more) = owned.len().checked_sub(NAMED).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    Err(Error::Forbidden(format!(
        "{} owns service accounts: {}. Hand them to another owner or remove them first.",
        team.name,
        names.join(", ")
    )))
}

/// The service accounts of a team that are not removed, by name.
pub fn services_of(conn: &mut Conn, id: &TeamId) -> Result<Vec<Account>> {
    let owned = accounts::table
        .filter(accounts::kind.eq(AccountKind::Service))
        .filter(accounts::owner_team_id.eq(id).and(accounts::removed_at.is_null()));
    Ok(owned.order((accounts::name_key, accounts::id)).select(Account::as_select()).load(conn)?)
}

/// A team that the actor may see, with how they stand to it. All others are missing.
pub fn visible(conn: &mut Conn, actor: &Actor, id: &TeamId) -> Result<(Team, Relation)> {
    let team: Team = teams::table.find(id).select(Team::as_select()).first(conn)?;
    let relation = relation(conn, actor, id)?;
    actor.must_see(relation, Deed::SeeTeam)?;
    Ok((team, relation))
}

fn administered(conn: &mut Conn, actor: &Actor, id: &TeamId) -> Result<Team> {
    let (team, relation) = visible(conn, actor, id)?;
    actor.must_as(relation, Deed::Administer)?;
    Ok(team)
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

/// Whether an account is in any team.
pub fn has_any(conn: &mut Conn, account: &AccountId) -> Result<bool> {
    let first: Option<TeamId> =
        members::table.filter(members::account_id.eq(account)).select(members::team_id).first(conn).optional()?;
    Ok(first.is_some())
}

/// A page of the teams that the actor may see, by name; `after` is the last team of the former page.
pub struct Page {
    pub rows: Vec<Listed>,
    pub total: i64,
    /// Rows before this page.
    pub before: i64,
    pub older: Option<TeamId>,
    /// What the page before this one comes after; `None` also for the first page.
    pub newer: Option<TeamId>,
}

/// A team with what stands beside it.
pub struct Listed {
    pub team: Team,
    pub members: i64,
    pub managers: i64,
    pub services: i64,
}

/// Up to `most` rows.
pub fn list(conn: &mut Conn, actor: &Actor, q: &str, after: Option<&TeamId>, most: i64) -> Result<Page> {
    let everybody = actor.may_as(Relation::Other, Deed::SeeTeam);
    let mine = actor.account.clone();
    let found = || {
        let mut query = teams::table.into_boxed::<MultiBackend>();
        if !everybody {
            let own = members::table.filter(members::account_id.nullable().eq(mine.clone())).select(members::team_id);
            query = query.filter(teams::id.eq_any(own));
        }
        for word in q.to_lowercase().split_whitespace() {
            let word = format!("%{}%", like(word));
            query = query.filter(
                lower(teams::name)
                    .like(word.clone())
                    .escape('\\')
                    .or(lower(teams::description).like(word).escape('\\')),
            );
        }
        query
    };
    let last: Option<Team> = match after {
        Some(id) => teams::table.find(id).select(Team::as_select()).first(conn).optional()?,
        None => None,
    };
    let behind = || match &last {
        Some(last) => found().filter(
            teams::name.gt(last.name.clone()).or(teams::name.eq(last.name.clone()).and(teams::id.gt(last.id.clone()))),
        ),
        None => found(),
    };
    let total: i64 = found().count().get_result(conn)?;
    let before = if last.is_some() { total - behind().count().get_result::<i64>(conn)? } else { 0 };
    let newer = match before > most {
        true => {
            let place = found().order((teams::name, teams::id)).offset(before - most - 1).limit(1);
            place.select(teams::id).first(conn).optional()?
        }
        false => None,
    };
    let mut rows: Vec<Team> =
        behind().order((teams::name, teams::id)).limit(most + 1).select(Team::as_select()).load(conn)?;
    let more = rows.len() as i64 > most;
    rows.truncate(usize::try_from(most).unwrap_or_default());
    let older = more.then(|| rows.last().map(|team| team.id.clone())).flatten();
    Ok(Page { rows: dress(conn, rows)?, total, before, older, newer })
}

diesel::define_sql_function! {
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

fn dress(conn: &mut Conn, rows: Vec<Team>) -> Result<Vec<Listed>> {
    let ids: Vec<&TeamId> = rows.iter().map(|team| &team.id).collect();
    let people: Vec<(TeamId, TeamRole, i64)> = members::table
        .filter(members::team_id.eq_any(ids.clone()))
        .group_by((members::team_id, members::role))
        .select((members::team_id, members::role, diesel::dsl::count_star()))
        .load(conn)?;
    let services: Vec<(Option<TeamId>, i64)> = accounts::table
        .filter(accounts::owner_team_id.eq_any(ids).and(accounts::removed_at.is_null()))
        .group_by(accounts::owner_team_id)
        .select((accounts::owner_team_id, diesel::dsl::count_star()))
        .load(conn)?;
    let dressed = rows.into_iter().map(|team| {
        let of = |role: Option<TeamRole>| {
            let counted = people.iter().filter(|(id, is, _)| *id == team.id && role.is_none_or(|role| role == *is));
            counted.map(|(.., n)| n).sum()
        };
        let owned = services.iter().find(|(id, _)| id.as_ref() == Some(&team.id));
        Listed {
            members: of(None),
            managers: of(Some(TeamRole::Manager)),
            services: owned.map_or(0, |(_, n)| *n),
            team,
        }
    });
    Ok(dressed.collect())
}
