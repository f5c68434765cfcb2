//! Inviting a person, and links for those who have no password or forgot theirs. The link is in one answer and nowhere else.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::change::{choices, seen};
use super::{ADDRESS, Told, address, stale};
use crate::account::invitation::{LINK_LIFE, check_link, invite, make_link, may_give};
use crate::account::{Account, PersonDraft};
use crate::actor::wording;
use crate::app::App;
use crate::config::Config;
use crate::confirm::Action;
use crate::error::{Error, Problem, Replay, Result};
use crate::secret::Secret;
use crate::types::{AccountId, Role};
use crate::web::accounts_pages::{InvitePage, LinkPage};
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle, still_waiting};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::{Frame, uncompressed};
use crate::web::page::Fact;
use crate::web::session::{Administrator, SignedIn};
use crate::web::words::{Reading, field_errors};

const NEW: &str = "/admin/accounts/new";

/// A filled form that waits for its password.
#[derive(Clone, Serialize, Deserialize)]
struct Invited {
    name: String,
    email: String,
    role: Role,
}

impl Invited {
    fn draft(&self) -> PersonDraft {
        PersonDraft { name: self.name.clone(), email: self.email.clone(), role: self.role }
    }
}

pub async fn form(me: Administrator, frame: Frame) -> Result<HttpResponse> {
    let empty = Invited { name: String::new(), email: String::new(), role: Role::Contributor };
    frame.page(StatusCode::OK, &page(&me.0, &frame, &empty, &[])?)
}

/// First the filled form, then its password: the second one carries `confirm`.
pub async fn review(
    me: Administrator,
    form: Posted,
    frame: Frame,
    here: (web::Data<Arc<App>>, web::Data<Config>),
) -> Result<HttpResponse> {
    let (Administrator(me), (app, config)) = (me, here);
    if form.has("confirm") {
        return confirmed(&me, &form, &frame, &app, &config).await;
    }
    let role = Role::parse(form.text("role"));
    let typed = Invited {
        name: form.text("name").to_owned(),
        email: form.text("email").to_owned(),
        role: role.unwrap_or(Role::Contributor),
    };
    if form.text("do") == "filter" {
        return frame.page(StatusCode::OK, &page(&me, &frame, &typed, &[])?);
    }
    let problems = check(&me, &app, &typed, role).await?;
    if !problems.is_empty() {
        return again(&me, &frame, &typed, &problems);
    }
    let confirm = confirm_page(&me, &frame, &typed)?;
    let key = propose(&app, &me, Action::InviteAccount, typed).await?;
    ask(&frame, &me, confirm, &key)
}

async fn check(me: &SignedIn, app: &Arc<App>, typed: &Invited, role: Option<Role>) -> Result<Vec<Problem>> {
    let draft = typed.draft();
    let mut problems = match draft.check_person() {
        Err(Error::Invalid(problems)) => problems,
        checked => checked.map(|()| Vec::new())?,
    };
    if !problems.iter().any(|problem| problem.field == "email") {
        match app.read(move |conn| draft.check_free(conn)).await {
            Err(Error::Invalid(taken)) => problems.extend(taken),
            checked => checked?,
        }
    }
    match role {
        None => problems.push(Problem { field: "role", sentence: "Choose one of the roles.".into() }),
        Some(role) => {
            if let Err(error) = may_give(&me.actor, role) {
                problems.push(Problem { field: "role", sentence: error.to_string() });
            }
        }
    }
    Ok(problems)
}

fn again(me: &SignedIn, frame: &Frame, typed: &Invited, problems: &[Problem]) -> Result<HttpResponse> {
    let page = page(me, frame, typed, problems)?;
    frame.form_again(&page, &page.as_content())
}

fn page(me: &SignedIn, frame: &Frame, typed: &Invited, problems: &[Problem]) -> Result<InvitePage> {
    Ok(InvitePage {
        shell: frame.shell("Invite a person", ADDRESS, Some(me))?,
        name: typed.name.clone(),
        email: typed.email.clone(),
        roles: choices(me, Some(typed.role)),
        errors: field_errors(problems),
    })
}

fn confirm_page(me: &SignedIn, frame: &Frame, typed: &Invited) -> Result<ConfirmPage> {
    Ok(ConfirmPage {
        shell: frame.shell("Invite a person", ADDRESS, Some(me))?,
        title: "Confirm with your password".into(),
        lead: "You are about to add this person. The next page shows their link, once:".into(),
        facts: vec![
            Fact::new("Name", typed.name.trim()),
            Fact::new("E-mail", typed.email.trim()),
            Fact::new("Role", wording(typed.role)),
        ],
        action: NEW.into(),
        go: "Make the link".into(),
        stay: "Cancel".into(),
        ..ConfirmPage::default()
    })
}

async fn confirmed(
    me: &SignedIn,
    form: &Posted,
    frame: &Frame,
    app: &Arc<App>,
    config: &Config,
) -> Result<HttpResponse> {
    let outcome =
        settle(app, me, form, Action::InviteAccount, |tx, actor, typed: Invited| invite(tx, actor, &typed.draft()));
    match outcome.await {
        Ok(Outcome::Done((account, key))) => reveal(me, frame, app, config, &account, &key),
        Ok(Outcome::Again { payload, error }) => ask_again(frame, me, confirm_page(me, frame, &payload)?, form, &error),
        Ok(Outcome::Back(typed)) => frame.page(StatusCode::OK, &page(me, frame, &typed, &[])?),
        Err(Error::Invalid(problems)) => {
            let typed = still_waiting(app, me, form, Action::InviteAccount).await?;
            again(me, frame, &typed, &problems)
        }
        Err(Error::Replayed(why)) => Ok(frame.go_on(ADDRESS, replayed(why))),
        Err(other) => Err(other),
    }
}

fn replayed(why: Replay) -> &'static str {
    match why {
        Replay::Used => "That link was already shown. If it is lost, make a new one on the account's page.",
        Replay::TooOld => "No link was made: the confirmation is too old.",
    }
}

/// A new link for somebody who is there already.
pub async fn link(
    me: Administrator,
    form: Posted,
    id: web::Path<String>,
    frame: Frame,
    here: (web::Data<Arc<App>>, web::Data<Config>),
) -> Result<HttpResponse> {
    let (Administrator(me), (app, config)) = (me, here);
    let told = Told::read(&app, &me, &id).await?;
    let account = told.account();
    if !form.has("confirm") {
        let (actor, of) = (me.actor.clone(), account.id.clone());
        app.read(move |conn| check_link(conn, &actor, &of)).await?;
        if account.version != seen(&form) {
            return stale(&me, &frame, &app, &id).await;
        }
        let page = link_page(&me, &frame, account)?;
        let key = propose(&app, &me, Action::LinkAccount, (account.id.clone(), account.version)).await?;
        return ask(&frame, &me, page, &key);
    }
    let of = account.id.clone();
    let outcome = settle(&app, &me, &form, Action::LinkAccount, move |tx, actor, (id, seen): (AccountId, i64)| {
        if id != of {
            return Err(Error::Missing);
        }
        make_link(tx, actor, &id, seen)
    });
    match outcome.await {
        Ok(Outcome::Done((account, key))) => reveal(&me, &frame, &app, &config, &account, &key),
        Ok(Outcome::Again { error, .. }) => ask_again(&frame, &me, link_page(&me, &frame, account)?, &form, &error),
        Ok(Outcome::Back(_)) => Ok(frame.go_on(&address(&account.id), "")),
        Err(Error::Stale) => stale(&me, &frame, &app, &id).await,
        Err(Error::Replayed(why)) => Ok(frame.go_on(&address(&account.id), replayed(why))),
        Err(other) => Err(other),
    }
}

fn link_page(me: &SignedIn, frame: &Frame, account: &Account) -> Result<ConfirmPage> {
    let lead = match account.password {
        None => "The next page shows a new link, once. A former one does not work any more.",
        Some(_) => {
            "The next page shows a link, once. Until it is used the old password goes on; then all sessions end."
        }
    };
    Ok(ConfirmPage {
        shell: frame.shell("Make a link", ADDRESS, Some(me))?,
        title: format!("Make a link for {}?", account.name),
        lead: lead.into(),
        facts: vec![Fact::new("Account", account.label()), Fact::new("Works", "once, for 7 days")],
        action: format!("{}/link", address(&account.id)),
        go: "Make the link".into(),
        stay: "Cancel".into(),
        stay_href: address(&account.id),
        ..ConfirmPage::default()
    })
}

fn reveal(
    me: &SignedIn,
    frame: &Frame,
    app: &App,
    config: &Config,
    account: &Account,
    key: &Secret,
) -> Result<HttpResponse> {
    let reading = Reading::of(&me.account, app.now());
    let until = reading.weekday_moment(app.now().plus(LINK_LIFE));
    let (title, what) = match account.password {
        None => (format!("{} is invited", account.name), "set a password and sign in"),
        Some(_) => (format!("A link for {}", account.name), "set a new password"),
    };
    let page = LinkPage {
        shell: frame.shell(&title, ADDRESS, Some(me))?,
        title,
        lead: format!("Nothing is mailed: pass the link on yourself. Whoever opens it can {what}."),
        label: format!("Link for {}", account.label()),
        link: link_to(config, key)?,
        warning: format!("It works once, until {until}. Only its hash is stored, so nobody can show it again."),
        href: address(&account.id),
    };
    Ok(uncompressed(frame.body(&page)?))
}

fn link_to(config: &Config, key: &Secret) -> Result<String> {
    let link = config.public_url.join(&format!("invite/{}", key.reveal())).map_err(Error::internal)?;
    Ok(link.into())
}
