//! What a verdict looks like in HTTP: challenges (RFC 6750 section 3), problems (RFC 9457), what is left of a rate, and the
//! reference under which a token's owner finds the reason.

use std::net::IpAddr;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::json;

use crate::app::App;
use crate::decision::{Denial, Pass, Refusal};
use crate::http::problem;
use crate::index::Exhausted;
use crate::refusal::{self, Noted, Rule};
use crate::types::Stamp;
use crate::usage::Call;

const REFERENCE: HeaderName = HeaderName::from_static("x-hallpass-reference");
/// Quota policy and what is left of it, as structured fields (draft-ietf-httpapi-ratelimit-headers-10).
const RATE_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE: HeaderName = HeaderName::from_static("ratelimit");
const WINDOW: u64 = 60;

/// Counts a call that passed, with where it came from.
pub fn count(app: &App, now: Stamp, pass: &Pass, client: Option<IpAddr>, headers: &HeaderMap) {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let call = Call { token: pass.value.token.id, method: &pass.method.full, at: now, ip: client };
    app.usage.accepted(call, pass.value.number, agent.unwrap_or_default());
}

/// The answer to whatever does not pass. With `deny_with_403` a rate that is used up is told as 403, for nginx, which passes
/// on 401 and 403 alone.
pub fn denied(
    app: &App,
    now: Stamp,
    request: &refusal::Request<'_>,
    denial: &Denial,
    deny_with_403: bool,
) -> HttpResponse {
    match denial {
        Denial::NoCredential => unauthorized("No credential was sent.", r#"Bearer realm="hallpass""#),
        Denial::Unknown => unknown(),
        Denial::Ended(refusal) => {
            note(app, now, request, refusal);
            unknown()
        }
        Denial::Refused(refusal) => refused(refusal, &note(app, now, request, refusal)),
        Denial::TooMany(refusal, exhausted) => {
            let status = if deny_with_403 { StatusCode::FORBIDDEN } else { StatusCode::TOO_MANY_REQUESTS };
            too_many(refusal, *exhausted, &note(app, now, request, refusal), status)
        }
        Denial::Unsure => stale(),
    }
}

/// 503: what is known here is older than it may be, or not known yet.
pub fn stale() -> HttpResponse {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    problem(HttpResponse::build(status), status, "What is known here may be out of date.", json!({}))
}

/// `(requests per minute, left, seconds until the next)`; nothing where a token has no rate.
pub fn rate(answer: &mut HttpResponseBuilder, state: Option<(u32, u32, Option<u64>)>) {
    if let Some((rate, left, wait)) = state {
        let wait = wait.map(|seconds| format!(";t={seconds}")).unwrap_or_default();
        answer.insert_header((RATE_POLICY, format!(r#""token";q={rate};w={WINDOW}"#)));
        answer.insert_header((RATE, format!(r#""token";r={left}{wait}"#)));
    }
}

/// Tells the token's owner of a refusal; the answer is the reference under which it is found, or nothing where the random
/// generator failed.
fn note(app: &App, now: Stamp, request: &refusal::Request<'_>, refusal: &Refusal) -> String {
    let (full, shown) = refusal.method.as_ref().map_or(("", None), |method| (&*method.full, Some(&*method.shown)));
    let token = refusal.value.token.id;
    let noted = match Noted::new(refusal.rule, shown, request, now, &app.random) {
        Ok(noted) => noted,
        Err(cause) => {
            tracing::error!(error = ?cause, "a refusal has no reference");
            return String::new();
        }
    };
    let reference = noted.reference().to_owned();
    tracing::info!(
        reference,
        token = %token,
        scope = shown.unwrap_or_default(),
        rule = %refusal.rule,
        "refused"
    );
    let call = Call { token, method: full, at: now, ip: request.ip };
    match refusal.rule {
        Rule::Ended => app.usage.ended(call, refusal.value.number, noted),
        _ => app.usage.refused(call, noted),
    }
    reference
}

/// The same for whatever is not valid: which it is tells nothing to who sends it.
fn unknown() -> HttpResponse {
    unauthorized("The token is not valid.", r#"Bearer realm="hallpass", error="invalid_token""#)
}

fn unauthorized(detail: &str, challenge: &'static str) -> HttpResponse {
    let mut answer = HttpResponse::Unauthorized();
    answer.insert_header((header::WWW_AUTHENTICATE, challenge));
    problem(answer, StatusCode::UNAUTHORIZED, detail, json!({}))
}

/// The answer says no more than the scope that is missing; which rule it was is for the owner, under the reference.
fn refused(refusal: &Refusal, reference: &str) -> HttpResponse {
    let scope = refusal.method.as_ref().map(|method| format!(r#", scope="{}""#, method.shown)).unwrap_or_default();
    let mut answer = HttpResponse::Forbidden();
    let challenge = format!(r#"Bearer realm="hallpass", error="insufficient_scope"{scope}"#);
    answer.insert_header((header::WWW_AUTHENTICATE, challenge));
    // Once more as a header: proxies drop the body of this answer.
    answer.insert_header((REFERENCE, reference));
    let members = json!({ "reference": reference });
    problem(answer, StatusCode::FORBIDDEN, "The token may not make this request.", members)
}

fn too_many(refusal: &Refusal, exhausted: Exhausted, reference: &str, status: StatusCode) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::RETRY_AFTER, exhausted.wait.to_string()));
    rate(&mut answer, Some((exhausted.rate, 0, Some(exhausted.wait))));
    answer.insert_header((REFERENCE, reference));
    problem(answer, status, &refusal.rule.to_string(), json!({ "reference": reference }))
}
