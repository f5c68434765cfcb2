//! What comes with a call: JSON bodies and queries without a member that nobody reads, and the headers that bind a change.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};
use futures_core::future::LocalBoxFuture;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::{Refused, etag};
use super::json::shape::LONGEST_PARAMETER;
use crate::actor::Actor;
use crate::catalogue::description;
use crate::error::Error;
use crate::repeat::Call;
use crate::secret::Digest;

/// A token with every method of a large API by name.
const LARGEST_BODY: usize = 512 * 1024;
/// Of a sentence that repeats what was sent.
const LONGEST_SENTENCE: usize = 300;
const LONGEST_KEY: usize = 255;

/// A JSON body; one that was left out is an empty object.
pub struct Body<T> {
    pub value: T,
    /// Of the bytes that came.
    pub digest: Digest,
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Body<T>, Refused>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = content_type(request);
        let bytes = whole(request, payload, LARGEST_BODY);
        Box::pin(async move {
            if !matches!(kind.as_deref(), None | Some("application/json")) {
                return Err(unsupported("application/json"));
            }
            let bytes = bytes.await?;
            if kind.is_none() && !bytes.is_empty() {
                return Err(unsupported("application/json"));
            }
            Ok(Body { value: parse(if bytes.is_empty() { b"{}" } else { &bytes })?, digest: Digest::of_bytes(&bytes) })
        })
    }
}

/// An API's description as it stands: JSON or YAML.
pub struct Document(pub Vec<u8>);

const DOCUMENTS: [&str; 7] = [
    "application/json",
    "application/yaml",
    "application/x-yaml",
    "text/yaml",
    "text/x-yaml",
    "application/vnd.oai.openapi",
    "application/vnd.oai.openapi+json",
];

impl FromRequest for Document {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Document, Refused>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = content_type(request);
        let bytes = whole(request, payload, description::MAX_BYTES);
        Box::pin(async move {
            if !kind.is_some_and(|kind| DOCUMENTS.contains(&kind.as_str())) {
                return Err(unsupported("application/json or application/yaml"));
            }
            Ok(Document(bytes.await?))
        })
    }
}

/// The parameters of a query, each at most once.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Refused;
    type Future = std::future::Ready<Result<Query<T>, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(query(request.query_string()).map(Query))
    }
}

/// `Idempotency-Key`: under it a call that is sent again does nothing again.
pub struct Repeatable(pub Option<String>);

impl Repeatable {
    /// The call, by whom it is made and what it asks.
    pub fn call(&self, actor: &Actor, deed: &str, body: &Digest) -> crate::error::Result<Option<Call>> {
        let Some(key) = &self.0 else { return Ok(None) };
        let account = actor.account.as_ref().ok_or(Error::SignedOut)?;
        Ok(Some(Call::new(account, key, deed, *body)))
    }
}

impl FromRequest for Repeatable {
    type Error = Refused;
    type Future = std::future::Ready<Result<Repeatable, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(key(request.headers()).map(Repeatable))
    }
}

/// `If-Match` (RFC 9110 section 13.1.1): the tags under which the caller last saw what it edits.
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// Whether the edit may be made over that version.
    pub fn allows(&self, version: i64) -> bool {
        let Some(tags) = &self.0 else { return true };
        let present = etag(version);
        tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == present)
    }
}

impl FromRequest for IfMatch {
    type Error = Refused;
    type Future = std::future::Ready<Result<IfMatch, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let tags: Vec<&str> =
            request.headers().get_all(header::IF_MATCH).filter_map(|value| value.to_str().ok()).collect();
        std::future::ready(Ok(IfMatch((!tags.is_empty()).then(|| tags.join(",")))))
    }
}

/// A member that may be left out, or be `null` to say "none": `Some(None)`.
pub fn given<'de, D, T>(from: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(from).map(Some)
}

/// A whole number that may be left out; JSON knows no difference between 30 and 30.0.
pub fn whole_number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    Ok(Option::<Whole>::deserialize(from)?.map(|number| number.0))
}

/// The same, where `null` says "none".
pub fn given_number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<u32>>, D::Error> {
    whole_number(from).map(Some)
}

struct Whole(u32);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Whole, D::Error> {
        let number = serde_json::Number::deserialize(from)?;
        let exact =
            number.as_u64().or_else(|| number.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0).map(|n| n as u64));
        let fitting = exact.and_then(|n| u32::try_from(n).ok());
        fitting
            .map(Whole)
            .ok_or_else(|| serde::de::Error::custom(format!("{number} is not a whole number from 0 to {}", u32::MAX)))
    }
}

/// Whole numbers in JSON that is taken apart later, however they are written.
pub fn with_whole_numbers(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Number(number) => {
            match number.as_f64().filter(|n| number.is_f64() && n.fract() == 0.0 && n.abs() < 1e15) {
                Some(n) => Value::from(n as i64),
                None => Value::Number(number),
            }
        }
        Value::Array(items) => items.into_iter().map(with_whole_numbers).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, with_whole_numbers(value))).collect(),
        other => other,
    }
}

fn unsupported(wanted: &str) -> Refused {
    Refused::asked(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("Send the body as {wanted}, and say so in Content-Type."),
    )
}

/// Lower case, without its parameters; `Some("")` for one that cannot be read.
fn content_type(request: &HttpRequest) -> Option<String> {
    let kind = request.headers().get(header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn whole(
    request: &HttpRequest,
    payload: &mut Payload,
    most: usize,
) -> LocalBoxFuture<'static, Result<Vec<u8>, Refused>> {
    let body = web::Payload::from_request(request, payload);
    Box::pin(async move {
        let broken = |_| Refused::asked(StatusCode::BAD_REQUEST, "The request broke off.");
        let bytes = body.await.map_err(broken)?.to_bytes_limited(most).await;
        let too_large = |_| {
            let sentence = format!("A body here has up to {} kB.", most / 1024);
            Refused::asked(StatusCode::PAYLOAD_TOO_LARGE, sentence)
        };
        Ok(bytes.map_err(too_large)?.map_err(broken)?.to_vec())
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    // A list would be taken member by member.
    if bytes.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(|cause| not_json(&cause))?;
        return Err(Refused::field("body", "The body is a JSON object, not a list."));
    }
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let parsed: T = serde_path_to_error::deserialize(&mut from).map_err(|error| {
        let path = error.path().to_string();
        let cause = error.into_inner();
        match cause.classify() {
            serde_json::error::Category::Data => wrong(&path, &cause.to_string()),
            // A word of a fixed choice that is no text is told as a fault of the JSON.
            _ if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() => wrong(&path, &cause.to_string()),
            _ => not_json(&cause),
        }
    })?;
    from.end().map_err(|cause| not_json(&cause))?;
    Ok(parsed)
}

/// Of JSON that was put together here, with what somebody sent in it.
pub fn read<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Refused> {
    serde_path_to_error::deserialize(value).map_err(|error: serde_path_to_error::Error<serde_json::Error>| {
        let path = error.path().to_string();
        wrong(&path, &error.into_inner().to_string())
    })
}

fn not_json(cause: &serde_json::Error) -> Refused {
    let (line, column) = (cause.line(), cause.column());
    Refused::asked(StatusCode::BAD_REQUEST, format!("The body is not JSON: line {line}, column {column}."))
}

fn query<T: DeserializeOwned>(text: &str) -> Result<T, Refused> {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    for (nth, (name, value)) in pairs.iter().enumerate() {
        if pairs.iter().take(nth).any(|(other, _)| other == name) {
            return Err(Refused::field(name, format!("The parameter {} is there more than once.", short(name))));
        }
        if name.contains('\0') || value.contains('\0') {
            return Err(Refused::field(name, "A parameter cannot hold the character NUL."));
        }
        if value.chars().count() > LONGEST_PARAMETER {
            return Err(Refused::field(name, format!("A parameter has up to {LONGEST_PARAMETER} characters.")));
        }
    }
    let from = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(from).map_err(|error: serde_path_to_error::Error<serde_urlencoded::de::Error>| {
        let path = error.path().to_string();
        wrong(&path, &error.into_inner().to_string())
    })
}

/// A member that is unknown, missing, or of another type, with its place.
fn wrong(path: &str, cause: &str) -> Refused {
    let named = |before: &str| {
        let rest = cause.strip_prefix(before)?.strip_prefix('`')?;
        rest.split_once('`').map(|(name, _)| name.to_owned())
    };
    let inside = |name: &str| match path {
        "." => name.to_owned(),
        _ if path.rsplit('.').next() == Some(name) => path.to_owned(),
        _ => format!("{path}.{name}"),
    };
    if let Some(name) = named("unknown field ") {
        return Refused::field(&inside(&name), format!("There is no member “{}” here.", short(&name)));
    }
    if let Some(name) = named("missing field ") {
        return Refused::field(&inside(&name), format!("The member “{name}” is missing."));
    }
    if let Some(name) = named("duplicate field ") {
        return Refused::field(&inside(&name), format!("The member “{name}” is there more than once."));
    }
    let place = if path == "." { "body" } else { path };
    // Without the place in the bytes, which says less than the member's name.
    let cause = cause.split(" at line ").next().unwrap_or_default();
    Refused::field(place, format!("This cannot be taken: {}.", short(cause)))
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_SENTENCE).collect()
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let mut values = headers.get_all("idempotency-key");
    let Some(value) = values.next() else { return Ok(None) };
    let readable = value.to_str().ok().filter(|key| (1..=LONGEST_KEY).contains(&key.len()) && !key.contains(' '));
    match (readable, values.next()) {
        (Some(key), None) => Ok(Some(key.to_owned())),
        _ => Err(Refused::field(
            "Idempotency-Key",
            format!("The key is one word of up to {LONGEST_KEY} visible ASCII characters, sent once."),
        )),
    }
}
