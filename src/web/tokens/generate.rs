//! Generating a token: the form, empty or filled by a link or by another token, its confirmation, and its one answer.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::form::{About, Filled, check, form_page};
use super::list::ADDRESS;
use super::owner::{For, Holder};
use super::picker;
use super::reveal::{self, already_shown, reveal};
use crate::account::{Account, service};
use crate::actor::{Deed, wording};
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
    let holder = Holder::posted(&query, Holder::default());
    let about = holder.about(&app, &me).await?;
    let empty = Filled { holder, ..Filled::empty(app.policy().default_days(about.owner.role)) };
    if !FIELDS.iter().any(|field| query.has(field)) {
        return frame.page(StatusCode::OK, &page(&me, &frame, &app, &empty, &[]).await?);
    }
    let catalogue = app.catalogue();
    let (base, from) = match query.text("from") {
        "" => (empty, None),
        id => {
            let about = About::token(&app, &me, id).await?;
            let may_take = token::must_take_values(&me.actor, about.relation, &about.owner).is_ok();
            let owner = if may_take && about.owner.is_living() { &about.owner } else { &me.account };
            let base = Filled { holder: Holder::of_account(&owner.id), ..empty };
            let present = about.token.as_ref().ok_or(Error::Missing)?;
            (copied(&me, &app, &present.token, owner, &base).await?, Some(present.token.clone()))
        }
    };
    let mut filled = Filled::posted(&query, &catalogue, base);
    if query.has("expires_at") && !query.has("lifetime") {
        filled.lifetime = "custom".into();
    }
    let about = filled.holder.about(&app, &me).await?;
    let mut page = page(&me, &frame, &app, &filled, &[]).await?;
    match &from {
        Some(token) => {
            page.title = format!("{TITLE} from {}", token.name);
            page.intro = "The settings are copied, the value is not: this will be a token of its own.".into();
            let lost = picker::lost_names(&catalogue, about.owner.role, &token.scopes);
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
async fn copied(me: &SignedIn, app: &Arc<App>, token: &Token, owner: &Account, empty: &Filled) -> Result<Filled> {
    let reading = Reading::of(&me.account, app.now());
    let (owner, name) = (owner.id.clone(), token.name.clone());
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
        holder: empty.holder.clone(),
        ..Filled::of(&token.settings(), &app.catalogue(), &reading)
    })
}

/// The filled form comes: the confirmation, or the form again with what is wrong.
pub async fn review(me: SignedIn, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    me.actor.must(Deed::ChangeTokens)?;
    let about = Holder::posted(&form, Holder::default()).about(&app, &me).await?;
    let empty = Filled::empty(app.policy().default_days(about.owner.role));
    let filled = Filled::posted(&form, &app.catalogue(), Filled { lifetime: String::new(), ..empty });
    if matches!(form.text("do"), "filter" | "owner") {
        let page = page(&me, &frame, &app, &filled, &[]).await?;
        return match frame.is_htmx {
            true => frame.part(StatusCode::OK, &page.as_content()),
            false => frame.page(StatusCode::OK, &page),
        };
    }
    match checked(&me, &app, &about, &form, &filled).await {
        Ok(waiting) => {
            let page = confirm_page(&me, &frame, &app, &about, &waiting).await?;
            let key = propose(&app, &me, Action::GenerateToken, waiting).await?;
            ask(&frame, &me, page, &key)
        }
        Err(Error::Invalid(problems)) => {
            let page = page(&me, &frame, &app, &filled, &problems).await?;
            frame.form_again(&page, &page.as_content())
        }
        Err(other) => Err(other),
    }
}

/// What waits for its password.
#[derive(Serialize, Deserialize)]
struct Waiting {
    owner: For,
    new: NewToken,
}

/// Everything that is wrong with the token and with the service account that is made for it.
async fn checked(me: &SignedIn, app: &Arc<App>, about: &About, form: &Posted, filled: &Filled) -> Result<Waiting> {
    let (actor, holder, owner) = (me.actor.clone(), filled.holder.clone(), about.owner.id.clone());
    let owner = app.read(move |conn| holder.check(conn, &actor, &owner)).await;
    match (owner, check(me, app, about, form, filled).await) {
        (Ok(owner), Ok(new)) => Ok(Waiting { owner, new }),
        (Err(Error::Invalid(mut problems)), Err(Error::Invalid(more))) => {
            problems.extend(more);
            Err(Error::Invalid(problems))
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

async fn confirm_page(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    about: &About,
    waiting: &Waiting,
) -> Result<ConfirmPage> {
    let new = &waiting.new;
    let catalogue = app.catalogue();
    let reading = Reading::of(&me.account, app.now());
    let access = words::access_summary(&catalogue, &new.scopes);
    let access = match &new.access_set {
        Some(set) => format!("{}: {access}", words::access(&catalogue, Some(set))),
        None => access,
    };
    let expires = new.expires_at.map_or_else(|| "never".to_owned(), |end| reading.due(end));
    let mut facts = vec![Fact::new("Name", &new.name), Fact::new("Access", access), Fact::new("Expires", expires)];
    match &waiting.owner {
        For::New(service, owner) => {
            let of = owner.clone();
            let owned_by = app.read(move |conn| service::name_of_owner(conn, &of)).await?;
            let told = format!(
                "{}, a new service account of {owned_by} with the role {}",
                service.name,
                wording(service.role)
            );
            facts.insert(0, Fact::new("For", told));
        }
        For::Account(id) if me.actor.is(id) => {}
        For::Account(_) => facts.insert(0, Fact::new("For", reveal::holder(&about.owner))),
    }
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
    let (prefix, key) = (app.prefix.clone(), form.text("confirm").to_owned());
    let outcome = settle(&app, &me, &form, Action::GenerateToken, move |tx, actor, waiting: Waiting| {
        let owner = waiting.owner.account(tx, actor)?;
        let (token, value) = token::generate(tx, actor, &owner, waiting.new, &prefix)?;
        confirm::note_outcome(tx, &key, token.id.as_str())?;
        Ok((owner, token, value))
    });
    match outcome.await {
        Ok(Outcome::Done((owner, token, value))) => {
            reveal(&me, &frame, &app, "Token generated", (&owner, &token), &value, None)
        }
        Ok(Outcome::Again { payload, error }) => {
            let about = Holder::of(&payload.owner).about(&app, &me).await?;
            let page = confirm_page(&me, &frame, &app, &about, &payload).await?;
            ask_again(&frame, &me, page, &form, &error)
        }
        Ok(Outcome::Back(waiting)) => {
            let filled = filled_again(&me, &app, &waiting);
            frame.page(StatusCode::OK, &page(&me, &frame, &app, &filled, &[]).await?)
        }
        Err(Error::Replayed(Replay::Used)) => already_shown(&me, &frame, &app, Action::GenerateToken, &form).await,
        Err(Error::Invalid(problems)) => {
            // Somebody was faster: with the name, the limit or the clock. The form again, with all that was filled in.
            let filled = match still_waiting(&app, &me, &form, Action::GenerateToken).await {
                Ok(waiting) => filled_again(&me, &app, &waiting),
                Err(_) => Filled::empty(app.policy().default_days(me.account.role)),
            };
            let page = page(&me, &frame, &app, &filled, &problems).await?;
            frame.form_again(&page, &page.as_content())
        }
        Err(other) => Err(other),
    }
}

fn filled_again(me: &SignedIn, app: &App, waiting: &Waiting) -> Filled {
    let filled = Filled::of(&waiting.new, &app.catalogue(), &Reading::of(&me.account, app.now()));
    Filled { holder: Holder::of(&waiting.owner), ..filled }
}

async fn page(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    filled: &Filled,
    problems: &[Problem],
) -> Result<TokenFormPage> {
    let about = filled.holder.about(app, me).await?;
    let none_imported = app.catalogue().apis().is_empty();
    Ok(TokenFormPage {
        action: FORM.into(),
        submit: "Generate…".into(),
        note: none_imported.then(|| {
            Note::warn("No API is imported yet, so there is nothing to choose. An administrator imports one under Administration → APIs.")
        }),
        owner: filled.holder.part(app, me, &about).await?,
        ..form_page(me, frame, app, &about, TITLE, filled, problems)?
    })
}
