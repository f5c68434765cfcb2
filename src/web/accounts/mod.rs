//! Administration, Accounts: the list of people, and one of them.

pub mod change;
pub mod invite;
pub mod leave;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::accounts_pages::{self as pages, AccountList, AccountPage, AccountRow, FilterTab, Section, Standing};
use super::form::Posted;
use super::frame::Frame;
use super::page::{Choice, Fact, Note, Paging, Tone, counted, number, size};
use super::session::{Administrator, SignedIn};
use super::tokens_pages::When;
use super::words::Reading;
use crate::account::list::{Ask, Filter, Listed, PAGE, Page, State, one, page};
use crate::account::{self, Account};
use crate::actor::wording;
use crate::app::App;
use crate::error::{Error, Result};
use crate::guess::{Guess, Guesses};
use crate::session::everywhere::{self, Place};
use crate::types::{AccountId, Role};

pub const ADDRESS: &str = "/admin/accounts";
/// Teams that a row names.
const MOST_TEAMS: usize = 3;

pub fn address(id: &AccountId) -> String {
    format!("{ADDRESS}/{id}")
}

/// What the address says of the list.
struct View(Ask);

impl View {
    fn read(query: &str) -> View {
        let query = Posted::from_query(query);
        let q = query.text("q").chars().filter(|c| !c.is_control()).take(200).collect::<String>();
        View(Ask {
            filter: Filter::parse(query.text("status")),
            role: Role::parse(query.text("role")),
            q: q.trim().to_owned(),
            after: Some(query.text("after")).filter(|after| !after.is_empty()).map(AccountId::from),
            most: PAGE,
        })
    }

    fn address(&self, filter: Filter, after: Option<&AccountId>) -> String {
        let role = self.0.role.map(|role| role.as_str()).unwrap_or_default();
        let after = after.map(AccountId::as_str).unwrap_or_default();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("status", filter.word()), ("role", role), ("q", &self.0.q), ("after", after)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        match query.finish() {
            query if query.is_empty() => ADDRESS.to_owned(),
            query => format!("{ADDRESS}?{query}"),
        }
    }
}

pub async fn list(
    me: Administrator,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let view = View::read(request.query_string());
    let (wish, now) = (view.0.clone(), app.now());
    let found = app.read(move |conn| page(conn, &wish, now)).await?;
    let reading = Reading::of(&me.account, now);
    let page = AccountList {
        shell: frame.shell("Accounts", ADDRESS, Some(&me))?,
        tabs: tabs(&view, &found),
        roles: every_role(view.0.role),
        q: view.0.q.clone(),
        status: view.0.filter.word().to_owned(),
        rows: found.rows.iter().map(|listed| row(listed, &reading)).collect(),
        paging: Paging {
            newer: found.former.as_ref().map(|to| view.address(view.0.filter, to.as_ref())).unwrap_or_default(),
            older: found.next.as_ref().map(|to| view.address(view.0.filter, Some(to))).unwrap_or_default(),
            ..Paging::default()
        },
        summary: summary(&view, &found),
        is_filtered: !view.0.q.is_empty() || view.0.role.is_some() || view.0.filter != Filter::All,
        zone: reading.zone.name().to_owned(),
    };
    match frame.is_htmx {
        true => frame.part(StatusCode::OK, &page.as_content()),
        false => frame.page(StatusCode::OK, &page),
    }
}

fn tabs(view: &View, found: &Page) -> Vec<FilterTab> {
    let labels = ["All", "Invited", "Disabled"];
    let tabs = Filter::EVERY.into_iter().zip(labels).enumerate();
    tabs.map(|(nth, (filter, label))| FilterTab {
        label,
        href: view.address(filter, None),
        count: found.counts.and_then(|counts| counts.get(nth).copied()).map(|n| number(size(n))).unwrap_or_default(),
        current: view.0.filter == filter,
    })
    .collect()
}

fn summary(view: &View, found: &Page) -> String {
    let place = Filter::EVERY.iter().position(|filter| *filter == view.0.filter).unwrap_or_default();
    match found.counts.and_then(|counts| counts.get(place).copied()) {
        Some(n) => counted(size(n), "person", "people"),
        None => "Some of very many people: type more letters".to_owned(),
    }
}

fn every_role(chosen: Option<Role>) -> Vec<Choice> {
    let any = Choice { value: String::new(), label: "Any role".into(), selected: chosen.is_none() };
    let roles = Role::ALL.iter().map(|role| role_choice(*role, chosen == Some(*role)));
    std::iter::once(any).chain(roles).collect()
}

fn role_choice(role: Role, selected: bool) -> Choice {
    let mut label = wording(role).to_owned();
    if let Some(first) = label.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Choice { value: role.as_str().to_owned(), label, selected }
}

fn row(listed: &Listed, reading: &Reading) -> AccountRow {
    let mut teams = listed.teams.iter().take(MOST_TEAMS).cloned().collect::<Vec<_>>().join(", ");
    if listed.teams.len() > MOST_TEAMS {
        teams.push_str(&format!(" and {} more", listed.teams.len() - MOST_TEAMS));
    }
    AccountRow {
        href: address(&listed.account.id),
        name: listed.account.name.clone(),
        email: listed.account.label().to_owned(),
        role: wording(listed.account.role),
        teams,
        tokens: listed.tokens,
        seen: seen(listed, reading),
        standing: standing(listed.state),
    }
}

fn seen(listed: &Listed, reading: &Reading) -> When {
    match listed.seen {
        None => When { text: "never".into(), ..When::default() },
        Some(at) => When { iso: at.rfc3339(), text: reading.ago(at), sub: reading.moment(at), tone: Tone::Plain },
    }
}

fn standing(state: State) -> Standing {
    match state {
        State::Active => Standing::Active,
        State::Invited => Standing::Invited,
        State::Disabled => Standing::Disabled,
    }
}

/// All that a person's page tells.
pub struct Told {
    pub listed: Listed,
    sessions: Vec<Place>,
    guesses: Guesses,
    services: Vec<Account>,
    /// Whether something of theirs has to be decided before they are disabled.
    has_belongings: bool,
}

impl Told {
    /// A person that the asker may look at; a service account is on a page of its own.
    pub async fn read(app: &Arc<App>, me: &SignedIn, id: &str) -> Result<Told> {
        let (id, actor, now, policy) = (AccountId::from(id), me.actor.clone(), app.now(), app.policy());
        app.read(move |conn| {
            let account = account::by_id(conn, &id)?;
            account::person_seen(&actor, &account)?;
            let key = account.email_key.clone().unwrap_or_default();
            let services = account::services_of(conn, &id)?;
            let listed = one(conn, account, now)?.ok_or(Error::Missing)?;
            Ok(Told {
                sessions: everywhere::living(conn, &id, &"".into(), now, &policy)?,
                guesses: account::guesses_of(conn, &key)?.settled(now.utc()),
                has_belongings: listed.tokens > 0 || !services.is_empty(),
                services,
                listed,
            })
        })
        .await
    }

    pub fn account(&self) -> &Account {
        &self.listed.account
    }
}

pub async fn show(
    me: Administrator,
    id: web::Path<String>,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let told = Told::read(&app, &me, &id).await?;
    frame.page(StatusCode::OK, &account_page(&me, &frame, &app, &told, None)?)
}

fn account_page(me: &SignedIn, frame: &Frame, app: &App, told: &Told, note: Option<Note>) -> Result<AccountPage> {
    let account = told.account();
    let may = account::changeable_as(&me.actor, account).is_ok();
    let tokens = counted(size(told.listed.tokens), "living token", "living tokens");
    Ok(AccountPage {
        shell: frame.shell(&account.name, ADDRESS, Some(me))?,
        address: address(&account.id),
        name: account.name.clone(),
        standing: standing(told.listed.state),
        facts: facts(told, &Reading::of(&me.account, app.now())),
        links: vec![
            (format!("/admin/tokens?owner={}", account.id), tokens),
            (format!("/admin/audit?actor={}", account.id), "Audit log".into()),
        ],
        services: told
            .services
            .iter()
            .map(|service| (format!("/admin/service-accounts/{}", service.id), service.name.clone()))
            .collect(),
        seen: account.version,
        roles: if may { roles_to_give(me, account.role) } else { Vec::new() },
        sections: if may { sections(me, app, told) } else { Vec::new() },
        only_look: match may {
            true => String::new(),
            false => format!("Only owners may change an account with the role {}.", wording(account.role)),
        },
        note,
    })
}

fn facts(told: &Told, reading: &Reading) -> Vec<Fact> {
    let account = told.account();
    let teams = match told.listed.teams.is_empty() {
        true => "none".to_owned(),
        false => told.listed.teams.join(", "),
    };
    let seen = told.listed.seen.map_or_else(|| "never".to_owned(), |at| reading.moment(at));
    vec![
        Fact::new("E-mail", account.label()),
        Fact::new("Role", wording(account.role)),
        Fact::new("Teams", teams),
        Fact::new("Last seen", seen),
        Fact::new("Added", reading.moment(account.created_at)),
        Fact::new("Id", account.id.as_str()).mono(),
    ]
}

/// The roles that the asker may give, and the present one.
fn roles_to_give(me: &SignedIn, present: Role) -> Vec<Choice> {
    let given = Role::ALL.iter().filter(|role| account::invitation::may_give(&me.actor, **role).is_ok());
    given.map(|role| role_choice(*role, *role == present)).collect()
}

fn sections(me: &SignedIn, app: &App, told: &Told) -> Vec<Section> {
    let (account, reading) = (told.account(), Reading::of(&me.account, app.now()));
    let action = address(&account.id);
    let mut sections = Vec::new();
    let password = account.password.is_some();
    if account.enabled && !me.actor.is(&account.id) {
        let until = told.listed.link_until.map(|end| match reading.is_past(Some(end)) {
            true => " The last one does not work any more.".to_owned(),
            false => format!(" One works until {}; a new one ends it.", reading.weekday_moment(end)),
        });
        let text = match password {
            true => "For somebody who forgot theirs: a link by which they set a new password.",
            false => "They set their first password by a link that works once.",
        };
        sections.push(Section {
            title: if password { "Forgotten password" } else { "Invitation" },
            text: format!("{text}{}", until.unwrap_or_default()),
            verb: "link",
            action: format!("{action}/link"),
            icon: "lock",
            label: "Make a link…",
            danger: false,
        });
    }
    let button = |title, text: String, verb, icon, label, danger| Section {
        title,
        text,
        verb,
        action: action.clone(),
        icon,
        label,
        danger,
    };
    if !told.sessions.is_empty() {
        let text =
            format!("{}. Ending them signs out everywhere.", counted(told.sessions.len(), "session", "sessions"));
        sections.push(button("Sessions", text, "end_sessions", "log-out", "End sessions…", false));
    }
    if told.guesses.failures > 0 {
        let text = format!("{}. {}", wrong_passwords(told.guesses), waiting(told.guesses, &reading));
        sections.push(button("Wrong passwords", text, "reset", "rotate-ccw-key", "Reset…", false));
    }
    sections.push(match (account.enabled, told.has_belongings) {
        (false, _) => {
            let text = "All tokens are frozen and nobody can sign in.".to_owned();
            button("Disabled", text, "enable", "circle-play", "Enable…", false)
        }
        (true, false) => {
            let text = "Ends sessions and freezes tokens, at once.".to_owned();
            button("Leaving", text, "disable", "circle-pause", "Disable…", true)
        }
        (true, true) => {
            let text = "Each living token and service account is looked at first.".to_owned();
            Section {
                action: format!("{action}/leave"),
                ..button("Leaving", text, "", "circle-pause", "Disable…", true)
            }
        }
    });
    sections
}

fn wrong_passwords(guesses: Guesses) -> String {
    counted(guesses.failures as usize, "wrong password in a row", "wrong passwords in a row")
}

fn waiting(guesses: Guesses, reading: &Reading) -> String {
    match guesses.verdict(reading.now.utc()) {
        Guess::Allowed => "The next try is let in.".to_owned(),
        Guess::Wait(until) | Guess::Locked(until) => {
            format!("The next try is let in at {}.", reading.weekday_moment(until.into()))
        }
    }
}

/// The page again, because somebody else was faster.
async fn stale(me: &SignedIn, frame: &Frame, app: &Arc<App>, id: &str) -> Result<HttpResponse> {
    let told = Told::read(app, me, id).await?;
    let note = Note::bad("This account was changed meanwhile. Nothing was saved: look at it again.");
    let page: pages::AccountPage = account_page(me, frame, app, &told, Some(note))?;
    frame.form_again(&page, &page.as_content())
}
