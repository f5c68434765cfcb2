//! Regenerating a token's value, and ending the grace period of the former one.

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use super::edit::{self, Seen, Typed, Waiting};
use super::form::{About, Filled, Present, expiry_part, last_day_iso, lifetimes, wished as expiry_wished};
use super::list::ADDRESS;
use super::reveal::{already_shown, page_address, reveal, row_of};
use crate::account;
use crate::app::App;
use crate::confirm::{self, Action};
use crate::error::{Error, Problem, Replay, Result};
use crate::token::regenerate::{Grace, Renewal, Situation, check_grace, end_grace, regenerate};
use crate::token::{self, Limits};
use crate::types::TokenId;
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle, still_waiting};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::Fact;
use crate::web::session::SignedIn;
use crate::web::tokens_pages::{GraceChoice, Regenerate, RenewedExpiry, ValueRow};
use crate::web::words::Reading;
use crate::when;

/// What was typed in the section, for showing it again.
#[derive(Default)]
pub struct Wished {
    grace: String,
    previous_expires_at: String,
    lifetime: String,
    expires_at: String,
}

impl Wished {
    /// Of what waits for its password, in the person's zone.
    fn of(wish: &Renewal, reading: &Reading) -> Wished {
        Wished {
            grace: if wish.previous_ends_at.is_some() { "custom" } else { "0" }.into(),
            previous_expires_at: wish
                .previous_ends_at
                .map(|end| when::field_moment(end.utc(), reading.zone))
                .unwrap_or_default(),
            lifetime: if wish.expires_at.is_some() { "custom" } else { "never" }.into(),
            expires_at: wish.expires_at.map(|end| last_day_iso(end, reading)).unwrap_or_default(),
        }
    }

    fn posted(form: &Posted) -> Wished {
        let text = |name: &str| form.text(name).to_owned();
        Wished {
            grace: text("grace"),
            previous_expires_at: text("previous_expires_at"),
            lifetime: text("lifetime"),
            expires_at: text("expires_at"),
        }
    }
}

/// A new value starts a new life: the policy counts from now, and an expired token may live again.
fn renewed<'a>(limits: Limits<'a>) -> Limits<'a> {
    Limits { since: limits.now, standing: None, ..limits }
}

/// The section on the token's page.
pub fn section(
    me: &SignedIn,
    app: &App,
    about: &About,
    present: &Present,
    reading: &Reading,
    wished: &Wished,
) -> Regenerate {
    let catalogue = app.catalogue();
    let limits = renewed(about.limits(app, me, &catalogue));
    let situation = Situation::of(&present.token, &present.values, reading.now);
    let may_keep = !situation.expired && situation.in_grace_until.is_none();
    let preset = |hours: i64| reading.now.plus(chrono::TimeDelta::hours(hours));
    let chosen = match wished.grace.as_str() {
        "" if may_keep && app.policy().max_grace > 0 => "24h",
        "" => "0",
        typed => typed,
    };
    let choice = |value: &'static str, title: &'static str, note: String| GraceChoice {
        value,
        title,
        note,
        checked: value == chosen,
    };
    let mut choices = vec![choice("0", "Stop the old value now", "Choose this after a leak".into())];
    if may_keep {
        for (value, title, hours) in [("24h", "Keep both for 24 hours", 24), ("72h", "Keep both for 3 days", 72)] {
            if chrono::TimeDelta::hours(hours) <= app.policy().grace() {
                choices.push(choice(value, title, format!("Until {}", reading.weekday_moment(preset(hours)))));
            }
        }
        if app.policy().max_grace > 0 {
            choices.push(choice("custom", "Keep both until", String::new()));
        }
    }
    let until = reading.now.plus(app.policy().grace());
    let living = present.values.iter().filter(|value| value.ends_at.is_none_or(|end| reading.now < end));
    let rows = living.map(|value| ValueRow {
        name: if value.ends_at.is_none() { "Current value" } else { "Old value" },
        starts_with: value.starts_with.clone(),
        until: value.ends_at.map(|end| format!("works until {}", reading.weekday_moment(end))).unwrap_or_default(),
        used: value.used_at.map_or_else(|| "never used".into(), |at| format!("last used {}", reading.ago(at))),
    });
    let expiry = situation.expired.then(|| {
        let lifetime = if wished.lifetime.is_empty() {
            app.policy().default_days(about.owner.role).to_string()
        } else {
            wished.lifetime.clone()
        };
        RenewedExpiry {
            lifetimes: lifetimes(&limits, &lifetime),
            min: when::day_of(reading.now.utc(), reading.zone).to_string(),
            max: limits.last_day().to_string(),
            expiry: expiry_part(&limits, reading, &lifetime, &wished.expires_at),
        }
    });
    Regenerate {
        address: page_address(present.token.id.as_str()),
        values: if present.values.len() > 1 { rows.collect() } else { Vec::new() },
        in_grace: situation.in_grace_until.is_some(),
        choices,
        custom: match wished.previous_expires_at.as_str() {
            "" => when::field_moment(preset(24).min(until).utc(), reading.zone),
            typed => typed.to_owned(),
        },
        custom_min: when::field_moment(reading.now.utc(), reading.zone),
        custom_max: when::field_moment(until.utc(), reading.zone),
        expiry,
    }
}

/// The wish comes: the confirmation, or the page again with what is wrong.
pub async fn review(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let about = About::to_change(&app, &me, &id).await?;
    let present = about.present()?;
    token::must_take_values(&me.actor, about.relation, &about.owner)?;
    let typed = Typed { filled: typed_beside(&me, &app, present, &form), wished: Wished::posted(&form) };
    let seen = Seen::read(&form, &app);
    if seen.is_not(present) {
        return edit::stale(&me, &frame, &app, &about, &typed, seen.at).await;
    }
    match check(&me, &app, &about, present, &form) {
        Ok(wish) => {
            let page = confirm_page(&me, &frame, &app, present, &wish)?;
            let key = propose(&app, &me, Action::RegenerateToken, Waiting { wish, at: seen.at }).await?;
            ask(&frame, &me, page, &key)
        }
        Err(problems) => again(&me, &frame, &app, &about, &typed, &problems),
    }
}

/// The form above as it is filled in: htmx sends it along, so that nothing typed there is lost over a mistake here.
fn typed_beside(me: &SignedIn, app: &App, present: &Present, form: &Posted) -> Filled {
    let reading = Reading::of(&me.account, app.now());
    let standing = Filled::of(&present.token.settings(), &app.catalogue(), &reading);
    let filled = Filled::posted(form, &app.catalogue(), standing.clone());
    match reading.is_past(present.token.expires_at) {
        // Its day is then that of the new value.
        true => Filled { lifetime: standing.lifetime, expires_at: standing.expires_at, ..filled },
        false => filled,
    }
}

fn check(me: &SignedIn, app: &App, about: &About, present: &Present, form: &Posted) -> Result<Renewal, Vec<Problem>> {
    let catalogue = app.catalogue();
    let limits = renewed(about.limits(app, me, &catalogue));
    let situation = Situation::of(&present.token, &present.values, limits.now);
    let mut problems = Vec::new();
    let expires_at = match situation.expired {
        false => present.token.expires_at,
        true => {
            let typed = expiry_wished(form.text("lifetime"), form.text("expires_at"));
            token::check_expiry(&typed, &limits).unwrap_or_else(|sentence| {
                problems.push(Problem { field: "expires_at", sentence });
                None
            })
        }
    };
    let grace = Grace::typed(form.text("grace"), form.text("previous_expires_at"))
        .map_err(|sentence| Problem { field: "grace", sentence })
        .and_then(|grace| check_grace(grace, situation, expires_at, &app.policy(), limits.now, limits.zone));
    match grace {
        Ok(previous_ends_at) if problems.is_empty() => {
            let (id, seen) = (present.token.id.clone(), present.token.version);
            Ok(Renewal { id, seen, previous_ends_at, expires_at })
        }
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(problem);
            Err(problems)
        }
    }
}

fn again(
    me: &SignedIn,
    frame: &Frame,
    app: &App,
    about: &About,
    typed: &Typed,
    problems: &[Problem],
) -> Result<HttpResponse> {
    let page = edit::page(me, frame, app, about, typed, problems)?;
    frame.form_again(&page, &page.as_content())
}

fn confirm_page(me: &SignedIn, frame: &Frame, app: &App, present: &Present, wish: &Renewal) -> Result<ConfirmPage> {
    let reading = Reading::of(&me.account, app.now());
    let token = &present.token;
    let current = present.values.first().map(|value| value.starts_with.clone()).unwrap_or_default();
    let old = match wish.previous_ends_at {
        None => "stops at once".to_owned(),
        Some(end) => format!("works until {}", reading.weekday_moment(end)),
    };
    let mut facts = vec![Fact::new("Name", &token.name), Fact::new(format!("Old value {current}…"), old)];
    match wish.expires_at {
        end if end == token.expires_at => {}
        Some(end) => facts.push(Fact::new("Expires", reading.due(end))),
        None => facts.push(Fact::new("Expires", "never")),
    }
    let mut warnings = Vec::new();
    let recent = present.used.as_ref().filter(|used| reading.is_recent(used.at));
    if let (None, Some(used), false) = (wish.previous_ends_at, recent, reading.is_past(token.expires_at)) {
        warnings.push(format!(
            "The old value was used {}. Whatever uses it fails until it has the new one.",
            reading.ago(used.at)
        ));
    }
    if !token.enabled {
        warnings.push("The token is disabled and stays so: the new value works once you enable it.".into());
    }
    let shell = frame.shell("Regenerate the value", ADDRESS, Some(me))?;
    Ok(ConfirmPage { warnings, ..ConfirmPage::regenerate(shell, &token.name, token.id.as_str(), facts) })
}

/// The password comes: the new value is in the answer to this one POST and nowhere else.
pub async fn confirm(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let (prefix, key) = (app.prefix.clone(), form.text("confirm").to_owned());
    let outcome = settle(&app, &me, &form, Action::RegenerateToken, move |tx, actor, waiting: Waiting<Renewal>| {
        let wish = waiting.wish;
        let (token, value) = regenerate(tx, actor, &wish, &prefix)?;
        confirm::note_outcome(tx, &key, token.id.as_str())?;
        let owner = account::by_id(tx.conn, &token.owner_id)?;
        Ok((owner, token, value, wish.previous_ends_at.unwrap_or(tx.now)))
    });
    let outcome = outcome.await;
    match outcome {
        Ok(Outcome::Done((owner, token, value, end))) => {
            return reveal(&me, &frame, &app, "Value regenerated", (&owner, &token), &value, Some(end));
        }
        Err(Error::Replayed(Replay::Used)) => {
            return already_shown(&me, &frame, &app, Action::RegenerateToken, &form).await;
        }
        Ok(Outcome::Back(_)) => return Ok(frame.go_on(&format!("{}#regenerate", page_address(&id)), "")),
        Err(Error::Replayed(Replay::TooOld)) => {
            let note = "Nothing was regenerated: the confirmation is too old. Choose again.";
            return Ok(frame.go_on(&page_address(&id), note));
        }
        _ => {}
    }
    let about = About::token(&app, &me, &id).await?;
    let present = about.present()?;
    let error = match outcome {
        Ok(Outcome::Again { payload, error }) => {
            let page = confirm_page(&me, &frame, &app, present, &payload.wish)?;
            return ask_again(&frame, &me, page, &form, &error);
        }
        Err(error @ (Error::Stale | Error::Invalid(_))) => error,
        Err(other) => return Err(other),
        Ok(_) => return Err(Error::Missing),
    };
    let Waiting { wish, at }: Waiting<Renewal> = still_waiting(&app, &me, &form, Action::RegenerateToken).await?;
    let reading = Reading::of(&me.account, app.now());
    let filled = Filled::of(&present.token.settings(), &app.catalogue(), &reading);
    let typed = Typed { filled, wished: Wished::of(&wish, &reading) };
    match error {
        Error::Invalid(problems) => again(&me, &frame, &app, &about, &typed, &problems),
        _ => edit::stale(&me, &frame, &app, &about, &typed, at).await,
    }
}

/// *End grace now*: the confirmation.
pub async fn review_end(
    me: SignedIn,
    _: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let about = About::to_change(&app, &me, &id).await?;
    let present = about.present()?;
    if Situation::of(&present.token, &present.values, app.now()).in_grace_until.is_none() {
        let note = "No old value is left to end: its grace period is over.";
        return Ok(frame.go_on(&page_address(&id), note));
    }
    let page = end_page(&me, &frame, &app, present)?;
    let waiting = (present.token.id.clone(), present.token.version);
    let key = propose(&app, &me, Action::EndGrace, waiting).await?;
    ask(&frame, &me, page, &key)
}

fn end_page(me: &SignedIn, frame: &Frame, app: &App, present: &Present) -> Result<ConfirmPage> {
    let reading = Reading::of(&me.account, app.now());
    let old = present.values.iter().filter(|value| value.ends_at.is_some_and(|end| reading.now < end));
    let facts = old.map(|value| {
        let used = value.used_at.map_or_else(|| "never used".into(), |at| format!("last used {}", reading.ago(at)));
        let fact = Fact::new(format!("Old value {}…", value.starts_with), used);
        match value.used_at.filter(|at| reading.is_recent(*at)) {
            Some(_) => fact.warned("Something still depends on it."),
            None => fact,
        }
    });
    let facts = facts.collect();
    let shell = frame.shell("End the grace period", ADDRESS, Some(me))?;
    Ok(ConfirmPage::end_grace(shell, &present.token.name, present.token.id.as_str(), facts))
}

pub async fn confirm_end(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let outcome = settle(&app, &me, &form, Action::EndGrace, |tx, actor, (id, seen): (TokenId, i64)| {
        end_grace(tx, actor, &id, seen)
    });
    match outcome.await {
        Ok(Outcome::Done(token)) => {
            Ok(frame.go_on(&row_of(&app, &me, &id).await, &format!("The old value of {} has stopped.", token.name)))
        }
        Ok(Outcome::Again { error, .. }) => {
            let about = About::token(&app, &me, &id).await?;
            let page = end_page(&me, &frame, &app, about.present()?)?;
            ask_again(&frame, &me, page, &form, &error)
        }
        Ok(Outcome::Back(_)) => Ok(frame.go_on(&page_address(&id), "")),
        Err(Error::Replayed(Replay::Used)) => {
            Ok(frame
                .go_on(&row_of(&app, &me, &id).await, "The grace period was already ended. Nothing was done again."))
        }
        Err(Error::Stale | Error::Invalid(_) | Error::Replayed(Replay::TooOld)) => {
            Ok(frame.go_on(&page_address(&id), "Nothing was ended. Look at the token again."))
        }
        Err(other) => Err(other),
    }
}
