//! Activity: what was called with one's tokens and what was changed about them, as a page and as a file.

use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::NaiveDate;
use url::form_urlencoded::Serializer;

use super::activity_chart::chart;
use super::activity_csv;
use super::activity_pages::{ActivityPage, CallRow, Calls, Row};
use super::activity_words as wording;
use super::form::Posted;
use super::frame::Frame;
use super::page::{Paging, Place, Tab, Tone, size};
use super::session::SignedIn;
use super::words::Reading;
use crate::activity::{self, Entry, Filter, Log, Overview, Show, Whose};
use crate::actor::Deed;
use crate::app::App;
use crate::catalogue::Catalogue;
use crate::error::{Error, Result};
use crate::refusal::Rule;
use crate::secret::searchable;
use crate::types::{EventId, TokenId};
use crate::when::{self, DateStyle};

const ADDRESS: &str = "/settings/activity";
const TOKENS: &str = "/settings/tokens";

pub async fn own(me: SignedIn, frame: Frame, app: web::Data<Arc<App>>, request: HttpRequest) -> Result<HttpResponse> {
    render(&me, &frame, &app, None, &View::read(request.query_string(), &app.prefix)).await
}

pub async fn of_token(
    me: SignedIn,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    render(&me, &frame, &app, Some(TokenId::from(id.as_str())), &View::read(request.query_string(), &app.prefix)).await
}

/// The search box. It posts, so that a pasted value is in no address, history or log; the words go into the address.
pub async fn find(me: SignedIn, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let address = match form.text("token") {
        "" => ADDRESS.to_owned(),
        id => {
            let (actor, id) = (me.actor.clone(), TokenId::from(id));
            let whose = app.read(move |conn| Whose::token(conn, &actor, &id)).await?;
            whose.token.map(|token| format!("{TOKENS}/{}/activity", token.id)).ok_or(Error::Missing)?
        }
    };
    let view = View::posted(&form, &app.prefix);
    Ok(frame.go_on(&view.at(&address, view.show, ""), ""))
}

pub async fn own_file(me: SignedIn, app: web::Data<Arc<App>>, request: HttpRequest) -> Result<HttpResponse> {
    file(&me, &app, None, View::read(request.query_string(), &app.prefix)).await
}

pub async fn file_of_token(
    me: SignedIn,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    file(&me, &app, Some(TokenId::from(id.as_str())), View::read(request.query_string(), &app.prefix)).await
}

async fn file(me: &SignedIn, app: &Arc<App>, id: Option<TokenId>, view: View) -> Result<HttpResponse> {
    let (actor, catalogue, reading) = (me.actor.clone(), app.catalogue(), Reading::of(&me.account, app.now()));
    let file = app.read(move |conn| {
        let whose = match &id {
            Some(id) => Whose::token(conn, &actor, id)?,
            None => Whose::own(&actor)?,
        };
        activity_csv::file(conn, &whose, &view.filter(), &catalogue, &reading)
    });
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"));
    answer.insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"hallpass-activity.csv\""));
    Ok(answer.body(file.await?))
}

/// What the address says of the view.
struct View {
    show: Show,
    q: String,
    after: String,
}

impl View {
    fn read(query: &str, prefix: &str) -> View {
        View::posted(&Posted::from_query(query), prefix)
    }

    fn posted(query: &Posted, prefix: &str) -> View {
        View {
            show: Show::parse(query.text("show")),
            q: searchable(query.text("q"), prefix).chars().filter(|c| !c.is_control()).take(200).collect(),
            after: query.text("after").to_owned(),
        }
    }

    fn filter(&self) -> Filter {
        Filter { show: self.show, q: self.q.clone() }
    }

    /// `ADDRESS?show=…`, with only what is not usual.
    fn at(&self, address: &str, show: Show, after: &str) -> String {
        let mut query = Serializer::new(String::new());
        for (name, value) in [("show", show.word()), ("q", &self.q), ("after", after)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { address.to_owned() } else { format!("{address}?{query}") }
    }
}

async fn render(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    id: Option<TokenId>,
    view: &View,
) -> Result<HttpResponse> {
    let (now, actor, filter) = (app.now(), me.actor.clone(), view.filter());
    let after = Some(view.after.as_str()).filter(|after| !after.is_empty()).map(EventId::from);
    let (token, overview, log) = app
        .read(move |conn| {
            let whose = match &id {
                Some(id) => Whose::token(conn, &actor, id)?,
                None => Whose::own(&actor)?,
            };
            let overview = activity::overview(conn, &whose, now)?;
            let log = activity::log(conn, &whose, &filter, after.as_ref())?;
            Ok((whose.token, overview, log))
        })
        .await?;
    let (catalogue, reading) = (app.catalogue(), Reading::of(&me.account, now));
    let (address, title) = match &token {
        Some(token) => (format!("{TOKENS}/{}/activity", token.id), format!("Activity of {}", token.name)),
        None => (ADDRESS.to_owned(), "Activity".to_owned()),
    };
    let section = if token.is_some() { TOKENS } else { ADDRESS };
    let standing = token.as_ref().filter(|token| token.removed_at.is_none());
    let page = ActivityPage {
        shell: frame.shell(&title, section, Some(me))?,
        token_href: standing.map(|token| page_of(&token.id)).unwrap_or_default(),
        token_id: token.as_ref().map(|token| token.id.to_string()).unwrap_or_default(),
        token: token.map(|token| token.name).unwrap_or_default(),
        accepted: size(overview.accepted()),
        refused: size(overview.refused()),
        tokens: size(overview.tokens),
        addresses: size(overview.addresses),
        calls: calls(&overview, &catalogue, &reading),
        q: view.q.clone(),
        show: view.show.word(),
        tabs: tabs(view, &address, &log),
        csv: view.at(&format!("{address}.csv"), view.show, ""),
        refresh: view.at(&address, view.show, &view.after),
        rows: log.rows.iter().map(|entry| row(entry, &log, me, &catalogue, &reading)).collect(),
        paging: paging(view, &address, &log),
        total: size(total(view, &log)),
        zone: reading.zone.name().to_owned(),
        address,
    };
    frame.page(StatusCode::OK, &page)
}

fn calls(overview: &Overview, catalogue: &Catalogue, reading: &Reading) -> Option<Calls> {
    if overview.accepted() + overview.refused() == 0 {
        return None;
    }
    let day = |day: NaiveDate| match reading.dates {
        DateStyle::Word => day.format("%-d %b").to_string(),
        other => other.day(day),
    };
    let of = |label: String, mono, accepted, refused, sub| CallRow {
        label,
        mono,
        accepted: size(accepted),
        refused: size(refused),
        sub,
    };
    let days = overview.days.iter().rev().map(|n| of(day(n.day), false, n.accepted, n.refused, String::new()));
    let methods = overview.methods.iter().map(|n| match n.method.as_str() {
        "" => of("No known method".into(), false, n.accepted, n.refused, String::new()),
        full => of(catalogue.show(full), true, n.accepted, n.refused, String::new()),
    });
    let callers = overview.callers.iter().map(|n| {
        let last = n.last_day.parse().map(day).unwrap_or_default();
        match n.ip.as_str() {
            "" => of("Others and unknown".into(), false, n.accepted, n.refused, last),
            ip => of(ip.to_owned(), true, n.accepted, n.refused, last),
        }
    });
    Some(Calls {
        chart: chart(overview, day),
        days: days.collect(),
        methods: methods.collect(),
        callers: callers.collect(),
    })
}

fn row(entry: &Entry, log: &Log, me: &SignedIn, catalogue: &Catalogue, reading: &Reading) -> Row {
    let named = wording::named(entry);
    let token = entry.token().filter(|token| log.standing.contains(token));
    let row = Row {
        event: named.text,
        icon: named.icon,
        tone: named.tone,
        detail: wording::detail(entry, catalogue, reading),
        token_href: token.as_ref().map(page_of).unwrap_or_default(),
        ..Row::default()
    };
    let at = |at: crate::types::Stamp| {
        (at.rfc3339(), when::moment_to_the_second(at.utc(), reading.now.utc(), reading.zone, reading.dates))
    };
    match entry {
        Entry::Change(event) => {
            let (iso, time) = at(event.at);
            let mine = event.actor_id.as_ref() == Some(&me.account.id);
            Row {
                iso,
                time,
                token: if event.subject_kind == "token" { event.subject_name.clone() } else { String::new() },
                address: event.ip.clone(),
                by: if mine { "You".to_owned() } else { event.actor_name.clone() },
                ..row
            }
        }
        Entry::Refusal(refusal) => {
            let (iso, time) = at(refusal.at);
            let by_scope = refusal.rule == Rule::Scope.as_str() && me.actor.may(Deed::ChangeTokens);
            let allow = |token: TokenId| {
                let query = Serializer::new(String::new()).append_pair("allow", &refusal.scope).finish();
                format!("{}?{query}", page_of(&token))
            };
            Row {
                iso,
                time,
                token: refusal.token_name.clone(),
                request: wording::request(refusal),
                reference: refusal.reference.clone(),
                address: refusal.ip.clone(),
                by: wording::result(refusal).to_owned(),
                tone: Tone::Bad,
                allow_href: token.filter(|_| by_scope).map(allow).unwrap_or_default(),
                ..row
            }
        }
    }
}

fn page_of(token: &TokenId) -> String {
    format!("{TOKENS}/{token}")
}

fn tabs(view: &View, address: &str, log: &Log) -> Vec<Tab> {
    let labels = ["All", "Changes", "Refused"];
    let tabs = Show::EVERY.into_iter().zip(labels).zip(log.counts);
    tabs.map(|((show, label), count)| Tab {
        label,
        href: view.at(address, show, ""),
        count: size(count),
        current: view.show == show,
    })
    .collect()
}

fn total(view: &View, log: &Log) -> i64 {
    Show::EVERY.iter().zip(log.counts).find(|(show, _)| **show == view.show).map_or(0, |(_, count)| count)
}

fn paging(view: &View, address: &str, log: &Log) -> Paging {
    let place = Place { before: log.before, rows: log.rows.len(), total: total(view, log) };
    let to = |id: &EventId| view.at(address, view.show, id.as_str());
    Paging::of(place, log.newer.as_ref(), log.older.as_ref(), view.at(address, view.show, ""), to)
}
