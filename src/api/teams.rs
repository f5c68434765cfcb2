//! Teams and their members.

use std::sync::Arc;

use actix_web::web;

use super::answer::{Done, Made, Refused, Told};
use super::bearer::{Bearer, Confirmed};
use super::input::{Body, IfMatch, Query};
use super::json::{List, Member, Membership, NewTeam, NounQuery, Team, TeamEdit, TeamTold};
use super::noun::{self, Noun};
use crate::actor::Actor;
use crate::app::App;
use crate::catalogue::own::{ChangeMembers, DescribeTeam, EditTeam, GenerateTeam, ListTeams, RemoveTeam};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::team::{self, TeamDraft, member};
use crate::types::{AccountId, Stamp, TeamId};

/// The noun of the list and of the look at one.
struct Teams;

impl Noun for Teams {
    type Id = TeamId;
    type Row = Team;
    type Whole = TeamTold;

    fn page(conn: &mut Conn, actor: &Actor, q: &str, after: Option<&TeamId>, most: i64) -> Result<List<Team>> {
        if let Some(after) = after {
            team::visible(conn, actor, after)
                .map_err(|_| Error::invalid("after", "This cursor leads nowhere. Begin again without it."))?;
        }
        let page = team::list(conn, actor, q, after, most)?;
        let items = page.rows.iter().map(Team::of).collect();
        Ok(List { items, next: page.older.map(|id| id.to_string()), total: Some(page.total) })
    }

    fn told(conn: &mut Conn, actor: &Actor, id: &TeamId, _: Stamp) -> Result<(TeamTold, i64)> {
        let (team, _) = team::visible(conn, actor, id)?;
        let members = member::all(conn, id)?.iter().map(Member::of).collect();
        Ok((TeamTold::of(&team, members), team.version))
    }
}

pub async fn list(
    caller: Bearer<ListTeams>,
    query: Query<NounQuery>,
    app: web::Data<Arc<App>>,
) -> Result<Told<List<Team>>, Refused> {
    noun::list::<Teams>(&caller, query.0, &app).await
}

pub async fn describe(
    caller: Bearer<DescribeTeam>,
    id: web::Path<String>,
    app: web::Data<Arc<App>>,
) -> Result<Told<TeamTold>, Refused> {
    noun::describe::<Teams>(&caller, &id, &app).await
}

pub async fn generate(
    caller: Confirmed<GenerateTeam>,
    body: Body<NewTeam>,
    app: web::Data<Arc<App>>,
) -> Result<Made<TeamTold>, Refused> {
    let typed = body.value;
    let made = app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        let draft = TeamDraft { name: typed.name, description: typed.description.unwrap_or_default() };
        let new = draft.check(tx.conn, None)?;
        let managers: Vec<AccountId> = match typed.managers {
            Some(ids) => ids.iter().map(|id| AccountId::from(id.as_str())).collect(),
            None => actor.account.iter().cloned().collect(),
        };
        let team = team::make(tx, &actor, &new, &managers)?;
        Ok(Teams::told(tx.conn, &actor, &team.id, tx.now)?.0)
    });
    let body = made.await?;
    let location = format!("/api/v1/teams/{}", body.id);
    Ok(Made { body, location, repeated: false })
}

pub async fn edit(
    caller: Confirmed<EditTeam>,
    id: web::Path<String>,
    body: Body<TeamEdit>,
    seen: IfMatch,
    app: web::Data<Arc<App>>,
) -> Result<Told<TeamTold>, Refused> {
    let edit = body.value;
    let edited = app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        let (before, _) = team::visible(tx.conn, &actor, &TeamId::from(id.as_str()))?;
        if !seen.allows(before.version) {
            return Err(Error::Stale);
        }
        let draft = TeamDraft {
            name: edit.name.unwrap_or_else(|| before.name.clone()),
            description: edit.description.unwrap_or_else(|| before.description.clone()),
        };
        let to = draft.check(tx.conn, Some(&before.id))?;
        team::edit(tx, &actor, &before.id, before.version, &to)?;
        Teams::told(tx.conn, &actor, &before.id, tx.now)
    });
    let (team, version) = edited.await.map_err(Refused::of_edit)?;
    Ok(Told::tagged(team, version))
}

pub async fn remove(
    caller: Confirmed<RemoveTeam>,
    id: web::Path<String>,
    app: web::Data<Arc<App>>,
) -> Result<Done, Refused> {
    app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        team::remove(tx, &actor, &TeamId::from(id.as_str())).map(drop)
    })
    .await?;
    Ok(Done)
}

/// Adds a person, or gives a member another role.
pub async fn set_member(
    caller: Confirmed<ChangeMembers>,
    path: web::Path<(String, String)>,
    body: Body<Membership>,
    app: web::Data<Arc<App>>,
) -> Result<Told<Member>, Refused> {
    let (id, account) = path.into_inner();
    let set = app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        let (team, account) = (TeamId::from(id.as_str()), AccountId::from(account.as_str()));
        team::visible(tx.conn, &actor, &team)?;
        let is_in = |conn: &mut Conn| -> Result<Option<Member>> {
            Ok(member::all(conn, &team)?.iter().find(|member| member.account.id == account).map(Member::of))
        };
        match is_in(tx.conn)? {
            Some(_) => member::set(tx, &actor, &team, &account, body.value.role)?,
            None => member::add(tx, &actor, &team, &account, body.value.role)?,
        }
        is_in(tx.conn)?.ok_or(Error::Missing)
    });
    Ok(Told::plain(set.await?))
}

pub async fn remove_member(
    caller: Confirmed<ChangeMembers>,
    path: web::Path<(String, String)>,
    app: web::Data<Arc<App>>,
) -> Result<Done, Refused> {
    let (id, account) = path.into_inner();
    app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        member::remove(tx, &actor, &TeamId::from(id.as_str()), &AccountId::from(account.as_str()))
    })
    .await?;
    Ok(Done)
}
