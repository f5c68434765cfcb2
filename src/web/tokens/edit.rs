//! The page of one token: editing, and beside it what regenerates its value.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::form::{About, Filled, Present, check, form_page};
use super::list::ADDRESS;
use super::regenerate::{self, Wished};
use super::reveal::{holder, page_address, row_of};
use crate::app::App;
use crate::audit;
use crate::confirm::Action;
use crate::error::{Error, Problem, Replay, Result};
use crate::token;
use crate::token::edit::{self, Difference, Edit};
use crate::types::Stamp;
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle, still_waiting};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::{Fact, Note};
use crate::web::session::SignedIn;
use crate::web::tokens_pages::TokenFormPage;
use crate::web::words::{self, Reading};

/// The token as it stands. `?allow=SCOPE` ticks one method more: where a refusal leads to.
pub async fn form(
    me: SignedIn,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let about = About::token(&app, &me, &id).await?;
    let mut typed = Typed::of(standing(&me, &app, about.present()?));
    let query = Posted::from_query(request.query_string());
    let mut note = None;
    if query.has("allow") {
        note = Some(match typed.filled.ticks.allow(query.text("allow"), &app.catalogue(), about.owner.role) {
            Ok(scope) => {
                typed.filled.set = "custom".into();
                Note::plain(format!("{scope} is ticked below and not saved yet."))
            }
            Err(sentence) => Note::warn(sentence),
        });
    }
    let mut page = page(&me, &frame, &app, &about, &typed, &[])?;
    page.note = note.or(page.note);
    frame.page(StatusCode::OK, &page)
}

fn standing(me: &SignedIn, app: &App, present: &Present) -> Filled {
    Filled::of(&present.token.settings(), &app.catalogue(), &Reading::of(&me.account, app.now()))
}

/// The filled form comes: the confirmation, or the form again with what is wrong, or with what somebody else changed.
pub async fn review(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let about = About::to_change(&app, &me, &id).await?;
    let present = about.present()?;
    let typed = Typed::of(Filled::posted(&form, &app.catalogue(), standing(&me, &app, present)));
    let seen = Seen::read(&form, &app);
    if seen.is_not(present) {
        return stale(&me, &frame, &app, &about, &typed, seen.at).await;
    }
    if form.text("do") == "filter" {
        let page = page(&me, &frame, &app, &about, &typed, &[])?;
        return frame.page(StatusCode::OK, &page);
    }
    let mut to = match check(&me, &app, &about, &form, &typed.filled).await {
        Ok(to) => to,
        Err(Error::Invalid(problems)) => {
            let page = page(&me, &frame, &app, &about, &typed, &problems)?;
            return frame.form_again(&page, &page.as_content());
        }
        Err(other) => return Err(other),
    };
    if to.access_set.is_none() && to.scopes.is_same_set(&present.token.scopes) {
        // The same rights under the name that they came by.
        to.access_set = present.token.access_set.clone();
    }
    let edit = Edit { id: present.token.id.clone(), seen: present.token.version, to };
    if Difference::between(&present.token, &edit.applied(&present.token)).is_empty() {
        let note = Some(Note::plain("Nothing is different from before, so there is nothing to save."));
        let page = TokenFormPage { note, ..page(&me, &frame, &app, &about, &typed, &[])? };
        return match frame.is_htmx {
            true => frame.form_again(&page, &page.as_content()),
            false => frame.page(StatusCode::OK, &page),
        };
    }
    let page = confirm_page(&me, &frame, &app, present, &edit)?;
    let key = propose(&app, &me, Action::EditToken, Waiting { wish: edit, at: seen.at }).await?;
    ask(&frame, &me, page, &key)
}

/// What will change, and what of it widens.
fn confirm_page(me: &SignedIn, frame: &Frame, app: &App, present: &Present, edit: &Edit) -> Result<ConfirmPage> {
    let catalogue = app.catalogue();
    let reading = Reading::of(&me.account, app.now());
    let (before, after) = (&present.token, &edit.applied(&present.token));
    let difference = Difference::between(before, after);
    let facts: Vec<Fact> = words::changes(&catalogue, &difference.before, &difference.after, &reading);
    let mut warnings: Vec<String> = words::widening(&catalogue, before, after, &reading);
    if before.scopes != after.scopes || before.expires_at != after.expires_at {
        warnings.extend(words::risks(&after.scopes, after.expires_at));
    }
    let shell = frame.shell("Save changes", ADDRESS, Some(me))?;
    Ok(ConfirmPage { warnings, ..ConfirmPage::edit_token(shell, &before.name, before.id.as_str(), facts) })
}

/// The password comes.
pub async fn confirm(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let catalogue = app.catalogue();
    let outcome = settle(&app, &me, &form, Action::EditToken, move |tx, actor, waiting: Waiting<Edit>| {
        edit::edit(tx, actor, &catalogue, &waiting.wish)
    });
    let outcome = match outcome.await {
        Ok(Outcome::Done(token)) => {
            return Ok(frame.go_on(&row_of(&app, &me, &id).await, &format!("Saved {}.", token.name)));
        }
        Err(Error::Replayed(Replay::Used)) => {
            let note = "These changes were already saved. Nothing was done again.";
            return Ok(frame.go_on(&row_of(&app, &me, &id).await, note));
        }
        Err(Error::Replayed(Replay::TooOld)) => {
            let note = "Nothing was saved: the confirmation is too old. Make the changes again.";
            return Ok(frame.go_on(&page_address(&id), note));
        }
        other => other,
    };
    let about = About::token(&app, &me, &id).await?;
    let reading = Reading::of(&me.account, app.now());
    let typed = |edit: &Edit| Typed::of(Filled::of(&edit.to, &app.catalogue(), &reading));
    match outcome {
        Ok(Outcome::Again { payload, error }) => {
            let page = confirm_page(&me, &frame, &app, about.present()?, &payload.wish)?;
            ask_again(&frame, &me, page, &form, &error)
        }
        Ok(Outcome::Back(Waiting { wish, at })) if wish.seen != about.present()?.token.version => {
            stale(&me, &frame, &app, &about, &typed(&wish), at).await
        }
        Ok(Outcome::Back(Waiting { wish, .. })) => {
            let page = page(&me, &frame, &app, &about, &typed(&wish), &[])?;
            frame.page(StatusCode::OK, &page)
        }
        Err(error @ (Error::Stale | Error::Invalid(_))) => {
            let Waiting { wish, at }: Waiting<Edit> = still_waiting(&app, &me, &form, Action::EditToken).await?;
            let Error::Invalid(problems) = error else {
                return stale(&me, &frame, &app, &about, &typed(&wish), at).await;
            };
            let page = page(&me, &frame, &app, &about, &typed(&wish), &problems)?;
            frame.form_again(&page, &page.as_content())
        }
        Err(other) => Err(other),
        Ok(Outcome::Done(_)) => Err(Error::Missing),
    }
}

/// What waits for its password, and since when the token was looked at for it.
#[derive(Serialize, Deserialize)]
pub struct Waiting<T> {
    pub wish: T,
    pub at: Stamp,
}

/// What was typed on a token's page: in its form, and in the section beside it.
pub struct Typed {
    pub filled: Filled,
    pub wished: Wished,
}

impl Typed {
    pub fn of(filled: Filled) -> Typed {
        Typed { filled, wished: Wished::default() }
    }
}

/// Somebody changed the token since the page was made: who, when and what, with all that was typed still there.
pub async fn stale(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    about: &About,
    typed: &Typed,
    since: Stamp,
) -> Result<HttpResponse> {
    let reading = Reading::of(&me.account, app.now());
    let id = about.present()?.token.id.clone();
    let events = app.read(move |conn| audit::of_token_since(conn, &id, since)).await?;
    let told = events.iter().map(|event| words::event(&app.catalogue(), event, me, &reading));
    let told: Vec<String> = told.filter(|sentence| !sentence.is_empty()).collect();
    let told = if told.is_empty() { "This token was changed meanwhile.".to_owned() } else { told.join(" ") };
    let note = format!("{told} What you typed is still here: check it and go on.");
    let page = TokenFormPage { note: Some(Note::warn(note)), ..page(me, frame, app, about, typed, &[])? };
    frame.form_again(&page, &page.as_content())
}

/// The state of the token that a page was made from: `VERSION-MILLISECONDS`.
pub struct Seen {
    /// Nothing where the field did not come: then nobody looked at a former state.
    version: Option<i64>,
    pub at: Stamp,
}

impl Seen {
    pub fn read(form: &Posted, app: &App) -> Seen {
        let (version, at) = form.text("seen").split_once('-').unwrap_or_default();
        let at = at.parse().ok().and_then(chrono::DateTime::from_timestamp_millis);
        Seen { version: version.parse().ok(), at: at.map_or_else(|| app.now(), Stamp::from) }
    }

    pub fn is_not(&self, present: &Present) -> bool {
        self.version.is_some_and(|version| version != present.token.version)
    }
}

pub fn page(
    me: &SignedIn,
    frame: &Frame,
    app: &App,
    about: &About,
    typed: &Typed,
    problems: &[Problem],
) -> Result<TokenFormPage> {
    let (present, filled) = (about.present()?, &typed.filled);
    let (token, reading) = (&present.token, Reading::of(&me.account, app.now()));
    let address = page_address(token.id.as_str());
    let is_expired = token.expires_at.filter(|end| *end <= reading.now);
    let made_by = match me.actor.is(&token.created_by.as_str().into()) {
        true => " by you".to_owned(),
        false if about.made_by.is_empty() => String::new(),
        false => format!(" by {}", about.made_by),
    };
    let held = match (me.actor.is(&about.owner.id), about.owned_by.as_str()) {
        (true, _) => String::new(),
        (false, "") => format!(" It acts as {}.", holder(&about.owner)),
        (false, by) => format!(" It acts as {} of {by}.", holder(&about.owner)),
    };
    let used = match &present.used {
        None => "Never used".to_owned(),
        Some(used) if used.ip.is_empty() => format!("Last used {}", reading.ago(used.at)),
        Some(used) => format!("Last used {} from {}", reading.ago(used.at), used.ip),
    };
    let misused = present.values.iter().find_map(|value| {
        let end = value.ends_at.filter(|end| *end <= reading.now)?;
        let used = value.used_at.filter(|at| *at > end)?;
        let (starts, ended, used) = (&value.starts_with, reading.moment(end), reading.ago(used));
        Some(format!("The old value {starts}… stopped {ended} and was used after that, last {used}. Something still holds it: look into the activity."))
    });
    let may_regenerate = token::must_take_values(&me.actor, about.relation, &about.owner).is_ok();
    let mut regenerate = may_regenerate.then(|| regenerate::section(me, app, about, present, &reading, &typed.wished));
    let mut form = form_page(me, frame, app, about, &format!("Edit {}", token.name), filled, problems)?;
    if let Some(end) = is_expired {
        form.expiry.short = format!("Expired {}.", reading.date(end));
    }
    let renewed = regenerate.as_mut().and_then(|section| section.expiry.as_mut());
    if let (Some(renewed), true) = (renewed, problems.iter().any(|p| p.field == "expires_at")) {
        // It stands under the field as an error already.
        renewed.expiry.sentence.clear();
    }
    Ok(TokenFormPage {
        action: address.clone(),
        submit: "Save changes…".into(),
        starts_with: present.values.first().map(|value| value.starts_with.clone()).unwrap_or_default(),
        intro: format!("Created {}{made_by}. {used}.{held}", reading.date(token.created_at)),
        id: token.id.to_string(),
        seen: format!("{}-{}", token.version, reading.now.millis()),
        enabled: Some(filled.enabled),
        expired: is_expired
            .map(|end| format!("Expired {}. Regenerate the value below to give it a new expiry.", reading.date(end)))
            .unwrap_or_default(),
        regenerate,
        note: misused.map(Note::warn),
        ..form
    })
}
