//! Activity: what was called with one's tokens and what was changed about them, as a page and as a file.

use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::NaiveDate;
use url::form_urlencoded::Serializer;

use super::activity_chart::chart;
use super::activity_csv;
use super::activity_pages::{ActivityPage, CallRow, Calls, Of, Row};
use super::activity_words as wording;
use super::form::Posted;
use super::frame::Frame;
use super::page::{Paging, Place, Tab, Tone, size};
use super::service_accounts::address as service_address;
use super::session::SignedIn;
use super::words::Reading;
use crate::account::Account;
use crate::activity::{self, Entry, Filter, Log, Overview, Show, Whose};
use crate::actor::{Actor, Deed};
use crate::app::App;
use crate::catalogue::Catalogue;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::refusal::Rule;
use crate::secret::searchable;
use crate::types::{AccountId, EventId, TokenId};
use crate::when::{self, DateStyle};

const ADDRESS: &str = "/settings/activity";
const TOKENS: &str = "/settings/tokens";

pub async fn own(me: SignedIn, frame: Frame, app: web::Data<Arc<App>>, request: HttpRequest) -> Result<HttpResponse> {
    render(&me, &frame, &app, Asked::Own, &View::read(request.query_string(), &app.prefix)).await
}

pub async fn of_token(
    me: SignedIn,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let asked = Asked::Token(TokenId::from(id.as_str()));
    render(&me, &frame, &app, asked, &View::read(request.query_string(), &app.prefix)).await
}

pub async fn of_service(
    me: SignedIn,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let asked = Asked::Service(AccountId::from(id.as_str()));
    render(&me, &frame, &app, asked, &View::read(request.query_string(), &app.prefix)).await
}

/// Whose activity a request asks for.
enum Asked {
    Own,
    Token(TokenId),
    Service(AccountId),
}

impl Asked {
    /// Missing where it may not be seen; with the service account, where it is one's.
    fn whose(&self, conn: &mut Conn, actor: &Actor) -> Result<(Whose, Option<Account>)> {
        match self {
            Asked::Own => Ok((Whose::own(actor)?, None)),
            Asked::Token(id) => Ok((Whose::token(conn, actor, id)?, None)),
            Asked::Service(id) => Whose::service(conn, actor, id).map(|(whose, account)| (whose, Some(account))),
        }
    }
}

/// The search box. It posts, so that a pasted value is in no address, history or log; the words go into the address.
pub async fn find(me: SignedIn, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let address = match (form.text("token"), form.text("account")) {
        ("", "") => ADDRESS.to_owned(),
        ("", id) => {
            let (actor, id) = (me.actor.clone(), AccountId::from(id));
            let (_, account) = app.read(move |conn| Whose::service(conn, &actor, &id)).await?;
            format!("{}/activity", service_address(&account.id))
        }
        (id, _) => {
            let (actor, id) = (me.actor.clone(), TokenId::from(id));
            let whose = app.read(move |conn| Whose::token(conn, &actor, &id)).await?;
            whose.token.map(|token| format!("{TOKENS}/{}/activity", token.id)).ok_or(Error::Missing)?
        }
    };
    let view = View::posted(&form, &app.prefix);
    Ok(frame.go_on(&view.at(&address, view.show, ""), ""))
}

pub async fn own_file(me: SignedIn, app: web::Data<Arc<App>>, request: HttpRequest) -> Result<HttpResponse> {
    file(&me, &app, Asked::Own, View::read(request.query_string(), &app.prefix)).await
}

pub async fn file_of_token(
    me: SignedIn,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let asked = Asked::Token(TokenId::from(id.as_str()));
    file(&me, &app, asked, View::read(request.query_string(), &app.prefix)).await
}

pub async fn file_of_service(
    me: SignedIn,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let asked = Asked::Service(AccountId::from(id.as_str()));
    file(&me, &app, asked, View::read(request.query_string(), &app.prefix)).await
}

async fn file(me: &SignedIn, app: &Arc<App>, asked: Asked, view: View) -> Result<HttpResponse> {
    let (actor, catalogue, reading) = (me.actor.clone(), app.catalogue(), Reading::of(&me.account, app.now()));
    let file = app.read(move |conn| {
        let (whose, _) = asked.whose(conn, &actor)?;
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

async fn render(me: &SignedIn, frame: &Frame, app: &Arc<App>, asked: Asked, view: &View) -> Result<HttpResponse> {
    let (now, actor, filter) = (app.now(), me.actor.clone(), view.filter());
    let after = Some(view.after.as_str()).filter(|after| !after.is_empty()).map(EventId::from);
    let (token, service, overview, log) = app
        .read(move |conn| {
            let (whose, service) = asked.whose(conn, &actor)?;
            let overview = activity::overview(conn, &whose, now)?;
            let log = activity::log(conn, &whose, &filter, after.as_ref())?;
            Ok((whose.token, service, overview, log))
        })
        .await?;
    let (catalogue, reading) = (app.catalogue(), Reading::of(&me.account, now));
    let of = match (&token, &service) {
        (Some(token), _) => Of {
            name: token.name.clone(),
            href: if token.removed_at.is_none() { page_of(&token.id) } else { String::new() },
            field: ("token", token.id.to_string()),
            tokens: "this token",
            one: "this token",
        },
        (None, Some(service)) => Of {
            name: service.name.clone(),
            href: service_address(&service.id),
            field: ("account", service.id.to_string()),
            tokens: "this account and its tokens",
            one: "one of its tokens",
        },
        (None, None) => Of { tokens: "your tokens", one: "one of your tokens", ..Of::default() },
    };
    let (address, title) = match (&token, &service) {
        (Some(token), _) => (format!("{TOKENS}/{}/activity", token.id), format!("Activity of {}", token.name)),
        (_, Some(service)) => {
            (format!("{}/activity", service_address(&service.id)), format!("Activity of {}", service.name))
        }
        _ => (ADDRESS.to_owned(), "Activity".to_owned()),
    };
    let section = match (&token, &service) {
        (Some(_), _) => TOKENS,
        (_, Some(_)) => super::service_accounts::ADDRESS,
        _ => ADDRESS,
    };
    let page = ActivityPage {
        shell: frame.shell(&title, section, Some(me))?,
        is_of_token: token.is_some(),
        of,
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
