//! What other programs ask of a token by its value: introspection (RFC 7662) and revocation (RFC 7009).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder, ResponseError, web};
use futures_core::future::LocalBoxFuture;
use serde_json::{Value, json};

use super::bearer::{Bearer, Confirmed};
use crate::account;
use crate::app::App;
use crate::catalogue::own::Introspect;
use crate::config::Config;
use crate::db::Conn;
use crate::decision::{Asked, Credential, Denial, Named, Question, consider, holder};
use crate::error::{Error, Result};
use crate::secret::Digest;
use crate::token::{self, Generation, Token};
use crate::types::Stamp;

/// Longer than a value and a request target together.
const LARGEST: usize = 16 * 1024;

/// `POST /oauth/introspect`: `token`, and for what one request would need `method` and `uri`, with `api` and `ip` (the
/// client's address) where they matter. Whatever the caller may not see is as dead as what is not there (section 2.2).
pub async fn introspect(
    caller: Bearer<Introspect>,
    form: Fields,
    app: web::Data<Arc<App>>,
    config: web::Data<Config>,
) -> Result<Introspected, OauthError> {
    let presented = form.required("token")?;
    let request = AskedRequest::read(&form)?;
    let now = app.now();
    // Asked of the index, so that what was removed is dead here when it is dead at the proxy.
    let living = match holder(&app, now, &Credential::One(presented.into())) {
        Err(Denial::Unsure) => return Err(Error::Busy("The database does not answer.".into()).into()),
        living => living,
    };
    let (Ok(living), Some(digest)) = (living, Digest::of_value(presented, &app.prefix)) else {
        return Ok(Introspected::inactive());
    };
    let seen = app.read(move |conn| look(conn, &caller, digest, now)).await?;
    let Some((token, value, owner)) = seen else {
        return Ok(Introspected::inactive());
    };
    let catalogue = app.catalogue();
    let scopes: Vec<String> = token.scopes.iter().map(|full| catalogue.show(full)).collect();
    let mut answer = json!({
        "active": true,
        "scope": scopes.join(" "),
        "client_id": token.id,
        "username": living.account.label.as_str(),
        "token_type": "Bearer",
        "exp": seconds([token.expires_at, value.ends_at].into_iter().flatten().min()),
        "iat": seconds(Some(value.created_at)),
        "sub": owner.id,
        "iss": config.public_url.as_str(),
        "jti": token.id,
        "token_name": token.name,
        "account_kind": living.account.kind,
        "role": living.account.role,
    });
    if let Some(members) = answer.as_object_mut() {
        // A token without an end has no `exp`: every member but `active` is optional (section 2.2).
        members.retain(|_, value| !value.is_null());
        members.extend(request.map(|request| request.judge(&app, now, presented)).unwrap_or_default());
    }
    Ok(Introspected(answer))
}

/// `POST /oauth/revoke`: the current value takes its token with it; a former one that is still in its grace period ends alone.
/// 200 for what is not there or over already (section 2.2).
pub async fn revoke(
    caller: Confirmed<Introspect>,
    form: TokenField,
    app: web::Data<Arc<App>>,
) -> Result<Over, OauthError> {
    let Some(digest) = Digest::of_value(form.0.required("token")?, &app.prefix) else {
        return Ok(Over);
    };
    let revoked = app.write(move |tx| {
        // Drawn first: what is looked at below is what is changed.
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        let Some((token, value)) = token::by_value(tx.conn, &actor, digest)? else {
            return Ok(match token::is_value(tx.conn, digest)? {
                true => Revoked::Foreign,
                false => Revoked::Done,
            });
        };
        match value.ends_at {
            _ if token.removed_at.is_some() => {}
            None => drop(token::remove(tx, &actor, &[token.id])?),
            Some(end) if end > tx.now => drop(token::regenerate::end_grace(tx, &actor, &token.id, token.version)?),
            Some(_) => {}
        }
        Ok(Revoked::Done)
    });
    match revoked.await? {
        Revoked::Done => Ok(Over),
        Revoked::Foreign => Err(OauthError::Foreign),
    }
}

enum Revoked {
    Done,
    Foreign,
}

type Seen = Option<(Token, Generation, account::Account)>;

fn look(conn: &mut Conn, caller: &Bearer<Introspect>, digest: Digest, now: Stamp) -> Result<Seen> {
    let actor = caller.actor(conn, now)?;
    let Some((token, value)) = token::by_value(conn, &actor, digest)? else { return Ok(None) };
    let owner = account::by_id(conn, &token.owner_id)?;
    Ok(Some((token, value, owner)))
}

/// One request to the API behind the proxy, as the caller describes it.
struct AskedRequest<'a> {
    asked: Asked<'a>,
    api: Option<&'a str>,
    client: Option<IpAddr>,
}

impl<'a> AskedRequest<'a> {
    fn read(form: &'a Fields) -> Result<Option<AskedRequest<'a>>, OauthError> {
        let client = match form.get("ip") {
            None => None,
            Some(ip) => Some(ip.parse().map_err(|_| OauthError::invalid("ip is not an IP address."))?),
        };
        let (method, uri) = match (form.get("method"), form.get("uri")) {
            (None, None) => return Ok(None),
            (Some(method), Some(uri)) => (method, uri),
            _ => return Err(OauthError::invalid("method and uri belong together.")),
        };
        // An address with a host (RFC 9112 section 3.2.2) is as good as a path.
        let (host, target) = match uri.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
                let (host, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                (Some(host), target)
            }
            _ => (None, uri),
        };
        Ok(Some(AskedRequest { asked: Asked { http_method: method, target, host }, api: form.get("api"), client }))
    }

    /// `allowed`, and where the catalogue knows the request the scope that it needs; `refused_by` says which rule refuses it.
    fn judge(&self, app: &App, now: Stamp, presented: &str) -> serde_json::Map<String, Value> {
        let question = Question {
            asked: self.asked,
            credential: Credential::One(presented.into()),
            api: self.api,
            client: self.client,
        };
        let (method, rule): (Option<Named>, Option<String>) = match consider(app, now, &question) {
            Ok(pass) => (Some(pass.method), None),
            Err(Denial::Refused(refusal) | Denial::TooMany(refusal, _) | Denial::Ended(refusal)) => {
                (refusal.method, Some(refusal.rule.to_string()))
            }
            Err(Denial::NoCredential | Denial::Unknown | Denial::Unsure) => {
                (None, Some("The token is not valid.".into()))
            }
        };
        let mut told = serde_json::Map::new();
        told.insert("allowed".into(), rule.is_none().into());
        told.extend(method.map(|method| ("required_scope".to_owned(), (*method.shown).into())));
        told.extend(rule.map(|rule| ("refused_by".to_owned(), rule.into())));
        told
    }
}

fn seconds(at: Option<Stamp>) -> Option<i64> {
    at.map(|at| at.utc().timestamp())
}

/// What a token is worth.
pub struct Introspected(Value);

impl Introspected {
    fn inactive() -> Introspected {
        Introspected(json!({ "active": false }))
    }
}

impl Responder for Introspected {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .content_type("application/json")
            .body(self.0.to_string())
    }
}

/// The token is over, whatever it was.
pub struct Over;

impl Responder for Over {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).finish()
    }
}

/// The fields of a request, each at most once (RFC 6749 section 3.2). An empty one counts as left out.
pub struct Fields(BTreeMap<String, String>);

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn required(&self, name: &str) -> Result<&str, OauthError> {
        self.get(name).ok_or_else(|| OauthError::Invalid(format!("The field {name} is missing.")))
    }
}

impl FromRequest for Fields {
    type Error = OauthError;
    type Future = LocalBoxFuture<'static, Result<Fields, OauthError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let refused = OauthError::invalid("Send the fields as application/x-www-form-urlencoded.");
            return Box::pin(std::future::ready(Err(refused)));
        }
        let body = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let broken = |_| OauthError::invalid("The request broke off.");
            let body = body.await.map_err(broken)?.to_bytes_limited(LARGEST).await;
            let body = body.map_err(|_| OauthError::invalid("The request is larger than 16 kB."))?;
            let body = body.map_err(broken)?;
            let mut fields = BTreeMap::new();
            for (name, value) in url::form_urlencoded::parse(&body) {
                if fields.insert(name.into_owned(), value.into_owned()).is_some() {
                    return Err(OauthError::invalid("A field is there more than once."));
                }
            }
            Ok(Fields(fields))
        })
    }
}

/// The fields of a request that is about the field `token` alone.
pub struct TokenField(Fields);

impl FromRequest for TokenField {
    type Error = OauthError;
    type Future = LocalBoxFuture<'static, Result<TokenField, OauthError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let fields = Fields::from_request(request, payload);
        Box::pin(async move { fields.await.map(TokenField) })
    }
}

/// An error as RFC 6749 section 5.2 words it, or one of ours as a problem.
#[derive(Debug, thiserror::Error)]
pub enum OauthError {
    #[error("{0}")]
    Invalid(String),
    #[error("This token belongs to another account.")]
    Foreign,
    #[error(transparent)]
    Other(#[from] Error),
}

impl OauthError {
    fn invalid(sentence: &str) -> OauthError {
        OauthError::Invalid(sentence.to_owned())
    }
}

impl ResponseError for OauthError {
    fn status_code(&self) -> StatusCode {
        match self {
            OauthError::Invalid(_) | OauthError::Foreign => StatusCode::BAD_REQUEST,
            OauthError::Other(error) => error.status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let error = match self {
            OauthError::Invalid(_) => "invalid_request",
            OauthError::Foreign => "unauthorized_client",
            OauthError::Other(error) => return error.error_response(),
        };
        HttpResponse::BadRequest()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .content_type("application/json")
            .body(json!({ "error": error, "error_description": self.to_string() }).to_string())
    }
}
