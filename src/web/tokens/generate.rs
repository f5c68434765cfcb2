//! Generating a token: the form, empty or filled by a link or by another token, its confirmation, and its one answer.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::form::{About, Filled, check, form_page};
use super::list::ADDRESS;
use super::picker;
use super::reveal::{already_shown, reveal};
use crate::actor::Deed;
use crate::app::App;
use crate::confirm::{self, Action};
use crate::error::{Error, Problem, Replay, Result};
use crate::token::draft::NAME_MOST;
use crate::token::{self, NewToken, Token};
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle, still_waiting};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::{Fact, Note};
use crate::web::session::SignedIn;
use crate::web::tokens_pages::TokenFormPage;
use crate::web::words::{self, Reading};

const FORM: &str = "/settings/tokens/new";
const LINK: &str = "This form was filled in by a link. Check what it asks for before you generate the token.";
const TITLE: &str = "Generate access token";
/// What a link may fill in.
const FIELDS: [&str; 11] = [
    "name",
    "description",
    "lifetime",
    "expires_at",
    "set",
    "m",
    "service",
    "allow",
    "ip_allow",
    "rate_per_minute",
    "from",
];

/// The form: empty, filled by the link that led here, or by the token of `?from=`.
pub async fn form(me: SignedIn, frame: Frame, app: web::Data<Arc<App>>, request: HttpRequest) -> Result<HttpResponse> {
    me.actor.must(Deed::ChangeTokens)?;
    let query = Posted::from_query(request.query_string());
    let empty = Filled::empty(app.policy().default_days(me.account.role));
    if !FIELDS.iter().any(|field| query.has(field)) {
        return frame.page(StatusCode::OK, &page(&me, &frame, &app, &empty, &[])?);
    }
    let catalogue = app.catalogue();
    let (base, from) = match query.text("from") {
        "" => (empty, None),
        id => {
            let about = About::token(&app, &me, id).await?;
            let present = about.token.ok_or(Error::Missing)?;
            (copied(&me, &app, &present.token, &empty).await?, Some(present.token))
        }
    };
    let mut filled = Filled::posted(&query, &catalogue, base);
    if query.has("expires_at") && !query.has("lifetime") {
        filled.lifetime = "custom".into();
    }
    let mut page = page(&me, &frame, &app, &filled, &[])?;
    match &from {
        Some(token) => {
            page.title = format!("{TITLE} from {}", token.name);
            page.intro = "The settings are copied, the value is not: this will be a token of its own.".into();
            let lost = picker::lost_names(&catalogue, me.account.role, &token.scopes);
            page.note = if !lost.is_empty() {
                Some(Note::warn(format!(
                    "Left out, as it is no longer there or no longer yours: {}.",
                    words::list(lost)
                )))
            } else if FIELDS.iter().any(|field| *field != "from" && query.has(field)) {
                Some(Note::plain(LINK))
            } else {
                None
            };
        }
        None if !filled.ticks.unknown().is_empty() => {
            let unknown = filled.ticks.unknown().join(", ");
            page.note = Some(Note::warn(format!(
                "This form was filled in by a link that also names what is not here: {unknown}."
            )));
        }
        None => page.note = Some(Note::plain(LINK)),
    }
    frame.page(StatusCode::OK, &page)
}

/// The same settings under a free name, to expire as the policy proposes.
async fn copied(me: &SignedIn, app: &Arc<App>, token: &Token, empty: &Filled) -> Result<Filled> {
    let reading = Reading::of(&me.account, app.now());
    let (owner, name) = (me.account.id.clone(), token.name.clone());
    let free = app
        .read(move |conn| {
            for nth in 1..=100 {
                let end = if nth == 1 { " copy".to_owned() } else { format!(" copy {nth}") };
                let kept: String = name.chars().take(NAME_MOST - end.chars().count()).collect();
                let free = format!("{}{end}", kept.trim_end());
                if token::check_free(conn, &owner, &free, None).is_ok() {
                    return Ok(free);
                }
            }
            Ok(String::new())
        })
        .await?;
    Ok(Filled {
        name: free,
        lifetime: empty.lifetime.clone(),
        expires_at: String::new(),
        enabled: true,
        ..Filled::of(&token.settings(), &app.catalogue(), &reading)
    })
}

/// The filled form comes: the confirmation, or the form again with what is wrong.
pub async fn review(me: SignedIn, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    me.actor.must(Deed::ChangeTokens)?;
    let empty = Filled::empty(app.policy().default_days(me.account.role));
    let filled = Filled::posted(&form, &app.catalogue(), Filled { lifetime: String::new(), ..empty });
    if form.text("do") == "filter" {
        return frame.page(StatusCode::OK, &page(&me, &frame, &app, &filled, &[])?);
    }
    match check(&me, &app, &About::new_of(&me), &form, &filled).await {
        Ok(new) => {
            let page = confirm_page(&me, &frame, &app, &new)?;
            let key = propose(&app, &me, Action::GenerateToken, new).await?;
            ask(&frame, &me, page, &key)
        }
        Err(Error::Invalid(problems)) => {
            let page = page(&me, &frame, &app, &filled, &problems)?;
            frame.form_again(&page, &page.as_content())
        }
        Err(other) => Err(other),
    }
}

fn confirm_page(me: &SignedIn, frame: &Frame, app: &App, new: &NewToken) -> Result<ConfirmPage> {
    let catalogue = app.catalogue();
    let reading = Reading::of(&me.account, app.now());
    let access = words::access_summary(&catalogue, &new.scopes);
    let access = match &new.access_set {
        Some(set) => format!("{}: {access}", words::access(&catalogue, Some(set))),
        None => access,
    };
    let expires = new.expires_at.map_or_else(|| "never".to_owned(), |end| reading.due(end));
    let mut facts = vec![Fact::new("Name", &new.name), Fact::new("Access", access), Fact::new("Expires", expires)];
    if !new.allow.is_empty() {
        facts.push(Fact::new("Resources", words::list(new.allow.iter().map(|entry| catalogue.show(entry)))));
    }
    if !new.ip_allow.is_empty() {
        facts.push(Fact::new("Addresses", words::list(new.ip_allow.iter().map(str::to_owned))));
    }
    if let Some(rate) = new.rate_per_minute {
        facts.push(Fact::new("Requests", format!("at most {rate} per minute")));
    }
    if !new.enabled {
        facts.push(Fact::new("Enabled", "no, calls are refused until it is enabled"));
    }
    let warnings = words::risks(&new.scopes, new.expires_at);
    let shell = frame.shell(TITLE, ADDRESS, Some(me))?;
    Ok(ConfirmPage { warnings, ..ConfirmPage::generate(shell, facts) })
}

/// The password comes: the value is in the answer to this one POST and nowhere else.
pub async fn confirm(me: SignedIn, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let (owner, prefix, key) = (me.account.clone(), app.prefix.clone(), form.text("confirm").to_owned());
    let outcome = settle(&app, &me, &form, Action::GenerateToken, move |tx, actor, new: NewToken| {
        let (token, value) = token::generate(tx, actor, &owner, new, &prefix)?;
        confirm::note_outcome(tx, &key, token.id.as_str())?;
        Ok((token, value))
    });
    match outcome.await {
        Ok(Outcome::Done((token, value))) => reveal(&me, &frame, &app, "Token generated", &token, &value, None),
        Ok(Outcome::Again { payload, error }) => {
            let page = confirm_page(&me, &frame, &app, &payload)?;
            ask_again(&frame, &me, page, &form, &error)
        }
        Ok(Outcome::Back(new)) => {
            let filled = filled_again(&me, &app, &new);
            frame.page(StatusCode::OK, &page(&me, &frame, &app, &filled, &[])?)
        }
        Err(Error::Replayed(Replay::Used)) => already_shown(&me, &frame, &app, Action::GenerateToken, &form).await,
        Err(Error::Invalid(problems)) => {
            // Somebody was faster: with the name, the limit or the clock. The form again, with all that was filled in.
            let filled = match still_waiting(&app, &me, &form, Action::GenerateToken).await {
                Ok(new) => filled_again(&me, &app, &new),
                Err(_) => Filled::empty(app.policy().default_days(me.account.role)),
            };
            let page = page(&me, &frame, &app, &filled, &problems)?;
            frame.form_again(&page, &page.as_content())
        }
        Err(other) => Err(other),
    }
}

fn filled_again(me: &SignedIn, app: &App, new: &NewToken) -> Filled {
    Filled::of(new, &app.catalogue(), &Reading::of(&me.account, app.now()))
}

fn page(me: &SignedIn, frame: &Frame, app: &App, filled: &Filled, problems: &[Problem]) -> Result<TokenFormPage> {
    let none_imported = app.catalogue().apis().is_empty();
    Ok(TokenFormPage {
        action: FORM.into(),
        submit: "Generate…".into(),
        note: none_imported.then(|| {
            Note::warn("No API is imported yet, so there is nothing to choose. An administrator imports one under Administration → APIs.")
        }),
        ..form_page(me, frame, app, &About::new_of(me), TITLE, filled, problems)?
    })
}
