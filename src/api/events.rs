//! Events: the audit log, one's own or, for administrators, everybody's.

use std::sync::Arc;

use actix_web::web;

use super::answer::{Refused, Told};
use super::bearer::Bearer;
use super::input::Query;
use super::json::{Event, EventQuery, List};
use super::tokens::limit;
use crate::app::App;
use crate::audit::{self, Ask};
use crate::catalogue::own::ListEvents;
use crate::types::EventId;

pub async fn list(
    caller: Bearer<ListEvents>,
    query: Query<EventQuery>,
    app: web::Data<Arc<App>>,
) -> Result<Told<List<Event>>, Refused> {
    let asked = query.0;
    let ask = Ask {
        everyone: asked.all,
        action: asked.action,
        subject: asked.subject,
        q: asked.q,
        limit: limit(asked.limit)?,
        after: asked.after.map(|cursor| EventId::from(cursor.as_str())),
    };
    let now = app.now();
    let page = app.read(move |conn| {
        let actor = caller.actor(conn, now)?;
        audit::list(conn, &actor, &ask)
    });
    let page = page.await?;
    let items = page.rows.iter().map(Event::of).collect();
    Ok(Told::plain(List { items, next: page.next.map(|id| id.to_string()), total: page.total }))
}
