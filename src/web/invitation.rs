//! The page behind a one-time link: who one is, and the password that one sets. The key is in the address alone: no log, no
//! `Referer`, no table holds it.

use std::sync::Arc;

use actix_session::Session as Cookie;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::confirm::with_wait;
use super::error_pages::{ErrorPage, Problem as Wrong};
use super::form::Posted;
use super::frame::Frame;
use super::session::{Visitor, remember, zone};
use super::session_pages::InvitationPage;
use super::words::field_errors;
use crate::account::{self, Account, invitation};
use crate::app::App;
use crate::error::{Error, Problem, Result};
use crate::password::{self, Password};
use crate::session;

pub async fn form(_: Visitor, key: web::Path<String>, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    match find(&app, &key).await {
        Ok(account) => frame.page(StatusCode::OK, &page(&frame, &app, &key, &account, &[])?),
        Err(Error::Missing) => dead(&frame),
        Err(other) => Err(other),
    }
}

async fn find(app: &Arc<App>, key: &str) -> Result<Account> {
    let (key, now) = (key.to_owned(), app.now());
    app.read(move |conn| invitation::by_key(conn, &key, now)).await
}

/// Sets the password, uses the link up, and signs in.
pub async fn accept(
    visitor: Visitor,
    form: Posted,
    key: web::Path<String>,
    frame: Frame,
    here: (web::Data<Arc<App>>, Cookie),
) -> Result<HttpResponse> {
    let (app, cookie) = here;
    let account = match find(&app, &key).await {
        Err(Error::Missing) => return dead(&frame),
        found => found?,
    };
    let password = Password::new(form.text("password").to_owned());
    let context = [account.label(), account.name.as_str()];
    if let Err(problem) = password::judge(&password, app.policy().password_min, &context) {
        let problem = Problem { field: "password", sentence: problem.to_string() };
        return frame.page(StatusCode::UNPROCESSABLE_ENTITY, &page(&frame, &app, &key, &account, &[problem])?);
    }
    let phc = match app.hasher.hash(password).await.map_err(account::hash_error) {
        Ok(phc) => phc,
        Err(error @ Error::Busy(_)) => {
            let problem = Problem { field: "password", sentence: error.to_string() };
            let page = page(&frame, &app, &key, &account, &[problem])?;
            return Ok(with_wait(frame.page(crate::http::status(&error), &page)?, &error));
        }
        Err(other) => return Err(other),
    };
    let (zone, origin, key) = (zone(&form), visitor.origin, key.into_inner());
    let session = app.write(move |tx| {
        let account = invitation::accept(tx, &key, phc, zone, origin.clone())?;
        session::start(tx, &account, origin)
    });
    match session.await {
        Ok(session) => {
            remember(&cookie, &session)?;
            Ok(frame.go_on("/settings/tokens", "Your password is set, and you are signed in."))
        }
        Err(Error::Missing) => dead(&frame),
        Err(other) => Err(other),
    }
}

/// The same for a link that never was, was used, is too old or was replaced: nobody learns which.
fn dead(frame: &Frame) -> Result<HttpResponse> {
    let mut page = ErrorPage::new(frame.shell("", "", None)?, Wrong::Missing, "/login", "Go to sign-in");
    page.title = "This link does not work".into();
    page.shell.title.clone_from(&page.title);
    page.text = "A link sets a password once, within 7 days. If you have one already, sign in. \
                 If not, ask whoever sent it for a new one."
        .into();
    frame.page(StatusCode::NOT_FOUND, &page)
}

fn page(frame: &Frame, app: &App, key: &str, account: &Account, problems: &[Problem]) -> Result<InvitationPage> {
    Ok(InvitationPage {
        shell: frame.shell("Set your password", "", None)?,
        action: format!("/invite/{key}"),
        name: account.name.clone(),
        email: account.label().to_owned(),
        is_first: account.password.is_none(),
        password_min: app.policy().password_min,
        errors: field_errors(problems),
    })
}
