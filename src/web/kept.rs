//! A form that was sent after its session had ended: its fields go along through signing in and come back as the filled form.

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::{HttpMessage, HttpRequest};

use super::form::{self, Posted};
use super::session::local_path;
use super::{Guard, row};
use crate::error::{Error, Result};

/// Bytes of the fields as a form's body.
const LARGEST: usize = 256 * 1024;

#[derive(Clone, Default)]
pub struct Kept {
    /// Path and query that it was posted to.
    pub to: String,
    pub fields: Posted,
}

/// The guard of a changing route speaks before its form is read: whoever may not come is told so, whatever the form's
/// token is. What was typed by somebody without a session is kept.
pub async fn let_in(request: &mut ServiceRequest) -> Result<()> {
    if request.method() != Method::POST {
        return Ok(());
    }
    // Written in some other way, an address finds no row here; its handler has the guard all the same.
    let Some(row) = row("POST", request.path()) else {
        return Ok(());
    };
    let verdict = row.guard.check(request.request()).await;
    if matches!(verdict, Err(Error::SignedOut)) {
        let to = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let (request, payload) = request.parts_mut();
        // Of a form that comes from elsewhere, is too large or breaks off, nothing is kept.
        let fields = form::unchecked(request, payload).await.ok();
        if let Some(kept) = fields.and_then(|fields| Kept::new(to, fields)) {
            request.extensions_mut().insert(kept);
        }
    }
    verdict
}

impl Kept {
    /// What [`let_in`] has kept of this request.
    pub fn of(request: &HttpRequest) -> Option<Kept> {
        request.extensions().get::<Kept>().cloned()
    }

    /// As the sign-in form carries it; nothing where that was tampered with.
    pub fn posted(form: &Posted) -> Option<Kept> {
        Kept::new(local_path(form.text("kept_to"))?, Posted::from_query(form.text("kept")))
    }

    /// Only for a changing route of somebody signed in. No password goes along, no search (a value may have been pasted), and
    /// no form that holds a token's value.
    fn new(to: String, fields: Posted) -> Option<Kept> {
        let path = to.split('?').next()?;
        row("POST", path).filter(|row| row.guard != Guard::Visitor)?;
        let is_secret = fields.has("value");
        let fields =
            fields.without(|name| name.contains("password") || matches!(name, "form_token" | "username" | "q"));
        let is_worth_it = fields.fields().next().is_some() && fields.encoded().len() <= LARGEST;
        (is_worth_it && !is_secret).then_some(Kept { to, fields })
    }

    /// The fields by which the form comes back, and nothing is done before somebody has looked at it: it may be another
    /// person who signed in. From a password step it goes back to its form; a form with a button's word goes on to its
    /// own password step.
    pub fn again(self) -> Posted {
        match (self.fields.has("confirm"), self.fields.has("do")) {
            (true, _) => self.fields.without(|name| name == "do").and("do", "back"),
            (false, true) => self.fields,
            (false, false) => self.fields.and("do", "filter"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(to: &str, fields: &str) -> Option<Kept> {
        let form = Posted::default().and("kept_to", to).and("kept", fields);
        Kept::posted(&form)
    }

    #[test]
    fn only_changing_routes_of_somebody_signed_in_take_a_kept_form() {
        assert!(kept("/settings/tokens/new", "name=a").is_some());
        assert!(kept("/admin/apis/pdns/options?x=1", "hosts=a").is_some());
        for elsewhere in [
            "/login",
            "/theme",
            "/setup",
            "/settings/tokens",
            "/nowhere",
            "",
            "//evil.example/settings/tokens/new",
            "https://evil.example/settings/tokens/new",
        ] {
            assert!(kept(elsewhere, "name=a").is_none(), "{elsewhere}");
        }
    }

    #[test]
    fn no_secret_is_kept_and_nothing_that_is_empty_or_large() {
        let fields = |kept: Option<Kept>| kept.map(|kept| kept.fields.encoded());
        let typed = "name=a&password=x&new_password=y&form_token=z&username=m&q=hp_secret";
        assert_eq!(fields(kept("/settings/tokens/new", typed)).as_deref(), Some("name=a"));
        assert!(kept("/settings/tokens/value.txt", "file=a&value=hp_secret").is_none());
        assert!(kept("/settings/password", "password=x&new_password=y").is_none());
        assert!(kept("/settings/tokens/new", &format!("name={}", "a".repeat(LARGEST))).is_none());
    }

    #[test]
    fn a_form_comes_back_and_is_never_simply_done() {
        let again = |fields: &str| kept("/settings/tokens/new", fields).unwrap().again().encoded();
        assert_eq!(again("name=a"), "name=a&do=filter");
        assert_eq!(again("id=a&do=remove"), "id=a&do=remove");
        assert_eq!(again("confirm=k&do=go"), "confirm=k&do=back");
    }
}
