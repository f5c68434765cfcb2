//! The list of everybody's tokens as a file that a spreadsheet opens, part by part as it is read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use tokio::sync::mpsc;

use super::{View, times};
use crate::actor::Actor;
use crate::app::App;
use crate::error::{Error, Result};
use crate::token::all::{self, Ask, Row, Times};
use crate::types::Stamp;
use crate::web::activity_csv::harmless;
use crate::web::session::Administrator;
use crate::web::words;

const COLUMNS: [&str; 15] = [
    "id",
    "name",
    "starts_with",
    "owner",
    "owner_email",
    "owner_kind",
    "access",
    "methods",
    "resources",
    "addresses",
    "created",
    "expires",
    "last_used",
    "last_address",
    "status",
];

/// In the order and with the filters of the list. Times are RFC 3339 in UTC.
pub async fn save(me: Administrator, app: web::Data<Arc<App>>, request: HttpRequest) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let ask = Ask { after: None, ..View::read(request.query_string(), &app.prefix).ask() };
    let export = Export { app: app.get_ref().clone(), actor: me.actor, ask, times: times(&app) };
    // The first part before anything is answered: what is wrong with it is an answer of its own.
    let (first, rest) = web::block(move || export.begin()).await.map_err(Error::internal)??;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"));
    answer.insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"hallpass-tokens.csv\""));
    let Some(rest) = rest else { return Ok(answer.body(first)) };
    // One part waits while another is sent: a slow reader holds no more than that, and no connection to the database.
    let (send, parts) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || rest.send_all(first, &send));
    Ok(answer.body(Parts(parts)))
}

struct Export {
    app: Arc<App>,
    actor: Actor,
    ask: Ask,
    times: Times,
}

impl Export {
    /// The first part, and what is left to do.
    fn begin(mut self) -> Result<(Bytes, Option<Export>)> {
        let (text, more) = self.part(true)?;
        Ok((text, more.then_some(self)))
    }

    /// The next rows as text, and whether there are more.
    fn part(&mut self, is_first: bool) -> Result<(Bytes, bool)> {
        let (rows, more) = self.app.db.read(|conn| all::part(conn, &self.actor, &self.ask, self.times))?;
        // Quoted throughout: in some countries a spreadsheet takes a semicolon for the end of a cell.
        let mut file = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(Vec::new());
        if is_first {
            file.write_record(COLUMNS).map_err(Error::internal)?;
        }
        for row in &rows {
            let cells = self.cells(row);
            file.write_record(cells.iter().map(|cell| harmless(cell).into_owned())).map_err(Error::internal)?;
        }
        self.ask.after = rows.last().map(|row| row.listed.token.id.clone());
        let text = file.into_inner().map_err(|cause| Error::internal(cause.to_string()))?;
        Ok((text.into(), more && self.ask.after.is_some()))
    }

    fn cells(&self, row: &Row) -> [String; COLUMNS.len()] {
        let (token, owner, used) = (&row.listed.token, &row.owner, &row.listed.used);
        let moment = |at: Option<Stamp>| at.map(Stamp::rfc3339).unwrap_or_default();
        let catalogue = self.app.catalogue();
        [
            token.id.to_string(),
            token.name.clone(),
            row.listed.starts_with.clone(),
            owner.name.clone(),
            owner.email.clone().unwrap_or_default(),
            owner.kind.to_string(),
            words::access(&catalogue, token.access_set.as_deref()),
            catalogue.count(&token.scopes).to_string(),
            token.allow.iter().collect::<Vec<_>>().join(" "),
            token.ip_allow.iter().collect::<Vec<_>>().join(" "),
            moment(Some(token.created_at)),
            moment(token.expires_at),
            moment(used.as_ref().map(|used| used.at)),
            used.as_ref().map(|used| used.ip.clone()).unwrap_or_default(),
            row.listed.status.to_string(),
        ]
    }

    /// Until the last row, or until nobody reads any more. A part that cannot be read breaks the answer off, so that no file
    /// looks whole that is not.
    fn send_all(mut self, first: Bytes, to: &mpsc::Sender<Result<Bytes>>) {
        let mut next = Ok((first, true));
        loop {
            let (part, more) = match next {
                Ok((text, more)) => (Ok(text), more),
                Err(cause) => (Err(cause), false),
            };
            if to.blocking_send(part).is_err() || !more {
                return;
            }
            next = self.part(false);
        }
    }
}

/// A body that comes in parts.
struct Parts(mpsc::Receiver<Result<Bytes>>);

impl MessageBody for Parts {
    type Error = Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        self.0.poll_recv(context)
    }
}
