//! Service accounts: list, make, describe, edit, remove.

use std::sync::Arc;

use actix_web::web;

use super::accounts::must_lead_on;
use super::answer::{Done, Made, Refused, Told};
use super::bearer::{Bearer, Confirmed};
use super::input::{Body, IfMatch, Query};
use super::json::{List, NewService, NounQuery, Service, ServiceEdit, ServiceOwner};
use super::noun::{self, Noun};
use crate::account::service::list::{Which, owner_names, page};
use crate::account::service::{self, Owner, ServiceDraft};
use crate::account::{self, Account};
use crate::actor::Actor;
use crate::app::App;
use crate::catalogue::own::{DescribeService, EditService, GenerateService, ListServices, RemoveService};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::types::{AccountId, Stamp, TeamId};

/// The noun of the list and of the look at one.
struct Services;

impl Noun for Services {
    type Id = AccountId;
    type Row = Service;
    type Whole = Service;

    fn page(conn: &mut Conn, actor: &Actor, q: &str, after: Option<&AccountId>, most: i64) -> Result<List<Service>> {
        must_lead_on(conn, after)?;
        let page = page(conn, actor, &Which::Visible, q, after, most)?;
        let items = page.rows.iter().map(|listed| Service::of(&listed.account, listed.owner.clone())).collect();
        Ok(List { items, next: page.older.map(|id| id.to_string()), total: Some(page.total) })
    }

    fn told(conn: &mut Conn, actor: &Actor, id: &AccountId, _: Stamp) -> Result<(Service, i64)> {
        let (account, _): (Account, _) = service::visible(conn, actor, id)?;
        let name = owner_names(conn, std::slice::from_ref(&account))?.remove(&account.id).unwrap_or_default();
        Ok((Service::of(&account, name), account.version))
    }
}

pub async fn list(
    caller: Bearer<ListServices>,
    query: Query<NounQuery>,
    app: web::Data<Arc<App>>,
) -> Result<Told<List<Service>>, Refused> {
    noun::list::<Services>(&caller, query.0, &app).await
}

pub async fn describe(
    caller: Bearer<DescribeService>,
    id: web::Path<String>,
    app: web::Data<Arc<App>>,
) -> Result<Told<Service>, Refused> {
    noun::describe::<Services>(&caller, &id, &app).await
}

pub async fn generate(
    caller: Confirmed<GenerateService>,
    body: Body<NewService>,
    app: web::Data<Arc<App>>,
) -> Result<Made<Service>, Refused> {
    let typed = body.value;
    let made = app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        let own = actor.account.clone().ok_or(Error::SignedOut)?;
        let owner = typed.owner.map_or(Owner::Person(own), owner);
        let role = typed.role.to_string();
        let draft = ServiceDraft { name: typed.name, description: typed.description.unwrap_or_default(), role };
        let new = draft.check(tx.conn, &actor, None)?;
        let account = service::make(tx, &actor, &new, &owner)?;
        Ok(Services::told(tx.conn, &actor, &account.id, tx.now)?.0)
    });
    let body = made.await?;
    let location = format!("/api/v1/service-accounts/{}", body.id);
    Ok(Made { body, location, repeated: false })
}

pub async fn edit(
    caller: Confirmed<EditService>,
    id: web::Path<String>,
    body: Body<ServiceEdit>,
    seen: IfMatch,
    app: web::Data<Arc<App>>,
) -> Result<Told<Service>, Refused> {
    let edit = body.value;
    let edited = app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        let (mut account, _) = service::visible(tx.conn, &actor, &AccountId::from(id.as_str()))?;
        if !seen.allows(account.version) {
            return Err(Error::Stale);
        }
        if edit.name.is_some() || edit.description.is_some() || edit.role.is_some() {
            let draft = ServiceDraft {
                name: edit.name.unwrap_or_else(|| account.name.clone()),
                description: edit.description.unwrap_or_else(|| account.description.clone()),
                role: edit.role.unwrap_or(account.role).to_string(),
            };
            let to = draft.check(tx.conn, &actor, Some(&account))?;
            service::edit(tx, &actor, &account.id, account.version, &to)?;
        }
        if let Some(to) = edit.owner {
            account = account::by_id(tx.conn, &account.id)?;
            service::give(tx, &actor, &account.id, account.version, &owner(to))?;
        }
        if let Some(enabled) = edit.enabled {
            service::set_enabled(tx, &actor, &account.id, enabled)?;
        }
        Services::told(tx.conn, &actor, &account.id, tx.now)
    });
    let (service, version) = edited.await.map_err(Refused::of_edit)?;
    Ok(Told::tagged(service, version))
}

pub async fn remove(
    caller: Confirmed<RemoveService>,
    id: web::Path<String>,
    app: web::Data<Arc<App>>,
) -> Result<Done, Refused> {
    app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        service::remove(tx, &actor, &AccountId::from(id.as_str())).map(drop)
    })
    .await?;
    Ok(Done)
}

fn owner(named: ServiceOwner) -> Owner {
    match named {
        ServiceOwner::Person(id) => Owner::Person(AccountId::from(id.as_str())),
        ServiceOwner::Team(id) => Owner::Team(TeamId::from(id.as_str())),
    }
}
