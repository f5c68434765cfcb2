//! The list of one's tokens, what its toolbar does, and removing.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::actor::Deed;
use crate::app::App;
use crate::confirm::Action;
use crate::error::{Error, Replay, Result};
use crate::token::list::{Ask, Listed, PAGE, Page, Sort, SortBy, Tab, dress, page};
use crate::token::{self};
use crate::types::TokenId;
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::{self as parts, Fact, Note, Paging, counted};
use crate::web::session::SignedIn;
use crate::web::tokens_pages::{Column, Order, TokenList, TokenRow, Tools};
use crate::web::words::{self, Reading};

pub const ADDRESS: &str = "/settings/tokens";
/// How many rows one removal may name.
const MOST_AT_ONCE: usize = 10_000;

pub async fn show(me: SignedIn, frame: Frame, app: web::Data<Arc<App>>, request: HttpRequest) -> Result<HttpResponse> {
    let view = View::read(request.query_string());
    let page = render(&me, &frame, &app, &view, None, &[]).await?;
    frame.page(StatusCode::OK, &page)
}

/// The toolbar: `do` says which button.
pub async fn act(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let view = View::read(request.query_string());
    let ids: Vec<&str> = form.every("id").collect();
    match form.text("do") {
        "generate" => Ok(frame.go_on("/settings/tokens/new", "")),
        "refresh" => Ok(frame.go_on(&view.address(), "")),
        "remove" if ids.is_empty() => {
            let note = Note::bad("Select at least one token to remove.");
            let page = render(&me, &frame, &app, &view, Some(note), &ids).await?;
            frame.form_again(&page, &page.as_content())
        }
        "remove" => propose_removal(&me, &frame, &app, &ids).await,
        _ => Err(Error::invalid("do", "This button does not exist.")),
    }
}

async fn propose_removal(me: &SignedIn, frame: &Frame, app: &Arc<App>, ids: &[&str]) -> Result<HttpResponse> {
    let mut ids: Vec<TokenId> = ids.iter().map(|id| TokenId::from(*id)).collect();
    ids.sort();
    ids.dedup();
    if ids.len() > MOST_AT_ONCE {
        return Err(Error::invalid("id", "Remove up to 10,000 tokens at once."));
    }
    let page = removal_page(me, frame, app, ids.clone()).await?;
    let key = propose(app, me, Action::RemoveTokens, ids).await?;
    ask(frame, me, page, &key)
}

/// Each token with its status and last use, and a warning where something still depends on it.
async fn removal_page(me: &SignedIn, frame: &Frame, app: &Arc<App>, ids: Vec<TokenId>) -> Result<ConfirmPage> {
    let (actor, now, notice) = (me.actor.clone(), app.now(), app.policy.notice());
    let wanted = ids.clone();
    let listed: Vec<Listed> = app
        .read(move |conn| {
            let mut tokens = Vec::new();
            for id in &wanted {
                let token = token::visible(conn, &actor, id)?;
                if token.removed_at.is_some() {
                    return Err(Error::Missing);
                }
                tokens.push(token);
            }
            dress(conn, tokens, now, notice)
        })
        .await?;
    let reading = Reading::of(&me.account, now);
    let facts = listed.iter().map(|listed| {
        let fact = Fact::new(&listed.token.name, words::standing(listed, &reading));
        let recent = listed.used.as_ref().filter(|used| now < used.at.plus(chrono::TimeDelta::hours(1)));
        match recent {
            Some(used) => {
                let from = if used.ip.is_empty() { String::new() } else { format!(" from {}", used.ip) };
                fact.warned(format!("Used {}{from}. Something still depends on it.", reading.ago(used.at)))
            }
            None => fact,
        }
    });
    let facts = facts.collect();
    let shell = frame.shell("Remove tokens", ADDRESS, Some(me))?;
    Ok(ConfirmPage::remove_tokens(shell, ids.iter().map(ToString::to_string).collect(), facts))
}

pub async fn remove(me: SignedIn, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let outcome =
        settle(&app, &me, &form, Action::RemoveTokens, |tx, actor, ids: Vec<TokenId>| token::remove(tx, actor, &ids));
    match outcome.await {
        Ok(Outcome::Done(names)) => {
            let note = match names.as_slice() {
                [one] => format!("Removed the token {one}."),
                many => format!("Removed {}.", counted(many.len(), "token", "tokens")),
            };
            Ok(frame.go_on(ADDRESS, &note))
        }
        Ok(Outcome::Again { payload, error }) => {
            let page = removal_page(&me, &frame, &app, payload).await?;
            ask_again(&frame, &me, page, &form, &error)
        }
        Ok(Outcome::Back(_)) => Ok(frame.go_on(ADDRESS, "")),
        Err(Error::Replayed(why)) => Ok(frame.go_on(
            ADDRESS,
            match why {
                Replay::Used => "That removal was already confirmed. Look at the list: nothing was done again.",
                Replay::TooOld => "Nothing was removed: the confirmation is too old. Select the tokens again.",
            },
        )),
        Err(other) => Err(other),
    }
}

/// What the address says of the view.
struct View {
    tab: Tab,
    q: String,
    sort: Sort,
    after: String,
}

impl View {
    fn read(query: &str) -> View {
        let query = Posted::from_query(query);
        View {
            tab: Tab::parse(query.text("status")),
            q: query.text("q").chars().filter(|c| !c.is_control()).take(200).collect(),
            sort: Sort::parse(query.text("sort")),
            after: query.text("after").to_owned(),
        }
    }

    fn address(&self) -> String {
        format!("{ADDRESS}{}", self.query())
    }

    /// `?status=…`, or nothing: only what is not usual.
    fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let sort = if self.sort == Sort::USUAL { String::new() } else { self.sort.text() };
        for (name, value) in [("status", self.tab.word()), ("q", &self.q), ("sort", &sort), ("after", &self.after)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    fn with(&self, change: impl FnOnce(&mut View)) -> View {
        let mut view = View { tab: self.tab, q: self.q.clone(), sort: self.sort, after: String::new() };
        change(&mut view);
        view
    }

    /// A column's heading: once more turns the order around.
    fn column(&self, by: SortBy) -> Column {
        let first = by == SortBy::Used;
        let (descending, order) = match (self.sort.by == by, self.sort.descending) {
            (true, false) => (true, Order::Ascending),
            (true, true) => (false, Order::Descending),
            (false, _) => (first, Order::None),
        };
        Column { href: self.with(|view| view.sort = Sort { by, descending }).address(), order }
    }
}

async fn render(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    view: &View,
    note: Option<Note>,
    ticked: &[&str],
) -> Result<TokenList> {
    let (now, notice) = (app.now(), app.policy.notice());
    let wish = Ask {
        owner: me.account.id.clone(),
        tab: view.tab,
        q: view.q.clone(),
        sort: view.sort,
        after: Some(view.after.as_str()).filter(|after| !after.is_empty()).map(TokenId::from),
    };
    let owner = me.account.id.clone();
    let (found, owned) =
        app.read(move |conn| Ok((page(conn, &wish, now, notice)?, token::count_of(conn, &owner)?))).await?;
    let catalogue = app.catalogue();
    let reading = Reading::of(&me.account, now);
    let may = me.actor.may(Deed::GenerateOwnTokens);
    let row = |listed: &Listed| TokenRow {
        id: listed.token.id.to_string(),
        name: listed.token.name.clone(),
        href: String::new(),
        starts_with: listed.starts_with.clone(),
        description: listed.token.description.clone(),
        access: words::access(&catalogue, listed.token.access_set.as_deref()),
        methods: counted(catalogue.count(&listed.token.scopes), "method", "methods"),
        expires: words::expires(listed.token.expires_at, listed.status, &reading),
        used: words::used(listed.used.as_ref(), &reading),
        status: words::status(listed.status),
        status_note: listed.grace_until.map(|end| format!("until {}", reading.moment(end))).unwrap_or_default(),
        checked: ticked.contains(&listed.token.id.as_str()),
        fresh: false,
    };
    Ok(TokenList {
        shell: frame.shell("Access tokens", ADDRESS, Some(me))?,
        tools: Tools { generate: may, remove: may, ..Tools::default() },
        tabs: tabs(view, &found),
        q: view.q.clone(),
        status: view.tab.word().to_owned(),
        sort: if view.sort == Sort::USUAL { String::new() } else { view.sort.text() },
        query: view.query(),
        by_name: view.column(SortBy::Name),
        by_expiry: view.column(SortBy::Expires),
        by_use: view.column(SortBy::Used),
        rows: found.rows.iter().map(row).collect(),
        paging: paging(view, &found),
        owned: usize::try_from(owned).unwrap_or_default(),
        limit: app.policy.tokens_per_account as usize,
        zone: reading.zone.name().to_owned(),
        note,
    })
}

fn tabs(view: &View, found: &Page) -> Vec<parts::Tab> {
    let labels = ["All", "Active", "Expires soon", "Expired", "Disabled"];
    let tabs = Tab::EVERY.into_iter().zip(labels).zip(found.counts);
    tabs.map(|((tab, label), count)| parts::Tab {
        label,
        href: view.with(|view| view.tab = tab).address(),
        count: usize::try_from(count).unwrap_or_default(),
        current: view.tab == tab,
    })
    .collect()
}

fn paging(view: &View, found: &Page) -> Paging {
    let total = Tab::EVERY.iter().zip(found.counts).find(|(tab, _)| **tab == view.tab).map_or(0, |(_, count)| count);
    let before = found.before;
    let size = |n: i64| usize::try_from(n).unwrap_or_default();
    Paging {
        newer: match &found.newer {
            Some(id) => view.with(|view| view.after = id.to_string()).address(),
            None if before > 0 => view.with(|_| {}).address(),
            None => String::new(),
        },
        older: found
            .older
            .as_ref()
            .map(|id| view.with(|view| view.after = id.to_string()).address())
            .unwrap_or_default(),
        first: size((before + 1).min(total)),
        last: size((before + found.rows.len() as i64).min(total.max(before + PAGE))),
        total: size(total),
    }
}
