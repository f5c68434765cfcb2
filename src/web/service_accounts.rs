//! Service accounts: the list, and one with its facts and tokens.

pub mod edit;
pub mod make;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::form::Posted;
use super::frame::Frame;
use super::page::{Choice, Fact, Paging, Place, size};
use super::service_accounts_pages::{Fields, Owners, ServiceList, ServicePage, ServiceRow, TokenRow};
use super::session::SignedIn;
use super::words::{self, Reading, field_errors};
use crate::account::Account;
use crate::account::service::list::{self as services, Which};
use crate::account::service::{self, Owner, ServiceDraft};
use crate::actor::{Actor, Deed, Relation, wording};
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Problem, Result};
use crate::team::Team;
use crate::token::list::{Ask, Listed, Sort, SortBy, Tab};
use crate::token::{self, must_take_values};
use crate::types::{AccountId, Role};

pub const ADDRESS: &str = "/admin/service-accounts";

pub fn address(id: &AccountId) -> String {
    format!("{ADDRESS}/{id}")
}

/// Whether the person's role makes service accounts: to others the list is not there.
fn must_make(me: &SignedIn) -> Result<()> {
    me.actor.must_see(Relation::OwnService, Deed::ChangeServiceAccount)
}

pub async fn list(me: SignedIn, frame: Frame, app: web::Data<Arc<App>>, request: HttpRequest) -> Result<HttpResponse> {
    must_make(&me)?;
    let query = Posted::from_query(request.query_string());
    let q: String = query.text("q").chars().filter(|c| !c.is_control()).take(200).collect();
    let after = Some(query.text("after")).filter(|after| !after.is_empty()).map(AccountId::from);
    let (actor, asked) = (me.actor.clone(), q.clone());
    let found = app
        .read(move |conn| services::page(conn, &actor, &Which::Visible, &asked, after.as_ref(), services::PAGE))
        .await?;
    let reading = Reading::of(&me.account, app.now());
    let row = |listed: &services::Listed| ServiceRow {
        name: listed.account.name.clone(),
        href: address(&listed.account.id),
        description: listed.account.description.clone(),
        owner: listed.owner.clone(),
        role: wording(listed.account.role),
        tokens: size(listed.tokens),
        used: listed.used.map_or_else(|| "never".to_owned(), |at| reading.ago(at)),
        is_disabled: !listed.account.enabled,
    };
    let at = |after: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("q", q.as_str()), ("after", after)].into_iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        format!("{ADDRESS}?{}", query.finish())
    };
    let place = Place { before: found.before, rows: found.rows.len(), total: found.total };
    let paging = Paging::of(place, found.newer.as_ref(), found.older.as_ref(), at(""), |id| at(id.as_str()));
    let page = ServiceList {
        shell: frame.shell("Service accounts", ADDRESS, Some(&me))?,
        rows: found.rows.iter().map(row).collect(),
        paging,
        q,
    };
    frame.page(StatusCode::OK, &page)
}

/// A service account with all that its page shows.
struct Seen {
    account: Account,
    relation: Relation,
    owner: String,
    /// Those that are not removed, the last used first, as many as a list's page has; and how many there are in all.
    tokens: Vec<Listed>,
    total: usize,
    teams: Vec<Team>,
}

async fn look(app: &Arc<App>, me: &SignedIn, id: &str) -> Result<Seen> {
    let (actor, id, now, notice) = (me.actor.clone(), AccountId::from(id), app.now(), app.policy().notice());
    app.read(move |conn| {
        let (account, relation) = service::visible(conn, &actor, &id)?;
        let owners = Some(vec![account.id.clone()]);
        let sort = Sort { by: SortBy::Used, descending: true };
        let ask = Ask { owners, tab: Tab::All, q: String::new(), sort, after: None };
        let tokens = token::list::page(conn, &ask, now, notice)?;
        Ok(Seen {
            owner: service::owner_name(conn, &account)?,
            total: size(tokens.counts.first().copied().unwrap_or_default()),
            tokens: tokens.rows,
            teams: services::teams_for_making(conn, &actor)?,
            account,
            relation,
        })
    })
    .await
}

/// What was typed on the page.
#[derive(Clone)]
struct Typed {
    draft: ServiceDraft,
    owner: String,
    other: String,
}

impl Typed {
    fn of(account: &Account) -> Typed {
        Typed {
            draft: ServiceDraft {
                name: account.name.clone(),
                description: account.description.clone(),
                role: account.role.to_string(),
            },
            owner: account.owner_team_id.as_ref().map_or_else(String::new, ToString::to_string),
            other: String::new(),
        }
    }

    fn posted(form: &Posted, base: Typed) -> Typed {
        let text = |name: &str, before: String| if form.has(name) { form.text(name).to_owned() } else { before };
        Typed {
            draft: ServiceDraft {
                name: text("name", base.draft.name),
                description: text("description", base.draft.description),
                role: text("role", base.draft.role),
            },
            owner: text("owner", base.owner),
            other: text("owner_other", base.other),
        }
    }

    /// Whom it shall belong to: whom an administrator names, else who was chosen.
    fn owner(&self, conn: &mut Conn, actor: &Actor) -> Result<Owner> {
        match (self.other.trim(), self.owner.as_str()) {
            ("", "me" | "") => actor.account.clone().map(Owner::Person).ok_or(Error::SignedOut),
            ("", id) => service::owner_of_id(conn, id),
            (typed, _) => service::owner_of_name(conn, actor, typed, "owner_other"),
        }
    }

    fn fields(&self, me: &SignedIn, present: Option<Role>) -> Fields {
        Fields {
            name: self.draft.name.clone(),
            description: self.draft.description.clone(),
            roles: roles(me, present, &self.draft.role),
        }
    }

    fn owners(&self, me: &SignedIn, teams: &[Team]) -> Owners {
        Owners {
            choices: owner_choices(teams, &self.owner),
            other: me.actor.may(Deed::Administer).then(|| self.other.clone()),
        }
    }
}

/// Roles up to one's own, and the one that it has.
pub fn roles(me: &SignedIn, present: Option<Role>, chosen: &str) -> Vec<Choice> {
    let within = Role::ALL.iter().filter(|role| **role <= me.actor.role || Some(**role) == present);
    let choice = |role: &Role| Choice {
        value: role.to_string(),
        label: wording(*role).to_owned(),
        selected: role.as_str() == chosen,
    };
    within.map(choice).collect()
}

/// Oneself, and each of these teams.
pub fn owner_choices(teams: &[Team], chosen: &str) -> Vec<Choice> {
    let me = Choice { value: "me".into(), label: "Me".into(), selected: chosen.is_empty() || chosen == "me" };
    let teams = teams.iter().map(|team| Choice {
        value: team.id.to_string(),
        label: format!("Team {}", team.name),
        selected: team.id.as_str() == chosen,
    });
    std::iter::once(me).chain(teams).collect()
}

pub async fn show(me: SignedIn, frame: Frame, app: web::Data<Arc<App>>, id: web::Path<String>) -> Result<HttpResponse> {
    let seen = look(&app, &me, &id).await?;
    let typed = Typed::of(&seen.account);
    frame.page(StatusCode::OK, &page(&me, &frame, &app, &seen, &typed, &[])?)
}

fn page(
    me: &SignedIn,
    frame: &Frame,
    app: &App,
    seen: &Seen,
    typed: &Typed,
    problems: &[Problem],
) -> Result<ServicePage> {
    let (account, catalogue, reading) = (&seen.account, app.catalogue(), Reading::of(&me.account, app.now()));
    let may_change = me.actor.may_as(seen.relation, Deed::ChangeServiceAccount);
    let kind = if account.owner_team_id.is_some() { "team " } else { "" };
    let row = |listed: &Listed| TokenRow {
        name: listed.token.name.clone(),
        href: format!("/settings/tokens/{}", listed.token.id),
        starts_with: listed.starts_with.clone(),
        access: words::access(&catalogue, listed.token.access_set.as_deref()),
        expires: words::expires(listed.token.expires_at, listed.status, &reading),
        used: words::used(listed.used.as_ref(), &reading),
        status: words::status(listed.status),
    };
    Ok(ServicePage {
        shell: frame.shell(&account.name, ADDRESS, Some(me))?,
        id: account.id.to_string(),
        title: account.name.clone(),
        about: account.description.clone(),
        facts: vec![
            Fact::new("Belongs to", format!("{kind}{}", seen.owner)),
            Fact::new("Role", wording(account.role)),
            Fact::new("Created", reading.date(account.created_at)),
            Fact::new("Enabled", if account.enabled { "yes" } else { "no, its tokens are refused" }),
        ],
        seen: account.version,
        fields: typed.fields(me, Some(account.role)),
        owners: typed.owners(me, &seen.teams),
        may_change,
        may_give: may_change && me.actor.must_reach(account.role).is_ok(),
        may_generate: account.enabled && must_take_values(&me.actor, seen.relation, account).is_ok(),
        enabled: account.enabled,
        tokens: seen.tokens.iter().map(row).collect(),
        errors: field_errors(problems),
        note: None,
    })
}
