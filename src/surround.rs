//! What surrounds every request: headers, one line in the log, and the verdicts of `/verify` before any routing.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_http::{Payload, Request, Response};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, apply_fn_factory};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};

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

/// In front of the router, whose way through boxed futures takes as long as half a verdict: what `/verify` is asked is answered
/// here, by the same function as behind its routes. Those are for what has to wait for its turn, and for what has a body.
pub fn judged_first<F, S, B>(
    program: impl IntoServiceFactory<F, Request>,
    app: Arc<App>,
    config: web::Data<Config>,
) -> impl ServiceFactory<
    Request,
    Config = F::Config,
    Response = Response<BoxBody>,
    Error = actix_web::Error,
    InitError = F::InitError,
    Service: Service<Request, Future = Answered>,
>
where
    F: ServiceFactory<Request, Response = ServiceResponse<B>, Error = actix_web::Error, Service = S>,
    S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error, Future: 'static>,
    B: MessageBody + 'static,
{
    apply_fn_factory(program, move |mut request: Request, routed: &S| {
        let connection = request.conn_data::<Rc<Connection>>().cloned();
        let has_turn = connection.as_ref().is_none_or(|connection| connection.begin(request.payload()));
        let is_whole = matches!(request.payload(), Payload::None);
        if let Some(route) = verify::route(request.path()).filter(|_| has_turn && is_whole) {
            let came = Instant::now();
            let mut answer = verify::answer(&app, &config, request.head(), came);
            finish(&mut answer, &config, connection.as_deref());
            record(&answer, request.method(), route, came, None, || draw_id(&app));
            return Answered::Now(ready(Ok(answer.into())));
        }
        let answer = routed.call(request);
        Answered::Later(Box::pin(async move { Ok(answer.await?.map_into_boxed_body().into()) }))
    })
}

type Answer = Result<Response<BoxBody>, actix_web::Error>;

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

/// The outermost middleware.
pub async fn surround(
    config: web::Data<Config>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let connection = request.conn_data::<Rc<Connection>>().cloned();
    if let Some(connection) = &connection {
        connection.turn().await;
    }
    let came = Instant::now();
    let method = request.method().clone();
    let mut answer = match next.call(request).await {
        Ok(answer) => answer.map_into_boxed_body(),
        // Something around the handlers failed; the request is gone with it, the rules for answers are not.
        Err(error) => {
            tracing::error!(%method, cause = %error, "request");
            let mut answer = error.error_response();
            finish(&mut answer, &config, connection.as_deref());
            return Err(actix_web::error::InternalError::from_response(error, answer).into());
        }
    };
    let fault = answer.response().extensions().get::<Fault>().cloned();
    if let Some(fault) = &fault {
        record_refused(answer.request(), fault).await;
    }
    finish(answer.response_mut(), &config, connection.as_deref());
    if answer.request().path().starts_with("/api/")
        && let Ok(id) = HeaderValue::from_str(&request_id(answer.request()))
    {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
    let request = answer.request();
    let route = request.match_pattern().unwrap_or_else(|| "-".into());
    let cause = fault.and_then(|fault| fault.cause);
    record(answer.response(), &method, &route, came, cause, || request_id(request));
    Ok(answer)
}

/// What every answer leaves with. After the last one of a connection that is to end, it is closed.
fn finish(answer: &mut HttpResponse, config: &Config, connection: Option<&Connection>) {
    if connection.is_some_and(Connection::answered) {
        answer.head_mut().set_connection_type(ConnectionType::Close);
    }
    put_headers(answer.headers_mut(), config.has_tls());
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
fn record(
    answer: &HttpResponse,
    method: &Method,
    route: &str,
    came: Instant,
    cause: Option<String>,
    id: impl FnOnce() -> String,
) {
    let status = answer.status().as_u16();
    // Passes are nearly all there is, and usage counts them: a line for each costs more than the verdict.
    let is_pass = status == 200 && route.starts_with("/verify");
    if is_pass && !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let cause = cause.or_else(|| answer.error().filter(|_| status >= 500).map(ToString::to_string));
    let (request, milliseconds) = (id(), came.elapsed().as_millis() as u64);
    match cause {
        Some(cause) => tracing::error!(%method, route, status, milliseconds, request, cause, "request"),
        None if is_pass => tracing::debug!(%method, route, status, milliseconds, request, "request"),
        None => tracing::info!(%method, route, status, milliseconds, request, "request"),
    }
}

#[derive(Clone)]
struct RequestId(String);

/// Drawn where it is first asked for: by the line in the log or the page of an error.
pub fn request_id(request: &HttpRequest) -> String {
    if let Some(RequestId(id)) = request.extensions().get() {
        return id.clone();
    }
    let id = request.app_data::<web::Data<Arc<App>>>().map(|app| draw_id(app)).unwrap_or_default();
    request.extensions_mut().insert(RequestId(id.clone()));
    id
}

fn draw_id(app: &App) -> String {
    app.random.base62(10).map(|text| text.to_string()).unwrap_or_default()
}
