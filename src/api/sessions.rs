//! Sessions: browsers and programs that a person is signed in with.

use std::sync::Arc;

use actix_web::web;

use super::answer::{Done, Refused, Told};
use super::bearer::{Bearer, Caller, Confirmed};
use super::input::Query;
use super::json::{List, Session, SessionQuery};
use super::page;
use crate::app::App;
use crate::catalogue::own::{EndSessions, ListSessions};
use crate::error::Error;
use crate::session::Which;
use crate::session::everywhere;
use crate::types::SessionId;

pub async fn list(
    caller: Bearer<ListSessions>,
    query: Query<SessionQuery>,
    app: web::Data<Arc<App>>,
) -> Result<Told<List<Session>>, Refused> {
    let (now, policy, present) = (app.now(), app.policy(), present(&caller));
    let listed = app.read(move |conn| {
        let actor = caller.actor(conn, now)?;
        let account = actor.account.as_ref().ok_or(Error::SignedOut)?;
        let places = everywhere::living(conn, account, &present, now, &policy)?;
        Ok(places.iter().map(|place| Session::of(place, place.id == present)).collect())
    });
    let asked = query.0;
    let list = page::of_whole(listed.await?, asked.limit, asked.after.as_deref(), |one: &Session| one.id.clone());
    Ok(Told::plain(list?))
}

pub async fn end(
    caller: Confirmed<EndSessions>,
    id: web::Path<String>,
    app: web::Data<Arc<App>>,
) -> Result<Done, Refused> {
    let which = Which::These(vec![SessionId::from(id.as_str())]);
    end_chosen(&caller, which, &app).await
}

pub async fn end_others(caller: Confirmed<EndSessions>, app: web::Data<Arc<App>>) -> Result<Done, Refused> {
    end_chosen(&caller, Which::Others, &app).await
}

async fn end_chosen(caller: &Caller, which: Which, app: &Arc<App>) -> Result<Done, Refused> {
    let caller = caller.clone();
    app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        everywhere::end_chosen(tx, &actor, &present(&caller), &which).map(drop)
    })
    .await?;
    Ok(Done)
}

/// The session that the caller speaks by, where it is one.
fn present(caller: &Caller) -> SessionId {
    SessionId::from(caller.token.as_str())
}
