//! The policy: the operator's limits, told and changed.

use std::sync::Arc;

use actix_web::web;

use super::answer::{Refused, Told};
use super::bearer::{Bearer, Confirmed};
use super::input::{Body, IfMatch, Query, read, with_whole_numbers};
use super::json::{PolicyEdit, PolicyJson, PolicyQuery};
use crate::actor::Deed;
use crate::app::App;
use crate::catalogue::own::{DescribePolicy, EditPolicy};
use crate::error::Error;
use crate::policy::{Policy, Saved};
use crate::policy_change::{Existing, Proposal, current, cutting, save};

pub async fn describe(caller: Bearer<DescribePolicy>, app: web::Data<Arc<App>>) -> Result<Told<PolicyJson>, Refused> {
    let (now, file) = (app.now(), app.policy());
    let present = app.read(move |conn| {
        caller.actor(conn, now)?.must(Deed::Administer)?;
        current(conn, &file)
    });
    let Saved { version, policy } = present.await?;
    Ok(Told::tagged(PolicyJson(policy), version))
}

/// Settings that are not named stay as they are.
pub async fn edit(
    caller: Confirmed<EditPolicy>,
    query: Query<PolicyQuery>,
    body: Body<PolicyEdit>,
    seen: IfMatch,
    app: web::Data<Arc<App>>,
) -> Result<Told<PolicyJson>, Refused> {
    let file = app.policy();
    let Saved { version, policy } = app.read(move |conn| current(conn, &file)).await?;
    let mut settings = serde_json::to_value(&policy).map_err(Error::internal)?;
    if let Some(settings) = settings.as_object_mut() {
        settings.extend(body.value.0.into_iter().map(|(name, value)| (name, with_whole_numbers(value))));
    }
    let policy: Policy = read(settings)?;
    if !seen.allows(version) {
        return Err(Refused::of_edit(Error::Stale));
    }
    let existing = if query.0.cut { Existing::Cut { end_now: false } } else { Existing::Keep };
    let proposal = Proposal { seen: version, policy };
    let now = app
        .write(move |tx| {
            tx.version()?;
            let actor = caller.actor(tx.conn, tx.now)?;
            save(tx, &actor, &proposal, existing)?;
            current(tx.conn, tx.policy)
        })
        .await
        .map_err(Refused::of_edit)?;
    if existing != Existing::Keep {
        cutting::cut_and_wait(&app).await?;
    }
    Ok(Told::tagged(PolicyJson(now.policy), now.version))
}
