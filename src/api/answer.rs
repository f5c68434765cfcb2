//! What a call is answered with: JSON that was made or found, nothing, or a problem (RFC 9457).

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use serde::Serialize;
use serde_json::json;

use crate::error::{Error, Problem};
use crate::http::problem;

/// 200 with a body, and where it can be edited the tag that an edit names.
pub struct Told<T> {
    pub body: T,
    pub etag: Option<String>,
}

/// 201 with what was made, and where it is. A call that was repeated under its key answers 200.
pub struct Made<T> {
    pub body: T,
    pub location: String,
    pub repeated: bool,
}

/// 204.
pub struct Done;

const LONGEST_SENTENCE: usize = 500;
/// The answer was given before, to the call that had this key first.
const REPEATED: HeaderName = HeaderName::from_static("idempotency-replayed");

impl<T> Told<T> {
    pub fn plain(body: T) -> Told<T> {
        Told { body, etag: None }
    }

    pub fn tagged(body: T, version: i64) -> Told<T> {
        Told { body, etag: Some(etag(version)) }
    }
}

/// A strong tag: it names the settings of a thing, whatever else is told beside them.
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

impl<T: Serialize> Responder for Told<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut answer = HttpResponse::Ok();
        if let Some(etag) = self.etag {
            answer.insert_header((header::ETAG, etag));
        }
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        answer.json(self.body)
    }
}

impl<T: Serialize> Responder for Made<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut answer = if self.repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
        if self.repeated {
            answer.insert_header((REPEATED, "true"));
        }
        answer.insert_header((header::LOCATION, self.location));
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        answer.json(self.body)
    }
}

impl Responder for Done {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish()
    }
}

/// Why a call is refused: an error of the core, or one of how it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Core(#[from] Error),
    /// `(field, sentence)` of each.
    #[error("{}", sentences(.0))]
    Fields(Vec<(String, String)>),
    #[error("{sentence}")]
    Asked { status: StatusCode, sentence: String },
    /// The password is missing or wrong.
    #[error("{0}")]
    Unconfirmed(String),
    /// E-mail address and password do not belong together.
    #[error("{0}")]
    NotSignedIn(String),
}

impl Refused {
    pub fn field(name: &str, sentence: impl Into<String>) -> Refused {
        Refused::Fields(vec![(name.to_owned(), sentence.into())])
    }

    pub fn asked(status: StatusCode, sentence: impl Into<String>) -> Refused {
        Refused::Asked { status, sentence: sentence.into() }
    }

    /// Of an edit that named what it saw: 412 where that is past.
    pub fn of_edit(error: Error) -> Refused {
        match error {
            Error::Stale => Refused::asked(StatusCode::PRECONDITION_FAILED, Error::Stale.to_string()),
            other => other.into(),
        }
    }

    pub fn unconfirmed(sentence: &str) -> Refused {
        Refused::Unconfirmed(sentence.to_owned())
    }
}

fn sentences(fields: &[(String, String)]) -> String {
    fields.iter().map(|(_, sentence)| sentence.as_str()).collect::<Vec<_>>().join(" ")
}

/// Sentences repeat what was sent; an answer is not to grow with it.
fn short(sentence: &str) -> String {
    match sentence.char_indices().nth(LONGEST_SENTENCE) {
        Some((end, _)) => format!("{}…", sentence.get(..end).unwrap_or_default()),
        None => sentence.to_owned(),
    }
}

/// The member of a body that the core names as the form's field.
fn member(field: &'static str) -> &'static str {
    match field {
        "m" => "scopes",
        "grace" => "grace_seconds",
        "file" => "body",
        "manager" => "managers",
        "confirm_minutes" => "confirm",
        "max_lifetime_viewer" => "max_lifetime_by_role.viewer",
        "max_lifetime_token_creator" => "max_lifetime_by_role.token_creator",
        "max_lifetime_contributor" => "max_lifetime_by_role.contributor",
        "max_lifetime_admin" => "max_lifetime_by_role.admin",
        "max_lifetime_owner" => "max_lifetime_by_role.owner",
        other => other,
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        match self {
            Refused::Core(Error::Replayed(_)) => StatusCode::CONFLICT,
            Refused::Core(error) => error.status_code(),
            Refused::Fields(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refused::Asked { status, .. } => *status,
            Refused::Unconfirmed(_) => StatusCode::FORBIDDEN,
            Refused::NotSignedIn(_) => StatusCode::UNAUTHORIZED,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut answer = HttpResponse::build(status);
        let members = match self {
            Refused::Core(Error::Invalid(problems)) => {
                let named =
                    |problem: &Problem| json!({ "field": member(problem.field), "message": short(&problem.sentence) });
                json!({ "errors": problems.iter().map(named).collect::<Vec<_>>() })
            }
            Refused::Core(Error::SignedOut) | Refused::NotSignedIn(_) => {
                answer.insert_header((header::WWW_AUTHENTICATE, r#"Bearer realm="hallpass""#));
                json!({})
            }
            // It leaves the cause for the log.
            Refused::Core(error) => return error.error_response(),
            Refused::Fields(fields) => {
                let named = |(field, sentence): &(String, String)| json!({ "field": field, "message": sentence });
                json!({ "errors": fields.iter().map(named).collect::<Vec<_>>() })
            }
            Refused::Unconfirmed(_) => json!({ "type": "urn:hallpass:unconfirmed", "title": "Password needed" }),
            Refused::Asked { .. } => json!({}),
        };
        problem(answer, status, &short(&self.to_string()), members)
    }
}
