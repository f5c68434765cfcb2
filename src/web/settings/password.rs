//! A new password: the present one proves who asks, and every other session ends.

use std::sync::Arc;

use actix_session::Session as Cookie;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use crate::account::{self, Account};
use crate::app::App;
use crate::error::{Error, Problem, Result};
use crate::password::{self, Password};
use crate::web::confirm::with_wait;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::counted;
use crate::web::session::SignedIn;
use crate::web::settings_pages::PasswordPage;
use crate::web::words::field_errors;

const ADDRESS: &str = "/settings/password";

pub async fn form(me: SignedIn, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    frame.page(StatusCode::OK, &page(&me, &frame, &app, &[])?)
}

pub async fn change(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    cookie: Cookie,
) -> Result<HttpResponse> {
    let mut problems = Vec::new();
    let mut refusal = None;
    let proven = match prove(&me, &app, form.text("password")).await {
        Ok(account) => Some(account),
        Err(error @ (Error::Unconfirmed { .. } | Error::Wait { .. } | Error::Busy(_) | Error::Invalid(_))) => {
            problems.push(Problem { field: "password", sentence: error.to_string() });
            refusal = Some(error);
            None
        }
        Err(other) => return Err(other),
    };
    problems.extend(judge(&me, &app, &form, proven.is_some()));
    let account = match proven {
        Some(account) if problems.is_empty() => account,
        _ => return again(&me, &frame, &app, &problems, refusal.as_ref()),
    };
    let phc =
        match app.hasher.hash(Password::new(form.text("new_password").to_owned())).await.map_err(account::hash_error) {
            Ok(phc) => phc,
            Err(error @ Error::Busy(_)) => {
                let problem = Problem { field: "new_password", sentence: error.to_string() };
                return again(&me, &frame, &app, &[problem], Some(&error));
            }
            Err(other) => return Err(other),
        };
    let ended = app.write(move |tx| account::change_password(tx, &me.actor, &me.session, &account, &phc)).await?;
    // The row has lost its key with the change: from this answer on the browser holds another.
    cookie.renew();
    let others = match ended {
        0 => String::new(),
        n => format!(" {} ended.", counted(n, "other session was", "other sessions were")),
    };
    Ok(frame.go_on(ADDRESS, &format!("Changed your password.{others}")))
}

/// The account, if its password is the one that was typed.
async fn prove(me: &SignedIn, app: &Arc<App>, typed: &str) -> Result<Account> {
    if typed.is_empty() {
        return Err(Error::invalid("password", "Type the password that you have now."));
    }
    let checked = account::check_password(app, me.account.label(), Password::new(typed.to_owned())).await;
    if matches!(checked, Err(Error::Unconfirmed { .. })) {
        let actor = me.actor.clone();
        app.write(move |tx| account::record_refused_confirm(tx, &actor, "account.password")).await?;
    }
    checked
}

/// What is wrong with the new one. That it is the old one is said only to who has shown to know that.
fn judge(me: &SignedIn, app: &Arc<App>, form: &Posted, is_proven: bool) -> Vec<Problem> {
    let (new, again) = (form.text("new_password"), form.text("new_password_again"));
    let context = [me.account.label(), me.account.name.as_str()];
    let mut problems = Vec::new();
    if new.is_empty() {
        problems.push(Problem { field: "new_password", sentence: "Type the password that you want.".into() });
        return problems;
    }
    if is_proven && new == form.text("password") {
        let sentence = "This is the password that you have now. Choose another.".to_owned();
        problems.push(Problem { field: "new_password", sentence });
    } else if let Err(problem) = password::judge(&Password::new(new.to_owned()), app.policy().password_min, &context) {
        problems.push(Problem { field: "new_password", sentence: problem.to_string() });
    }
    if new != again {
        let sentence = "This is not the same as the new password above. Type it once more.".to_owned();
        problems.push(Problem { field: "new_password_again", sentence });
    }
    problems
}

fn again(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    problems: &[Problem],
    refusal: Option<&Error>,
) -> Result<HttpResponse> {
    let page = page(me, frame, app, problems)?;
    let Some(refusal) = refusal else {
        return frame.page(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    Ok(with_wait(frame.page(crate::http::status(refusal), &page)?, refusal))
}

fn page(me: &SignedIn, frame: &Frame, app: &App, problems: &[Problem]) -> Result<PasswordPage> {
    Ok(PasswordPage {
        shell: frame.shell("Password", ADDRESS, Some(me))?,
        email: me.account.label().to_owned(),
        least: app.policy().password_min,
        errors: field_errors(problems),
    })
}
