//! Leaving: a person is disabled, and each living token and service account of theirs is handed to a team, kept frozen or
//! removed, in one transaction. Nothing dies or lives on silently.

use std::collections::BTreeMap;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::person::{changeable, changeable_as, disable, must_be_unchanged, must_leave_an_owner};
use super::service::{self, NewService, Owner};
use super::{Account, by_id, services_of};
use crate::actor::Actor;
use crate::catalogue::Catalogue;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::schema::teams;
use crate::secret::Secret;
use crate::team::Team;
use crate::token::hand_over::hand_over;
use crate::token::regenerate::{Renewal, regenerate};
use crate::token::{self, Token};
use crate::tx::Tx;
use crate::types::{AccountId, Role, Stamp, TeamId, TokenId};

/// A team's new service account has no more than that: a right above it is given by hand, not by a leaver.
const MOST_ROLE: Role = Role::Contributor;

/// What becomes of one thing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Fate {
    Freeze,
    Remove,
    /// With a new value, always.
    Team(TeamId),
}

/// What was chosen for each thing, with the version that was on the page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Leaving {
    pub id: AccountId,
    pub seen: i64,
    pub tokens: Vec<(TokenId, i64, Fate)>,
    pub services: Vec<(AccountId, i64, Fate)>,
}

/// What a person leaves behind that may still live.
pub struct Belongings {
    pub tokens: Vec<Token>,
    pub services: Vec<(Account, Vec<Token>)>,
}

impl Belongings {
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.services.is_empty()
    }
}

/// A token that goes on under a team; the only place where its new value ever is.
pub struct Handed {
    pub token: Token,
    /// The service account that has it now.
    pub to: Account,
    pub team: String,
    pub value: Secret,
}

/// Everything that has to be decided, and that the actor may: the last owner stays.
pub fn belongings(conn: &mut Conn, actor: &Actor, id: &AccountId, now: Stamp) -> Result<(Account, Belongings)> {
    let account = by_id(conn, id)?;
    changeable_as(actor, &account)?;
    must_leave_an_owner(conn, &account)?;
    Ok((account, left_by(conn, id, now)?))
}

fn left_by(conn: &mut Conn, id: &AccountId, now: Stamp) -> Result<Belongings> {
    let mut services = Vec::new();
    for service in services_of(conn, id)? {
        let tokens = token::living_of(conn, &service.id, now)?;
        services.push((service, tokens));
    }
    Ok(Belongings { tokens: token::living_of(conn, id, now)?, services })
}

/// The teams that things may be handed to, by name.
pub fn teams(conn: &mut Conn) -> Result<Vec<Team>> {
    Ok(teams::table.order((teams::name, teams::id)).select(Team::as_select()).load(conn)?)
}

/// The role of the service account that a leaver's token goes to.
pub fn role_under_team(leaver: &Account) -> Role {
    leaver.role.min(MOST_ROLE)
}

/// Does all of it, or nothing. A choice that names not exactly what is there now is out of date.
pub fn leave(
    tx: &mut Tx<'_>,
    actor: &Actor,
    catalogue: &Catalogue,
    plan: &Leaving,
    prefix: &str,
) -> Result<Vec<Handed>> {
    must_be_unchanged(tx, actor, &plan.id, plan.seen)?;
    let leaver = changeable(tx, actor, &plan.id)?;
    must_leave_an_owner(tx.conn, &leaver)?;
    let left = left_by(tx.conn, &plan.id, tx.now)?;
    must_be_whole(plan, &left)?;
    let mut handed = Vec::new();
    for (id, seen, fate) in &plan.tokens {
        let Some(token) = left.tokens.iter().find(|token| token.id == *id) else { return Err(Error::Stale) };
        match fate {
            Fate::Freeze => {}
            Fate::Remove => drop(token::remove(tx, actor, std::slice::from_ref(id))?),
            Fate::Team(team) => {
                let team = team_of(tx.conn, team)?;
                let to = make_service(tx, actor, &leaver, token, &team)?;
                let (token, value) = hand_over(tx, actor, catalogue, (id, *seen), &to, prefix)?;
                handed.push(Handed { token, to, team: team.name, value });
            }
        }
    }
    for (id, _, fate) in &plan.services {
        match fate {
            // Disabling the person disables it.
            Fate::Freeze => {}
            Fate::Remove => drop(service::remove(tx, actor, id)?),
            Fate::Team(team) => {
                let held = left.services.iter().find(|(service, _)| service.id == *id).ok_or(Error::Stale)?;
                let team = team_of(tx.conn, team)?;
                handed.append(&mut give_service(tx, actor, held, team, prefix)?);
            }
        }
    }
    disable(tx, actor, &plan.id)?;
    Ok(handed)
}

/// Every thing that there is, each once and as it was on the page.
fn must_be_whole(plan: &Leaving, left: &Belongings) -> Result<()> {
    let chosen: BTreeMap<&TokenId, i64> = plan.tokens.iter().map(|(id, seen, _)| (id, *seen)).collect();
    let there: BTreeMap<&TokenId, i64> = left.tokens.iter().map(|token| (&token.id, token.version)).collect();
    let chosen_services: BTreeMap<&AccountId, i64> = plan.services.iter().map(|(id, seen, _)| (id, *seen)).collect();
    let services: BTreeMap<&AccountId, i64> =
        left.services.iter().map(|(service, _)| (&service.id, service.version)).collect();
    match chosen == there && chosen_services == services {
        true => Ok(()),
        false => Err(Error::Stale),
    }
}

fn team_of(conn: &mut Conn, id: &TeamId) -> Result<Team> {
    let team: Option<Team> = teams::table.find(id).select(Team::as_select()).first(conn).optional()?;
    team.ok_or(Error::Stale)
}

/// The account under which a token goes on in a team, named after its person and itself.
fn make_service(tx: &mut Tx<'_>, actor: &Actor, leaver: &Account, token: &Token, team: &Team) -> Result<Account> {
    let new = NewService {
        name: service::free_name(tx.conn, &format!("{} {}", leaver.name, token.name))?,
        description: format!("Goes on with what {} left.", leaver.name),
        role: role_under_team(leaver),
    };
    service::make(tx, actor, &new, &Owner::Team(team.id.clone()))
}

/// A service account to a team, and a new value for each of its tokens: the leaver may know the old ones.
fn give_service(
    tx: &mut Tx<'_>,
    actor: &Actor,
    (service, tokens): &(Account, Vec<Token>),
    team: Team,
    prefix: &str,
) -> Result<Vec<Handed>> {
    let to = service::give(tx, actor, &service.id, service.version, &Owner::Team(team.id))?;
    let mut handed = Vec::new();
    for token in tokens {
        let (id, seen, expires_at) = (token.id.clone(), token.version, token.expires_at);
        let wish = Renewal { id, seen, previous_ends_at: None, expires_at };
        let (token, value) = regenerate(tx, actor, &wish, prefix)?;
        handed.push(Handed { token, to: to.clone(), team: team.name.clone(), value });
    }
    Ok(handed)
}
