//! People: list, describe, invite, and change what only administrators change.

use std::sync::Arc;

use actix_web::web;

use super::answer::{Done, Made, Refused, Told};
use super::bearer::{Bearer, Confirmed};
use super::input::{Body, IfMatch, Query};
use super::json::{AccountEdit, AccountQuery, Invitation, List, NewAccount, Person};
use super::page::{cursor, limit, lost};
use crate::account::list::{Ask, Filter, one, page};
use crate::account::{self, Account, Order, PersonDraft, Wish};
use crate::actor::{Actor, Deed, Relation};
use crate::app::App;
use crate::catalogue::own::{DescribeAccount, EditAccount, EndAccountSessions, InviteAccount, ListAccounts};
use crate::config::Config;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::types::{AccountId, AccountKind, Stamp};

pub async fn list(
    caller: Bearer<ListAccounts>,
    query: Query<AccountQuery>,
    app: web::Data<Arc<App>>,
) -> Result<Told<List<Person>>, Refused> {
    let asked = query.0;
    let filter = match asked.status.as_deref() {
        None => Filter::All,
        Some(word @ ("invited" | "disabled")) => Filter::parse(word),
        Some(_) => return Err(Refused::field("status", "Filter by invited or disabled.")),
    };
    let ask = Ask { filter, role: asked.role, q: asked.q, after: cursor(asked.after)?, most: limit(asked.limit)? };
    let now = app.now();
    let found = app.read(move |conn| {
        let actor = caller.actor(conn, now)?;
        actor.must_as(Relation::OtherPerson, Deed::Administer)?;
        must_lead_on(conn, ask.after.as_ref())?;
        page(conn, &ask, now)
    });
    let page = found.await.map_err(lost)?;
    let nth = Filter::EVERY.iter().position(|of| *of == filter).unwrap_or_default();
    let total = page.counts.and_then(|counts| counts.get(nth).copied());
    let items = page.rows.iter().map(Person::of).collect();
    Ok(Told::plain(List { items, next: page.next.map(|id| id.to_string()), total }))
}

/// A cursor is the id of an account.
pub fn must_lead_on(conn: &mut Conn, after: Option<&AccountId>) -> Result<()> {
    match after.map(|id| account::by_id(conn, id)) {
        Some(Err(Error::Missing)) => Err(Error::invalid("after", "This cursor leads nowhere. Begin again without it.")),
        Some(other) => other.map(drop),
        None => Ok(()),
    }
}

pub async fn describe(
    caller: Bearer<DescribeAccount>,
    id: web::Path<String>,
    app: web::Data<Arc<App>>,
) -> Result<Told<Person>, Refused> {
    let now = app.now();
    let found = app.read(move |conn| {
        let actor = caller.actor(conn, now)?;
        told(conn, &actor, &AccountId::from(id.as_str()), now)
    });
    let (person, version) = found.await?;
    Ok(Told::tagged(person, version))
}

/// The link is in this answer and nowhere else; whoever has it sets the password.
pub async fn invite(
    caller: Confirmed<InviteAccount>,
    body: Body<NewAccount>,
    app: web::Data<Arc<App>>,
    config: web::Data<Config>,
) -> Result<Made<Invitation>, Refused> {
    let typed = body.value;
    let draft = PersonDraft { name: typed.name, email: typed.email, role: typed.role };
    let made = app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        actor.must_as(Relation::OtherPerson, Deed::Administer)?;
        let (account, key) = account::invitation::invite(tx, &actor, &draft)?;
        Ok((told(tx.conn, &actor, &account.id, tx.now)?.0, key))
    });
    let (account, key) = made.await?;
    let link = config.public_url.join(&format!("invite/{}", key.reveal())).map_err(Error::internal)?;
    let location = format!("/api/v1/accounts/{}", account.id);
    Ok(Made { body: Invitation { account, link: link.to_string() }, location, repeated: false })
}

pub async fn edit(
    caller: Confirmed<EditAccount>,
    id: web::Path<String>,
    body: Body<AccountEdit>,
    seen: IfMatch,
    app: web::Data<Arc<App>>,
) -> Result<Told<Person>, Refused> {
    let edited = app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        let before = person(tx.conn, &actor, &AccountId::from(id.as_str()))?;
        if !seen.allows(before.version) {
            return Err(Error::Stale);
        }
        let wishes = [
            body.value.role.filter(|role| *role != before.role).map(Wish::Role),
            body.value
                .enabled
                .filter(|on| *on != before.enabled)
                .map(|on| if on { Wish::Enable } else { Wish::Disable }),
        ];
        for wish in wishes.into_iter().flatten() {
            let seen = account::by_id(tx.conn, &before.id)?.version;
            account::check_order(tx.conn, &actor, &before.id, wish)?;
            account::obey(tx, &actor, &Order { id: before.id.clone(), seen, wish })?;
        }
        told(tx.conn, &actor, &before.id, tx.now)
    });
    let (person, version) = edited.await.map_err(Refused::of_edit)?;
    Ok(Told::tagged(person, version))
}

/// Ends every session of a person, programs' too.
pub async fn end_sessions(
    caller: Confirmed<EndAccountSessions>,
    id: web::Path<String>,
    app: web::Data<Arc<App>>,
) -> Result<Done, Refused> {
    app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        let account = person(tx.conn, &actor, &AccountId::from(id.as_str()))?;
        account::end_sessions(tx, &actor, &account.id).map(drop)
    })
    .await?;
    Ok(Done)
}

/// A person whom the actor may see: everybody else, and service accounts, are missing here.
fn person(conn: &mut Conn, actor: &Actor, id: &AccountId) -> Result<Account> {
    let account = account::by_id(conn, id)?;
    let relation = account::relation(conn, actor, &account)?;
    actor.must_see(relation, Deed::SeeTokens)?;
    if account.kind == AccountKind::Person { Ok(account) } else { Err(Error::Missing) }
}

fn told(conn: &mut Conn, actor: &Actor, id: &AccountId, now: Stamp) -> Result<(Person, i64)> {
    let account = person(conn, actor, id)?;
    let version = account.version;
    let listed = one(conn, account, now)?.ok_or(Error::Missing)?;
    Ok((Person::of(&listed), version))
}
