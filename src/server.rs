//! The door: listening, which address is whose, and pages for errors.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::Key;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Compress, Next, from_fn};
use actix_web::{App as Actix, HttpRequest, HttpResponse, ResponseError, guard, web};
use diesel::prelude::*;
use url::Url;

use crate::app::App;
use crate::config::Config;
use crate::door::{Connection, Server};
use crate::error::{Error, Result};
use crate::http::{Fault, client, fits, peer};
use crate::surround::{judged_first, request_id, surround};
use crate::web::error_pages::{ErrorPage, Problem};
use crate::web::frame::Frame;
use crate::web::kept::{self, Kept};
use crate::web::session::{SetupCode, sign_in_again, signed_in};
use crate::web::{assets, form, session_store};
use crate::{account, api, metrics, verify};

/// Who an address is for that is neither a page nor a program's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    Everybody,
    /// Trusted proxies, for whoever holds a token.
    Proxy,
    /// The networks of `metrics_from`.
    Operator,
}

/// One row of the table below.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// `*` is every one.
    pub method: &'static str,
    pub path: &'static str,
    pub audience: Audience,
}

macro_rules! open_routes {
    ($($method:tt $path:literal $audience:ident => $handler:path;)*) => {
        pub const OPEN: &[Row] =
            &[$(Row { method: stringify!($method), path: $path, audience: Audience::$audience }),*];

        fn routes(config: &mut web::ServiceConfig) {
            $(config.route($path, open_routes!(@ $method $handler));)*
        }
    };
    (@ GET $handler:path) => { web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to($handler) };
    (@ * $handler:path) => { web::to($handler) };
}

open_routes! {
    *   "/verify"                      Proxy     => verify::forwarded;
    *   "/verify/direct/{target:.*}"   Proxy     => verify::direct;
    GET "/healthz"                     Everybody => healthz;
    GET "/readyz"                      Everybody => readyz;
    GET "/metrics"                     Operator  => measured;
    GET "/assets/{hash}/{name:.*}"     Everybody => assets::serve;
    GET "/favicon.ico"                 Everybody => assets::favicon;
}

/// A bound server that is not running yet, its address, and the set-up code while there is no account.
pub struct Bound {
    pub server: Server,
    pub address: std::net::SocketAddr,
    pub setup_code: Option<String>,
}

/// Binds; the error is one sentence.
pub fn bind(app: Arc<App>, config: Config) -> Result<Bound, String> {
    let listener = std::net::TcpListener::bind(&config.listen)
        .map_err(|cause| format!("Hallpass cannot listen on {}: {}.", config.listen, plain(&cause)))?;
    let address = listener.local_addr().map_err(|cause| cause.to_string())?;
    let key = app.shared_key("session_key").map_err(|error| error.to_string())?;
    let key = Key::from(key.reveal().as_bytes());
    let tokens = web::Data::new(form::tokens(&app).map_err(|error| error.to_string())?);
    let code = setup_code(&app, &tokens).map_err(|error| error.to_string())?;
    let shown = code.0.as_ref().map(|code| code.reveal().to_owned());
    let limits = config.limits;
    let description = web::Data::new(api::openapi::document(config.public_url.as_str()));
    let (code, config) = (web::Data::new(code), web::Data::new(config));
    assets::prepare();
    let program = move || {
        let sessions = session_store::middleware(&app, &config, &key);
        let program = Actix::new()
            .app_data(web::Data::new(app.clone()))
            .app_data(config.clone())
            .app_data(code.clone())
            .app_data(tokens.clone())
            .app_data(description.clone())
            .wrap(from_fn(surround))
            .configure(routes)
            .configure(api::routes)
            .service(
                web::scope("")
                    .wrap(from_fn(error_pages))
                    .wrap(sessions)
                    .wrap(Compress::default())
                    .configure(crate::web::routes)
                    .default_service(web::to(missing)),
            );
        judged_first(program, app.clone(), config.clone())
    };
    let server = Server::new(listener, limits, program)
        .map_err(|cause| format!("Hallpass cannot listen on {address}: {}.", plain(&cause)))?;
    Ok(Bound { server, address, setup_code: shown })
}

fn plain(cause: &std::io::Error) -> String {
    match cause.kind() {
        std::io::ErrorKind::AddrInUse => "another program is listening there".into(),
        std::io::ErrorKind::PermissionDenied => "the system does not allow it".into(),
        _ => cause.to_string(),
    }
}

/// Only while there is no account. It follows from the key that all processes on one database share, so that each of them
/// knows the code that another has printed.
fn setup_code(app: &App, tokens: &form::FormTokens) -> Result<SetupCode> {
    match app.db.read(account::is_empty)? {
        true => Ok(SetupCode(Some(tokens.setup_code()?))),
        false => Ok(SetupCode(None)),
    }
}

/// The process runs.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// The database answers, what verification knows is fresh, and the program is not about to stop.
async fn readyz(app: web::Data<Arc<App>>, config: web::Data<Config>, request: HttpRequest) -> HttpResponse {
    let stops = request.conn_data::<Rc<Connection>>().is_some_and(|connection| connection.is_closing());
    let answers = app.read(|conn| Ok(crate::schema::sequence::table.count().get_result::<i64>(conn)?)).await.is_ok();
    match answers && !stops && app.is_fresh(app.now(), config.max_staleness) {
        true => HttpResponse::Ok().content_type("text/plain").body("ready\n"),
        false => HttpResponse::ServiceUnavailable().content_type("text/plain").body("not ready\n"),
    }
}

/// For the networks of `metrics_from`; for others there is nothing here.
async fn measured(app: web::Data<Arc<App>>, config: web::Data<Config>, request: HttpRequest) -> Result<HttpResponse> {
    let client = client(request.headers(), peer(&request), &config);
    // A scraper beside Hallpass comes without a proxy, and so without a forwarded address.
    let is_forwarded = request.headers().contains_key("x-forwarded-for");
    let client = client.or_else(|| peer(&request).filter(|_| !is_forwarded)).map(|client| client.to_canonical());
    if !client.is_some_and(|client| config.metrics_from.iter().any(|net| net.contains(&client))) {
        return Err(Error::Missing);
    }
    let text = metrics::page(&app, app.now())?;
    Ok(HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(text))
}

/// No route took the request: an address that is not there, or one that is there for another HTTP method.
async fn missing(request: HttpRequest) -> Result<HttpResponse> {
    let path = request.path();
    // That something is there for operators is not for all to know.
    let told = OPEN.iter().filter(|row| row.audience != Audience::Operator);
    let open = told.filter(|row| fits(row.path, path)).map(|row| row.method);
    let methods: Vec<&str> = crate::web::methods_of(path).into_iter().chain(open).collect();
    if methods.is_empty() {
        return Err(Error::Missing);
    }
    let mut answer = HttpResponse::MethodNotAllowed();
    answer.insert_header((header::ALLOW, methods.join(", ")));
    Ok(answer.finish())
}

/// Errors become pages; a stranger is shown the way to sign in, and comes back to where they were.
async fn error_pages(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let answer = match kept::let_in(&mut request).await {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err(error) => request.into_response(error.error_response()),
    };
    let status = answer.status();
    let fault = answer.response().extensions().get::<Fault>().cloned();
    let is_page =
        answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !(status.is_client_error() || status.is_server_error()) || is_page {
        return Ok(answer);
    }
    let (request, former) = answer.into_parts();
    let rendered = match status {
        StatusCode::UNAUTHORIZED => match Kept::of(&request) {
            Some(kept) => sign_in_again(&request, kept),
            None => Ok(to_sign_in(&request)),
        },
        _ => error_page(&request, status, fault.as_ref()).await,
    };
    let mut rendered = rendered.unwrap_or_else(|_| HttpResponse::build(status).finish());
    for kept in [header::RETRY_AFTER, header::ALLOW] {
        if let Some(value) = former.headers().get(&kept) {
            rendered.headers_mut().insert(kept, value.clone());
        }
    }
    if let Some(fault) = fault {
        rendered.extensions_mut().insert(fault);
    }
    Ok(ServiceResponse::new(request, rendered))
}

/// To the sign-in page, and from there back to the page that was asked for.
fn to_sign_in(request: &HttpRequest) -> HttpResponse {
    let is_look = request.method() == Method::GET;
    let path = request.uri().path_and_query().filter(|_| is_look).map(ToString::to_string);
    // A dialog's form was posted from a page that one can go back to.
    let page = || Url::parse(request.headers().get("hx-current-url")?.to_str().ok()?).ok();
    let back = path.or_else(|| page().map(|page| page.path().to_owned()));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let config = request.app_data::<web::Data<Config>>();
    let had_one = config.is_some_and(|config| request.cookie(session_store::cookie_name(config)).is_some());
    if had_one || !is_look {
        query.append_pair("why", "ended");
    }
    if let Some(back) = back.filter(|back| back != "/") {
        query.append_pair("next", &back);
    }
    let query = query.finish();
    let to = if query.is_empty() { "/login".to_owned() } else { format!("/login?{query}") };
    let mut answer = match request.headers().contains_key("hx-request") {
        true => HttpResponse::Unauthorized(),
        false => HttpResponse::SeeOther(),
    };
    answer.insert_header(("HX-Redirect", to.clone()));
    answer.insert_header((header::LOCATION, to));
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.finish()
}

async fn error_page(request: &HttpRequest, status: StatusCode, fault: Option<&Fault>) -> Result<HttpResponse> {
    let problem = match (status, fault) {
        (StatusCode::FORBIDDEN, Some(fault)) if fault.sentence == Error::OldForm.to_string() => Problem::OldForm,
        (StatusCode::FORBIDDEN, Some(fault)) if fault.sentence == Error::ForeignOrigin.to_string() => {
            Problem::ForeignOrigin
        }
        (StatusCode::FORBIDDEN, _) => Problem::Forbidden,
        (StatusCode::METHOD_NOT_ALLOWED, _) => Problem::WrongMethod,
        (StatusCode::PAYLOAD_TOO_LARGE, _) => Problem::TooLarge,
        (StatusCode::TOO_MANY_REQUESTS, _) => Problem::TooMany,
        (StatusCode::SERVICE_UNAVAILABLE, _) => Problem::Busy,
        (StatusCode::NOT_FOUND, _) => Problem::Missing,
        (other, _) if other.is_server_error() => Problem::Internal,
        (other, _) => Problem::Other(other.as_u16()),
    };
    let me = signed_in(request).await.ok();
    let frame = Frame::read(request)?;
    let (back, label) =
        if me.is_some() { ("/settings/tokens", "Go to access tokens") } else { ("/", "Go to the start") };
    let mut page = ErrorPage::new(frame.shell("", "", me.as_ref())?, problem, back, label);
    if let Some(fault) =
        fault.filter(|_| !matches!(problem, Problem::OldForm | Problem::ForeignOrigin | Problem::Missing))
    {
        page.text = fault.sentence.clone();
    }
    if status.is_server_error() {
        page.reference = request_id(request);
    }
    frame.page(status, &page)
}
