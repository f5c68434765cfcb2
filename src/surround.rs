//! What surrounds every request: headers, one line in the log, and the verdicts of `/verify` before any routing.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_service::{Service, Transform};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method};
use actix_web::{HttpMessage, HttpRequest, web};

use crate::app::App;
use crate::config::Config;
use crate::door::Connection;
use crate::http::{Fault, record_refused};
use crate::verify;

/// What the program answers with on every address, assets and errors included (ASVS 3.4).
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    (HeaderName::from_static("x-content-type-options"), "nosniff"),
    (HeaderName::from_static("referrer-policy"), "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("x-frame-options"), "DENY"),
];
/// Told to programs, under which the log has their request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const HSTS: &str = "max-age=31536000; includeSubDomains";

/// The outermost middleware.
pub struct Surround {
    pub app: Arc<App>,
    pub config: web::Data<Config>,
}

impl<S, B> Transform<S, ServiceRequest> for Surround
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = actix_web::Error;
    type Transform = Surrounded<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(Surrounded { app: self.app.clone(), config: self.config.clone(), inner: Rc::new(inner) }))
    }
}

pub struct Surrounded<S> {
    app: Arc<App>,
    config: web::Data<Config>,
    inner: Rc<S>,
}

type Answer = Result<ServiceResponse<BoxBody>, actix_web::Error>;

/// A verdict needs no waiting.
pub enum Answered {
    Now(Ready<Answer>),
    Later(Pin<Box<dyn Future<Output = Answer>>>),
}

impl Future for Answered {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        match self.get_mut() {
            Answered::Now(answer) => Pin::new(answer).poll(cx),
            Answered::Later(answer) => answer.as_mut().poll(cx),
        }
    }
}

impl<S, B> Service<ServiceRequest> for Surrounded<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = actix_web::Error;
    type Future = Answered;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), actix_web::Error>> {
        self.inner.poll_ready(cx)
    }

    /// The router comes to the same handlers: its way through boxed futures takes as long as half a verdict.
    fn call(&self, mut request: ServiceRequest) -> Answered {
        let connection = request.conn_data::<Rc<Connection>>().cloned();
        let must_wait = connection.as_ref().is_some_and(|connection| connection.begin(&mut request));
        if !must_wait && verify::is_asked_at(request.path()) {
            let came = Instant::now();
            let answer = verify::answer(&self.app, &self.config, request.request(), came);
            let mut answer = request.into_response(answer);
            let is_last = connection.is_some_and(|connection| connection.answered());
            finish(&mut answer, &self.config, is_last);
            record(&answer, came, None);
            return Answered::Now(ready(Ok(answer)));
        }
        let (inner, config) = (self.inner.clone(), self.config.clone());
        Answered::Later(Box::pin(async move {
            if let Some(connection) = connection.as_ref().filter(|_| must_wait) {
                connection.turn().await;
            }
            let came = Instant::now();
            let method = request.method().clone();
            let answer = inner.call(request).await;
            let is_last = connection.is_some_and(|connection| connection.answered());
            let mut answer = match answer {
                Ok(answer) => answer.map_into_boxed_body(),
                // Something around the handlers failed; the request is gone with it, the rules for answers are not.
                Err(error) => {
                    tracing::error!(%method, cause = %error, "request");
                    let mut answer = error.error_response();
                    put_headers(answer.headers_mut(), config.has_tls());
                    return Err(actix_web::error::InternalError::from_response(error, answer).into());
                }
            };
            let fault = answer.response().extensions().get::<Fault>().cloned();
            if let Some(fault) = &fault {
                record_refused(answer.request(), fault).await;
            }
            finish(&mut answer, &config, is_last);
            record(&answer, came, fault);
            Ok(answer)
        }))
    }
}

/// What every answer leaves with. After the `is_last` one the connection is closed.
fn finish(answer: &mut ServiceResponse<BoxBody>, config: &Config, is_last: bool) {
    if is_last {
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    put_headers(answer.headers_mut(), config.has_tls());
    if answer.request().path().starts_with("/api/")
        && let Ok(id) = HeaderValue::from_str(&request_id(answer.request()))
    {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
}

fn put_headers(headers: &mut header::HeaderMap, has_tls: bool) {
    // It kept the answer from being compressed and has no business on the wire (RFC 9110 section 8.4.1).
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "identity") {
        headers.remove(header::CONTENT_ENCODING);
    }
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if has_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
}

/// One line in the log: by the route's pattern, never by what the client sent.
fn record(answer: &ServiceResponse<BoxBody>, came: Instant, fault: Option<Fault>) {
    let (request, status) = (answer.request(), answer.status().as_u16());
    // Passes are nearly all there is, and usage counts them: a line for each costs more than the verdict.
    let is_pass = status == 200 && request.path().starts_with("/verify");
    if is_pass && !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let method: &Method = request.method();
    let route = request.match_pattern().unwrap_or_else(|| "-".into());
    let id = request_id(request);
    let cause = fault.and_then(|fault| fault.cause);
    let cause = cause.or_else(|| answer.response().error().filter(|_| status >= 500).map(ToString::to_string));
    let milliseconds = came.elapsed().as_millis() as u64;
    match cause {
        Some(cause) => tracing::error!(%method, route, status, milliseconds, request = id, cause, "request"),
        None if is_pass => tracing::debug!(%method, route, status, milliseconds, request = id, "request"),
        None => tracing::info!(%method, route, status, milliseconds, request = id, "request"),
    }
}

#[derive(Clone)]
struct RequestId(String);

/// Drawn where it is first asked for: by the line in the log or the page of an error.
pub fn request_id(request: &HttpRequest) -> String {
    if let Some(RequestId(id)) = request.extensions().get() {
        return id.clone();
    }
    let random = request.app_data::<web::Data<Arc<App>>>().and_then(|app| app.random.base62(10).ok());
    let id = random.map(|text| text.to_string()).unwrap_or_default();
    request.extensions_mut().insert(RequestId(id.clone()));
    id
}
