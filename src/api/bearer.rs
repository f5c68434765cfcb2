//! Who calls: the first argument of each handler, checked before it runs. What it is, the route's row says.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::error::{Error as ActixError, ErrorInternalServerError, InternalError};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use futures_core::future::LocalBoxFuture;

use super::answer::Refused;
use crate::account;
use crate::actor::{Actor, Origin};
use crate::app::App;
use crate::catalogue::own::OwnMethod;
use crate::config::Config;
use crate::db::Conn;
use crate::decision::{Credential, Verdict, decide_living, decide_own};
use crate::error::{Error, Result};
use crate::http::{Asker, client, origin, peer, problem};
use crate::password::Password;
use crate::refusal;
use crate::token;
use crate::types::{Stamp, TokenId};
use crate::verify::{answer, headers, request};

/// The password of whoever changes something with a session token.
pub const PASSWORD: &str = "X-Confirm-Password";

/// What a password that was given a while ago still confirms, where the policy has a window: never what changes accounts,
/// policy or APIs.
const OF_ONE_S_OWN: [&str; 2] = ["sessions", "tokens"];

/// Anybody: a row without a scope says so by this name.
pub struct Stranger {
    pub origin: Origin,
}

/// `Authorization: Bearer V` of a living token, whatever its scopes: for what it is told of itself.
pub struct Living(Caller);

/// `Authorization: Bearer V` of a living token with the scope `hallpass/SERVICE:METHOD` of `M`, from an address of its list,
/// within its rate. Counted among the token's calls, as is every refusal.
pub struct Bearer<M> {
    caller: Caller,
    method: PhantomData<M>,
}

/// The same for what changes something: by a session token the password has to come along, in `X-Confirm-Password`. Of any
/// other token the scope is the confirmation.
pub struct Confirmed<M>(Bearer<M>);

/// A token that speaks for its account.
#[derive(Clone)]
pub struct Caller {
    pub token: TokenId,
    /// The number of the value that was sent.
    pub generation: i64,
    pub origin: Origin,
}

impl Caller {
    /// As whom it acts, looked at again within the transaction of what it does.
    pub fn actor(&self, conn: &mut Conn, now: Stamp) -> Result<Actor> {
        token::speaker(conn, &self.token, self.generation, now, self.origin.clone())
    }
}

/// What the route table tells of a guard.
pub trait Guarded {
    const KIND: Guard;
    /// `(SERVICE, METHOD)` of Hallpass's own API.
    const SCOPE: Option<(&'static str, &'static str)>;
    /// What is done, where the row's scope does not say it.
    const SUMMARY: &'static str = "";
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guard {
    Stranger,
    Living,
    Bearer,
    Confirmed,
}

impl Guarded for Stranger {
    const KIND: Guard = Guard::Stranger;
    const SCOPE: Option<(&'static str, &'static str)> = None;
}

impl Guarded for Living {
    const KIND: Guard = Guard::Living;
    const SCOPE: Option<(&'static str, &'static str)> = None;
}

impl<M: OwnMethod> Guarded for Bearer<M> {
    const KIND: Guard = Guard::Bearer;
    const SCOPE: Option<(&'static str, &'static str)> = Some((M::SERVICE, M::NAME));
    const SUMMARY: &'static str = M::SUMMARY;
}

impl<M: OwnMethod> Guarded for Confirmed<M> {
    const KIND: Guard = Guard::Confirmed;
    const SCOPE: Option<(&'static str, &'static str)> = Some((M::SERVICE, M::NAME));
    const SUMMARY: &'static str = M::SUMMARY;
}

impl FromRequest for Stranger {
    type Error = ActixError;
    type Future = Ready<Result<Self, ActixError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let config = request.app_data::<web::Data<Config>>().ok_or_else(no_state);
        ready(config.map(|config| Stranger { origin: origin(request, config) }))
    }
}

impl FromRequest for Living {
    type Error = ActixError;
    type Future = Ready<Result<Self, ActixError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(let_in(request, decide_living).map(Living))
    }
}

impl<M: OwnMethod> FromRequest for Bearer<M> {
    type Error = ActixError;
    type Future = Ready<Result<Self, ActixError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            there::<M>(request)
                .and_then(|()| let_in(request, decide_own::<M>))
                .map(|caller| Bearer { caller, method: PhantomData }),
        )
    }
}

impl<M: OwnMethod> FromRequest for Confirmed<M> {
    type Error = ActixError;
    type Future = LocalBoxFuture<'static, Result<Self, ActixError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bearer = Bearer::<M>::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let bearer = bearer.await?;
            let app = request.app_data::<web::Data<Arc<App>>>().ok_or_else(no_state)?;
            confirm(app, &request, &bearer.caller, OF_ONE_S_OWN.contains(&M::SERVICE)).await?;
            Ok(Confirmed(bearer))
        })
    }
}

impl std::ops::Deref for Living {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<M> std::ops::Deref for Bearer<M> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl<M> std::ops::Deref for Confirmed<M> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0.caller
    }
}

fn no_state() -> ActixError {
    ErrorInternalServerError("no state")
}

/// The routes of tokens are not there where the policy says so.
fn there<M: OwnMethod>(request: &HttpRequest) -> Result<(), ActixError> {
    let app = request.app_data::<web::Data<Arc<App>>>().ok_or_else(no_state)?;
    match M::SERVICE == "tokens" {
        true => app.policy().must_have_token_api().map_err(|error| Refused::from(error).into()),
        false => Ok(()),
    }
}

fn let_in(
    request: &HttpRequest,
    decide: impl FnOnce(&App, Stamp, &Credential<'_>, Option<std::net::IpAddr>) -> Verdict,
) -> Result<Caller, ActixError> {
    let app = request.app_data::<web::Data<Arc<App>>>().ok_or_else(no_state)?;
    let config = request.app_data::<web::Data<Config>>().ok_or_else(no_state)?;
    let now = app.now();
    if !app.is_fresh(now, config.max_staleness) {
        return Err(answered(answer::stale()));
    }
    let credential = request::credential(headers(request.headers()), None, false)
        .map_err(|refused| answered(bad_request(&refused.to_string())))?;
    let client = client(request.headers(), peer(request), config);
    match decide(app, now, &credential, client) {
        Ok(pass) => {
            answer::count(app, now, &pass, client, request.headers());
            let caller =
                Caller { token: pass.value.token.id(), generation: pass.value.number, origin: origin(request, config) };
            request.extensions_mut().insert(Asker::Program {
                token: caller.token.clone(),
                generation: caller.generation,
                origin: caller.origin.clone(),
            });
            Ok(caller)
        }
        Err(denial) => {
            let call = refusal::Request { http_method: request.method().as_str(), target: request.path(), ip: client };
            Err(answered(answer::denied(app, now, &call, &denial, false)))
        }
    }
}

/// Of a session token the password, by the one counter of guesses that pages and command line have too.
async fn confirm(
    app: &Arc<App>,
    request: &HttpRequest,
    caller: &Caller,
    may_go_by_window: bool,
) -> Result<(), Refused> {
    let (of, now) = (caller.clone(), app.now());
    let present = app.read(move |conn| {
        let actor = of.actor(conn, now)?;
        let session = token::session::of(conn, &actor)?;
        Ok(session.map(|(token, account)| (actor, token, account)))
    });
    let Some((actor, session, account)) = present.await? else { return Ok(()) };
    if may_go_by_window && !token::session::asks_password(&session, now, &app.policy()) {
        return Ok(());
    }
    let typed = request.headers().get(PASSWORD).map(|value| std::str::from_utf8(value.as_bytes()));
    let Some(Ok(typed)) = typed else {
        return Err(Refused::unconfirmed(&format!(
            "A change with a session token needs your password, in the header {PASSWORD}. Nothing was changed."
        )));
    };
    match account::check_password(app, account.label(), Password::new(typed.to_owned())).await {
        Ok(_) => Ok(()),
        Err(Error::Unconfirmed { sentence }) => {
            let change = format!("{} {}", request.method(), request.match_pattern().unwrap_or_default());
            app.write(move |tx| account::record_refused_confirm(tx, &actor, &change)).await?;
            Err(Refused::unconfirmed(&format!("{sentence} Nothing was changed.")))
        }
        Err(other) => Err(other.into()),
    }
}

/// RFC 6750 section 3.1: a credential that is there twice or cannot be read.
fn bad_request(detail: &str) -> HttpResponse {
    let mut answer = HttpResponse::BadRequest();
    answer.insert_header((header::WWW_AUTHENTICATE, r#"Bearer realm="hallpass", error="invalid_request""#));
    problem(answer, StatusCode::BAD_REQUEST, detail, serde_json::json!({}))
}

fn answered(answer: HttpResponse) -> ActixError {
    InternalError::from_response("the caller is not let in", answer).into()
}
