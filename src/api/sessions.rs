//! Sessions: browsers and programs that a person is signed in with.

use std::sync::Arc;

use actix_web::web;

use super::answer::{Done, Refused, Told};
use super::bearer::{Bearer, Confirmed};
use super::input::Query;
use super::json::{List, Session, SessionQuery};
use super::page;
use crate::app::App;
use crate::catalogue::own::{EndSessions, ListSessions};
use crate::error::Error;
use crate::session::{self, Which};
use crate::token;
use crate::types::{SessionId, TokenId};

/// No browser's: what speaks here is a token.
const NONE: &str = "-";

pub async fn list(
    caller: Bearer<ListSessions>,
    query: Query<SessionQuery>,
    app: web::Data<Arc<App>>,
) -> Result<Told<List<Session>>, Refused> {
    let (now, policy) = (app.now(), app.policy());
    let listed = app.read(move |conn| {
        let actor = caller.actor(conn, now)?;
        let account = actor.account.as_ref().ok_or(Error::SignedOut)?;
        let programs = token::session::living(conn, account, now)?;
        let browsers = session::living(conn, account, &NONE.into(), now, &policy)?;
        let programs = programs.iter().map(|listed| Session::of_program(listed, caller.token == listed.token.id));
        let browsers = browsers.iter().map(|session| Session::of_browser(session, &policy));
        Ok(programs.chain(browsers).collect::<Vec<Session>>())
    });
    let asked = query.0;
    let list = page::of_whole(listed.await?, asked.limit, asked.after.as_deref(), |session| session.id.clone());
    Ok(Told::plain(list?))
}

pub async fn end(
    caller: Confirmed<EndSessions>,
    id: web::Path<String>,
    app: web::Data<Arc<App>>,
) -> Result<Done, Refused> {
    app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        let program = TokenId::from(id.as_str());
        match token::session::end_chosen(tx, &actor, |id| *id == program)? {
            0 => {
                let which = Which::These(vec![SessionId::from(id.as_str())]);
                session::end_chosen(tx, &actor, &NONE.into(), &which).map(drop)
            }
            _ => Ok(()),
        }
    })
    .await?;
    Ok(Done)
}

pub async fn end_others(caller: Confirmed<EndSessions>, app: web::Data<Arc<App>>) -> Result<Done, Refused> {
    app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        token::session::end_chosen(tx, &actor, |id| *id != caller.token)?;
        session::end_chosen(tx, &actor, &NONE.into(), &Which::Others).map(drop)
    })
    .await?;
    Ok(Done)
}
