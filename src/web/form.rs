//! Forms: their fields, and the two proofs that a change was wished here: the form's token and the request's origin.

use std::sync::Arc;
use std::time::Duration;

use actix_multipart::Multipart;
use actix_session::SessionExt;
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::session_store::SESSION;
use crate::app::App;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::secret::{Random, Secret};

/// 10,000 ticked rows, or 5,000 ticked methods.
const LARGEST_FORM: usize = 1024 * 1024;
/// The largest description and some room for the fields around it.
const LARGEST_UPLOAD: usize = crate::catalogue::description::MAX_BYTES + 256 * 1024;
/// What is read of an upload that is too large, so that the browser gets an answer and no broken connection.
const MOST_DRAINED: usize = 64 * 1024 * 1024;
/// How long a browser may take to send a form, and one with a file.
const PATIENCE: Duration = Duration::from_secs(10);
const UPLOAD_PATIENCE: Duration = Duration::from_secs(60);
pub const VISITOR_COOKIE: &str = "hallpass_visitor";

/// Extractors of a form that was checked: what a changing route must take.
pub trait Checked {}
impl Checked for Posted {}
impl Checked for Uploaded {}

/// Seals form tokens; the key is shared by all processes on one database.
pub struct FormTokens {
    key: Secret,
    random: Random,
}

impl FormTokens {
    pub fn new(key: Secret, random: Random) -> FormTokens {
        FormTokens { key, random }
    }

    /// A token for forms of that holder: a session, or a visitor's cookie. Every one is different, so that compression
    /// of a page tells nothing of it (BREACH).
    pub fn issue(&self, holder: &str) -> Result<String> {
        let nonce = self.random.base62(12)?;
        Ok(format!("{}{}", nonce.as_str(), self.seal(holder, &nonce)?))
    }

    /// What the first owner has to know, printed at start.
    pub fn setup_code(&self) -> Result<Secret> {
        Ok(Secret::new(self.seal("set-up", "code")?.chars().take(24).collect()))
    }

    fn is_right(&self, holder: &str, token: &str) -> bool {
        let Some((nonce, seal)) = token.split_at_checked(12) else {
            return false;
        };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.reveal().as_bytes()) else {
            return false;
        };
        mac.update(format!("{nonce} {holder}").as_bytes());
        crate::secret::Digest::from_hex(seal).is_some_and(|seal| mac.verify_slice(seal.bytes()).is_ok())
    }

    fn seal(&self, holder: &str, nonce: &str) -> Result<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.reveal().as_bytes()).map_err(Error::internal)?;
        mac.update(format!("{nonce} {holder}").as_bytes());
        Ok(crate::secret::Digest::from_bytes(mac.finalize().into_bytes().into()).hex())
    }
}

/// Whom a form belongs to: the session, else the visitor's cookie.
pub fn holder(request: &HttpRequest) -> Option<String> {
    if let Ok(Some(session)) = request.get_session().get::<String>(SESSION) {
        return Some(format!("session {session}"));
    }
    request.cookie(VISITOR_COOKIE).map(|cookie| format!("visitor {}", cookie.value()))
}

/// A form as it was posted; fields may repeat.
#[derive(Clone, Default)]
pub struct Posted(Vec<(String, String)>);

impl Posted {
    /// The first value of a field, or an empty text.
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(of, _)| of == name).map_or("", |(_, value)| value.as_str())
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(of, _)| of == name)
    }

    pub fn every<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// The lines of a text area.
    pub fn lines(&self, name: &str) -> Vec<String> {
        self.text(name).lines().map(str::to_owned).collect()
    }

    /// Every field in its order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Without the fields of these names.
    pub fn without(mut self, leave: impl Fn(&str) -> bool) -> Posted {
        self.0.retain(|(name, _)| !leave(name));
        self
    }

    /// With one more field.
    pub fn and(mut self, name: &str, value: &str) -> Posted {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As a query or the body of a form.
    pub fn encoded(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(self.fields()).finish()
    }

    /// The fields of a query: no form, so nothing is checked.
    pub fn from_query(query: &str) -> Posted {
        Posted(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }
}

impl FromRequest for Posted {
    type Error = Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Posted>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let body = web::Payload::from_request(&request, payload);
        Box::pin(async move {
            check_origin(&request)?;
            let form = read_fields(body.await.map_err(|cause| Error::internal(cause.to_string()))?).await?;
            check_token(&request, form.text("form_token"))?;
            Ok(form)
        })
    }
}

async fn read_fields(body: web::Payload) -> Result<Posted> {
    let body = tokio::time::timeout(PATIENCE, body.to_bytes_limited(LARGEST_FORM)).await.map_err(|_| broken())?;
    let body = body.map_err(|_| Error::TooLarge("This form is larger than 1 MB.".into()))?;
    let body = body.map_err(|_| Error::invalid("form", "The form did not arrive whole."))?;
    Ok(Posted(url::form_urlencoded::parse(&body).into_owned().collect()))
}

/// The fields of a form whose token nobody looked at, without its file: all that may be done with them is to show them again.
pub async fn unchecked(request: &HttpRequest, payload: &mut Payload) -> Result<Posted> {
    check_origin(request)?;
    if !is_multipart(request) {
        let body = web::Payload::from_request(request, payload).await;
        return read_fields(body.map_err(|cause| Error::internal(cause.to_string()))?).await;
    }
    let parts = Multipart::from_request(request, payload).await.map_err(|_| broken())?;
    let read = read_parts(parts, LARGEST_FORM, |name| name != "file");
    // Of a stranger: no longer than a form may take.
    Ok(tokio::time::timeout(PATIENCE, read).await.map_err(|_| broken())??.form)
}

fn is_multipart(request: &HttpRequest) -> bool {
    request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"))
}

/// A form with a file: its fields, and the file's bytes (empty when none was chosen).
pub struct Uploaded {
    pub form: Posted,
    pub file: Vec<u8>,
}

impl FromRequest for Uploaded {
    type Error = Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Uploaded>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        if !is_multipart(&request) {
            let form = Posted::from_request(&request, payload);
            return Box::pin(async move { Ok(Uploaded { form: form.await?, file: Vec::new() }) });
        }
        let parts = Multipart::from_request(&request, payload);
        Box::pin(async move {
            check_origin(&request)?;
            let parts = parts.await.map_err(|_| broken())?;
            let read = read_parts(parts, LARGEST_UPLOAD, |_| true);
            let uploaded = tokio::time::timeout(UPLOAD_PATIENCE, read).await.map_err(|_| broken())??;
            check_token(&request, uploaded.form.text("form_token"))?;
            Ok(uploaded)
        })
    }
}

/// At most that many bytes of the parts that are wanted; the others are read and dropped.
async fn read_parts(mut parts: Multipart, most: usize, wanted: fn(&str) -> bool) -> Result<Uploaded> {
    let mut uploaded = Uploaded { form: Posted::default(), file: Vec::new() };
    let (mut kept, mut seen, mut is_whole) = (0, 0, true);
    while let Some(part) = next(&mut parts).await {
        let mut part = part.map_err(|_| broken())?;
        let name = part.name().unwrap_or_default().to_owned();
        let mut bytes = Vec::new();
        while let Some(chunk) = next(&mut part).await {
            let chunk = chunk.map_err(|_| broken())?;
            seen += chunk.len();
            if seen > MOST_DRAINED {
                return Err(too_large());
            }
            if !wanted(&name) {
                continue;
            }
            kept += chunk.len();
            is_whole = kept <= most;
            if is_whole {
                bytes.extend_from_slice(&chunk);
            }
        }
        match name.as_str() {
            "file" => uploaded.file = bytes,
            _ => {
                let text =
                    String::from_utf8(bytes).map_err(|_| Error::invalid("form", "The form is not UTF-8 text."))?;
                uploaded.form.0.push((name, text));
            }
        }
    }
    if is_whole { Ok(uploaded) } else { Err(too_large()) }
}

/// The next item of a stream, without a crate for it.
async fn next<S: futures_core::Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|context| std::pin::Pin::new(&mut *stream).poll_next(context)).await
}

fn broken() -> Error {
    Error::invalid("form", "The form did not arrive whole. Send it again.")
}

fn too_large() -> Error {
    Error::TooLarge("A description can have up to 16 MB. This upload is larger.".into())
}

fn check_token(request: &HttpRequest, token: &str) -> Result<()> {
    let tokens = request.app_data::<web::Data<FormTokens>>().ok_or_else(|| Error::internal("no form tokens"))?;
    match holder(request).is_some_and(|holder| tokens.is_right(&holder, token)) {
        true => Ok(()),
        false => Err(Error::OldForm),
    }
}

/// A change has to come from a page of ours: by `Sec-Fetch-Site`, else by `Origin` against the public address or the
/// request's own host. Plain HTTP to another machine sends no `Sec-Fetch-Site`; a program that is no browser may send
/// neither, and has the form's token to show.
fn check_origin(request: &HttpRequest) -> Result<()> {
    let headers = request.headers();
    if let Some(site) = text(headers, "sec-fetch-site") {
        return if matches!(site, "same-origin" | "none") { Ok(()) } else { Err(Error::ForeignOrigin) };
    }
    let Some(origin) = text(headers, "origin") else {
        return Ok(());
    };
    let public = request.app_data::<web::Data<Config>>().map(|config| config.public_url.origin().ascii_serialization());
    let own_host = text(headers, "host").unwrap_or_default();
    let same_host = origin.split_once("://").is_some_and(|(_, host)| host.eq_ignore_ascii_case(own_host));
    match public.as_deref() == Some(origin) || (same_host && !own_host.is_empty()) {
        true => Ok(()),
        false => Err(Error::ForeignOrigin),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What the tokens are sealed with, at start.
pub fn tokens(app: &Arc<App>) -> Result<FormTokens> {
    Ok(FormTokens::new(app.shared_key("form_key")?, app.random.clone()))
}
