//! What every page is answered with: who looks, in which theme, by which script, and the note of the step before.

use std::sync::Arc;

use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentEncoding};
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use askama::Template;

use super::form::{FormTokens, VISITOR_COOKIE, holder};
use super::page::{Note, Person, Shell, Theme};
use super::session::SignedIn;
use crate::actor::{Deed, Relation};
use crate::app::App;
use crate::config::Config;
use crate::error::{Error, Result};

const THEME_COOKIE: &str = "hallpass_theme";
const FLASH_COOKIE: &str = "hallpass_flash";

pub struct Frame {
    theme: Theme,
    /// Path and query of this request.
    address: String,
    /// htmx asks for a part of a page; going back in the history it wants the whole.
    pub is_htmx: bool,
    holder: String,
    /// A visitor's new cookie, to be set with the answer.
    new_visitor: Option<String>,
    flash: Option<String>,
    secure: bool,
    tokens: web::Data<FormTokens>,
}

impl FromRequest for Frame {
    type Error = Error;
    type Future = std::future::Ready<Result<Frame>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Frame::read(request))
    }
}

impl Frame {
    pub fn read(request: &HttpRequest) -> Result<Frame> {
        let missing = || Error::internal("the frame's parts are not there");
        let tokens = request.app_data::<web::Data<FormTokens>>().ok_or_else(missing)?.clone();
        let app = request.app_data::<web::Data<Arc<App>>>().ok_or_else(missing)?;
        let config = request.app_data::<web::Data<Config>>().ok_or_else(missing)?;
        let (holder, new_visitor) = match holder(request) {
            Some(holder) => (holder, None),
            None => {
                let made = app.random.base62(22)?.to_string();
                (format!("visitor {made}"), Some(made))
            }
        };
        let cookie = |name: &str| request.cookie(name).map(|cookie| cookie.value().to_owned());
        Ok(Frame {
            theme: Theme::from_value(&cookie(THEME_COOKIE).unwrap_or_default()),
            address: match request.method() == actix_web::http::Method::GET {
                true => request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
                false => "/".to_owned(),
            },
            is_htmx: request.headers().contains_key("hx-request")
                && !request.headers().contains_key("hx-history-restore-request"),
            holder,
            new_visitor,
            flash: cookie(FLASH_COOKIE)
                .map(|text| url::form_urlencoded::parse(text.as_bytes()).map(|(text, _)| text.into_owned()).collect()),
            secure: config.has_tls(),
            tokens,
        })
    }

    /// The frame around a page. `section` is the address of its entry in the sidebar, or empty.
    pub fn shell(&self, title: &str, section: &'static str, me: Option<&SignedIn>) -> Result<Shell> {
        Ok(Shell {
            title: title.to_owned(),
            section,
            person: me.map(|me| Person {
                name: me.account.name.clone(),
                email: me.account.label().to_owned(),
                initials: initials(&me.account.name),
                is_admin: me.actor.may(Deed::Administer),
                is_in_team: me.is_in_team,
                may_make_services: me.actor.may_as(Relation::OwnService, Deed::ChangeServiceAccount),
            }),
            theme: self.theme,
            form_token: self.tokens.issue(&self.holder)?,
            flash: self.flash.clone().filter(|text| !text.is_empty()).map(Note::ok),
            address: self.address.clone(),
        })
    }

    /// A whole page.
    pub fn page(&self, status: StatusCode, page: &impl Template) -> Result<HttpResponse> {
        let mut answer = HttpResponse::build(status);
        if let Some(visitor) = &self.new_visitor {
            answer.cookie(self.cookie(VISITOR_COOKIE, visitor).finish());
        }
        if self.flash.is_some() {
            answer.cookie(self.cookie(FLASH_COOKIE, "").max_age(actix_web::cookie::time::Duration::ZERO).finish());
        }
        html(answer, page)
    }

    /// A part of a page for htmx, swapped where the asking element says.
    pub fn part(&self, status: StatusCode, part: &impl Template) -> Result<HttpResponse> {
        html(HttpResponse::build(status), part)
    }

    /// A form once more with what is wrong in it: its content for htmx, in place of what is there, else the whole page. 422 is
    /// an error that htmx swaps.
    pub fn form_again(&self, page: &impl Template, content: &impl Template) -> Result<HttpResponse> {
        if !self.is_htmx {
            return self.page(StatusCode::UNPROCESSABLE_ENTITY, page);
        }
        let mut answer = HttpResponse::UnprocessableEntity();
        answer.insert_header(("HX-Retarget", "#page")).insert_header(("HX-Reswap", "outerHTML"));
        html(answer, content)
    }

    /// A whole page in place of the one that is there.
    pub fn body(&self, page: &impl Template) -> Result<HttpResponse> {
        self.instead(StatusCode::OK, page)
    }

    /// The same with another status; of the errors, 401 is one that htmx swaps.
    pub fn instead(&self, status: StatusCode, page: &impl Template) -> Result<HttpResponse> {
        let mut answer = self.page(status, page)?;
        if self.is_htmx {
            let to = [("hx-retarget", "body"), ("hx-reswap", "innerHTML show:window:top")];
            for (name, value) in to {
                answer
                    .headers_mut()
                    .insert(header::HeaderName::from_static(name), header::HeaderValue::from_static(value));
            }
        }
        Ok(answer)
    }

    /// On to another page, after a change. `note` stands above that page once.
    pub fn go_on(&self, to: &str, note: &str) -> HttpResponse {
        let mut answer = match self.is_htmx {
            true => {
                let mut answer = HttpResponse::NoContent();
                answer.insert_header(("HX-Redirect", to));
                answer
            }
            false => {
                let mut answer = HttpResponse::SeeOther();
                answer.insert_header((header::LOCATION, to));
                answer
            }
        };
        if !note.is_empty() {
            let text: String = note.chars().take(300).collect();
            let value: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            answer.cookie(
                self.cookie(FLASH_COOKIE, &value).max_age(actix_web::cookie::time::Duration::minutes(2)).finish(),
            );
        }
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        answer.finish()
    }

    pub fn with_theme(&self, mut answer: HttpResponse, theme: Theme) -> Result<HttpResponse> {
        let year = actix_web::cookie::time::Duration::days(365);
        let cookie = self.cookie(THEME_COOKIE, theme.value()).max_age(year).finish();
        answer.add_cookie(&cookie).map_err(|cause| Error::internal(cause.to_string()))?;
        Ok(answer)
    }

    fn cookie<'c>(&self, name: &'c str, value: &str) -> actix_web::cookie::CookieBuilder<'c> {
        Cookie::build(name, value.to_owned()).path("/").http_only(true).secure(self.secure).same_site(SameSite::Lax)
    }
}

fn html(mut answer: HttpResponseBuilder, page: &impl Template) -> Result<HttpResponse> {
    let body = page.render().map_err(Error::internal)?;
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    Ok(answer.content_type("text/html; charset=utf-8").body(body))
}

/// Keeps an answer from being compressed: its length would tell of the value in it (BREACH).
pub fn uncompressed(mut answer: HttpResponse) -> HttpResponse {
    let identity = header::HeaderValue::from_static(ContentEncoding::Identity.as_str());
    answer.headers_mut().insert(header::CONTENT_ENCODING, identity);
    answer
}

/// Of the first and the last word.
fn initials(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    let first = words.first().and_then(|word| word.chars().next());
    let last = words.last().filter(|_| words.len() > 1).and_then(|word| word.chars().next());
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}
