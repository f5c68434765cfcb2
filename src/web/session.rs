//! Who looks at a page, and the pages of coming and going: set-up, sign-in, sign-out, theme.

use std::sync::Arc;

use actix_session::{Session as Cookie, SessionExt};
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use subtle::ConstantTimeEq;

use super::confirm::with_wait;
use super::form::Posted;
use super::frame::Frame;
use super::kept::Kept;
use super::page::Theme;
use super::session_pages::{LoginPage, ResumePage, SetupPage};
use super::session_store::{SESSION, UNAVAILABLE};
use super::words::field_errors;
use crate::account::{self, Account, PersonDraft};
use crate::actor::{Actor, Deed, Origin, Via};
use crate::app::App;
use crate::config::Config;
use crate::error::{Error, Problem, Result};
use crate::http::{Asker, origin};
use crate::password::Password;
use crate::secret::{Digest, Secret};
use crate::session::{self, Session};
use crate::team;
use crate::types::{Role, SessionId};
use crate::when::Zone;

/// Anybody: a route without it says so in the table.
pub struct Visitor {
    pub origin: Origin,
}

/// A person with a living session.
pub struct SignedIn {
    pub account: Account,
    pub session: SessionId,
    pub actor: Actor,
    pub is_in_team: bool,
}

/// A signed-in person who may administer. To everybody else these pages are not there.
pub struct Administrator(pub SignedIn);

impl FromRequest for Visitor {
    type Error = Error;
    type Future = std::future::Ready<Result<Visitor>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(config(request).map(|config| Visitor { origin: origin(request, &config) }))
    }
}

impl FromRequest for SignedIn {
    type Error = Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<SignedIn>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { signed_in(&request).await })
    }
}

impl FromRequest for Administrator {
    type Error = Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Administrator>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let me = signed_in(&request).await?;
            if me.actor.may(Deed::Administer) { Ok(Administrator(me)) } else { Err(Error::Missing) }
        })
    }
}

fn config(request: &HttpRequest) -> Result<web::Data<Config>> {
    request.app_data::<web::Data<Config>>().cloned().ok_or_else(|| Error::internal("no settings"))
}

/// The session of a request, if its row is alive and its account enabled.
pub async fn signed_in(request: &HttpRequest) -> Result<SignedIn> {
    let app = request.app_data::<web::Data<Arc<App>>>().ok_or_else(|| Error::internal("no app"))?;
    let origin = origin(request, &*config(request)?);
    if request.get_session().get::<bool>(UNAVAILABLE).ok().flatten().is_some() {
        return Err(Error::Busy("The database does not answer.".into()));
    }
    let id = request.get_session().get::<SessionId>(SESSION).ok().flatten().ok_or(Error::SignedOut)?;
    let of = id.clone();
    let (account, is_in_team) = app
        .read(move |conn| {
            let account = session::account_of(conn, &of)?.ok_or(Error::SignedOut)?;
            let is_in_team = team::has_any(conn, &account.id)?;
            Ok((account, is_in_team))
        })
        .await?;
    let actor = session::actor(&account, &id, origin);
    request.extensions_mut().insert(Asker::Person(actor.clone()));
    Ok(SignedIn { account, session: id, actor, is_in_team })
}

/// The code that the first owner has to know, printed at start; `None` once there is an account.
pub struct SetupCode(pub Option<Secret>);

pub async fn home(_: Visitor, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let is_empty = app.read(account::is_empty).await?;
    Ok(frame.go_on(if is_empty { "/setup" } else { "/settings/tokens" }, ""))
}

pub async fn setup_form(
    _: Visitor,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    if !app.read(account::is_empty).await? {
        return Err(Error::Missing);
    }
    let page = SetupPage {
        shell: frame.shell("Set up Hallpass", "", None)?,
        code: Posted::from_query(request.query_string()).text("code").to_owned(),
        password_min: app.policy().password_min,
        ..SetupPage::default()
    };
    frame.page(StatusCode::OK, &page)
}

/// Makes the first owner and signs them in.
pub async fn set_up(
    visitor: Visitor,
    form: Posted,
    frame: Frame,
    here: (web::Data<Arc<App>>, web::Data<SetupCode>),
    cookie: Cookie,
) -> Result<HttpResponse> {
    let (app, code) = here;
    if !app.read(account::is_empty).await? {
        return Err(Error::Missing);
    }
    match make_owner(&app, &code, &form, visitor.origin.clone()).await {
        Ok(owner) => {
            let session = app.write(move |tx| session::start(tx, &owner, visitor.origin)).await?;
            remember(&cookie, &session)?;
            Ok(frame.go_on("/admin/apis", "Welcome to Hallpass. Import an API to begin with."))
        }
        Err(Error::Invalid(problems)) => {
            let page = SetupPage {
                shell: frame.shell("Set up Hallpass", "", None)?,
                code: form.text("code").to_owned(),
                name: form.text("name").to_owned(),
                email: form.text("email").to_owned(),
                password_min: app.policy().password_min,
                errors: field_errors(&problems),
                note: None,
            };
            frame.page(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}

async fn make_owner(app: &Arc<App>, code: &SetupCode, form: &Posted, origin: Origin) -> Result<Account> {
    let draft = PersonDraft { name: form.text("name").into(), email: form.text("email").into(), role: Role::Owner };
    let password = Password::new(form.text("password").to_owned());
    let mut problems = match draft.check(&password, app.policy().password_min) {
        Err(Error::Invalid(problems)) => problems,
        checked => checked.map(|()| Vec::new())?,
    };
    if !is_code(code, form.text("code")) {
        let sentence = "This is not the code that Hallpass printed when it was started. Look there again.".to_owned();
        problems.insert(0, Problem { field: "code", sentence });
    }
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    let phc = app.hasher.hash(password).await.map_err(account::hash_error)?;
    let new = draft.with(phc, zone(form));
    let actor = Actor { via: Via::Setup, origin, ..Actor::operator() };
    app.write(move |tx| account::set_up(tx, &actor, new)).await
}

/// Compared by digest, so that the time it takes tells nothing.
fn is_code(code: &SetupCode, typed: &str) -> bool {
    let Some(code) = &code.0 else { return false };
    code.digest().bytes().ct_eq(Digest::of(typed.trim()).bytes()).into()
}

/// What the browser says its time zone is; UTC where it says nothing that we know.
pub(super) fn zone(form: &Posted) -> Option<Zone> {
    form.text("time_zone").parse().ok()
}

/// The browser's cookie leads to this session from now on; a former key is dead.
pub(super) fn remember(cookie: &Cookie, session: &Session) -> Result<()> {
    cookie.insert(SESSION, &session.id).map_err(Error::internal)?;
    cookie.renew();
    Ok(())
}

pub async fn login_form(
    _: Visitor,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    if app.read(account::is_empty).await? {
        return Ok(frame.go_on("/setup", ""));
    }
    let query = Posted::from_query(request.query_string());
    let note = match query.text("why") {
        "ended" => Some(LoginPage::ended()),
        "out" => Some(LoginPage::signed_out()),
        _ => None,
    };
    let next = query.text("next").to_owned();
    let page = LoginPage { shell: frame.shell("Sign in", "", None)?, next, note, ..LoginPage::default() };
    frame.page(StatusCode::OK, &page)
}

/// The way back in for a form whose session has ended: it goes along through signing in.
pub fn sign_in_again(request: &HttpRequest, kept: Kept) -> Result<HttpResponse> {
    let frame = Frame::read(request)?;
    let page = LoginPage {
        shell: frame.shell("Sign in", "", None)?,
        note: Some(LoginPage::ended()),
        kept: Some(kept),
        ..LoginPage::default()
    };
    frame.instead(StatusCode::UNAUTHORIZED, &page)
}

pub async fn sign_in(
    visitor: Visitor,
    form: Posted,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let password = Password::new(form.text("password").to_owned());
    let (next, kept) = (form.text("next"), Kept::posted(&form));
    let refusal = match session::sign_in(&app, form.text("email"), password, zone(&form), visitor.origin).await {
        Ok(session) => {
            remember(&request.get_session(), &session)?;
            // Only now: forms belong to the new session.
            let frame = Frame::read(&request)?;
            let Some(kept) = kept else {
                return Ok(frame.go_on(local_path(next).as_deref().unwrap_or("/settings/tokens"), ""));
            };
            let page = ResumePage {
                shell: frame.shell("Go on where you were", "", None)?,
                action: kept.to.clone(),
                fields: kept.again(),
            };
            return frame.page(StatusCode::OK, &page);
        }
        Err(refusal) => refusal,
    };
    let note = match &refusal {
        Error::Unconfirmed { .. } => LoginPage::wrong(),
        Error::Wait { seconds, .. } => LoginPage::wait(*seconds),
        Error::Busy(_) => LoginPage::busy(),
        _ => return Err(refusal),
    };
    let frame = Frame::read(&request)?;
    let page = LoginPage {
        shell: frame.shell("Sign in", "", None)?,
        email: form.text("email").to_owned(),
        next: next.to_owned(),
        note: Some(note),
        kept,
    };
    Ok(with_wait(frame.page(crate::http::status(&refusal), &page)?, &refusal))
}

/// A path of this site, or nothing: it begins with one `/` and is still here when parsed again as a browser does it.
pub(super) fn local_path(next: &str) -> Option<String> {
    let here = url::Url::parse("http://here.invalid/").ok()?;
    let there = here.join(next).ok()?;
    let plain = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\n', '\r', '\t']);
    // Dot segments are gone by now, and what they hid shows.
    let stays = plain && there.origin() == here.origin() && !there.path().starts_with("//");
    stays.then(|| match there.query() {
        Some(query) => format!("{}?{query}", there.path()),
        None => there.path().to_owned(),
    })
}

pub async fn sign_out(
    me: SignedIn,
    _: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    cookie: Cookie,
) -> Result<HttpResponse> {
    app.write(move |tx| session::sign_out(tx, &me.actor, &me.session)).await?;
    cookie.purge();
    Ok(frame.go_on("/login?why=out", ""))
}

pub async fn theme(_: Visitor, form: Posted, frame: Frame) -> Result<HttpResponse> {
    let theme = Theme::from_value(form.text("theme"));
    let to = local_path(form.text("next")).unwrap_or_else(|| "/".to_owned());
    let answer = if frame.is_htmx { HttpResponse::NoContent().finish() } else { frame.go_on(&to, "") };
    frame.with_theme(answer, theme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_signing_in_only_paths_of_this_site_are_gone_to() {
        assert_eq!(local_path("/settings/tokens?q=a").as_deref(), Some("/settings/tokens?q=a"));
        for away in [
            "",
            "settings",
            "//evil.example",
            "/.//evil.example/x",
            "/..//evil.example",
            "/%2e//evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "/\t/evil.example",
            "\\\\evil",
            "javascript:alert(1)",
        ] {
            assert_eq!(local_path(away), None, "{away}");
        }
    }
}
