//! Administration → Policy: the form of every setting, what a change would touch, the password.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::confirm::{Outcome, propose, settle, still_waiting, with_wait};
use super::form::Posted;
use super::frame::Frame;
use super::page::{Fact, Note, counted, size};
use super::policy_pages::{PolicyPage, ReviewPage};
use super::policy_words as words;
use super::session::{Administrator, SignedIn};
use super::words::{Reading, field_errors};
use crate::app::App;
use crate::confirm::Action;
use crate::error::{Error, Problem, Replay, Result};
use crate::policy::{Draft, OF_ROLES, Policy, Saved};
use crate::policy_change::{self, Existing, Proposal, Touched, cutting};
use crate::token::cut::{Cut, Excess};

pub const ADDRESS: &str = "/admin/policy";

pub async fn form(me: Administrator, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let present = current(&app).await?;
    let page = page(&me.0, &frame, &app, &present, &Draft::of(&present.policy), &[]).await?;
    frame.page(StatusCode::OK, &page)
}

async fn current(app: &Arc<App>) -> Result<Saved> {
    let file = app.policy();
    app.read(move |conn| policy_change::current(conn, &file)).await
}

async fn page(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    present: &Saved,
    draft: &Draft,
    problems: &[Problem],
) -> Result<PolicyPage> {
    let reading = Reading::of(&me.account, app.now());
    let (last, cutting) = app.read(|conn| Ok((policy_change::last_saved(conn)?, cutting::under_way(conn)?))).await?;
    let cut_so_far = |cutting: cutting::Cutting| {
        let so_far = counted(cutting.tokens, "token", "tokens");
        Note::plain(format!("Tokens are being cut to this policy: {so_far} so far. Each is told in the audit log."))
    };
    let intro = match last {
        Some(event) => format!("Saved by {} {}.", event.actor_name, reading.ago(event.at)),
        None => "Nobody has saved a policy yet: these are the settings of the file.".to_owned(),
    };
    Ok(PolicyPage {
        shell: frame.shell("Policy", ADDRESS, Some(me))?,
        intro,
        seen: present.version,
        groups: words::groups(draft),
        errors: field_errors(problems),
        note: cutting.map(cut_so_far),
    })
}

/// The filled form comes: what it would touch, or the form again with what is wrong, or with what somebody else changed.
pub async fn review(me: Administrator, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let (draft, present) = (typed(&form), current(&app).await?);
    // Where it did not come, nobody looked at a former state.
    let seen = form.text("seen").parse().unwrap_or(present.version);
    if seen != present.version {
        return stale(&me, &frame, &app, &draft, seen).await;
    }
    if form.text("do") == "filter" {
        return frame.page(StatusCode::OK, &page(&me, &frame, &app, &present, &draft, &[]).await?);
    }
    let mut problems = unknown_roles(&form);
    let policy = match draft.check() {
        Ok(policy) if problems.is_empty() => policy,
        Ok(_) => return again(&me, &frame, &app, &present, &draft, &problems).await,
        Err(Error::Invalid(more)) => {
            problems.extend(more);
            return again(&me, &frame, &app, &present, &draft, &problems).await;
        }
        Err(other) => return Err(other),
    };
    let touched = touched(&me, &app, &present.policy, &policy).await?;
    if policy == present.policy && touched.excess.is_empty() {
        let note = Some(Note::plain("Nothing is different from before, so there is nothing to save."));
        let page = PolicyPage { note, ..page(&me, &frame, &app, &present, &draft, &[]).await? };
        return frame.page(StatusCode::OK, &page);
    }
    let page = review_page(&me, &frame, &present.policy, &policy, &touched)?;
    let waiting = propose(&app, &me, Action::SavePolicy, Proposal { seen, policy }).await?;
    frame.page(StatusCode::OK, &ReviewPage { confirm: waiting.key, ..page })
}

/// A box that is not ticked sends nothing, so the page sends `off` before it.
fn typed(form: &Posted) -> Draft {
    Draft::posted(|name| form.every(name).last().map(str::to_owned))
}

/// A limit for a role that there is not would else be dropped without a word.
fn unknown_roles(form: &Posted) -> Vec<Problem> {
    let of_role = form.fields().filter_map(|(name, _)| name.strip_prefix("max_lifetime_"));
    let is_known = |role: &str| OF_ROLES.iter().any(|(known, _)| known.as_str() == role);
    let unknown = of_role.filter(|role| !is_known(role)).map(|role| {
        let role: String = role.chars().filter(|c| !c.is_control()).take(40).collect();
        Problem {
            field: "max_lifetime",
            sentence: format!("There is no role “{role}” that could have a limit of its own."),
        }
    });
    unknown.take(1).collect()
}

async fn again(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    present: &Saved,
    draft: &Draft,
    problems: &[Problem],
) -> Result<HttpResponse> {
    let page = page(me, frame, app, present, draft, problems).await?;
    frame.page(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// Somebody saved another policy since the form was opened: who, when and what. What was typed stays; what was left alone is
/// theirs.
async fn stale(me: &SignedIn, frame: &Frame, app: &Arc<App>, draft: &Draft, seen: i64) -> Result<HttpResponse> {
    let present = current(app).await?;
    let of = present.clone();
    let (was, events) = app.read(move |conn| policy_change::since(conn, &of, seen)).await?;
    let reading = Reading::of(&me.account, app.now());
    let mut who: Vec<String> = Vec::new();
    for event in &events {
        let mine = event.actor_id.as_ref().is_some_and(|id| me.actor.is(id));
        let name = if mine { "you, elsewhere" } else { event.actor_name.as_str() };
        let told = format!("{name} ({})", reading.ago(event.at));
        if !who.contains(&told) {
            who.push(told);
        }
    }
    let who = if who.is_empty() { "somebody".to_owned() } else { who.join(", ") };
    let changes: Vec<String> =
        words::changes(&was, &present.policy).into_iter().map(|fact| format!("{}: {}", fact.term, fact.text)).collect();
    let text = format!(
        "The policy was changed meanwhile by {who}. {}. Nothing of yours was saved: what you typed is still here, on top of it.",
        if changes.is_empty() { "It is as it was on your page".to_owned() } else { changes.join("; ") }
    );
    let mut page = page(me, frame, app, &present, &draft.over(&was, &present.policy), &[]).await?;
    page.note = Some(Note::warn(text));
    frame.page(StatusCode::CONFLICT, &page)
}

async fn touched(me: &SignedIn, app: &Arc<App>, before: &Policy, after: &Policy) -> Result<Touched> {
    let (now, session) = (app.now(), me.session.clone());
    let (before, after) = (before.clone(), after.clone());
    let of = app.clone();
    app.survey(move |conn| policy_change::touched(conn, &of.index, now, &before, &after, &session)).await
}

fn review_page(me: &SignedIn, frame: &Frame, before: &Policy, after: &Policy, touched: &Touched) -> Result<ReviewPage> {
    let past = words::past(&touched.excess);
    let changes: Vec<Fact> = words::changes(before, after);
    Ok(ReviewPage {
        shell: frame.shell("Save policy", ADDRESS, Some(me))?,
        email: me.account.label().to_owned(),
        changes,
        warnings: words::warnings(before, after, touched),
        touched: words::touched(after, touched),
        asks_existing: !touched.excess.is_empty(),
        past,
        ..ReviewPage::default()
    })
}

/// The password comes.
pub async fn confirm(me: Administrator, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let end_now = form.has("end_now");
    let cut = form.text("existing") == "cut";
    let existing = if cut { Existing::Cut { end_now } } else { Existing::Keep };
    let outcome = settle(&app, &me, &form, Action::SavePolicy, move |tx, actor, proposal: Proposal| {
        policy_change::save(tx, actor, &proposal, existing)
    });
    match outcome.await {
        Ok(Outcome::Done(())) if !cut => Ok(frame.go_on(ADDRESS, "Saved the policy.")),
        Ok(Outcome::Done(())) => Ok(frame.go_on(ADDRESS, &saved(cutting::cut_and_wait(&app).await))),
        Ok(Outcome::Again { payload, error }) => {
            let before = current(&app).await?.policy;
            let touched = touched(&me, &app, &before, &payload.policy).await?;
            let page = review_page(&me, &frame, &before, &payload.policy, &touched)?;
            let (confirm, password_error) = (form.text("confirm").to_owned(), error.to_string());
            let again = ReviewPage { confirm, password_error, cut, end_now, ..page };
            Ok(with_wait(frame.page(crate::http::status(&error), &again)?, &error))
        }
        Ok(Outcome::Back(Proposal { seen, policy })) => {
            let (present, draft) = (current(&app).await?, Draft::of(&policy));
            if seen != present.version {
                return stale(&me, &frame, &app, &draft, seen).await;
            }
            frame.page(StatusCode::OK, &page(&me, &frame, &app, &present, &draft, &[]).await?)
        }
        Err(Error::Stale) => {
            let Proposal { seen, policy } = still_waiting(&app, &me, &form, Action::SavePolicy).await?;
            stale(&me, &frame, &app, &Draft::of(&policy), seen).await
        }
        Err(Error::Replayed(why)) => Ok(frame.go_on(
            ADDRESS,
            match why {
                Replay::Used => "That policy was already saved. Nothing was done again.",
                Replay::TooOld => "Nothing was saved: the confirmation is too old. Make the changes again.",
            },
        )),
        Err(other) => Err(other),
    }
}

/// The policy is saved whatever became of the tokens: what is left of them is cut by a job.
fn saved(cut: Result<Option<Cut>>) -> String {
    match cut {
        Ok(Some(Cut { tokens: 0, .. })) => "Saved the policy. No token had to be cut.".to_owned(),
        Ok(Some(Cut { tokens, ended: 0 })) => format!("Saved the policy. Cut {}.", counted(tokens, "token", "tokens")),
        Ok(Some(Cut { tokens, ended })) => {
            format!("Saved the policy. Cut {}, of which {ended} ended at once.", counted(tokens, "token", "tokens"))
        }
        Ok(None) => "Saved the policy.".to_owned(),
        Err(error) => {
            format!("Saved the policy. Tokens are still to be cut, which goes on within two minutes. {error}")
        }
    }
}

/// How many of a kind there are over all roles.
pub(super) fn total(excess: &[Excess], of: impl Fn(&Excess) -> i64) -> usize {
    size(excess.iter().map(of).sum())
}
