//! The audit log as a file, streamed: CSV for a spreadsheet, JSON Lines with all that the chain is proven by.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, rt};
use futures_core::Stream;
use serde::Serialize;
use tokio::sync::mpsc;

use super::activity_csv::{harmless, writer};
use super::activity_words;
use super::words::Reading;
use crate::activity::Entry;
use crate::app::App;
use crate::audit::Event;
use crate::audit::chain::instant;
use crate::audit::export::Export;
use crate::catalogue::Catalogue;
use crate::error::{Error, Result};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Csv,
    JsonLines,
}

const COLUMNS: [&str; 15] = [
    "number",
    "time",
    "action",
    "event",
    "detail",
    "who",
    "who_id",
    "as",
    "kind",
    "what",
    "what_id",
    "address",
    "browser",
    "before_and_after",
    "hash",
];

/// Oldest first. While the client takes no more, nothing more is read; a file that breaks off has no end.
pub fn answer(app: &Arc<App>, export: Export, kind: Kind, reading: Reading) -> HttpResponse {
    let (send, parts) = mpsc::channel(1);
    let writer = Writer { app: app.clone(), catalogue: app.catalogue(), kind, reading };
    rt::spawn(async move {
        if let Err(error) = writer.write(export, &send).await {
            tracing::warn!(%error, "a file of the audit log broke off");
            let _ = send.send(Err(error)).await;
        }
    });
    let (content_type, name) = match kind {
        Kind::Csv => ("text/csv; charset=utf-8; header=present", "hallpass-audit.csv"),
        Kind::JsonLines => ("application/jsonl; charset=utf-8", "hallpass-audit.jsonl"),
    };
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((header::CONTENT_TYPE, content_type));
    answer.insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")));
    answer.streaming(Parts(parts))
}

struct Parts(mpsc::Receiver<Result<Bytes>>);

impl Stream for Parts {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

struct Writer {
    app: Arc<App>,
    catalogue: Arc<Catalogue>,
    kind: Kind,
    reading: Reading,
}

impl Writer {
    async fn write(&self, mut export: Export, to: &mpsc::Sender<Result<Bytes>>) -> Result<()> {
        if self.kind == Kind::Csv && to.send(self.heading()).await.is_err() {
            return Ok(());
        }
        loop {
            let (rows, left) = self
                .app
                .read(move |conn| {
                    let rows = export.more(conn)?;
                    Ok((rows, export))
                })
                .await?;
            export = left;
            let Some(rows) = rows else { return Ok(()) };
            let part = match self.kind {
                Kind::Csv => self.cells(&rows)?,
                Kind::JsonLines => lines(&rows)?,
            };
            // The client has gone.
            if !part.is_empty() && to.send(Ok(part.into())).await.is_err() {
                return Ok(());
            }
        }
    }

    fn heading(&self) -> Result<Bytes> {
        let mut file = writer();
        file.write_record(COLUMNS).map_err(Error::internal)?;
        file.into_inner().map(Bytes::from).map_err(|cause| Error::internal(cause.to_string()))
    }

    fn cells(&self, rows: &[Event]) -> Result<Vec<u8>> {
        let mut file = writer();
        for event in rows {
            let detail = activity_words::detail(&Entry::Change(event.clone()), &self.catalogue, &self.reading);
            let (number, at) = (event.number.to_string(), instant(event.at));
            let cells: [&str; COLUMNS.len()] = [
                &number,
                &at,
                &event.action,
                activity_words::action(&event.action).0,
                &detail,
                &event.actor_name,
                event.actor_id.as_ref().map_or("", |id| id.as_str()),
                &event.via,
                &event.subject_kind,
                &event.subject_name,
                &event.subject_id,
                &event.ip,
                &event.agent,
                &event.detail,
                &event.hash,
            ];
            file.write_record(cells.iter().map(|cell| harmless(cell).into_owned())).map_err(Error::internal)?;
        }
        file.into_inner().map_err(|cause| Error::internal(cause.to_string()))
    }
}

/// Every column as the hash was made of it; `detail` is JSON within a text.
#[derive(Serialize)]
struct Line<'a> {
    number: i64,
    id: &'a str,
    at: String,
    action: &'a str,
    actor_id: Option<&'a str>,
    actor_name: &'a str,
    via: &'a str,
    subject_kind: &'a str,
    subject_id: &'a str,
    subject_name: &'a str,
    owner_id: Option<&'a str>,
    detail: &'a str,
    ip: &'a str,
    agent: &'a str,
    folded: &'a str,
    hash: &'a str,
}

fn lines(rows: &[Event]) -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    for event in rows {
        let line = Line {
            number: event.number,
            id: event.id.as_str(),
            at: instant(event.at),
            action: &event.action,
            actor_id: event.actor_id.as_ref().map(|id| id.as_str()),
            actor_name: &event.actor_name,
            via: &event.via,
            subject_kind: &event.subject_kind,
            subject_id: &event.subject_id,
            subject_name: &event.subject_name,
            owner_id: event.owner_id.as_ref().map(|id| id.as_str()),
            detail: &event.detail,
            ip: &event.ip,
            agent: &event.agent,
            folded: &event.folded,
            hash: &event.hash,
        };
        serde_json::to_writer(&mut lines, &line).map_err(Error::internal)?;
        lines.push(b'\n');
    }
    Ok(lines)
}
