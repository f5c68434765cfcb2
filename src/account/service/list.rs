//! Lists of service accounts: those of an actor and of their teams, or all of them; and those that one may generate tokens for.

use std::collections::HashMap;

use diesel::dsl::{count_star, max};
use diesel::prelude::*;

use super::{Owner, owner_of};
use crate::account::Account;
use crate::actor::{Actor, Deed, Relation};
use crate::db::{Conn, MultiBackend, like};
use crate::error::Result;
use crate::schema::{accounts, members, teams, tokens, uses};
use crate::team;
use crate::token;
use crate::types::{AccountId, AccountKind, Stamp, TeamId};

/// Rows of a page for people.
pub const PAGE: i64 = 50;
/// Rows of a choice: whoever has more finds them in the list.
const CHOICES_MOST: i64 = 200;

/// By name; `after` is the last account of the former page.
pub struct Page {
    pub rows: Vec<Listed>,
    pub total: i64,
    /// Rows before this page.
    pub before: i64,
    pub older: Option<AccountId>,
    /// What the page before this one comes after; `None` also for the first page.
    pub newer: Option<AccountId>,
}

/// A service account with what stands beside it.
pub struct Listed {
    pub account: Account,
    /// Name of the person or team that it belongs to.
    pub owner: String,
    /// Those that are not removed.
    pub tokens: i64,
    /// Of whichever token was used last.
    pub used: Option<Stamp>,
}

/// Which service accounts: those that the actor may see, or those of one team, which the caller has found to be seen.
#[derive(Clone)]
pub enum Which {
    Visible,
    OfTeam(TeamId),
}

/// Up to `most` rows.
pub fn page(
    conn: &mut Conn,
    actor: &Actor,
    which: &Which,
    q: &str,
    after: Option<&AccountId>,
    most: i64,
) -> Result<Page> {
    let found = || {
        let mut query = own(actor, which);
        for word in q.to_lowercase().split_whitespace() {
            query = query.filter(accounts::folded.like(format!("%{}%", like(word))).escape('\\'));
        }
        query
    };
    let last: Option<Account> = match after {
        Some(id) => accounts::table.find(id).select(Account::as_select()).first(conn).optional()?,
        None => None,
    };
    let behind = || match &last {
        Some(last) => {
            let (name, id) = (last.name_key.clone(), last.id.clone());
            let same = accounts::name_key.eq(name.clone()).and(accounts::id.gt(id));
            found().filter(accounts::name_key.gt(name).or(same))
        }
        None => found(),
    };
    let total: i64 = found().count().get_result(conn)?;
    let before = if last.is_some() { total - behind().count().get_result::<i64>(conn)? } else { 0 };
    let newer = match before > most {
        true => {
            let place = found().order((accounts::name_key, accounts::id)).offset(before - most - 1).limit(1);
            place.select(accounts::id).first(conn).optional()?
        }
        false => None,
    };
    let in_order = behind().order((accounts::name_key, accounts::id));
    let mut rows: Vec<Account> = in_order.limit(most + 1).select(Account::as_select()).load(conn)?;
    let more = rows.len() as i64 > most;
    rows.truncate(usize::try_from(most).unwrap_or_default());
    let older = more.then(|| rows.last().map(|account| account.id.clone())).flatten();
    Ok(Page { rows: dress(conn, rows)?, total, before, older, newer })
}

fn own(actor: &Actor, which: &Which) -> accounts::BoxedQuery<'static, MultiBackend> {
    let living = accounts::table
        .filter(accounts::kind.eq(AccountKind::Service).and(accounts::removed_at.is_null()))
        .into_boxed::<MultiBackend>();
    match which {
        Which::OfTeam(team) => living.filter(accounts::owner_team_id.eq(team.clone())),
        Which::Visible if actor.may_as(Relation::Other, Deed::SeeServiceAccount) => living,
        Which::Visible => living.filter(belongs_to(actor)),
    }
}

type OfActor = Box<
    dyn diesel::expression::BoxableExpression<
            accounts::table,
            MultiBackend,
            SqlType = diesel::sql_types::Nullable<diesel::sql_types::Bool>,
        >,
>;

/// Those of the actor and of the teams that the actor is in.
fn belongs_to(actor: &Actor) -> OfActor {
    let me = actor.account.clone();
    let teams =
        members::table.filter(members::account_id.nullable().eq(me.clone())).select(members::team_id.nullable());
    Box::new(accounts::owner_account_id.eq(me).or(accounts::owner_team_id.eq_any(teams)))
}

fn dress(conn: &mut Conn, rows: Vec<Account>) -> Result<Vec<Listed>> {
    let ids: Vec<&AccountId> = rows.iter().map(|account| &account.id).collect();
    let held: Vec<(AccountId, i64)> = tokens::table
        .filter(tokens::owner_id.eq_any(ids.clone()).and(tokens::removed_at.is_null()))
        .group_by(tokens::owner_id)
        .select((tokens::owner_id, count_star()))
        .load(conn)?;
    let used: Vec<(AccountId, Option<Stamp>)> = uses::table
        .inner_join(tokens::table)
        .filter(tokens::owner_id.eq_any(ids))
        .group_by(tokens::owner_id)
        .select((tokens::owner_id, max(uses::used_at)))
        .load(conn)?;
    let (held, used): (HashMap<_, _>, HashMap<_, _>) = (held.into_iter().collect(), used.into_iter().collect());
    let owners = owner_names(conn, &rows)?;
    let dressed = rows.into_iter().map(|account| Listed {
        owner: owners.get(&account.id).cloned().unwrap_or_default(),
        tokens: held.get(&account.id).copied().unwrap_or_default(),
        used: used.get(&account.id).copied().flatten(),
        account,
    });
    Ok(dressed.collect())
}

/// The name of whom each of these belongs to.
pub fn owner_names(conn: &mut Conn, of: &[Account]) -> Result<HashMap<AccountId, String>> {
    let (mut people, mut groups) = (Vec::new(), Vec::new());
    for account in of {
        people.extend(account.owner_account_id.as_ref());
        groups.extend(account.owner_team_id.as_ref());
    }
    let people: HashMap<AccountId, String> = accounts::table
        .filter(accounts::id.eq_any(people))
        .select((accounts::id, accounts::name))
        .load::<(AccountId, String)>(conn)?
        .into_iter()
        .collect();
    let groups: HashMap<TeamId, String> = teams::table
        .filter(teams::id.eq_any(groups))
        .select((teams::id, teams::name))
        .load::<(TeamId, String)>(conn)?
        .into_iter()
        .collect();
    let named = of.iter().filter_map(|account| {
        let name = match owner_of(account)? {
            Owner::Person(id) => people.get(&id),
            Owner::Team(id) => groups.get(&id),
        };
        Some((account.id.clone(), name?.clone()))
    });
    Ok(named.collect())
}

/// The enabled service accounts of the actor and of their teams that the actor may generate tokens for, by name.
pub fn for_tokens(conn: &mut Conn, actor: &Actor) -> Result<Vec<Account>> {
    let found = accounts::table
        .filter(accounts::kind.eq(AccountKind::Service).and(accounts::removed_at.is_null()))
        .filter(accounts::enabled.eq(true))
        .into_boxed::<MultiBackend>()
        .filter(belongs_to(actor));
    let in_order = found.order((accounts::name_key, accounts::id)).limit(CHOICES_MOST);
    let mut choices = Vec::new();
    for account in in_order.select(Account::as_select()).load::<Account>(conn)? {
        let relation = crate::account::relation(conn, actor, &account)?;
        if token::must_take_values(actor, relation, &account).is_ok() {
            choices.push(account);
        }
    }
    Ok(choices)
}

/// The teams that the actor may make a service account for, by name.
pub fn teams_for_making(conn: &mut Conn, actor: &Actor) -> Result<Vec<team::Team>> {
    let Some(me) = &actor.account else { return Ok(Vec::new()) };
    let mut teams = Vec::new();
    for (team, _) in team::of_account(conn, me)? {
        let relation = team::relation(conn, actor, &team.id)?;
        if actor.may_as(relation, Deed::ChangeServiceAccount) {
            teams.push(team);
        }
    }
    Ok(teams)
}
