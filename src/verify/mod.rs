//! Forward auth: the proxy asks at every request whether it may pass (product contract, section 6).

pub mod answer;
pub mod request;

use std::sync::Arc;
use std::time::Instant;

use actix_web::dev::RequestHead;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::app::App;
use crate::catalogue::target::without_parameters;
use crate::config::Config;
use crate::decision::{Asked, Pass, Question, decide};
use crate::http::{client, header_text, problem};
use crate::refusal;

const FORWARDED: &str = "/verify";
const DIRECT: &str = "/verify/direct";
const TARGET: HeaderName = HeaderName::from_static("x-hallpass-target");

const ACCOUNT: HeaderName = HeaderName::from_static("x-hallpass-account");
const ACCOUNT_KIND: HeaderName = HeaderName::from_static("x-hallpass-account-kind");
const ROLE: HeaderName = HeaderName::from_static("x-hallpass-role");
const TEAMS: HeaderName = HeaderName::from_static("x-hallpass-teams");
const TOKEN_ID: HeaderName = HeaderName::from_static("x-hallpass-token-id");
const TOKEN_NAME: HeaderName = HeaderName::from_static("x-hallpass-token-name");
const METHOD: HeaderName = HeaderName::from_static("x-hallpass-method");

/// The original request stands in headers: nginx, Caddy, Traefik.
pub async fn forwarded(app: web::Data<Arc<App>>, config: web::Data<Config>, request: HttpRequest) -> HttpResponse {
    answer(&app, &config, request.head(), Instant::now())
}

/// The original request is this one, behind a prefix: Envoy.
pub async fn direct(app: web::Data<Arc<App>>, config: web::Data<Config>, request: HttpRequest) -> HttpResponse {
    answer(&app, &config, request.head(), Instant::now())
}

/// The pattern of the route of one of the two addresses above, as the router finds them.
pub fn route(path: &str) -> Option<&'static str> {
    match path.strip_prefix(FORWARDED)? {
        "" => Some(FORWARDED),
        rest => rest.starts_with("/direct/").then_some("/verify/direct/{target:.*}"),
    }
}

/// A request to one of them. `since` is when it came, for the metrics.
pub fn answer(app: &App, config: &Config, request: &RequestHead, since: Instant) -> HttpResponse {
    let asked = match request.uri.path() {
        FORWARDED => request::forwarded(headers(&request.headers)),
        _ => {
            let target = request.uri.path_and_query().map(|target| target.as_str()).unwrap_or_default();
            request::direct(request.method.as_str(), target, DIRECT, headers(&request.headers))
        }
    };
    judge(app, config, request, asked, since)
}

/// Names are in lower case; a header that came twice is there twice.
pub fn headers(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
}

/// Every way out that is not a pass is a refusal.
fn judge(
    app: &App,
    config: &Config,
    request: &RequestHead,
    asked: Result<Asked<'_>, request::Refused>,
    since: Instant,
) -> HttpResponse {
    let peer = request.peer_addr.map(|peer| peer.ip());
    if !peer.is_some_and(|peer| config.trusts(peer)) {
        return unclear("This address is not among the trusted proxies.");
    }
    let now = app.now();
    let mut asking = app.metrics.asked(since);
    if !app.is_fresh(now, config.max_staleness) {
        asking.stale();
        return answer::stale();
    }
    let asked = match asked {
        Ok(asked) => asked,
        Err(refused) => return unclear(&refused.to_string()),
    };
    // Behind the prefix the query is the original request's.
    let own = if request.uri.path() == FORWARDED { request.uri.query() } else { None };
    let Some(own) = Own::read(own.unwrap_or_default()) else {
        return unclear("The query of /verify may hold api and deny, once each.");
    };
    let query = asked.target.split_once('?').map(|(_, query)| query);
    let in_query = app.takes_value_in_query();
    let credential = match request::credential(headers(&request.headers), query, in_query) {
        Ok(credential) => credential,
        Err(refused) => return unclear(&refused.to_string()),
    };
    let client = client(&request.headers, peer, config);
    let question = Question { asked, credential, api: own.api, client };
    let call = refusal::Request { http_method: asked.http_method, target: asked.target, ip: client };
    let verdict = decide(app, now, &question);
    asking.judged(&verdict);
    match verdict {
        Ok(pass) => {
            answer::count(app, now, &pass, client, &request.headers);
            let cut = in_query.then(|| without_parameters(asked.target, &request::IN_QUERY));
            passed(&pass, cut)
        }
        Err(denial) => answer::denied(app, now, &call, &denial, own.deny_with_403),
    }
}

/// The query of `/verify` itself.
#[derive(Default)]
struct Own<'a> {
    api: Option<&'a str>,
    /// For nginx, which passes on 401 and 403 alone.
    deny_with_403: bool,
}

impl<'a> Own<'a> {
    fn read(query: &'a str) -> Option<Own<'a>> {
        let mut own = Own::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=')? {
                ("api", slug) if own.api.is_none() => own.api = Some(slug),
                ("deny", "403") if !own.deny_with_403 => own.deny_with_403 = true,
                _ => return None,
            }
        }
        Some(own)
    }
}

/// Every identity header is set, even empty: proxies would else pass on what the client sent under that name. Where a value may
/// stand in the query, the target comes back without it, for the proxy to pass on.
fn passed(pass: &Pass, target: Option<String>) -> HttpResponse {
    let token = &pass.value.token;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((ACCOUNT, &*header_text(&pass.account.label)));
    answer.insert_header((ACCOUNT_KIND, HeaderValue::from_static(pass.account.kind.as_str())));
    answer.insert_header((ROLE, HeaderValue::from_static(pass.account.role.as_str())));
    answer.insert_header((TEAMS, &*header_text(&pass.account.teams)));
    answer.insert_header((TOKEN_ID, &*token.id.hyphenated().encode_lower(&mut [0; 36])));
    answer.insert_header((TOKEN_NAME, &*header_text(&token.name)));
    answer.insert_header((METHOD, &*pass.method.shown));
    if let Some(target) = target {
        answer.insert_header((TARGET, target));
    }
    answer::rate(&mut answer, pass.left.map(|left| (left.rate, left.requests, None)));
    answer.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
    answer.finish()
}

/// The question itself cannot be judged: for the operator to read in the proxy's log.
fn unclear(detail: &str) -> HttpResponse {
    tracing::info!(detail, "unclear question");
    problem(HttpResponse::Forbidden(), StatusCode::FORBIDDEN, detail, serde_json::json!({}))
}
