//! A new service account: the form, its password, the account's page.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::{ADDRESS, Typed, address, must_make};
use crate::account::service::list::teams_for_making;
use crate::account::service::{self, NewService, Owner, ServiceDraft};
use crate::actor::wording;
use crate::app::App;
use crate::confirm::Action;
use crate::error::{Error, Problem, Result};
use crate::types::Role;
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle, still_waiting};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::Fact;
use crate::web::service_accounts_pages::NewServicePage;
use crate::web::session::SignedIn;
use crate::web::teams::refused;
use crate::web::words::field_errors;

/// What waits for its password: the account, its owner and that one's name, and what an administrator typed for it.
type Waiting = (NewService, Owner, String, String);

fn empty() -> Typed {
    let role = Role::TokenCreator.to_string();
    let draft = ServiceDraft { name: String::new(), description: String::new(), role };
    Typed { draft, owner: "me".into(), other: String::new() }
}

/// `?owner=` chooses a team.
pub async fn form(me: SignedIn, frame: Frame, app: web::Data<Arc<App>>, request: HttpRequest) -> Result<HttpResponse> {
    must_make(&me)?;
    let typed = Typed::posted(&Posted::from_query(request.query_string()), empty());
    frame.page(StatusCode::OK, &page(&me, &frame, &app, &typed, &[]).await?)
}

async fn page(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    typed: &Typed,
    problems: &[Problem],
) -> Result<NewServicePage> {
    let (actor, mut typed) = (me.actor.clone(), typed.clone());
    let chosen = typed.owner.clone();
    let (teams, named) = app
        .read(move |conn| {
            let teams = teams_for_making(conn, &actor)?;
            // A team that an administrator has come from, and is not in.
            let other = teams.iter().all(|team| team.id.as_str() != chosen);
            let named = crate::team::visible(conn, &actor, &chosen.as_str().into());
            Ok((teams, named.ok().filter(|_| other).map(|(team, _)| team.name)))
        })
        .await?;
    if let Some(name) = named.filter(|_| typed.other.is_empty()) {
        typed.other = name;
    }
    Ok(NewServicePage {
        shell: frame.shell("New service account", ADDRESS, Some(me))?,
        fields: typed.fields(me, None),
        owners: typed.owners(me, &teams),
        errors: field_errors(problems),
    })
}

/// First the filled form, then its password: the second one carries `confirm`.
pub async fn save(me: SignedIn, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    must_make(&me)?;
    if !form.has("confirm") {
        let typed = Typed::posted(&form, empty());
        let (actor, wish, other) = (me.actor.clone(), typed.clone(), typed.other.clone());
        let checked = app.read(move |conn| {
            let new = wish.draft.check(conn, &actor, None)?;
            let owner = wish.owner(conn, &actor)?;
            let name = service::may_own(conn, &actor, &owner, new.role)?;
            Ok((new, owner, name, other))
        });
        return match checked.await {
            Ok(waiting) => {
                let page = ask_page(&me, &frame, &waiting)?;
                let key = propose(&app, &me, Action::MakeServiceAccount, waiting).await?;
                ask(&frame, &me, page, &key)
            }
            Err(Error::Invalid(problems)) => {
                let page = page(&me, &frame, &app, &typed, &problems).await?;
                frame.form_again(&page, &page.as_content())
            }
            Err(other) => Err(other),
        };
    }
    let settled = settle(&app, &me, &form, Action::MakeServiceAccount, |tx, actor, (new, owner, ..): Waiting| {
        service::make(tx, actor, &new, &owner)
    });
    match settled.await {
        Ok(Outcome::Done(made)) => {
            Ok(frame.go_on(&address(&made.id), &format!("Made {}. It has no token yet.", made.name)))
        }
        Ok(Outcome::Again { payload, error }) => {
            ask_again(&frame, &me, ask_page(&me, &frame, &payload)?, &form, &error)
        }
        Ok(Outcome::Back(waiting)) => {
            frame.page(StatusCode::OK, &page(&me, &frame, &app, &typed_again(waiting), &[]).await?)
        }
        Err(Error::Invalid(problems)) => {
            // Somebody was faster with the name. The form again, with all that was filled in.
            let waiting = still_waiting(&app, &me, &form, Action::MakeServiceAccount).await?;
            let page = page(&me, &frame, &app, &typed_again(waiting), &problems).await?;
            frame.form_again(&page, &page.as_content())
        }
        Err(error) => refused(&frame, ADDRESS, error),
    }
}

fn typed_again((new, owner, _, other): Waiting) -> Typed {
    let owner = match owner {
        Owner::Person(_) => "me".to_owned(),
        Owner::Team(id) => id.to_string(),
    };
    let draft = ServiceDraft { name: new.name, description: new.description, role: new.role.to_string() };
    Typed { draft, owner, other }
}

fn ask_page(me: &SignedIn, frame: &Frame, (new, _, owner, _): &Waiting) -> Result<ConfirmPage> {
    let mut facts =
        vec![Fact::new("Name", &new.name), Fact::new("Role", wording(new.role)), Fact::new("Belongs to", owner)];
    if !new.description.is_empty() {
        facts.push(Fact::new("Description", &new.description));
    }
    Ok(ConfirmPage {
        shell: frame.shell("Make service account", ADDRESS, Some(me))?,
        title: "Confirm with your password".into(),
        lead: "You are about to make this service account:".into(),
        facts,
        action: format!("{ADDRESS}/new"),
        go: "Make service account".into(),
        stay: "Cancel".into(),
        ..ConfirmPage::default()
    })
}
