//! Administration → All tokens: everybody's, with the filters by which one looks for what is risky.

pub mod bulk;
pub mod file;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use self::bulk::Verb;
use super::all_tokens_pages::{self as pages, AllTokens, OwnerFilter};
use super::form::Posted;
use super::frame::Frame;
use super::page::{Note, counted, number};
use super::session::{Administrator, SignedIn};
use super::tokens_pages::{Column, Link, Order};
use super::words::{self, Reading};
use crate::account::{self, Account};
use crate::app::App;
use crate::error::{Error, Result};
use crate::secret::{Digest, searchable, value_in};
use crate::token::all::{self, Ask, BROAD_FROM, MOST, MOST_SORTED, Page, Row, Sort, SortBy, Tab, Times};
use crate::token::{self, MOST_AT_ONCE};
use crate::types::{AccountId, AccountKind, TokenId};

pub const ADDRESS: &str = "/admin/tokens";

pub async fn show(
    me: Administrator,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let mut view = View::read(request.query_string(), &app.prefix);
    if let Some(digest) = value_in(Posted::from_query(request.query_string()).text("q"), &app.prefix) {
        // A value in the address: out of it before anything is shown.
        let note = found_by_value(&me, &app, digest, &mut view).await?;
        return Ok(frame.go_on(&view.address(), &note));
    }
    let page = render(&me, &frame, &app, &view, None, &[]).await?;
    match frame.is_htmx {
        true => frame.part(StatusCode::OK, &page.as_content()),
        false => frame.page(StatusCode::OK, &page),
    }
}

/// The search box. It posts, so that a pasted value is in no address, history or log: such a one is found by its digest.
pub async fn find(me: Administrator, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let mut view = View::posted(&form, &app.prefix);
    let note = match value_in(form.text("q"), &app.prefix) {
        Some(digest) => found_by_value(&me, &app, digest, &mut view).await?,
        None => String::new(),
    };
    Ok(frame.go_on(&view.address(), &note))
}

/// Turns the view to the token of a pasted value, and says what the value is and whose.
async fn found_by_value(me: &SignedIn, app: &Arc<App>, digest: Digest, view: &mut View) -> Result<String> {
    let actor = me.actor.clone();
    let found = app.read(move |conn| {
        let Some((token, value)) = token::by_value(conn, &actor, digest)? else { return Ok(None) };
        let owner = account::by_id(conn, &token.owner_id)?;
        Ok(Some((token, value, owner)))
    });
    let found = found.await?;
    let reading = Reading::of(&me.account, app.now());
    *view = View::read("", &app.prefix);
    let Some((token, value, owner)) = found else {
        return Ok("No token has or had the value that you pasted.".into());
    };
    let named = format!("{} of {}", token.name, owner.label());
    if let Some(at) = token.removed_at {
        return Ok(format!("The pasted value was that of {named}, which was removed {}. It is dead.", reading.ago(at)));
    }
    view.q = value.starts_with;
    Ok(match value.ends_at {
        None => format!("The pasted value is that of {named}. If it leaked, disable the token and tell its owner."),
        Some(end) if reading.is_past(Some(end)) => {
            format!("The pasted value is a former one of {named}. It stopped {}.", reading.ago(end))
        }
        Some(end) => format!("The pasted value is the old one of {named}. It works until {}.", reading.moment(end)),
    })
}

/// The toolbar: `do` says which button.
pub async fn act(
    me: Administrator,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let view = View::read(request.query_string(), &app.prefix);
    let ticked: Vec<&str> = form.every("id").collect();
    let refuse = async |sentence: String| {
        let page = render(&me, &frame, &app, &view, Some(Note::bad(sentence)), &ticked).await?;
        frame.form_again(&page, &page.as_content())
    };
    let verb = match form.text("do") {
        "refresh" => return Ok(frame.go_on(&view.address(), "")),
        other => Verb::parse(other).ok_or_else(|| Error::invalid("do", "This button does not exist."))?,
    };
    let chosen = match form.has("all") {
        // The filter, not the rows of this page: what it finds now is what will be confirmed.
        true => {
            let (actor, ask, times) = (me.actor.clone(), view.ask(), times(&app));
            match app.read(move |conn| all::matching(conn, &actor, &ask, times)).await {
                Err(Error::Invalid(problems)) => {
                    return refuse(Error::Invalid(problems).to_string()).await;
                }
                matching => matching?,
            }
        }
        false => ticked.iter().map(|id| TokenId::from(*id)).collect(),
    };
    match chosen.len() {
        0 => refuse(format!("Select at least one token to {}.", verb.words())).await,
        n if n > MOST_AT_ONCE => refuse(format!("Select up to 10,000 tokens to {} at once.", verb.words())).await,
        _ => bulk::review(&me, &frame, &app, verb, chosen, &form, &view).await,
    }
}

pub fn times(app: &App) -> Times {
    Times { now: app.now(), notice: app.policy().notice() }
}

/// What the address says of the view.
#[derive(Clone)]
pub struct View {
    owner: String,
    tab: Tab,
    q: String,
    sort: Option<Sort>,
    after: String,
}

impl View {
    pub fn read(query: &str, prefix: &str) -> View {
        View::posted(&Posted::from_query(query), prefix)
    }

    fn posted(query: &Posted, prefix: &str) -> View {
        View {
            owner: query.text("owner").chars().filter(|c| !c.is_control()).take(36).collect(),
            tab: Tab::parse(query.text("status")),
            q: searchable(query.text("q").trim(), prefix).chars().filter(|c| !c.is_control()).take(200).collect(),
            sort: Some(query.text("sort")).filter(|sort| !sort.is_empty()).map(Sort::parse),
            after: query.text("after").to_owned(),
        }
    }

    pub fn address(&self) -> String {
        format!("{ADDRESS}{}", self.query())
    }

    /// `?status=…`, or nothing: only what is not usual.
    pub fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let sort = self.sort_text();
        let fields = [("owner", &self.owner), ("q", &self.q), ("sort", &sort), ("after", &self.after)];
        for (name, value) in [("status", self.tab.word())].into_iter().chain(fields.map(|(n, v)| (n, v.as_str()))) {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    pub fn ask(&self) -> Ask {
        Ask {
            owner: Some(self.owner.as_str()).filter(|owner| !owner.is_empty()).map(AccountId::from),
            tab: self.tab,
            q: self.q.clone(),
            sort: self.sort,
            after: Some(self.after.as_str()).filter(|after| !after.is_empty()).map(TokenId::from),
        }
    }

    fn sort_text(&self) -> String {
        self.sort.filter(|sort| *sort != self.tab.usual()).map(Sort::text).unwrap_or_default()
    }

    fn with(&self, change: impl FnOnce(&mut View)) -> View {
        let mut view = View { after: String::new(), ..self.clone() };
        change(&mut view);
        view
    }

    fn sorted(&self, by: SortBy, descending: bool) -> String {
        self.with(|view| view.sort = Some(Sort { by, descending })).address()
    }

    /// To the newest tokens, or from there to the oldest: by age no column sorts.
    fn turn(&self, now: Sort) -> Link {
        match now == Sort::USUAL {
            true => Link { href: self.sorted(SortBy::Created, false), label: "Oldest first" },
            false => Link { href: self.sorted(SortBy::Created, true), label: "Newest first" },
        }
    }

    /// A column's heading: once more turns the order around.
    fn column(&self, by: SortBy, now: Sort) -> Column {
        let (descending, order) = match (now.by == by, now.descending) {
            (true, false) => (true, Order::Ascending),
            (true, true) => (false, Order::Descending),
            (false, _) => (by == SortBy::Used, Order::None),
        };
        Column { href: self.sorted(by, descending), order }
    }
}

async fn render(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    view: &View,
    note: Option<Note>,
    ticked: &[&str],
) -> Result<AllTokens> {
    let (actor, ask, times) = (me.actor.clone(), view.ask(), times(app));
    let of = app.clone();
    let (found, owner) = app
        .read(move |conn| {
            let owner = match &ask.owner {
                Some(id) => {
                    let owner = account::by_id(conn, id)?;
                    let relation = account::relation(conn, &actor, &owner)?;
                    let may = owner.is_living() && token::must_take_values(&actor, relation, &owner).is_ok();
                    Some((owner, may))
                }
                None => None,
            };
            Ok((all::page(conn, &actor, &ask, times, &of.counts)?, owner))
        })
        .await?;
    let (catalogue, reading) = (app.catalogue(), Reading::of(&me.account, times.now));
    let row = |row: &Row| {
        let (token, owner) = (&row.listed.token, &row.owner);
        pages::Row {
            id: token.id.to_string(),
            name: token.name.clone(),
            href: format!("{}/{}", super::tokens::list::ADDRESS, token.id),
            starts_with: row.listed.starts_with.clone(),
            owner: owner.label().to_owned(),
            owner_href: view.with(|view| (view.owner, view.q) = (owner.id.to_string(), String::new())).address(),
            access: words::access(&catalogue, token.access_set.as_deref()),
            expires: words::expires(token.expires_at, row.listed.status, &reading),
            used: words::used(row.listed.used.as_ref(), &reading),
            status: words::status(row.listed.status),
            checked: ticked.contains(&token.id.as_str()),
        }
    };
    Ok(AllTokens {
        shell: frame.shell("All tokens", ADDRESS, Some(me))?,
        tabs: tabs(view, &found),
        help: help(view.tab),
        q: view.q.clone(),
        status: view.tab.word().to_owned(),
        sort: view.sort_text(),
        query: view.query(),
        csv: format!("{ADDRESS}.csv{}", view.with(|_| {}).query()),
        owner: owner.map(|(owner, may)| owner_filter(view, &owner, may)),
        turn: view.turn(found.sort),
        by_name: view.column(SortBy::Name, found.sort),
        by_expiry: view.column(SortBy::Expires, found.sort),
        by_use: view.column(SortBy::Used, found.sort),
        rows: found.rows.iter().map(row).collect(),
        newer: newer(view, &found),
        older: found
            .older
            .as_ref()
            .map(|id| view.with(|view| view.after = id.to_string()).address())
            .unwrap_or_default(),
        summary: summary(view, &found),
        all: all_of(view, &found),
        zone: reading.zone.name().to_owned(),
        note: note.or_else(|| said(view, &found)),
    })
}

fn owner_filter(view: &View, owner: &Account, may_generate: bool) -> OwnerFilter {
    let generate = format!("{}/new?owner={}", super::tokens::list::ADDRESS, owner.id);
    OwnerFilter {
        id: owner.id.to_string(),
        name: owner.name.clone(),
        what: match owner.kind {
            AccountKind::Person => owner.label().to_owned(),
            AccountKind::Service => "a service account".to_owned(),
        },
        drop_href: view.with(|view| view.owner.clear()).address(),
        generate_href: if may_generate { generate } else { String::new() },
    }
}

fn tabs(view: &View, found: &Page) -> Vec<pages::Tab> {
    let labels = ["All", "Expires soon", "Never expires", "Unused 90 days", "Too broad", "Disabled", "Expired"];
    let tabs = Tab::EVERY.into_iter().zip(labels).zip(found.counts);
    tabs.map(|((tab, label), count)| pages::Tab {
        label,
        href: view.with(|view| (view.tab, view.sort) = (tab, None)).address(),
        count: capped(count),
        current: view.tab == tab,
    })
    .collect()
}

/// `10,412` is not counted out: `10,000+`.
fn capped(count: usize) -> String {
    if count > MOST { format!("{}+", number(MOST)) } else { number(count) }
}

fn help(tab: Tab) -> String {
    match tab {
        Tab::Broad => format!(
            "These may do everything, or everything in an API, or have {BROAD_FROM} methods or more, for every resource and from \
             any address. Let their owners choose fewer methods, or narrow them by resources or addresses."
        ),
        Tab::Unused => "Nothing was called with these for 90 days, and they are older than that.".into(),
        Tab::Never => "These work until somebody removes them.".into(),
        Tab::All | Tab::Expiring | Tab::Disabled | Tab::Expired => String::new(),
    }
}

fn total(view: &View, found: &Page) -> usize {
    Tab::EVERY.iter().zip(found.counts).find(|(tab, _)| **tab == view.tab).map_or(0, |(_, count)| count)
}

fn newer(view: &View, found: &Page) -> String {
    match &found.newer {
        Some(id) => view.with(|view| view.after = id.to_string()).address(),
        None if found.is_first => String::new(),
        None => view.with(|_| {}).address(),
    }
}

/// "1 to 50 of 10,412 tokens"; on a page further on, where nobody has counted what stands before it, "50 of …".
fn summary(view: &View, found: &Page) -> String {
    let (total, rows) = (total(view, found), found.rows.len());
    let of = if total > MOST { format!("{} tokens", capped(total)) } else { counted(total, "token", "tokens") };
    match found.before {
        _ if rows == total => of,
        Some(before) if rows > 0 => format!("{} to {} of {of}", number(before + 1), number(before + rows)),
        _ => format!("{} of {of}", number(rows)),
    }
}

/// As many as one change may name, or fewer.
fn all_of(view: &View, found: &Page) -> String {
    let total = total(view, found);
    let some = total > found.rows.len() && total <= MOST && !found.cut;
    if some { number(total) } else { String::new() }
}

/// What the list leaves out or orders otherwise than it was asked to.
fn said(view: &View, found: &Page) -> Option<Note> {
    if found.cut {
        return Some(Note::warn("More tokens begin so than are looked at here. Type more of the name."));
    }
    let asked = view.ask().sort();
    (asked != found.sort).then(|| {
        let order = if found.sort.by == SortBy::Used { "last use" } else { "expiry" };
        Note::plain(format!("These are more than {} tokens, so they are sorted by {order}.", number(MOST_SORTED)))
    })
}
