//! Forward auth: the proxy asks at every request whether it may pass (product contract, section 6).

pub mod request;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::app::App;
use crate::config::Config;
use crate::decision::{Asked, Named, Pass, Question, Refusal, Verdict, decide};
use crate::http::{client, header_text, peer, problem};
use crate::refusal::{self, Noted, Rule};
use crate::types::Stamp;
use crate::usage::Call;

const FORWARDED: &str = "/verify";
const DIRECT: &str = "/verify/direct";
const REFERENCE: HeaderName = HeaderName::from_static("x-hallpass-reference");

pub fn routes(config: &mut web::ServiceConfig) {
    config.route(FORWARDED, web::to(forwarded));
    config.route("/verify/direct/{target:.*}", web::to(direct));
}

/// The original request stands in headers: nginx, Caddy, Traefik.
async fn forwarded(app: web::Data<Arc<App>>, config: web::Data<Config>, request: HttpRequest) -> HttpResponse {
    let headers = headers(&request);
    let asked = request::forwarded(headers.iter().copied());
    answer(&app, &config, &request, &headers, asked)
}

/// The original request is this one, behind a prefix: Envoy.
async fn direct(app: web::Data<Arc<App>>, config: web::Data<Config>, request: HttpRequest) -> HttpResponse {
    let target = request.uri().path_and_query().map(|target| target.as_str()).unwrap_or_default();
    let headers = headers(&request);
    let asked = request::direct(request.method().as_str(), target, DIRECT, headers.iter().copied());
    answer(&app, &config, &request, &headers, asked)
}

/// Names are in lower case; a header that came twice is there twice.
fn headers(request: &HttpRequest) -> Vec<(&str, &[u8])> {
    request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

/// Every way out that is not a pass is a refusal.
fn answer(
    app: &Arc<App>,
    config: &Config,
    request: &HttpRequest,
    headers: &[(&str, &[u8])],
    asked: Result<Asked<'_>, request::Refused>,
) -> HttpResponse {
    if !peer(request).is_some_and(|peer| config.trusts(peer)) {
        return unclear("This address is not among the trusted proxies.");
    }
    let now = app.now();
    if !app.is_fresh(now, config.max_staleness) {
        let answer = HttpResponse::ServiceUnavailable();
        return problem(
            answer,
            StatusCode::SERVICE_UNAVAILABLE,
            "What is known here may be out of date.",
            serde_json::json!({}),
        );
    }
    let asked = match asked {
        Ok(asked) => asked,
        Err(refused) => return unclear(&refused.to_string()),
    };
    // Behind the prefix the query is the original request's.
    let own = if request.path() == FORWARDED { Own::read(request.query_string()) } else { Some(Own::default()) };
    let Some(own) = own else {
        return unclear("The query of /verify may hold api and deny, once each.");
    };
    let query = asked.target.split_once('?').map(|(_, query)| query);
    let credential = match request::credential(headers.iter().copied(), query, app.policy.value_in_query) {
        Ok(credential) => credential,
        Err(refused) => return unclear(&refused.to_string()),
    };
    let client = client(request.headers(), peer(request), config);
    let question = Question { asked, credential, api: own.api, client };
    match decide(app, now, &question) {
        Verdict::Pass(pass) => {
            let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
            let call = Call { token: &pass.value.token.id, method: &pass.method.full, at: now, ip: client };
            app.usage.accepted(call, pass.value.number, agent.unwrap_or_default());
            passed(&pass)
        }
        Verdict::NoCredential => unauthorized("No credential was sent.", r#"Bearer realm="hallpass""#),
        Verdict::Unknown => unknown(),
        Verdict::Ended(refusal) => {
            note(app, now, &question, &refusal);
            unknown()
        }
        Verdict::Refused(refusal) => refused(&refusal, &note(app, now, &question, &refusal)),
        Verdict::TooMany(refusal, seconds) => {
            let reference = note(app, now, &question, &refusal);
            let status = if own.deny_with_403 { StatusCode::FORBIDDEN } else { StatusCode::TOO_MANY_REQUESTS };
            let mut answer = HttpResponse::build(status);
            answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
            answer.insert_header((REFERENCE, reference.clone()));
            problem(answer, status, &refusal.rule.to_string(), serde_json::json!({ "reference": reference }))
        }
    }
}

/// Tells the token's owner of a refusal; the answer is the reference under which it is found, or nothing where the random
/// generator failed.
fn note(app: &App, now: Stamp, question: &Question<'_>, refusal: &Refusal) -> String {
    let Question { asked, client, .. } = question;
    let request = refusal::Request { http_method: asked.http_method, target: asked.target, ip: *client };
    let (full, shown) = refusal.method.as_ref().map_or(("", None), |method| (&*method.full, Some(&*method.shown)));
    let token = &refusal.value.token.id;
    let noted = match Noted::new(refusal.rule, shown, &request, now, &app.random) {
        Ok(noted) => noted,
        Err(cause) => {
            tracing::error!(error = ?cause, "a refusal has no reference");
            return String::new();
        }
    };
    let reference = noted.reference().to_owned();
    tracing::info!(
        reference,
        token = token.as_str(),
        scope = shown.unwrap_or_default(),
        rule = %refusal.rule,
        "refused"
    );
    let call = Call { token, method: full, at: now, ip: *client };
    match refusal.rule {
        Rule::Ended => app.usage.ended(call, refusal.value.number, noted),
        _ => app.usage.refused(call, noted),
    }
    reference
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

/// Every identity header is set, even empty: proxies would else pass on what the client sent under that name.
fn passed(pass: &Pass) -> HttpResponse {
    let headers = [
        ("x-hallpass-account", header_text(&pass.account.label)),
        ("x-hallpass-account-kind", pass.account.kind.to_string()),
        ("x-hallpass-role", pass.account.role.to_string()),
        ("x-hallpass-teams", String::new()),
        ("x-hallpass-token-id", pass.value.token.id.to_string()),
        ("x-hallpass-token-name", header_text(&pass.value.token.name)),
        ("x-hallpass-method", pass.method.shown.clone()),
    ];
    let mut answer = HttpResponse::Ok();
    for (name, value) in headers {
        answer.insert_header((HeaderName::from_static(name), value));
    }
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.finish()
}

/// The same for whatever is not valid: which it is tells nothing to who sends it.
fn unknown() -> HttpResponse {
    unauthorized("The token is not valid.", r#"Bearer realm="hallpass", error="invalid_token""#)
}

fn unauthorized(detail: &str, challenge: &'static str) -> HttpResponse {
    let mut answer = HttpResponse::Unauthorized();
    answer.insert_header((header::WWW_AUTHENTICATE, challenge));
    problem(answer, StatusCode::UNAUTHORIZED, detail, serde_json::json!({}))
}

/// The answer says no more than the scope that is missing; which rule it was is for the owner, under the reference.
fn refused(refusal: &Refusal, reference: &str) -> HttpResponse {
    let challenge = match &refusal.method {
        Some(Named { shown, .. }) => {
            format!(r#"Bearer realm="hallpass", error="insufficient_scope", scope="{shown}""#)
        }
        None => r#"Bearer realm="hallpass", error="insufficient_scope""#.to_owned(),
    };
    let mut answer = HttpResponse::Forbidden();
    answer.insert_header((header::WWW_AUTHENTICATE, challenge));
    // Once more as a header: proxies drop the body of this answer.
    answer.insert_header((REFERENCE, reference));
    let members = serde_json::json!({ "reference": reference });
    problem(answer, StatusCode::FORBIDDEN, "The token may not make this request.", members)
}

/// The question itself cannot be judged: for the operator to read in the proxy's log.
fn unclear(detail: &str) -> HttpResponse {
    tracing::info!(detail, "unclear question");
    problem(HttpResponse::Forbidden(), StatusCode::FORBIDDEN, detail, serde_json::json!({}))
}
