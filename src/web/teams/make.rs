//! A new team: the form, its password, the team's page.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::{ADDRESS, address, refused};
use crate::app::App;
use crate::confirm::Action;
use crate::error::{Error, Problem, Result};
use crate::team::{self, NewTeam, TeamDraft, member};
use crate::types::AccountId;
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle, still_waiting};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::Fact;
use crate::web::session::{Administrator, SignedIn};
use crate::web::teams_pages::NewTeamPage;
use crate::web::words::field_errors;

/// What waits for its password: the team, and its manager with the address that was typed.
type Waiting = (NewTeam, AccountId, String);

pub async fn form(me: Administrator, frame: Frame) -> Result<HttpResponse> {
    let own = me.0.account.label().to_owned();
    frame.page(StatusCode::OK, &page(&me.0, &frame, &TeamDraft::default(), &own, &[])?)
}

fn page(me: &SignedIn, frame: &Frame, draft: &TeamDraft, manager: &str, problems: &[Problem]) -> Result<NewTeamPage> {
    Ok(NewTeamPage {
        shell: frame.shell("New team", ADDRESS, Some(me))?,
        name: draft.name.clone(),
        description: draft.description.clone(),
        manager: manager.to_owned(),
        errors: field_errors(problems),
    })
}

/// First the filled form, then its password: the second one carries `confirm`.
pub async fn save(me: Administrator, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let Administrator(me) = me;
    if !form.has("confirm") {
        let draft = TeamDraft { name: form.text("name").to_owned(), description: form.text("description").to_owned() };
        let (typed, manager) = (draft.clone(), form.text("manager").to_owned());
        let checked =
            app.read(move |conn| match (typed.check(conn, None), member::by_email(conn, &manager, "manager")) {
                (Ok(new), Ok(manager)) => Ok((new, manager.id, manager.email.unwrap_or_default())),
                (Err(Error::Invalid(mut problems)), Err(Error::Invalid(more))) => {
                    problems.extend(more);
                    Err(Error::Invalid(problems))
                }
                (Err(error), _) | (_, Err(error)) => Err(error),
            });
        return match checked.await {
            Ok(waiting) => {
                let page = ask_page(&me, &frame, &waiting)?;
                let key = propose(&app, &me, Action::MakeTeam, waiting).await?;
                ask(&frame, &me, page, &key)
            }
            Err(Error::Invalid(problems)) => {
                let page = page(&me, &frame, &draft, form.text("manager"), &problems)?;
                frame.form_again(&page, &page.as_content())
            }
            Err(other) => Err(other),
        };
    }
    let settled = settle(&app, &me, &form, Action::MakeTeam, |tx, actor, (new, manager, _): Waiting| {
        team::make(tx, actor, &new, &[manager])
    });
    match settled.await {
        Ok(Outcome::Done(team)) => Ok(frame.go_on(&address(&team.id), &format!("Made the team {}.", team.name))),
        Ok(Outcome::Again { payload, error }) => {
            ask_again(&frame, &me, ask_page(&me, &frame, &payload)?, &form, &error)
        }
        Ok(Outcome::Back((new, _, email))) => {
            let draft = TeamDraft { name: new.name, description: new.description };
            frame.page(StatusCode::OK, &page(&me, &frame, &draft, &email, &[])?)
        }
        Err(Error::Invalid(problems)) => {
            // Somebody was faster with the name. The form again, with all that was filled in.
            let (new, _, email): Waiting = still_waiting(&app, &me, &form, Action::MakeTeam).await?;
            let draft = TeamDraft { name: new.name, description: new.description };
            let page = page(&me, &frame, &draft, &email, &problems)?;
            frame.form_again(&page, &page.as_content())
        }
        Err(error) => refused(&frame, ADDRESS, error),
    }
}

fn ask_page(me: &SignedIn, frame: &Frame, (new, _, email): &Waiting) -> Result<ConfirmPage> {
    let mut facts = vec![Fact::new("Name", &new.name), Fact::new("Manager", email)];
    if !new.description.is_empty() {
        facts.push(Fact::new("Description", &new.description));
    }
    Ok(ConfirmPage {
        shell: frame.shell("Make team", ADDRESS, Some(me))?,
        title: "Confirm with your password".into(),
        lead: "You are about to make this team:".into(),
        facts,
        action: format!("{ADDRESS}/new"),
        go: "Make team".into(),
        stay: "Cancel".into(),
        ..ConfirmPage::default()
    })
}
