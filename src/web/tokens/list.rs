//! The list of one's tokens, its search, and what its toolbar does.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::bulk::{self, Verb};
use super::form::About;
use super::reveal::page_address;
use crate::account;
use crate::actor::{Actor, Deed};
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::secret::{Digest, searchable, value_in};
use crate::team::{self, Team};
use crate::token::list::{Ask, Listed, Page, Sort, SortBy, Tab, Whose, count_all, matching, owners, page};
use crate::token::{self, MOST_AT_ONCE};
use crate::types::{AccountId, TeamId, TokenId};
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::{self as parts, Note, Paging, Place, counted};
use crate::web::session::SignedIn;
use crate::web::tokens_pages::{Column, Link, ListLink, Order, TokenList, TokenRow, Tools};
use crate::web::words::{self, Reading};

pub const ADDRESS: &str = "/settings/tokens";

pub async fn show(me: SignedIn, frame: Frame, app: web::Data<Arc<App>>, request: HttpRequest) -> Result<HttpResponse> {
    let view = View::read(request.query_string(), &app.prefix);
    if let Some(digest) = value_in(Posted::from_query(request.query_string()).text("q"), &app.prefix) {
        // A value in the address: out of it before anything is shown.
        let (address, note) = found_by_value(&me, &app, digest).await?;
        return Ok(frame.go_on(&address, &note));
    }
    let page = render(&me, &frame, &app, &view, None, &[]).await?;
    match frame.is_htmx {
        true => frame.part(StatusCode::OK, &page.as_content()),
        false => frame.page(StatusCode::OK, &page),
    }
}

/// The search box. It posts, so that a pasted value is in no address, history or log: such a one is found by its digest.
pub async fn find(me: SignedIn, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let (address, note) = match value_in(form.text("q"), &app.prefix) {
        Some(digest) => found_by_value(&me, &app, digest).await?,
        None => (View::posted(&form, &app.prefix).address(), String::new()),
    };
    Ok(frame.go_on(&address, &note))
}

/// Where the token of a pasted value is, of all that the person may see, and what the value is.
async fn found_by_value(me: &SignedIn, app: &Arc<App>, digest: Digest) -> Result<(String, String)> {
    let actor = me.actor.clone();
    let found = app.read(move |conn| {
        let Some((token, value)) = token::by_value(conn, &actor, digest)? else { return Ok(None) };
        let owner = account::by_id(conn, &token.owner_id)?;
        Ok(Some((token, value, owner)))
    });
    let reading = Reading::of(&me.account, app.now());
    let mut view = View::read("", &app.prefix);
    let Some((token, value, owner)) = found.await? else {
        return Ok((view.address(), "No token that you may see has or had the value that you pasted.".into()));
    };
    if let Some(at) = token.removed_at {
        let name = &token.name;
        let note = format!("The pasted value was that of {name}, which was removed {}. It is dead.", reading.ago(at));
        return Ok((view.address(), note));
    }
    view.q = value.starts_with;
    view.team = owner.owner_team_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let is_mine = me.actor.is(&owner.id) || owner.owner_account_id.as_ref().is_some_and(|by| me.actor.is(by));
    let address = match view.team.is_empty() && !is_mine {
        true => page_address(token.id.as_str()),
        false => view.address(),
    };
    let note = match value.ends_at {
        None => format!(
            "The pasted value is that of {}. If it leaked, regenerate the token and stop the old value.",
            token.name
        ),
        Some(end) if reading.is_past(Some(end)) => {
            format!("The pasted value is a former one of {}. It stopped {}.", token.name, reading.ago(end))
        }
        Some(end) => {
            let until = reading.moment(end);
            format!(
                "The pasted value is the old one of {}. It works until {until} unless you end its grace period.",
                token.name
            )
        }
    };
    Ok((address, note))
}

/// The toolbar: `do` says which button.
pub async fn act(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let view = View::read(request.query_string(), &app.prefix);
    let ticked: Vec<&str> = form.every("id").collect();
    let refuse = async |sentence: String| {
        let page = render(&me, &frame, &app, &view, Some(Note::bad(sentence)), &ticked).await?;
        frame.form_again(&page, &page.as_content())
    };
    let verb = match form.text("do") {
        "generate" => return Ok(frame.go_on("/settings/tokens/new", "")),
        "refresh" => return Ok(frame.go_on(&view.address(), "")),
        one @ ("edit" | "copy") => {
            return match (ticked.as_slice(), form.has("all")) {
                ([id], false) => {
                    let token = About::token(&app, &me, id).await?.token.ok_or(Error::Missing)?.token;
                    Ok(match one {
                        "edit" => frame.go_on(&format!("{ADDRESS}/{}", token.id), ""),
                        _ => frame.go_on(&format!("{ADDRESS}/new?from={}", token.id), ""),
                    })
                }
                _ => refuse(format!("Select one token to {one}.")).await,
            };
        }
        other => Verb::parse(other).ok_or_else(|| Error::invalid("do", "This button does not exist."))?,
    };
    let chosen = match form.has("all") {
        // The filter, not the rows of this page: what it finds now is what will be confirmed.
        true => {
            let (wish, actor, now) = (view.clone(), me.actor.clone(), app.now());
            let notice = app.policy().notice();
            let look = move |conn: &mut Conn| {
                let ask = wish.ask(conn, &actor)?;
                matching(conn, &ask, now, notice)
            };
            app.read(look).await?
        }
        false => ticked.iter().map(|id| TokenId::from(*id)).collect(),
    };
    match chosen.len() {
        0 => refuse(format!("Select at least one token to {}.", verb.word())).await,
        n if n > MOST_AT_ONCE => refuse(format!("Select up to 10,000 tokens to {} at once.", verb.word())).await,
        _ => bulk::review(&me, &frame, &app, verb, chosen, &view).await,
    }
}

/// What the address says of the view.
#[derive(Clone)]
pub struct View {
    /// Of a team; empty is one's own.
    team: String,
    tab: Tab,
    q: String,
    sort: Sort,
    after: String,
}

impl View {
    pub fn read(query: &str, prefix: &str) -> View {
        View::posted(&Posted::from_query(query), prefix)
    }

    fn posted(query: &Posted, prefix: &str) -> View {
        View {
            team: query.text("team").to_owned(),
            tab: Tab::parse(query.text("status")),
            q: searchable(query.text("q"), prefix).chars().filter(|c| !c.is_control()).take(200).collect(),
            sort: Sort::parse(query.text("sort")),
            after: query.text("after").to_owned(),
        }
    }

    pub fn address(&self) -> String {
        format!("{ADDRESS}{}", self.query())
    }

    /// `?status=…`, or nothing: only what is not usual.
    pub fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let sort = if self.sort == Sort::USUAL { String::new() } else { self.sort.text() };
        let shown = [
            ("team", self.team.as_str()),
            ("status", self.tab.word()),
            ("q", &self.q),
            ("sort", &sort),
            ("after", &self.after),
        ];
        for (name, value) in shown {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// A team that one may not see is missing.
    fn ask(&self, conn: &mut Conn, actor: &Actor) -> Result<Ask> {
        Ok(Ask {
            owners: Some(owners(conn, actor, &self.whose())?),
            tab: self.tab,
            q: self.q.clone(),
            sort: self.sort,
            after: Some(self.after.as_str()).filter(|after| !after.is_empty()).map(TokenId::from),
        })
    }

    fn whose(&self) -> Whose {
        if self.team.is_empty() { Whose::Mine } else { Whose::Team(TeamId::from(self.team.as_str())) }
    }

    /// To the newest tokens, or from there to the oldest: by age no column sorts.
    fn turn(&self) -> Link {
        let (newest, oldest) = (Sort::USUAL, Sort { descending: false, ..Sort::USUAL });
        let (sort, label) = if self.sort == newest { (oldest, "Oldest first") } else { (newest, "Newest first") };
        Link { href: self.with(|view| view.sort = sort).address(), label }
    }

    fn with(&self, change: impl FnOnce(&mut View)) -> View {
        let mut view = View { after: String::new(), ..self.clone() };
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
    let (now, notice) = (app.now(), app.policy().notice());
    let (actor, me_id, asked) = (me.actor.clone(), me.account.id.clone(), view.clone());
    let (found, owned, own, names, teams) = app
        .read(move |conn| {
            let wish = asked.ask(conn, &actor)?;
            let found = page(conn, &wish, now, notice)?;
            // Without a search the first tab has counted them already.
            let owned = match asked.q.is_empty() {
                true => found.counts.first().copied().unwrap_or_default(),
                false => count_all(conn, &wish)?,
            };
            let others: Vec<AccountId> = found.rows.iter().map(|row| row.token.owner_id.clone()).collect();
            let names = account::names(conn, &others)?;
            let teams = shown_teams(conn, &actor, &asked.team)?;
            Ok((found, owned, token::count_of(conn, &me_id)?, names, teams))
        })
        .await?;
    let catalogue = app.catalogue();
    let reading = Reading::of(&me.account, now);
    let may = me.actor.may(Deed::ChangeTokens);
    let row = |listed: &Listed| TokenRow {
        id: listed.token.id.to_string(),
        name: listed.token.name.clone(),
        href: format!("{ADDRESS}/{}", listed.token.id),
        starts_with: listed.starts_with.clone(),
        description: listed.token.description.clone(),
        owner: match me.actor.is(&listed.token.owner_id) {
            true => String::new(),
            false => names.get(&listed.token.owner_id).cloned().unwrap_or_default(),
        },
        access: words::access(&catalogue, listed.token.access_set.as_deref()),
        methods: counted(catalogue.count(&listed.token.scopes), "method", "methods"),
        expires: words::expires(listed.token.expires_at, listed.status, &reading),
        used: words::used(listed.used.as_ref(), &reading),
        status: words::status(listed.status),
        status_note: listed.grace_until.map(|end| format!("until {}", reading.moment(end))).unwrap_or_default(),
        checked: ticked.contains(&listed.token.id.as_str()),
    };
    Ok(TokenList {
        shell: frame.shell("Access tokens", ADDRESS, Some(me))?,
        tools: Tools { generate: may, edit: true, copy: may, disable: may, enable: may, remove: may },
        turn: view.turn(),
        lists: lists(view, &teams),
        team: view.team.clone(),
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
        owned: parts::size(owned),
        own: parts::size(own),
        limit: if view.team.is_empty() { app.policy().tokens_per_account as usize } else { 0 },
        zone: reading.zone.name().to_owned(),
        note,
    })
}

/// The teams that one is in, and the one that an administrator looks at.
fn shown_teams(conn: &mut Conn, actor: &Actor, team: &str) -> Result<Vec<Team>> {
    let Some(me) = &actor.account else { return Ok(Vec::new()) };
    let mut teams: Vec<Team> = team::of_account(conn, me)?.into_iter().map(|(team, _)| team).collect();
    if !team.is_empty() && teams.iter().all(|known| known.id.as_str() != team) {
        teams.push(team::visible(conn, actor, &TeamId::from(team))?.0);
    }
    Ok(teams)
}

/// Mine, and each team; nothing for who is in none.
fn lists(view: &View, teams: &[Team]) -> Vec<ListLink> {
    if teams.is_empty() {
        return Vec::new();
    }
    let link = |team: String, label: String| ListLink {
        current: view.team == team,
        href: View { team, ..View::read("", "") }.address(),
        label,
    };
    let of_teams = teams.iter().map(|team| link(team.id.to_string(), team.name.clone()));
    std::iter::once(link(String::new(), "Mine".into())).chain(of_teams).collect()
}

fn tabs(view: &View, found: &Page) -> Vec<parts::Tab> {
    let labels = ["All", "Active", "Expires soon", "Expired", "Disabled"];
    let tabs = Tab::EVERY.into_iter().zip(labels).zip(found.counts);
    tabs.map(|((tab, label), count)| parts::Tab {
        label,
        href: view.with(|view| view.tab = tab).address(),
        count: parts::size(count),
        current: view.tab == tab,
    })
    .collect()
}

fn paging(view: &View, found: &Page) -> Paging {
    let total = Tab::EVERY.iter().zip(found.counts).find(|(tab, _)| **tab == view.tab).map_or(0, |(_, count)| count);
    let place = Place { before: found.before, rows: found.rows.len(), total };
    let to = |id: &TokenId| view.with(|view| view.after = id.to_string()).address();
    Paging::of(place, found.newer.as_ref(), found.older.as_ref(), view.with(|_| {}).address(), to)
}
