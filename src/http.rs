//! What the edges share of HTTP: the status of each error, where a request came from, and problems as JSON (RFC 9457).

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError, web};
use smallvec::SmallVec;

use crate::actor::{Actor, Origin};
use crate::app::App;
use crate::audit;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::password::BUSY_RETRY_SECONDS;
use crate::secret::without_values;
use crate::token;
use crate::types::TokenId;

/// The one table from errors to statuses.
pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::SignedOut => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) | Error::OldForm | Error::ForeignOrigin => StatusCode::FORBIDDEN,
        Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Missing => StatusCode::NOT_FOUND,
        Error::Replayed(_) | Error::Stale => StatusCode::CONFLICT,
        Error::Unconfirmed { .. } | Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Wait { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Busy(_) | Error::Unsure => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Seconds that an answer asks to wait.
pub fn retry_after(error: &Error) -> Option<u64> {
    match error {
        Error::Wait { seconds, .. } => Some(*seconds),
        Error::Busy(_) | Error::Unsure => Some(BUSY_RETRY_SECONDS.into()),
        _ => None,
    }
}

/// A problem as JSON. `detail` is a sentence; `members` are further ones of ours.
pub fn problem(
    mut answer: HttpResponseBuilder,
    status: StatusCode,
    detail: &str,
    members: serde_json::Value,
) -> HttpResponse {
    let mut body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": detail,
    });
    if let (Some(body), serde_json::Value::Object(members)) = (body.as_object_mut(), members) {
        body.extend(members);
    }
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((header::CONTENT_TYPE, "application/problem+json"));
    answer.body(body.to_string())
}

/// What an error leaves in its answer for the middleware that renders pages and writes the log.
#[derive(Clone)]
pub struct Fault {
    pub sentence: String,
    pub problems: Vec<Problem>,
    /// For the log only.
    pub cause: Option<String>,
    /// The rules forbid it to whoever asked.
    pub is_forbidden: bool,
}

/// Whom a guard has let in, left at the request for the middleware that records what is refused afterwards.
#[derive(Clone)]
pub enum Asker {
    Person(Actor),
    /// Whoever holds a value of that token.
    Program {
        token: TokenId,
        generation: i64,
        origin: Origin,
    },
}

/// A change that was refused for its asker's role stands in the audit log, whatever handler it was. A refusal is answered
/// as it is, also when it cannot be recorded.
pub async fn record_refused(request: &HttpRequest, fault: &Fault) {
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let asker = request.extensions().get::<Asker>().cloned();
    let app = request.app_data::<web::Data<Arc<App>>>();
    let (Some(asker), Some(app), true) = (asker, app, is_change && fault.is_forbidden) else { return };
    let route = format!("{} {}", request.method(), request.match_pattern().unwrap_or_default());
    let path: String = without_values(request.path()).chars().take(300).collect();
    let why = fault.sentence.clone();
    let recorded = app.write(move |tx| {
        let actor = match asker {
            Asker::Person(actor) => actor,
            Asker::Program { token, generation, origin } => {
                token::speaker(tx.conn, &token, generation, tx.now, origin)?
            }
        };
        audit::record_refused_change(tx, &actor, &route, &path, &why)
    });
    if let Err(cause) = recorded.await {
        tracing::warn!(error = ?cause, "a refused change could not be recorded");
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        status(self)
    }

    fn error_response(&self) -> HttpResponse {
        let status = status(self);
        let mut answer = HttpResponse::build(status);
        if let Some(seconds) = retry_after(self) {
            answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        let problems = if let Error::Invalid(problems) = self { problems.clone() } else { Vec::new() };
        let members = match problems.is_empty() {
            true => serde_json::json!({}),
            false => serde_json::json!({ "errors": problems }),
        };
        let mut answer = problem(answer, status, &self.to_string(), members);
        let cause = if let Error::Internal(cause) = self { Some(cause.to_string()) } else { None };
        answer.extensions_mut().insert(Fault {
            sentence: self.to_string(),
            problems,
            cause,
            is_forbidden: matches!(self, Error::Forbidden(_)),
        });
        answer
    }
}

/// The address of whoever started the request. Behind trusted proxies it is the last entry of `X-Forwarded-For` that is
/// none of them; `None` where a trusted proxy did not say, or said something that is no address.
pub fn client(headers: &HeaderMap, peer: Option<IpAddr>, config: &Config) -> Option<IpAddr> {
    let peer = peer?.to_canonical();
    if !config.trusts(peer) {
        return Some(peer);
    }
    let mut nearest = None;
    for value in headers.get_all(header::X_FORWARDED_FOR).collect::<SmallVec<[_; 2]>>().into_iter().rev() {
        for entry in value.to_str().ok()?.split(',').rev() {
            let address: IpAddr = entry.trim().parse().ok()?;
            let address = address.to_canonical();
            nearest = Some(address);
            if !config.trusts(address) {
                return nearest;
            }
        }
    }
    nearest
}

/// The address of whoever holds the connection.
pub fn peer(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|peer| peer.ip())
}

/// Whether a path is one of a route's pattern. Segments in braces are parameters.
pub fn fits(pattern: &str, path: &str) -> bool {
    let (mut of, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (of.next(), given.next()) {
            (None, None) => return true,
            (Some(of), Some(given)) if of == given || stands_for(of, given) => {}
            _ => return false,
        }
    }
}

/// Whether a segment of a pattern is a parameter that such text may be. Ids are told from the words beside them.
fn stands_for(of: &str, given: &str) -> bool {
    let is_id = || given.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    of.starts_with('{') && !given.is_empty() && (!of.starts_with("{id:") || is_id())
}

/// A handler whose first argument is `G`: what a route's row says of who may come, its handler has to take.
pub trait TakesFirst<G, Args> {}

macro_rules! takes_first {
    ($($other:ident)*) => {
        impl<G, F, Fut, $($other),*> TakesFirst<G, (G, $($other,)*)> for F where F: Fn(G, $($other),*) -> Fut {}
    };
}
takes_first!();
takes_first!(A);
takes_first!(A B);
takes_first!(A B C);
takes_first!(A B C D);

/// Where a person's request came from, for sessions and the audit log.
pub fn origin(request: &HttpRequest, config: &Config) -> Origin {
    let address = client(request.headers(), peer(request), config).or_else(|| peer(request));
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Origin {
        ip: address.map(|address| address.to_string()).unwrap_or_default(),
        agent: agent.chars().take(300).collect(),
    }
}

/// Text for a header: visible ASCII stands, everything else and `%` is percent-encoded as UTF-8.
pub fn header_text(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b'%') {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | 0..=0x1f | 0x7f.. => out.push_str(&format!("%{byte:02X}")),
            _ => out.push(char::from(byte)),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn config() -> Config {
        let settings = crate::config::Settings { config: Some("/dev/null".into()), ..Default::default() };
        settings.complete().unwrap()
    }

    fn client_of(peer: &str, forwarded: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(value).unwrap());
        }
        client(&headers, Some(peer.parse().unwrap()), &config()).map(|address| address.to_string())
    }

    #[test]
    fn forwarded_addresses_are_believed_from_trusted_proxies_alone() {
        assert_eq!(client_of("203.0.113.9", &["10.0.0.1"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(client_of("127.0.0.1", &["203.0.113.9"]).as_deref(), Some("203.0.113.9"));
    }

    #[test]
    fn what_a_client_put_before_the_proxy_s_own_entry_does_not_count() {
        assert_eq!(client_of("127.0.0.1", &["10.9.9.9, 203.0.113.9"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(client_of("127.0.0.1", &["10.9.9.9", "203.0.113.9, 127.0.0.1"]).as_deref(), Some("203.0.113.9"));
    }

    #[test]
    fn an_entry_that_is_no_address_hides_the_client() {
        assert_eq!(client_of("127.0.0.1", &["unknown"]), None);
        assert_eq!(client_of("127.0.0.1", &[]), None);
    }

    #[test]
    fn a_header_never_carries_a_line_break_or_a_letter_outside_ascii() {
        assert_eq!(header_text("a b\r\nX: 1 %é"), "a b%0D%0AX: 1 %25%C3%A9");
    }
}
