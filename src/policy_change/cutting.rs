//! Cutting tokens to a policy that was saved, a few hundred in each change, so that nobody waits long behind it. What is left to
//! do is kept in the database: it goes on after a restart.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::current;
use crate::actor::Actor;
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::schema::settings;
use crate::token::cut::{self, Cut};
use crate::tx::Tx;
use crate::types::Stamp;

/// The row of `settings`.
const ROW: &str = "cut";
/// Tokens of one change.
const AT_ONCE: usize = 200;
/// Between two changes, so that whoever waits for the writer gets it.
const PAUSE: Duration = Duration::from_millis(5);
/// How long the person who saved waits for the end of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Without a part done for so long, whoever did it is gone.
const DESERTED: TimeDelta = TimeDelta::minutes(1);

/// What is being cut: kept until it is done.
#[derive(Clone, Serialize, Deserialize)]
pub struct Cutting {
    actor: Actor,
    /// Of the policy that is cut to.
    version: i64,
    end_now: bool,
    pub tokens: usize,
    ended: usize,
    /// When the last part of it was done.
    at: Stamp,
}

impl Cutting {
    fn done(&self) -> Cut {
        Cut { tokens: self.tokens, ended: self.ended }
    }
}

/// Notes it, in the change that saves the policy; in place of one that is not done yet.
pub(super) fn begin(tx: &mut Tx<'_>, actor: &Actor, version: i64, end_now: bool) -> Result<()> {
    drop_it(tx.conn)?;
    let cutting = Cutting { actor: actor.clone(), version, end_now, tokens: 0, ended: 0, at: tx.now };
    let text = serde_json::to_string(&cutting).map_err(Error::internal)?;
    diesel::insert_into(settings::table).values((settings::name.eq(ROW), settings::value.eq(text))).execute(tx.conn)?;
    Ok(())
}

pub(super) fn drop_it(conn: &mut Conn) -> Result<()> {
    diesel::delete(settings::table.find(ROW)).execute(conn)?;
    Ok(())
}

/// What is being cut now, if anything is.
pub fn under_way(conn: &mut Conn) -> Result<Option<Cutting>> {
    let text: Option<String> = settings::table.find(ROW).select(settings::value).first(conn).optional()?;
    text.map(|text| serde_json::from_str(&text).map_err(Error::internal)).transpose()
}

/// Cuts, and waits for the end of it for a while; `None` where it goes on by itself.
pub async fn cut_and_wait(app: &Arc<App>) -> Result<Option<Cut>> {
    let cutting = tokio::spawn(cut_all(app.clone()));
    match tokio::time::timeout(PATIENCE, cutting).await {
        Ok(done) => done.map_err(Error::internal)?.map(Some),
        Err(_) => Ok(None),
    }
}

/// Goes on with what nobody does any more.
pub async fn resume(app: &Arc<App>) -> Result<()> {
    let (now, left) = (app.now(), app.read(under_way).await?);
    match left.is_some_and(|left| left.at.plus(DESERTED) <= now) {
        true => cut_all(app.clone()).await.map(drop),
        false => Ok(()),
    }
}

/// Until there is nothing left to cut; the answer is all that was cut since it began.
pub async fn cut_all(app: Arc<App>) -> Result<Cut> {
    let Some(mut cutting) = app.read(under_way).await? else { return Ok(Cut::default()) };
    loop {
        let before = cutting.tokens;
        for some in survey(&app, cutting.end_now).await?.chunks(AT_ONCE) {
            let (some, version) = (some.to_vec(), cutting.version);
            match app.write(move |tx| cut_some(tx, version, &some)).await? {
                Some(part) => cutting = part,
                None => return Ok(cutting.done()),
            }
            tokio::time::sleep(PAUSE).await;
        }
        if cutting.tokens == before {
            break;
        }
    }
    let version = cutting.version;
    app.write(move |tx| end(tx, version)).await?;
    Ok(cutting.done())
}

/// What the index has that is to be cut, with the news of other processes, who generated under the former policy.
async fn survey(app: &Arc<App>, end_now: bool) -> Result<Vec<Uuid>> {
    let app = app.clone();
    let survey = tokio::task::spawn_blocking(move || {
        app.follow()?;
        Ok(cut::too_long(&app.index, &app.policy(), end_now, app.now()))
    });
    survey.await.map_err(Error::internal)?
}

/// `None` where it is not to be done any more: another process was at its end, or another policy was saved.
fn cut_some(tx: &mut Tx<'_>, version: i64, ids: &[Uuid]) -> Result<Option<Cutting>> {
    // Drawn first: of two who cut at once the second finds what the first has done.
    tx.version()?;
    let Some(mut cutting) = under_way(tx.conn)?.filter(|cutting| cutting.version == version) else { return Ok(None) };
    let policy = current(tx.conn, tx.policy)?.policy;
    let part = cut::cut(tx, &cutting.actor, &policy, cutting.end_now, ids)?;
    cutting.tokens += part.tokens;
    cutting.ended += part.ended;
    cutting.at = tx.now;
    let text = serde_json::to_string(&cutting).map_err(Error::internal)?;
    diesel::update(settings::table.find(ROW)).set(settings::value.eq(text)).execute(tx.conn)?;
    Ok(Some(cutting))
}

fn end(tx: &mut Tx<'_>, version: i64) -> Result<()> {
    tx.version()?;
    match under_way(tx.conn)?.is_some_and(|cutting| cutting.version == version) {
        true => drop_it(tx.conn),
        false => Ok(()),
    }
}
