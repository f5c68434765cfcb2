//! Events: the audit log, one's own or, for administrators, everybody's.

use std::sync::Arc;

use actix_web::web;

use super::answer::{Refused, Told};
use super::bearer::Bearer;
use super::input::Query;
use super::json::{Event, EventQuery, List};
use super::page::{cursor, limit};
use crate::actor::Deed;
use crate::app::App;
use crate::audit::filter::Filter;
use crate::audit::own;
use crate::catalogue::own::ListEvents;
use crate::types::EventId;

pub async fn list(
    caller: Bearer<ListEvents>,
    query: Query<EventQuery>,
    app: web::Data<Arc<App>>,
) -> Result<Told<List<Event>>, Refused> {
    let asked = query.0;
    let filter = Filter { action: asked.action, subject: asked.subject, q: asked.q, ..Filter::default() };
    let (most, after) = (limit(asked.limit)?, cursor::<EventId>(asked.after)?);
    let (now, is_all) = (app.now(), asked.all);
    let page = app.read(move |conn| {
        let actor = caller.actor(conn, now)?;
        match is_all {
            true => actor
                .must(Deed::Administer)
                .and_then(|()| own::everybody_s(conn, &actor, &filter, after.as_ref(), most)),
            false => own::own(conn, &actor, &filter, after.as_ref(), most),
        }
    });
    let page = page.await?;
    let items = page.rows.iter().map(Event::of).collect();
    Ok(Told::plain(List { items, next: page.next.map(|id| id.to_string()), total: page.total }))
}
