//! The audit log: its page, its search, and the files it can be taken out as.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{Days, NaiveDate, TimeDelta};
use url::form_urlencoded::Serializer;

use super::audit_file::{self, Kind};
use super::audit_pages::{AuditPage, Row, View};
use super::audit_words as wording;
use super::form::Posted;
use super::frame::Frame;
use super::page::{number, size};
use super::session::{Administrator, SignedIn};
use super::words::{Reading, field_errors};
use super::{activity_words, row as route};
use crate::activity::Entry;
use crate::app::App;
use crate::audit::filter::Filter;
use crate::audit::log::{self, Page, WINDOW};
use crate::audit::{Event, export::Export};
use crate::catalogue::Catalogue;
use crate::error::{Error, Problem, Result};
use crate::secret::{searchable, value_in};
use crate::token;
use crate::types::{EventId, Stamp, TokenId};
use crate::when::{self, Zone};

const ADDRESS: &str = "/admin/audit";

pub async fn show(
    Administrator(me): Administrator,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let query = Posted::from_query(request.query_string());
    let view = View::read(&query, &app.prefix);
    if has_value(&query, &app.prefix) {
        return Ok(frame.go_on(&view.at(ADDRESS, &view.after), ""));
    }
    let reading = Reading::of(&me.account, app.now());
    let (filter, problems) = match view.filter(reading.zone) {
        Ok(filter) => (filter, Vec::new()),
        Err(Error::Invalid(problems)) => (Filter::default(), problems),
        Err(other) => return Err(other),
    };
    let after = Some(view.after.as_str()).filter(|after| !after.is_empty()).map(EventId::from);
    let (actor, is_wrong) = (me.actor.clone(), !problems.is_empty());
    let (page, tokens) = app
        .read(move |conn| {
            let mut page = log::page(conn, &actor, &filter, after.as_ref())?;
            if is_wrong {
                // A day that nobody understands is none: no row is shown as if it were of that day.
                page = Page { rows: Vec::new(), older: None, newer: None, looked_back_to: None, ..page };
            }
            let ids: Vec<TokenId> = page.rows.iter().flat_map(tokens_of).collect();
            Ok((page, token::names(conn, &ids)?))
        })
        .await?;
    let tokens: BTreeMap<String, (String, bool)> =
        tokens.into_iter().map(|(id, name, is_removed)| (id.to_string(), (name, is_removed))).collect();
    let catalogue = app.catalogue();
    let to = |place: &str| view.at(ADDRESS, place);
    let looked = page
        .looked_back_to
        .map(|back_to| format!("Looked through {} rows back to {}.", number(size(WINDOW)), reading.moment(back_to)));
    let shown = AuditPage {
        shell: frame.shell("Audit log", ADDRESS, Some(&me))?,
        events: size(page.events),
        groups: wording::groups(&page.actions, &view.action),
        errors: field_errors(&problems),
        rows: page.rows.iter().map(|event| row(event, &tokens, &catalogue, &reading, &me)).collect(),
        looked: looked.unwrap_or_default(),
        newest: if page.newer.is_some() { to("") } else { String::new() },
        newer: match &page.newer {
            Some(id) => to(id.as_str()),
            None if view.after.is_empty() => String::new(),
            None => to(""),
        },
        older: page.older.map(|id| to(id.as_str())).unwrap_or_default(),
        csv: view.at(&format!("{ADDRESS}.csv"), ""),
        jsonl: view.at(&format!("{ADDRESS}.jsonl"), ""),
        zone: reading.zone.name().to_owned(),
        view,
    };
    frame.page(StatusCode::OK, &shown)
}

/// The filters are posted, so that a pasted value is in no address, history or log: a value is looked up as its token.
pub async fn find(
    Administrator(me): Administrator,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let mut view = View::read(&form, &app.prefix);
    view.after.clear();
    let pasted = form.fields().find_map(|(_, text)| value_in(text, &app.prefix));
    if let Some(digest) = pasted {
        let actor = me.actor.clone();
        if let Some((token, _)) = app.read(move |conn| token::by_value(conn, &actor, digest)).await? {
            view = View { subject: token.id.to_string(), ..View::default() };
        }
    }
    Ok(frame.go_on(&view.at(ADDRESS, ""), ""))
}

/// A page would show its own address.
fn has_value(query: &Posted, prefix: &str) -> bool {
    query.fields().any(|(_, text)| value_in(text, prefix).is_some())
}

pub async fn csv(me: Administrator, app: web::Data<Arc<App>>, request: HttpRequest) -> Result<HttpResponse> {
    file(me, &app, &request, Kind::Csv).await
}

pub async fn jsonl(me: Administrator, app: web::Data<Arc<App>>, request: HttpRequest) -> Result<HttpResponse> {
    file(me, &app, &request, Kind::JsonLines).await
}

async fn file(
    Administrator(me): Administrator,
    app: &Arc<App>,
    request: &HttpRequest,
    kind: Kind,
) -> Result<HttpResponse> {
    let view = View::read(&Posted::from_query(request.query_string()), &app.prefix);
    let reading = Reading::of(&me.account, app.now());
    let (actor, filter) = (me.actor.clone(), view.filter(reading.zone)?);
    let export = app.read(move |conn| Export::begin(conn, &actor, &filter)).await?;
    Ok(audit_file::answer(app, export, kind, reading))
}

impl View {
    fn read(query: &Posted, prefix: &str) -> View {
        let clean = |name: &str| -> String {
            let text = searchable(query.text(name).trim(), prefix);
            text.chars().filter(|c| !c.is_control()).take(200).collect()
        };
        View {
            q: clean("q"),
            action: clean("action"),
            actor: clean("actor"),
            subject: clean("subject"),
            ip: clean("ip"),
            from: clean("from"),
            to: clean("to"),
            after: clean("after"),
        }
    }

    /// Days are those of the person's zone.
    fn filter(&self, zone: Zone) -> Result<Filter> {
        let mut problems = Vec::new();
        let mut day = |field, text: &str| match when::parse_day(text) {
            _ if text.is_empty() => None,
            Ok(day) => Some(day),
            Err(problem) => {
                problems.push(Problem { field, sentence: problem.to_string() });
                None
            }
        };
        let (from, to) = (day("from", &self.from), day("to", &self.to));
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        let behind = |day: NaiveDate| Stamp::from(when::end_of_day(day, zone)).plus(TimeDelta::seconds(1));
        Ok(Filter {
            action: self.action.clone(),
            actor: self.actor.clone(),
            subject: self.subject.clone(),
            ip: self.ip.clone(),
            from: from.and_then(|day| day.checked_sub_days(Days::new(1))).map(behind),
            until: to.map(behind),
            q: self.q.clone(),
        })
    }

    /// `ADDRESS?q=…`, with only what is set.
    fn at(&self, address: &str, after: &str) -> String {
        let place = Some(("after", after)).filter(|_| !after.is_empty());
        let query = Serializer::new(String::new()).extend_pairs(self.filters().chain(place)).finish();
        if query.is_empty() { address.to_owned() } else { format!("{address}?{query}") }
    }
}

/// The tokens that a row names: what it was done to, and as whom.
fn tokens_of(event: &Event) -> impl Iterator<Item = TokenId> {
    let subject = Some(event.subject_id.as_str()).filter(|_| event.subject_kind == "token");
    let via = event.via.strip_prefix("token ");
    [subject, via].into_iter().flatten().map(TokenId::from).collect::<Vec<_>>().into_iter()
}

type Names = BTreeMap<String, (String, bool)>;

fn row(event: &Event, tokens: &Names, catalogue: &Catalogue, reading: &Reading, me: &SignedIn) -> Row {
    let (text, icon, tone) = activity_words::action(&event.action);
    let is_me = event.actor_id.as_ref() == Some(&me.account.id);
    Row {
        number: event.number,
        iso: event.at.rfc3339(),
        time: when::moment_to_the_second(event.at.utc(), reading.now.utc(), reading.zone, reading.dates),
        event: text.to_owned(),
        icon,
        tone,
        detail: activity_words::detail(&Entry::Change(event.clone()), catalogue, reading),
        facts: wording::facts(event, catalogue, reading),
        what: event.subject_name.clone(),
        by: if is_me { "You".to_owned() } else { event.actor_name.clone() },
        via: wording::via(&event.via, |id| tokens.get(id).map(|(name, _)| name.as_str())),
        links: links(event, tokens),
    }
}

/// The pages of what is named, as far as there are such pages; then the rows of the same thing and of the same person.
fn links(event: &Event, tokens: &Names) -> Vec<(String, String)> {
    let search = |name: &str, value: &str| {
        let query = Serializer::new(String::new()).append_pair(name, value).finish();
        if value.is_empty() { String::new() } else { format!("{ADDRESS}?{query}") }
    };
    let (id, actor) = (event.subject_id.as_str(), event.actor_id.as_ref().map(|id| id.as_str()));
    let open = match event.subject_kind.as_str() {
        "token" => token_page(id, tokens),
        "account" => page_if_there(&format!("/admin/accounts/{id}")),
        "api" => page_if_there(&format!("/admin/apis/{}", event.subject_name)),
        _ => String::new(),
    };
    let via = event.via.strip_prefix("token ").map(|id| token_page(id, tokens)).unwrap_or_default();
    let who = actor.map(|id| page_if_there(&format!("/admin/accounts/{id}"))).unwrap_or_default();
    let links = [
        (format!("Open {}", event.subject_name), open.clone()),
        ("Open the token that acted".to_owned(), via),
        (format!("Open {}", event.actor_name), if who == open { String::new() } else { who }),
        (format!("All of this {}", event.subject_kind.replace('_', " ")), search("subject", id)),
        (format!("All by {}", event.actor_name), search("actor", actor.unwrap_or(&event.actor_name))),
    ];
    links.into_iter().filter(|(_, href)| !href.is_empty()).collect()
}

/// Of one that is removed, what happened to it; of one that is deleted for good, nothing.
fn token_page(id: &str, tokens: &Names) -> String {
    match tokens.get(id) {
        Some((_, false)) => format!("/settings/tokens/{id}"),
        Some((_, true)) => format!("/settings/tokens/{id}/activity"),
        None => String::new(),
    }
}

fn page_if_there(address: &str) -> String {
    route("GET", address).map(|_| address.to_owned()).unwrap_or_default()
}
