//! Who calls: the holder of a token whose scopes hold the method that the handler names in its signature.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::error::{Error as ActixError, ErrorInternalServerError, InternalError};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, web};

use crate::actor::{Actor, Origin};
use crate::app::App;
use crate::catalogue::own::OwnMethod;
use crate::config::Config;
use crate::db::Conn;
use crate::decision::decide_own;
use crate::error::Result;
use crate::http::{Asker, client, origin, peer, problem};
use crate::refusal;
use crate::token;
use crate::types::{Stamp, TokenId};
use crate::verify::{answer, headers, request};

/// Checked before the handler runs: `Authorization: Bearer V` of a living token with the scope `hallpass/SERVICE:METHOD` of
/// `M`, from an address of its list, within its rate. Counted among the token's calls, as is every refusal.
pub struct Bearer<M> {
    pub token: TokenId,
    pub origin: Origin,
    method: PhantomData<M>,
}

impl<M> Bearer<M> {
    /// As whom the caller acts, looked at again within the transaction of what it does.
    pub fn actor(&self, conn: &mut Conn, now: Stamp) -> Result<Actor> {
        token::speaker(conn, &self.token, now, self.origin.clone())
    }
}

impl<M: OwnMethod> FromRequest for Bearer<M> {
    type Error = ActixError;
    type Future = Ready<Result<Self, ActixError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(let_in(request))
    }
}

fn let_in<M: OwnMethod>(request: &HttpRequest) -> Result<Bearer<M>, ActixError> {
    let app = request.app_data::<web::Data<Arc<App>>>();
    let (Some(app), Some(config)) = (app, request.app_data::<web::Data<Config>>()) else {
        return Err(ErrorInternalServerError("no state"));
    };
    let now = app.now();
    if !app.is_fresh(now, config.max_staleness) {
        return Err(answered(answer::stale()));
    }
    let credential = request::credential(headers(request).into_iter(), None, false)
        .map_err(|refused| answered(bad_request(&refused.to_string())))?;
    let client = client(request.headers(), peer(request), config);
    match decide_own::<M>(app, now, &credential, client) {
        Ok(pass) => {
            answer::count(app, now, &pass, client, request.headers());
            let origin = origin(request, config);
            request.extensions_mut().insert(Asker::Program(pass.value.token.id(), origin.clone()));
            Ok(Bearer { token: pass.value.token.id(), origin, method: PhantomData })
        }
        Err(denial) => {
            let call = refusal::Request { http_method: request.method().as_str(), target: request.path(), ip: client };
            Err(answered(answer::denied(app, now, &call, &denial, false)))
        }
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
