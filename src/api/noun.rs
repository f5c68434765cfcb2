//! What service accounts and teams have in common: a list that is searched by words and goes by name, and one of it by its id.

use std::sync::Arc;

use actix_web::web;

use super::answer::{Refused, Told};
use super::bearer::Caller;
use super::json::{List, NounQuery};
use super::page::{cursor, limit, lost};
use crate::actor::Actor;
use crate::app::App;
use crate::db::Conn;
use crate::error::Result;
use crate::types::Stamp;

pub trait Noun {
    type Id: for<'t> From<&'t str> + Send + 'static;
    /// As a list tells it.
    type Row: Send + 'static;
    /// As it is told by itself.
    type Whole: Send + 'static;

    fn page(conn: &mut Conn, actor: &Actor, q: &str, after: Option<&Self::Id>, most: i64) -> Result<List<Self::Row>>;
    /// With its version.
    fn told(conn: &mut Conn, actor: &Actor, id: &Self::Id, now: Stamp) -> Result<(Self::Whole, i64)>;
}

pub async fn list<N: Noun>(
    caller: &Caller,
    asked: NounQuery,
    app: &web::Data<Arc<App>>,
) -> Result<Told<List<N::Row>>, Refused> {
    let (caller, now, most) = (caller.clone(), app.now(), limit(asked.limit)?);
    let after: Option<N::Id> = cursor(asked.after)?;
    let found = app.read(move |conn| {
        let actor = caller.actor(conn, now)?;
        N::page(conn, &actor, &asked.q, after.as_ref(), most)
    });
    Ok(Told::plain(found.await.map_err(lost)?))
}

pub async fn describe<N: Noun>(
    caller: &Caller,
    id: &str,
    app: &web::Data<Arc<App>>,
) -> Result<Told<N::Whole>, Refused> {
    let (caller, now, id) = (caller.clone(), app.now(), N::Id::from(id));
    let found = app.read(move |conn| {
        let actor = caller.actor(conn, now)?;
        N::told(conn, &actor, &id, now)
    });
    let (whole, version) = found.await?;
    Ok(Told::tagged(whole, version))
}
