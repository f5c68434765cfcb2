//! The step between a form and its result, for every noun: propose, ask for the password, do it once.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::confirm_pages::ConfirmPage;
use super::form::Posted;
use super::frame::Frame;
use super::session::SignedIn;
use crate::account;
use crate::actor::Actor;
use crate::app::App;
use crate::confirm::{self, Action};
use crate::error::{Error, Result};
use crate::password::Password;
use crate::policy::Confirm;
use crate::session;
use crate::tx::Tx;

/// What became of a confirm POST.
pub enum Outcome<P, R> {
    /// Done, once.
    Done(R),
    /// The password is wrong, or has to wait: what waits, and the sentence.
    Again { payload: P, error: Error },
    /// The person wants to change what they filled in.
    Back(P),
}

/// What the confirm page carries.
pub struct Waiting {
    /// For its `confirm` field.
    pub key: String,
    /// Whether it has a field for the password.
    pub asks_password: bool,
}

/// Keeps a filled form until it is confirmed.
pub async fn propose<P>(app: &Arc<App>, me: &SignedIn, action: Action, payload: P) -> Result<Waiting>
where
    P: Serialize + Send + 'static,
{
    let (account, session) = (me.account.id.clone(), me.session.clone());
    app.write(move |tx| {
        let key = confirm::propose(tx, &account, &session, action, &payload)?.reveal().to_owned();
        let asks_password = confirm::asks_password(tx.conn, tx.now, tx.policy, &session, action)?;
        Ok(Waiting { key, asks_password })
    })
    .await
}

/// The window of the policy closed between the page, which had no field for the password, and its answer.
const CLOSED: &str = "It is a while since you gave your password. Type it to go on.";

/// Takes the password, where one is asked for, and does what was proposed. A replay is told before the password is even looked at.
pub async fn settle<P, R>(
    app: &Arc<App>,
    me: &SignedIn,
    form: &Posted,
    action: Action,
    verb: impl FnOnce(&mut Tx<'_>, &Actor, P) -> Result<R> + Send + 'static,
) -> Result<Outcome<P, R>>
where
    P: DeserializeOwned + Send + 'static,
    R: Send + 'static,
{
    let (session, key, now) = (me.session.clone(), form.text("confirm").to_owned(), app.now());
    if form.text("do") == "back" {
        let account = me.account.id.clone();
        let waiting = app.read(move |conn| confirm::look_back(conn, now, &account, action, &key)).await?;
        return Ok(Outcome::Back(waiting));
    }
    let policy = app.policy();
    let (asks, has_window) = (form.has("password"), policy.confirm != Confirm::Always);
    let (waiting, asks): (P, bool) = app
        .read(move |conn| {
            let waiting = confirm::look(conn, now, &session, action, &key)?;
            Ok((waiting, asks || confirm::asks_password(conn, now, &policy, &session, action)?))
        })
        .await?;
    if asks && has_window && !form.has("password") {
        return Ok(Outcome::Again { payload: waiting, error: Error::Unconfirmed { sentence: CLOSED.into() } });
    }
    if asks && let Some(error) = refused(app, me, form, action).await? {
        return Ok(Outcome::Again { payload: waiting, error });
    }
    let (session, key, origin) = (me.session.clone(), form.text("confirm").to_owned(), me.actor.origin.clone());
    let done = app.write(move |tx| {
        // With the rights of now, not of when the page was asked for: hashing takes its time.
        tx.version()?;
        let account = session::account_of(tx.conn, &session)?.ok_or(Error::SignedOut)?;
        if asks {
            confirm::note_password(tx, &account.id, &session)?;
        }
        let actor = session::actor(&account, &session, origin);
        let payload = confirm::take(tx, &session, action, &key)?;
        verb(tx, &actor, payload)
    });
    Ok(Outcome::Done(done.await?))
}

/// Why the password that came does not do; a wrong one is told in the log.
async fn refused(app: &Arc<App>, me: &SignedIn, form: &Posted, action: Action) -> Result<Option<Error>> {
    let password = Password::new(form.text("password").to_owned());
    match account::check_password(app, me.account.label(), password).await {
        Ok(_) => Ok(None),
        Err(error @ (Error::Unconfirmed { .. } | Error::Wait { .. } | Error::Busy(_))) => {
            if matches!(error, Error::Unconfirmed { .. }) {
                let actor = me.actor.clone();
                app.write(move |tx| account::record_refused_confirm(tx, &actor, action.word())).await?;
            }
            Ok(Some(error))
        }
        Err(other) => Err(other),
    }
}

/// What a confirm POST was about, after its change was refused: for showing its form again.
pub async fn still_waiting<P>(app: &Arc<App>, me: &SignedIn, form: &Posted, action: Action) -> Result<P>
where
    P: DeserializeOwned + Send + 'static,
{
    let (session, key, now) = (me.session.clone(), form.text("confirm").to_owned(), app.now());
    app.read(move |conn| confirm::look(conn, now, &session, action, &key)).await
}

/// The confirm page: into the dialog for htmx, else a page of its own.
pub fn ask(frame: &Frame, me: &SignedIn, mut page: ConfirmPage, waiting: &Waiting) -> Result<HttpResponse> {
    page.confirm = waiting.key.clone();
    page.asks_password = waiting.asks_password;
    page.email = me.account.label().to_owned();
    page.in_dialog = frame.is_htmx;
    match frame.is_htmx {
        true => frame.part(StatusCode::OK, &page.as_dialog()),
        false => frame.page(StatusCode::OK, &page),
    }
}

/// The same page again, with the sentence under the password. htmx swaps no other error than 422.
pub fn ask_again(
    frame: &Frame,
    me: &SignedIn,
    mut page: ConfirmPage,
    form: &Posted,
    error: &Error,
) -> Result<HttpResponse> {
    page.confirm = form.text("confirm").to_owned();
    page.asks_password = true;
    page.email = me.account.label().to_owned();
    page.in_dialog = frame.is_htmx;
    page.password_error = error.to_string();
    let answer = match frame.is_htmx {
        true => frame.part(StatusCode::UNPROCESSABLE_ENTITY, &page.as_dialog()),
        false => frame.page(crate::http::status(error), &page),
    };
    Ok(with_wait(answer?, error))
}

/// `Retry-After`, where the error says how long.
pub fn with_wait(mut answer: HttpResponse, error: &Error) -> HttpResponse {
    if let Some(seconds) = crate::http::retry_after(error) {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}
